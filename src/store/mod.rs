//! Zones and settings on disk: reading what the user writes, keeping what was good, noticing edits.
//!
//! Nothing here knows what a zone means, nor what a line of the journal says. A text that cannot be had right now (unreadable, not UTF-8, caught in the middle
//! of a save, its directory gone) never takes away what is served: the text served before stands in for it.

mod archive;
mod claim;
mod encoding;
mod journal;
mod keeper;
mod last_good;
mod lines;
mod links;
mod memory_room;
mod private;
mod read;
mod settings;
mod watch;
mod writers;
mod zone_index;

pub use archive::{Archive, TextPrint};
pub use claim::{Claim, Claimed};
pub use journal::{Found, Journal};
pub use keeper::{AllLines, Done, Keeper, Keeping, NotDurable, keep};
pub use last_good::{Kept, LastGood, NotKept};
pub use links::disclosure_of;
pub use memory_room::MemoryRoom;
pub use private::{NotTightened, tighten};
pub use read::{Current, Sources, StandIn, read_zone_files, read_zone_files_within, read_zone_list, zone_files};
pub use settings::{Overrides, SettingsReading, SettingsSource};
pub use watch::{Fingerprint, Stamp, Targets, Watcher};
pub use writers::{STILL, WriteState, Writers};
