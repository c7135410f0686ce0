//! The memory of pages: frames of 32 KiB, taken from large pieces and used again.
//!
//! ```text
//!   chunk   | frame | frame | frame | ...      1, 1, 2, 4, ... and then 64 frames each: 2 MiB, aligned to their size
//!                \_______\__________ free: used again, the one given back last first
//! ```
//!
//! Fresh memory costs more than the copy that is put into it, and what was used last is still in the processor's cache. Pieces of
//! which nothing is used go back to the system, as long as one full piece stays in hand. That takes a walk over all free frames, so it
//! waits until a quarter of them would go: giving back a frame costs the same however many are free.

#![expect(unsafe_code, reason = "memory that is handed out by the frame")]

use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;

use crate::chunk::{CHUNK_FRAMES_MAX, Chunk, ChunkAhead};
use crate::page::PageBuf;

/// Frames that are free, and the memory of all.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// By address. Invariant: frames lie wholly in one of them.
    chunks: BTreeMap<usize, CountedChunk>,
    /// Invariant: frames of `chunks` that nobody uses.
    free: Vec<NonNull<PageBuf>>,
    /// Where chunks begin of which nothing is used.
    unused: BTreeSet<usize>,
    /// Frames in those.
    unused_count: usize,
    /// Frames in all chunks.
    frame_count: usize,
    /// Once full chunks are needed.
    ahead: Option<ChunkAhead>,
    /// Free frames that were looked at to give chunks back.
    #[cfg(test)]
    looked_at: usize,
}

#[derive(Debug)]
struct CountedChunk {
    chunk: Chunk,
    free_count: usize,
}

// SAFETY: the pointers own what they point to, as a Box does.
unsafe impl Send for Frames {}

impl Frames {
    /// A frame that nobody else uses. It may hold anything that a page held before.
    #[inline]
    pub(crate) fn take(&mut self) -> NonNull<PageBuf> {
        loop {
            if let Some(frame) = self.free.pop() {
                let counted = self.chunk_of(frame);
                let was_unused = counted.is_unused();
                counted.free_count -= 1;
                if was_unused {
                    let (start, frame_count) = counted.place();
                    self.unused.remove(&start);
                    self.unused_count -= frame_count;
                }
                return frame;
            }
            self.grow();
        }
    }

    /// Takes a frame back.
    ///
    /// # Safety
    /// It is one that [`Frames::take`] gave, and nobody uses it any more.
    pub(crate) unsafe fn give(&mut self, frame: NonNull<PageBuf>) {
        self.free.push(frame);
        let counted = self.chunk_of(frame);
        counted.free_count += 1;
        if counted.is_unused() {
            let (start, frame_count) = counted.place();
            self.unused.insert(start);
            self.unused_count += frame_count;
            let many = CHUNK_FRAMES_MAX + self.free.len() / 4;
            if self.unused_count >= many {
                self.release();
            }
        }
    }

    /// How many frames there are, in use or not, those touched ahead included.
    pub(crate) fn frame_count(&self) -> usize {
        self.frame_count + self.ahead.as_ref().map_or(0, ChunkAhead::frame_count)
    }

    /// How many frames are in use.
    #[cfg(test)]
    pub(crate) fn used_count(&self) -> usize {
        self.frame_count - self.free.len()
    }

    fn chunk_of(&mut self, frame: NonNull<PageBuf>) -> &mut CountedChunk {
        let below = self.chunks.range_mut(..=frame.addr().get());
        below.last().expect("each frame lies in a chunk").1
    }

    #[cold]
    fn grow(&mut self) {
        // A small store stays small.
        let chunk = match self.frame_count.clamp(1, CHUNK_FRAMES_MAX) {
            CHUNK_FRAMES_MAX => self.full_chunk(),
            frame_count => Chunk::touched(frame_count),
        };
        let free_count = chunk.frame_count();
        self.frame_count += free_count;
        self.free.extend(chunk.frames().rev());
        let start = chunk.addresses().start;
        self.unused.insert(start);
        self.unused_count += free_count;
        self.chunks
            .insert(start, CountedChunk { chunk, free_count });
    }

    fn full_chunk(&mut self) -> Chunk {
        let ready = self.ahead.get_or_insert_with(ChunkAhead::begin).take();
        ready.unwrap_or_else(|| Chunk::touched(CHUNK_FRAMES_MAX))
    }

    /// Gives chunks of which nothing is used back to the system, unless less than a full one would be free then.
    fn release(&mut self) {
        let mut free_count = self.free.len();
        let mut released = BTreeMap::new();
        for &start in &self.unused {
            let frame_count = self.chunks[&start].chunk.frame_count();
            if free_count >= frame_count + CHUNK_FRAMES_MAX {
                free_count -= frame_count;
                released.insert(start, frame_count);
            }
        }
        #[cfg(test)]
        {
            self.looked_at += self.free.len();
        }
        self.free.retain(|frame| {
            let address = frame.addr().get();
            let below = released.range(..=address).next_back();
            below.is_none_or(|(start, count)| address >= start + count * size_of::<PageBuf>())
        });
        for (start, frame_count) in released {
            self.unused.remove(&start);
            self.unused_count -= frame_count;
            self.frame_count -= frame_count;
            self.chunks.remove(&start);
        }
    }
}

impl CountedChunk {
    fn is_unused(&self) -> bool {
        self.free_count == self.chunk.frame_count()
    }

    /// Where it begins, and how many frames it has.
    fn place(&self) -> (usize, usize) {
        (self.chunk.addresses().start, self.chunk.frame_count())
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
        assert_eq!(frames.free.len(), frames.frame_count);
    }

    #[test]
    fn what_is_given_back_in_any_order_is_looked_at_a_few_times_each() {
        let mut frames = Frames::default();
        let chunk_count = if cfg!(miri) { 4 } else { 40 };
        let count = chunk_count * CHUNK_FRAMES_MAX;
        let all: Vec<_> = (0..count).map(|_| frames.take()).collect();
        assert_eq!(frames.unused_count, 0);
        // One of each chunk in turn, so that all chunks get free at the end.
        for place in 0..CHUNK_FRAMES_MAX {
            for frame in all.iter().skip(place).step_by(CHUNK_FRAMES_MAX) {
                // SAFETY: taken above, and not used.
                unsafe { frames.give(*frame) };
            }
        }
        assert!(frames.frame_count <= 128, "one full chunk stays in hand");
        assert_eq!(frames.free.len(), frames.frame_count);
        assert!(frames.looked_at <= 5 * count, "{}", frames.looked_at);
    }
}
