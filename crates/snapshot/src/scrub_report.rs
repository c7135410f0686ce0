//! What a scrub has read, found and done.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Error;
use crate::manifest::Manifest;
use crate::snapshot_id::SnapshotId;

/// How far a scrub has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubProgress {
    /// Blobs that were read.
    pub blobs: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// About how many there are to be read: the lengths of all files when it began.
    pub bytes_all: u64,
}

/// What a scrub has read, found and done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ScrubReport {
    /// The snapshots that are whole now: every byte that they need was read and is what it was when it was written.
    pub sound: Vec<Manifest>,
    /// How many packs were read.
    pub packs: u64,
    /// How many blobs were read: pages, and parts of table heads.
    pub blobs: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// What was not whole.
    pub findings: Vec<Finding>,
    /// Something was not whole, mended or not, in a file from which a state in memory is mapped: what it shows may be wrong, and so what is written of it from now
    /// on. Close it and open it again. Whoever holds the state says so.
    pub is_state_affected: bool,
    /// Files that nobody could read or needs, and that kept others from being removed, under the names that they have now. See
    /// [`crate::Snapshots::set_aside`].
    pub set_aside: Vec<PathBuf>,
}

impl ScrubReport {
    /// Whether all is well now: nothing was wrong, or it was mended.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(Finding::is_mended)
    }

    /// Whether something is damaged, and not merely unreadable or of a newer format, that was not mended.
    pub fn is_damaged(&self) -> bool {
        let mut left = self.findings.iter().filter(|finding| !finding.is_mended());
        left.any(|finding| finding.reason.is_damage())
    }
}

/// A place that was not whole.
#[derive(Debug)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub byte_offset: u64,
    /// What is wrong there: damage, or that it could not be read.
    pub reason: Arc<Error>,
    /// The snapshots that rest on the file. Not each of them needs what is damaged.
    pub snapshots: Vec<SnapshotId>,
    /// What was done about it.
    pub mending: Mending,
}

impl Finding {
    /// Whether the file is whole there now, durably.
    pub fn is_mended(&self) -> bool {
        matches!(self.mending, Mending::Done { .. })
    }
}

/// What was done about a place that was not whole.
#[derive(Debug)]
#[non_exhaustive]
pub enum Mending {
    /// It was rewritten, durably.
    Done {
        /// Where its bytes came from.
        from: SoundCopy,
    },
    /// It was not asked for; it could be rewritten.
    Possible {
        /// Where its bytes would come from.
        from: SoundCopy,
    },
    /// There is no sound copy of it anywhere.
    Impossible,
    /// Rewriting failed; the file is as it was.
    Failed {
        /// Why.
        error: Arc<Error>,
    },
    /// It was rewritten, and the sync of the directory failed: a power cut may bring back the file as it was.
    Unsure {
        /// How it failed.
        error: Arc<Error>,
    },
}

/// Where a sound copy was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SoundCopy {
    /// In this file.
    File(PathBuf),
    /// In memory: the live page has the same content, or what was written is still known.
    Memory,
    /// What belongs there follows from the rest, such as zeros between blobs.
    Known,
}
