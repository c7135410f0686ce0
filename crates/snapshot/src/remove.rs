//! Removing a snapshot.
//!
//! ```text
//!  1  <manifest> -> <manifest>.tmp, directory synced     the snapshot no longer exists
//!  2  packs removed, directory synced
//!  3  <manifest>.tmp removed, directory synced
//! ```
//!
//! Crash before 3: the temporary manifest still names the packs, and the next writable open goes on at 2.

use std::collections::HashSet;

use disk::Dir;

use crate::error::{Error, Result};
use crate::file_name::{self, FileName, PackName};
use crate::leftovers::{self, read_manifest};
use crate::snapshot_id::SnapshotId;

pub(crate) fn remove(dir: &dyn Dir, id: SnapshotId) -> Result<()> {
    let name = file_name::manifest(id);
    match read_manifest(dir, &name, id) {
        Ok(manifest) => {
            let kept = packs_of_others(dir, id)?;
            leftovers::withdraw(dir, id)?;
            let packs = manifest.packs().iter().map(|pack| pack.name);
            leftovers::remove_packs(dir, packs.filter(|pack| !kept.contains(pack)))?;
            leftovers::remove_if_there(dir, &file_name::temporary_manifest(id))?;
        }
        Err(Error::Damaged { .. }) => {
            // Nobody can use it, and once withdrawn it could not say which packs are its own: they go first.
            let kept = packs_of_others(dir, id)?;
            let own = packs_written_for(dir, id)?;
            leftovers::remove_packs(dir, own.into_iter().filter(|pack| !kept.contains(pack)))?;
            leftovers::remove_if_there(dir, &name)?;
        }
        Err(Error::Io(error)) if error.is_not_found() => return Err(Error::NotFound(id)),
        Err(error) => return Err(error),
    }
    Ok(dir.sync()?)
}

/// The packs that other readable manifests name.
fn packs_of_others(dir: &dyn Dir, id: SnapshotId) -> Result<HashSet<PackName>> {
    let mut packs = HashSet::new();
    for entry in dir.list()? {
        if let Some(FileName::Manifest(other)) = FileName::parse(&entry.name)
            && other != id
            && let Ok(manifest) = read_manifest(dir, &entry.name, other)
        {
            packs.extend(manifest.packs().iter().map(|pack| pack.name));
        }
    }
    Ok(packs)
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
