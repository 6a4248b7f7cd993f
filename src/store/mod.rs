//! Zones and settings on disk: reading what the user writes, keeping what was good, noticing edits.
//!
//! Nothing here knows what a zone means, nor what a line of the journal says. A text that cannot be had right now (unreadable, not UTF-8, caught in the middle
//! of a save, its directory gone) never takes away what is served: the text served before stands in for it.

mod encoding;
mod journal;
mod last_good;
mod lines;
mod links;
mod memory_room;
mod private;
mod read;
mod settings;
mod source_cache;
mod state_lock;
mod state_writer;
mod watch;
mod writers;
mod zone_index;

pub use journal::{Found, Journal};
pub use last_good::{Kept, LastGood, NotKept};
pub use links::disclosure_of;
pub use memory_room::MemoryRoom;
pub use private::{NotTightened, tighten};
pub use read::{Current, Sources, StandIn, read_zone_files, read_zone_files_within, read_zone_list, zone_files};
pub use settings::{Overrides, SettingsReading, SettingsSource};
pub use source_cache::{SourceCache, TextPrint};
pub use state_lock::{StateInUse, StateLock};
pub use state_writer::{AllLines, Done, NotDurable, StateWriter, StateWriterThread, keep};
pub use watch::{Fingerprint, Stamp, Targets, Watcher};
pub use writers::{STILL, WriteState, Writers};
