//! The operations about health checks, without their status.

use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::health_check::{self, HealthCheckConfig, Update, free_name};
use crate::api::ids;
use crate::api::xml::Members;
use crate::model::{HealthCheck, HealthCheckId, Tags};
use crate::objects::{Change, Object, ObjectId};

/// API reference, ListHealthChecks.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;
/// API HealthCheckNonce.
const MAX_CALLER_REFERENCE_CHARACTERS: usize = 64;

/// The same request again gives the same check.
pub(super) async fn create(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["CallerReference", "HealthCheckConfig"])?;
    let reference = members.required_sized_text("CallerReference", 1..=MAX_CALLER_REFERENCE_CHARACTERS)?;
    let config = HealthCheckConfig::read(members.required_child("HealthCheckConfig")?)?.complete()?;
    config.check_strictly(context.strict)?;
    let check = match existing(context, reference, &config)? {
        Some(check) => check,
        None => match commit_new(context, request, reference, &config).await {
            // Somebody else used the reference at the same time.
            Err(error) if error.code() == Code::HealthCheckAlreadyExists => {
                existing(context, reference, &config)?.ok_or(error)?
            }
            check => check?,
        },
    };
    let url = request.url_of(&format!("healthcheck/{}", check.id.0));
    Ok(request.response(|xml| health_check::write(xml, &check)).at(url))
}

/// The check that was created with this reference, if it has this configuration (API
/// CreateHealthCheck, HealthCheckAlreadyExists).
fn existing(context: &Context, reference: &str, config: &HealthCheckConfig) -> Result<Option<HealthCheck>, ApiError> {
    let checks = context.objects.health_checks();
    match checks.iter().find(|check| check.caller_reference.as_deref() == Some(reference)) {
        None => Ok(None),
        Some(check) if HealthCheckConfig::of(check) == *config => Ok(Some(check.clone())),
        Some(_) => Err(ApiError::new(
            Code::HealthCheckAlreadyExists,
            "A different health check has already been created with the specified caller reference.",
        )),
    }
}

async fn commit_new(
    context: &Context,
    request: &Request,
    reference: &str,
    config: &HealthCheckConfig,
) -> Result<HealthCheck, ApiError> {
    let checks = context.objects.health_checks();
    let id = HealthCheckId(ids::uuid()?);
    let check = HealthCheck {
        // The caller reference is what people choose.
        name: free_name(reference, &id.0, &checks),
        id: id.clone(),
        caller_reference: Some(reference.to_owned()),
        version: 1,
        tags: Tags::new(),
        inverted: config.inverted(),
        disabled: config.disabled(),
        agreement: None,
        kind: config.kind(&checks)?,
    };
    let change = Change::Create(Object::HealthCheck(check.clone().into()));
    context.commit(request, ObjectId::HealthCheck(id), change).await?;
    Ok(check)
}

pub(super) fn get(context: &Context, request: &Request) -> Outcome {
    let check = context.health_check(request.id("HealthCheckId"))?;
    Ok(request.response(|xml| health_check::write(xml, &check)))
}

pub(super) fn count(context: &Context, request: &Request) -> Outcome {
    let count = context.objects.health_checks().len();
    Ok(request.response(|xml| xml.element("HealthCheckCount", count)))
}

/// In the order of ids, so that a page begins at the same place when the check named by the marker
/// is gone.
pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxitems", PAGE, LARGEST_PAGE)?;
    let marker = request.query("marker").unwrap_or_default();
    let checks = context.objects.health_checks();
    let mut rest: Vec<&HealthCheck> = checks.iter().filter(|check| *check.id.0 >= *marker).collect();
    rest.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    let next = rest.get(size.get()).map(|check| &check.id.0);
    Ok(request.response(|xml| {
        xml.parent("HealthChecks", |xml| {
            rest.iter().take(size.get()).for_each(|check| health_check::write(xml, check));
        });
        xml.element("Marker", marker);
        xml.element("IsTruncated", next.is_some());
        xml.optional("NextMarker", next);
        xml.element("MaxItems", size);
    }))
}

pub(super) async fn update(context: &Context, request: &Request) -> Outcome {
    let update = Update::read(request.body()?)?;
    update.check_strictly(context.strict)?;
    let change = |check| update.apply(check, &context.objects.health_checks());
    let check = context.update_health_check(request, request.id("HealthCheckId"), change).await?;
    Ok(request.response(|xml| health_check::write(xml, &check)))
}

/// Also while record sets use the check (API DeleteHealthCheck).
pub(super) async fn delete(context: &Context, request: &Request) -> Outcome {
    let id = ObjectId::HealthCheck(HealthCheckId(request.id("HealthCheckId").to_owned()));
    context.commit(request, id, Change::Delete).await?;
    Ok(request.response(|_| {}))
}

/// GetCheckerIpRanges: probes come from this server. It cannot know with which address they arrive
/// at an endpoint, so it lists none.
pub(super) fn checker_ip_ranges(request: &Request) -> Outcome {
    Ok(request.response(|xml| xml.parent("CheckerIpRanges", |_| ())))
}
