//! Query logging configurations: create, read, list, delete. A zone has at most one, in its file.

use std::sync::Arc;

use super::{ApiError, Code, Context, Outcome, QueryLog, Request};
use crate::api::xml::{Members, Writer};
use crate::api::{constraints, ids};
use crate::model::{HostedZone, QueryLoggingConfig};
use crate::objects::ZoneSummary;

/// The default and the largest page (API ListQueryLoggingConfigs).
const PAGE: usize = 100;

pub(super) async fn create(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["HostedZoneId", "CloudWatchLogsLogGroupArn"])?;
    let zone = constraints::required_resource_id(members, "HostedZoneId")?;
    let log_group = members.required_text("CloudWatchLogsLogGroupArn")?;
    if !is_log_group(log_group) {
        return Err(ApiError::invalid_input(format!("'{log_group}' is not the ARN of a log group of CloudWatch Logs")));
    }
    let config = QueryLoggingConfig { id: ids::uuid()?, log_group: log_group.to_owned() };
    let update = |mut zone: HostedZone| {
        if zone.is_private() {
            let message = "Query logging is not available for private hosted zones.";
            return Err(ApiError::invalid_input(message));
        }
        let attachments = Arc::make_mut(&mut zone.attachments);
        if attachments.query_logging.is_some() {
            let message = "A query logging configuration already exists for this hosted zone.";
            return Err(ApiError::new(Code::QueryLoggingConfigAlreadyExists, message));
        }
        attachments.query_logging = Some(config.clone());
        Ok(zone)
    };
    let zone = context.update_zone(request, zone, update).await?;
    if context.query_log == QueryLog::Off {
        tracing::warn!(
            "{} has a query logging configuration, but its queries are not logged: the settings have no `[query_log]`",
            zone.name
        );
    }
    let response = request.response(|xml| write(xml, &zone.id.0, &config));
    Ok(response.at(request.url_of(&format!("queryloggingconfig/{}", config.id))))
}

pub(super) fn get(context: &Context, request: &Request) -> Outcome {
    let (zone, config) = find(context, request)?;
    Ok(request.response(|xml| write(xml, &zone.id.0, &config)))
}

/// By id, from `nexttoken` on; those of one zone, or all.
pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxresults", PAGE, PAGE)?;
    let token = request.query("nexttoken");
    let is_token = |text: &str| text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    if token.is_some_and(|token| !is_token(token)) {
        return Err(ApiError::invalid_pagination_token());
    }
    let of_zone = request.query("hostedzoneid").map(ids::bare);
    let zones = match of_zone {
        Some(id) => vec![context.zone_summary(request, id)?],
        None => context.zones(request),
    };
    let config = |zone: &ZoneSummary| Some((zone.attachments.query_logging.clone()?, zone.id.clone()));
    let mut configs: Vec<_> = zones.iter().filter_map(config).collect();
    configs.retain(|(config, _)| token.is_none_or(|token| *config.id >= *token));
    configs.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    let (page, next) = super::page(&configs, size);
    Ok(request.response(|xml| {
        xml.parent("QueryLoggingConfigs", |xml| {
            page.iter().for_each(|(config, zone)| write(xml, &zone.0, config));
        });
        xml.optional("NextToken", next.map(|(config, _)| &config.id));
    }))
}

pub(super) async fn delete(context: &Context, request: &Request) -> Outcome {
    let id = request.id("Id");
    let (zone, _) = find(context, request)?;
    let update = |mut zone: HostedZone| {
        let attachments = Arc::make_mut(&mut zone.attachments);
        match attachments.query_logging.take_if(|config| config.id == id) {
            Some(_) => Ok(zone),
            None => Err(no_such_config(id)),
        }
    };
    context.update_zone(request, &zone.id.0, update).await?;
    Ok(request.response(|_| ()))
}

fn find(context: &Context, request: &Request) -> Result<(ZoneSummary, QueryLoggingConfig), ApiError> {
    let id = request.id("Id");
    let config = |zone: ZoneSummary| {
        let config = zone.attachments.query_logging.clone().filter(|config| config.id == id)?;
        Some((zone, config))
    };
    context.zones(request).into_iter().find_map(config).ok_or_else(|| no_such_config(id))
}

fn no_such_config(id: &str) -> ApiError {
    let message = format!("There is no query logging configuration with the id {id}.");
    ApiError::new(Code::NoSuchQueryLoggingConfig, message)
}

fn write(xml: &mut Writer, zone: &str, config: &QueryLoggingConfig) {
    xml.parent("QueryLoggingConfig", |xml| {
        xml.element("Id", &config.id);
        xml.element("HostedZoneId", zone);
        xml.element("CloudWatchLogsLogGroupArn", &config.log_group);
    });
}

/// `arn:aws:logs:us-east-1:000000000000:log-group:NAME`, also with `:*` at its end (API
/// CreateQueryLoggingConfig). Any partition and region will do.
fn is_log_group(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (start, partition, service, region, account) = (next(), next(), next(), next(), next());
    let is_word = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
    };
    let name = next().strip_prefix("log-group:").map(|name| name.strip_suffix(":*").unwrap_or(name));
    // CloudWatch Logs API, CreateLogGroup.
    let is_name = |name: &str| {
        let is_legal = |octet: u8| octet.is_ascii_alphanumeric() || b".-_/#".contains(&octet);
        (1..=512).contains(&name.len()) && name.bytes().all(is_legal)
    };
    start == "arn"
        && service == "logs"
        && is_word(partition)
        && is_word(region)
        && account.len() == 12
        && account.bytes().all(|octet| octet.is_ascii_digit())
        && name.is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::operation::Operation;
    use crate::api::operations::fixture::TestApi;
    use crate::api::xml::Element;

    const ARN: &str = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/route53/lab.test";

    fn create(api: &TestApi, zone: &str, arn: &str) -> Result<Element, ApiError> {
        let body =
            format!("<HostedZoneId>{zone}</HostedZoneId><CloudWatchLogsLogGroupArn>{arn}</CloudWatchLogsLogGroupArn>");
        api.call(Operation::CreateQueryLoggingConfig, &[], "", &body)
    }

    #[test]
    fn a_zone_has_one_configuration() {
        let api = TestApi::new();
        let zone = api.zone("lab.test");
        let created = create(&api, &zone, ARN).unwrap();
        let id = created.text_at("QueryLoggingConfig/Id").to_owned();
        assert_eq!(created.text_at("QueryLoggingConfig/HostedZoneId"), zone);
        assert_eq!(created.text_at("QueryLoggingConfig/CloudWatchLogsLogGroupArn"), ARN);
        assert_eq!(create(&api, &zone, ARN).unwrap_err().code(), Code::QueryLoggingConfigAlreadyExists);
        let read = api.call(Operation::GetQueryLoggingConfig, &[&id], "", "").unwrap();
        assert_eq!(read.at("QueryLoggingConfig"), created.at("QueryLoggingConfig"));
        assert!(api.call(Operation::DeleteQueryLoggingConfig, &[&id], "", "").is_ok());
        for operation in [Operation::GetQueryLoggingConfig, Operation::DeleteQueryLoggingConfig] {
            assert_eq!(api.call(operation, &[&id], "", "").unwrap_err().code(), Code::NoSuchQueryLoggingConfig);
        }
        assert!(create(&api, &zone, ARN).is_ok());
        let vpc = "<VPC><VPCRegion>eu-west-1</VPCRegion><VPCId>vpc-0123abcd</VPCId></VPC>";
        let private = api.zone_with("private.test", vpc);
        assert_eq!(create(&api, &private, ARN).unwrap_err().code(), Code::InvalidInput);
        assert_eq!(create(&api, "Z0", ARN).unwrap_err().code(), Code::NoSuchHostedZone);
    }

    #[test]
    fn only_arns_of_log_groups_are_accepted() {
        assert!(is_log_group(ARN) && is_log_group(&format!("{ARN}:*")));
        assert!(is_log_group("arn:aws-cn:logs:cn-north-1:000000000000:log-group:a"));
        for bad in [
            "",
            "lab",
            "arn:aws:logs:us-east-1:1111:log-group:a",
            "arn:aws:s3:us-east-1:111122223333:log-group:a",
            "arn:aws:logs::111122223333:log-group:a",
            "arn:aws:logs:us-east-1:111122223333:log-group:",
            "arn:aws:logs:us-east-1:111122223333:log-group:a b",
            "arn:aws:logs:us-east-1:111122223333:destination:a",
        ] {
            assert!(!is_log_group(bad), "{bad}");
        }
    }

    #[test]
    fn configurations_are_listed_in_pages_and_by_zone() {
        let api = TestApi::new();
        let zones: Vec<String> = (0..3).map(|at| api.zone(&format!("{at}.test"))).collect();
        zones.iter().for_each(|zone| drop(create(&api, zone, ARN).unwrap()));
        let page = |query: &str| api.call(Operation::ListQueryLoggingConfigs, &[], query, "");
        let first = page("maxresults=2").unwrap();
        assert_eq!(first.at("QueryLoggingConfigs").children().len(), 2);
        let rest = page(&format!("nexttoken={}", first.text_at("NextToken"))).unwrap();
        assert_eq!((rest.at("QueryLoggingConfigs").children().len(), rest.find("NextToken")), (1, None));
        let of_zone = page(&format!("hostedzoneid={}", zones[1])).unwrap();
        assert_eq!(of_zone.text_at("QueryLoggingConfigs/QueryLoggingConfig/HostedZoneId"), zones[1]);
        assert_eq!(page("hostedzoneid=Z0").unwrap_err().code(), Code::NoSuchHostedZone);
        assert_eq!(page("nexttoken=%20").unwrap_err().code(), Code::InvalidPaginationToken);
    }
}
