//! Which texts may be served: every file at its current text, except what a fault freezes at its last good one.
//!
//! All files start at their current texts. While anything is at fault, some files step down:
//!
//! ```text
//!                   has a last good text              has none
//!   current   ──────────────────────▶ last good     current ────▶ nothing
//!   vanished  ──────────────────────▶ last good
//!   last good ──────────────────────▶ nothing        (only at the start, where the copy itself may be damaged)
//! ```
//!
//! A file at nothing is left out when it was never served; at the start that refuses everything. One that was served before
//! is unavailable: its zone is known and must not be answered by anything else. So it ends, at the latest where no file has
//! a text; and it ends without faults or not at all.
//!
//! A last good text is read by the rules that held when it became one ([`TextOrigin`]). So a file that has not changed steps
//! down too, where only a rule that is newer than its copy finds fault with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Reference};
use super::zones::{Definitions, Reading, TextOrigin, definitions, read_texts};
use super::{Configuration, Settings, SourceFile, read_zones};
use crate::model::ZoneIdentity;

/// When texts are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPhase {
    /// The server starts: a broken file that was never served makes it refuse.
    Start,
    /// The server runs: a broken new file is left out, since nobody has been served from it yet.
    Reload,
}

/// A file that was served before, and the zone that it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedFile {
    /// The file.
    pub path: PathBuf,
    /// `None` when it held none, or nobody knows.
    pub zone: Option<ZoneIdentity>,
}

/// What texts there are to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'s> {
    /// Those in the files.
    pub current: &'s [SourceFile],
    /// Those that were good.
    pub last_good: &'s [SourceFile],
    /// The files that are there, were served before, and may have neither.
    pub served: &'s [ServedFile],
}

/// What may be served.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedSources {
    /// Free of errors.
    pub configuration: Configuration,
    /// The texts that it was read from: the new last good ones.
    pub sources: Vec<SourceFile>,
    /// Files that are served from their last good text, which is not their current one.
    pub frozen: Vec<PathBuf>,
    /// New files that are not served at all.
    pub left_out: Vec<PathBuf>,
    /// Files that were served before and have no usable text.
    pub unavailable: Vec<ServedFile>,
    /// What is wrong or doubtful in the current texts.
    pub diagnostics: Vec<Diagnostic>,
}

/// Decides which texts are served; `Err` with every fault when there is no way to serve without errors.
///
/// A broken file keeps its last good text, and so do the files that refer to what it defines; everything else is served as
/// it stands. A file that has vanished is gone, unless others still refer to what it defined. Of two files that define the
/// same, the one that was there first goes on.
pub fn select_sources(
    texts: Texts<'_>,
    settings: &Settings,
    occasion: LoadPhase,
) -> Result<SelectedSources, Vec<Diagnostic>> {
    let mut reading = read_zones(texts.current, settings);
    let mut settling = Selection::new(texts, settings, occasion, reading.diagnostics.clone());
    let mut is_first = true;
    loop {
        let is_sound = reading.is_sound();
        if !settling.leave_out_second(&reading) {
            if is_sound {
                return Ok(settling.finish(reading));
            }
            if std::mem::take(&mut is_first) {
                settling.freeze_referrers(&erring_files(&reading));
            }
            settling.note_newly_refused(&reading);
            settling.step_down(&reading).map_err(|Stuck| std::mem::take(&mut settling.diagnostics))?;
        }
        reading = settling.read();
        settling.note_new_faults(&reading);
    }
}

/// No file can step down any more, or none may.
struct Stuck;

struct Selection<'s> {
    occasion: LoadPhase,
    settings: &'s Settings,
    files: BTreeMap<&'s Path, File<'s>>,
    diagnostics: Vec<Diagnostic>,
}

/// A file, in so far as it exists: at least one of the texts is there, or it was served.
#[derive(Default)]
struct File<'s> {
    current: Option<&'s SourceFile>,
    last_good: Option<&'s SourceFile>,
    served: Option<&'s ServedFile>,
    at: Step,
    /// Whether a rule that is newer than the last good text refuses the current one.
    is_newly_refused: bool,
}

/// Where a file stands on its way down.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Current,
    LastGood,
    Nothing,
}

impl<'s> File<'s> {
    /// The text that is served, if any.
    fn chosen(&self) -> Option<&'s SourceFile> {
        match self.at {
            Step::Current => self.current,
            Step::LastGood => self.last_good,
            Step::Nothing => None,
        }
    }

    fn is_unchanged(&self) -> bool {
        matches!((self.current, self.last_good), (Some(current), Some(good)) if current.text == good.text)
    }

    /// Whether its last good text is another one than is served, or is read by other rules, and may be served yet.
    fn can_step_back(&self) -> bool {
        let is_other = !self.is_unchanged() || self.is_newly_refused;
        self.at == Step::Current && self.last_good.is_some() && is_other
    }

    /// Whether it has nothing to step back to.
    fn is_at_its_last_text(&self) -> bool {
        self.chosen().is_some() && !self.can_step_back()
    }

    fn is_new(&self) -> bool {
        self.last_good.is_none() && self.served.is_none()
    }

    /// The zone that nothing else may answer for, since this file is known to hold it and has no usable text.
    fn withheld_zone(&self) -> Option<&'s ZoneIdentity> {
        self.served.filter(|_| self.chosen().is_none())?.zone.as_ref()
    }
}

impl<'s> Selection<'s> {
    fn new(texts: Texts<'s>, settings: &'s Settings, occasion: LoadPhase, diagnostics: Vec<Diagnostic>) -> Self {
        let mut files: BTreeMap<&Path, File<'_>> = BTreeMap::new();
        for source in texts.current {
            files.entry(&source.path).or_default().current = Some(source);
        }
        for source in texts.last_good {
            files.entry(&source.path).or_default().last_good = Some(source);
        }
        for served in texts.served {
            files.entry(&served.path).or_default().served = Some(served);
        }
        Selection { occasion, settings, files, diagnostics }
    }

    fn chosen(&self) -> Vec<SourceFile> {
        self.files.values().filter_map(File::chosen).cloned().collect()
    }

    /// Reads the chosen texts, each by its own rules.
    fn read(&self) -> Reading {
        let origin = |file: &File<'_>| match file.at {
            Step::Current => TextOrigin::Current,
            Step::LastGood | Step::Nothing => TextOrigin::LastGood,
        };
        let chosen = self.files.values().filter(|file| file.chosen().is_some());
        read_texts(&self.chosen(), &chosen.map(origin).collect::<Vec<_>>(), self.settings)
    }

    fn note_newly_refused(&mut self, reading: &Reading) {
        for diagnostic in
            reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error() && diagnostic.is_newly_refused)
        {
            if let Some(file) = self.files.get_mut(diagnostic.path.as_path()) {
                file.is_newly_refused = true;
            }
        }
    }

    fn is_new(&self, path: &Path) -> bool {
        self.files.get(path).is_none_or(File::is_new)
    }

    /// Of two files that define the same, a new one is left out and the one that was served before goes on, also when that
    /// has no usable text: a copy that somebody made must not become the zone. True when that leaves out any.
    fn leave_out_second(&mut self, reading: &Reading) -> bool {
        let errors = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        let conflicts = errors.filter_map(|diagnostic| Some((&diagnostic.path, &diagnostic.related.as_ref()?.path)));
        let second = |(one, other): (&PathBuf, &PathBuf)| match (self.is_new(one), self.is_new(other)) {
            (true, false) => Some(one.clone()),
            (false, true) => Some(other.clone()),
            _ => None,
        };
        let mut second: BTreeSet<PathBuf> = conflicts.filter_map(second).collect();
        for (zone, held_by) in self.taken_zones(reading) {
            let message = format!("the zone `{}` is that of `{}`, which cannot be served", zone.1, held_by.display());
            let mut diagnostic = Diagnostic::error(&zone.0, message);
            diagnostic.hint(format!("mend or remove `{}`", held_by.display()));
            self.diagnostics.push(diagnostic);
            second.insert(zone.0);
        }
        for path in &second {
            self.files.get_mut(path.as_path()).into_iter().for_each(|file| file.at = Step::Nothing);
        }
        !second.is_empty()
    }

    /// New files, with the names of their zones, that hold a zone of a file without a usable text.
    fn taken_zones(&self, reading: &Reading) -> Vec<((PathBuf, String), &'s Path)> {
        let withheld: Vec<_> =
            self.files.iter().filter_map(|(path, file)| Some((*path, file.withheld_zone()?))).collect();
        if withheld.is_empty() {
            return Vec::new();
        }
        let zones = reading.configuration.zones.iter().filter(|zone| self.is_new(&zone.file));
        let taken = zones.filter_map(|zone| {
            let identity = zone.zone.identity();
            let (held_by, _) = withheld.iter().find(|(_, withheld)| withheld.excludes(&identity))?;
            Some(((zone.file.clone(), identity.name.to_string()), *held_by))
        });
        taken.collect()
    }

    /// What refers to a broken file's definitions keeps its last good text together with it: the two were written for each
    /// other.
    fn freeze_referrers(&mut self, broken: &BTreeSet<PathBuf>) {
        let defined = self.definers(|path, file| {
            let is_frozen = broken.contains(path) && file.last_good.is_some();
            if is_frozen { [file.current, file.last_good].into_iter().flatten().collect() } else { Vec::new() }
        });
        let mut frozen = Vec::new();
        for (path, file) in &mut self.files {
            if broken.contains(*path) || !file.can_step_back() {
                continue;
            }
            let Some(current) = file.current else { continue };
            let Definitions { refers, .. } = definitions(current);
            let found = refers.into_iter().find_map(|(wanted, span)| Some((defined.get(&wanted)?, span)));
            let Some((definers, span)) = found else { continue };
            let definer = definers.iter().next().expect("a definition has a definer").display();
            file.at = Step::LastGood;
            let message = "this file keeps its last good version: it refers to what a broken file defines";
            let mut diagnostic = Diagnostic::warning(path, message).at(span);
            diagnostic.label(format!("defined in `{definer}`")).hint(format!("mend `{definer}`"));
            frozen.push(diagnostic);
        }
        self.diagnostics.extend(frozen);
    }

    /// Lets files step down, for the errors of a reading of the chosen texts: at least one, or it is stuck.
    fn step_down(&mut self, reading: &Reading) -> Result<(), Stuck> {
        let erring = erring_files(reading);
        // First those that go back to a good text: the others may be at fault only because of them.
        if self.step_back(&erring) {
            return Ok(());
        }
        // Then those that no longer define, or define again, what unchanged files rely on.
        let culprits = self.culprits(reading);
        if self.step_back(&culprits) || self.give_up(&self.without_last_good(&culprits))? {
            return Ok(());
        }
        if self.give_up(&self.without_last_good(&erring))? || self.give_up(&self.hopeless(reading))? {
            return Ok(());
        }
        // Nobody knows who is to blame; all of the last good texts together were good.
        let all = self.files.keys().map(|path| path.to_path_buf()).collect();
        let is_running = self.occasion == LoadPhase::Reload;
        if self.step_back(&all) || (is_running && self.give_up(&self.without_last_good(&all))?) {
            return Ok(());
        }
        // Unless a copy was damaged.
        let last = erring.into_iter().filter(|path| self.has_damaged_copy(path)).collect();
        if self.give_up(&last)? { Ok(()) } else { Err(Stuck) }
    }

    /// Serves the last good texts of those of these files that have another one. True when there is any.
    fn step_back(&mut self, paths: &BTreeSet<PathBuf>) -> bool {
        let mut has_moved = false;
        for path in paths {
            if let Some(file) = self.files.get_mut(path.as_path()).filter(|file| file.can_step_back()) {
                file.at = Step::LastGood;
                has_moved = true;
            }
        }
        has_moved
    }

    /// Serves nothing of these files. True when there is any.
    fn give_up(&mut self, paths: &BTreeSet<PathBuf>) -> Result<bool, Stuck> {
        if self.occasion == LoadPhase::Start && paths.iter().any(|path| self.is_new(path)) {
            return Err(Stuck);
        }
        for path in paths {
            self.files.get_mut(path.as_path()).into_iter().for_each(|file| file.at = Step::Nothing);
        }
        Ok(!paths.is_empty())
    }

    /// Those of these files that are served and have no last good text.
    fn without_last_good(&self, paths: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let is_so = |file: &File<'_>| file.chosen().is_some() && file.last_good.is_none();
        let paths = paths.iter().filter(|path| self.files.get(path.as_path()).is_some_and(is_so));
        paths.cloned().collect()
    }

    /// Files at their last good text in which an error is that no other text of any file could mend: their copy was damaged, or
    /// what they refer to was. Only at the start; while the server runs the last good texts are known to be good.
    fn hopeless(&self, reading: &Reading) -> BTreeSet<PathBuf> {
        let good = self.definers(|_, file| file.last_good.into_iter().collect());
        let is_hopeless = |diagnostic: &&Diagnostic| {
            // Two definitions in one file are its own fault.
            diagnostic.related.as_ref().is_none_or(|place| place.path == diagnostic.path)
                && match &diagnostic.wants {
                    Some(wanted) => !good.contains_key(wanted),
                    None => self.is_broken_alone(&diagnostic.path),
                }
        };
        let errors = reading
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error() && self.has_damaged_copy(&diagnostic.path));
        errors.filter(is_hopeless).map(|diagnostic| diagnostic.path.clone()).collect()
    }

    /// Whether a file that errs at its last text may do so for damage.
    fn has_damaged_copy(&self, path: &Path) -> bool {
        self.occasion == LoadPhase::Start && self.files.get(path).is_some_and(File::is_at_its_last_text)
    }

    fn is_broken_alone(&self, path: &Path) -> bool {
        let chosen = self.files.get(path).and_then(File::chosen).cloned();
        let reading = read_texts(chosen.as_slice(), &[TextOrigin::LastGood], self.settings);
        reading.diagnostics.iter().any(|diagnostic| diagnostic.is_error() && diagnostic.wants.is_none())
    }

    /// Who else has to do with errors in files that cannot step down: the other side of a conflict, and who once defined
    /// what is now unknown.
    fn culprits(&self, reading: &Reading) -> BTreeSet<PathBuf> {
        let good = self.definers(|_, file| file.last_good.into_iter().collect());
        let mut culprits = BTreeSet::new();
        for diagnostic in reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
            culprits.extend(diagnostic.related.iter().map(|place| place.path.clone()));
            let definers = diagnostic.wants.as_ref().and_then(|wanted| good.get(wanted));
            culprits.extend(definers.into_iter().flatten().cloned());
        }
        culprits
    }

    /// Who defines what, in the texts that `texts` picks.
    fn definers(
        &self,
        texts: impl Fn(&Path, &File<'s>) -> Vec<&'s SourceFile>,
    ) -> BTreeMap<Reference, BTreeSet<PathBuf>> {
        let mut definers: BTreeMap<Reference, BTreeSet<PathBuf>> = BTreeMap::new();
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
        for diagnostic in reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
            let file = self.files.get(diagnostic.path.as_path());
            let is_current = file.is_some_and(|file| file.at == Step::Current || file.is_unchanged());
            if is_current && !self.diagnostics.contains(diagnostic) {
                self.diagnostics.push(diagnostic.clone());
            }
        }
    }

    fn finish(self, reading: Reading) -> SelectedSources {
        let paths = |keep: fn(&File<'_>) -> bool| -> Vec<PathBuf> {
            self.files.iter().filter(|(_, file)| keep(file)).map(|(path, _)| path.to_path_buf()).collect()
        };
        let withheld = self.files.values().filter(|file| file.chosen().is_none()).filter_map(|file| file.served);
        SelectedSources {
            configuration: reading.configuration,
            sources: self.chosen(),
            frozen: paths(|file| file.at == Step::LastGood),
            left_out: paths(|file| file.at == Step::Nothing && file.is_new()),
            unavailable: withheld.cloned().collect(),
            diagnostics: self.diagnostics,
        }
    }
}

fn erring_files(reading: &Reading) -> BTreeSet<PathBuf> {
    reading
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(|diagnostic| diagnostic.path.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;
    use proptest::prelude::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile::new(path, text)
    }

    fn zone(name: &str, check: &str, address: &str) -> String {
        format!(
            "name = \"{name}\"\n[[record]]\nname = \"www\"\ntype = \"A\"\nset_identifier = \"one\"\nweight = 1\nttl = 60\n\
             values = [\"{address}\"]\nhealth_check = \"{check}\"\n"
        )
    }

    fn check(name: &str) -> String {
        format!("[[health_check]]\nname = \"{name}\"\ntype = \"tcp\"\nip_address = \"127.0.0.1\"\nport = 80\n")
    }

    fn plain(name: &str, address: &str) -> String {
        format!("name = \"{name}\"\n[[record]]\nname = \"www\"\ntype = \"A\"\nttl = 60\nvalues = [\"{address}\"]\n")
    }

    fn run(
        current: &[SourceFile],
        last_good: &[SourceFile],
        occasion: LoadPhase,
    ) -> Result<SelectedSources, Vec<Diagnostic>> {
        select_sources(texts(current, last_good, &[]), &Settings::built_in(), occasion)
    }

    fn texts<'s>(current: &'s [SourceFile], last_good: &'s [SourceFile], served: &'s [ServedFile]) -> Texts<'s> {
        Texts { current, last_good, served }
    }

    /// A start at which these files are known to have held these zones, or none.
    fn start(
        current: &[SourceFile],
        last_good: &[SourceFile],
        served: &[(&str, &str)],
    ) -> Result<SelectedSources, Vec<Diagnostic>> {
        let served: Vec<ServedFile> = served.iter().map(|(path, zone)| known(path, zone)).collect();
        select_sources(texts(current, last_good, &served), &Settings::built_in(), LoadPhase::Start)
    }

    fn known(path: &str, zone: &str) -> ServedFile {
        let zone = Some(zone).filter(|zone| !zone.is_empty()).map(|zone| {
            let name = Name::parse(zone).unwrap();
            ZoneIdentity { id: crate::config::id::zone_id(&name, &[]), name, vpcs: Vec::new() }
        });
        ServedFile { path: path.into(), zone }
    }

    fn unavailable(selected: &SelectedSources) -> Vec<&str> {
        selected.unavailable.iter().map(|file| file.path.to_str().unwrap()).collect()
    }

    fn names(paths: &[PathBuf]) -> Vec<&str> {
        paths.iter().map(|path| path.to_str().unwrap()).collect()
    }

    fn text<'s>(selected: &'s SelectedSources, path: &str) -> Option<&'s str> {
        selected.sources.iter().find(|source| source.path == Path::new(path)).map(|source| &*source.text)
    }

    #[test]
    fn a_broken_zone_stands_still_while_others_change() {
        let good = [file("a.toml", &plain("a.test", "192.0.2.1")), file("b.toml", &plain("b.test", "192.0.2.1"))];
        let current = [file("a.toml", "name = "), file("b.toml", &plain("b.test", "192.0.2.2"))];
        let selected = run(&current, &good, LoadPhase::Reload).unwrap();
        assert_eq!(names(&selected.frozen), ["a.toml"]);
        assert_eq!(text(&selected, "a.toml"), Some(&*good[0].text));
        assert_eq!(text(&selected, "b.toml"), Some(&*current[1].text));
        assert_eq!(selected.configuration.zones.len(), 2);
        assert!(selected.diagnostics.iter().all(|diagnostic| diagnostic.path == Path::new("a.toml")));
    }

    #[test]
    fn what_refers_to_a_broken_file_stands_still_with_it() {
        let good = [file("a.toml", &zone("a.test", "x", "192.0.2.1")), file("checks.toml", &check("x"))];
        let broken = check("x").replace("80", "eighty");
        let current = [
            file("a.toml", &zone("a.test", "x", "192.0.2.2")),
            file("b.toml", &plain("b.test", "192.0.2.1")),
            file("checks.toml", &broken),
        ];
        let selected = run(&current, &good, LoadPhase::Reload).unwrap();
        assert_eq!(names(&selected.frozen), ["a.toml", "checks.toml"]);
        assert_eq!(selected.configuration.zones.len(), 2);
        let warning = selected.diagnostics.iter().find(|diagnostic| diagnostic.path == Path::new("a.toml")).unwrap();
        assert!(!warning.is_error());
    }

    #[test]
    fn a_check_that_is_still_in_use_stays_though_its_file_is_gone() {
        let good = [file("a.toml", &zone("a.test", "x", "192.0.2.1")), file("checks.toml", &check("x"))];
        let selected = run(&good[..1], &good, LoadPhase::Reload).unwrap();
        assert_eq!(names(&selected.frozen), ["checks.toml"]);
        assert_eq!(selected.configuration.health_checks.len(), 1);
        assert!(selected.diagnostics.iter().any(|diagnostic| diagnostic.message.contains("unknown health check")));
    }

    #[test]
    fn a_check_that_is_still_in_use_stays_though_its_file_dropped_it() {
        let good = [file("a.toml", &zone("a.test", "x", "192.0.2.1")), file("checks.toml", &check("x"))];
        let current = [good[0].clone(), file("checks.toml", &check("y"))];
        let selected = run(&current, &good, LoadPhase::Reload).unwrap();
        assert_eq!(names(&selected.frozen), ["checks.toml"]);
        // Renamed on both sides at once, it is no fault at all.
        let current = [file("a.toml", &zone("a.test", "y", "192.0.2.1")), file("checks.toml", &check("y"))];
        let selected = run(&current, &good, LoadPhase::Reload).unwrap();
        assert_eq!((selected.frozen, selected.diagnostics), (vec![], vec![]));
    }

    #[test]
    fn a_zone_that_vanishes_is_gone() {
        let good = [file("a.toml", &plain("a.test", "192.0.2.1")), file("b.toml", &plain("b.test", "192.0.2.1"))];
        let selected = run(&good[1..], &good, LoadPhase::Reload).unwrap();
        assert_eq!(selected.configuration.zones.len(), 1);
        assert_eq!(selected.sources, good[1..]);
    }

    #[test]
    fn a_broken_new_file_is_refused_at_the_start_and_left_out_later() {
        let good = [file("a.toml", &plain("a.test", "192.0.2.1"))];
        let current = [good[0].clone(), file("b.toml", "name = 7")];
        let diagnostics = run(&current, &good, LoadPhase::Start).unwrap_err();
        assert_eq!(diagnostics.len(), 1);
        let selected = run(&current, &good, LoadPhase::Reload).unwrap();
        assert_eq!(names(&selected.left_out), ["b.toml"]);
        assert_eq!(selected.sources, good);
    }

    #[test]
    fn at_the_start_a_broken_file_is_served_from_its_last_good_text() {
        let good = [file("a.toml", &plain("a.test", "192.0.2.1"))];
        let selected = run(&[file("a.toml", "name = 7")], &good, LoadPhase::Start).unwrap();
        assert_eq!(names(&selected.frozen), ["a.toml"]);
        assert_eq!(selected.sources, good);
    }

    /// What an earlier version took: a primary without a health check.
    fn refused_today(name: &str, address: &str) -> String {
        plain(name, address) + "set_identifier = \"one\"\nfailover = \"primary\"\n"
    }

    #[test]
    fn what_only_a_newer_rule_refuses_is_served_from_its_copy() {
        let good =
            [file("a.toml", &refused_today("a.test", "192.0.2.1")), file("b.toml", &plain("b.test", "192.0.2.1"))];
        for (occasion, address) in
            [(LoadPhase::Start, "192.0.2.1"), (LoadPhase::Reload, "192.0.2.1"), (LoadPhase::Reload, "192.0.2.2")]
        {
            let current = [file("a.toml", &refused_today("a.test", address)), good[1].clone()];
            let selected = run(&current, &good, occasion).unwrap();
            assert_eq!(names(&selected.frozen), ["a.toml"]);
            assert_eq!(selected.sources, good);
            assert_eq!(selected.configuration.zones.len(), 2);
            let errors: Vec<_> = selected.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].message.contains("must have an associated health check"));
        }
        // A copy excuses its own text alone.
        let new = [good[1].clone(), file("c.toml", &refused_today("c.test", "192.0.2.1"))];
        assert_eq!(names(&run(&new, &good, LoadPhase::Reload).unwrap().left_out), ["c.toml"]);
        assert_eq!(run(&new, &good, LoadPhase::Start).unwrap_err().len(), 1);
    }

    #[test]
    fn what_only_a_newer_rule_refuses_blames_nobody_else() {
        let refused = refused_today("a.test", "192.0.2.1") + &check("x");
        let good = [file("a.toml", &refused), file("b.toml", &zone("b.test", "x", "192.0.2.1"))];
        // Its own error, beside one of another file.
        let current = [good[0].clone(), file("b.toml", &zone("b.test", "y", "192.0.2.1"))];
        let selected = run(&current, &good, LoadPhase::Start).unwrap();
        assert_eq!(names(&selected.frozen), ["a.toml", "b.toml"]);
        assert_eq!(selected.sources, good);
        // What refers to it is as it was written.
        let selected = run(&good, &good, LoadPhase::Start).unwrap();
        assert_eq!(names(&selected.frozen), ["a.toml"]);
    }

    #[test]
    fn a_new_file_does_not_take_a_zone_away() {
        let good = [file("lab.toml", &plain("a.test", "192.0.2.1"))];
        let current = [file("copy.toml", &plain("a.test", "192.0.2.2")), good[0].clone()];
        let selected = run(&current, &good, LoadPhase::Reload).unwrap();
        assert_eq!(names(&selected.left_out), ["copy.toml"]);
        assert_eq!(selected.sources, good);
    }

    #[test]
    fn at_the_start_a_broken_file_that_was_served_and_has_no_copy_is_unavailable_and_others_go_on() {
        let good = [file("b.toml", &plain("b.test", "192.0.2.1"))];
        let current = [file("a.toml", "name = 'a.test'\n[[record"), file("b.toml", &plain("b.test", "192.0.2.2"))];
        let selected = start(&current, &good, &[("a.toml", "a.test"), ("b.toml", "b.test")]).unwrap();
        assert_eq!(selected.unavailable, [known("a.toml", "a.test")]);
        assert_eq!((selected.frozen, selected.left_out, selected.sources), (vec![], vec![], current[1..].to_vec()));
        assert!(
            selected
                .diagnostics
                .iter()
                .any(|diagnostic| diagnostic.is_error() && diagnostic.path == Path::new("a.toml"))
        );
        assert!(start(&current, &good, &[("b.toml", "b.test")]).is_err(), "it was never served");
        // The server runs, and the file is still broken.
        let served = [known("a.toml", "a.test")];
        let selected =
            select_sources(texts(&current, &good, &served), &Settings::built_in(), LoadPhase::Reload).unwrap();
        assert_eq!((unavailable(&selected), &*selected.left_out), (vec!["a.toml"], &[] as &[PathBuf]));
    }

    #[test]
    fn at_the_start_a_copy_that_is_broken_too_freezes_nothing_else() {
        let good = [file("a.toml", "name = 'a.te"), file("b.toml", &plain("b.test", "192.0.2.1"))];
        let b = file("b.toml", &plain("b.test", "192.0.2.2"));
        // Also where the file is as damaged as its copy.
        for broken in ["name = 'a.test'\n[[record", "name = 'a.te"] {
            let current = [file("a.toml", broken), b.clone()];
            let selected = start(&current, &good, &[("a.toml", "a.test")]).unwrap();
            assert_eq!((unavailable(&selected), &*selected.sources), (vec!["a.toml"], std::slice::from_ref(&b)));
        }
    }

    #[test]
    fn at_the_start_what_refers_to_an_unavailable_file_is_unavailable_too_and_nothing_else() {
        let (a, b) = (file("a.toml", &zone("a.test", "x", "192.0.2.1")), file("b.toml", &plain("b.test", "192.0.2.2")));
        let good = [a.clone(), file("b.toml", &plain("b.test", "192.0.2.1"))];
        let known = [("a.toml", "a.test"), ("b.toml", "b.test"), ("checks.toml", "")];
        for a in [a, file("a.toml", &zone("a.test", "x", "192.0.2.9"))] {
            let current = [a, b.clone(), file("checks.toml", &check("x").replace("80", "eighty"))];
            let selected = start(&current, &good, &known).unwrap();
            assert_eq!(unavailable(&selected), ["a.toml", "checks.toml"]);
            assert_eq!(selected.sources, std::slice::from_ref(&b));
        }
    }

    #[test]
    fn a_stray_copy_is_left_out_at_the_start_too_and_the_file_that_was_there_first_can_be_edited() {
        let both = |name: &str, address: &str| zone(name, "x", address) + &check("x");
        let good = [file("lab.toml", &both("a.test", "192.0.2.1"))];
        let edited = file("lab.toml", &both("a.test", "192.0.2.2"));
        // The zone, a check, and both twice; before and behind the file in the order of names.
        for stray in [plain("a.test", "192.0.2.9"), check("x"), both("a.test", "192.0.2.9")] {
            for path in ["lab (copy).toml", "lab2.toml"] {
                let current = [file(path, &stray), edited.clone()];
                for last_good in [&good[..], &[]] {
                    let selected = start(&current, last_good, &[("lab.toml", "a.test")]).unwrap();
                    assert_eq!(names(&selected.left_out), [path]);
                    assert_eq!((selected.frozen, selected.sources), (vec![], vec![edited.clone()]));
                }
                let selected = run(&current, &good, LoadPhase::Reload).unwrap();
                assert_eq!((names(&selected.left_out), selected.sources), (vec![path], vec![edited.clone()]));
                assert!(start(&current, &[], &[]).is_err(), "neither was there first");
            }
        }
    }

    #[test]
    fn a_stray_copy_does_not_take_the_place_of_a_broken_file() {
        let good = [file("lab.toml", &plain("a.test", "192.0.2.1"))];
        let stray = file("lab (copy).toml", &plain("a.test", "192.0.2.9"));
        let current = [stray.clone(), file("lab.toml", "name = 'a.test'\n[[record")];
        let known_files = [("lab.toml", "a.test")];
        let selected = start(&current, &good, &known_files).unwrap();
        assert_eq!((names(&selected.left_out), selected.sources), (vec!["lab (copy).toml"], good.to_vec()));
        let selected = start(&current, &[], &known_files).unwrap();
        assert_eq!((names(&selected.left_out), unavailable(&selected)), (vec!["lab (copy).toml"], vec!["lab.toml"]));
        assert_eq!(selected.sources, []);
        // A file that cannot be read has no text at all.
        let selected = start(&current[..1], &[], &known_files).unwrap();
        assert_eq!((names(&selected.left_out), unavailable(&selected)), (vec!["lab (copy).toml"], vec!["lab.toml"]));
        let diagnostic = selected.diagnostics.iter().find(|diagnostic| diagnostic.path == stray.path).unwrap();
        assert!(diagnostic.message.contains("is that of `lab.toml`"), "{}", diagnostic.message);
        // Once it is removed, the copy is a file like any other.
        assert_eq!(start(&current[..1], &[], &[("lab (copy).toml", "")]).unwrap().sources, [stray]);
    }

    /// What a file of the property tests may hold, good and bad.
    fn variant(file_number: usize, variant: usize) -> Option<SourceFile> {
        let name = ["a", "b", "c"][file_number];
        let other = ["b", "c", "a"][file_number];
        let own = format!("{name}.test");
        let text = match variant {
            0 => return None,
            1 => plain(&own, "192.0.2.1"),
            2 => plain(&own, "192.0.2.2") + &check(name),
            3 => zone(&own, name, "192.0.2.3") + &check(name),
            4 => zone(&own, other, "192.0.2.4"),
            5 => zone(&own, other, "192.0.2.5") + &check(name),
            6 => zone(&own, "nobody", "192.0.2.6") + &check(name),
            7 => "name = 7\n".to_owned() + &check(name),
            8 => plain(&own, "192.0.2.8") + &check(name) + "[[record\n",
            9 => plain(&own, "192.0.2.256") + &check(name),
            10 => check(name),
            // From here on files quarrel over names.
            11 => plain(&format!("{other}.test"), "192.0.2.11"),
            12 => plain(&own, "192.0.2.12") + &check(other),
            _ => plain(&own, "192.0.2.13") + &check("shared"),
        };
        Some(file(&format!("{name}.toml"), &text))
    }

    const PEACEFUL: usize = 11;
    const ALL: usize = 14;

    fn files(variants: &[usize]) -> Vec<SourceFile> {
        variants.iter().enumerate().filter_map(|(number, chosen)| variant(number, *chosen)).collect()
    }

    /// Everything a file depends on, by way of others too, on the texts of both times.
    fn dependencies(path: &Path, sources: &[&SourceFile], seen: &mut BTreeSet<PathBuf>) {
        if !seen.insert(path.to_owned()) {
            return;
        }
        for source in sources.iter().filter(|source| source.path == path) {
            for (wanted, _) in definitions(source).refers {
                for other in sources.iter().filter(|other| definitions(other).defines.contains(&wanted)) {
                    dependencies(&other.path, sources, seen);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_served_never_has_errors(steps in prop::collection::vec(prop::array::uniform3(0..ALL), 1..5)) {
            let settings = Settings::built_in();
            let mut last_good: Vec<SourceFile> = Vec::new();
            for step in steps {
                let current = files(&step);
                let selected = select_sources(texts(&current, &last_good, &[]), &settings, LoadPhase::Reload).unwrap();
                let reading = read_zones(&selected.sources, &settings);
                prop_assert!(reading.is_sound());
                prop_assert_eq!(&reading.configuration, &selected.configuration);
                for source in &selected.sources {
                    prop_assert!(current.contains(source) || last_good.contains(source));
                }
                last_good = selected.sources;
            }
        }

        #[test]
        fn files_that_were_served_never_refuse_the_start(
            current in prop::array::uniform3(0..ALL), good in prop::array::uniform3(0..ALL)
        ) {
            let settings = Settings::built_in();
            // Any of the copies may be damaged.
            let (current, good) = (files(&current), files(&good));
            let served: Vec<ServedFile> =
                current.iter().map(|file| known(file.path.to_str().unwrap(), "")).collect();
            let selected = select_sources(texts(&current, &good, &served), &settings, LoadPhase::Start);
            prop_assert!(selected.is_ok());
            let selected = selected.unwrap();
            prop_assert!(read_zones(&selected.sources, &settings).is_sound());
            prop_assert_eq!(&selected.left_out, &[] as &[PathBuf]);
            for file in &served {
                let is_served = selected.sources.iter().any(|source| source.path == file.path);
                prop_assert!(is_served != selected.unavailable.contains(file));
            }
        }

        #[test]
        fn what_has_nothing_to_do_with_a_fault_is_served_as_it_stands(
            steps in prop::collection::vec(prop::array::uniform3(0..PEACEFUL), 1..5)
        ) {
            let settings = Settings::built_in();
            let mut last_good: Vec<SourceFile> = Vec::new();
            for step in steps {
                let current = files(&step);
                let erring = erring_files(&read_zones(&current, &settings));
                let selected = select_sources(texts(&current, &last_good, &[]), &settings, LoadPhase::Reload).unwrap();
                let everything: Vec<&SourceFile> = current.iter().chain(&last_good).collect();
                let closure = |path: &Path| {
                    let mut seen = BTreeSet::new();
                    dependencies(path, &everything, &mut seen);
                    seen
                };
                for source in &current {
                    let relies_on_nothing_broken = closure(&source.path).is_disjoint(&erring);
                    let nothing_broken_relies_on_it = erring.iter().all(|path| !closure(path).contains(&source.path));
                    let is_fine = relies_on_nothing_broken && nothing_broken_relies_on_it;
                    prop_assert!(!is_fine || selected.sources.contains(source), "{}", source.path.display());
                }
                last_good = selected.sources;
            }
        }
    }
}
