//! What every file with a name of ours says about snapshots, read once.

use std::collections::HashSet;

use disk::{Dir, EntryKind};

use crate::error::Result;
use crate::file_name::{FileName, PackName};
use crate::manifest_file::{self, Found};
use crate::snapshot_id::SnapshotId;

/// A file and what it says.
#[derive(Debug)]
pub(crate) struct Sighted {
    pub(crate) file: FileName,
    pub(crate) found: Result<Found>,
}

/// Looks at all files, or at those of one snapshot; in order of their names.
///
/// Unfinished packs, which say nothing, are left out, and so are packs of version 1: their manifest answers for them, even for one whose header can not
/// be read.
pub(crate) fn survey(dir: &dyn Dir, of: Option<SnapshotId>) -> Result<Vec<Sighted>> {
    let mut sighted = Vec::new();
    for entry in dir.list()? {
        let Some(file) = FileName::parse(&entry.name) else {
            continue;
        };
        let is_wanted = match file {
            FileName::TemporaryPack(_) => false,
            // Of ours it would be a file; one that stands for a snapshot is named even if it is none.
            FileName::TemporaryManifest(_) => entry.kind == EntryKind::File,
            FileName::Manifest(_) | FileName::Pack(_) => true,
        };
        if is_wanted && of.is_none_or(|id| id == file.id()) {
            let found = manifest_file::read(dir, file);
            sighted.push(Sighted { file, found });
        }
    }
    let answered_for: HashSet<PackName> = sighted
        .iter()
        .filter(|sighted| !matches!(sighted.file, FileName::Pack(_)))
        .filter_map(|sighted| sighted.found.as_ref().ok())
        .flat_map(Found::packs)
        .collect();
    sighted.retain(|sighted| match (&sighted.found, sighted.file) {
        (Ok(Found::Blobs), _) => false,
        (Err(_), FileName::Pack(pack)) => !answered_for.contains(&pack),
        _ => true,
    });
    Ok(sighted)
}
