//! The bytes of a file as far as the disk can read them, a window at a time; those that it can not are zero.
//!
//! A file is gone through once to learn where it ends and what can not be read, and then looked at here and there. Memory is bounded by the window
//! and the longest piece that is asked for, and that lies within the file.
//!
//! The checksum of the bytes up to each sector is kept of that first time: 4 bytes for 4096. From two of them follows that of all bytes between, however many they
//! are, so that thousands of headers that each claim to be followed by a megabyte do not make a gigabyte of work.

use std::ops::Range;
use std::sync::Arc;

use disk::File;

use crate::checksum::{checksum, checksum_append, checksum_behind};
use crate::format::ZEROS_BYTES_MAX;

/// How much is read at once, bytes.
const WINDOW_BYTES: u64 = 1 << 20;
/// What is given up around a byte that can not be read. Windows begin at multiples of it.
const SECTOR_BYTES: u64 = 4096;
/// From so many bytes on a checksum is made from those of the sectors: to join two takes as long as to go through that many.
const LONG_BYTES: u64 = 64 << 10;

/// The bytes of a file.
pub(crate) struct RemainingBytes {
    file: Arc<dyn File>,
    window: Vec<u8>,
    /// Where the window begins.
    start: u64,
    end: u64,
    used: u64,
    unreadable: Vec<Range<u64>>,
    /// The checksum of all bytes before each sector.
    sums: Vec<u32>,
}

impl RemainingBytes {
    /// Goes through a file once, but not behind more zeros than we ever write in a row: it may be as long as the file system allows, and empty.
    pub(crate) fn of_file(file: Arc<dyn File>, len: u64) -> Self {
        let mut bytes = RemainingBytes::again(file, len);
        let (mut at, mut sum) = (0, 0);
        let mut sums = Vec::new();
        while at < bytes.end && at - bytes.used < ZEROS_BYTES_MAX {
            let chunk = bytes.get(at, WINDOW_BYTES);
            let (count, last) = (chunk.len() as u64, used(chunk));
            for sector in chunk.chunks(usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX)) {
                sums.push(sum);
                sum = checksum_append(sum, sector);
            }
            if last > 0 {
                bytes.used = at + last;
            }
            at += count;
            if count < WINDOW_BYTES {
                break;
            }
        }
        if at.is_multiple_of(SECTOR_BYTES) {
            sums.push(sum);
        }
        bytes.end = at;
        bytes.sums = sums;
        bytes
    }

    /// Those of a file that was gone through before, up to `end`.
    pub(crate) fn again(file: Arc<dyn File>, end: u64) -> Self {
        RemainingBytes {
            file,
            window: Vec::new(),
            start: 0,
            end,
            used: 0,
            unreadable: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Where they end.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Where those end that are not zero.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// What can not be read, as far as it was tried.
    pub(crate) fn unreadable(&self) -> &[Range<u64>] {
        &self.unreadable
    }

    /// Whether some of these can not be read, as far as it was tried.
    pub(crate) fn is_unreadable(&self, bytes: &Range<u64>) -> bool {
        let behind = self
            .unreadable
            .partition_point(|range| range.end <= bytes.start);
        let touched = self.unreadable.get(behind);
        touched.is_some_and(|range| range.start < bytes.end)
    }

    /// The `length` bytes at `at`, fewer only at the end.
    pub(crate) fn get(&mut self, at: u64, length: u64) -> &[u8] {
        let to = at.saturating_add(length).min(self.end).max(at);
        if at < self.start || to > self.start + self.window.len() as u64 {
            self.move_window(at, to);
        }
        let place = |at: u64| {
            let place = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
            place.min(self.window.len())
        };
        &self.window[place(at)..place(to)]
    }

    /// The checksum of the `length` bytes at `at`, which are there.
    pub(crate) fn checksum(&mut self, at: u64, length: u64) -> u32 {
        if length < LONG_BYTES {
            return checksum(self.get(at, length));
        }
        match (self.checksum_before(at), self.checksum_before(at + length)) {
            (Some(before), Some(all)) => checksum_behind(before, all, length),
            _ => checksum(self.get(at, length)),
        }
    }

    /// The checksum of all bytes before this one. The window stays where it is.
    fn checksum_before(&self, at: u64) -> Option<u32> {
        let sector = at / SECTOR_BYTES;
        let sum = *self.sums.get(usize::try_from(sector).ok()?)?;
        let start = sector * SECTOR_BYTES;
        let mut bytes = vec![0; usize::try_from(at - start).ok()?];
        if self.file.read_exact_at(start, &mut bytes).is_err() {
            // It was taken for zeros when the file was gone through.
            bytes.fill(0);
        }
        Some(checksum_append(sum, &bytes))
    }

    #[cold]
    fn move_window(&mut self, at: u64, to: u64) {
        self.start = at - at % SECTOR_BYTES;
        let to = to.max(self.start + WINDOW_BYTES).min(self.end);
        let length = usize::try_from(to.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.window.clear();
        self.window
            .shrink_to(usize::try_from(WINDOW_BYTES).unwrap_or(length));
        self.window.resize(length, 0);
        if let Ok(filled) = self.file.read_up_to(self.start, &mut self.window) {
            self.window.truncate(filled);
            return;
        }
        // Somewhere in there: sector by sector.
        let sector_bytes = usize::try_from(SECTOR_BYTES).unwrap_or(length);
        let mut start = self.start;
        for sector in self.window.chunks_mut(sector_bytes) {
            let end = start + sector.len() as u64;
            if self.file.read_exact_at(start, sector).is_err() {
                sector.fill(0);
                note(&mut self.unreadable, start..end);
            }
            start = end;
        }
    }
}

/// Adds a range to those that are known, which are in order and apart from each other.
fn note(known: &mut Vec<Range<u64>>, more: Range<u64>) {
    let from = known.partition_point(|range| range.end < more.start);
    let to = known.partition_point(|range| range.start <= more.end);
    let touched = &known[from..to];
    let start = touched
        .first()
        .map_or(more.start, |first| first.start.min(more.start));
    let end = touched
        .last()
        .map_or(more.end, |last| last.end.max(more.end));
    known.splice(from..to, std::iter::once(start..end));
}

/// Where the bytes end that are not zero.
fn used(bytes: &[u8]) -> u64 {
    let last = bytes.iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last as u64 + 1)
}
