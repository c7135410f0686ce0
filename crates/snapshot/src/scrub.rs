//! Reading all snapshots again, a part at a time, beside whoever writes and removes some.
//!
//! ```text
//!  step: the tree of a snapshot ── step: its blobs ── step: its blobs ── step: the tree of the next ── ... ── mend what is wrong
//!        no lock is held between two steps, and no file but those of one snapshot is open                    see `mend`
//! ```
//!
//! Here is only found what is whole. What is not is looked at again before anything is said about it: it may have been removed meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use disk::Dir;

use crate::error::Result;
use crate::extents::Extents;
use crate::file_name::PackName;
use crate::listing;
use crate::manifest::Manifest;
use crate::pack_reader::PackSet;
use crate::parallel;
use crate::read_back::{self, PIECES_PER_STEP, Piece};
use crate::reference::Reference;
use crate::scrub_report::ScrubProgress;
use crate::snapshot_id::SnapshotId;
use crate::survey::Survey;
use crate::tree_walk;

/// A scrub under way: [`crate::Snapshots::scrub`] begins it, [`crate::Snapshots::mend`] ends it.
#[derive(Debug)]
pub struct Scrub {
    dir: Arc<dyn Dir>,
    threads: usize,
    /// Still to be read, the newest last.
    waiting: Vec<SnapshotId>,
    current: Option<Current>,
    pub(crate) progress: ScrubProgress,
    pub(crate) found: Found,
}

/// What a scrub has found whole.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Blobs by pack id and offset.
    blobs: HashMap<(u64, u64), Reference>,
    /// Packs that were read, of snapshots whose tree is whole.
    pub(crate) packs: HashSet<PackName>,
    /// Snapshots.
    pub(crate) sound: Vec<Manifest>,
    /// There is something that is not whole, or was not a moment ago.
    pub(crate) is_suspicious: bool,
}

impl Found {
    /// Whether a blob was read, and is what this reference says.
    pub(crate) fn is_sound(&self, reference: &Reference) -> bool {
        self.blobs.get(&reference.place()) == Some(reference)
    }
}

/// The snapshot that is being read.
struct Current {
    manifest: Manifest,
    packs: PackSet,
    pieces: Vec<Piece>,
    next: usize,
    is_sound: bool,
}

impl Scrub {
    pub(crate) fn begin(dir: &Arc<dyn Dir>, threads: usize) -> Result<Self> {
        let listing = listing::list(&**dir, &mut Survey::default(), None)?;
        let mut waiting: Vec<SnapshotId> = listing.sound.iter().map(Manifest::id).collect();
        waiting.reverse();
        let packs = listing.sound.iter().flat_map(Manifest::packs);
        let lengths: HashMap<PackName, u64> = packs.map(|pack| (pack.name, pack.length)).collect();
        Ok(Scrub {
            dir: Arc::clone(dir),
            threads,
            waiting,
            current: None,
            progress: ScrubProgress {
                bytes_all: lengths.values().sum(),
                ..ScrubProgress::default()
            },
            found: Found {
                is_suspicious: !listing.rejected.is_empty(),
                ..Found::default()
            },
        })
    }

    /// Reads some megabytes at most, or the tree of one snapshot. Yields whether there is more to read.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the directory can not be listed. What is wrong with a snapshot, or can not be read of it, is none: it is for
    /// [`crate::Snapshots::mend`] to say.
    pub fn step(&mut self) -> Result<bool> {
        match self.current.take() {
            Some(current) => self.read_some(current)?,
            None => match self.waiting.pop() {
                Some(id) => self.open(id)?,
                None => return Ok(false),
            },
        }
        Ok(self.current.is_some() || !self.waiting.is_empty())
    }

    /// How far it has come.
    pub fn progress(&self) -> ScrubProgress {
        self.progress
    }

    /// Whether everything was whole so far.
    pub fn is_clean(&self) -> bool {
        !self.found.is_suspicious
    }

    fn open(&mut self, id: SnapshotId) -> Result<()> {
        let mut listing = listing::list(&*self.dir, &mut Survey::default(), Some(id))?;
        self.found.is_suspicious |= !listing.rejected.is_empty();
        let Some(manifest) = listing.sound.pop() else {
            return Ok(());
        };
        match self.pieces(&manifest) {
            Ok((packs, pieces)) => {
                let names = manifest.packs().iter().map(|pack| pack.name);
                self.found.packs.extend(names);
                self.current = Some(Current {
                    manifest,
                    packs,
                    pieces,
                    next: 0,
                    is_sound: true,
                });
            }
            Err(_) => self.found.is_suspicious = true,
        }
        Ok(())
    }

    /// What is to be read of a snapshot, its tree having been.
    fn pieces(&mut self, manifest: &Manifest) -> Result<(PackSet, Vec<Piece>)> {
        let packs = PackSet::open(&*self.dir, manifest, false)?;
        let walked = tree_walk::walk(&*self.dir, manifest, &packs, &mut || Ok(()))?;
        let extents = Extents::of(&packs, &walked)?;
        let nodes = extents.as_slice().iter().filter(|extent| extent.is_node);
        let node_bytes = nodes.map(|node| u64::from(node.reference.stored_length));
        self.progress.bytes += node_bytes.sum::<u64>();
        let mut pieces = read_back::pieces(manifest, &packs, &extents);
        pieces.retain(|piece| match piece {
            Piece::Blob(extent) => !self.found.is_sound(&extent.reference),
            Piece::Padding { .. } => true,
        });
        Ok((packs, pieces))
    }

    fn read_some(&mut self, mut current: Current) -> Result<()> {
        let left = &current.pieces[current.next..];
        let step = &left[..left.len().min(PIECES_PER_STEP)];
        let sound = parallel::map(self.threads, step, |piece| {
            Ok(read_back::check(&current.packs, piece).is_ok())
        })?;
        for (piece, is_sound) in step.iter().zip(sound) {
            self.progress.bytes += piece.bytes();
            current.is_sound &= is_sound;
            if let Piece::Blob(extent) = piece {
                self.progress.blobs += 1;
                if is_sound {
                    let reference = extent.reference;
                    self.found.blobs.insert(reference.place(), reference);
                }
            }
        }
        current.next += step.len();
        if current.next < current.pieces.len() {
            self.current = Some(current);
        } else if current.is_sound {
            self.found.sound.push(current.manifest);
        } else {
            self.found.is_suspicious = true;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let read = format_args!("{} of {}", self.next, self.pieces.len());
        let id = self.manifest.id();
        write!(formatter, "Current({id}, {read})")
    }
}
