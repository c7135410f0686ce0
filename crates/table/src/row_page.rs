//! A page of rows: made, measured, and read or written through [`RowPageRef`] and [`RowPageMut`].
//!
//! The bytes are drawn in `row_format.rs`.

use crate::layout::Layout;
use crate::page::PageBuf;
use crate::row_format::{HEAP_END, SLOT_COUNT_MAX};
use crate::row_geometry::RowGeometry;
use crate::table_id::TableId;

pub(crate) use crate::cell::{Cell, CellInput};
pub use crate::row_page_check::check;
pub(crate) use crate::row_page_mut::RowPageMut;
pub(crate) use crate::row_page_ref::RowPageRef;

/// How many slots a row page gets when each row is to have `variable_bytes` in the heap: 1 to
/// [`SLOT_COUNT_MAX`].
///
/// A page of this capacity has heap room for at least one row of so many bytes, up to
/// [`ROW_HEAP_BYTES_MAX`](crate::ROW_HEAP_BYTES_MAX).
pub fn capacity(layout: &Layout, variable_bytes: u32) -> u16 {
    RowGeometry::capacity(layout, variable_bytes)
}

/// Makes a page of zeros an empty row page of the table `owner`.
///
/// # Panics
/// If the layout has no page of this capacity.
pub fn format(page: &mut PageBuf, layout: &Layout, capacity: u16, owner: TableId) {
    assert!((1..=SLOT_COUNT_MAX).contains(&capacity));
    assert!(RowGeometry::new(capacity).end(layout.regions()) <= HEAP_END);
    page.begin(layout.page_kind(), owner);
    page.set_capacity(capacity);
    page.set_heap_start(RowGeometry::EMPTY_HEAP_START);
    page.set_layout_number(layout.number().0);
}
