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
//!
//! A last good text is read by the rules that held when it became one ([`TextOrigin`]). So a file that has not changed steps
//! down too, where only a rule that is newer than its copy finds fault with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::fault::{Fault, Wanted};
use super::zones::{Definitions, Reading, TextOrigin, definitions, read_texts};
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
        settling.note_newly_refused(&reading);
        settling.step_down(&reading).map_err(|Stuck| std::mem::take(&mut settling.faults))?;
        reading = settling.read(settings);
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
    /// Whether a rule that is newer than the last good text refuses the current one.
    is_newly_refused: bool,
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

    /// True when a step down changes what is served, or by which rules it is read.
    fn can_step_down(&self) -> bool {
        self.at == Step::Current && (!self.is_unchanged() || self.is_newly_refused)
    }

    fn is_new(&self) -> bool {
        self.last_good.is_none()
    }
}

impl<'s> Settling<'s> {
    fn new(current: &'s [SourceFile], last_good: &'s [SourceFile], occasion: Occasion, faults: Vec<Fault>) -> Self {
        let mut files: BTreeMap<&Path, File<'_>> = BTreeMap::new();
        let nothing = || File { current: None, last_good: None, at: Step::Current, is_newly_refused: false };
        for source in current {
            files.insert(&source.path, File { current: Some(source), ..nothing() });
        }
        for source in last_good {
            files.entry(&source.path).or_insert_with(nothing).last_good = Some(source);
        }
        Settling { occasion, files, faults }
    }

    fn chosen(&self) -> Vec<SourceFile> {
        self.files.values().filter_map(File::chosen).cloned().collect()
    }

    /// Reads the chosen texts, each by its own rules.
    fn read(&self, settings: &Settings) -> Reading {
        let origin = |file: &File<'_>| match file.at {
            Step::Current => TextOrigin::Current,
            Step::Down => TextOrigin::LastGood,
        };
        let chosen = self.files.values().filter(|file| file.chosen().is_some());
        read_texts(&self.chosen(), &chosen.map(origin).collect::<Vec<_>>(), settings)
    }

    fn note_newly_refused(&mut self, reading: &Reading) {
        for fault in reading.faults.iter().filter(|fault| fault.is_error() && fault.is_newly_refused) {
            if let Some(file) = self.files.get_mut(fault.path.as_path()) {
                file.is_newly_refused = true;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
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

    fn run(current: &[SourceFile], last_good: &[SourceFile], occasion: Occasion) -> Result<Settled, Vec<Fault>> {
        settle(current, last_good, &Settings::built_in(), occasion)
    }

    fn names(paths: &[PathBuf]) -> Vec<&str> {
        paths.iter().map(|path| path.to_str().unwrap()).collect()
    }

    fn text<'s>(settled: &'s Settled, path: &str) -> Option<&'s str> {
        settled.sources.iter().find(|source| source.path == Path::new(path)).map(|source| &*source.text)
    }

    #[test]
    fn a_broken_zone_stands_still_while_others_change() {
        let good = [file("a.toml", &plain("a.test", "192.0.2.1")), file("b.toml", &plain("b.test", "192.0.2.1"))];
        let current = [file("a.toml", "name = "), file("b.toml", &plain("b.test", "192.0.2.2"))];
        let settled = run(&current, &good, Occasion::Reload).unwrap();
        assert_eq!(names(&settled.frozen), ["a.toml"]);
        assert_eq!(text(&settled, "a.toml"), Some(&*good[0].text));
        assert_eq!(text(&settled, "b.toml"), Some(&*current[1].text));
        assert_eq!(settled.configuration.zones.len(), 2);
        assert!(settled.faults.iter().all(|fault| fault.path == Path::new("a.toml")));
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
        let settled = run(&current, &good, Occasion::Reload).unwrap();
        assert_eq!(names(&settled.frozen), ["a.toml", "checks.toml"]);
        assert_eq!(settled.configuration.zones.len(), 2);
        let warning = settled.faults.iter().find(|fault| fault.path == Path::new("a.toml")).unwrap();
        assert!(!warning.is_error());
    }

    #[test]
    fn a_check_that_is_still_in_use_stays_though_its_file_is_gone() {
        let good = [file("a.toml", &zone("a.test", "x", "192.0.2.1")), file("checks.toml", &check("x"))];
        let settled = run(&good[..1], &good, Occasion::Reload).unwrap();
        assert_eq!(names(&settled.frozen), ["checks.toml"]);
        assert_eq!(settled.configuration.health_checks.len(), 1);
        assert!(settled.faults.iter().any(|fault| fault.message.contains("unknown health check")));
    }

    #[test]
    fn a_check_that_is_still_in_use_stays_though_its_file_dropped_it() {
        let good = [file("a.toml", &zone("a.test", "x", "192.0.2.1")), file("checks.toml", &check("x"))];
        let current = [good[0].clone(), file("checks.toml", &check("y"))];
        let settled = run(&current, &good, Occasion::Reload).unwrap();
        assert_eq!(names(&settled.frozen), ["checks.toml"]);
        // Renamed on both sides at once, it is no fault at all.
        let current = [file("a.toml", &zone("a.test", "y", "192.0.2.1")), file("checks.toml", &check("y"))];
        let settled = run(&current, &good, Occasion::Reload).unwrap();
        assert_eq!((settled.frozen, settled.faults), (vec![], vec![]));
    }

    #[test]
    fn a_zone_that_vanishes_is_gone() {
        let good = [file("a.toml", &plain("a.test", "192.0.2.1")), file("b.toml", &plain("b.test", "192.0.2.1"))];
        let settled = run(&good[1..], &good, Occasion::Reload).unwrap();
        assert_eq!(settled.configuration.zones.len(), 1);
        assert_eq!(settled.sources, good[1..]);
    }

    #[test]
    fn a_broken_new_file_is_refused_at_the_start_and_left_out_later() {
        let good = [file("a.toml", &plain("a.test", "192.0.2.1"))];
        let current = [good[0].clone(), file("b.toml", "name = 7")];
        let faults = run(&current, &good, Occasion::Start).unwrap_err();
        assert_eq!(faults.len(), 1);
        let settled = run(&current, &good, Occasion::Reload).unwrap();
        assert_eq!(names(&settled.left_out), ["b.toml"]);
        assert_eq!(settled.sources, good);
    }

    #[test]
    fn at_the_start_a_broken_file_is_served_from_its_last_good_text() {
        let good = [file("a.toml", &plain("a.test", "192.0.2.1"))];
        let settled = run(&[file("a.toml", "name = 7")], &good, Occasion::Start).unwrap();
        assert_eq!(names(&settled.frozen), ["a.toml"]);
        assert_eq!(settled.sources, good);
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
            [(Occasion::Start, "192.0.2.1"), (Occasion::Reload, "192.0.2.1"), (Occasion::Reload, "192.0.2.2")]
        {
            let current = [file("a.toml", &refused_today("a.test", address)), good[1].clone()];
            let settled = run(&current, &good, occasion).unwrap();
            assert_eq!(names(&settled.frozen), ["a.toml"]);
            assert_eq!(settled.sources, good);
            assert_eq!(settled.configuration.zones.len(), 2);
            let errors: Vec<_> = settled.faults.iter().filter(|fault| fault.is_error()).collect();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].message.contains("must have an associated health check"));
        }
        // A copy excuses its own text alone.
        let new = [good[1].clone(), file("c.toml", &refused_today("c.test", "192.0.2.1"))];
        assert_eq!(names(&run(&new, &good, Occasion::Reload).unwrap().left_out), ["c.toml"]);
        assert_eq!(run(&new, &good, Occasion::Start).unwrap_err().len(), 1);
    }

    #[test]
    fn what_only_a_newer_rule_refuses_blames_nobody_else() {
        let refused = refused_today("a.test", "192.0.2.1") + &check("x");
        let good = [file("a.toml", &refused), file("b.toml", &zone("b.test", "x", "192.0.2.1"))];
        // Its own error, beside one of another file.
        let current = [good[0].clone(), file("b.toml", &zone("b.test", "y", "192.0.2.1"))];
        let settled = run(&current, &good, Occasion::Start).unwrap();
        assert_eq!(names(&settled.frozen), ["a.toml", "b.toml"]);
        assert_eq!(settled.sources, good);
        // What refers to it is as it was written.
        let settled = run(&good, &good, Occasion::Start).unwrap();
        assert_eq!(names(&settled.frozen), ["a.toml"]);
    }

    #[test]
    fn a_new_file_does_not_take_a_zone_away() {
        let good = [file("lab.toml", &plain("a.test", "192.0.2.1"))];
        let current = [file("copy.toml", &plain("a.test", "192.0.2.2")), good[0].clone()];
        let settled = run(&current, &good, Occasion::Reload).unwrap();
        assert_eq!(names(&settled.left_out), ["copy.toml"]);
        assert_eq!(settled.sources, good);
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
                let settled = settle(&current, &last_good, &settings, Occasion::Reload).unwrap();
                let reading = read_zones(&settled.sources, &settings);
                prop_assert!(reading.is_sound());
                prop_assert_eq!(&reading.configuration, &settled.configuration);
                for source in &settled.sources {
                    prop_assert!(current.contains(source) || last_good.contains(source));
                }
                last_good = settled.sources;
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
                let settled = settle(&current, &last_good, &settings, Occasion::Reload).unwrap();
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
                    prop_assert!(!is_fine || settled.sources.contains(source), "{}", source.path.display());
                }
                last_good = settled.sources;
            }
        }
    }
}
