//! Removing a snapshot.
//!
//! ```text
//!  1  <pack> withdrawn in place, synced                  the snapshot no longer exists
//!  2  all that is withdrawn and not named by a published snapshot removed, directory synced
//! ```
//!
//! Crash in 2: what is withdrawn stays so, and the next writable open goes on.

use disk::Dir;

use crate::error::{Error, Result};
use crate::leftovers::{self, Withdrawn};
use crate::manifest_file::{self, Found};
use crate::snapshot_id::SnapshotId;
use crate::survey::survey;

pub(crate) fn remove(dir: &dyn Dir, id: SnapshotId, withdrawn: &mut Withdrawn) -> Result<()> {
    let mut published = Vec::new();
    let mut is_damaged = false;
    for sighted in survey(dir, Some(id))? {
        match sighted.found {
            Ok(Found::Published(_)) => published.push(sighted.file),
            Ok(_) => {}
            // Nobody can use it.
            Err(Error::Damaged { .. }) => is_damaged = true,
            Err(error) => return Err(error),
        }
    }
    if published.is_empty() && !is_damaged {
        return Err(Error::NotFound(id));
    }
    for file in published {
        manifest_file::withdraw(dir, file)?;
        withdrawn.insert(file);
    }
    leftovers::clear(dir, withdrawn, Some(id))
}
