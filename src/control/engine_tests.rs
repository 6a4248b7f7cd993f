//! The engine on files, with its loop and its loader, is tested as each engine is; what is in its
//! files is tested with edits by hand between the changes.

use std::fs;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::tests::{directory, load_at_start};
use super::*;
use crate::history::History;
use crate::load::FileSources;
use crate::load::queue::{self, LoadInputs};
use crate::objects::ObjectStore;
use crate::objects::suite::test_engine;
use crate::store::{self, StateWriterThread};

/// A loop and a loader on files of their own.
pub(super) struct FilesEngine {
    pub(super) directory: tempfile::TempDir,
    pub(super) objects: ServedObjects,
    pub(super) events: mpsc::Sender<Event>,
    reloads: watch::Receiver<Reloads>,
    _tasks: JoinSet<()>,
    _writer_thread: StateWriterThread,
}

impl FilesEngine {
    pub(super) fn start() -> FilesEngine {
        let directory = directory(&[]);
        let state = directory.path().join("state");
        let (history, _) = History::open(&state).unwrap();
        let (source, loaded) = load_at_start(directory.path(), history);
        let loaded = loaded.unwrap_or_else(|refused| panic!("{refused}"));
        let (_, state_writer, writer_thread) = store::start_state_writer(&state).unwrap();
        let (events, inbox) = mpsc::channel(64);
        let (jobs_in, jobs) = mpsc::unbounded_channel();
        let (base_in, base) = watch::channel(loaded.base.clone());
        let (reloads_in, reloads) = watch::channel(Reloads::default());
        let objects = ServedObjects::new(base, events.clone());
        let outputs = Outputs {
            shared_overrides: None,
            probes: watch::Sender::new(Arc::from([])),
            metric_checks: watch::Sender::new(Arc::from([])),
            pending: watch::Sender::new(0),
            opinions: watch::Sender::default(),
            jobs: jobs_in,
            base: base_in,
            state_writer,
            notices: mpsc::channel(1).0,
            reloads: reloads_in,
            event_log: EventLog::default(),
            object_events: objects.object_events.clone(),
            last_load: watch::Sender::default(),
        };
        let base = loaded.base.clone();
        let (control, ..) = Control::new(loaded, &SavedState::default(), outputs, Timestamp::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(control.run(inbox, Timestamp::default));
        let sources = Arc::new(FileSources::keeping_replaced());
        let inputs = LoadInputs::of(source, sources.clone(), sources);
        tasks.spawn(queue::run(inputs, base, jobs, events.clone()));
        FilesEngine { directory, objects, events, reloads, _tasks: tasks, _writer_thread: writer_thread }
    }

    /// Loads what was edited.
    pub(super) async fn reload(&mut self) {
        let requested = self.reloads.borrow().requested + 1;
        assert!(self.events.send(Event::Reload(Trigger::Requested)).await.is_ok());
        self.reloads.wait_for(|reloads| reloads.done >= requested).await.unwrap();
    }

    pub(super) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.directory.path().join("zones").join(file)).unwrap()
    }

    /// Saves as editors do: a new file takes the name.
    pub(super) fn save(&self, file: &str, text: &str) {
        let path = self.directory.path().join("zones").join(file);
        let new = path.with_extension("editor");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }
}

fn start() -> (Arc<dyn ObjectStore>, FilesEngine) {
    let engine = FilesEngine::start();
    (Arc::new(engine.objects.clone()), engine)
}

test_engine!(files, super::start);
