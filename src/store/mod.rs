//! Zones and settings on disk: reads what users write, keeps what was good, and notices edits.
//!
//! This module knows neither the meaning of a zone nor that of a journal line. A source that cannot
//! be read now (no permission, not UTF-8, in the middle of a save, missing directory) does not stop
//! its zone: the source that was served before is used instead.

mod encoding;
mod health_journal;
mod last_good;
mod lines;
mod made_token;
mod memory_room;
mod private;
mod read;
mod replace;
mod settings;
mod source_cache;
mod state_lock;
mod state_writer;
mod symlinks;
mod watch;
mod watched_files;
mod writers;
mod zone_index;

pub use health_journal::{Found, Journal};
pub use last_good::{Kept, LastGood, NotKept};
pub use made_token::{made_token_path, read_made_token, write_made_token};
pub use memory_room::MemoryRoom;
pub use private::{NotTightened, tighten};
pub use read::{Contents, read_text};
pub use replace::{ReplaceError, replace_file};
pub use settings::{Overrides, SettingsReading, SettingsSource};
pub use source_cache::{SourceCache, TextPrint};
pub use state_lock::{StateInUse, StateLock};
pub use state_writer::{AllLines, Done, NotDurable, StateWriter, StateWriterThread, keep};
pub use symlinks::disclosure_of;
pub use watch::Watcher;
pub use watched_files::{Fingerprint, Stamp, Targets, zone_files};
pub use writers::{STILL, WriteState, Writers};
