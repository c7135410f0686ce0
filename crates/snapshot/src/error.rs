//! What can go wrong, sorted by what the caller can do about it.

use std::path::{Path, PathBuf};

use crate::damage::DamageKind;
use crate::snapshot_id::SnapshotId;

/// An error of the snapshot layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk failed. Never a verdict about the bytes.
    #[error(transparent)]
    Io(disk::Error),
    /// Bytes that were read are not those that were written; use another snapshot.
    #[error("{} is damaged at byte {byte_offset}: {kind:?}", file.display())]
    Damaged {
        /// The pack or manifest.
        file: PathBuf,
        /// Where in it.
        byte_offset: u64,
        /// What is wrong there.
        kind: DamageKind,
    },
    /// A newer program wrote the file.
    #[error("{} has format version {found}, this program reads up to {supported}; use the newer program", file.display())]
    NewerFormat {
        /// The pack or manifest.
        file: PathBuf,
        /// The version in the file.
        found: u16,
        /// The newest version that this program reads.
        supported: u16,
    },
    /// There is a snapshot of the same transaction but of another history, or of a newer format.
    #[error("{} belongs to another history or program; move it away", file.display())]
    Occupied {
        /// The file in the way.
        file: PathBuf,
    },
    /// The directory was opened for reading only.
    #[error("the snapshots are open for reading only")]
    ReadOnly,
    /// There is no such snapshot.
    #[error("there is no snapshot of transaction {0}")]
    NotFound(SnapshotId),
    /// A blob to be written is empty or longer than [`crate::BLOB_BYTES_MAX`].
    #[error("blob {number} of section {section} has {bytes} bytes, 1 to 32768 are allowed")]
    BlobLength {
        /// The section's index.
        section: usize,
        /// The blob's number.
        number: u64,
        /// Its length.
        bytes: usize,
    },
    /// A blob is not the one that is known, though the source says that it has not changed: its bytes have gone bad in memory, or in a map of a file.
    #[error(
        "blob {number} of section {section} has changed unasked: it is not what was stored in {} at byte {byte_offset}; open the database again",
        file.display()
    )]
    Changed {
        /// The pack that the blob was stored in as it should be. It may be gone by now.
        file: PathBuf,
        /// Where in it.
        byte_offset: u64,
        /// The section's index.
        section: usize,
        /// The blob's number.
        number: u64,
    },
    /// A section's source lends a number below the one that it was asked for.
    #[error("asked from {from} on, the source of section {section} lends number {number}")]
    Unordered {
        /// The section's index.
        section: usize,
        /// The number that it was asked from.
        from: u64,
        /// The number that came.
        number: u64,
    },
    /// The metadata, or the number of sections, makes the manifest longer than
    /// [`crate::MANIFEST_BYTES_MAX`].
    #[error("the manifest would have {bytes} bytes; use less metadata")]
    ManifestTooLarge {
        /// The length it would have.
        bytes: usize,
    },
    /// A section's source failed; nothing of the snapshot is kept.
    #[error("reading the state to be written failed: {0}")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The progress callback asked to stop. Of a snapshot that was being written nothing is kept; one that was being read back is as it was.
    #[error("working on the snapshot was cancelled")]
    Cancelled,
}

impl From<disk::Error> for Error {
    /// That something else stands where a file should be is what the directory says, every time, and not the disk failing.
    fn from(error: disk::Error) -> Self {
        match error {
            disk::Error::NotAFile { path } => Error::damaged(&path, 0, DamageKind::NotAFile),
            error => Error::Io(error),
        }
    }
}

/// The result of a call to this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The device, or the quota of the user, is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Error::Io(error) if error.is_full())
    }

    /// The bytes are wrong (and not the disk, the caller or the version).
    pub fn is_damage(&self) -> bool {
        matches!(self, Error::Damaged { .. })
    }

    /// Something else stands where a file should be. It is not ours: it is neither given another name nor removed.
    pub(crate) fn is_no_file(&self) -> bool {
        let kind = DamageKind::NotAFile;
        matches!(self, Error::Damaged { kind: found, .. } if *found == kind)
    }

    /// The file at fault, where it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Error::Damaged { file, .. }
            | Error::NewerFormat { file, .. }
            | Error::Occupied { file } => Some(file),
            _ => None,
        }
    }

    pub(crate) fn damaged(file: &Path, byte_offset: u64, kind: DamageKind) -> Self {
        Error::Damaged {
            file: file.to_path_buf(),
            byte_offset,
            kind,
        }
    }
}
