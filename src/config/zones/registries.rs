//! The definitions of all files, by name and id: registers them and finds what refers to them.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;

use super::super::diagnostic::{Diagnostic, Reference, Severity};
use super::super::document::Diagnostics;
use super::super::table::At;
use super::super::{id, words};
use super::ReferenceKind;
use super::alias_target::Draft as TargetDraft;
use super::definition::Defined;
use super::file::Draft;
use super::health_check::Draft as CheckDraft;
use crate::model::{
    AliasResources, CidrCollection, DelegationSet, HealthCheck, HealthCheckId, HealthCheckKind, TrafficPolicy,
};

/// The definitions that records can refer to.
#[derive(Debug, Default)]
pub(super) struct Registries {
    pub(super) checks: Registry,
    pub(super) collections: Registry,
    delegation_sets: Registry,
    traffic_policies: Registry,
    alias_targets: Registry,
}

/// The definitions by their names and ids.
#[derive(Debug, Default)]
pub(super) struct Registry {
    names: HashMap<String, RegistryEntry>,
    ids: HashMap<String, RegistryEntry>,
}

/// The definition that has a name or an id.
#[derive(Clone, Debug)]
pub(super) struct RegistryEntry {
    file: usize,
    span: Range<usize>,
    pub(super) id: String,
}

/// A position in one of the files.
#[derive(Clone)]
pub(super) struct SpanInFile {
    pub(super) file: usize,
    pub(super) span: Range<usize>,
}

impl Registry {
    pub(super) fn find(&self, name: &str) -> Option<&RegistryEntry> {
        self.names.get(name).or_else(|| self.ids.get(name))
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.names.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

impl Registries {
    pub(super) fn register_checks(
        &mut self,
        at: usize,
        checks: Vec<Defined<CheckDraft>>,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> Vec<CheckDraft> {
        let what = "health check";
        let registry = &mut self.checks;
        checks.into_iter().filter_map(|check| register(at, check, what, registry, diagnostics)).collect()
    }

    pub(super) fn register_collections(
        &mut self,
        at: usize,
        drafts: Vec<Defined<CidrCollection>>,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> Vec<CidrCollection> {
        let what = "CIDR collection";
        let registry = &mut self.collections;
        drafts.into_iter().filter_map(|draft| register(at, draft, what, registry, diagnostics)).collect()
    }

    pub(super) fn register_delegation_sets(
        &mut self,
        at: usize,
        drafts: Vec<Defined<DelegationSet>>,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> Vec<DelegationSet> {
        let what = "reusable delegation set";
        let registry = &mut self.delegation_sets;
        drafts.into_iter().filter_map(|draft| register(at, draft, what, registry, diagnostics)).collect()
    }

    pub(super) fn register_traffic_policies(
        &mut self,
        at: usize,
        drafts: Vec<Defined<TrafficPolicy>>,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> Vec<TrafficPolicy> {
        let registry = &mut self.traffic_policies;
        drafts.into_iter().filter_map(|draft| register(at, draft, "traffic policy", registry, diagnostics)).collect()
    }

    /// The resources that aliases can target, with their health checks. Only one of those with the
    /// same names and hosted zones would ever be found.
    pub(super) fn register_alias_targets(
        &mut self,
        drafts: Vec<(usize, Vec<Defined<TargetDraft>>)>,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> AliasResources {
        let (mut resources, mut seen) = (Vec::new(), HashMap::new());
        for (at, drafts) in drafts {
            for draft in drafts {
                let registry = &mut self.alias_targets;
                let Some(draft) = register(at, draft, "alias target", registry, diagnostics) else { continue };
                let TargetDraft { mut resource, target, health_check } = draft;
                let span = SpanInFile { file: at, span: target.span };
                let key = (resource.target.clone(), resource.hosted_zone_id.clone(), resource.service);
                if let Some(first) = seen.insert(key, span.clone()) {
                    let message = format!("two alias targets are for `{}`", resource.target.as_str());
                    refuse_second(&span, first, message, diagnostics);
                }
                if let Some(written) = &health_check {
                    let Some(id) = self.health_check(at, written, diagnostics) else { continue };
                    resource.record_sets.iter_mut().for_each(|set| set.health_check = Some(id.clone()));
                    resource.health_check = Some(id);
                }
                resources.push(resource);
            }
        }
        AliasResources::new(resources)
    }

    /// Resolves the children's names to ids. Returns only checks whose children are all valid.
    pub(super) fn resolve_children(
        &self,
        drafts: Vec<(usize, CheckDraft)>,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> Vec<HealthCheck> {
        let is_calculated = |draft: &CheckDraft| matches!(draft.check.kind, HealthCheckKind::Calculated(_));
        let calculated: HashSet<HealthCheckId> =
            drafts.iter().filter(|(_, draft)| is_calculated(draft)).map(|(_, draft)| draft.check.id.clone()).collect();
        let resolved = drafts.into_iter().filter_map(|(at, CheckDraft { mut check, children })| {
            if let HealthCheckKind::Calculated(parent) = &mut check.kind {
                parent.child_health_checks = self.children(at, &children, &calculated, diagnostics)?;
            }
            Some(check)
        });
        resolved.collect()
    }

    /// The ids of the children; `None` when one of them is an error.
    fn children(
        &self,
        at: usize,
        written: &[At<String>],
        calculated: &HashSet<HealthCheckId>,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> Option<Vec<HealthCheckId>> {
        let mut children = Vec::new();
        let mut is_faulty = false;
        for child in written {
            let Some(id) = self.health_check(at, child, diagnostics) else {
                is_faulty = true;
                continue;
            };
            let diagnostic = if calculated.contains(&id) {
                // Developer Guide, "Types of Amazon Route 53 health checks": children are of the
                // other types.
                Some(("a calculated health check cannot count another calculated one", "a calculated check"))
            } else if children.contains(&id) {
                Some(("a child is listed twice", "the second time"))
            } else {
                None
            };
            if let Some((message, label)) = diagnostic {
                diagnostics[at].error(child.span.clone(), message).label(label);
                is_faulty = true;
            }
            children.push(id);
        }
        (!is_faulty).then_some(children)
    }

    /// Whether every name and id of `before` means the same here.
    pub(super) fn extend(&self, before: &Registries) -> bool {
        let extends = |now: &Registry, before: &Registry| {
            let is_same =
                |(name, entry): (&String, &RegistryEntry)| now.find(name).is_some_and(|known| known.id == entry.id);
            before.names.iter().chain(&before.ids).all(is_same)
        };
        extends(&self.checks, &before.checks) && extends(&self.collections, &before.collections)
    }

    /// The id of the check that a record or a check refers to. `None` for an error.
    ///
    /// An id that no check has is that of a deleted check, which counts as healthy. Route 53 lets a
    /// check be deleted while records use it, and does not say what its status is then (API
    /// DeleteHealthCheck).
    pub(super) fn health_check(
        &self,
        at: usize,
        written: &At<String>,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> Option<HealthCheckId> {
        if let Some(entry) = self.checks.find(&written.value) {
            return Some(HealthCheckId(entry.id.clone()));
        }
        let reported = self.unknown(at, written, ReferenceKind::HealthCheck, diagnostics)?;
        (reported == Severity::Warning).then(|| HealthCheckId(written.value.clone()))
    }

    /// Reports a reference to a missing definition. `None` when it is not reported, because a
    /// broken file may have the definition; that is an error too.
    pub(super) fn unknown(
        &self,
        at: usize,
        written: &At<String>,
        kind: ReferenceKind,
        diagnostics: &mut [Diagnostics<'_>],
    ) -> Option<Severity> {
        let diagnostic = self.report_unknown(at, written, kind, diagnostics)?;
        if diagnostic.is_error() {
            diagnostic.wants(match kind {
                ReferenceKind::HealthCheck => Reference::HealthCheck(written.value.clone()),
                ReferenceKind::Collection => Reference::Collection(written.value.clone()),
            });
        }
        Some(diagnostic.severity)
    }

    /// Reports the references of records and checks that cannot be read. Such a reference does not
    /// keep a definition of another file in use.
    pub(super) fn report_unread(&self, drafts: &[Draft], diagnostics: &mut [Diagnostics<'_>]) {
        for (at, draft) in drafts.iter().enumerate() {
            for (kind, written) in &draft.unread_references {
                if self.registry(*kind).find(&written.value).is_none() {
                    self.report_unknown(at, written, *kind, diagnostics);
                }
            }
        }
    }

    fn registry(&self, kind: ReferenceKind) -> &Registry {
        match kind {
            ReferenceKind::HealthCheck => &self.checks,
            ReferenceKind::Collection => &self.collections,
        }
    }

    /// Reports a reference to a missing definition, unless a file with a syntax error may have it.
    fn report_unknown<'d>(
        &self,
        at: usize,
        written: &At<String>,
        kind: ReferenceKind,
        diagnostics: &'d mut [Diagnostics<'_>],
    ) -> Option<&'d mut Diagnostic> {
        if diagnostics.iter().any(|diagnostics| may_define(diagnostics, &written.value)) {
            return None;
        }
        if kind == ReferenceKind::HealthCheck && id::is_uuid(&written.value) {
            let message = format!("no health check has the id `{}`", written.value);
            let diagnostic = diagnostics[at].warning(written.span.clone(), message);
            return Some(diagnostic.label("counts as healthy").hint("remove the reference if the check was deleted"));
        }
        let (what, table) = match kind {
            ReferenceKind::HealthCheck => ("health check", "[[health_check]]"),
            ReferenceKind::Collection => ("CIDR collection", "[[cidr_collection]]"),
        };
        let nothing = format!("there is none; write a `{table}`");
        let hint = words::did_you_mean(&written.value, &self.registry(kind).names(), &nothing);
        let diagnostic = diagnostics[at].error(written.span.clone(), format!("unknown {what} `{}`", written.value));
        Some(diagnostic.label(format!("no `{table}` in any file has this name or id")).hint(hint))
    }
}

/// Registers a definition's name and id, which must be unique. Returns its value if it has no
/// errors.
fn register<T>(
    at: usize,
    defined: Defined<T>,
    what: &str,
    registry: &mut Registry,
    diagnostics: &mut [Diagnostics<'_>],
) -> Option<T> {
    let Defined { name, id, value } = defined;
    let entry = |span: &Range<usize>| RegistryEntry { file: at, span: span.clone(), id: id.value.clone() };
    let mut refuse = |first: RegistryEntry, span: Range<usize>, mut message: String| {
        if first.file != at {
            let (one, other) = (diagnostics[first.file].path().display(), diagnostics[at].path().display());
            let _ = write!(message, ", in `{one}` and `{other}`");
        }
        let first = SpanInFile { file: first.file, span: first.span };
        refuse_second(&SpanInFile { file: at, span }, first, message, diagnostics);
    };
    if let Some(first) = registry.names.get(&name.value).cloned() {
        refuse(first, name.span, format!("two {} are called `{}`", plural(what), name.value));
        return None;
    }
    if let Some(first) = registry.ids.get(&id.value).cloned() {
        refuse(first, id.span, format!("two {} have the id `{}`", plural(what), id.value));
        return None;
    }
    registry.names.insert(name.value.clone(), entry(&name.span));
    registry.ids.insert(id.value.clone(), entry(&id.span));
    value
}

/// `health checks`, `traffic policies`.
fn plural(what: &str) -> String {
    what.strip_suffix('y').map_or_else(|| format!("{what}s"), |stem| format!("{stem}ies"))
}

/// Reports the second of two definitions of which there can be only one.
pub(super) fn refuse_second(
    second: &SpanInFile,
    first: SpanInFile,
    message: String,
    diagnostics: &mut [Diagnostics<'_>],
) {
    let related = diagnostics[first.file].related_span(first.span, "the first one");
    diagnostics[second.file].error(second.span.clone(), message).label("the second one").related(related);
}

/// True when the file has a syntax error and the name occurs in it as a `name` or `id`: the
/// definition may be unreadable.
fn may_define(diagnostics: &Diagnostics<'_>, name: &str) -> bool {
    if !diagnostics.has_broken_syntax() {
        return false;
    }
    let text = diagnostics.text();
    let is_given = |at: usize| {
        let before = text[..at].trim_end_matches(['"', '\'', ' ', '\t']);
        before.strip_suffix('=').is_some_and(|key| key.trim_end().ends_with("name") || key.trim_end().ends_with("id"))
    };
    text.match_indices(name).any(|(at, _)| is_given(at))
}
