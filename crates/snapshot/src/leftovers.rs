//! What interrupted writes and removals leave behind, and how it goes away.
//!
//! Only names of our own temporary pattern are removed, and packs that a whole temporary manifest names while no
//! published one does. A pack without any manifest is somebody's: it stays.

use std::collections::HashSet;

use disk::{Access, Dir, EntryKind};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::{self, FileName, PackName};
use crate::format::{HEADER_BYTES, MANIFEST_BYTES_MAX};
use crate::manifest::Manifest;
use crate::snapshot_id::SnapshotId;

/// Clears up after interrupted writes and removals.
pub(crate) fn sweep(dir: &dyn Dir) -> Result<()> {
    let entries = dir.list()?;
    let ours: Vec<FileName> = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .filter_map(|entry| FileName::parse(&entry.name))
        .collect();
    let mut kept: HashSet<PackName> = HashSet::new();
    let mut all_readable = true;
    let mut withdrawn = Vec::new();
    for name in &ours {
        match name {
            FileName::Manifest(id) => match read_manifest(dir, &file_name::manifest(*id), *id) {
                Ok(manifest) => kept.extend(manifest.packs().iter().map(|pack| pack.name)),
                Err(_) => all_readable = false,
            },
            FileName::TemporaryManifest(id) => withdrawn.push(*id),
            FileName::TemporaryPack(name) => dir.remove(&name.temporary())?,
            FileName::Pack(_) => {}
        }
    }
    if !withdrawn.is_empty() {
        // A withdrawal that a crash could still undo must not cost packs.
        dir.sync()?;
    }
    for id in withdrawn {
        let name = file_name::temporary_manifest(id);
        match read_manifest(dir, &name, id) {
            // A manifest that can not be read may need these packs.
            Ok(_) if !all_readable => continue,
            Ok(manifest) => {
                let packs = manifest.packs().iter().map(|pack| pack.name);
                remove_packs(dir, packs.filter(|pack| !kept.contains(pack)))?;
            }
            // A torn one was never durable, so no pack had its final name yet.
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error),
        }
        remove_if_there(dir, &name)?;
    }
    Ok(())
}

/// Reads the manifest of `id` from the file `name`.
pub(crate) fn read_manifest(dir: &dyn Dir, name: &str, id: SnapshotId) -> Result<Manifest> {
    let file = dir.open(name, Access::Read)?;
    let length = file.len()?;
    let path = dir.path().join(name);
    let Some(buffer_length) = usize::try_from(length)
        .ok()
        .filter(|length| *length <= MANIFEST_BYTES_MAX)
    else {
        let kind = DamageKind::Length {
            expected: MANIFEST_BYTES_MAX as u64,
            found: length,
        };
        return Err(Error::damaged(&path, HEADER_BYTES as u64, kind));
    };
    let mut bytes = vec![0; buffer_length];
    let filled = file.read_up_to(0, &mut bytes)?;
    Manifest::decode(&bytes[..filled], id, &path)
}

/// Takes back the name of a published manifest, durably. Ok if there is none.
pub(crate) fn withdraw(dir: &dyn Dir, id: SnapshotId) -> Result<()> {
    match dir.rename(&file_name::manifest(id), &file_name::temporary_manifest(id)) {
        Err(error) if error.is_not_found() => return Ok(()),
        renamed => renamed?,
    }
    Ok(dir.sync()?)
}

/// Removes packs, durably.
pub(crate) fn remove_packs(dir: &dyn Dir, packs: impl Iterator<Item = PackName>) -> Result<()> {
    for pack in packs {
        remove_if_there(dir, &pack.published())?;
    }
    Ok(dir.sync()?)
}

pub(crate) fn remove_if_there(dir: &dyn Dir, name: &str) -> Result<()> {
    match dir.remove(name) {
        Err(error) if error.is_not_found() => Ok(()),
        removed => Ok(removed?),
    }
}
