//! A directory of snapshots: the handle that everything goes through.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disk::Dir;

use crate::blob::Blob;
use crate::change::Change;
use crate::changing::Changing;
use crate::error::{Error, Result};
use crate::header::Header;
use crate::leftovers;
use crate::listing::{self, Listing};
use crate::load::{self, LoadOptions};
use crate::loaded::Loaded;
use crate::manifest::Manifest;
use crate::mapped::Mapped;
use crate::mend;
use crate::options::Options;
use crate::outline::{Basis, Outline};
use crate::pack_reader::PackSet;
use crate::read_back;
use crate::scrub::Scrub;
use crate::scrub_report::{ScrubProgress, ScrubReport};
use crate::set_aside;
use crate::snapshot_id::SnapshotId;
use crate::source::Source;
use crate::spare::Spare;
use crate::survey::Survey;
use crate::tree_walk;
use crate::written::{Progress, Written};

/// A directory of snapshots. All calls take `&self`; writes and removals wait for each other.
#[derive(Debug)]
pub struct Snapshots {
    dir: Arc<dyn Dir>,
    options: Options,
    /// Held while the directory is changed.
    changing: Mutex<Changing>,
}

impl Snapshots {
    /// Opens a directory. If it may be written, what interrupted writes and removals left is removed; nobody else may be writing to it, and that is for
    /// the caller to ensure. What was there before need not be durable: see [`Snapshots::settle`].
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(dir: Arc<dyn Dir>, options: Options) -> Result<Self> {
        let mut changing = Changing::default();
        if !options.read_only {
            leftovers::sweep(&*dir, &mut changing)?;
        }
        Ok(Snapshots {
            dir,
            options,
            changing: Mutex::new(changing),
        })
    }

    /// What is there, newest first. Reads headers, manifests and the lengths of packs, nothing else; a file that can not
    /// be used is a value in the answer.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory can not be listed.
    pub fn list(&self) -> Result<Listing> {
        listing::list(&*self.dir, &mut Survey::default(), None)
    }

    /// Writes a snapshot: section `i` takes its blobs from `sections[i]`. When this returns, it is durable.
    ///
    /// All blobs go to a file of its own, so that no two snapshots share bytes on disk. `on_progress` hears of every
    /// blob; it may break to cancel, and may block to slow the write down. If a usable-looking snapshot of the same
    /// transaction, log id and chain exists, it is returned instead ([`Written::already_there`]) and nothing is
    /// read; if it is known to be bad, remove it first. A damaged one of the same transaction is
    /// replaced.
    ///
    /// # Errors
    /// Whatever the error, no part of the snapshot is kept and older ones are untouched: [`Error::Io`] (see
    /// [`Error::is_full`]), [`Error::Source`], [`Error::Cancelled`], [`Error::BlobLength`], [`Error::Unordered`],
    /// [`Error::ManifestTooLarge`], [`Error::Occupied`], [`Error::ReadOnly`].
    pub fn write(
        &self,
        header: &Header,
        sections: &mut [&mut dyn Source],
        on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Written> {
        self.write_on(Basis::default(), header, sections, on_progress)
    }

    /// [`Snapshots::write`], with no more work than the [`Basis`] leaves: what the snapshot to share with has is not stored again, so that the two lie on the
    /// same bytes; and where a snapshot is known, and the sources name what has changed since, nothing else is looked at. What is handed in and what the
    /// next one can be written on is in the answer.
    ///
    /// # Errors
    /// As [`Snapshots::write`].
    pub fn write_on(
        &self,
        basis: Basis<'_>,
        header: &Header,
        sections: &mut [&mut dyn Source],
        on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Written> {
        let mut change = self.change()?;
        change.write_on(basis, header, sections, on_progress)
    }

    /// Makes all snapshots durable, as [`Change::settled`] does.
    ///
    /// # Errors
    /// [`Error::Io`], also if one could not be read just now; [`Error::ReadOnly`].
    pub fn settle(&self) -> Result<()> {
        let rejected = self.change()?.settled()?.rejected.into_iter();
        let mut unread = rejected.filter(|rejected| matches!(rejected.reason, Error::Io(_)));
        unread
            .next()
            .map_or(Ok(()), |rejected| Err(rejected.reason))
    }

    /// Begins to change the directory: several things in a row, for which it is looked at once.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub fn change(&self) -> Result<Change<'_>> {
        self.require_writable()?;
        Ok(Change::new(&*self.dir, &self.options, self.changing()))
    }

    /// Reads what a snapshot stores and where, and verifies the tree of hashes; no blob is read.
    ///
    /// # Errors
    /// As [`Snapshots::load`].
    pub fn outline(&self, manifest: &Manifest) -> Result<Outline> {
        let packs = PackSet::open(&*self.dir, manifest, false)?;
        let walked = tree_walk::walk(&*self.dir, manifest, &packs, &mut || Ok(()))?;
        Ok(Outline::new(manifest.clone(), walked.trees))
    }

    /// The snapshot of one transaction, looked at as [`Snapshots::list`] does; `None` if there is none, or it is being removed.
    ///
    /// # Errors
    /// The reason why a file of that transaction is rejected, also if there is a sound one besides: [`Error::Damaged`], [`Error::NewerFormat`], [`Error::Io`].
    pub fn look(&self, id: SnapshotId) -> Result<Option<Manifest>> {
        let mut listing = listing::list(&*self.dir, &mut Survey::default(), Some(id))?;
        match listing.rejected.pop() {
            Some(rejected) => Err(rejected.reason),
            None => Ok(listing.sound.pop()),
        }
    }

    /// Reads a snapshot. The tree of hashes is always verified, so every blob's checksums are the ones written;
    /// how much else is checked before this returns, [`LoadOptions`] says.
    ///
    /// # Errors
    /// [`Error::Damaged`] and [`Error::NewerFormat`]: fall back to another snapshot. [`Error::Io`].
    pub fn load(&self, manifest: &Manifest, options: LoadOptions) -> Result<Loaded> {
        load::load(&*self.dir, self.options.threads, manifest, options)
    }

    /// Maps a snapshot, in a time that does not depend on how much it holds: nodes of the tree of hashes are read and verified on first use, and blobs are for the caller
    /// to verify. An I/O error later on, or a pack cut by somebody else, ends the process (SIGBUS). `None` if it may hold compressed pages: of those nothing can be mapped.
    ///
    /// # Errors
    /// As [`Snapshots::load`].
    pub fn map<T: From<Blob>>(&self, manifest: &Manifest) -> Result<Option<Mapped<T>>> {
        Mapped::open(&*self.dir, manifest)
    }

    /// Reads every byte of the snapshot again, from the files and not from maps, and verifies it: checksums,
    /// blake3 hashes, and that nothing but zeros stands between the blobs. Of packs of other snapshots that it shares, it reads what it needs.
    /// One that was withdrawn since it was listed is no good to a writer; who only reads is told of its bytes, which are what they were.
    ///
    /// `on_progress` is called, on this thread, after each node and after every few hundred blobs. It may break to cancel, which
    /// changes nothing and is no verdict, and may do something else meanwhile.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::NewerFormat`], [`Error::Cancelled`], [`Error::Io`].
    pub fn read_back(
        &self,
        manifest: &Manifest,
        on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let Options {
            threads, read_only, ..
        } = self.options;
        read_back::read_back(&*self.dir, threads, manifest, read_only, on_progress)
    }

    /// Reads back what was written with a snapshot, as [`Snapshots::read_back`] does, and not what it shares with others: in time proportional to
    /// its own file.
    ///
    /// # Errors
    /// As [`Snapshots::read_back`].
    pub fn read_back_own(
        &self,
        outline: &Outline,
        on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        read_back::read_back_own(&*self.dir, self.options.threads, outline, on_progress)
    }

    /// Begins to read all snapshots again, from the files and not from maps: [`Scrub::step`] goes on, [`Snapshots::mend`] ends it. Others may write and
    /// remove snapshots meanwhile.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory can not be listed.
    pub fn scrub(&self) -> Result<Scrub> {
        Scrub::begin(&self.dir, self.options.threads)
    }

    /// Ends a scrub: what was not whole is looked at again and named. With `repair`, each pack in which something is damaged or can not be read, and of which
    /// a sound copy is found, is written anew under its name: a blob is taken from any place in any pack that holds the same, or from `spare`; nodes and
    /// manifests from the outlines there, and zeros from knowing that they are. The pack that was there stays as it was for whoever has it open or mapped. Nobody
    /// writes or removes a snapshot meanwhile.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory can not be listed; [`Error::Cancelled`] if `on_progress` broke, after which each pack is as it was, or mended;
    /// [`Error::ReadOnly`]. Damage is a value in the answer.
    pub fn mend(
        &self,
        scrub: Scrub,
        spare: Spare<'_, '_>,
        repair: bool,
        on_progress: &mut dyn FnMut(ScrubProgress) -> ControlFlow<()>,
    ) -> Result<ScrubReport> {
        let mut changing = self.changing();
        let repair = match repair {
            true => {
                self.require_writable()?;
                Some(&mut *changing)
            }
            false => None,
        };
        let threads = self.options.threads;
        mend::mend(&*self.dir, threads, scrub, spare, repair, on_progress)
    }

    /// Gives files that look like a snapshot, are damaged so that they can not be read as one, and are in no snapshot that can, a name behind which nobody
    /// looks: their own and `.damaged`. While they are there nothing that was written before them is removed, since they might need it. Yields the
    /// new names.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::ReadOnly`].
    pub fn set_aside(&self) -> Result<Vec<PathBuf>> {
        self.require_writable()?;
        set_aside::set_aside(&*self.dir, &mut self.changing())
    }

    /// Removes a snapshot, durably: it is withdrawn, and then removed, unless a later snapshot shares its blobs: then it is removed with that one, and so
    /// are those that this one has kept. A crash in between leaves at most files
    /// that the next writable open removes. Loaded snapshots and their maps live on.
    ///
    /// While a file of a later transaction can not be read, which may be a snapshot that needs it, the space is not given back.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NewerFormat`] (only the program that wrote it knows what belongs to it),
    /// [`Error::Io`], [`Error::ReadOnly`].
    pub fn remove(&self, id: SnapshotId) -> Result<()> {
        self.change()?.remove(id)
    }

    /// Nothing is known yet of what the directory holds.
    fn changing(&self) -> MutexGuard<'_, Changing> {
        let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        changing.survey = Survey::default();
        changing
    }

    fn require_writable(&self) -> Result<()> {
        if self.options.read_only {
            return Err(Error::ReadOnly);
        }
        Ok(())
    }
}
