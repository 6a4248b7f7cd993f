//! `fiftythree cluster`: the files that nodes share through etcd, and the nodes.

mod disagreements;
mod status;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use tokio::runtime::Runtime;

use crate::cluster::{ClusterFiles, NodeState, connect, is_file_name, read_opinions};
use crate::config::{CookieSettings, SourceFile, Style};
use crate::history::ObjectChange;
use crate::load::{LoadedConfig, Refused, Scope, differences, load_offline};
use crate::model::Agreement;
use crate::objects::Author;
use crate::plan::PlannedObject;
use crate::store::{self, Contents, Existing, Overrides, SettingsSource, Writers};
use crate::visible_text::visible;

use disagreements::{Disagreement, disagreements};
use status::{CookieSecretsOfNodes, StatusReport};

use super::login_name::login_name;
use super::paint::Paint;
use super::{plan, print, print_error, print_json, settings};

const APPLY_EXAMPLES: &str = "\
Examples:
  fiftythree cluster apply ./zones          shows what would change
  fiftythree cluster apply ./zones --yes    changes it

Afterwards etcd has the files of the directory and no others. Each file is changed as a whole: every node answers with all \
of it or with none. If a file has an error, nothing is changed.

Exit code: 0 when etcd has the files, or the plan is printed; 1 on failure; 2 for a wrong command line.";

const DUMP_EXAMPLES: &str = "\
Examples:
  fiftythree cluster dump ./backup

The directory must be empty; it is created if it does not exist. `fiftythree cluster apply` copies the files back to etcd. \
Only you can read a file that has secrets, such as `request_headers` of a health check (mode 0600); other files get the \
usual mode.

Exit code: 0 when all files are written; 1 on failure; 2 for a wrong command line.";

const STATUS_EXAMPLES: &str = "\
Examples:
  fiftythree cluster status
  fiftythree cluster status --json | jq '.nodes[].revision'

Each node is listed with its region, addresses, version and number of files. It is behind when it does not answer with the \
last change yet. Settings that change answers and are not shared are compared with those of the first node. Files that are \
damaged in etcd are listed with the reason, and so is a server that has the name of another node. Health checks on which \
the nodes disagree follow, with the reasons.

Exit code: 0 when etcd has a configuration, no file in it is damaged, every node has the last change, the same \
settings and a name of its own, and this one can open what is sealed in etcd; 1 otherwise; 2 for a wrong command line.";

/// How long etcd may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// Show and change the files that nodes share through etcd
#[derive(Debug, clap::Args)]
pub(super) struct ClusterArguments {
    #[command(subcommand)]
    command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Replace the zone files in etcd by those of a directory
    Apply(ApplyArguments),
    /// Write the zone files of etcd to a directory
    Dump(DumpArguments),
    /// Show the nodes, which of them are behind, and where they disagree about health
    Status(StatusArguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = APPLY_EXAMPLES)]
struct ApplyArguments {
    /// The directory with the zone files
    directory: PathBuf,
    /// Make the changes; without this they are only shown
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigArguments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = DUMP_EXAMPLES)]
struct DumpArguments {
    /// The directory to write to
    directory: PathBuf,
    #[command(flatten)]
    config: ConfigArguments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = STATUS_EXAMPLES)]
struct StatusArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ConfigArguments {
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What etcd has, and how to change it.
struct Cluster {
    runtime: Runtime,
    source: SettingsSource,
    files: Arc<ClusterFiles>,
    cookies: CookieSettings,
    agreement: Agreement,
}

/// A file that changes.
struct Step {
    name: String,
    before: Option<Arc<str>>,
    after: Option<Arc<str>>,
    /// It is damaged in etcd, and has no text before.
    is_damaged: bool,
    /// Other files may need what it defines.
    defines: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &ClusterArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        ClusterCommand::Apply(apply) => Cluster::open(&apply.config)?.apply(apply),
        ClusterCommand::Dump(dump) => Cluster::open(&dump.config)?.dump(&dump.directory),
        ClusterCommand::Status(status) => Cluster::open(&status.config)?.status(status.json),
    }
}

impl Cluster {
    fn open(arguments: &ConfigArguments) -> anyhow::Result<Cluster> {
        let file = settings::locate(arguments.config.as_deref())?;
        let source = SettingsSource { file, overrides: Overrides::default() };
        let settings = source.read().settings.context("the settings are broken; `fiftythree check` reports how")?;
        let cookies = settings.cookies;
        let Some(cluster) = settings.cluster else { bail!("the settings have no `[cluster]`") };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let files = Arc::new(ClusterFiles::open(&cluster, Vec::new())?);
        let agreement = cluster.agreement;
        if !runtime.block_on(connect(&files, CONNECT_TIMEOUT)) {
            bail!("{}", *files.link().borrow());
        }
        Ok(Cluster { runtime, source, files, cookies, agreement })
    }

    fn apply(&self, arguments: &ApplyArguments) -> anyhow::Result<ExitCode> {
        let wanted = self.load(&arguments.directory)?;
        let steps = self.steps(&arguments.directory)?;
        let changes = self.load_current()?.map(|before| differences(&before, &wanted));
        print(&plan_text(&steps, changes.as_deref()))?;
        if !arguments.yes {
            return Ok(ExitCode::SUCCESS);
        }
        let author = Author { name: login_name(), operation: "cluster apply".to_owned() };
        for step in &steps {
            let write = self.files.write_text(&step.name, step.before.as_deref(), step.after.as_deref(), &author);
            self.runtime.block_on(write).with_context(|| {
                format!("{} is not changed, nor what comes after it; apply the directory again", step.name)
            })?;
        }
        self.runtime.block_on(self.files.complete()).map_err(anyhow::Error::msg)?;
        if !steps.is_empty() {
            print(&format!("etcd has {}\n", files(self.files.count())))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Loads the files of etcd; `None` if they have errors.
    fn load_current(&self) -> anyhow::Result<Option<LoadedConfig>> {
        // As a directory, for the same loader.
        let current = tempfile::tempdir().context("cannot make a temporary directory")?;
        for file in self.files.texts() {
            write(current.path(), &file)?;
        }
        Ok(load_offline(&self.source, &[current.path().to_owned()], Scope::Zones).ok().map(|loaded| loaded.base))
    }

    /// The health checks on which these nodes disagree.
    fn disagreements(&self, nodes: &BTreeMap<String, NodeState>) -> anyhow::Result<Vec<Disagreement>> {
        let mut stated = self.runtime.block_on(read_opinions(&self.files))?;
        // What a node said that is gone counts nowhere.
        stated.retain(|(node, _)| nodes.contains_key(&**node));
        if disagreements(&stated, &BTreeMap::new()).is_empty() {
            return Ok(Vec::new());
        }
        let checks = self.load_current()?.map(|base| base.checks).unwrap_or_default();
        let names = checks.iter().map(|check| (check.id.clone(), check.name.clone())).collect();
        Ok(disagreements(&stated, &names))
    }

    /// Loads the files as a node would.
    fn load(&self, directory: &Path) -> anyhow::Result<LoadedConfig> {
        match load_offline(&self.source, &[directory.to_owned()], Scope::Zones) {
            Ok(loaded) if loaded.summary.errors == 0 => Ok(loaded.base),
            Ok(loaded) => {
                print_error(&loaded.summary.diagnostics.render(Style::Plain));
                bail!("the files have errors; nothing is changed");
            }
            Err(Refused::Diagnostics { diagnostics, .. }) => {
                print_error(&diagnostics.render(Style::Plain));
                bail!("the files have errors; nothing is changed");
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// What changes: first what defines checks and collections, last what is removed.
    fn steps(&self, directory: &Path) -> anyhow::Result<Vec<Step>> {
        let name_of = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let current = self.files.texts();
        let mut current: BTreeMap<String, Arc<str>> =
            current.into_iter().map(|file| (name_of(&file.path), file.text)).collect();
        let (mut steps, mut damaged) = (Vec::new(), self.files.damaged());
        let paths = store::zone_files(directory).with_context(|| format!("cannot read {}", directory.display()))?;
        for path in paths {
            let name = name_of(&path);
            if !is_file_name(&name) {
                bail!("a file of the cluster cannot have the name {name:?}; nothing is changed");
            }
            let Contents::Text { source, .. } = store::read_text(&path, &Writers::Unknown)
                .map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?
            else {
                continue;
            };
            let before = current.remove(&name);
            let is_damaged = damaged.remove(&name).is_some();
            if before.as_ref() != Some(&source.text) {
                let defines = crate::config::may_define_for_others(&source);
                steps.push(Step { name, before, after: Some(source.text), is_damaged, defines });
            }
        }
        let removed = |name, before, is_damaged| Step { name, before, after: None, is_damaged, defines: true };
        steps.sort_by_key(|step| !step.defines);
        steps.extend(current.into_iter().map(|(name, before)| removed(name, Some(before), false)));
        steps.extend(damaged.into_keys().map(|name| removed(name, None, true)));
        Ok(steps)
    }

    fn dump(&self, directory: &Path) -> anyhow::Result<ExitCode> {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let mut entries =
            std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
        if entries.next().is_some() {
            bail!("{} is not empty", directory.display());
        }
        let texts = self.files.texts();
        if texts.is_empty() && self.files.damaged().is_empty() {
            bail!("etcd has no files; nothing is written");
        }
        let new = texts.iter().map(|file| {
            let name = file.path.file_name().unwrap_or_default();
            (directory.join(name), &*file.text)
        });
        store::write_files(&new.collect::<Vec<_>>(), Existing::Refuse)?;
        let are = if texts.len() == 1 { "is" } else { "are" };
        print(&format!("{} {are} in {}\n", files(texts.len()), directory.display()))?;
        let damaged = self.files.damaged();
        if !damaged.is_empty() {
            let lines: Vec<String> = damaged.into_values().collect();
            bail!("not all files are written: {}", lines.join("\n"));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn status(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let etcd = self.runtime.block_on(self.files.status())?;
        let disagreements = self.disagreements(&etcd.nodes)?;
        let status = StatusReport {
            files: self.files.count(),
            has_version: self.files.has_version(),
            damaged: self.files.damaged(),
            cookies: self.cookie_secrets()?,
            agreement: self.agreement,
            disagreements,
            etcd,
        };
        if is_json {
            print_json(&status.json())?;
        } else {
            print(&status.text())?;
        }
        Ok(if status.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// As the settings of this node say, and as it can open what etcd has.
    fn cookie_secrets(&self) -> anyhow::Result<CookieSecretsOfNodes> {
        let why = match (&self.cookies, self.files.cookie_secrets()) {
            (CookieSettings { enabled: false, .. }, _) => "`[cookies]` are not enabled here",
            (CookieSettings { secrets_file: Some(_), .. }, _) => "`[cookies]` has a `secrets_file` here",
            (_, None) => "`[cluster]` has no `secret_file` here",
            (_, Some(sealed)) => {
                let version = self.runtime.block_on(sealed.document().read())?;
                return Ok(match sealed.open(&version) {
                    Ok(Some(_)) => CookieSecretsOfNodes::Shared,
                    Ok(None) => CookieSecretsOfNodes::OfEachNode("no node has shared any yet"),
                    Err(why) => CookieSecretsOfNodes::Unusable(why),
                });
            }
        };
        Ok(CookieSecretsOfNodes::OfEachNode(why))
    }
}

/// The files that change, and what changes in them.
fn plan_text(steps: &[Step], changes: Option<&[ObjectChange]>) -> String {
    if steps.is_empty() {
        return "etcd has these files already\n".to_owned();
    }
    let mut text = String::new();
    for Step { name, before, after, is_damaged, .. } in steps {
        let sign = match (before, after) {
            (_, None) => '-',
            (None, _) if !is_damaged => '+',
            _ => '~',
        };
        let remark = if *is_damaged { " (damaged in etcd)" } else { "" };
        let _ = writeln!(text, "{sign} {}{remark}", visible(name));
    }
    let changes: Vec<PlannedObject> = changes.unwrap_or_default().iter().map(PlannedObject::from).collect();
    text + &plan::changes(&changes, Paint::of_stdout())
}

fn write(directory: &Path, file: &SourceFile) -> anyhow::Result<()> {
    let path = directory.join(file.path.file_name().unwrap_or_default());
    std::fs::write(&path, &*file.text).with_context(|| format!("cannot write {}", path.display()))
}

/// Such as `2 files`.
fn files(count: usize) -> String {
    format!("{count} {}", if count == 1 { "file" } else { "files" })
}
