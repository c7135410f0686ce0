//! A directory of snapshots: the handle that everything goes through.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use disk::Dir;

use crate::error::{Error, Result};
use crate::file_name;
use crate::header::Header;
use crate::leftovers;
use crate::listing::{self, Listing};
use crate::load::{self, LoadOptions};
use crate::loaded::Loaded;
use crate::manifest::Manifest;
use crate::manifest_file;
use crate::options::Options;
use crate::read_back;
use crate::remove;
use crate::snapshot_id::SnapshotId;
use crate::source::Source;
use crate::write;
use crate::written::{Progress, Written};

/// A directory of snapshots. All calls take `&self`; writes and removals wait for each other.
#[derive(Debug)]
pub struct Snapshots {
    dir: Arc<dyn Dir>,
    options: Options,
    /// Held while the directory is changed.
    changing: Mutex<()>,
}

impl Snapshots {
    /// Opens a directory. If it may be written, what interrupted writes and removals left is removed, and what is
    /// listed from then on is durable; nobody else may be writing to it, and that is for the caller to ensure.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(dir: Arc<dyn Dir>, options: Options) -> Result<Self> {
        if !options.read_only {
            dir.sync()?;
            leftovers::sweep(&*dir)?;
            // The last sync of the process that published one may have failed. Whoever prunes a log because of that snapshot must not lose it in the next power
            // cut.
            for manifest in listing::list(&*dir)?.sound {
                manifest_file::publish(&*dir, &file_name::manifest(manifest.id()))?;
            }
        }
        Ok(Snapshots {
            dir,
            options,
            changing: Mutex::new(()),
        })
    }

    /// What is there, newest first. Reads manifests and the lengths of packs, nothing else; a manifest that can not
    /// be used is a value in the answer.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory can not be listed.
    pub fn list(&self) -> Result<Listing> {
        listing::list(&*self.dir)
    }

    /// Writes a snapshot: section `i` takes its blobs from `sections[i]`. When this returns, it is durable.
    ///
    /// All blobs go to packs of its own, so that no two snapshots share bytes on disk. `on_progress` hears of every
    /// blob; it may break to cancel, and may block to slow the write down. If a usable-looking snapshot of the same
    /// transaction, log id and chain exists, it is returned instead ([`Written::already_there`]) and nothing is
    /// read; if its packs are known to be bad, remove it first. A damaged manifest of the same transaction is
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
        self.require_writable()?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = &*self.dir;
        leftovers::sweep(dir)?;
        if let Some(manifest) = self.make_room(header)? {
            return Ok(Written {
                manifest,
                already_there: true,
                progress: Progress::default(),
                blobs_shared: 0,
                file_bytes: 0,
                syncs: 1,
            });
        }
        let nonce = match self.options.nonce {
            Some(nonce) => nonce,
            None => RandomState::new().build_hasher().finish(),
        };
        write::write(dir, &self.options, nonce, header, sections, on_progress)
    }

    /// The snapshot of one transaction, looked at as [`Snapshots::list`] does; `None` if it is being removed.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::NewerFormat`], [`Error::Io`], also if there is none.
    pub fn look(&self, id: SnapshotId) -> Result<Option<Manifest>> {
        listing::look(&*self.dir, id)
    }

    /// Reads a snapshot. The tree of hashes is always verified, so every blob's checksums are the ones written;
    /// how much else is checked before this returns, [`LoadOptions`] says.
    ///
    /// # Errors
    /// [`Error::Damaged`] and [`Error::NewerFormat`]: fall back to another snapshot. [`Error::Io`].
    pub fn load(&self, manifest: &Manifest, options: LoadOptions) -> Result<Loaded> {
        load::load(&*self.dir, self.options.threads, manifest, options)
    }

    /// Reads every byte of manifest and packs again, from the files and not from maps, and verifies it: checksums,
    /// blake3 hashes, and that nothing but zeros stands between the blobs.
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
        read_back::read_back(&*self.dir, self.options.threads, manifest, on_progress)
    }

    /// Removes a snapshot, durably: first its manifest, then its packs. A crash in between leaves at most files
    /// that the next writable open removes. Loaded snapshots and their maps live on.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NewerFormat`] (only the program that wrote it knows what belongs to it),
    /// [`Error::Io`], [`Error::ReadOnly`].
    pub fn remove(&self, id: SnapshotId) -> Result<()> {
        self.require_writable()?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        leftovers::sweep(&*self.dir)?;
        remove::remove(&*self.dir, id)
    }

    /// Returns the snapshot that already is what `header` asks for, or makes sure that the name is free.
    fn make_room(&self, header: &Header) -> Result<Option<Manifest>> {
        let dir = &*self.dir;
        let id = SnapshotId(header.tx);
        let occupied = || Error::Occupied {
            file: dir.path().join(file_name::manifest(id)),
        };
        let temporary = file_name::temporary_manifest(id);
        match manifest_file::read(dir, &temporary, id) {
            // Clearing up spared its packs because another manifest can not be read; the name is needed now.
            Ok(file) => {
                let kept = leftovers::packs_of_others(dir, id)?;
                leftovers::discard(dir, &temporary, &file.manifest, &kept)?;
            }
            Err(Error::Io(error)) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        match listing::look(dir, id) {
            Ok(Some(manifest)) => {
                let found = manifest.header();
                if found.log_id == header.log_id && found.chain == header.chain {
                    // It may be one that could neither be published for good nor taken back.
                    manifest_file::publish(dir, &file_name::manifest(id))?;
                    return Ok(Some(manifest));
                }
                Err(occupied())
            }
            Ok(None) | Err(Error::Damaged { .. }) => remove::remove(dir, id).map(|()| None),
            Err(Error::Io(error)) if error.is_not_found() => Ok(None),
            Err(Error::Io(error)) => Err(Error::Io(error)),
            Err(_) => Err(occupied()),
        }
    }

    fn require_writable(&self) -> Result<()> {
        if self.options.read_only {
            return Err(Error::ReadOnly);
        }
        Ok(())
    }
}
