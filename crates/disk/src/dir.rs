//! A directory as the layers above see it: names of files and directories, and a sync for the names.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Operation, Result};
use crate::file::File;
use crate::lock::Lock;

/// What kind of thing a name stands for. Symbolic links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, a pipe, a socket, a device.
    Other,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the directory. Names that are not UTF-8 are listed lossily and can not be opened.
    pub name: String,
    /// What it stands for.
    pub kind: EntryKind,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// A directory. Names are plain file names: no separators, not `.` or `..`.
///
/// A created, renamed or removed name is durable only after [`Dir::sync`] (or one of the `*_durable` forms): after
/// a crash each such change since the last sync may be lost on its own, while others made later survive.
pub trait Dir: Send + Sync + Debug {
    /// The path, for messages only.
    fn path(&self) -> &Path;

    /// The path without symbolic links: of two directories with the same one each is the other, and one inside of another begins with its path. `None` if
    /// the disk can not say, which is what happens if this is not provided.
    fn resolved_path(&self) -> Option<PathBuf> {
        None
    }

    /// All names, in byte order.
    fn list(&self) -> Result<Vec<Entry>>;

    /// Opens an existing regular file; anything else under that name is [`crate::Error::NotAFile`], without
    /// blocking (a pipe without a writer included) and without following a symbolic link.
    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>>;

    /// Creates an empty file that must not exist yet. Neither the name nor any byte is durable.
    fn create(&self, name: &str) -> Result<Arc<dyn File>>;

    /// Gives the file `from` the name `to`, replacing a file of that name in one step. Not durable.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes a file. Not durable. Handles and maps that are open go on working.
    fn remove(&self, name: &str) -> Result<()>;

    /// Makes all names created, renamed or removed before this call durable. The content of the files is not.
    ///
    /// After an error any subset of the changes may be on disk, and a second call may return Ok without having
    /// written anything, in a later process too: never retry it. What a process finds it can only make durable by giving
    /// another file the name, unless something says that a sync of it returned Ok.
    fn sync(&self) -> Result<()>;

    /// Opens an existing subdirectory.
    fn open_dir(&self, name: &str) -> Result<Arc<dyn Dir>>;

    /// Creates a subdirectory that must not exist yet. Not durable.
    fn create_dir(&self, name: &str) -> Result<Arc<dyn Dir>>;

    /// Removes a subdirectory, which must be empty. Not durable. Handles on it are of no use any more.
    ///
    /// A disk that can not do it says [`std::io::ErrorKind::Unsupported`], which is what happens if this is not provided.
    fn remove_dir(&self, name: &str) -> Result<()> {
        let source = std::io::ErrorKind::Unsupported.into();
        Err(Error::io(
            Operation::Remove,
            &self.path().join(name),
            source,
        ))
    }

    /// Takes the exclusive lock on this directory and on the file `name` in it, which is created if needed, and writes `holder`
    /// into the file for others to read. A file left behind by a dead process does not block, and removing the file of a
    /// living one frees nobody. Dropping the lock frees it.
    fn lock(&self, name: &str, holder: &str) -> Result<Lock>;

    /// [`Dir::rename`] and then [`Dir::sync`].
    fn rename_durable(&self, from: &str, to: &str) -> Result<()> {
        self.rename(from, to)?;
        self.sync()
    }

    /// [`Dir::remove`] and then [`Dir::sync`].
    fn remove_durable(&self, name: &str) -> Result<()> {
        self.remove(name)?;
        self.sync()
    }

    /// [`Dir::create_dir`] and then [`Dir::sync`].
    fn create_dir_durable(&self, name: &str) -> Result<Arc<dyn Dir>> {
        let dir = self.create_dir(name)?;
        self.sync()?;
        Ok(dir)
    }
}
