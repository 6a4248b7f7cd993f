//! Edits record sets of a file whose blocks are known, without reading all of it.
//!
//! The text outside of the edited blocks stays byte by byte, so it means what it meant. Each edited
//! block is read alone and must define the record set that was decided. The rules for a whole zone
//! are checked near the change ([`violations_near`]). Where a change could mean more than that,
//! there is no such edit, and the file is edited and read back as a whole.

use std::path::Path;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::blocks::{self, Block, Edited, Edits};
use super::{References, record, updated};
use crate::config::document;
use crate::config::tree::Entries;
use crate::config::zones::{SharedDefinitions, SourceOrigin, ZoneReading, default_addresses};
use crate::config::{Settings, SourceFile};
use crate::model::{HostedZone, Name, RecordSetKey, RecordType, ResourceRecordSet, violations_near};

/// Where the record sets of a zone are in the text of its file: the first one is in the first
/// block, and so on. Those after the last block are default ones, which the file leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordIndex(Vec<Span>);

/// A block. 32 bits are enough: files are smaller than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of(block: &Block) -> Option<Span> {
        Some(Span { start: u32::try_from(block.start).ok()?, end: u32::try_from(block.end).ok()? })
    }

    fn block(self) -> Block {
        self.start as usize..self.end as usize
    }
}

impl RecordIndex {
    /// `None` for a file that is edited as one document.
    fn of(root: &Entries<'_>, text: &str) -> Option<RecordIndex> {
        blocks::of_list(root, "record_group", text)?;
        blocks::of_list(root, "record", text)?.iter().map(Span::of).collect::<Option<_>>().map(RecordIndex)
    }
}

/// Reads a file as [`SharedDefinitions::zone`] does, with the positions of its record sets if they
/// can be edited alone.
pub fn zone_with_index(
    common: &SharedDefinitions,
    file: &SourceFile,
    settings: &Settings,
) -> Option<(ZoneReading, Option<RecordIndex>)> {
    let Some((root, diagnostics)) = document::parse_plain(file) else {
        return Some((common.zone(file, SourceOrigin::Current, settings)?, None));
    };
    let index = RecordIndex::of(&root, &file.text);
    Some((common.zone_of(root, diagnostics, SourceOrigin::Current, settings)?, index))
}

/// A zone file, and where its record sets are.
#[derive(Debug)]
pub struct IndexedFile<'f> {
    /// Its path.
    pub path: &'f Path,
    /// Its text.
    pub text: &'f str,
    /// The zone as it is read from the text, which gives no warning.
    pub zone: &'f HostedZone,
    /// Where its record sets are in the text.
    pub index: &'f RecordIndex,
    /// The definitions of all files.
    pub common: &'f SharedDefinitions,
    /// The settings in force.
    pub settings: &'f Settings,
}

/// An edited text, and what it defines.
#[derive(Debug)]
pub struct IndexedEdit {
    /// The text.
    pub text: String,
    /// The zone as it is read from the text, which gives no warning.
    pub zone: HostedZone,
    /// Where its record sets are in the text.
    pub index: RecordIndex,
}

impl IndexedFile<'_> {
    /// The text changed so that it defines the record sets of `after`, as
    /// [`edit_record_sets`](super::edit_record_sets) changes it. `None` if the file has to be
    /// edited and read as a whole: if other members, default records, delegations or groups
    /// with settings may change, or if anything were worth a diagnostic.
    pub fn edit(&self, after: &HostedZone, references: &References<'_>) -> Option<IndexedEdit> {
        // Which record sets a traffic policy instance allows depends on the whole zone.
        if !self.zone.policy_sets.is_empty() {
            return None;
        }
        let change = IndexedChange::between(self, after)?;
        // What is added would end the last line first, which may be that of a block.
        if !change.added.is_empty() && !self.text.ends_with('\n') {
            return None;
        }
        let (text, edited) = self.edits(&change, references)?.finish_with_spans();
        let are_disjoint = edited.windows(2).all(|pair| pair[0].old.end <= pair[1].old.start);
        let edit = are_disjoint.then(|| self.read_back(&change, text, &edited)).flatten()?;
        if default_addresses(&edit.zone, &self.settings.dns) != edit.zone.default_addresses {
            return None;
        }
        let touched: Vec<&ResourceRecordSet> = change.touched(self.zone).map(|set| &**set).collect();
        let limit = self.settings.dns.udp_payload_max;
        violations_near(&edit.zone, &touched, &self.common.cidr_collections, limit).is_empty().then_some(edit)
    }

    fn block(&self, at: usize) -> Block {
        self.index.0[at].block()
    }

    fn edits(&self, change: &IndexedChange<'_>, references: &References<'_>) -> Option<Edits<'_>> {
        let (mut edits, zone) = (Edits::of(self.text), &self.zone.name);
        for &at in &change.removed {
            let block = self.block(at);
            // The end of a string of several lines may look like a comment.
            let comment = &self.text[edits.with_comment(&block).start..block.start];
            if comment.contains("\"\"\"") || comment.contains("'''") {
                return None;
            }
            edits.remove(&block);
        }
        for (at, new) in &change.changed {
            let block = self.block(*at);
            let old = &self.zone.record_sets[*at];
            edits.replace(&block, updated(&self.text[block.clone()], old, new, zone, references).ok()?);
        }
        for (after, set) in &change.added {
            edits.add(Some(&self.block(*after)), &record::text(set, zone, references));
        }
        Some(edits)
    }

    /// What the edited text defines: the record sets in the order of the text, then the default
    /// ones.
    fn read_back(&self, change: &IndexedChange<'_>, text: String, edited: &[Edited]) -> Option<IndexedEdit> {
        let (written, defaults) = self.zone.record_sets.split_at(self.index.0.len());
        let count = written.len() + change.added.len();
        let (mut sets, mut spans) = (Vec::with_capacity(count + defaults.len()), Vec::with_capacity(count));
        let mut put = |read: Option<(Arc<ResourceRecordSet>, Span)>| {
            let (set, span) = read?;
            sets.push(set);
            spans.push(span);
            Some(())
        };
        let changed: HashMap<usize, &Arc<ResourceRecordSet>> = change.changed.iter().copied().collect();
        let mut added: Vec<_> = change.added.iter().collect();
        // Stable: what is added at one position keeps its order, also in the text.
        added.sort_by_key(|(after, _)| *after);
        let mut added = added.into_iter().zip(edited.iter().filter(|edit| edit.old.is_empty())).peekable();
        let mut removed = change.removed.iter().peekable();
        for (at, (set, span)) in written.iter().zip(&self.index.0).enumerate() {
            if removed.next_if(|removed| **removed == at).is_some() {
                // Nothing is left of it.
            } else if let Some(set) = changed.get(&at) {
                let edit = edited.iter().find(|edit| edit.old == span.block())?;
                put(self.read_block(set, &text, edit))?;
            } else {
                put(Some((Arc::clone(set), moved(*span, edited)?)))?;
            }
            while let Some(((_, set), edit)) = added.next_if(|((after, _), _)| *after == at) {
                put(self.read_block(set, &text, edit))?;
            }
        }
        sets.extend(defaults.iter().cloned());
        Some(IndexedEdit { text, zone: self.zone.with_record_sets(sets), index: RecordIndex(spans) })
    }

    /// Reads an edited block alone, which must define exactly this record set.
    fn read_block(
        &self,
        expected: &ResourceRecordSet,
        text: &str,
        edit: &Edited,
    ) -> Option<(Arc<ResourceRecordSet>, Span)> {
        let written = &text[edit.new.clone()];
        let (space, block) = written.split_at(written.find("[[")?);
        let ends_a_line = written.ends_with('\n') || edit.new.end == text.len();
        if !space.trim().is_empty() || !ends_a_line {
            return None;
        }
        let file = SourceFile::new(self.path, block);
        let (root, diagnostics) = document::parse_plain(&file)?;
        let span = match &blocks::of_list(&root, "record", block)?[..] {
            [span] if root.iter().count() == 1 => span.clone(),
            _ => return None,
        };
        let sets = self.common.records_of(&root, diagnostics, self.zone, self.settings)?;
        let [set] = <[ResourceRecordSet; 1]>::try_from(sets).ok()?;
        let start = edit.new.start + space.len();
        let span = Span::of(&(start + span.start..start + span.end))?;
        (set == *expected).then(|| (Arc::new(set), span))
    }
}

/// Where a block is that is not edited.
fn moved(span: Span, edited: &[Edited]) -> Option<Span> {
    let Block { start, end } = span.block();
    let Some(last) = edited.partition_point(|edit| edit.old.end <= start).checked_sub(1) else { return Some(span) };
    let Edited { old, new } = &edited[last];
    Span::of(&(start - old.end + new.end..end - old.end + new.end))
}

/// The written record sets that differ between two states of a zone, by their positions.
struct IndexedChange<'z> {
    /// In order.
    removed: Vec<usize>,
    changed: Vec<(usize, &'z Arc<ResourceRecordSet>)>,
    /// Each with the position of the one that it follows in the text.
    added: Vec<(usize, &'z Arc<ResourceRecordSet>)>,
}

impl<'z> IndexedChange<'z> {
    fn between(file: &IndexedFile<'z>, after: &'z HostedZone) -> Option<IndexedChange<'z>> {
        let (zone, written) = (file.zone, file.index.0.len());
        if !zone.has_same_members(after) {
            return None;
        }
        let (start, old, new) = zone.differing_sets(after);
        let mut positions: HashMap<RecordSetKey, usize> = old.iter().map(|set| set.key()).zip(start..).collect();
        let (mut changed, mut added) = (Vec::new(), Vec::new());
        for set in new {
            match positions.remove(&set.key()) {
                Some(at) if zone.record_sets[at] == *set => {}
                Some(at) => changed.push((at, set)),
                None => added.push(set),
            }
        }
        let mut removed: Vec<usize> = positions.into_values().collect();
        removed.sort_unstable();
        let are_written = removed.iter().chain(changed.iter().map(|(at, _)| at)).all(|at| *at < written);
        let added = follow(&zone.record_sets[..written.min(zone.record_sets.len())], &removed, added)?;
        let change = IndexedChange { removed, changed, added };
        (are_written && change.is_plain(zone)).then_some(change)
    }

    /// The sets that differ, as they were and as they are.
    fn touched(&self, zone: &'z HostedZone) -> impl Iterator<Item = &'z Arc<ResourceRecordSet>> {
        let old = self.removed.iter().chain(self.changed.iter().map(|(at, _)| at)).map(|at| &zone.record_sets[*at]);
        old.chain(self.changed.iter().chain(&self.added).map(|(_, set)| *set))
    }

    /// Whether no default record set, delegation or group with settings can depend on it.
    fn is_plain(&self, zone: &'z HostedZone) -> bool {
        let has_settings = |set: &ResourceRecordSet| {
            zone.record_groups.iter().any(|group| group.name == set.name && group.record_type == set.record_type)
        };
        let is_plain = |set: &ResourceRecordSet| {
            !matches!(set.record_type, RecordType::Soa | RecordType::Ns) && !has_settings(set)
        };
        self.touched(zone).all(|set| is_plain(set))
    }
}

/// The positions of the record sets that new ones follow: the last one of the same name, or else
/// the last one that stays. `None` if none stays.
fn follow<'z>(
    written: &[Arc<ResourceRecordSet>],
    removed: &[usize],
    added: Vec<&'z Arc<ResourceRecordSet>>,
) -> Option<Vec<(usize, &'z Arc<ResourceRecordSet>)>> {
    let stays = |at: &usize| removed.binary_search(at).is_err();
    let last = (0..written.len()).rev().find(stays)?;
    let names: HashSet<&Name> = added.iter().map(|set| &set.name).collect();
    let named = written.iter().zip(0..).filter(|(set, at)| names.contains(&set.name) && stays(at));
    let last_of_name: HashMap<&Name, usize> = named.map(|(set, at)| (&set.name, at)).collect();
    Some(added.into_iter().map(|set| (last_of_name.get(&set.name).copied().unwrap_or(last), set)).collect())
}
