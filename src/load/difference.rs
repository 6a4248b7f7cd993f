//! What a change of objects changed, as the history keeps it: the record sets and members before
//! and after, as zone files have them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::background;
use crate::config::{self, DnsSettings, References, SourceFile, SourceOrigin};
use crate::history::{ObjectChange, Part, new_change_id};
use crate::model::{HostedZone, HostedZoneId, RecordGroup, RecordSetKey, ResourceRecordSet};
use crate::objects::{Author, Commit, Object, ObjectId, Submission, Transition};
use crate::store::SourceHash;

use super::loaded_file::LoadedFile;
use super::sources::FileInput;
use super::zone_files::{ZoneFiles, find};
use super::{LoadedConfig, Sources};

/// The most bytes of text of one change; further parts are only counted. The history keeps 64 MiB,
/// and one change must not replace all others.
const MOST_BYTES: usize = 4 << 20;
/// The most bytes of the texts that a load compares: comparing must not delay a large edit. Of what
/// is beyond, the history has only the reload.
const MOST_COMPARED: u64 = 8 << 20;
/// The most objects whose changes a load records one by one, for the same reason.
const MOST_OBJECTS: usize = 100;

/// What the texts of objects depend on besides the objects.
struct Context<'c> {
    references: References<'c>,
    dns: &'c DnsSettings,
}

impl Context<'_> {
    fn of(config: &LoadedConfig) -> Context<'_> {
        Context { references: References::to(&config.checks, config.cidr_collections()), dns: &config.settings.dns }
    }
}

/// Collects parts up to the limit.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    bytes: usize,
    more: usize,
}

impl Parts {
    /// A part, unless both texts are equal.
    fn add(&mut self, what: &str, before: Option<String>, after: Option<String>) {
        if before == after {
            return;
        }
        self.bytes += [&before, &after].into_iter().flatten().map(String::len).sum::<usize>();
        if self.bytes > MOST_BYTES && !self.parts.is_empty() {
            self.more += 1;
        } else {
            self.parts.push(Part { what: what.to_owned(), before, after });
        }
    }

    fn into_change(self, object: ObjectId, name: String, author: Author) -> ObjectChange {
        let Parts { parts, more, .. } = self;
        ObjectChange { author, object, name, submission: None, parts, more, caller_reference: None }
    }
}

/// What a commit changes.
pub(super) fn of_commit(base: &LoadedConfig, commit: &Commit, transition: &Transition) -> ObjectChange {
    let context = Context::of(base);
    let Transition { before, after } = transition;
    let mut parts = Parts::default();
    compare(&mut parts, (before.as_ref(), &context), (after.as_ref(), &context));
    let name = after.as_ref().or(before.as_ref()).map(Object::name).unwrap_or_default();
    let removed = before.as_ref().filter(|_| after.is_none());
    let change = parts.into_change(commit.id.clone(), name, commit.author.clone());
    ObjectChange {
        submission: commit.submission.clone().or_else(new_submission),
        caller_reference: removed.and_then(Object::caller_reference).cloned(),
        ..change
    }
}

/// The id by which a change can be undone, if the operation that makes it has none.
fn new_submission() -> Option<Submission> {
    Some(Submission { id: new_change_id(), comment: None })
}

/// The texts of an object, each with what it is: its members, and all record sets and groups.
pub(super) fn texts_of(object: &Object, references: &References<'_>) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    match object {
        Object::HostedZone(zone) => {
            texts.push((zone.name.to_string(), config::zone_members_text(zone)));
            record_texts(zone, &zone.record_sets, references, |what, text| texts.push((what, text)));
        }
        other => texts.push((other.name(), text_of(other, references))),
    }
    texts
}

/// The text of an object other than a zone, or of the members of a zone.
fn text_of(object: &Object, references: &References<'_>) -> String {
    match object {
        Object::HealthCheck(check) => config::health_check_text(check, references),
        Object::CidrCollection(collection) => config::cidr_collection_text(collection),
        Object::DelegationSet(set) => config::delegation_set_text(set),
        Object::TrafficPolicy(policy) => config::traffic_policy_text(policy),
        Object::AliasTarget(target) => config::alias_target_text(target, references),
        Object::HostedZone(zone) => config::zone_members_text(zone),
    }
}

/// What differs between two states of an object.
fn compare(
    parts: &mut Parts,
    (before, old_context): (Option<&Object>, &Context<'_>),
    (after, context): (Option<&Object>, &Context<'_>),
) {
    let (old_references, references) = (&old_context.references, &context.references);
    match (before, after) {
        (Some(Object::HostedZone(before)), Some(Object::HostedZone(after))) if before.name == after.name => {
            compare_zones(parts, (before, old_references), (after, references));
        }
        (Some(Object::HostedZone(_)), _) | (_, Some(Object::HostedZone(_))) => {
            // All record sets of a zone have other names when the zone has another name.
            if let Some(Object::HostedZone(zone)) = before {
                one_zone(zone, old_context, |what, text| parts.add(what, Some(text), None));
            }
            if let Some(Object::HostedZone(zone)) = after {
                one_zone(zone, context, |what, text| parts.add(what, None, Some(text)));
            }
        }
        (before, after) => {
            let name = after.or(before).map(Object::name).unwrap_or_default();
            let new = match (before, after) {
                (Some(Object::HealthCheck(before)), Some(Object::HealthCheck(after))) => {
                    Some(config::changed_health_check_text((before, old_references), (after, references)))
                }
                (_, after) => after.map(|one| text_of(one, references)),
            };
            parts.add(&name, before.map(|one| text_of(one, old_references)), new);
        }
    }
}

/// The record sets and members that differ between two states of a zone.
fn compare_zones(
    parts: &mut Parts,
    (before, old_references): (&HostedZone, &References<'_>),
    (after, references): (&HostedZone, &References<'_>),
) {
    let name = after.name.to_string();
    parts.add(&name, Some(config::zone_members_text(before)), Some(config::zone_members_text(after)));
    let old_text = |set: &ResourceRecordSet| Some(config::record_set_text(set, &before.name, old_references));
    let new_text = |set: &ResourceRecordSet| Some(config::record_set_text(set, &after.name, references));
    let (_, old_sets, new_sets) = before.differing_sets(after);
    let mut old: HashMap<RecordSetKey, &ResourceRecordSet> = old_sets.iter().map(|set| (set.key(), &**set)).collect();
    let (mut changed, mut added) = (Vec::new(), Vec::new());
    for set in background::yielding(new_sets).map(|set| &**set) {
        match old.remove(&set.key()) {
            Some(old) if old == set => {}
            Some(old) => changed.push((old, set)),
            None => added.push(set),
        }
    }
    // What was removed comes first: it is what somebody may look for.
    let removed = old_sets.iter().filter(|set| old.contains_key(&set.key()));
    removed.for_each(|set| parts.add(&named(set), old_text(set), None));
    changed.into_iter().for_each(|(old, new)| parts.add(&named(new), old_text(old), new_text(new)));
    added.into_iter().for_each(|set| parts.add(&named(set), None, new_text(set)));
    compare_groups(parts, before, after);
}

fn compare_groups(parts: &mut Parts, before: &HostedZone, after: &HostedZone) {
    let of = |zone: &HostedZone, wanted: &RecordGroup| {
        let is_it = |group: &&RecordGroup| group.name == wanted.name && group.record_type == wanted.record_type;
        zone.record_groups.iter().find(is_it).map(|group| config::record_group_text(group, &zone.name))
    };
    let named = |group: &RecordGroup| format!("{} {} record_group", group.name, group.record_type.as_str());
    for group in &before.record_groups {
        parts.add(&named(group), of(before, group), of(after, group));
    }
    for group in after.record_groups.iter().filter(|group| of(before, group).is_none()) {
        parts.add(&named(group), None, of(after, group));
    }
}

/// A zone that is new or gone, without the record sets that the settings give it.
fn one_zone(zone: &HostedZone, context: &Context<'_>, mut add: impl FnMut(&str, String)) {
    add(&zone.name.to_string(), config::zone_members_text(zone));
    let sets = config::written_sets(zone, context.dns);
    record_texts(zone, sets, &context.references, |what, text| add(&what, text));
}

/// The texts of these record sets and of all groups.
fn record_texts<'z>(
    zone: &'z HostedZone,
    sets: impl IntoIterator<Item = &'z Arc<ResourceRecordSet>>,
    references: &References<'_>,
    mut add: impl FnMut(String, String),
) {
    for set in sets {
        add(named(set), config::record_set_text(set, &zone.name, references));
    }
    for group in &zone.record_groups {
        let what = format!("{} {} record_group", group.name, group.record_type.as_str());
        add(what, config::record_group_text(group, &zone.name));
    }
}

/// For example `app.lab.test. A blue`.
fn named(set: &ResourceRecordSet) -> String {
    let identifier = set.set_identifier.as_ref().map(|identifier| format!(" {identifier}")).unwrap_or_default();
    format!("{} {}{identifier}", set.name, set.record_type.as_str())
}

impl LoadedConfig {
    /// The served sources of the zones that these texts change or leave out, as far as they are not
    /// too many or too large.
    pub(super) fn sources_before(&self, texts: &ZoneFiles) -> Vec<SourceFile> {
        let is_unchanged = |file: &LoadedFile| match find(texts, &file.path) {
            Some(FileInput::Read(source, _)) => SourceHash::of(&source.text) == file.source_hash,
            Some(FileInput::Before(_)) => true,
            None => false,
        };
        let mut bytes = 0;
        let is_small = |file: &&Arc<LoadedFile>| {
            bytes += file.bytes;
            bytes <= MOST_COMPARED
        };
        let changed = self.files.iter().filter(|file| file.zone.is_some() && !is_unchanged(file));
        changed.take(MOST_OBJECTS).filter(is_small).filter_map(|file| self.source_of(file).ok()).collect()
    }

    /// The files of the zones whose ids are new, as far as they are not too many or too large.
    fn added_since(&self, before: &LoadedConfig) -> Vec<&Arc<LoadedFile>> {
        let is_same = |file: &&Arc<LoadedFile>| before.file(&file.path).is_some_and(|known| Arc::ptr_eq(known, file));
        let changed: Vec<_> = self.files.iter().filter(|file| file.id().is_some() && !is_same(file)).collect();
        if changed.is_empty() {
            return Vec::new();
        }
        let known: HashSet<&HostedZoneId> = before.files.iter().filter_map(|file| file.id()).collect();
        let is_new =
            |file: &&Arc<LoadedFile>| file.id().is_some_and(|id| !known.contains(id)) && !file.is_unavailable();
        let mut bytes = 0;
        let is_small = |file: &&Arc<LoadedFile>| {
            bytes += file.bytes;
            bytes <= MOST_COMPARED
        };
        changed.into_iter().filter(is_new).take(MOST_OBJECTS).filter(is_small).collect()
    }

    /// The zone of a source that is or was served. It is not kept in memory.
    fn zone_of(&self, source: &SourceFile) -> Option<Object> {
        let file = self.file(&source.path).filter(|file| file.source_hash == SourceHash::of(&source.text));
        let known = file.and_then(|file| self.known_model(file)).map(|model| model.zone);
        let read = || self.common.zone(source, SourceOrigin::LastGood, &self.settings)?.zone;
        known.or_else(read).map(Object::HostedZone)
    }

    /// All objects that are not zones.
    fn definitions(&self) -> BTreeMap<ObjectId, Object> {
        let checks = self.checks.iter().map(|check| Object::HealthCheck(Arc::new(check.clone())));
        let collections = self.cidr_collections().iter();
        let collections = collections.map(|collection| Object::CidrCollection(Arc::new(collection.clone())));
        let sets = self.delegation_sets().iter().map(|set| Object::DelegationSet(Arc::new(set.clone())));
        let policies = self.traffic_policies().iter();
        let policies = policies.map(|policy| Object::TrafficPolicy(Arc::new(policy.clone())));
        let targets = self.alias_targets().map(|target| Object::AliasTarget(Arc::new(target.clone())));
        checks
            .chain(collections)
            .chain(sets)
            .chain(policies)
            .chain(targets)
            .map(|object| (object.id(), object))
            .collect()
    }
}

/// What edits of files changed. `texts` are those before, as far as they are compared; `sources`
/// may know who edited them.
pub(super) fn of_load(
    before: &LoadedConfig,
    after: &LoadedConfig,
    texts: &[SourceFile],
    sources: &dyn Sources,
) -> Vec<Arc<ObjectChange>> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut authors = HashMap::new();
    let mut added = after.added_since(before);
    for (text, old) in background::yielding(texts).filter_map(|text| Some((text, before.zone_of(text)?))) {
        let id = old.id();
        let mut files = after.files.iter();
        let same = files.find(|file| file.id().is_some_and(|known| ObjectId::HostedZone(known.clone()) == id));
        // A zone of another name has another id, unless the file states it; so has one with other
        // VPCs.
        let file = same.or_else(|| Some(added.swap_remove(added.iter().position(|file| file.path == text.path)?)));
        let new = file.and_then(|file| after.zone_of(&after.source_of(file).ok()?));
        let id = new.as_ref().map_or(id, Object::id);
        authors.extend(sources.author(&text.path).map(|author| (id, author)));
        pairs.push((Some(old), new));
    }
    for file in background::yielding(added) {
        let Some(new) = after.source_of(file).ok().and_then(|text| after.zone_of(&text)) else { continue };
        authors.extend(sources.author(&file.path).map(|author| (new.id(), author)));
        pairs.push((None, Some(new)));
    }
    pairs.extend(definition_pairs(before, after));
    let changes = changes(before, after, pairs, |id| authors.get(id).cloned());
    // So that it can be undone.
    let with_id = |change| Arc::new(ObjectChange { submission: new_submission(), ..change });
    changes.into_iter().take(MOST_OBJECTS).map(with_id).collect()
}

/// What differs between two configurations, object by object.
pub(crate) fn differences(before: &LoadedConfig, after: &LoadedConfig) -> Vec<ObjectChange> {
    let zones = |config: &LoadedConfig| -> BTreeMap<ObjectId, Object> {
        let zones = config.zone_models().filter_map(Result::ok).map(Object::HostedZone);
        zones.map(|zone| (zone.id(), zone)).collect()
    };
    let (old, mut new) = (zones(before), zones(after));
    let mut pairs: Vec<_> = old.into_iter().map(|(id, old)| (Some(old), new.remove(&id))).collect();
    pairs.extend(new.into_values().map(|zone| (None, Some(zone))));
    pairs.extend(definition_pairs(before, after));
    changes(before, after, pairs, |_| None)
}

/// An object before and after.
type Pair = (Option<Object>, Option<Object>);

/// The health checks, CIDR collections, delegation sets, traffic policies and alias targets of two
/// configurations, if any of them differs.
fn definition_pairs(before: &LoadedConfig, after: &LoadedConfig) -> Vec<Pair> {
    if before.checks == after.checks
        && before.cidr_collections() == after.cidr_collections()
        && before.delegation_sets() == after.delegation_sets()
        && before.traffic_policies() == after.traffic_policies()
        && before.alias_targets().eq(after.alias_targets())
    {
        return Vec::new();
    }
    let (old, mut new) = (before.definitions(), after.definitions());
    let mut pairs: Vec<Pair> = old.into_iter().map(|(id, object)| (Some(object), new.remove(&id))).collect();
    pairs.extend(new.into_values().map(|object| (None, Some(object))));
    pairs
}

/// What differs in these objects.
fn changes(
    before: &LoadedConfig,
    after: &LoadedConfig,
    pairs: Vec<Pair>,
    author_of: impl Fn(&ObjectId) -> Option<Author>,
) -> Vec<ObjectChange> {
    let (old_context, context) = (Context::of(before), Context::of(after));
    let change = |(old, new): Pair| {
        let mut parts = Parts::default();
        compare(&mut parts, (old.as_ref(), &old_context), (new.as_ref(), &context));
        let object = new.as_ref().or(old.as_ref()).filter(|_| !parts.parts.is_empty())?;
        let edit = || Author { name: "an edit of the file".to_owned(), operation: "Edit".to_owned() };
        let author = author_of(&object.id()).unwrap_or_else(edit);
        Some(parts.into_change(object.id(), object.name(), author))
    };
    pairs.into_iter().filter(|(old, new)| old != new).filter_map(change).collect()
}
