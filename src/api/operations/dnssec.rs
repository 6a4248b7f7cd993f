//! The operations about DNSSEC. No zone is signed yet, so no zone has a key-signing key.

use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::xml::Members;
use crate::api::{constraints, lengths};
use crate::objects::ZoneSummary;

/// GetDNSSEC.
pub(super) fn get(context: &Context, request: &Request) -> Outcome {
    public_zone(context, request, request.id("Id"))?;
    Ok(request.response(|xml| {
        xml.parent("Status", |xml| xml.element("ServeSignature", "NOT_SIGNING"));
        xml.parent("KeySigningKeys", |_| ());
    }))
}

/// EnableHostedZoneDNSSEC: signing needs an active key.
pub(super) fn enable(context: &Context, request: &Request) -> Outcome {
    public_zone(context, request, request.id("Id"))?;
    let message = "The hosted zone has no key-signing key (KSK) with the status ACTIVE: fiftythree does not sign yet.";
    Err(ApiError::new(Code::KeySigningKeyWithActiveStatusNotFound, message))
}

/// DisableHostedZoneDNSSEC.
pub(super) fn disable(context: &Context, request: &Request) -> Outcome {
    public_zone(context, request, request.id("Id"))?;
    Err(ApiError::new(Code::DNSSECNotFound, "The hosted zone doesn't have any DNSSEC resources."))
}

/// CreateKeySigningKey: no key management service is behind this server, so it can use no ARN.
pub(super) fn create_key(context: &Context, request: &Request) -> Outcome {
    let names = ["CallerReference", "HostedZoneId", "KeyManagementServiceArn", "Name", "Status"];
    let members = Members::of(request.body()?, &names)?;
    members.required_sized_text("CallerReference", lengths::NONCE)?;
    let zone = constraints::required_resource_id(members, "HostedZoneId")?;
    let arn = members.required_text("KeyManagementServiceArn")?;
    let name = members.required_text("Name")?;
    members.required_choice("Status", &["ACTIVE", "INACTIVE"])?;
    public_zone(context, request, zone)?;
    let is_legal = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
    if !lengths::SIGNING_KEY_NAME.contains(&name.len()) || !name.bytes().all(is_legal) {
        let message = "The name of a key-signing key (KSK) has 3 to 128 letters, digits and underscores.";
        return Err(ApiError::new(Code::InvalidKeySigningKeyName, message));
    }
    let message = format!("The key {arn} can't be used: fiftythree does not sign yet.");
    Err(ApiError::new(Code::InvalidKMSArn, message))
}

/// ActivateKeySigningKey, DeactivateKeySigningKey and DeleteKeySigningKey. The model has no error
/// for a zone that does not exist: it has no such key either.
pub(super) fn of_key(request: &Request) -> Outcome {
    let (zone, name) = (request.id("HostedZoneId"), request.id("Name"));
    let message = format!("The hosted zone {zone} has no key-signing key (KSK) with the name {name}.");
    Err(ApiError::new(Code::NoSuchKeySigningKey, message))
}

/// Terraform's provider looks for the sentence about private zones.
fn public_zone(context: &Context, request: &Request, id: &str) -> Result<ZoneSummary, ApiError> {
    let zone = context.zone_summary(request, id)?;
    if zone.vpcs.is_empty() {
        return Ok(zone);
    }
    Err(ApiError::new(Code::InvalidArgument, "Operation is unsupported for private hosted zones."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::operation::Operation;
    use crate::api::operations::fixture::TestApi;

    fn key(zone: &str, name: &str) -> String {
        format!(
            "<CallerReference>r</CallerReference><HostedZoneId>{zone}</HostedZoneId><KeyManagementServiceArn>arn:aws:kms:\
             us-east-1:111122223333:key/1</KeyManagementServiceArn><Name>{name}</Name><Status>ACTIVE</Status>"
        )
    }

    #[test]
    fn a_zone_is_not_signed_and_has_no_keys() {
        let api = TestApi::new();
        let public = api.zone("lab.test");
        let vpc = "<VPC><VPCRegion>eu-west-1</VPCRegion><VPCId>vpc-0123abcd</VPCId></VPC>";
        let private = api.zone_with("private.test", vpc);
        let found = api.call(Operation::GetDNSSEC, &[&public], "", "").unwrap();
        assert_eq!(found.text_at("Status/ServeSignature"), "NOT_SIGNING");
        let code = |operation, ids: &[&str], body: &str| api.call(operation, ids, "", body).unwrap_err().code();
        for (operation, of_public) in [
            (Operation::EnableHostedZoneDNSSEC, Code::KeySigningKeyWithActiveStatusNotFound),
            (Operation::DisableHostedZoneDNSSEC, Code::DNSSECNotFound),
        ] {
            assert_eq!(code(operation, &[&public], ""), of_public);
            assert_eq!(code(operation, &[&private], ""), Code::InvalidArgument);
            assert_eq!(code(operation, &["Z0"], ""), Code::NoSuchHostedZone);
        }
        let create = |zone: &str, name: &str| code(Operation::CreateKeySigningKey, &[], &key(zone, name));
        assert_eq!(create(&public, "ksk_1"), Code::InvalidKMSArn);
        assert_eq!(create(&format!("/hostedzone/{public}"), "ksk_1"), Code::InvalidKMSArn);
        assert_eq!(create(&public, "k-1"), Code::InvalidKeySigningKeyName);
        assert_eq!(create(&private, "ksk_1"), Code::InvalidArgument);
        assert_eq!(create("Z0", "ksk_1"), Code::NoSuchHostedZone);
        assert_eq!(code(Operation::CreateKeySigningKey, &[], "<Name>ksk</Name>"), Code::InvalidInput);
        for operation in
            [Operation::ActivateKeySigningKey, Operation::DeactivateKeySigningKey, Operation::DeleteKeySigningKey]
        {
            assert_eq!(code(operation, &[&public, "ksk_1"], ""), Code::NoSuchKeySigningKey);
        }
    }
}
