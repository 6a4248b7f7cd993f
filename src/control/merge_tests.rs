//! Any sequence of changes by programs and edits by hand ends in the zone that a naive merge gives,
//! and no comment is lost that belongs to no removed record set.

use std::collections::BTreeMap;
use std::time::Instant;

use super::engine_tests::FilesEngine;
use super::*;
use crate::model::{
    Change as RecordChange, ChangeAction, ChangeBatch, Content, HostedZone, Name, RecordData, RecordType,
    ResourceRecordSet, RoutingPolicy,
};
use crate::objects::{Author, Change, CommitError, Committed, Object, ObjectId, ObjectStore as _, Quotas, Revision};

/// How long sequences are tried, in seconds; each has its own seed, from 0 on.
const SECONDS: &str = "FIFTYTHREE_TEST_SECONDS";
const STEPS: usize = 24;
/// The names of record sets: few, so that changes and edits meet.
const NAMES: u32 = 6;
/// What breaks a file while it is in it.
const BROKEN: &str = "broken = [";

/// What the naive merge knows: the record sets, and the comments with the record set that each
/// belongs to.
#[derive(Clone, Default)]
struct Merge {
    sets: BTreeMap<String, (u32, u32)>,
    comment: Option<String>,
    comments: BTreeMap<usize, Option<String>>,
    next_comment: usize,
}

/// One sequence.
struct Sequence {
    random: fastrand::Rng,
    file: String,
    apex: String,
    id: ObjectId,
    merge: Merge,
    is_broken: bool,
}

/// The lines of a record set: from the comment right above it to its last member.
struct Block {
    name: String,
    start: usize,
    header: usize,
    end: usize,
}

#[tokio::test]
async fn changes_and_edits_by_hand_end_in_what_a_naive_merge_gives() {
    let seconds = std::env::var(SECONDS).map_or(2, |seconds| seconds.parse().unwrap());
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut engine = FilesEngine::start();
    for seed in 0.. {
        Sequence::begin(&mut engine, seed).await.run(&mut engine).await;
        if Instant::now() >= until {
            break;
        }
    }
}

impl Sequence {
    async fn begin(engine: &mut FilesEngine, seed: u64) -> Sequence {
        let mut merge = Merge::default();
        let apex = format!("z{seed}.test.");
        let file = format!("z{seed}.test.toml");
        let (first, second) = (merge.comment_of(None), merge.comment_of(None));
        engine.save(&file, &format!("{first}\n\nname = \"z{seed}.test\" {second}\n"));
        engine.reload().await;
        let zone = engine.objects.zones().into_iter().find(|zone| zone.name.to_string() == apex).unwrap();
        let id = ObjectId::HostedZone(zone.id);
        Sequence { random: fastrand::Rng::with_seed(seed), file, apex, id, merge, is_broken: false }
    }

    async fn run(mut self, engine: &mut FilesEngine) {
        for _ in 0..STEPS {
            match self.random.u32(..4) {
                0 | 1 => self.edit_by_hand(engine),
                _ => self.change(engine).await,
            }
        }
        self.repair(engine);
        engine.reload().await;
        let (_, object) = engine.objects.read(&self.id).await.unwrap();
        self.assert_merged(engine, &object);
    }

    fn assert_merged(&self, engine: &FilesEngine, object: &Object) {
        let text = engine.text(&self.file);
        let Object::HostedZone(zone) = object else { panic!("it is a zone") };
        assert_eq!((self.sets_of(zone), &zone.comment), (self.merge.sets.clone(), &self.merge.comment), "{text}");
        for number in self.merge.comments.keys() {
            let count = text.matches(&mark(*number)).count();
            assert_eq!(count, 1, "comment {number} of {} is {count} times in\n{text}", self.apex);
        }
    }

    /// The record sets besides the default ones.
    fn sets_of(&self, zone: &HostedZone) -> BTreeMap<String, (u32, u32)> {
        let own = zone.record_sets.iter().filter_map(|set| {
            let name = set.name.to_string().strip_suffix(&format!(".{}", self.apex))?.to_owned();
            let Content::Records { ttl, values } = &set.content else { return None };
            let octet = values[0].to_string().rsplit('.').next()?.parse().ok()?;
            name.starts_with('r').then_some((name, (*ttl, octet)))
        });
        own.collect()
    }

    // --- changes --------------------------------------------------------------------------------

    async fn change(&mut self, engine: &FilesEngine) {
        if self.random.u32(..8) == 0 {
            return self.change_comment(engine).await;
        }
        let mut merged = self.merge.clone();
        let (mut changes, mut is_valid) = (Vec::new(), true);
        let mut names: Vec<String> = (0..NAMES).map(|number| format!("r{number}")).collect();
        self.random.shuffle(&mut names);
        for name in names.into_iter().take(self.random.usize(1..4)) {
            let new = (60 + self.random.u32(..3), 1 + self.random.u32(..9));
            let (action, set) = match (self.random.u32(..8), merged.sets.get(&name).copied()) {
                (0..2, Some(old)) => (ChangeAction::Delete, old),
                (2, _) => (ChangeAction::Create, new),
                _ => (ChangeAction::Upsert, new),
            };
            is_valid &= action != ChangeAction::Create || !merged.sets.contains_key(&name);
            match action {
                ChangeAction::Delete => merged.remove(&name),
                _ => drop(merged.sets.insert(name.clone(), set)),
            }
            changes.push(RecordChange { action, record_set: self.record_set(&name, set) });
        }
        let batch = Change::RecordSets(ChangeBatch { comment: None, changes });
        match self.commit(engine, None, batch).await {
            Ok(committed) if is_valid && !self.is_broken => {
                self.merge = merged;
                self.assert_merged(engine, &committed.object.unwrap());
            }
            Err(CommitError::Refused(_)) if !is_valid && !self.is_broken => {}
            Err(CommitError::Unavailable(why)) if self.is_broken => {
                assert!(why.contains("has to be corrected first"), "{why}");
            }
            other => panic!("{other:?} in {}", engine.text(&self.file)),
        }
    }

    /// Changes the comment of the zone, with the revision that was read; an edit in between makes
    /// it a conflict.
    async fn change_comment(&mut self, engine: &FilesEngine) {
        if self.is_broken {
            return;
        }
        let (revision, object) = engine.objects.read(&self.id).await.unwrap();
        let Object::HostedZone(zone) = object else { panic!("it is a zone") };
        let is_current = self.sets_of(&zone) == self.merge.sets && zone.comment == self.merge.comment;
        let comment = Some(format!("comment {}", self.random.u32(..9)));
        let update =
            Change::Update(Object::HostedZone(Arc::new(HostedZone { comment: comment.clone(), ..(*zone).clone() })));
        match self.commit(engine, Some(revision), update).await {
            Ok(committed) if is_current => {
                self.merge.comment = comment;
                self.assert_merged(engine, &committed.object.unwrap());
            }
            // Only comments or blank lines may have been edited.
            Err(CommitError::Conflict) => {}
            other => panic!("{other:?} in {}", engine.text(&self.file)),
        }
    }

    async fn commit(
        &self,
        engine: &FilesEngine,
        expected: Option<Revision>,
        change: Change,
    ) -> Result<Committed, CommitError> {
        let author = Author { name: "a test".to_owned(), operation: "ATest".to_owned() };
        engine
            .objects
            .commit(Commit {
                id: self.id.clone(),
                expected,
                change,
                author,
                submission: None,
                quotas: Quotas::Unlimited,
            })
            .await
    }

    fn record_set(&self, name: &str, (ttl, octet): (u32, u32)) -> ResourceRecordSet {
        let value = RecordData::parse(RecordType::A, &format!("192.0.2.{octet}")).unwrap();
        ResourceRecordSet {
            name: Name::parse(&format!("{name}.{}", self.apex)).unwrap(),
            record_type: RecordType::A,
            set_identifier: None,
            routing_policy: RoutingPolicy::Simple,
            content: Content::Records { ttl, values: vec![value] },
            health_check: None,
        }
    }

    // --- edits ----------------------------------------------------------------------------------

    fn edit_by_hand(&mut self, engine: &FilesEngine) {
        let mut lines: Vec<String> = engine.text(&self.file).lines().map(str::to_owned).collect();
        for _ in 0..self.random.usize(1..4) {
            self.edit(&mut lines);
        }
        engine.save(&self.file, &(lines.join("\n") + "\n"));
    }

    fn edit(&mut self, lines: &mut Vec<String>) {
        let blocks = blocks(lines);
        let Some(block) = self.random.choice(&blocks) else { return self.add(lines) };
        match self.random.u32(..10) {
            0 => self.edit_values(lines, block),
            1 => self.edit_ttl(lines, block),
            2 => self.add(lines),
            3 => {
                lines.drain(block.start..block.end);
                self.merge.remove(&block.name);
            }
            4 => {
                let moved: Vec<String> = lines.drain(block.start..block.end).collect();
                let to = self.place(lines);
                insert(lines, to, moved);
            }
            5 => {
                let comment = self.merge.comment_of(Some(&block.name));
                lines.insert(block.header, comment);
            }
            6 => {
                let line = self.random.usize(block.header..block.end);
                let comment = self.merge.comment_of(Some(&block.name));
                lines[line] += &format!(" {comment}");
            }
            7 => {
                let (to, comment) = (self.place(lines), self.merge.comment_of(None));
                insert(lines, to, vec![comment]);
            }
            8 => lines.insert(block.start, String::new()),
            _ if self.is_broken => {
                lines.retain(|line| line != BROKEN);
                self.is_broken = false;
            }
            _ => {
                lines.push(BROKEN.to_owned());
                self.is_broken = true;
            }
        }
    }

    fn edit_values(&mut self, lines: &mut [String], block: &Block) {
        let octet = 1 + self.random.u32(..9);
        let line = lines[block.header..block.end].iter_mut().find(|line| line.starts_with("values")).unwrap();
        let rest = line.split_once(']').unwrap().1;
        *line = format!("values = ['192.0.2.{octet}']{rest}");
        self.merge.sets.get_mut(&block.name).unwrap().1 = octet;
    }

    fn edit_ttl(&mut self, lines: &mut [String], block: &Block) {
        let ttl = 60 + self.random.u32(..3);
        let line = lines[block.header..block.end].iter_mut().find(|line| line.starts_with("ttl")).unwrap();
        let rest = line.find('#').map(|at| line[at..].to_owned()).unwrap_or_default();
        *line = format!("ttl   = {ttl} {rest}");
        self.merge.sets.get_mut(&block.name).unwrap().0 = ttl;
    }

    /// Adds a record set that is not there.
    fn add(&mut self, lines: &mut Vec<String>) {
        let mut names = (0..NAMES).map(|number| format!("r{number}"));
        let Some(name) = names.find(|name| !self.merge.sets.contains_key(name)) else { return };
        let (ttl, octet) = (60 + self.random.u32(..3), 1 + self.random.u32(..9));
        let block = [
            self.merge.comment_of(Some(&name)),
            "[[record]]".to_owned(),
            format!("type = \"A\"\nname = \"{name}\""),
            format!("ttl = {ttl} {}", self.merge.comment_of(Some(&name))),
            format!("values = [\"192.0.2.{octet}\"]"),
        ];
        let to = self.place(lines);
        insert(lines, to, block.iter().flat_map(|lines| lines.lines()).map(str::to_owned).collect());
        self.merge.sets.insert(name, (ttl, octet));
    }

    /// A line where a block can be: before another one, or at the end.
    fn place(&mut self, lines: &[String]) -> usize {
        let end = lines.iter().position(|line| line == BROKEN).unwrap_or(lines.len());
        let places: Vec<usize> = blocks(lines).iter().map(|block| block.start).chain([end]).collect();
        *self.random.choice(&places).unwrap()
    }

    fn repair(&mut self, engine: &FilesEngine) {
        if std::mem::take(&mut self.is_broken) {
            engine.save(&self.file, &engine.text(&self.file).replace(BROKEN, ""));
        }
    }
}

impl Merge {
    /// A new comment, which belongs to a record set or to none.
    fn comment_of(&mut self, name: Option<&str>) -> String {
        let number = self.next_comment;
        self.next_comment += 1;
        self.comments.insert(number, name.map(str::to_owned));
        mark(number)
    }

    fn remove(&mut self, name: &str) {
        self.sets.remove(name);
        self.comments.retain(|_, of| of.as_deref() != Some(name));
    }
}

fn mark(number: usize) -> String {
    format!("# c{number};")
}

/// Inserts lines with blank lines around them.
fn insert(lines: &mut Vec<String>, at: usize, new: Vec<String>) {
    lines.splice(at..at, [String::new()].into_iter().chain(new).chain([String::new()]));
}

fn blocks(lines: &[String]) -> Vec<Block> {
    let headers = (0..lines.len()).filter(|at| lines[*at].starts_with("[[record]]"));
    let block = |header: usize| {
        let above = lines[..header].iter().rev().take_while(|line| line.starts_with('#')).count();
        let is_member = |line: &&String| line.contains(" = ") && **line != BROKEN;
        let end = header + 1 + lines[header + 1..].iter().take_while(is_member).count();
        let named = lines[header..end].iter().find_map(|line| line.strip_prefix("name = \"")).unwrap();
        Block { name: named.split('"').next().unwrap().to_owned(), start: header - above, header, end }
    };
    headers.map(block).collect()
}
