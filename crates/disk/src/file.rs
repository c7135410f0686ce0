//! A file as the layers above see it: bytes at offsets, a length, a sync.

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::Path;

use crate::error::{Error, Operation, Result};
use crate::map::Map;

/// An open regular file. All offsets and lengths are bytes.
///
/// Nothing but [`File::sync`] makes anything durable: after a crash each 512-byte sector that was written since
/// the last sync may be old or new, independently of the others, and so may the length.
pub trait File: Send + Sync + Debug {
    /// The path, for messages only.
    fn path(&self) -> &Path;

    /// The current length in bytes.
    fn len(&self) -> Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads up to `buffer.len()` bytes at `offset`; may read fewer, 0 means the end of the file.
    ///
    /// May fail with [`io::ErrorKind::Interrupted`]; [`File::read_exact_at`] and [`File::read_up_to`] retry that.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes up to `bytes.len()` bytes at `offset`, growing the file as needed; may write fewer. Not durable.
    ///
    /// May fail with [`io::ErrorKind::Interrupted`]; [`File::write_all_at`] retries that.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize>;

    /// Cuts or extends the file; bytes gained read as zero and have no space of their own yet. Not durable: after
    /// a crash the bytes cut off may be back, each sector on its own.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Reserves space for `offset..offset + len` so that writing there cannot run out of space, growing the
    /// file with zeros if it is shorter. Where the file system cannot reserve, zeros are written beyond the end of
    /// the file, and what lies below it is left as it is. Not durable. After an error any front part may have been
    /// reserved, the file having grown accordingly.
    fn allocate(&self, offset: u64, len: u64) -> Result<()>;

    /// Makes every write and length change that finished before this call durable.
    ///
    /// After an error any subset of them may be on disk while reads go on showing all of them, and a second
    /// call may return Ok without having written anything: never retry it, reopen and rewrite instead.
    fn sync(&self) -> Result<()>;

    /// Maps the bytes of `range` read-only; it need not begin or end where a page does. It must not reach beyond the end of the file
    /// ([`io::ErrorKind::UnexpectedEof`]), and while the map lives nobody may write to any of its bytes, not even
    /// what they hold already, or cut the file before its end. What lies around it may change, in the same page too.
    ///
    /// [`crate::SimDisk`] panics where that is broken.
    fn map(&self, range: Range<u64>) -> Result<Map>;

    /// Fills `buffer` from `offset`, or fails with [`io::ErrorKind::UnexpectedEof`].
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if self.read_up_to(offset, buffer)? == buffer.len() {
            return Ok(());
        }
        Err(Error::io(
            Operation::Read,
            self.path(),
            io::ErrorKind::UnexpectedEof.into(),
        ))
    }

    /// Fills as much of `buffer` as the file holds from `offset` on; fewer bytes only at the end of the file.
    fn read_up_to(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.io_kind() == Some(io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Writes all of `bytes` at `offset`. Not durable. After an error any part may have been written.
    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match self.write_at(offset + written as u64, &bytes[written..]) {
                Ok(0) => {
                    return Err(Error::io(
                        Operation::Write,
                        self.path(),
                        io::ErrorKind::WriteZero.into(),
                    ));
                }
                Ok(count) => written += count,
                Err(error) if error.io_kind() == Some(io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
