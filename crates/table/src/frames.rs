//! The memory of pages: frames of 32 KiB, taken from large pieces and used again.
//!
//! ```text
//!   chunk   | frame | frame | frame | ...      1, 1, 2, 4, ... and then 64 frames each: 2 MiB, aligned to their size
//!                \_______\__________ free: used again, the one given back last first
//! ```
//!
//! Fresh memory costs more than the copy that is put into it, and what was used last is still in the processor's cache. A piece of
//! which nothing is used goes back to the system, as long as one full piece stays in hand.

#![expect(unsafe_code, reason = "memory that is handed out by the frame")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::ptr::NonNull;

use crate::page::PageBuf;

/// The most frames of a chunk.
const CHUNK_FRAMES_MAX: usize = 64;

/// Frames that are free, and the memory of all.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// By address. Invariant: frames lie wholly in one of them.
    chunks: BTreeMap<usize, Chunk>,
    /// Invariant: frames of `chunks` that nobody uses.
    free: Vec<NonNull<PageBuf>>,
    /// Frames in all chunks.
    frame_count: usize,
}

#[derive(Debug)]
struct Chunk {
    start: NonNull<PageBuf>,
    frame_count: usize,
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
                self.chunk_of(frame).free_count -= 1;
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
        let chunk = self.chunk_of(frame);
        chunk.free_count += 1;
        let (start, frame_count) = (chunk.start, chunk.frame_count);
        if chunk.free_count == frame_count && self.free.len() >= frame_count + CHUNK_FRAMES_MAX {
            self.release(start, frame_count);
        }
    }

    /// How many frames there are, in use or not.
    pub(crate) fn frame_count(&self) -> usize {
        self.frame_count
    }

    /// How many frames are in use.
    #[cfg(test)]
    pub(crate) fn used_count(&self) -> usize {
        self.frame_count - self.free.len()
    }

    fn chunk_of(&mut self, frame: NonNull<PageBuf>) -> &mut Chunk {
        let below = self.chunks.range_mut(..=frame.addr().get());
        below.last().expect("each frame lies in a chunk").1
    }

    fn grow(&mut self) {
        // A small store stays small.
        let frame_count = self.frame_count.clamp(1, CHUNK_FRAMES_MAX);
        let layout = chunk_layout(frame_count);
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(memory.cast::<PageBuf>()) else {
            handle_alloc_error(layout)
        };
        if frame_count == CHUNK_FRAMES_MAX {
            ask_for_huge_pages(start);
        }
        // A huge page is there as a whole with the first touch.
        // SAFETY: the memory has this length, and nobody else's pointer leads there.
        unsafe { start.write_bytes(0, frame_count) };
        let chunk = Chunk {
            start,
            frame_count,
            free_count: frame_count,
        };
        self.chunks.insert(start.addr().get(), chunk);
        self.frame_count += frame_count;
        for index in (0..frame_count).rev() {
            // SAFETY: the chunk has so many frames.
            self.free.push(unsafe { start.add(index) });
        }
    }

    /// Gives a chunk back to the system of which all frames are free.
    fn release(&mut self, start: NonNull<PageBuf>, frame_count: usize) {
        let end = start.addr().get() + frame_count * size_of::<PageBuf>();
        self.free
            .retain(|frame| *frame < start || frame.addr().get() >= end);
        self.chunks.remove(&start.addr().get());
        self.frame_count -= frame_count;
        // SAFETY: allocated with this layout in `grow`; none of its frames is in use or free any more.
        unsafe { dealloc(start.as_ptr().cast(), chunk_layout(frame_count)) };
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        for chunk in self.chunks.values() {
            // SAFETY: allocated with this layout in `grow`; who drops the frames uses none of them any more.
            unsafe { dealloc(chunk.start.as_ptr().cast(), chunk_layout(chunk.frame_count)) };
        }
    }
}

/// Asks the system to put a full chunk into one huge page: a row's values lie all over a page, and each would need a translation of its own.
#[cfg(all(target_os = "linux", not(miri)))]
fn ask_for_huge_pages(start: NonNull<PageBuf>) {
    use rustix::mm::{Advice, madvise};

    let length = chunk_layout(CHUNK_FRAMES_MAX).size();
    // SAFETY: advice that changes no byte, on memory that is ours; who does not take it loses nothing but time.
    let _ = unsafe { madvise(start.as_ptr().cast(), length, Advice::LinuxHugepage) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn ask_for_huge_pages(_start: NonNull<PageBuf>) {}

/// Full chunks are aligned to their size, so that the system can put them into huge pages.
fn chunk_layout(frame_count: usize) -> Layout {
    let frames = Layout::array::<PageBuf>(frame_count).expect("at most 2 MiB");
    let alignment = match frame_count {
        CHUNK_FRAMES_MAX => frames.size(),
        _ => frames.align(),
    };
    frames
        .align_to(alignment)
        .expect("an alignment of at most 2 MiB")
}

/// Asks the processor for what stands around a byte of a page.
#[inline(always)]
pub(crate) fn fetch(page: &PageBuf, byte_offset: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, which reads nothing; any address will do.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(page.as_bytes().as_ptr().wrapping_add(byte_offset).cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (page, byte_offset);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_used_again_and_chunks_given_back() {
        let mut frames = Frames::default();
        let first = frames.take();
        assert_eq!(frames.frame_count(), 1);
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
            frames.frame_count(),
            256,
            "1, 1, 2, 4, ... and then 64 at once"
        );
        for frame in all {
            // SAFETY: taken above, and not used.
            unsafe { frames.give(frame) };
        }
        assert!(frames.frame_count() <= 128, "one full chunk stays in hand");
        assert_eq!(frames.free.len(), frames.frame_count());
    }
}
