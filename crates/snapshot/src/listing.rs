//! Which snapshots a directory holds, as far as their manifests tell.

use std::path::PathBuf;

use disk::{Access, Dir};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::{self, FileName};
use crate::manifest::Manifest;
use crate::manifest_file;
use crate::snapshot_id::SnapshotId;

/// The snapshots of a directory, newest first. Files that are not ours do not appear.
#[derive(Debug, Default)]
pub struct Listing {
    /// Manifests that are sound and whose packs exist with the right length. The content of the packs is not
    /// checked.
    pub sound: Vec<Manifest>,
    /// Manifests that can not be used, and why.
    pub rejected: Vec<Rejected>,
}

/// A manifest that can not be used.
#[derive(Debug)]
pub struct Rejected {
    /// The snapshot that it would be.
    pub id: SnapshotId,
    /// The manifest; the reason names the file at fault.
    pub file: PathBuf,
    /// What is wrong: damage, a newer format, or the disk.
    pub reason: Error,
}

pub(crate) fn list(dir: &dyn Dir) -> Result<Listing> {
    let mut ids: Vec<SnapshotId> = dir
        .list()?
        .iter()
        .filter_map(|entry| match FileName::parse(&entry.name) {
            Some(FileName::Manifest(id)) => Some(id),
            _ => None,
        })
        .collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let mut listing = Listing::default();
    for id in ids {
        match look(dir, id) {
            Ok(manifest) => listing.sound.extend(manifest),
            Err(reason) => listing.rejected.push(Rejected {
                id,
                file: dir.path().join(file_name::manifest(id)),
                reason,
            }),
        }
    }
    Ok(listing)
}

/// Reads a manifest and looks at the lengths of its packs; `None` if it is withdrawn.
pub(crate) fn look(dir: &dyn Dir, id: SnapshotId) -> Result<Option<Manifest>> {
    let file = manifest_file::read(dir, &file_name::manifest(id), id)?;
    if file.is_withdrawn {
        return Ok(None);
    }
    let manifest = file.manifest;
    for pack in manifest.packs() {
        let name = pack.name.published();
        let path = dir.path().join(&name);
        let found = match dir.open(&name, Access::Read) {
            Err(error) if error.is_not_found() => {
                return Err(Error::damaged(&path, 0, DamageKind::MissingPack));
            }
            file => file?.len()?,
        };
        if found != pack.length {
            let kind = DamageKind::Length {
                expected: pack.length,
                found,
            };
            return Err(Error::damaged(&path, found.min(pack.length), kind));
        }
    }
    Ok(Some(manifest))
}
