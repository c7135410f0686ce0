//! What can go wrong with a disk, sorted by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

/// The call that failed, for messages and for tests that fail one kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Listing a directory.
    List,
    /// Opening a file or a directory that exists.
    Open,
    /// Creating a file or a directory.
    Create,
    /// Renaming within a directory.
    Rename,
    /// Removing a file or an empty directory.
    Remove,
    /// Making a directory's names durable.
    SyncDir,
    /// Asking for a file's length.
    Len,
    /// Reading bytes.
    Read,
    /// Writing bytes.
    Write,
    /// Changing a file's length.
    SetLen,
    /// Reserving space without writing it.
    Allocate,
    /// Making a file's bytes and length durable.
    SyncFile,
    /// Mapping a file into memory.
    Map,
    /// Taking the exclusive lock.
    Lock,
}

/// An error of the disk layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused or failed a call.
    #[error("{operation:?} failed on {}: {source}", path.display())]
    Io {
        /// The call that failed.
        operation: Operation,
        /// The file or directory it was about.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process (or another handle of this one) holds the lock.
    #[error("{} is locked by {holder}; close that program first", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote about itself, or `an unknown process`.
        holder: String,
    },
    /// Something that is not a regular file stands where a file should be.
    #[error("{} is not a regular file; move it away", path.display())]
    NotAFile {
        /// The name that is no regular file.
        path: PathBuf,
    },
    /// Something that is not a directory stands where a directory should be.
    #[error("{} is not a directory; move it away", path.display())]
    NotADirectory {
        /// The name that is no directory.
        path: PathBuf,
    },
}

/// The result of a disk call.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps what the operating system said about one call.
    pub fn io(operation: Operation, path: &Path, source: io::Error) -> Self {
        Error::Io {
            operation,
            path: path.to_path_buf(),
            source,
        }
    }

    /// What kind of I/O error this is, if it is one.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Error::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// The name asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }

    /// The device, or the quota of the user, is full.
    pub fn is_full(&self) -> bool {
        matches!(
            self.io_kind(),
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        )
    }

    /// The medium is mounted read-only or the user may not write.
    pub fn is_read_only(&self) -> bool {
        matches!(
            self.io_kind(),
            Some(io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
        )
    }
}
