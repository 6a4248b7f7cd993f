//! Zones and settings on disk: reads what users write, keeps what was good, and notices edits.
//!
//! This module knows neither the meaning of a zone nor that of a journal line. A source that cannot
//! be read now (no permission, not UTF-8, in the middle of a save, missing directory) does not stop
//! its zone: the source that was served before is used instead.

mod cookie_secrets;
mod encoding;
mod health_journal;
mod hidden_names;
mod history;
mod last_good;
mod lines;
mod made_token;
mod memory_room;
mod new_files;
mod pause;
mod private;
mod read;
mod replace;
mod replaced_files;
mod settings;
mod source_cache;
mod state_lock;
mod state_writer;
mod symlinks;
mod watch;
mod watched_files;
mod writable;
mod writers;
mod zone_index;

pub(crate) use cookie_secrets::CookieSecretFile;
pub(crate) use health_journal::Found;
#[cfg(test)]
pub(crate) use health_journal::Journal;
pub(crate) use hidden_names::{LeftBehind, clean_up_after_kills};
pub(crate) use history::{HistoryFile, read_history};
pub(crate) use last_good::{LastGood, NotKept};
pub(crate) use made_token::{made_token_path, read_made_token, write_made_token};
pub(crate) use memory_room::MemoryRoom;
pub(crate) use new_files::{Existing, write_files};
pub(crate) use private::restrict_access;
#[cfg(target_os = "linux")]
pub(crate) use private::{chown_file, chown_state};
pub(crate) use read::{Contents, read_text};
pub(crate) use replace::{ReplaceError, create_file, move_to_deleted, replace_file};
pub(crate) use replaced_files::ReplacedFiles;
pub(crate) use settings::{Overrides, SettingsReading, SettingsSource};
pub(crate) use source_cache::{SourceCache, SourceHash};
pub(crate) use state_lock::StateLock;
pub(crate) use state_writer::{AllLines, Done, NotDurable, StateWriter, StateWriterThread, start_state_writer};
pub(crate) use symlinks::disclosure_of;
pub(crate) use watch::Watcher;
pub(crate) use watched_files::{Fingerprint, Stamp, Targets, is_zone_file, zone_files};
pub(crate) use writable::make_writable_directory;
pub(crate) use writers::{GONE, STILL, WriteState, Writers};
