//! The names in a database's directory.

use std::sync::Arc;

use disk::Dir;

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

/// A subdirectory, made durably if there is none.
pub(crate) fn existing_or_new(dir: &dyn Dir, name: &str) -> Result<Arc<dyn Dir>> {
    match existing(dir, name)? {
        // A crash may have left a name that is not durable yet.
        Some(found) => {
            dir.sync()?;
            Ok(found)
        }
        None => Ok(dir.create_dir_durable(name)?),
    }
}
