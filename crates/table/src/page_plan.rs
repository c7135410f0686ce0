//! How many slots the next row page of a table gets, and how full its pages are: arithmetic on what a table's head counts.
//!
//! ```text
//!   many slots, little heap    | slots .................... | heap   |     rows of which most are short
//!   few slots, much heap       | slots | heap ....................... |     rows of which most are long
//! ```

use crate::layout::Layout;
use crate::page_format::PAGE_HEADER_BYTES;
use crate::row_format::HEAP_END;
use crate::row_geometry::RowGeometry;
use crate::row_page::RowPageRef;

/// What there is for slots and heap in a page, in bytes.
const ROOM_BYTES: u64 = HEAP_END as u64 - PAGE_HEADER_BYTES as u64;

/// How many rows like the one that needs a new page fit its heap at least, if so many fit any: four of the longest do.
const LONG_ROWS_A_PAGE: u64 = 4;

/// The pages and the rows of a table, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PagePlan<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) page_count: u64,
    pub(crate) slot_count: u64,
    pub(crate) row_count: u64,
    /// Bytes of all values that stand in the heaps of row pages.
    pub(crate) heap_bytes: u64,
}

impl PagePlan<'_> {
    /// How many slots a new page gets that is needed for a row of so many bytes in the heap, which is new or grew, or is moved for the table to get smaller.
    ///
    /// As many as make the free slots and the free heap of all pages last for the same number of average rows; but within what suits a page of such rows and a
    /// page of average ones, and with heap for a few such rows, and for half as many as a page of nothing else has: what is free in many pieces, or in pages without a
    /// free slot, is not worth as much as it counts.
    pub(crate) fn next_capacity(&self, heap_bytes: u64, is_moved: bool) -> u16 {
        let row_count = self.row_count.saturating_add(1);
        let average = self.heap_bytes.saturating_add(heap_bytes) / row_count;
        let of = |bytes: u64| RowGeometry::capacity(self.layout, u32_of(bytes));
        let (low, high) = (of(average.max(heap_bytes)), of(average.min(heap_bytes)));
        let heap = |capacity: u16| {
            let end = RowGeometry::new(capacity).end(self.layout.regions());
            u64::from(HEAP_END.saturating_sub(end))
        };
        let heap_min = heap_bytes.saturating_mul(LONG_ROWS_A_PAGE);
        let heap_min = heap_min.max(heap(of(heap_bytes)) / 2).min(heap(low));
        let slots_free = self.slot_count.saturating_sub(self.row_count);
        // Rows that are moved together leave heap behind that goes with their pages: to longer ones it is of no use.
        let heap_free = match is_moved && heap_bytes >= average {
            true => 0,
            false => self.heap_free(),
        };
        let lasts = |capacity: u16| {
            let rows = slots_free.saturating_add(u64::from(capacity));
            let heap = heap(capacity);
            heap_min <= heap && rows.saturating_mul(average) <= heap_free.saturating_add(heap)
        };
        let (mut fitting, mut too_many) = (low, high.saturating_add(1));
        while too_many - fitting > 1 {
            let middle = fitting + (too_many - fitting) / 2;
            if lasts(middle) {
                fitting = middle;
            } else {
                too_many = middle;
            }
        }
        fitting
    }

    /// Whether the rows would fit two thirds of the pages but one, as far as one can tell from their average.
    pub(crate) fn is_sparse(&self) -> bool {
        let pages_elsewhere = self.page_count.saturating_sub(1);
        let rows_fit = |bytes: u64, bytes_elsewhere: u64| {
            bytes.saturating_mul(3) < bytes_elsewhere.saturating_mul(2)
        };
        let used = self
            .slot_bytes(self.row_count)
            .saturating_add(self.heap_bytes);
        // Most tables are far from it, and this is asked often.
        pages_elsewhere > 0 && rows_fit(used, pages_elsewhere.saturating_mul(ROOM_BYTES)) && {
            let average = self.heap_bytes / self.row_count.max(1);
            let each = u64::from(RowGeometry::capacity(self.layout, u32_of(average)));
            rows_fit(self.row_count.div_ceil(each), pages_elsewhere)
        }
    }

    /// How many slots the pages have, if each was planned for rows of average size.
    pub(crate) fn usual_slot_count(&self) -> u64 {
        let average = self.heap_bytes / self.row_count.max(1);
        let each = u64::from(RowGeometry::capacity(self.layout, u32_of(average)));
        self.page_count.saturating_mul(each)
    }

    fn heap_free(&self) -> u64 {
        let bytes = self.page_count.saturating_mul(ROOM_BYTES);
        bytes
            .saturating_sub(self.slot_bytes(self.slot_count))
            .saturating_sub(self.heap_bytes)
    }

    fn slot_bytes(&self, slots: u64) -> u64 {
        slots.saturating_mul(self.layout.regions().slot_bits()) / 8
    }
}

/// Whether the rows of a page take at least three quarters of it.
pub(crate) fn is_well_filled(page: &RowPageRef<'_>) -> bool {
    let slots = u64::from(page.live_count()) * page.layout().regions().slot_bits() / 8;
    let heap = u64::from(page.heap_used_bytes());
    (slots + heap) * 4 >= ROOM_BYTES * 3
}

fn u32_of(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
