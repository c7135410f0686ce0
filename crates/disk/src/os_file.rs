//! A regular file of the operating system.
#![expect(
    clippy::disallowed_types,
    reason = "this is the door to the operating system's files that the ban points to"
)]
#![expect(unsafe_code, reason = "mapping a file has no safe form")]

use std::fs::File as Handle;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use memmap2::MmapOptions;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::dir::Access;
use crate::error::{Error, Operation, Result};
use crate::file::File;
use crate::map::Map;

/// Zeros written at once where the file system cannot reserve space.
const ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];

/// An open regular file.
#[derive(Debug)]
pub(crate) struct OsFile {
    handle: Handle,
    path: PathBuf,
    access: Access,
}

impl OsFile {
    /// Wraps a handle. The caller has made sure that it is a regular file, opened for `access`.
    pub(crate) fn new(handle: Handle, path: PathBuf, access: Access) -> Self {
        OsFile {
            handle,
            path,
            access,
        }
    }

    fn failed(&self, operation: Operation, error: impl Into<io::Error>) -> Error {
        Error::io(operation, &self.path, error.into())
    }

    fn check_writable(&self, operation: Operation) -> Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::Read => Err(self.failed(operation, io::ErrorKind::PermissionDenied)),
        }
    }

    /// What stands in for reserving space where the file system cannot.
    fn write_zeros(&self, offset: u64, end: u64) -> Result<()> {
        let mut position = self.len()?.max(offset);
        while position < end {
            let count = (end - position).min(ZEROS.len() as u64);
            let zeros = &ZEROS[..usize::try_from(count).unwrap_or(ZEROS.len())];
            self.handle
                .write_all_at(zeros, position)
                .map_err(|error| self.failed(Operation::Allocate, error))?;
            position += count;
        }
        Ok(())
    }
}

impl File for OsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        match self.handle.metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(self.failed(Operation::Len, error)),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.handle
            .read_at(buffer, offset)
            .map_err(|error| self.failed(Operation::Read, error))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        self.check_writable(Operation::Write)?;
        self.handle
            .write_at(bytes, offset)
            .map_err(|error| self.failed(Operation::Write, error))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check_writable(Operation::SetLen)?;
        self.handle
            .set_len(len)
            .map_err(|error| self.failed(Operation::SetLen, error))
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.check_writable(Operation::Allocate)?;
        let end = offset
            .checked_add(len)
            .ok_or_else(|| self.failed(Operation::Allocate, io::ErrorKind::FileTooLarge))?;
        if len == 0 {
            return Ok(());
        }
        loop {
            match rustix::fs::fallocate(&self.handle, FallocateFlags::empty(), offset, len) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return self.write_zeros(offset, end),
                Err(error) => return Err(self.failed(Operation::Allocate, error)),
            }
        }
    }

    fn sync(&self) -> Result<()> {
        self.handle
            .sync_data()
            .map_err(|error| self.failed(Operation::SyncFile, error))
    }

    fn map(&self, range: Range<u64>) -> Result<Map> {
        if range.end > self.len()? {
            return Err(self.failed(Operation::Map, io::ErrorKind::UnexpectedEof));
        }
        let Ok(len) = usize::try_from(range.end.saturating_sub(range.start)) else {
            return Err(self.failed(Operation::Map, io::ErrorKind::OutOfMemory));
        };
        if len == 0 {
            return Ok(Map::new(Vec::new()));
        }
        // The operating system maps whole pages; what of them lies around the range is never looked at.
        let mut options = MmapOptions::new();
        options.offset(range.start).len(len);
        // SAFETY: the bytes of the range must not change and the file must not shrink below its end while the map
        // lives. The contract of `File::map` asks that of everybody who works through this crate, and the
        // exclusive lock keeps other programs of ours out. A foreign program that writes into a database
        // regardless can break it, as with every map of a file; what is read from a map is checked against
        // checksums and never decides a length or an index before that.
        let map = unsafe { options.map(&self.handle) };
        map.map(Map::new)
            .map_err(|error| self.failed(Operation::Map, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file system at hand can reserve, so what stands in for it is called by itself.
    #[test]
    fn zeros_are_written_beyond_the_end_and_nowhere_else() {
        for (len, offset, end) in [
            (0_u64, 0_u64, 40_000_u64),
            (100, 0, 50),
            (100, 50, 200),
            (100, 300, 16 * 1024 + 301),
        ] {
            let handle = tempfile::tempfile().unwrap();
            let file = OsFile::new(handle, PathBuf::from("x"), Access::ReadWrite);
            let old = vec![7; usize::try_from(len).unwrap()];
            file.write_all_at(0, &old).unwrap();
            file.write_zeros(offset, end).unwrap();
            assert_eq!(file.len().unwrap(), end.max(len));
            let map = file.map(0..end.max(len)).unwrap();
            let (front, back) = map.split_at(old.len());
            assert_eq!(front, old);
            assert!(back.iter().all(|byte| *byte == 0));
        }
    }
}
