//! What every file with a name of ours says about snapshots, read once.
//!
//! Whoever changes the directory keeps one survey from beginning to end, and notes in it what it changes: nobody else changes the directory meanwhile, so no file is read
//! twice for one snapshot. After an error nothing is known any more, and the next look is a fresh one.

use std::collections::{HashMap, HashSet};

use disk::{Access, Dir, EntryKind};

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

/// What has been seen of a directory so far.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// All names of ours, in their order; `None` before the first look.
    names: Option<Vec<(FileName, EntryKind)>>,
    /// What was read of those that are whole.
    read: HashMap<FileName, Found>,
    lengths: HashMap<FileName, u64>,
}

impl Survey {
    /// All names of ours, in their order.
    pub(crate) fn names(&mut self, dir: &dyn Dir) -> Result<&[(FileName, EntryKind)]> {
        if self.names.is_none() {
            let entries = dir.list()?.into_iter();
            let ours =
                entries.filter_map(|entry| Some((FileName::parse(&entry.name)?, entry.kind)));
            self.names = Some(ours.collect());
        }
        Ok(self.names.as_deref().unwrap_or_default())
    }

    /// What a file says.
    fn found(&mut self, dir: &dyn Dir, file: FileName) -> Result<Found> {
        if let Some(found) = self.read.get(&file) {
            return Ok(found.clone());
        }
        let opened = dir.open(&file.to_string(), Access::Read)?;
        self.lengths.insert(file, opened.len()?);
        let found = manifest_file::read_open(dir, file, &*opened)?;
        self.read.insert(file, found.clone());
        Ok(found)
    }

    /// How long a file is.
    pub(crate) fn length(&mut self, dir: &dyn Dir, file: FileName) -> disk::Result<u64> {
        if let Some(length) = self.lengths.get(&file) {
            return Ok(*length);
        }
        let length = dir.open(&file.to_string(), Access::Read)?.len()?;
        self.lengths.insert(file, length);
        Ok(length)
    }

    /// Looks at all files, or at those of one snapshot; in order of their names.
    ///
    /// Unfinished packs, which say nothing, are left out, and so are packs of version 1: their manifest answers for them, even for one whose header can not
    /// be read.
    pub(crate) fn sighted(
        &mut self,
        dir: &dyn Dir,
        of: Option<SnapshotId>,
    ) -> Result<Vec<Sighted>> {
        let mut sighted = Vec::new();
        for (file, kind) in self.names(dir)?.to_vec() {
            let is_wanted = match file {
                FileName::TemporaryPack(_) => false,
                // Of ours it would be a file; one that stands for a snapshot is named even if it is none.
                FileName::TemporaryManifest(_) => kind == EntryKind::File,
                FileName::Manifest(_) | FileName::Pack(_) => true,
            };
            if is_wanted && of.is_none_or(|id| id == file.id()) {
                let found = self.found(dir, file);
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

    /// Notes that a file was made, or that it says something else now.
    pub(crate) fn changed(&mut self, file: FileName) {
        self.gone(file);
        if let Some(names) = &mut self.names {
            names.push((file, EntryKind::File));
            names.sort_by_key(|(file, _)| file.to_string());
        }
    }

    /// Notes that a file is not there any more.
    pub(crate) fn gone(&mut self, file: FileName) {
        self.read.remove(&file);
        self.lengths.remove(&file);
        if let Some(names) = &mut self.names {
            names.retain(|(name, _)| *name != file);
        }
    }
}
