//! A handle on a simulated file.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::dir::Access;
use crate::error::{Error, Operation, Result};
use crate::file::File;
use crate::map::Map;
use crate::sim_content::{FILE_BYTES_MAX, locate, sector_count};
use crate::sim_crash::Crash;
use crate::sim_dir_node::NodeId;
use crate::sim_map::{LiveMap, SimMap};
use crate::sim_sector::SECTOR_BYTES;
use crate::sim_state::{Shared, State, Trouble};

pub(crate) struct SimFile {
    shared: Arc<Shared>,
    life: u64,
    node: NodeId,
    path: Arc<Path>,
    access: Access,
}

impl SimFile {
    /// A handle on `node` in the life that `state`, which belongs to `shared`, is in.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        state: &mut State,
        node: NodeId,
        path: Arc<Path>,
        access: Access,
    ) -> Self {
        *state.open.entry(node).or_default() += 1;
        SimFile {
            shared: Arc::clone(shared),
            life: state.life,
            node,
            path,
            access,
        }
    }

    fn call<T>(
        &self,
        operation: Operation,
        effect: impl FnOnce(&mut State, Trouble) -> io::Result<T>,
    ) -> Result<T> {
        self.shared
            .call(self.life, operation, &self.path, |state, trouble| {
                effect(state, trouble).map_err(|error| Error::io(operation, &self.path, error))
            })
    }

    /// A call that changes the file: refused through a handle for reading, and beyond the longest file.
    fn change<T>(
        &self,
        operation: Operation,
        end: Option<u64>,
        effect: impl FnOnce(&mut State, Trouble) -> io::Result<T>,
    ) -> Result<T> {
        self.call(operation, |state, trouble| {
            if self.access == Access::Read {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            if end.is_none_or(|end| end > FILE_BYTES_MAX) {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            effect(state, trouble)
        })
    }
}

impl File for SimFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        self.call(Operation::Len, |state, _| {
            Ok(state.medium.file(self.node).content().len())
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.call(Operation::Read, |state, trouble| {
            let mut count = buffer.len();
            if trouble == Trouble::Short {
                count = state.random.part_of(count);
            }
            let content = state.medium.file(self.node).content();
            Ok(content.read(offset, &mut buffer[..count]))
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        let end = offset.checked_add(bytes.len() as u64);
        self.change(Operation::Write, end, |state, trouble| {
            if bytes.is_empty() {
                return Ok(0);
            }
            state.check_not_mapped(self.node, offset..offset + bytes.len() as u64, &self.path);
            state.record_write(self.node, offset, bytes);
            let asked = match trouble {
                Trouble::None | Trouble::Interrupted => bytes.len(),
                Trouble::Enospc => 0,
                Trouble::Short | Trouble::Cut(Crash::Kill) => state.random.part_of(bytes.len()),
                // Whatever has reached the cache, the power cut decides about each sector.
                Trouble::Cut(Crash::Power(_)) => bytes.len(),
                Trouble::Eio => {
                    let front = state.random.below(bytes.len() as u64 + 1);
                    usize::try_from(front).unwrap_or(bytes.len())
                }
            };
            let count = fitting(state, self.node, offset, asked);
            if count > 0 {
                let file = state.medium_mut().file_mut(self.node);
                file.write(offset, &bytes[..count]);
            }
            match trouble {
                _ if trouble.fails() => Err(trouble.error()),
                _ if count == 0 => Err(Trouble::Enospc.error()),
                _ => Ok(count),
            }
        })
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.change(Operation::SetLen, Some(len), |state, _| {
            state.check_not_mapped(self.node, len..u64::MAX, &self.path);
            state.medium_mut().file_mut(self.node).set_len(len);
            Ok(())
        })
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len);
        self.change(Operation::Allocate, end, |state, trouble| {
            let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
            let asked = match trouble {
                Trouble::None | Trouble::Short | Trouble::Interrupted => len,
                Trouble::Eio | Trouble::Enospc | Trouble::Cut(_) => {
                    let front = state.random.below(len as u64 + 1);
                    usize::try_from(front).unwrap_or(len)
                }
            };
            let count = fitting(state, self.node, offset, asked);
            if count > 0 {
                let end = offset + count as u64;
                let file = state.medium_mut().file_mut(self.node);
                for number in locate(offset).0..sector_count(end) {
                    file.reserve(number);
                }
                if end > file.content().len() {
                    file.set_len(end);
                }
            }
            match trouble {
                _ if trouble.fails() => Err(trouble.error()),
                _ if count < asked => Err(Trouble::Enospc.error()),
                _ => Ok(()),
            }
        })
    }

    fn sync(&self) -> Result<()> {
        self.call(Operation::SyncFile, |state, trouble| {
            let uncertain = state.medium.file(self.node).is_uncertain();
            if trouble.fails() {
                if uncertain {
                    state.medium_mut().file_mut(self.node).fail_sync();
                }
                return Err(trouble.error());
            }
            if uncertain {
                state.medium_mut().file_mut(self.node).sync();
            }
            Ok(())
        })
    }

    fn map(&self, range: Range<u64>) -> Result<Map> {
        self.call(Operation::Map, |state, _| {
            let content = state.medium.file(self.node).content();
            if range.end > content.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let len = range.end.saturating_sub(range.start);
            let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
            let mut bytes = vec![0; len];
            content.read(range.start, &mut bytes);
            let map = SimMap::new(bytes);
            state.maps.push(LiveMap::new(self.node, range, &map));
            Ok(Map::new(map))
        })
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.shared.state().close(self.node, self.life);
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SimFile({})", self.path.display())
    }
}

/// How many of `count` bytes at `offset` there is space for.
fn fitting(state: &State, node: NodeId, offset: u64, count: usize) -> usize {
    if state.capacity.is_none() {
        return count;
    }
    let mut free_sectors = state.free_bytes() / SECTOR_BYTES as u64;
    let content = state.medium.file(node).content();
    for number in locate(offset).0..sector_count(offset + count as u64) {
        if content.sector(number).is_hole() {
            if free_sectors == 0 {
                let reached = (number * SECTOR_BYTES) as u64;
                let fits = reached.saturating_sub(offset);
                return usize::try_from(fits).unwrap_or(count);
            }
            free_sectors -= 1;
        }
    }
    count
}
