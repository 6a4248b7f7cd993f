//! Places at which tests stop a server that replaces a file, to kill it there. Only debug builds
//! stop.
//!
//! `$FIFTYTHREE_PAUSE` names a file with the name of a place. A replacement that reaches this place
//! writes its name to the file next to it that ends in `.reached`, and waits while the first file
//! names it.

/// Where a replacement is. A crash can come at each of these places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The hidden file has no text yet.
    Created,
    /// It has its text, which is not durable.
    Written,
    /// It has its final name.
    Complete,
    /// The file still has the text that was read.
    Checked,
    /// The names are exchanged.
    Exchanged,
    /// They are exchanged back, because somebody saved the file.
    PutBack,
    /// The old file has the text that was read.
    Compared,
    /// The exchange is durable.
    Durable,
    /// The old file is kept for its writers, or is about to be removed.
    Replaced,
}

/// A replacement is at this place.
#[cfg(not(debug_assertions))]
pub(super) fn at(_: Place) {}

/// A replacement is at this place, and stops there while a test says so.
#[cfg(debug_assertions)]
pub(super) fn at(place: Place) {
    use std::{env, fs, path, thread, time};

    let names = |file: &path::Path, place: &str| fs::read_to_string(file).is_ok_and(|text| text == place);
    let Some(file) = env::var_os("FIFTYTHREE_PAUSE").map(path::PathBuf::from) else { return };
    let place = format!("{place:?}");
    if !names(&file, &place) {
        return;
    }
    if let Err(error) = fs::write(file.with_extension("reached"), &place) {
        return tracing::error!("cannot say that the replacement is at {place}: {error}");
    }
    while names(&file, &place) {
        thread::sleep(time::Duration::from_millis(1));
    }
}
