//! Which texts may be served: every file at its current text, except what a fault freezes at its last good one.
//!
//! All files start at their current texts. While anything is at fault, some files step down, each at most once:
//!
//! ```text
//!                 has a last good text          has none
//!   current  ──────────────────────▶ last good     current ────▶ left out   (at start: refuse instead)
//!   vanished ──────────────────────▶ last good     (what others still refer to)
//! ```
//!
//! So it ends, at the latest where every file is at its last good text; and it ends without faults or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::fault::{Fault, Wanted};
use super::zones::{Definitions, Reading, definitions};
use super::{Configuration, Settings, SourceFile, read_zones};

/// When texts are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The server starts: a broken file without a last good text makes it refuse.
    Start,
    /// The server runs: a broken new file is left out, since nobody has been served from it yet.
    Reload,
}

/// What may be served.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Free of errors.
    pub configuration: Configuration,
    /// The texts that it was read from: the new last good ones.
    pub sources: Vec<SourceFile>,
    /// Files that are served from their last good text, which is not their current one.
    pub frozen: Vec<PathBuf>,
    /// New files that are not served at all.
    pub left_out: Vec<PathBuf>,
    /// What is wrong or doubtful in the current texts.
    pub faults: Vec<Fault>,
}

/// Decides which texts are served; `Err` with every fault when there is no way to serve without errors.
///
/// A broken file keeps its last good text, and so do the files that refer to what it defines; everything else is served as
/// it stands. A file that has vanished is gone, unless others still refer to what it defined.
pub fn settle(
    current: &[SourceFile],
    last_good: &[SourceFile],
    settings: &Settings,
    occasion: Occasion,
) -> Result<Settled, Vec<Fault>> {
    let first = read_zones(current, settings);
    let mut settling = Settling::new(current, last_good, occasion, first.faults.clone());
    if first.is_sound() {
        return Ok(settling.finish(first));
    }
    let broken = erring_files(&first);
    settling.freeze_referrers(&broken);
    let mut reading = first;
    loop {
        settling.step_down(&reading).map_err(|Stuck| std::mem::take(&mut settling.faults))?;
        reading = read_zones(&settling.chosen(), settings);
        settling.note_new_faults(&reading);
        if reading.is_sound() {
            return Ok(settling.finish(reading));
        }
    }
}

/// No file can step down any more, or none may.
struct Stuck;

struct Settling<'s> {
    occasion: Occasion,
    files: BTreeMap<&'s Path, File<'s>>,
    faults: Vec<Fault>,
}

/// A file, in so far as it exists: at least one of the texts is there.
struct File<'s> {
    current: Option<&'s SourceFile>,
    last_good: Option<&'s SourceFile>,
    at: Step,
}

/// Where a file stands on its way down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Current,
    Down,
}

impl<'s> File<'s> {
    /// The text that is served, if any.
    fn chosen(&self) -> Option<&'s SourceFile> {
        match self.at {
            Step::Current => self.current,
            Step::Down => self.last_good,
        }
    }

    fn is_unchanged(&self) -> bool {
        matches!((self.current, self.last_good), (Some(current), Some(good)) if current.text == good.text)
    }

    /// True when a step down changes what is served.
    fn can_step_down(&self) -> bool {
        self.at == Step::Current && !self.is_unchanged()
    }

    fn is_new(&self) -> bool {
        self.last_good.is_none()
    }
}

impl<'s> Settling<'s> {
    fn new(current: &'s [SourceFile], last_good: &'s [SourceFile], occasion: Occasion, faults: Vec<Fault>) -> Self {
        let mut files: BTreeMap<&Path, File<'_>> = BTreeMap::new();
        for source in current {
            files.insert(&source.path, File { current: Some(source), last_good: None, at: Step::Current });
        }
        for source in last_good {
            let vanished = File { current: None, last_good: None, at: Step::Current };
            files.entry(&source.path).or_insert(vanished).last_good = Some(source);
        }
        Settling { occasion, files, faults }
    }

    fn chosen(&self) -> Vec<SourceFile> {
        self.files.values().filter_map(File::chosen).cloned().collect()
    }

    /// What refers to a broken file's definitions keeps its last good text together with it: the two were written for each
    /// other.
    fn freeze_referrers(&mut self, broken: &BTreeSet<PathBuf>) {
        let defined = self.definers(|path, file| {
            let is_frozen = broken.contains(path) && !file.is_new();
            if is_frozen { [file.current, file.last_good].into_iter().flatten().collect() } else { Vec::new() }
        });
        let mut frozen = Vec::new();
        for (path, file) in &mut self.files {
            if broken.contains(*path) || file.is_new() || !file.can_step_down() {
                continue;
            }
            let Some(current) = file.current else { continue };
            let Definitions { refers, .. } = definitions(current);
            let found = refers.into_iter().find_map(|(wanted, span)| Some((defined.get(&wanted)?, span)));
            let Some((definers, span)) = found else { continue };
            let definer = definers.iter().next().expect("a definition has a definer").display();
            file.at = Step::Down;
            let message = "this file keeps its last good version: it refers to what a broken file defines";
            let mut fault = Fault::warning(path, message).at(span);
            fault.label(format!("defined in `{definer}`")).hint(format!("mend `{definer}`"));
            frozen.push(fault);
        }
        self.faults.extend(frozen);
    }

    /// Lets files step down, for the errors of a reading of the chosen texts: at least one, or it is stuck.
    fn step_down(&mut self, reading: &Reading) -> Result<(), Stuck> {
        let erring = erring_files(reading);
        let movable = |files: BTreeSet<PathBuf>, settling: &Self| -> BTreeSet<PathBuf> {
            let can = |path: &PathBuf| settling.files.get(path.as_path()).is_some_and(File::can_step_down);
            files.into_iter().filter(can).collect()
        };
        let is_new = |path: &PathBuf| self.files.get(path.as_path()).is_none_or(File::is_new);
        // First those that go back to a good text: the others may be at fault only because of them.
        let (new, old): (BTreeSet<_>, BTreeSet<_>) = movable(erring, self).into_iter().partition(is_new);
        if !old.is_empty() {
            return self.move_down(&old);
        }
        // Then those that no longer define, or define again, what unchanged files rely on.
        let culprits = movable(self.culprits(reading), self);
        if !culprits.is_empty() {
            return self.move_down(&culprits);
        }
        if !new.is_empty() {
            return self.move_down(&new);
        }
        // Nobody knows who is to blame; all of the last good texts together were good.
        let rest = movable(self.files.keys().map(|path| path.to_path_buf()).collect(), self);
        if rest.is_empty() { Err(Stuck) } else { self.move_down(&rest) }
    }

    fn move_down(&mut self, paths: &BTreeSet<PathBuf>) -> Result<(), Stuck> {
        for path in paths {
            let Some(file) = self.files.get_mut(path.as_path()) else { continue };
            if file.is_new() && self.occasion == Occasion::Start {
                return Err(Stuck);
            }
            file.at = Step::Down;
        }
        Ok(())
    }

    /// Who else has to do with errors in files that cannot step down: the other side of a conflict, and who once defined
    /// what is now unknown.
    fn culprits(&self, reading: &Reading) -> BTreeSet<PathBuf> {
        let good = self.definers(|_, file| file.last_good.into_iter().collect());
        let mut culprits = BTreeSet::new();
        for fault in reading.faults.iter().filter(|fault| fault.is_error()) {
            culprits.extend(fault.related.iter().map(|place| place.path.clone()));
            let definers = fault.wants.as_ref().and_then(|wanted| good.get(wanted));
            culprits.extend(definers.into_iter().flatten().cloned());
        }
        culprits
    }

    /// Who defines what, in the texts that `texts` picks.
    fn definers(&self, texts: impl Fn(&Path, &File<'s>) -> Vec<&'s SourceFile>) -> BTreeMap<Wanted, BTreeSet<PathBuf>> {
        let mut definers: BTreeMap<Wanted, BTreeSet<PathBuf>> = BTreeMap::new();
        for (path, file) in &self.files {
            for source in texts(path, file) {
                for wanted in definitions(source).defines {
                    definers.entry(wanted).or_default().insert(path.to_path_buf());
                }
            }
        }
        definers
    }

    /// A current text may turn out to be at fault only beside the last good texts of others.
    fn note_new_faults(&mut self, reading: &Reading) {
        for fault in reading.faults.iter().filter(|fault| fault.is_error()) {
            let file = self.files.get(fault.path.as_path());
            let is_current = file.is_some_and(|file| file.at == Step::Current || file.is_unchanged());
            if is_current && !self.faults.contains(fault) {
                self.faults.push(fault.clone());
            }
        }
    }

    fn finish(self, reading: Reading) -> Settled {
        let paths = |keep: fn(&File<'_>) -> bool| -> Vec<PathBuf> {
            self.files.iter().filter(|(_, file)| keep(file)).map(|(path, _)| path.to_path_buf()).collect()
        };
        Settled {
            configuration: reading.configuration,
            sources: self.chosen(),
            frozen: paths(|file| file.at == Step::Down && !file.is_new()),
            left_out: paths(|file| file.at == Step::Down && file.is_new()),
            faults: self.faults,
        }
    }
}

fn erring_files(reading: &Reading) -> BTreeSet<PathBuf> {
    reading.faults.iter().filter(|fault| fault.is_error()).map(|fault| fault.path.clone()).collect()
}
