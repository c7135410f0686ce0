//! How many bytes a piece of work has of the allocator at once, on its own thread.

#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// What the thread has now, beyond what it had at some time, and the most that it had since. What it frees for another one counts, too.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    // Nothing is counted while a thread ends.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Does some work that may have `bytes_max` at once.
pub(crate) fn within<T>(bytes_max: usize, work: impl FnOnce() -> T) -> T {
    HELD.set((0, 0));
    let done = work();
    let (_, most) = HELD.get();

    assert!(
        most.cast_unsigned() <= bytes_max,
        "{most} bytes at once, {bytes_max} are justified"
    );
    done
}
