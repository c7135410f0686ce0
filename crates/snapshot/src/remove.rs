//! Removing a snapshot.
//!
//! ```text
//!  1  <manifest> withdrawn in place, synced              the snapshot no longer exists
//!  2  packs removed, directory synced
//!  3  <manifest> removed
//! ```
//!
//! Crash before 3: the withdrawn manifest still names the packs, and the next writable open goes on at 2.

use disk::Dir;

use crate::error::{Error, Result};
use crate::file_name::{self, FileName, PackName};
use crate::leftovers;
use crate::manifest_file;
use crate::snapshot_id::SnapshotId;

pub(crate) fn remove(dir: &dyn Dir, id: SnapshotId) -> Result<()> {
    let name = file_name::manifest(id);
    match manifest_file::read(dir, &name, id) {
        Ok(file) => {
            let kept = leftovers::packs_of_others(dir, id)?;
            manifest_file::withdraw(dir, &name)?;
            leftovers::discard(dir, &name, &file.manifest, &kept)
        }
        Err(Error::Damaged { .. }) => {
            // Nobody can use it, and it can not say which packs are its own: they go first, by their names.
            let kept = leftovers::packs_of_others(dir, id)?;
            let own = packs_written_for(dir, id)?;
            leftovers::remove_packs(dir, own.into_iter().filter(|pack| !kept.contains(pack)))?;
            leftovers::remove_if_there(dir, &name)?;
            Ok(dir.sync()?)
        }
        Err(Error::Io(error)) if error.is_not_found() => Err(Error::NotFound(id)),
        Err(error) => Err(error),
    }
}

fn packs_written_for(dir: &dyn Dir, id: SnapshotId) -> Result<Vec<PackName>> {
    let entries = dir.list()?;
    let ours = entries
        .iter()
        .filter_map(|entry| FileName::parse(&entry.name));
    Ok(ours
        .filter_map(|name| match name {
            FileName::Pack(pack) if pack.written_for == id => Some(pack),
            _ => None,
        })
        .collect())
}
