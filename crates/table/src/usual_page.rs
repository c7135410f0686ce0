//! What most row pages of a table look like: a guess that lets a read ask for its columns before the page's header is there.
//!
//! ```text
//!   header ──> capacity ──> place of a column ──> value        one wait after the other
//!   guess  ───────────────> place of a column ──> value        both waits at once: whether the guess was right is
//!   header ──> capacity ──> as guessed?                        known before the value is used
//! ```
//!
//! What follows from the capacity is kept with it, so that a read does not work it out again.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::row_format::HEAP_END;
use crate::row_geometry::{ColumnPlace, RowGeometry};

/// How many columns of a row are asked for ahead: a processor has no more such requests under way than about this.
const FETCHED_MAX: usize = 8;

/// No page's: its columns end behind every page.
const NONE: u64 = u64::MAX;

/// The geometry of pages of a capacity that was seen, or one that no page has. It decides nothing but how fast a read is, so all are
/// equal. Whoever reads while another one sets it may get parts of both: each part is good alone.
#[derive(Debug)]
pub(crate) struct UsualPage {
    /// Where the columns end above the low 32 bits.
    geometry: AtomicU64,
    /// Where the first columns stand: their first value in the low 16 bits, the width of one above; zero behind the last.
    fetched: [AtomicU32; FETCHED_MAX],
    /// Where the heap ends above the low 16 bits, and in them what heap there is for each slot, in bytes; zero where no column has any.
    heap: AtomicU32,
}

impl UsualPage {
    /// The geometry, and where the columns end; that of no page, if none was seen.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "what was put together")]
    pub(crate) fn geometry(&self) -> (RowGeometry, u32) {
        let bits = self.geometry.load(Ordering::Relaxed);
        (RowGeometry::from_bits(bits as u32), (bits >> 32) as u32)
    }

    /// Hands on where lines of a row may stand in a page: one of each of its first columns, and one in the heap if the rows came in the order of
    /// their slots and took what was planned for them.
    #[inline(always)]
    pub(crate) fn each_place(&self, slot: u16, mut take: impl FnMut(usize)) {
        let slot = usize::from(slot);
        for place in &self.fetched {
            let place = place.load(Ordering::Relaxed) as usize;
            if place == 0 {
                break;
            }
            take((place & 0xFFFF) + (place >> 16) * slot);
        }
        let heap = self.heap.load(Ordering::Relaxed) as usize;
        take((heap >> 16).wrapping_sub((heap & 0xFFFF) * (slot + 1)));
    }

    /// Keeps what follows from a sound geometry of pages with these columns.
    pub(crate) fn set(&self, geometry: RowGeometry, end: u32, places: &[ColumnPlace]) {
        let bits = u64::from(end) << 32 | u64::from(geometry.to_bits());
        self.geometry.store(bits, Ordering::Relaxed);
        for (index, fetched) in self.fetched.iter().enumerate() {
            let place = places.get(index).map_or(0, |place| {
                // What fits no page is not asked for.
                let start = u16::try_from(geometry.values(place)).unwrap_or(0);
                u32::from(place.width()) << 16 | u32::from(start)
            });
            fetched.store(place, Ordering::Relaxed);
        }
        let has_heap = places.iter().any(ColumnPlace::has_heap);
        let heap_each = HEAP_END.saturating_sub(end) / u32::from(geometry.slots().max(1));
        let heap = HEAP_END << 16 | heap_each;
        self.heap
            .store(u32::from(has_heap) * heap, Ordering::Relaxed);
    }

    /// Whether no capacity was seen.
    pub(crate) fn is_unknown(&self) -> bool {
        self.geometry.load(Ordering::Relaxed) == NONE
    }
}

impl Default for UsualPage {
    fn default() -> UsualPage {
        UsualPage {
            geometry: AtomicU64::new(NONE),
            fetched: Default::default(),
            heap: AtomicU32::new(0),
        }
    }
}

impl Clone for UsualPage {
    fn clone(&self) -> UsualPage {
        let copy = UsualPage::default();
        copy.geometry
            .store(self.geometry.load(Ordering::Relaxed), Ordering::Relaxed);
        for (copy, place) in copy.fetched.iter().zip(&self.fetched) {
            copy.store(place.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        copy.heap
            .store(self.heap.load(Ordering::Relaxed), Ordering::Relaxed);
        copy
    }
}

impl PartialEq for UsualPage {
    fn eq(&self, _other: &UsualPage) -> bool {
        true
    }
}

impl Eq for UsualPage {}
