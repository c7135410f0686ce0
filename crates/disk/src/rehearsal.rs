//! A disk on which everything can be tried and nothing happens: what is written stays in memory, above a directory that is only read.
//!
//! ```text
//!   Rehearsal ── root() ──> Dir ──> File        calls of all kinds; they see what was written before
//!       │                    │        │
//!       │                    v        v
//!       │            names, as they  blocks that were written, and the end
//!       │            would be
//!       │                    │        │  the rest
//!       │                    v        v
//!       │                   the directory itself
//!       └── changes() ──> what would be different there
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::dir::Dir;
use crate::error::Result;
use crate::rehearsed_dir::RehearsedDir;

/// A directory, as it would be after what was done to it here.
///
/// Only the lock is taken in earnest, with the file that this makes or writes: what would happen does not change meanwhile.
/// Memory holds what is written, in blocks of 4 KiB.
///
/// ```
/// use disk::{Access, ChangeKind, Dir, Rehearsal, SimDisk};
///
/// let disk = SimDisk::new(1);
/// disk.root().create("old")?.write_all_at(0, b"four")?;
/// let rehearsal = Rehearsal::new(disk.root())?;
/// rehearsal.root().open("old", Access::ReadWrite)?.write_all_at(0, b"F")?;
/// rehearsal.root().rename("old", "new")?;
/// assert_eq!(disk.read("old").as_deref(), Some(&b"four"[..]));
/// let changes = rehearsal.changes()?;
/// assert!(matches!(&changes[0].kind, ChangeKind::Renamed { from } if from == "old"));
/// assert!(matches!(changes[1].kind, ChangeKind::Written { bytes: 1, .. }));
/// # Ok::<(), disk::Error>(())
/// ```
#[derive(Debug)]
pub struct Rehearsal {
    root: Arc<RehearsedDir>,
}

/// Something that would be different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is about, below the directory.
    pub path: PathBuf,
    /// What would have become of it.
    pub kind: ChangeKind,
}

/// What would have become of a file or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It would be gone.
    Removed {
        /// How long it is; 0 for a directory.
        bytes: u64,
    },
    /// It would be new, or another file of that name.
    Created {
        /// How long it would be; 0 for a directory.
        bytes: u64,
        /// How long the file is that has the name now.
        replaces: Option<u64>,
    },
    /// It would have had another name before, in the same directory.
    Renamed {
        /// That name.
        from: String,
    },
    /// Its content would be another one.
    Written {
        /// How many bytes would be others, of those that there are before and after.
        bytes: u64,
        /// How long it is.
        len_before: u64,
        /// How long it would be.
        len_after: u64,
    },
}

impl Rehearsal {
    /// Above a directory that exists.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if it can not be listed.
    pub fn new(dir: Arc<dyn Dir>) -> Result<Self> {
        let root = Arc::new(RehearsedDir::above(dir)?);
        Ok(Rehearsal { root })
    }

    /// The directory to do things to.
    pub fn root(&self) -> Arc<dyn Dir> {
        Arc::clone(&self.root) as Arc<dyn Dir>
    }

    /// What would be different by now, in order of the paths. Syncs, and what was written and is as it was, do not appear.
    ///
    /// # Errors
    /// [`crate::Error::Io`]: what is compared can not be read.
    pub fn changes(&self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        self.root.add_changes(Path::new(""), &mut changes)?;
        Ok(changes)
    }
}
