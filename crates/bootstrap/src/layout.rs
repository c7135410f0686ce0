//! The names in a database's directory.

use std::sync::Arc;

use disk::Dir;
use snapshot::Snapshots;

use crate::error::Result;

/// The lock file.
pub(crate) const LOCK: &str = "lock";
/// The directory of the segments.
pub(crate) const LOG: &str = "log";
/// The directory of the snapshots.
pub(crate) const SNAPSHOTS: &str = "snapshots";

/// A subdirectory, or `None` if there is none.
pub(crate) fn existing(dir: &dyn Dir, name: &str) -> Result<Option<Arc<dyn Dir>>> {
    match dir.open_dir(name) {
        Err(error) if error.is_not_found() => Ok(None),
        found => Ok(Some(found?)),
    }
}

/// A directory of snapshots, to be read.
pub(crate) fn snapshots_to_read(dir: Arc<dyn Dir>) -> Result<Snapshots> {
    let options = snapshot::Options {
        read_only: true,
        ..snapshot::Options::default()
    };
    Ok(Snapshots::open(dir, options)?)
}

/// A subdirectory, made durably if there is none.
///
/// Nothing of ours is ever put into one before this has returned it. So one that holds something has been returned by
/// this function before, and its name is durable. That of an empty one may not be: a crash or a failed sync may have come in between,
/// and a sync that is repeated after one that failed proves nothing. It is made anew, which the next sync has to write.
pub(crate) fn existing_or_new(dir: &dyn Dir, name: &str) -> Result<Arc<dyn Dir>> {
    if let Some(found) = existing(dir, name)? {
        if !found.list()?.is_empty() {
            // Somebody may have put it there by hand.
            dir.sync()?;
            return Ok(found);
        }
        // Crash here: there is none, and it is made the next time.
        dir.remove_dir(name)?;
    }
    Ok(dir.create_dir_durable(name)?)
}
