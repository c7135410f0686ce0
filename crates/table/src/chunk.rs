//! Pieces of memory that frames are taken from, and a thread that has the next one ready.
//!
//! ```text
//!   whoever writes                         a thread of its own
//!      takes the piece that is ready  <──  touches the next piece, and waits until it is taken
//!      or, if none is, touches one
//! ```
//!
//! The first touch of memory is what costs: the system has to find it and fill it with zeros, 2 MiB at once where it gives huge pages. So that is done ahead,
//! one piece at most, and not while a transaction is applied.

#![expect(
    unsafe_code,
    reason = "memory that is neither initialised value nor slice"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::page::PageBuf;

/// The most frames of a chunk: 2 MiB.
pub(crate) const CHUNK_FRAMES_MAX: usize = 64;

/// The stack of a thread that only writes zeros, in bytes.
const STACK_BYTES: usize = 64 << 10;

/// Memory of some frames, all of it touched. It is freed with this.
#[derive(Debug)]
pub(crate) struct Chunk {
    start: NonNull<PageBuf>,
    frame_count: usize,
}

// SAFETY: it owns what it points to, as a Box does.
unsafe impl Send for Chunk {}

impl Chunk {
    /// Memory of so many frames, at most [`CHUNK_FRAMES_MAX`].
    pub(crate) fn touched(frame_count: usize) -> Chunk {
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
        Chunk { start, frame_count }
    }

    /// How many frames it has.
    pub(crate) fn frame_count(&self) -> usize {
        self.frame_count
    }

    /// The address of the first frame, and the one behind the last.
    pub(crate) fn addresses(&self) -> std::ops::Range<usize> {
        let start = self.start.addr().get();
        start..start + self.frame_count * size_of::<PageBuf>()
    }

    /// The frames, from the first one on.
    pub(crate) fn frames(&self) -> impl DoubleEndedIterator<Item = NonNull<PageBuf>> {
        let start = self.start;
        // SAFETY: the chunk has so many frames.
        (0..self.frame_count).map(move |index| unsafe { start.add(index) })
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout; who drops a chunk uses none of its frames any more.
        unsafe { dealloc(self.start.as_ptr().cast(), chunk_layout(self.frame_count)) };
    }
}

/// A full chunk that is touched ahead of need.
#[derive(Debug)]
pub(crate) struct ChunkAhead {
    /// Nothing once this is dropped: then the thread ends.
    ready: Option<Receiver<Chunk>>,
    thread: Option<JoinHandle<()>>,
}

impl ChunkAhead {
    /// Begins with the first one. Where the system gives no thread none is ever ready.
    pub(crate) fn begin() -> ChunkAhead {
        // Nothing is kept in the channel: the thread holds the one chunk until it is taken.
        let (give, ready) = sync_channel(0);
        let thread = Builder::new()
            .name("page memory".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || while give.send(Chunk::touched(CHUNK_FRAMES_MAX)).is_ok() {});
        ChunkAhead {
            ready: Some(ready),
            thread: thread.ok(),
        }
    }

    /// The chunk, if it is ready; then the thread begins with the next one.
    pub(crate) fn take(&self) -> Option<Chunk> {
        self.ready.as_ref()?.try_recv().ok()
    }

    /// The frames that are set aside ahead.
    pub(crate) fn frame_count(&self) -> usize {
        self.thread.as_ref().map_or(0, |_| CHUNK_FRAMES_MAX)
    }
}

impl Drop for ChunkAhead {
    fn drop(&mut self) {
        self.ready = None;
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let _ = thread.join();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_all_zero_and_its_frames_lie_side_by_side() {
        for frame_count in [1, 2, CHUNK_FRAMES_MAX] {
            let chunk = Chunk::touched(frame_count);
            let addresses: Vec<usize> = chunk.frames().map(|frame| frame.addr().get()).collect();
            let expected = chunk.addresses().step_by(size_of::<PageBuf>());
            assert_eq!(addresses, expected.collect::<Vec<_>>());
            for frame in chunk.frames() {
                // SAFETY: zeros are a page, and nobody writes it.
                let page = unsafe { frame.as_ref() };
                // A few of the bytes: all of them take an interpreter minutes.
                assert!(page.as_bytes().iter().step_by(999).all(|byte| *byte == 0));
            }
        }
    }

    #[test]
    fn the_next_chunk_is_ready_after_a_while_and_the_thread_ends_with_its_owner() {
        let ahead = ChunkAhead::begin();
        for _ in 0..2 {
            let chunk = loop {
                if let Some(chunk) = ahead.take() {
                    break chunk;
                }
                std::thread::yield_now();
            };
            assert_eq!(chunk.frame_count(), CHUNK_FRAMES_MAX);
        }
        assert_eq!(ahead.frame_count(), CHUNK_FRAMES_MAX);
        // Waits for the thread: a chunk that nobody took is freed by it.
        drop(ahead);
    }
}
