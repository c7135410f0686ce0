//! A directory of snapshots that is being changed.

use std::ops::ControlFlow;
use std::sync::MutexGuard;

use disk::Dir;

use crate::changing::Changing;
use crate::error::{Error, Result};
use crate::file_name::FileName;
use crate::header::Header;
use crate::leftovers;
use crate::listing::{self, Listing};
use crate::manifest::Manifest;
use crate::manifest_file;
use crate::options::Options;
use crate::outline::{Basis, Outline};
use crate::remove;
use crate::snapshot_id::SnapshotId;
use crate::source::Source;
use crate::survey::Survey;
use crate::write;
use crate::written::{Progress, Written};

/// Writes and removes snapshots, one after the other, while nobody else does: other changes wait until it is dropped. So the directory is looked at once.
#[derive(Debug)]
pub struct Change<'a> {
    dir: &'a dyn Dir,
    options: &'a Options,
    changing: MutexGuard<'a, Changing>,
}

impl<'a> Change<'a> {
    pub(crate) fn new(
        dir: &'a dyn Dir,
        options: &'a Options,
        changing: MutexGuard<'a, Changing>,
    ) -> Self {
        Change {
            dir,
            options,
            changing,
        }
    }

    /// The snapshots that can be used, newest first, as in [`Listing::sound`](crate::Listing::sound).
    ///
    /// # Errors
    /// [`Error::Io`] if the directory can not be listed.
    pub fn sound(&mut self) -> Result<Vec<Manifest>> {
        Ok(self.listing()?.sound)
    }

    /// As [`Change::sound`], but each is made durable, unless this process knows that it is: the last sync of the one that published it may have failed.
    /// Whoever gives anything up because of snapshots must not lose them in the next power cut; one that could not be read just now is none of these.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn settled(&mut self) -> Result<Listing> {
        let listing = self.listing()?;
        let is_unsettled = |manifest: &&Manifest| !self.changing.settled.contains(&manifest.file());
        let unsettled: Vec<FileName> = listing
            .sound
            .iter()
            .filter(is_unsettled)
            .map(Manifest::file)
            .collect();
        self.settle(&unsettled)?;
        Ok(listing)
    }

    /// Makes a snapshot durable that was read before, as [`Change::settled`] does.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn settle_one(&mut self, manifest: &Manifest) -> Result<()> {
        self.settle(&[manifest.file()])
    }

    fn listing(&mut self) -> Result<Listing> {
        let listed = listing::list(self.dir, &mut self.changing.survey, None);
        self.known(listed)
    }

    fn settle(&mut self, files: &[FileName]) -> Result<()> {
        if !files.is_empty() {
            self.dir.sync()?;
        }
        for &file in files {
            manifest_file::publish(self.dir, file)?;
            self.changing.settled.insert(file);
        }
        Ok(())
    }

    /// [`Snapshots::write_on`](crate::Snapshots::write_on).
    ///
    /// # Errors
    /// As there.
    pub fn write_on(
        &mut self,
        basis: Basis<'_>,
        header: &Header,
        sections: &mut [&mut dyn Source],
        on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Written> {
        let written = self.try_write(basis, header, sections, on_progress);
        self.known(written)
    }

    /// [`Snapshots::remove`](crate::Snapshots::remove).
    ///
    /// # Errors
    /// As there.
    pub fn remove(&mut self, id: SnapshotId) -> Result<()> {
        let removed = leftovers::sweep(self.dir, &mut self.changing)
            .and_then(|()| remove::remove(self.dir, id, &mut self.changing));
        self.known(removed)
    }

    /// What became of the directory is known, unless something failed.
    fn known<T>(&mut self, done: Result<T>) -> Result<T> {
        if done.is_err() {
            self.changing.survey = Survey::default();
        }
        done
    }

    fn try_write(
        &mut self,
        basis: Basis<'_>,
        header: &Header,
        sections: &mut [&mut dyn Source],
        on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Written> {
        let dir = self.dir;
        leftovers::sweep(dir, &mut self.changing)?;
        if let Some(manifest) = self.make_room(header)? {
            return Ok(Written {
                manifest,
                outline: None,
                already_there: true,
                progress: Progress::default(),
                blobs_shared: 0,
                file_bytes: 0,
                syncs: 1,
            });
        }
        let basis = Basis {
            share: match basis.share {
                Some(outline) if self.can_share(header, outline)? => Some(outline),
                _ => None,
            },
            ..basis
        };
        let written = write::write(
            dir,
            self.options,
            header,
            sections,
            basis,
            on_progress,
            &mut self.changing,
        )?;
        self.changing.settled.insert(written.manifest.file());
        Ok(written)
    }

    /// Whether a snapshot may rest on the bytes of another: only a published manifest proves that they were synced.
    fn can_share(&mut self, header: &Header, outline: &Outline) -> Result<bool> {
        let manifest = outline.manifest();
        let earlier = manifest.header();
        // The packs of version 1 go with their manifest, and nothing tells of those that did not.
        let is_in_pack = matches!(manifest.file(), FileName::Pack(_));
        if earlier.log_id != header.log_id || earlier.tx >= header.tx || !is_in_pack {
            return Ok(false);
        }
        let listing = listing::list(self.dir, &mut self.changing.survey, Some(manifest.id()))?;
        Ok(listing.sound.contains(manifest))
    }

    /// Returns the snapshot that already is what `header` asks for, or makes sure that there is none of the transaction.
    fn make_room(&mut self, header: &Header) -> Result<Option<Manifest>> {
        let dir = self.dir;
        let id = SnapshotId(header.tx);
        let mut listing = listing::list(dir, &mut self.changing.survey, Some(id))?;
        if let Some(manifest) = listing.sound.pop() {
            let found = manifest.header();
            if found.log_id == header.log_id && found.chain == header.chain {
                // It may be one that could neither be published for good nor taken back.
                manifest_file::publish(dir, manifest.file())?;
                return Ok(Some(manifest));
            }
            let file = manifest.path_in(dir);
            return Err(Error::Occupied { file });
        }
        for rejected in listing.rejected {
            match rejected.reason {
                Error::Damaged { .. } => {}
                error @ Error::Io(_) => return Err(error),
                _ => {
                    return Err(Error::Occupied {
                        file: rejected.file,
                    });
                }
            }
        }
        match remove::remove(dir, id, &mut self.changing) {
            Ok(()) | Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
