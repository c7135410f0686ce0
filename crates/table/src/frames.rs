//! The memory of pages: frames of 32 KiB, taken from large pieces and used again.
//!
//! ```text
//!   chunk   | frame | frame | frame | ...      1, 1, 2, 4, ... and then 64 frames each: 2 MiB, aligned to their size
//!                \_______\__________ free: used again, in each chunk the one given back last first
//! ```
//!
//! Fresh memory costs more than the copy that is put into it, and what was used last is still in the processor's cache. Chunks of
//! which nothing is used go back to the system, as long as one full chunk stays in hand and once they are a quarter of what is free. Whoever holds these
//! hands them on and drops them where nobody waits for him: to give memory back takes the system long.

#![expect(unsafe_code, reason = "memory that is handed out by the frame")]

use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;

use crate::chunk::{CHUNK_FRAMES_MAX, Chunk, ChunkAhead};
use crate::page::PageBuf;

/// Frames that are free, and the memory of all.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// By address. Invariant: frames lie wholly in one of them.
    chunks: BTreeMap<usize, PartChunk>,
    /// Where chunks begin that may have free frames, the one that began to have some last at the end. Invariant: all that have some, each once.
    partly_free: Vec<usize>,
    /// Frames that nobody uses.
    free_count: usize,
    /// Where chunks begin of which nothing is used.
    unused: BTreeSet<usize>,
    /// Frames in those.
    unused_count: usize,
    /// Frames in all chunks.
    frame_count: usize,
    /// Chunks that go back to the system.
    given_back: Vec<Chunk>,
    /// Once full chunks are needed.
    ahead: Option<ChunkAhead>,
}

/// A chunk of which some frames are free.
#[derive(Debug)]
struct PartChunk {
    chunk: Chunk,
    /// The one given back last at the end.
    free: Vec<NonNull<PageBuf>>,
    /// Whether it is among those that may have free frames.
    is_listed: bool,
}

// SAFETY: the pointers own what they point to, as a Box does.
unsafe impl Send for Frames {}

impl Frames {
    /// A frame that nobody else uses. It may hold anything that a page held before.
    #[inline]
    pub(crate) fn take(&mut self) -> NonNull<PageBuf> {
        loop {
            let Some(&start) = self.partly_free.last() else {
                self.grow();
                continue;
            };
            let part = listed(&mut self.chunks, start);
            let was_unused = part.is_unused();
            let Some(frame) = part.free.pop() else {
                part.is_listed = false;
                self.partly_free.pop();
                continue;
            };
            if was_unused {
                self.unused_count -= part.chunk.frame_count();
                self.unused.remove(&start);
            }
            self.free_count -= 1;
            return frame;
        }
    }

    /// Takes a frame back.
    ///
    /// # Safety
    /// It is one that [`Frames::take`] gave, and nobody uses it any more.
    pub(crate) unsafe fn give(&mut self, frame: NonNull<PageBuf>) {
        let below = self.chunks.range_mut(..=frame.addr().get());
        let (&start, part) = below.last().expect("each frame lies in a chunk");
        part.free.push(frame);
        self.free_count += 1;
        if !part.is_listed {
            part.is_listed = true;
            self.partly_free.push(start);
        }
        if part.is_unused() {
            self.unused_count += part.chunk.frame_count();
            self.unused.insert(start);
            let many = CHUNK_FRAMES_MAX + self.free_count / 4;
            if self.unused_count >= many {
                self.release();
            }
        }
    }

    /// Chunks that are no part of this any more, to be dropped.
    pub(crate) fn take_given_back(&mut self) -> Vec<Chunk> {
        std::mem::take(&mut self.given_back)
    }

    /// How many frames there are, in use or not, those touched ahead included.
    pub(crate) fn frame_count(&self) -> usize {
        self.frame_count + self.ahead.as_ref().map_or(0, ChunkAhead::frame_count)
    }

    /// How many frames are in use.
    #[cfg(test)]
    pub(crate) fn used_count(&self) -> usize {
        self.frame_count - self.free_count
    }

    #[cold]
    fn grow(&mut self) {
        // A small store stays small.
        let chunk = match self.frame_count.clamp(1, CHUNK_FRAMES_MAX) {
            CHUNK_FRAMES_MAX => self.full_chunk(),
            frame_count => Chunk::touched(frame_count),
        };
        let start = chunk.addresses().start;
        let free_count = chunk.frame_count();
        self.frame_count += free_count;
        self.free_count += free_count;
        self.unused.insert(start);
        self.unused_count += free_count;
        self.partly_free.push(start);
        let part = PartChunk {
            free: chunk.frames().rev().collect(),
            chunk,
            is_listed: true,
        };
        self.chunks.insert(start, part);
    }

    fn full_chunk(&mut self) -> Chunk {
        let ready = self.ahead.get_or_insert_with(ChunkAhead::begin).take();
        ready.unwrap_or_else(|| Chunk::touched(CHUNK_FRAMES_MAX))
    }

    /// Gives chunks of which nothing is used back, unless less than a full one would be free then.
    #[cold]
    fn release(&mut self) {
        let chunks = &mut self.chunks;
        let (free_count, frame_count) = (&mut self.free_count, &mut self.frame_count);
        let (unused_count, given_back) = (&mut self.unused_count, &mut self.given_back);
        self.unused.retain(|start| {
            let count = chunks[start].chunk.frame_count();
            if *free_count < count + CHUNK_FRAMES_MAX {
                return true;
            }
            *free_count -= count;
            *frame_count -= count;
            *unused_count -= count;
            given_back.extend(chunks.remove(start).map(|part| part.chunk));
            false
        });
        self.partly_free
            .retain(|start| self.chunks.contains_key(start));
    }
}

/// The chunk that begins at `start`, which is one of them.
#[inline]
fn listed(chunks: &mut BTreeMap<usize, PartChunk>, start: usize) -> &mut PartChunk {
    chunks.get_mut(&start).expect("what is listed is there")
}

impl PartChunk {
    #[inline]
    fn is_unused(&self) -> bool {
        self.free.len() == self.chunk.frame_count()
    }
}

/// Asks the processor for what stands around a byte of a page.
#[inline(always)]
pub(crate) fn fetch(page: &PageBuf, byte_offset: usize) {
    fetch_at(page.as_bytes().as_ptr().wrapping_add(byte_offset));
}

/// Asks the processor for a value that may lie across the border of two lines of its caches.
#[inline(always)]
pub(crate) fn fetch_all<T>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    fetch_at(start);
    fetch_at(start.wrapping_add(size_of::<T>() - 1));
}

#[inline(always)]
fn fetch_at(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, which reads nothing; any address will do.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_used_again_and_chunks_given_back() {
        let mut frames = Frames::default();
        let first = frames.take();
        assert_eq!(frames.frame_count, 1);
        // SAFETY: taken above, and not used.
        unsafe { frames.give(first) };
        assert_eq!(frames.take(), first);

        let mut all: Vec<_> = (0..200).map(|_| frames.take()).collect();
        all.push(first);
        let mut addresses: Vec<usize> = all.iter().map(|frame| frame.addr().get()).collect();
        addresses.sort_unstable();
        assert!(
            addresses
                .windows(2)
                .all(|two| two[1] - two[0] >= size_of::<PageBuf>())
        );
        assert_eq!(
            frames.frame_count, 256,
            "1, 1, 2, 4, ... and then 64 at once"
        );
        assert_eq!(
            frames.frame_count(),
            256 + 64,
            "and 64 that are touched ahead"
        );
        for frame in all {
            // SAFETY: taken above, and not used.
            unsafe { frames.give(frame) };
        }
        assert!(frames.frame_count <= 128, "one full chunk stays in hand");
        assert_eq!(frames.free_count, frames.frame_count);
        let given_back = frames.take_given_back();
        let of_those: usize = given_back.iter().map(Chunk::frame_count).sum();
        assert_eq!(of_those + frames.frame_count, 256);
    }

    #[test]
    fn what_was_given_back_last_is_taken_first_from_its_chunk() {
        let mut frames = Frames::default();
        let all: Vec<_> = (0..3 * CHUNK_FRAMES_MAX).map(|_| frames.take()).collect();
        // SAFETY: taken above, and not used; so for all below.
        let mut give = |frame| unsafe { frames.give(frame) };
        give(all[5]);
        give(all[100]);
        give(all[101]);
        assert_eq!(
            [(); 3].map(|()| frames.take()),
            [all[101], all[100], all[5]]
        );
    }

    /// Whatever is taken and given back, no frame is handed out twice, and what is free and unused is counted.
    #[test]
    fn frames_that_come_and_go_are_counted() {
        let steps = if cfg!(miri) { 300 } else { 60_000 };
        let (mut frames, mut used) = (Frames::default(), BTreeSet::new());
        let mut number = 1_u64;
        for step in 0..steps {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let drawn = usize::try_from(number >> 40).unwrap();
            // Now there are more from step to step, and now fewer.
            if used.is_empty() || drawn % 16 < if step / 5_000 % 2 == 0 { 11 } else { 5 } {
                assert!(used.insert(frames.take()), "it is used");
            } else {
                let frame = *used.iter().nth(drawn / 16 % used.len()).unwrap();
                used.remove(&frame);
                // SAFETY: taken above, and not used.
                unsafe { frames.give(frame) };
            }
            assert_eq!(frames.used_count(), used.len());
            if step % 500 == 0 {
                let free = frames.chunks.values().map(|part| part.free.len());
                assert_eq!(free.sum::<usize>(), frames.free_count);
                let unused = frames.chunks.values().filter(|part| part.is_unused());
                let unused: Vec<usize> = unused.map(|part| part.chunk.frame_count()).collect();
                assert_eq!(unused.len(), frames.unused.len());
                assert_eq!(unused.iter().sum::<usize>(), frames.unused_count);
                let mut listed = frames.partly_free.clone();
                listed.sort_unstable();
                let flagged = frames.chunks.iter().filter(|(_, part)| part.is_listed);
                let flagged: Vec<usize> = flagged.map(|(start, _)| *start).collect();
                assert_eq!(listed, flagged);
                assert!(
                    frames
                        .chunks
                        .values()
                        .all(|part| part.is_listed || part.free.is_empty())
                );
            }
        }
        for frame in used {
            // SAFETY: taken above, and not used.
            unsafe { frames.give(frame) };
        }
        assert!(frames.frame_count <= 128, "one full chunk stays in hand");
        assert_eq!(frames.free_count, frames.frame_count);
    }
}
