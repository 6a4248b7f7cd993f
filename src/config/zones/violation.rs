//! Reports violations of the model's rules at the tables that break them.

use std::borrow::Cow;
use std::ops::Range;

use super::super::diagnostic::{Diagnostic, Severity};
use super::super::document::Diagnostics;
use super::SourceOrigin;
use super::record::Spans;
use crate::model::{self, Content, Field, HostedZone, RecordType, ResourceRecordSet, Violation};

/// What diagnostics need about a record.
pub(super) struct Written {
    pub(super) spans: Spans,
    pub(super) is_faulty: bool,
}

/// Makes an alias without a target a warning. Route 53 does not create such an alias, but allows
/// the target to be deleted later. The alias then answers NODATA and counts as unhealthy.
pub(super) fn warn_of_missing_target(mut violation: Violation, zone: &HostedZone) -> Violation {
    let set = &zone.record_sets[violation.record_set];
    let Content::Alias(alias) = &set.content else { return violation };
    if violation.field != Field::Alias || violation.severity != model::Severity::Error {
        return violation;
    }
    let is_target = |other: &ResourceRecordSet| other.name == alias.name && other.record_type == set.record_type;
    let is_refusable = set.record_type != RecordType::Ns && set.record_type != RecordType::Soa;
    let is_dangling = alias.hosted_zone.is_none()
        && alias.name.is_within(&zone.name)
        && is_refusable
        && !zone.record_sets.iter().any(|set| is_target(set));
    if is_dangling {
        violation.severity = model::Severity::Warning;
        violation.message =
            format!("the zone has no {} of type {} for the alias to target", alias.name, set.record_type);
        let hint = "the alias answers with no records and counts as unhealthy";
        violation.hint = Some(violation.hint.map_or(hint.to_owned(), |known| format!("{known}; until then {hint}")));
    }
    violation
}

/// The position of a violation in the file; `None` when it is not reported, for example because the
/// record already has errors.
pub(super) fn span_of(
    violation: &Violation,
    records: &[Written],
    zone_name: &Range<usize>,
    is_incomplete: bool,
) -> Option<Range<usize>> {
    let record = records.get(violation.record_set);
    if record.is_some_and(|record| record.is_faulty) {
        return None;
    }
    // What seems to be missing may be unreadable. Only warnings are about missing records.
    if is_incomplete && violation.severity == model::Severity::Warning {
        return None;
    }
    Some(record.map_or(zone_name.clone(), |record| record.spans.get(violation.field)))
}

/// Reports a violation. In a text that was served before, violations of newer rules are warnings.
pub(super) fn report<'d>(
    violation: Violation,
    span: Range<usize>,
    origin: SourceOrigin,
    diagnostics: &'d mut Diagnostics<'_>,
) -> &'d mut Diagnostic {
    let severity = match (violation.severity, origin) {
        (model::Severity::Error, _) | (model::Severity::NewError, SourceOrigin::Current) => Severity::Error,
        (model::Severity::Warning, _) | (model::Severity::NewError, SourceOrigin::LastGood) => Severity::Warning,
    };
    let diagnostic = diagnostics.note(severity, span, violation.message.into());
    diagnostic.is_newly_refused = violation.severity == model::Severity::NewError;
    diagnostic.hint = violation.hint.map(Cow::Owned);
    diagnostic
}
