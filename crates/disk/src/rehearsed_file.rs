//! A file of a rehearsal: the blocks that were written, above a file that is only read.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dir::Access;
use crate::error::{Error, Operation, Result};
use crate::file::File;
use crate::map::Map;
use crate::rehearsal::ChangeKind;

const BLOCK_BYTES: usize = 4096;
/// As long as a file can be.
const FILE_BYTES_MAX: u64 = i64::MAX as u64;

/// What a file holds, whatever its name.
#[derive(Default)]
pub(crate) struct RehearsedBytes {
    below: Option<Arc<dyn File>>,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    len: u64,
    /// Where what stands below ends: what lies behind it and was not written is zero. Invariant: not beyond `len`.
    below_end: u64,
    /// By number.
    blocks: BTreeMap<u64, Box<[u8; BLOCK_BYTES]>>,
}

/// A handle.
pub(crate) struct RehearsedFile {
    bytes: Arc<RehearsedBytes>,
    path: PathBuf,
    access: Access,
}

impl RehearsedBytes {
    pub(crate) fn above(below: Arc<dyn File>) -> Result<Self> {
        let len = below.len()?;
        Ok(RehearsedBytes {
            below: Some(below),
            written: Mutex::new(Written {
                len,
                below_end: len,
                blocks: BTreeMap::new(),
            }),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.written().len
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it differs from what stands below, if it does.
    pub(crate) fn difference(&self) -> Result<Option<ChangeKind>> {
        let written = self.written();
        let len_before = match &self.below {
            Some(below) => below.len()?,
            None => 0,
        };
        let common = written.len.min(len_before);
        let mut bytes = 0;
        let mut before = [0; BLOCK_BYTES];
        for (number, block) in written.blocks.range(..blocks_of(common)) {
            let at = number * BLOCK_BYTES as u64;
            let length = within(common - at);
            self.read_below(len_before, at, &mut before[..length])?;
            let pairs = before[..length].iter().zip(&block[..length]);
            bytes += pairs.filter(|(before, after)| before != after).count() as u64;
        }
        let is_changed = bytes > 0 || written.len != len_before;
        Ok(is_changed.then_some(ChangeKind::Written {
            bytes,
            len_before,
            len_after: written.len,
        }))
    }

    /// What stands below, up to `end`, and zeros behind that.
    fn read_below(&self, end: u64, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let there = within_of(end.saturating_sub(offset), buffer.len());
        let filled = match &self.below {
            Some(below) => below.read_up_to(offset, &mut buffer[..there])?,
            None => 0,
        };
        buffer[filled..].fill(0);
        Ok(())
    }

    fn read(&self, written: &Written, mut offset: u64, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            let number = offset / BLOCK_BYTES as u64;
            let in_block = within(offset % BLOCK_BYTES as u64);
            let length = match written.blocks.range(number..).next() {
                Some((next, block)) if *next == number => {
                    let length = (BLOCK_BYTES - in_block).min(buffer.len());
                    buffer[..length].copy_from_slice(&block[in_block..in_block + length]);
                    length
                }
                next => {
                    let until = next.map_or(u64::MAX, |(next, _)| next * BLOCK_BYTES as u64);
                    let length = within_of(until - offset, buffer.len());
                    self.read_below(written.below_end, offset, &mut buffer[..length])?;
                    length
                }
            };
            offset += length as u64;
            buffer = &mut buffer[length..];
        }
        Ok(())
    }

    fn write(&self, mut offset: u64, mut bytes: &[u8]) -> Result<()> {
        let mut written = self.written();
        while !bytes.is_empty() {
            let number = offset / BLOCK_BYTES as u64;
            let in_block = within(offset % BLOCK_BYTES as u64);
            let length = (BLOCK_BYTES - in_block).min(bytes.len());
            if !written.blocks.contains_key(&number) {
                let mut block = Box::new([0; BLOCK_BYTES]);
                let at = number * BLOCK_BYTES as u64;
                self.read_below(written.below_end, at, &mut block[..])?;
                written.blocks.insert(number, block);
            }
            let block = written.blocks.get_mut(&number);
            let block = block.expect("it has just been put there");
            block[in_block..in_block + length].copy_from_slice(&bytes[..length]);
            offset += length as u64;
            bytes = &bytes[length..];
        }
        written.len = written.len.max(offset);
        Ok(())
    }

    fn set_len(&self, len: u64) {
        let mut written = self.written();
        if len < written.len {
            written.below_end = written.below_end.min(len);
            written.blocks.split_off(&blocks_of(len));
            let last = len / BLOCK_BYTES as u64;
            if let Some(block) = written.blocks.get_mut(&last) {
                block[within(len % BLOCK_BYTES as u64)..].fill(0);
            }
        }
        written.len = len;
    }
}

/// How many blocks so many bytes lie in.
fn blocks_of(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES as u64)
}

/// A number of bytes, at most those of a block.
fn within(bytes: u64) -> usize {
    within_of(bytes, BLOCK_BYTES)
}

/// A number of bytes, at most so many.
fn within_of(bytes: u64, most: usize) -> usize {
    usize::try_from(bytes).map_or(most, |bytes| bytes.min(most))
}

impl RehearsedFile {
    pub(crate) fn new(bytes: Arc<RehearsedBytes>, path: PathBuf, access: Access) -> Self {
        RehearsedFile {
            bytes,
            path,
            access,
        }
    }

    fn error(&self, operation: Operation, kind: io::ErrorKind) -> Error {
        Error::io(operation, &self.path, kind.into())
    }

    fn require_change(&self, operation: Operation, end: Option<u64>) -> Result<u64> {
        if self.access == Access::Read {
            return Err(self.error(operation, io::ErrorKind::PermissionDenied));
        }
        let end = end.filter(|end| *end <= FILE_BYTES_MAX);
        end.ok_or_else(|| self.error(operation, io::ErrorKind::FileTooLarge))
    }
}

impl File for RehearsedFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        Ok(self.bytes.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let written = self.bytes.written();
        let count = within_of(written.len.saturating_sub(offset), buffer.len());
        self.bytes.read(&written, offset, &mut buffer[..count])?;
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        let end = offset.checked_add(bytes.len() as u64);
        self.require_change(Operation::Write, end)?;
        if !bytes.is_empty() {
            self.bytes.write(offset, bytes)?;
        }
        Ok(bytes.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.require_change(Operation::SetLen, Some(len))?;
        self.bytes.set_len(len);
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        let end = self.require_change(Operation::Allocate, offset.checked_add(len))?;
        if len > 0 {
            let mut written = self.bytes.written();
            written.len = written.len.max(end);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn map(&self, range: Range<u64>) -> Result<Map> {
        let written = self.bytes.written();
        if range.end > written.len {
            return Err(self.error(Operation::Map, io::ErrorKind::UnexpectedEof));
        }
        let blocks = range.start / BLOCK_BYTES as u64..blocks_of(range.end);
        let is_below = range.end <= written.below_end
            && (blocks.is_empty() || written.blocks.range(blocks).next().is_none());
        match &self.bytes.below {
            Some(below) if is_below => below.map(range),
            _ => {
                let len = usize::try_from(range.end.saturating_sub(range.start));
                let len =
                    len.map_err(|_| self.error(Operation::Map, io::ErrorKind::OutOfMemory))?;
                let mut bytes = vec![0; len];
                self.bytes.read(&written, range.start, &mut bytes)?;
                Ok(Map::new(bytes))
            }
        }
    }
}

impl fmt::Debug for RehearsedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RehearsedFile({})", self.path.display())
    }
}
