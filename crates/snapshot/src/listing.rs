//! Which snapshots a directory holds, as far as their manifests tell.

use std::cmp::Reverse;
use std::path::PathBuf;

use disk::Dir;

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::FileName;
use crate::manifest::Manifest;
use crate::manifest_file::Found;
use crate::snapshot_id::SnapshotId;
use crate::survey::Survey;

/// The snapshots of a directory, newest first. Files that are not ours do not appear.
#[derive(Debug, Default)]
pub struct Listing {
    /// Snapshots with a sound manifest, whose packs exist with the right length; one of each transaction. The content of the packs is not
    /// checked.
    pub sound: Vec<Manifest>,
    /// Files that can not be used, and why.
    pub rejected: Vec<Rejected>,
}

/// A file that can not be used.
#[derive(Debug)]
pub struct Rejected {
    /// The snapshot that it would be.
    pub id: SnapshotId,
    /// The file of its manifest; the reason names the file at fault.
    pub file: PathBuf,
    /// What is wrong: damage, a newer format, or the disk.
    pub reason: Error,
}

/// Lists all snapshots, or those of one transaction.
pub(crate) fn list(dir: &dyn Dir, survey: &mut Survey, of: Option<SnapshotId>) -> Result<Listing> {
    let mut listing = Listing::default();
    let mut sighted = survey.sighted(dir, of)?;
    // Those of the same transaction stay in order of their names.
    sighted.sort_by_key(|sighted| Reverse(sighted.file.id()));
    for sighted in sighted {
        let found = match sighted.found {
            Ok(Found::Published(manifest)) => {
                check_packs(dir, survey, &manifest).map(|()| manifest)
            }
            Ok(_) => continue,
            // It was removed since its name was listed.
            Err(Error::Io(error)) if error.is_not_found() => continue,
            Err(reason) => Err(reason),
        };
        let is_second = listing.sound.last().map(Manifest::id) == Some(sighted.file.id());
        let file = dir.path().join(sighted.file.to_string());
        let reason = match found {
            Ok(manifest) if !is_second => {
                listing.sound.push(manifest);
                continue;
            }
            Ok(_) => Error::damaged(&file, 0, DamageKind::Duplicate),
            Err(reason) => reason,
        };
        listing.rejected.push(Rejected {
            id: sighted.file.id(),
            file,
            reason,
        });
    }
    Ok(listing)
}

/// Looks at the lengths of the packs of a manifest.
fn check_packs(dir: &dyn Dir, survey: &mut Survey, manifest: &Manifest) -> Result<()> {
    for pack in manifest.packs() {
        let name = FileName::Pack(pack.name);
        let path = dir.path().join(name.to_string());
        let found = match survey.length(dir, name) {
            Err(error) if error.is_not_found() => {
                return Err(Error::damaged(&path, 0, DamageKind::MissingPack));
            }
            length => length?,
        };
        if found != pack.length {
            let kind = DamageKind::Length {
                expected: pack.length,
                found,
            };
            return Err(Error::damaged(&path, found.min(pack.length), kind));
        }
    }
    Ok(())
}
