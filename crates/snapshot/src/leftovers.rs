//! What nobody needs any more, and how it goes away: files of interrupted writes, and withdrawn snapshots.
//!
//! ```text
//!  1  <pack>.tmp                    removed
//!  2  withdrawn snapshots           withdrawn again, synced, unless this process has done that
//!  3  their packs, but for those that a published snapshot names, removed; directory synced
//!  4  their manifests of version 1  removed; directory synced
//! ```
//!
//! Why 2: the sync that withdrew one may have failed. After a power cut it may then be published again, and must not lack what went because it was not.
//!
//! A file that can not be read may be a published snapshot, and need any pack that was written before it: none of those goes. A
//! pack that is neither withdrawn nor named by a manifest that is, is somebody's: it stays.

use std::collections::HashSet;

use disk::{Dir, EntryKind};

use crate::changing::Changing;
use crate::error::Result;
use crate::file_name::{FileName, PackName};
use crate::manifest_file::Found;
use crate::snapshot_id::SnapshotId;
use crate::survey::Sighted;

/// Clears up after interrupted writes and removals.
pub(crate) fn sweep(dir: &dyn Dir, changing: &mut Changing) -> Result<()> {
    for (file, kind) in changing.survey.names(dir)?.to_vec() {
        if kind == EntryKind::File && matches!(file, FileName::TemporaryPack(_)) {
            changing.remove(dir, file)?;
        }
    }
    clear(dir, changing, None)
}

/// Removes what is withdrawn and not needed, and what of the snapshot `removed` is damaged.
pub(crate) fn clear(
    dir: &dyn Dir,
    changing: &mut Changing,
    removed: Option<SnapshotId>,
) -> Result<()> {
    let mut kept: HashSet<PackName> = HashSet::new();
    // Files that say nothing good, and the packs that go with them.
    let mut unwanted: Vec<(FileName, Vec<PackName>)> = Vec::new();
    let mut to_withdraw: Vec<FileName> = Vec::new();
    let mut unread: Option<SnapshotId> = None;
    for Sighted { file, found } in changing.survey.sighted(dir, None)? {
        match found {
            Ok(Found::Published(manifest)) => kept.extend(manifest.pack_list()),
            Ok(found) => {
                unwanted.push((file, found.packs()));
                to_withdraw.extend(Some(file).filter(|file| {
                    !matches!(file, FileName::TemporaryManifest(_))
                        && !changing.withdrawn.contains(file)
                }));
            }
            Err(error) if removed == Some(file.id()) && !error.is_no_file() => {
                if !error.is_damage() {
                    return Err(error);
                }
                // It can not say which packs are its own: they go by their names.
                unwanted.push((file, packs_of(changing.survey.names(dir)?, file)));
            }
            Err(_) => unread = unread.max(Some(file.id())),
        }
    }
    unwanted.retain(|(file, packs)| {
        Some(file.id()) > unread
            && (!matches!(file, FileName::Pack(_)) || packs.iter().any(|pack| !kept.contains(pack)))
    });
    if unwanted.is_empty() {
        return Ok(());
    }
    for file in to_withdraw {
        changing.withdraw(dir, file)?;
    }
    for pack in unwanted.iter().flat_map(|(_, packs)| packs) {
        if !kept.contains(pack) {
            changing.remove(dir, FileName::Pack(*pack))?;
        }
    }
    dir.sync()?;
    let files = unwanted.into_iter().map(|(file, _)| file);
    let manifests: Vec<FileName> = files
        .filter(|file| !matches!(file, FileName::Pack(_)))
        .collect();
    if manifests.is_empty() {
        return Ok(());
    }
    for file in manifests {
        changing.remove(dir, file)?;
    }
    Ok(dir.sync()?)
}

/// The packs of a damaged snapshot.
fn packs_of(names: &[(FileName, EntryKind)], file: FileName) -> Vec<PackName> {
    let mut packs = Vec::new();
    for (name, _) in names {
        if let FileName::Pack(pack) = *name
            && (*name == file || file == FileName::Manifest(pack.written_for))
        {
            packs.push(pack);
        }
    }
    packs
}
