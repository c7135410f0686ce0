//! What interrupted writes and removals leave behind, and how it goes away.
//!
//! Only names of our own temporary pattern are removed, withdrawn manifests, and packs that a whole manifest of one
//! of these kinds names while no published one does. A pack without any manifest is somebody's: it stays.

use std::collections::HashSet;

use disk::{Dir, EntryKind};

use crate::error::{Error, Result};
use crate::file_name::{self, FileName, PackName};
use crate::manifest::Manifest;
use crate::manifest_file;
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
    // File name, manifest, and whether it is published.
    let mut unwanted: Vec<(String, Manifest, bool)> = Vec::new();
    for name in &ours {
        match name {
            FileName::Manifest(id) => {
                let name = file_name::manifest(*id);
                match manifest_file::read(dir, &name, *id) {
                    Ok(file) if file.is_withdrawn => unwanted.push((name, file.manifest, true)),
                    Ok(file) => kept.extend(pack_names(&file.manifest)),
                    Err(_) => all_readable = false,
                }
            }
            FileName::TemporaryManifest(id) => {
                let name = file_name::temporary_manifest(*id);
                match manifest_file::read(dir, &name, *id) {
                    Ok(file) => unwanted.push((name, file.manifest, false)),
                    // It was never durable, so none of its packs had its final name yet.
                    Err(error) if error.is_damage() => dir.remove(&name)?,
                    Err(Error::NewerFormat { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            FileName::TemporaryPack(name) => dir.remove(&name.temporary())?,
            FileName::Pack(_) => {}
        }
    }
    if !all_readable {
        // A manifest that can not be read may need the packs.
        return Ok(());
    }
    for (name, manifest, is_published) in unwanted {
        if is_published {
            manifest_file::withdraw(dir, &name)?;
        }
        discard(dir, &name, &manifest, &kept)?;
    }
    Ok(())
}

/// Removes the packs of a manifest that is withdrawn or was never published, but for those in `kept`, and then the
/// manifest.
pub(crate) fn discard(
    dir: &dyn Dir,
    name: &str,
    manifest: &Manifest,
    kept: &HashSet<PackName>,
) -> Result<()> {
    let unneeded = pack_names(manifest).filter(|pack| !kept.contains(pack));
    remove_packs(dir, unneeded)?;
    // Not synced: if it comes back after a crash, it is as withdrawn as before, and goes again.
    remove_if_there(dir, name)
}

/// The packs that published, readable manifests name, but for that of `id`.
pub(crate) fn packs_of_others(dir: &dyn Dir, id: SnapshotId) -> Result<HashSet<PackName>> {
    let mut packs = HashSet::new();
    for entry in dir.list()? {
        if let Some(FileName::Manifest(other)) = FileName::parse(&entry.name)
            && other != id
            && let Ok(file) = manifest_file::read(dir, &entry.name, other)
            && !file.is_withdrawn
        {
            packs.extend(pack_names(&file.manifest));
        }
    }
    Ok(packs)
}

/// Removes packs, durably.
pub(crate) fn remove_packs(dir: &dyn Dir, packs: impl Iterator<Item = PackName>) -> Result<()> {
    for pack in packs {
        remove_if_there(dir, &pack.temporary())?;
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

fn pack_names(manifest: &Manifest) -> impl Iterator<Item = PackName> + '_ {
    manifest.packs().iter().map(|pack| pack.name)
}
