//! Overrides that the nodes of a cluster share: what a change makes of them, how they are written
//! down, and how this node takes them.
//!
//! All of them are one document, so that their order is the same everywhere: the one set last
//! applies. A change is decided on the document as it is, and decided again if another node was
//! faster. An override of this node from before it had a cluster has no origin; it is added to the
//! document before the others, unless that has one with its pattern.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::health::{Origin, Override, OverrideId, OverrideRequest, Overrides, Pattern, Timestamp};
use crate::history::OverrideLine;
use crate::visible_text::visible;

use super::announcement::Announcement;
use super::override_outcome::{Answer, OverrideError, OverrideOutcome, OverrideView};
use super::{Control, saved_state};

/// An override stays in the document for this long after its end, so that a node whose clock is
/// ahead does not end it on the others.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// A change to make in the document.
pub(crate) struct OverrideChange {
    /// What to change.
    pub(crate) requested: RequestedOverrides,
    /// When it was requested.
    pub(crate) at: Timestamp,
    /// Who waits for the outcome.
    pub(crate) answer: Option<Answer>,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestedOverrides {
    /// Set an override.
    Set(OverrideRequest),
    /// Clear those with this pattern.
    Clear(Pattern),
    /// Add those that this node had before.
    Adopt(Vec<Override>),
}

/// What a change did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangedOverrides {
    /// The override that was set, or those that were cleared or added.
    pub(crate) changed: Vec<Override>,
    /// The override that it replaced.
    pub(crate) replaced: Option<Override>,
}

/// The document for this node to take.
pub(crate) struct NewOverrides {
    /// The overrides; `None` if there is no document.
    pub(crate) overrides: Option<Overrides>,
    /// The change of this node that made them so, and who waits for it.
    pub(crate) answer: Option<(ChangedOverrides, Answer)>,
}

/// The document.
#[derive(Serialize, Deserialize)]
struct DocumentShape {
    /// The last id that was used.
    last: u64,
    overrides: Vec<OverrideLine>,
}

/// The text of the document.
pub(crate) fn write_overrides(overrides: &Overrides) -> Vec<u8> {
    let lines = overrides.all().iter().map(OverrideLine::from).collect();
    let shape = DocumentShape { last: overrides.last_id().0, overrides: lines };
    serde_json::to_vec(&shape).expect("overrides are strings and numbers")
}

/// Reads the text of the document.
pub(crate) fn read_overrides(text: &[u8]) -> Result<Overrides, String> {
    let DocumentShape { last, overrides: lines } = serde_json::from_slice(text)
        .map_err(|error| visible(&format!("the overrides in etcd cannot be read: {error}")))?;
    let mut overrides = Overrides::default();
    // Ids are not used again.
    overrides.remove(OverrideId(last));
    lines.into_iter().for_each(|line| overrides.put(shown(line.into())));
    Ok(overrides)
}

/// The same override with texts that can be shown: anyone who can write to etcd can write anything.
fn shown(known: Override) -> Override {
    let OverrideRequest { pattern: Pattern(pattern), reason, author, .. } = &known.request;
    let (pattern, reason, author) = (Pattern(visible(pattern)), visible(reason), visible(author));
    let origin = known.origin.map(|origin| Origin { node: visible(&origin.node), ..origin });
    Override { request: OverrideRequest { pattern, reason, author, ..known.request }, origin, ..known }
}

/// Makes a change. `None` if there is nothing to change.
pub(crate) fn decide_overrides(
    overrides: &mut Overrides,
    requested: &RequestedOverrides,
    node: &str,
    at: Timestamp,
) -> Result<Option<ChangedOverrides>, OverrideError> {
    overrides.expire(Timestamp(at.0.saturating_sub(CLOCKS_DIFFER)));
    let origin = Some(Origin { node: node.to_owned(), at });
    match requested {
        RequestedOverrides::Set(request) => {
            let (new, replaced) = overrides.set(request.clone(), at)?;
            let new = Override { origin, ..new };
            overrides.put(new.clone());
            let replaced = replaced.filter(|replaced| !replaced.is_over(at));
            Ok(Some(ChangedOverrides { changed: vec![new], replaced }))
        }
        RequestedOverrides::Clear(pattern) => {
            let mut changed = overrides.clear(pattern);
            changed.retain(|cleared| !cleared.is_over(at));
            if changed.is_empty() {
                return Err(OverrideError::unknown_override(pattern, overrides));
            }
            Ok(Some(ChangedOverrides { changed, replaced: None }))
        }
        RequestedOverrides::Adopt(former) => {
            let is_new = |former: &&Override| overrides.of(&former.request.pattern).is_none() && !former.is_over(at);
            // What etcd lost keeps its origin.
            let with_origin =
                |former: &Override| Override { origin: former.origin.clone().or(origin.clone()), ..former.clone() };
            let changed: Vec<Override> = former.iter().filter(is_new).take(overrides.room()).map(with_origin).collect();
            overrides.add_before(changed.clone());
            Ok((!changed.is_empty()).then_some(ChangedOverrides { changed, replaced: None }))
        }
    }
}

impl OverrideChange {
    /// Hands it over to what changes the document.
    pub(super) fn send(self, to: &mpsc::Sender<OverrideChange>) {
        match to.try_send(self) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(change)) => {
                change.refuse("too many changes of overrides wait; try again later");
            }
            Err(mpsc::error::TrySendError::Closed(change)) => change.refuse("the server is stopping"),
        }
    }

    /// The change is not made.
    pub(crate) fn refuse(self, why: &str) {
        self.answer_with(OverrideError::Unavailable(why.to_owned()));
    }

    /// The change is not made, for this reason.
    pub(crate) fn answer_with(self, error: OverrideError) {
        if let Some(answer) = self.answer {
            // A receiver that is gone does not need the answer.
            let _ = answer.send(Err(error));
        }
    }
}

/// What this node has after it took the document.
#[derive(Debug, PartialEq, Eq)]
struct Merged {
    overrides: Overrides,
    /// Those that the document does not have yet.
    missing: Vec<Override>,
}

/// What this node has after the document; `None` if there is none.
fn merge(before: &Overrides, document: Option<Overrides>, at: Timestamp) -> Merged {
    // It never had any, or has lost its data.
    let Some(mut document) = document else {
        return Merged { overrides: before.clone(), missing: before.all().to_vec() };
    };
    document.expire(at);
    let mut merged = Overrides::default();
    merged.remove(document.last_id());
    for new in document.all() {
        let known = before.of(&new.request.pattern).filter(|known| is_same(known, new));
        // One that began at once begins at once everywhere, also where the clock is behind.
        let begins = if is_at_once(new) { new.request.from.min(at) } else { new.request.from };
        let from = known.map_or(begins, |known| known.request.from);
        merged.put(Override { request: OverrideRequest { from, ..new.request.clone() }, ..new.clone() });
    }
    let is_missing =
        |known: &&Override| known.origin.is_none() && merged.of(&known.request.pattern).is_none() && !known.is_over(at);
    let missing: Vec<Override> = before.all().iter().filter(is_missing).cloned().collect();
    merged.add_before(missing.clone());
    Merged { overrides: merged, missing }
}

/// Whether an override is the one that this node has already, perhaps under another id and with a
/// beginning by the clock of this node.
fn is_same(known: &Override, new: &Override) -> bool {
    let from = known.request.from;
    (known.id == new.id || known.origin.is_none() || known.origin == new.origin)
        && known.request == OverrideRequest { from, ..new.request.clone() }
}

fn is_at_once(new: &Override) -> bool {
    new.origin.as_ref().is_some_and(|origin| new.request.from <= origin.at)
}

/// The lines of the saved state that make `after` of `before`.
fn lines_between(before: &Overrides, after: &Overrides) -> Vec<String> {
    let is_left = |known: &&Override| after.all().iter().any(|new| new.id == known.id);
    let gone: Vec<OverrideId> = before.all().iter().filter(|known| !is_left(known)).map(|known| known.id).collect();
    let mut lines = Vec::new();
    if !gone.is_empty() {
        lines.push(saved_state::cleared_line(&gone));
    }
    let left = before.all().iter().filter(is_left);
    let same = left.zip(after.all()).take_while(|(known, new)| known == new).count();
    // A line puts its override behind the others.
    lines.extend(after.all()[same..].iter().map(saved_state::override_line));
    lines
}

impl Control {
    /// Takes the overrides of the cluster, and answers who changed them on this node.
    pub(super) fn take_shared_overrides(&mut self, new: NewOverrides, at: Timestamp) {
        let before = Arc::clone(&self.overrides);
        let Merged { overrides, missing } = merge(&before, new.overrides, at);
        for line in lines_between(&before, &overrides) {
            self.outputs.state_writer.line(line);
        }
        for details in overrides.all() {
            if before.of(&details.request.pattern).is_none_or(|known| !is_same(known, details)) {
                self.unpublished.report(Announcement::OverrideSet(details.clone(), at));
            }
        }
        for details in before.all().iter().filter(|known| overrides.of(&known.request.pattern).is_none()) {
            self.unpublished.report(match details.is_over(at) {
                true => Announcement::OverrideEnded(details.clone(), at),
                false => Announcement::OverrideCleared(details.clone(), at),
            });
        }
        if *before != overrides {
            self.overrides = overrides.into();
            self.apply_overrides(at);
        }
        if let Some((ChangedOverrides { changed, replaced }, answer)) = new.answer {
            let changed = changed.iter().map(|details| OverrideView::of(details, &self.tracker, at)).collect();
            // What was handed over before is durable too.
            let (line, outcome) = (saved_state::cleared_line(&[]), OverrideOutcome::new(changed, replaced));
            self.unpublished.report(Announcement::Answer { line, outcome, answer });
        }
        if let Some(shared) = self.outputs.shared_overrides.as_ref().filter(|_| !missing.is_empty()) {
            OverrideChange { requested: RequestedOverrides::Adopt(missing), at, answer: None }.send(shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Action, Drain};

    fn at(second: u64) -> Timestamp {
        Timestamp(Duration::from_secs(second))
    }

    fn request(pattern: &str, action: Action, from: u64, until: Option<u64>) -> OverrideRequest {
        let (pattern, reason, author) = (Pattern(pattern.to_owned()), String::new(), "ada".to_owned());
        OverrideRequest { pattern, action, reason, author, from: at(from), until: until.map(at) }
    }

    fn set(document: &mut Overrides, pattern: &str, until: Option<u64>, node: &str, now: u64) -> ChangedOverrides {
        let requested = RequestedOverrides::Set(request(pattern, Action::Down, 0, until));
        decide_overrides(document, &requested, node, at(now)).unwrap().unwrap()
    }

    fn patterns(overrides: &Overrides) -> Vec<&str> {
        overrides.all().iter().map(|known| &*known.request.pattern.0).collect()
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let mut document = Overrides::default();
        set(&mut document, "a", None, "one", 10);
        let drain = Action::Drain(Drain::over(Duration::from_secs(30)));
        let later = RequestedOverrides::Set(request("b", drain, 100, Some(900)));
        decide_overrides(&mut document, &later, "two", at(11)).unwrap();
        set(&mut document, "c", None, "one", 12);
        decide_overrides(&mut document, &RequestedOverrides::Clear(Pattern("c".to_owned())), "two", at(13)).unwrap();
        let read = read_overrides(&write_overrides(&document)).unwrap();
        assert_eq!(read, document, "also the last id");
        assert_eq!(read.all()[1].origin, Some(Origin { node: "two".to_owned(), at: at(11) }));
        let bad = String::from_utf8(write_overrides(&document)).unwrap().replace("ada", "\\u001b[2J");
        let read = read_overrides(bad.as_bytes()).unwrap();
        assert!(read.all().iter().all(|known| known.request.author == "\u{fffd}[2J"), "{read:?}");
        assert!(read_overrides(b"{").unwrap_err().contains("the overrides in etcd cannot be read"));
    }

    #[test]
    fn what_0_1_wrote_is_read_also_with_more_in_it() {
        let keys: std::collections::BTreeMap<String, String> =
            serde_json::from_str(include_str!("../../tests/state/0.1-cluster.json")).unwrap();
        let written = &keys["/test/overrides"];
        let more = written.replace("{\"last\"", "{\"later\":[],\"last\"").replace("{\"id\"", "{\"later\":1,\"id\"");
        assert_ne!(*written, more);
        for text in [written, &more] {
            let read = read_overrides(text.as_bytes()).unwrap();
            let [known] = read.all() else { panic!("{read:?}") };
            assert_eq!((known.request.pattern.0.as_str(), read.last_id()), ("blue", OverrideId(2)));
            assert_eq!(known.request.action, Action::Drain(Drain::over(Duration::from_secs(30))));
            assert_eq!(known.origin.as_ref().unwrap().node, "one");
            assert_eq!(String::from_utf8(write_overrides(&read)).unwrap(), *written);
        }
    }

    #[test]
    fn changes_of_two_nodes_are_decided_one_after_the_other() {
        let mut document = Overrides::default();
        set(&mut document, "a", None, "one", 10);
        set(&mut document, "b", None, "two", 10);
        let again = set(&mut document, "a", None, "two", 11);
        assert_eq!((patterns(&document), again.replaced.unwrap().id), (vec!["b", "a"], OverrideId(1)));
        let missing = RequestedOverrides::Clear(Pattern("x*".to_owned()));
        let error = decide_overrides(&mut document, &missing, "one", at(12)).unwrap_err();
        assert!(matches!(error, OverrideError::UnknownOverride { patterns, .. } if patterns == ["b", "a"]));
        let all = RequestedOverrides::Clear(Pattern("*".to_owned()));
        assert_eq!(decide_overrides(&mut document, &all, "one", at(12)).unwrap().unwrap().changed.len(), 2);
        assert_eq!((document.all().len(), document.last_id()), (0, OverrideId(3)));
    }

    #[test]
    fn a_clock_that_is_ahead_ends_no_override_of_the_others() {
        let mut document = Overrides::default();
        set(&mut document, "a", Some(100), "one", 10);
        // This node is 30 s ahead, and sees it as over.
        set(&mut document, "b", None, "two", 110);
        assert_eq!(patterns(&document), ["a", "b"]);
        let clear = RequestedOverrides::Clear(Pattern("a".to_owned()));
        assert!(decide_overrides(&mut document.clone(), &clear, "two", at(111)).is_err(), "it is over here");
        assert!(set(&mut document.clone(), "a", None, "two", 111).replaced.is_none());
        set(&mut document, "c", None, "two", 161);
        assert_eq!(patterns(&document), ["b", "c"]);
    }

    #[test]
    fn a_clock_that_is_behind_delays_only_what_begins_later() {
        let mut document = Overrides::default();
        set(&mut document, "a", Some(900), "one", 100);
        let later = RequestedOverrides::Set(request("b", Action::Up, 120, None));
        decide_overrides(&mut document, &later, "one", at(100)).unwrap();
        let merged = merge(&Overrides::default(), Some(document.clone()), at(70)).overrides;
        let from: Vec<Timestamp> = merged.all().iter().map(|known| known.request.from).collect();
        assert_eq!(from, [at(70), at(120)]);
        assert_eq!(merged.all()[0].request.until, Some(at(900)));
        // Taken again, it is what it was.
        assert_eq!(merge(&merged, Some(document), at(80)), Merged { overrides: merged, missing: Vec::new() });
    }

    #[test]
    fn overrides_from_before_the_cluster_are_added_unless_it_has_their_pattern() {
        let mut before = Overrides::default();
        for pattern in ["mine", "both", "over"] {
            let until = (pattern == "over").then_some(20);
            before.set(request(pattern, Action::Up, 0, until), at(5)).unwrap();
        }
        let mut document = Overrides::default();
        set(&mut document, "both", None, "two", 10);
        let Merged { overrides, missing } = merge(&before, Some(document.clone()), at(30));
        assert_eq!(patterns(&overrides), ["mine", "both"], "what the cluster has counts");
        assert_eq!(overrides.of(&Pattern("both".to_owned())).unwrap().request.action, Action::Down);
        assert_eq!(missing, [before.all()[0].clone()]);
        let adopt = RequestedOverrides::Adopt(missing);
        decide_overrides(&mut document, &adopt, "one", at(30)).unwrap().unwrap();
        let Merged { overrides: after, missing } = merge(&overrides, Some(document.clone()), at(31));
        assert_eq!((patterns(&after), missing.len()), (vec!["mine", "both"], 0));
        assert_eq!(after.all()[0].origin.as_ref().unwrap().node, "one");
        assert_eq!(after.all()[0].request.from, at(5));
        assert_eq!(decide_overrides(&mut document, &adopt, "one", at(32)).unwrap(), None);
    }

    #[test]
    fn an_etcd_that_lost_the_document_gets_it_back() {
        let (mut before, mut document) = (Overrides::default(), Overrides::default());
        set(&mut document, "a", None, "two", 10);
        before = merge(&before, Some(document), at(10)).overrides;
        let Merged { overrides, missing } = merge(&before, None, at(20));
        assert_eq!(overrides, before);
        let mut document = Overrides::default();
        decide_overrides(&mut document, &RequestedOverrides::Adopt(missing), "one", at(20)).unwrap().unwrap();
        assert_eq!(document.all()[0].origin.as_ref().unwrap().node, "two");
        assert!(is_same(&before.all()[0], &document.all()[0]), "it is not reported again");
        // One that the document does not have any more is gone here too.
        assert_eq!(merge(&before, Some(Overrides::default()), at(30)).overrides, Overrides::default());
    }

    #[test]
    fn the_saved_state_follows() {
        let follow = |before: &Overrides, after: &Overrides| {
            let mut lines: Vec<String> = before.all().iter().map(saved_state::override_line).collect();
            lines.extend(lines_between(before, after));
            let saved = super::super::SavedState::read(lines.iter().map(String::as_str));
            assert_eq!(saved.overrides.all(), after.all());
        };
        let mut first = Overrides::default();
        for pattern in ["a", "b", "c"] {
            set(&mut first, pattern, None, "one", 10);
        }
        let mut second = first.clone();
        set(&mut second, "b", None, "two", 11);
        second.clear(&Pattern("a".to_owned()));
        let mut third = Overrides::default();
        set(&mut third, "c", Some(90), "one", 20);
        set(&mut third, "a", None, "one", 20);
        for before in [&first, &second, &third, &Overrides::default()] {
            for after in [&first, &second, &third, &Overrides::default()] {
                follow(before, after);
            }
        }
        assert!(lines_between(&second, &second).is_empty());
    }
}
