//! The AWS SDK for Rust: creates, lists, changes and deletes a zone, record sets and a health
//! check. After each step, `dig` asks the DNS port.

use std::error::Error;
use std::process::Command;

use aws_sdk_route53::Client;
use aws_sdk_route53::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, HealthCheckConfig, HealthCheckType, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, RrType,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let credentials =
        Credentials::new(variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?, None, None, "environment");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(variable("AWS_ENDPOINT_URL_ROUTE_53")?)
        .region(Region::new(variable("AWS_REGION")?))
        .credentials_provider(credentials)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let client = Client::from_conf(config.build());

    let created = client.create_hosted_zone().name("rust.test").caller_reference("rust").send().await?;
    assert!(created.location().contains("/2013-04-01/hostedzone/"), "{created:?}");
    let zone = created.hosted_zone().ok_or("no zone")?.id().to_owned();
    let check = HealthCheckConfig::builder().r#type(HealthCheckType::Tcp).ip_address("127.0.0.1").port(9);
    let check = client
        .create_health_check()
        .caller_reference("rust")
        .health_check_config(check.request_interval(10).failure_threshold(1).disabled(true).build()?)
        .send()
        .await?;
    let check = check.health_check().ok_or("no health check")?.id().to_owned();

    let www = |value: &str| set("www.rust.test.", value)?.build().map_err(Box::<dyn Error>::from);
    change(&client, &zone, ChangeAction::Create, www("192.0.2.1")?).await?;
    equal(&dig("www.rust.test")?, "192.0.2.1")?;
    change(&client, &zone, ChangeAction::Upsert, www("192.0.2.2")?).await?;
    equal(&dig("www.rust.test")?, "192.0.2.2")?;
    for (role, value) in [(ResourceRecordSetFailover::Primary, "192.0.2.3"), (ResourceRecordSetFailover::Secondary, "192.0.2.4")] {
        let check = (role == ResourceRecordSetFailover::Primary).then(|| check.clone());
        let one = set("failover.rust.test.", value)?.set_identifier(value).failover(role).set_health_check_id(check);
        change(&client, &zone, ChangeAction::Create, one.build()?).await?;
    }
    equal(&dig("failover.rust.test")?, "192.0.2.3")?;

    let mut pages = client.list_resource_record_sets().hosted_zone_id(&zone).max_items(2).send().await?;
    let mut sets = pages.resource_record_sets().to_vec();
    while pages.is_truncated() {
        let next = client.list_resource_record_sets().hosted_zone_id(&zone).max_items(2);
        let next = next.set_start_record_name(pages.next_record_name().map(str::to_owned));
        let next = next.set_start_record_type(pages.next_record_type().cloned());
        pages = next.set_start_record_identifier(pages.next_record_identifier().map(str::to_owned)).send().await?;
        sets.extend_from_slice(pages.resource_record_sets());
    }
    assert!(sets.contains(&www("192.0.2.2")?), "{sets:?}");
    let missing = client.get_hosted_zone().id("Z0NOBODYKNOWS").send().await.err().ok_or("there is such a zone")?;
    assert!(missing.into_service_error().is_no_such_hosted_zone());

    for set in sets.into_iter().filter(|set| ![RrType::Ns, RrType::Soa].contains(set.r#type())) {
        change(&client, &zone, ChangeAction::Delete, set).await?;
    }
    equal(&dig("www.rust.test")?, "")?;
    client.delete_health_check().health_check_id(check).send().await?;
    client.delete_hosted_zone().id(zone).send().await?;
    println!("all steps done");
    Ok(())
}

fn set(name: &str, value: &str) -> Outcome<aws_sdk_route53::types::builders::ResourceRecordSetBuilder> {
    let record = ResourceRecord::builder().value(value).build()?;
    Ok(ResourceRecordSet::builder().name(name).r#type(RrType::A).ttl(60).resource_records(record))
}

async fn change(client: &Client, zone: &str, action: ChangeAction, set: ResourceRecordSet) -> Outcome {
    let change = Change::builder().action(action).resource_record_set(set).build()?;
    let batch = ChangeBatch::builder().changes(change).build()?;
    client.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await?;
    Ok(())
}

/// The addresses of a name.
fn dig(name: &str) -> Outcome<String> {
    let server = std::env::var("FIFTYTHREE_DNS")?;
    let (host, port) = server.rsplit_once(':').ok_or("FIFTYTHREE_DNS has no port")?;
    let output = Command::new("dig").args([&format!("@{host}"), "-p", port, "+short", name, "A"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn equal(found: &str, expected: &str) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{found:?}, not {expected:?}").into()) }
}
