//! The operating system's exclusive lock on a directory, and on a file in it.
//!
//! The lock belongs to the open file, not to its presence: the system frees it when the process ends, however it
//! ends, so a file left behind never blocks. What is written in the file only tells others who holds it.
//!
//! The directory is locked besides, because a file can be removed while it is locked, and the next one of that name is
//! another one. Where directories can not be locked (some file systems of a network), the file alone does it.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the door to the operating system's files that the ban points to"
)]

use std::fs::{self, File as Handle, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use crate::error::{Error, Operation, Result};
use crate::lock::Lock;
use crate::os_dir::open_regular;

/// The most that is read of what a holder wrote about itself.
const HOLDER_BYTES_MAX: usize = 200;

/// How often a lock file that vanishes between opening and locking is opened again.
const ATTEMPTS_MAX: usize = 16;

/// A locked file. It is unlocked by word, not only closed: a process that is being started at this moment has a copy of
/// the handle until it becomes another program, and would hold the lock as long.
struct Held(Handle);

impl Drop for Held {
    fn drop(&mut self) {
        // If the word fails, closing does it.
        let _ = self.0.unlock();
    }
}

pub(crate) fn take(path: &Path, holder: &str) -> Result<Lock> {
    let failed = |error| Error::io(Operation::Lock, path, error);
    let directory = Held(Handle::open(path.parent().unwrap_or(path)).map_err(failed)?);
    if let Err(TryLockError::WouldBlock) = directory.0.try_lock() {
        let mut options = OpenOptions::new();
        let file = open_regular(options.read(true), Operation::Lock, path);
        return Err(Error::Locked {
            path: path.to_path_buf(),
            holder: file.map_or_else(|_| holder_text(b""), |file| read_holder(&file)),
        });
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    for _ in 0..ATTEMPTS_MAX {
        let handle = open_regular(&options, Operation::Lock, path)?;
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    path: path.to_path_buf(),
                    holder: read_holder(&handle),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Someone may have removed the file before it was locked. Then this lock is on a nameless file, and
        // the next process would lock a new one beside us.
        if is_named(&handle, path).map_err(failed)? {
            write_holder(&handle, holder);
            // The file first: whoever gets the directory must find the file free.
            return Ok(Lock::new((Held(handle), directory)));
        }
    }
    Err(failed(io::ErrorKind::ResourceBusy.into()))
}

fn is_named(handle: &Handle, path: &Path) -> io::Result<bool> {
    let ours = handle.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tells others who we are. Failing at it (a full disk) is no reason not to hold the lock.
fn write_holder(handle: &Handle, holder: &str) {
    let told = handle
        .set_len(0)
        .and_then(|()| handle.write_all_at(format!("{holder}\n").as_bytes(), 0));
    if told.is_err() {
        // Then nobody is named rather than the holder before us.
        let _ = handle.set_len(0);
    }
}

fn read_holder(handle: &Handle) -> String {
    let mut buffer = [0; HOLDER_BYTES_MAX];
    let count = handle.read_at(&mut buffer, 0).unwrap_or(0);
    holder_text(&buffer[..count])
}

/// What a lock file says, fit for one line of a message.
pub(crate) fn holder_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or("").trim();
    let line: String = line.chars().filter(|char| !char.is_control()).collect();
    if line.is_empty() {
        "an unknown process".to_owned()
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_handle_does_not_hold_a_dropped_lock() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("lock");
        let held = Held(Handle::create(&path).unwrap());
        held.0.try_lock().unwrap();
        let copy = held.0.try_clone().unwrap();
        assert!(take(&path, "me").is_err());
        drop(held);
        drop(take(&path, "me").unwrap());
        drop(copy);
    }
}
