//! Removing a snapshot.
//!
//! ```text
//!  1  <pack> withdrawn in place, synced                  the snapshot no longer exists
//!  2  all that is withdrawn and not named by a published snapshot removed, directory synced
//! ```
//!
//! Crash in 2: what is withdrawn stays so, and the next writable open goes on.

use disk::Dir;

use crate::changing::Changing;
use crate::error::{Error, Result};
use crate::leftovers;
use crate::manifest_file::Found;
use crate::snapshot_id::SnapshotId;

pub(crate) fn remove(dir: &dyn Dir, id: SnapshotId, changing: &mut Changing) -> Result<()> {
    let mut published = Vec::new();
    let mut is_damaged = false;
    for sighted in changing.survey.sighted(dir, Some(id))? {
        match sighted.found {
            Ok(Found::Published(_)) => published.push(sighted.file),
            Ok(_) => {}
            // Nobody can use it.
            Err(error) if error.is_damage() => is_damaged |= !error.is_no_file(),
            Err(error) => return Err(error),
        }
    }
    if published.is_empty() && !is_damaged {
        return Err(Error::NotFound(id));
    }
    for file in published {
        changing.withdraw(dir, file)?;
    }
    leftovers::clear(dir, changing, Some(id))
}
