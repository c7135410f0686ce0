//! A directory of the operating system.
//!
//! This file, `os_file.rs` and `os_lock.rs` are the only places that touch `std::fs`.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is the door to the operating system's files that the ban points to"
)]

use std::fs::{self, File as Handle, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::dir::{Access, Dir, Entry, EntryKind};
use crate::error::{Error, Operation, Result};
use crate::file::File;
use crate::lock::Lock;
use crate::name::check_name;
use crate::os_file::OsFile;
use crate::os_lock;

/// A directory of the operating system.
///
/// It keeps the directory itself open from the start, so that a failed write of its names is reported to
/// [`Dir::sync`] even if it happened between two calls.
#[derive(Debug)]
pub struct OsDir {
    /// Invariant: absolute, so that a later change of the working directory changes nothing.
    path: PathBuf,
    handle: Handle,
}

impl OsDir {
    /// Opens an existing directory. Needs no right to write, and writes nothing.
    ///
    /// # Errors
    /// [`Error::NotADirectory`] if something else has that name, [`Error::Io`] if it is missing or unreadable.
    pub fn open(path: impl AsRef<Path>) -> Result<Arc<dyn Dir>> {
        let path = absolute(Operation::Open, path.as_ref())?;
        Ok(Arc::new(OsDir::open_absolute(path, OFlags::empty())?))
    }

    /// Opens a directory, creating it and its missing parents first; all their names are durable on return.
    ///
    /// # Errors
    /// As [`OsDir::open`], and [`Error::Io`] if a directory cannot be created or synced.
    pub fn create(path: impl AsRef<Path>) -> Result<Arc<dyn Dir>> {
        let path = absolute(Operation::Create, path.as_ref())?;
        let mut missing = Vec::new();
        let mut existing = path.as_path();
        while !existing.exists() {
            missing.push(existing);
            match existing.parent() {
                Some(parent) => existing = parent,
                None => break,
            }
        }
        // Each name is synced before the next level is made, so after a crash at most the deepest existing
        // directory is not durable yet: it may be one that an interrupted call of this function left behind.
        sync_name_of(existing)?;
        for dir in missing.into_iter().rev() {
            match fs::create_dir(dir) {
                Err(error) if is_any(&error, &[Errno::NOTDIR]) => {
                    return Err(Error::NotADirectory {
                        path: existing.to_path_buf(),
                    });
                }
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::io(Operation::Create, dir, error));
                }
                _ => sync_name_of(dir)?,
            }
        }
        Ok(Arc::new(OsDir::open_absolute(path, OFlags::empty())?))
    }

    fn open_absolute(path: PathBuf, flags: OFlags) -> Result<OsDir> {
        let flags = flags | OFlags::DIRECTORY | OFlags::NONBLOCK;
        match OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&path)
        {
            Ok(handle) => Ok(OsDir { path, handle }),
            Err(error) if is_any(&error, &[Errno::NOTDIR, Errno::LOOP]) => {
                Err(Error::NotADirectory { path })
            }
            Err(error) => Err(Error::io(Operation::Open, &path, error)),
        }
    }

    fn child(&self, operation: Operation, name: &str) -> Result<PathBuf> {
        check_name(operation, &self.path, name)?;
        Ok(self.path.join(name))
    }
}

impl Dir for OsDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn resolved_path(&self) -> Option<PathBuf> {
        fs::canonicalize(&self.path).ok()
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let failed = |error| Error::io(Operation::List, &self.path, error);
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_file() => EntryKind::File,
                Ok(kind) if kind.is_dir() => EntryKind::Dir,
                Ok(_) => EntryKind::Other,
                // Removed by someone else since the name was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            let name = entry.file_name().to_string_lossy().into_owned();
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let path = self.child(Operation::Open, name)?;
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::ReadWrite);
        let handle = open_regular(&options, Operation::Open, &path)?;
        Ok(Arc::new(OsFile::new(handle, path, access)))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let path = self.child(Operation::Create, name)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let handle = open_regular(&options, Operation::Create, &path)?;
        Ok(Arc::new(OsFile::new(handle, path, Access::ReadWrite)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let from = self.child(Operation::Rename, from)?;
        let to = self.child(Operation::Rename, to)?;
        let kind = fs::symlink_metadata(&from)
            .map_err(|error| Error::io(Operation::Rename, &from, error))?;
        if !kind.is_file() {
            return Err(Error::NotAFile { path: from });
        }
        match fs::rename(&from, &to) {
            Ok(()) => Ok(()),
            Err(error) if is_any(&error, &[Errno::ISDIR]) => Err(Error::NotAFile { path: to }),
            Err(error) => Err(Error::io(Operation::Rename, &from, error)),
        }
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.child(Operation::Remove, name)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if is_any(&error, &[Errno::ISDIR]) => Err(Error::NotAFile { path }),
            Err(error) => Err(Error::io(Operation::Remove, &path, error)),
        }
    }

    fn sync(&self) -> Result<()> {
        self.handle
            .sync_all()
            .map_err(|error| Error::io(Operation::SyncDir, &self.path, error))
    }

    fn open_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        let path = self.child(Operation::Open, name)?;
        Ok(Arc::new(OsDir::open_absolute(path, OFlags::NOFOLLOW)?))
    }

    fn create_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        let path = self.child(Operation::Create, name)?;
        fs::create_dir(&path).map_err(|error| Error::io(Operation::Create, &path, error))?;
        Ok(Arc::new(OsDir::open_absolute(path, OFlags::NOFOLLOW)?))
    }

    fn remove_dir(&self, name: &str) -> Result<()> {
        let path = self.child(Operation::Remove, name)?;
        match fs::remove_dir(&path) {
            Ok(()) => Ok(()),
            Err(error) if is_any(&error, &[Errno::NOTDIR]) => Err(Error::NotADirectory { path }),
            // The other name that POSIX allows for a directory that is not empty.
            Err(error) if is_any(&error, &[Errno::EXIST]) => Err(Error::io(
                Operation::Remove,
                &path,
                io::ErrorKind::DirectoryNotEmpty.into(),
            )),
            Err(error) => Err(Error::io(Operation::Remove, &path, error)),
        }
    }

    fn lock(&self, name: &str, holder: &str) -> Result<Lock> {
        let path = self.child(Operation::Lock, name)?;
        os_lock::take(&path, holder)
    }
}

/// Opens a regular file and nothing else: a link is not followed, a pipe does not block.
pub(crate) fn open_regular(
    options: &OpenOptions,
    operation: Operation,
    path: &Path,
) -> Result<Handle> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = options
        .clone()
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let handle = match opened {
        Ok(handle) => handle,
        // A link, a directory opened for writing, a socket or a device without a driver.
        Err(error) if is_any(&error, &[Errno::LOOP, Errno::ISDIR, Errno::NXIO]) => {
            return Err(Error::NotAFile {
                path: path.to_path_buf(),
            });
        }
        Err(error) => return Err(Error::io(operation, path, error)),
    };
    let metadata = handle
        .metadata()
        .map_err(|error| Error::io(operation, path, error))?;
    if !metadata.is_file() {
        return Err(Error::NotAFile {
            path: path.to_path_buf(),
        });
    }
    Ok(handle)
}

/// Makes the name of `dir` in its parent durable, as far as the parent can be opened at all.
fn sync_name_of(dir: &Path) -> Result<()> {
    let Some(parent) = dir.parent() else {
        return Ok(());
    };
    match Handle::open(parent) {
        Ok(handle) => match handle.sync_all() {
            // A read-only medium holds no name that is not durable.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
            Err(error) => Err(Error::io(Operation::SyncDir, parent, error)),
            Ok(()) => Ok(()),
        },
        // A parent that we may pass through but not read is not ours to sync; we cannot have made a name in it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(Error::io(Operation::SyncDir, parent, error)),
    }
}

fn absolute(operation: Operation, path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::io(operation, path, error))
}

fn is_any(error: &io::Error, numbers: &[Errno]) -> bool {
    error
        .raw_os_error()
        .is_some_and(|raw| numbers.iter().any(|number| number.raw_os_error() == raw))
}
