//! Selects the version of each file that is served: the current one, or the last good one if there
//! is an error.
//!
//! All files start with their current text. While there are errors, some files step down:
//!
//! ```text
//!                   has a last good text              has none
//!   current   ──────────────────────▶ last good     current ────▶ nothing
//!   vanished  ──────────────────────▶ last good
//!   last good ──────────────────────▶ nothing        (only at startup: a copy may be damaged)
//! ```
//!
//! A file that steps down to nothing is left out if it was never served; at startup this is an
//! error for all files. A file that was served before is unavailable: its zone is known, and no
//! other file may answer for it. The process ends, at the latest when no file has a text, and the
//! result has no errors.
//!
//! With a cluster, a file of this machine yields to one of the cluster that has the same
//! definition, also if it was served before: it is left out as long as the other one has it.
//!
//! A last good text is checked by the rules that applied when it was saved ([`SourceOrigin`]). So
//! an unchanged file also steps down if only a newer rule rejects it.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Reference};
use super::zones::{Definitions, Reading, SourceOrigin, definitions, read_texts};
use super::{ClusterSettings, Configuration, Settings, SourceFile, read_zones};
use crate::model::{AliasResources, ZoneIdentity};

/// When the selection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPhase {
    /// At startup: a broken file that was never served is an error.
    Start,
    /// At a reload: a broken new file is left out, because it was never served.
    Reload,
}

/// A file that was served before, and its zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedFile {
    /// The file.
    pub path: PathBuf,
    /// `None` when it had no zone, or the zone is not known.
    pub zone: Option<ZoneIdentity>,
}

/// The texts to choose from.
#[derive(Clone, Copy, Debug)]
pub struct SourceVersions<'s> {
    /// The current texts of the files.
    pub current: &'s [SourceFile],
    /// The last good texts.
    pub last_good: &'s [SourceFile],
    /// Existing files that were served before. They may have neither text.
    pub served: &'s [ServedFile],
}

/// The result of a selection.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedSources {
    /// The configuration, without errors.
    pub configuration: Configuration,
    /// The texts of the configuration, which become the last good ones.
    pub sources: Vec<SourceFile>,
    /// Files that are served from their last good text, not from the current one.
    pub frozen: Vec<PathBuf>,
    /// Files that are not served: new ones, and those that yield to a file of the cluster.
    pub left_out: Vec<PathBuf>,
    /// Those among them that yield to a file of the cluster.
    pub yielding: Vec<PathBuf>,
    /// Files that were served before and have no usable text.
    pub unavailable: Vec<ServedFile>,
    /// Errors and warnings about the current texts.
    pub diagnostics: Vec<Diagnostic>,
}

/// Selects the texts to serve. Returns `Err` with all diagnostics when no selection is without
/// errors.
///
/// A broken file keeps its last good text, and so do files that refer to its definitions. All other
/// files are served with their current text. A deleted file is removed unless other files still
/// refer to its definitions. Of two files with the same definition, the one that was served before
/// is used.
pub fn select_sources(
    versions: SourceVersions<'_>,
    settings: &Settings,
    phase: LoadPhase,
) -> Result<SelectedSources, Vec<Diagnostic>> {
    let mut reading = read_zones(versions.current, settings);
    let mut selection = Selection::new(versions, settings, phase);
    selection.note_all(&reading);
    let mut is_first = true;
    loop {
        let is_sound = reading.is_sound();
        if !selection.leave_out_second(&reading) {
            if is_sound && !selection.take_back() {
                return Ok(selection.finish(reading));
            }
            if !is_sound && std::mem::take(&mut is_first) {
                selection.freeze_referrers(&erring_files(&reading));
            }
            if !is_sound {
                selection.note_newly_refused(&reading);
                selection.step_down(&reading).map_err(|NoStepLeft| std::mem::take(&mut selection.diagnostics))?;
            }
        }
        reading = selection.read();
        selection.note_new_errors(&reading);
    }
}

/// No file can step down any further, or none is allowed to.
struct NoStepLeft;

struct Selection<'s> {
    phase: LoadPhase,
    settings: &'s Settings,
    /// What files of the cluster have in the place of a directory.
    cluster: Option<PathBuf>,
    files: BTreeMap<&'s Path, File<'s>>,
    diagnostics: Vec<Diagnostic>,
}

/// A file with at least one text, or that was served before.
#[derive(Default)]
struct File<'s> {
    current: Option<&'s SourceFile>,
    last_good: Option<&'s SourceFile>,
    served: Option<&'s ServedFile>,
    selected: Selected,
    /// Whether a rule newer than the last good text rejects the current text.
    is_newly_refused: bool,
    /// The file of the cluster that has the same definition, and the version of it that has it.
    yields_to: Option<(&'s Path, Selected)>,
}

/// The version of a file that is selected.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Selected {
    #[default]
    Current,
    LastGood,
    Nothing,
}

impl<'s> File<'s> {
    /// The selected text, if any.
    fn chosen(&self) -> Option<&'s SourceFile> {
        match self.selected {
            Selected::Current => self.current,
            Selected::LastGood => self.last_good,
            Selected::Nothing => None,
        }
    }

    fn is_unchanged(&self) -> bool {
        matches!((self.current, self.last_good), (Some(current), Some(good)) if current.text == good.text)
    }

    /// Whether it can step back to a last good text that differs from the current one, or that
    /// older rules accept.
    fn can_step_back(&self) -> bool {
        let is_other = !self.is_unchanged() || self.is_newly_refused;
        self.selected == Selected::Current && self.last_good.is_some() && is_other
    }

    /// Whether it has a text and cannot step back.
    fn is_at_its_last_text(&self) -> bool {
        self.chosen().is_some() && !self.can_step_back()
    }

    fn is_new(&self) -> bool {
        self.last_good.is_none() && self.served.is_none()
    }

    /// The zone that no other file may answer for: this file is known to have it, but has no usable
    /// text.
    fn withheld_zone(&self) -> Option<&'s ZoneIdentity> {
        self.unavailable()?.zone.as_ref()
    }

    /// The file, if it was served before and has no usable text.
    fn unavailable(&self) -> Option<&'s ServedFile> {
        self.served.filter(|_| self.chosen().is_none() && self.yields_to.is_none())
    }

    fn is_left_out(&self) -> bool {
        self.selected == Selected::Nothing && (self.is_new() || self.yields_to.is_some())
    }
}

impl<'s> Selection<'s> {
    fn new(versions: SourceVersions<'s>, settings: &'s Settings, phase: LoadPhase) -> Self {
        let mut files: BTreeMap<&Path, File<'_>> = BTreeMap::new();
        for source in versions.current {
            files.entry(&source.path).or_default().current = Some(source);
        }
        for source in versions.last_good {
            files.entry(&source.path).or_default().last_good = Some(source);
        }
        for served in versions.served {
            files.entry(&served.path).or_default().served = Some(served);
        }
        let cluster = settings.cluster.as_ref().map(ClusterSettings::directory);
        Selection { phase, settings, cluster, files, diagnostics: Vec::new() }
    }

    /// Adds the errors and warnings of the current texts.
    fn note_all(&mut self, reading: &Reading) {
        self.diagnostics = reading.diagnostics.iter().map(|diagnostic| self.at_the_new_file(diagnostic)).collect();
    }

    /// A conflict of a new file with one that was served before, as an error of the new file, which
    /// is the one that is not served. Readers report it at the file that comes later by name.
    fn at_the_new_file(&self, diagnostic: &Diagnostic) -> Diagnostic {
        let other = diagnostic.related.as_ref().map(|span| &span.path);
        let is_about_the_other = other.is_some_and(|other| self.second(&diagnostic.path, other) == Some(other));
        if is_about_the_other { diagnostic.clone().turned_round() } else { diagnostic.clone() }
    }

    fn chosen(&self) -> Vec<SourceFile> {
        self.files.values().filter_map(File::chosen).cloned().collect()
    }

    /// Reads the selected texts, each by the rules for its origin.
    fn read(&self) -> Reading {
        let origin = |file: &File<'_>| match file.selected {
            Selected::Current => SourceOrigin::Current,
            Selected::LastGood | Selected::Nothing => SourceOrigin::LastGood,
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

    /// Which of two files with the same definition is left out, if that is clear: that of this
    /// machine if the other one is of the cluster, else the new one.
    fn second<'p>(&self, one: &'p Path, other: &'p Path) -> Option<&'p Path> {
        let is_second = match (self.is_shared(one), self.is_shared(other)) {
            (one, other) if one != other => [!one, !other],
            _ => [self.is_new(one), self.is_new(other)],
        };
        match is_second {
            [true, false] => Some(one),
            [false, true] => Some(other),
            _ => None,
        }
    }

    /// Whether it is a file of the cluster.
    fn is_shared(&self, path: &Path) -> bool {
        self.cluster.is_some() && path.parent() == self.cluster.as_deref()
    }

    fn is_new(&self, path: &Path) -> bool {
        self.files.get(path).is_none_or(File::is_new)
    }

    /// Of two files with the same definition, leaves out the new one and keeps the one that was
    /// served before, even if that has no usable text: a copy of a file must not replace it.
    /// Returns true when a file was left out.
    fn leave_out_second(&mut self, reading: &Reading) -> bool {
        let errors = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        let conflicts = errors.filter_map(|diagnostic| Some((&diagnostic.path, &diagnostic.related.as_ref()?.path)));
        let ordered = conflicts.filter_map(|(one, other)| {
            let second = self.second(one, other)?;
            Some((if second == one { other.clone() } else { one.clone() }, second.to_owned()))
        });
        let ordered: Vec<(PathBuf, PathBuf)> = ordered.collect();
        self.note_yielding(&ordered);
        let mut second: BTreeSet<PathBuf> = ordered.into_iter().map(|(_, second)| second).collect();
        for (zone, held_by) in self.taken_zones(reading) {
            let message = format!("the zone `{}` belongs to `{}`, which cannot be served", zone.1, held_by.display());
            let mut diagnostic = Diagnostic::error(&zone.0, message);
            diagnostic.hint(format!("fix or remove `{}`", held_by.display()));
            self.diagnostics.push(diagnostic);
            second.insert(zone.0);
        }
        for path in &second {
            self.files.get_mut(path.as_path()).into_iter().for_each(|file| file.selected = Selected::Nothing);
        }
        !second.is_empty()
    }

    /// Notes which files of this machine yield to files of the cluster. `ordered` has pairs of
    /// files with the same definition, of which the second one is left out.
    fn note_yielding(&mut self, ordered: &[(PathBuf, PathBuf)]) {
        for (first, second) in ordered.iter().filter(|(first, _)| self.is_shared(first)).collect::<Vec<_>>() {
            let winner = self.files.get_key_value(first.as_path()).map(|(path, file)| (*path, file.selected));
            if !self.is_shared(second)
                && let Some(file) = self.files.get_mut(second.as_path())
            {
                file.yields_to = winner;
            }
        }
    }

    /// Selects files of this machine again that yielded to a version of a file that is not served
    /// after all. Returns true when there is one.
    fn take_back(&mut self) -> bool {
        let is_back =
            |file: &File<'_>| file.yields_to.is_some_and(|(first, selected)| self.files[first].selected != selected);
        let back: Vec<&Path> = self.files.iter().filter(|(_, file)| is_back(file)).map(|(path, _)| *path).collect();
        for path in &back {
            let Some(file) = self.files.get_mut(path) else { continue };
            (file.selected, file.yields_to) = (Selected::Current, None);
        }
        !back.is_empty()
    }

    /// New files that have the zone of a file without a usable text, with the zone's name.
    fn taken_zones(&self, reading: &Reading) -> Vec<((PathBuf, String), &'s Path)> {
        let withheld: Vec<_> =
            self.files.iter().filter_map(|(path, file)| Some((*path, file.withheld_zone()?))).collect();
        if withheld.is_empty() {
            return Vec::new();
        }
        let zones = reading.configuration.zones.iter().filter(|zone| self.is_new(&zone.file));
        let taken = zones.filter_map(|zone| {
            let identity = zone.zone.identity();
            let may_take = |held_by: &Path| self.is_shared(&zone.file) && !self.is_shared(held_by);
            let mut withheld = withheld.iter().filter(|(held_by, _)| !may_take(held_by));
            let (held_by, _) = withheld.find(|(_, withheld)| withheld.excludes(&identity))?;
            Some(((zone.file.clone(), identity.name.to_string()), *held_by))
        });
        taken.collect()
    }

    /// Files that refer to definitions of a broken file step back together with it: their last good
    /// texts belong together.
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
            let found = refers.into_iter().find_map(|(wanted, span)| Some((defined.of(&wanted).next()?, span)));
            let Some((definer, span)) = found else { continue };
            let definer = definer.display();
            file.selected = Selected::LastGood;
            let message = "this file keeps its last good version because it refers to a definition in a broken file";
            let mut diagnostic = Diagnostic::warning(path, message).at(span);
            diagnostic.label(format!("defined in `{definer}`")).hint(format!("fix `{definer}`"));
            frozen.push(diagnostic);
        }
        self.diagnostics.extend(frozen);
    }

    /// Makes at least one file step down because of the errors in the selected texts, or returns
    /// `NoStepLeft`.
    fn step_down(&mut self, reading: &Reading) -> Result<(), NoStepLeft> {
        let erring = erring_files(reading);
        // First, files with errors that have a good text: other errors may only follow from theirs.
        if self.step_back(&erring) {
            return Ok(());
        }
        // Then files that removed or duplicated a definition that unchanged files need.
        let other_files_involved = self.other_files_involved(reading);
        if self.step_back(&other_files_involved) || self.give_up(&self.without_last_good(&other_files_involved))? {
            return Ok(());
        }
        // Then files that need what a file had that yields to the cluster.
        if self.give_up(&self.bereft(reading))?
            || self.give_up(&self.without_last_good(&erring))?
            || self.give_up(&self.unfixable(reading))?
        {
            return Ok(());
        }
        // The cause is unknown. All last good texts together had no errors.
        let all = self.files.keys().map(|path| path.to_path_buf()).collect();
        let is_running = self.phase == LoadPhase::Reload;
        if self.step_back(&all) || (is_running && self.give_up(&self.without_last_good(&all))?) {
            return Ok(());
        }
        // Unless a saved copy was damaged.
        let last = erring.into_iter().filter(|path| self.has_damaged_copy(path)).collect();
        if self.give_up(&last)? { Ok(()) } else { Err(NoStepLeft) }
    }

    /// Selects the last good text of those files that can step back. Returns true when there is
    /// one.
    fn step_back(&mut self, paths: &BTreeSet<PathBuf>) -> bool {
        let mut has_moved = false;
        for path in paths {
            if let Some(file) = self.files.get_mut(path.as_path()).filter(|file| file.can_step_back()) {
                file.selected = Selected::LastGood;
                has_moved = true;
            }
        }
        has_moved
    }

    /// Serves none of these files. Returns true when there is one.
    fn give_up(&mut self, paths: &BTreeSet<PathBuf>) -> Result<bool, NoStepLeft> {
        if self.phase == LoadPhase::Start && paths.iter().any(|path| self.is_new(path)) {
            return Err(NoStepLeft);
        }
        for path in paths {
            self.files.get_mut(path.as_path()).into_iter().for_each(|file| file.selected = Selected::Nothing);
        }
        Ok(!paths.is_empty())
    }

    /// The files among these that are served and have no last good text.
    fn without_last_good(&self, paths: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let is_so = |file: &File<'_>| file.chosen().is_some() && file.last_good.is_none();
        let paths = paths.iter().filter(|path| self.files.get(path.as_path()).is_some_and(is_so));
        paths.cloned().collect()
    }

    /// Files with a reference to a definition in a file that yields to one of the cluster.
    fn bereft(&self, reading: &Reading) -> BTreeSet<PathBuf> {
        let yielding = self.definers(|_, file| match file.yields_to {
            Some(_) => [file.current, file.last_good].into_iter().flatten().collect(),
            None => Vec::new(),
        });
        let is_bereft = |diagnostic: &&Diagnostic| {
            let mut definers = diagnostic.wants.iter().flat_map(|wanted| yielding.of(wanted));
            diagnostic.is_error() && definers.next().is_some()
        };
        reading.diagnostics.iter().filter(is_bereft).map(|diagnostic| diagnostic.path.clone()).collect()
    }

    /// Files at their last good text with an error that no other text of any file can fix: their
    /// saved copy, or one they refer to, was damaged. Only at startup; at a reload the last good
    /// texts are known to be good.
    fn unfixable(&self, reading: &Reading) -> BTreeSet<PathBuf> {
        let good = self.definers(|_, file| file.last_good.into_iter().collect());
        let at_best = LazyCell::new(|| self.read_last_good());
        let is_broken = |path: &Path| {
            at_best.iter().any(|diagnostic| {
                diagnostic.is_error()
                    && diagnostic.path == path
                    && diagnostic.wants.is_none()
                    && diagnostic.related.as_ref().is_none_or(|span| span.path == path)
            })
        };
        let is_hopeless = |diagnostic: &&Diagnostic| {
            // A file with two equal definitions is broken on its own.
            diagnostic.related.as_ref().is_none_or(|span| span.path == diagnostic.path)
                && match &diagnostic.wants {
                    Some(wanted) => good.of(wanted).next().is_none(),
                    None => is_broken(&diagnostic.path),
                }
        };
        let errors = reading
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error() && self.has_damaged_copy(&diagnostic.path));
        errors.filter(is_hopeless).map(|diagnostic| diagnostic.path.clone()).collect()
    }

    /// Whether an error of a file at its last text may come from a damaged copy.
    fn has_damaged_copy(&self, path: &Path) -> bool {
        self.phase == LoadPhase::Start && self.files.get(path).is_some_and(File::is_at_its_last_text)
    }

    /// What is wrong with the last good texts, and with files at their last text, by the rules for
    /// good texts.
    fn read_last_good(&self) -> Vec<Diagnostic> {
        let text = |file: &File<'s>| file.last_good.or_else(|| file.chosen());
        let texts: Vec<SourceFile> = self.files.values().filter_map(text).cloned().collect();
        read_texts(&texts, &vec![SourceOrigin::LastGood; texts.len()], self.settings).diagnostics
    }

    /// Other files involved in errors of files that cannot step down: the other side of a conflict,
    /// and files whose last good text has a definition that is now missing.
    fn other_files_involved(&self, reading: &Reading) -> BTreeSet<PathBuf> {
        let good = self.definers(|_, file| file.last_good.into_iter().collect());
        let mut other_files_involved = BTreeSet::new();
        for diagnostic in reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
            other_files_involved.extend(diagnostic.related.iter().map(|span| span.path.clone()));
            let definers = diagnostic.wants.iter().flat_map(|wanted| good.of(wanted));
            other_files_involved.extend(definers.map(Path::to_path_buf));
        }
        other_files_involved
    }

    /// The definitions of the files, in the texts that `texts` returns.
    fn definers(&self, texts: impl Fn(&Path, &File<'s>) -> Vec<&'s SourceFile>) -> Definers<'s> {
        let sources =
            self.files.iter().flat_map(|(path, file)| texts(path, file).into_iter().map(|text| (*path, text)));
        let mut definers = Definers::default();
        for (path, source) in sources {
            let Definitions { defines, alias_targets, .. } = definitions(source);
            for wanted in defines {
                definers.named.entry(wanted).or_default().insert(path);
            }
            definers.alias_targets.push((alias_targets, path));
        }
        definers
    }

    /// Adds errors of current texts that only appear together with the last good texts of other
    /// files.
    fn note_new_errors(&mut self, reading: &Reading) {
        for diagnostic in reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
            let file = self.files.get(diagnostic.path.as_path());
            let is_current = file.is_some_and(|file| file.selected == Selected::Current || file.is_unchanged());
            let diagnostic = self.at_the_new_file(diagnostic);
            if is_current && !self.diagnostics.contains(&diagnostic) {
                self.diagnostics.push(diagnostic);
            }
        }
    }

    fn finish(self, reading: Reading) -> SelectedSources {
        let paths = |keep: fn(&File<'s>) -> bool| -> Vec<PathBuf> {
            self.files.iter().filter(|(_, file)| keep(file)).map(|(path, _)| path.to_path_buf()).collect()
        };
        SelectedSources {
            configuration: reading.configuration,
            sources: self.chosen(),
            frozen: paths(|file| file.selected == Selected::LastGood),
            left_out: paths(File::is_left_out),
            yielding: paths(|file| file.yields_to.is_some()),
            unavailable: self.files.values().filter_map(File::unavailable).cloned().collect(),
            diagnostics: self.diagnostics,
        }
    }
}

/// Which files have which definitions.
#[derive(Default)]
struct Definers<'s> {
    named: BTreeMap<Reference, BTreeSet<&'s Path>>,
    alias_targets: Vec<(AliasResources, &'s Path)>,
}

impl<'s> Definers<'s> {
    /// The files that have this definition.
    fn of(&self, wanted: &Reference) -> impl Iterator<Item = &'s Path> {
        let named = self.named.get(wanted).into_iter().flatten().copied();
        let targets = self.alias_targets.iter().filter(|(targets, _)| match wanted {
            Reference::AliasTarget(zone, name) => targets.find(zone, name).is_some(),
            _ => false,
        });
        named.chain(targets.map(|(_, path)| *path))
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
        phase: LoadPhase,
    ) -> Result<SelectedSources, Vec<Diagnostic>> {
        select_sources(texts(current, last_good, &[]), &Settings::built_in(), phase)
    }

    fn texts<'s>(
        current: &'s [SourceFile],
        last_good: &'s [SourceFile],
        served: &'s [ServedFile],
    ) -> SourceVersions<'s> {
        SourceVersions { current, last_good, served }
    }

    /// Selects at startup; `known` has files that were served before, with their zones.
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
        // Renaming it on both sides at once is not an error.
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

    /// A zone that an earlier version accepted: a primary without a health check.
    fn refused_today(name: &str, address: &str) -> String {
        plain(name, address) + "set_identifier = \"one\"\nfailover = \"primary\"\n"
    }

    #[test]
    fn what_only_a_newer_rule_refuses_is_served_from_its_copy() {
        let good =
            [file("a.toml", &refused_today("a.test", "192.0.2.1")), file("b.toml", &plain("b.test", "192.0.2.1"))];
        for (phase, address) in
            [(LoadPhase::Start, "192.0.2.1"), (LoadPhase::Reload, "192.0.2.1"), (LoadPhase::Reload, "192.0.2.2")]
        {
            let current = [file("a.toml", &refused_today("a.test", address)), good[1].clone()];
            let selected = run(&current, &good, phase).unwrap();
            assert_eq!(names(&selected.frozen), ["a.toml"]);
            assert_eq!(selected.sources, good);
            assert_eq!(selected.configuration.zones.len(), 2);
            let errors: Vec<_> = selected.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].message.contains("must have an associated health check"));
        }
        // A copy excuses only its own text.
        let new = [good[1].clone(), file("c.toml", &refused_today("c.test", "192.0.2.1"))];
        assert_eq!(names(&run(&new, &good, LoadPhase::Reload).unwrap().left_out), ["c.toml"]);
        assert_eq!(run(&new, &good, LoadPhase::Start).unwrap_err().len(), 1);
    }

    #[test]
    fn what_only_a_newer_rule_refuses_blames_nobody_else() {
        let refused = refused_today("a.test", "192.0.2.1") + &check("x");
        let good = [file("a.toml", &refused), file("b.toml", &zone("b.test", "x", "192.0.2.1"))];
        // Its own error, together with one of another file.
        let current = [good[0].clone(), file("b.toml", &zone("b.test", "y", "192.0.2.1"))];
        let selected = run(&current, &good, LoadPhase::Start).unwrap();
        assert_eq!(names(&selected.frozen), ["a.toml", "b.toml"]);
        assert_eq!(selected.sources, good);
        // The file that refers to it is unchanged.
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
        // Also when the file is as damaged as its copy.
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
        // The zone, a check, and both duplicated; before and after the file in the order of names.
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
        assert!(diagnostic.message.contains("belongs to `lab.toml`"), "{}", diagnostic.message);
        // Once it is removed, the copy is a file like any other.
        assert_eq!(start(&current[..1], &[], &[("lab (copy).toml", "")]).unwrap().sources, [stray]);
    }

    fn alias_target(name: &str) -> String {
        format!(
            "[[alias_target]]\nname = \"{name}\"\nhosted_zone_id = \"ZOWN\"\ntarget = \"{name}.own.test\"\n\
             addresses = [\"192.0.2.7\"]\n"
        )
    }

    fn alias(to: &str) -> String {
        format!(
            "[[record]]\nname = \"o\"\ntype = \"A\"\n\
             alias = {{ hosted_zone_id = \"ZOWN\", target = \"{to}.own.test\", evaluate_target_health = true }}\n"
        )
    }

    #[test]
    fn an_alias_target_that_is_still_in_use_stays_though_its_file_is_gone_or_dropped_it() {
        let a = file("a.toml", &(plain("a.test", "192.0.2.1") + &alias("of")));
        let at = file("at.toml", &(alias_target("of") + &alias_target("other")));
        let (b, new) = (file("b.toml", &plain("b.test", "192.0.2.1")), file("b.toml", &plain("b.test", "192.0.2.2")));
        let good = [a.clone(), at.clone(), b];
        let served = [("a.toml", "a.test"), ("at.toml", ""), ("b.toml", "b.test")];
        for changed in [None, Some(alias_target("other")), Some(alias_target("of") + "colour = 1\n")] {
            let mut current = vec![a.clone(), new.clone()];
            current.extend(changed.map(|text| file("at.toml", &text)));
            for (known, phase) in [(&[][..], LoadPhase::Reload), (&served[..], LoadPhase::Start)] {
                let selected = on_node((&current, &good), known, phase);
                assert_eq!(selected.sources, [a.clone(), at.clone(), new.clone()], "{current:?} {phase:?}");
                assert_eq!((names(&selected.frozen), selected.unavailable), (vec!["at.toml"], vec![]));
            }
        }
        // An alias that is edited together with its broken target steps back with it.
        let edited = file("a.toml", &(plain("a.test", "192.0.2.3") + &alias("of")));
        let current = [edited, file("at.toml", "[[alias_target]]\nname = 7"), new];
        let selected = on_node((&current, &good), &[], LoadPhase::Reload);
        assert_eq!(names(&selected.frozen), ["a.toml", "at.toml"]);
    }

    #[test]
    fn an_alias_target_that_changes_to_what_an_alias_may_not_have_stays_as_it_was() {
        let a = file("a.toml", &(plain("a.test", "192.0.2.1") + &alias("of")));
        let at = file("at.toml", &alias_target("of"));
        let good = [a.clone(), at.clone()];
        let current = [a, file("at.toml", &(alias_target("of") + "service = \"cloudfront-distribution\"\n"))];
        let served = [("a.toml", "a.test"), ("at.toml", "")];
        for (known, phase) in [(&[][..], LoadPhase::Reload), (&served[..], LoadPhase::Start)] {
            let selected = on_node((&current, &good), known, phase);
            assert_eq!((selected.sources, names(&selected.frozen)), (good.to_vec(), vec!["at.toml"]), "{phase:?}");
        }
    }

    const SHARED: &str = "etcd:/fiftythree";

    fn shared(name: &str, text: &str) -> SourceFile {
        file(&format!("{SHARED}/{name}"), text)
    }

    /// Selects on a node of a cluster.
    fn on_node(
        (current, last_good): (&[SourceFile], &[SourceFile]),
        served: &[(&str, &str)],
        phase: LoadPhase,
    ) -> SelectedSources {
        let cluster = ClusterSettings {
            endpoints: Vec::new(),
            prefix: "/fiftythree".to_owned(),
            node: "one".to_owned(),
            region: None,
            agreement: crate::model::Agreement::default(),
            certificate_authorities: Vec::new(),
            tls: None,
            user: None,
            secret_file: None,
        };
        assert_eq!(cluster.directory(), Path::new(SHARED));
        let settings = Settings { cluster: Some(cluster), ..Settings::built_in() };
        let served: Vec<ServedFile> = served.iter().map(|(path, zone)| known(path, zone)).collect();
        select_sources(texts(current, last_good, &served), &settings, phase).unwrap()
    }

    #[test]
    fn a_zone_that_is_in_the_cluster_too_is_served_from_there() {
        let (p, other) = (file("p.toml", &plain("p.test", "192.0.2.1")), file("q.toml", &plain("q.test", "192.0.2.1")));
        let in_etcd = shared("p.test.toml", &plain("p.test", "192.0.2.2"));
        let current = [in_etcd.clone(), p.clone(), other.clone()];
        let good = [p.clone(), other.clone()];
        let known = [("p.toml", "p.test"), ("q.toml", "q.test")];
        // Both were served before, and one is new.
        for (good, known, phase) in [
            (&good[..], &[][..], LoadPhase::Reload),
            (&current[..], &[][..], LoadPhase::Reload),
            (&good[..], &known[..], LoadPhase::Start),
            (&[][..], &known[..], LoadPhase::Start),
            (&[][..], &[][..], LoadPhase::Start),
        ] {
            let selected = on_node((&current, good), known, phase);
            assert_eq!(selected.sources, [in_etcd.clone(), other.clone()], "{good:?} {known:?} {phase:?}");
            assert_eq!((names(&selected.left_out), names(&selected.yielding)), (vec!["p.toml"], vec!["p.toml"]));
            assert_eq!((selected.frozen, selected.unavailable), (vec![], vec![]));
            let errors = selected.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
            let errors: Vec<_> = errors.map(|diagnostic| (&*diagnostic.path, &*diagnostic.message)).collect();
            assert!(
                matches!(&errors[..], [(path, why)] if *path == Path::new("p.toml") && why.contains("is defined in two")),
                "{errors:?}"
            );
        }
        // So is one whose file on this machine is broken and has no copy.
        let current = [in_etcd.clone(), file("p.toml", "name = 'p.test'\n[[record"), other.clone()];
        let selected = on_node((&current, &[]), &known, LoadPhase::Start);
        assert_eq!((names(&selected.left_out), &*selected.sources), (vec!["p.toml"], &[in_etcd, other][..]));
    }

    #[test]
    fn a_file_of_this_machine_does_not_yield_to_a_broken_one_of_the_cluster() {
        let p = file("p.toml", &plain("p.test", "192.0.2.1"));
        let broken = shared("p.test.toml", &(plain("p.test", "192.0.2.2") + "colour = 1\n"));
        let selected = on_node((&[broken.clone(), p.clone()], std::slice::from_ref(&p)), &[], LoadPhase::Reload);
        assert_eq!((&*selected.sources, selected.yielding), (std::slice::from_ref(&p), vec![]));
        assert_eq!(selected.left_out, [&*broken.path]);
        // Its last good version has another zone.
        let before = shared("p.test.toml", &plain("before.test", "192.0.2.2"));
        let selected = on_node((&[broken, p.clone()], &[before.clone(), p.clone()]), &[], LoadPhase::Reload);
        assert_eq!((selected.sources, selected.yielding), (vec![before, p], vec![]));
    }

    #[test]
    fn what_needs_a_check_of_a_file_that_yields_is_not_served_and_all_else_is() {
        let p = file("p.toml", &(plain("p.test", "192.0.2.1") + &check("x")));
        let q = file("q.toml", &zone("q.test", "x", "192.0.2.1"));
        let (r, new) = (file("r.toml", &plain("r.test", "192.0.2.1")), file("r.toml", &plain("r.test", "192.0.2.2")));
        let in_etcd = shared("p.test.toml", &plain("p.test", "192.0.2.2"));
        let current = [in_etcd.clone(), p.clone(), q.clone(), new.clone()];
        let good = [p, q, r];
        let selected = on_node((&current, &good), &[], LoadPhase::Reload);
        assert_eq!(selected.sources, [in_etcd.clone(), new.clone()]);
        let known = [("p.toml", "p.test"), ("q.toml", "q.test"), ("r.toml", "r.test")];
        let selected = on_node((&current, &good), &known, LoadPhase::Start);
        assert_eq!((unavailable(&selected), &*selected.sources), (vec!["q.toml"], &[in_etcd, new][..]));
    }

    /// The possible contents of a file in the property tests, valid and broken.
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
            // From here on names of files conflict.
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

    /// All files that a file depends on, also indirectly, in the current and the last good texts.
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
