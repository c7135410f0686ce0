//! What a simulated file reads as: sectors and a length.
//!
//! Sectors hang in chunks of 64, both shared between forks, so that a fork costs nothing and the first write
//! after it copies one chunk of pointers.

use std::sync::Arc;

use crate::sim_hash::Hash;
use crate::sim_sector::{SECTOR_BYTES, Version};

/// Longer files are refused, so that a stray offset cannot make a test eat the machine.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 36;

const CHUNK_SECTORS: usize = 64;

type Chunk = [Version; CHUNK_SECTORS];

/// Sectors and a length in bytes.
///
/// Invariant: what lies beyond the length reads as zero, so that a file that grows again gains zeros.
#[derive(Clone, Default)]
pub(crate) struct Content {
    chunks: Vec<Option<Arc<Chunk>>>,
    len: u64,
    stored: u64,
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// How many sectors take space.
    pub(crate) fn stored_sectors(&self) -> u64 {
        self.stored
    }

    /// The number of sectors that the length covers, the last one perhaps in part.
    pub(crate) fn sector_count(&self) -> usize {
        sector_count(self.len)
    }

    pub(crate) fn sector(&self, number: usize) -> &Version {
        const HOLE: &Version = &Version::HOLE;
        match self.chunks.get(number / CHUNK_SECTORS) {
            Some(Some(chunk)) => &chunk[number % CHUNK_SECTORS],
            _ => HOLE,
        }
    }

    pub(crate) fn set_sector(&mut self, number: usize, version: Version) {
        let index = number / CHUNK_SECTORS;
        if index >= self.chunks.len() {
            if version.is_hole() {
                return;
            }
            self.chunks.resize(index + 1, None);
        }
        let chunk = self.chunks[index]
            .get_or_insert_with(|| Arc::new([const { Version::HOLE }; CHUNK_SECTORS]));
        let place = &mut Arc::make_mut(chunk)[number % CHUNK_SECTORS];
        self.stored -= u64::from(!place.is_hole());
        self.stored += u64::from(!version.is_hole());
        *place = version;
    }

    /// Sets the length alone. When it shrinks, the caller clears what lies beyond.
    pub(crate) fn set_len(&mut self, len: u64) {
        self.len = len;
    }

    /// Forgets whatever lies beyond the length.
    pub(crate) fn clear_beyond_len(&mut self) {
        let first_beyond = self.sector_count();
        for number in self.stored_from(first_beyond) {
            self.set_sector(number, Version::HOLE);
        }
        if let Some((number, version)) = self.tail_cut(self.len) {
            self.set_sector(number, version);
        }
        let chunk_count = first_beyond.div_ceil(CHUNK_SECTORS);
        self.chunks.truncate(chunk_count);
    }

    /// The sector that `len` cuts through with its part beyond `len` zeroed, if that changes it.
    pub(crate) fn tail_cut(&self, len: u64) -> Option<(usize, Version)> {
        let (number, kept) = locate(len);
        let version = self.sector(number);
        if kept == 0 || version.bytes()[kept..].iter().all(|byte| *byte == 0) {
            return None;
        }
        let mut bytes = *version.bytes();
        bytes[kept..].fill(0);
        Some((number, Version::new(bytes)))
    }

    /// The numbers of the sectors from `first` on that take space.
    pub(crate) fn stored_from(&self, first: usize) -> Vec<usize> {
        let mut numbers = Vec::new();
        for index in first / CHUNK_SECTORS..self.chunks.len() {
            if let Some(chunk) = &self.chunks[index] {
                let start = index * CHUNK_SECTORS;
                let stored = (0..CHUNK_SECTORS).filter(|at| !chunk[*at].is_hole());
                numbers.extend(
                    stored
                        .map(|at| start + at)
                        .filter(|number| *number >= first),
                );
            }
        }
        numbers
    }

    /// Reads from `offset` up to the length; returns how many bytes.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let rest = self.len.saturating_sub(offset);
        let count = usize::try_from(rest).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        let mut done = 0;
        while done < count {
            let (number, start) = locate(offset + done as u64);
            let step = (SECTOR_BYTES - start).min(count - done);
            let bytes = &self.sector(number).bytes()[start..start + step];
            buffer[done..done + step].copy_from_slice(bytes);
            done += step;
        }
        count
    }

    /// All bytes.
    pub(crate) fn to_vec(&self, len: u64) -> Vec<u8> {
        let len = usize::try_from(len).expect("a file is shorter than memory");
        let mut bytes = vec![0; len];
        for number in self.stored_from(0) {
            let start = number * SECTOR_BYTES;
            if start < len {
                let end = (start + SECTOR_BYTES).min(len);
                bytes[start..end].copy_from_slice(&self.sector(number).bytes()[..end - start]);
            }
        }
        bytes
    }

    pub(crate) fn hash(&self) -> Hash {
        let mut hash = Hash::new().add(self.len, 1);
        for (index, chunk) in self.chunks.iter().enumerate() {
            let Some(chunk) = chunk else { continue };
            for (at, version) in chunk.iter().enumerate() {
                // Reserved zeros and holes read the same, so they count the same: as nothing.
                if !version.is_hole() && version.hash() != Version::HOLE.hash() {
                    let number = index * CHUNK_SECTORS + at;
                    hash = hash.add(number as u64, version.hash());
                }
            }
        }
        hash
    }
}

/// The sector that holds the byte at `offset`, and where in it.
pub(crate) fn locate(offset: u64) -> (usize, usize) {
    let sector_bytes = SECTOR_BYTES as u64;
    let number = usize::try_from(offset / sector_bytes).expect("offsets are below FILE_BYTES_MAX");
    let start = usize::try_from(offset % sector_bytes).expect("below SECTOR_BYTES");
    (number, start)
}

/// How many sectors `len` bytes touch.
pub(crate) fn sector_count(len: u64) -> usize {
    let (number, start) = locate(len);
    number + usize::from(start > 0)
}
