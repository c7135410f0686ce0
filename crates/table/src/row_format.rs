//! A row page: rows of one table, each column contiguous, in the Arrow columnar memory format.
//!
//! ```text
//!       0 | page header (page_format.rs): kind 1, version, owner, lists, capacity, live count,  |
//!         |   heap start, heap dead, layout number                                              |
//!      64 | live bitmap: bit per slot                                                           |
//!         | to a multiple of 16                                                                 |
//!         | columns of 16 bytes a value: i128, u128, uuid, and the views of string and bytes    |
//!         | columns of  8 bytes a value: i64, u64, f64, timestamp                               |
//!         | columns of  4 bytes a value: i32, u32, f32                                          |
//!         | columns of  2 bytes a value: i16, u16                                               |
//!         | columns of  1 byte  a value: i8, u8                                                 |
//!         | bitmaps: for each column, its validity if it is nullable, then its bits if it is bool |
//!         | free: zero                                                                          |
//! heap >  | bytes of strings and of bytes longer than 12, added downwards                       |
//!   32768 +
//! ```
//!
//! Within a width, columns stand in the layout's order. A column takes `capacity * width` bytes, a bitmap
//! `capacity / 8` rounded up, both rounded up to a multiple of 8; so each column is aligned to its width, and where it
//! begins follows from capacity and the number of columns of each width, with no table of offsets in the page.
//! Values are little-endian; bitmaps are LSB first, 1 = live, valid or true.
//!
//! ```text
//! view    up to 12 bytes   0 | length u32 | the bytes, then zeros                              |
//!         in the page      0 | length u32 | first 4 bytes  | 0 u32           | byte offset in the page u32 |
//!         in a spill       0 | length u32 | first 4 bytes  | number of the spill and byte offset in it, a bit set above: spill_format.rs |
//!         in a chain       0 | length u32 | first 4 bytes  | 0xFFFFFFFF u32  | first page number u32       |   of pages, by older builds
//! ```
//!
//! For Arrow, the page itself is data buffer 0 of each view column; long values have to be copied.
//!
//! A slot that is not live, and a value that is null, is zero in every region, and so is every byte of the heap that no
//! view covers: no stale bytes, and sums need no mask.

use crate::page::PAGE_BYTES;
use crate::page_format::PAGE_HEADER_BYTES;

/// Most slots in a row page: a slot is 12 bits of a row id, and all ones stay unused.
pub const SLOT_COUNT_MAX: u16 = 4095;

/// Most heap bytes of one row; see [`VALUE_IN_PAGE_BYTES_MAX`].
///
/// Values are spilled, the longest first, until the rest of the row fits into this many bytes, so a
/// row of any layout fits into an empty page (asserted below).
pub const ROW_HEAP_BYTES_MAX: u32 = 8000;

/// Longest string or bytes that stands inside a row page, in bytes: about a quarter of it.
pub const VALUE_IN_PAGE_BYTES_MAX: u32 = ROW_HEAP_BYTES_MAX;

/// Where the live bitmap begins.
pub(crate) const LIVE_BITMAP: u32 = 64;
const _: () = assert!(LIVE_BITMAP as usize == PAGE_HEADER_BYTES);

/// Where the heap ends and, in an empty page, begins.
pub(crate) const HEAP_END: u32 = 32 * 1024;
const _: () = assert!(HEAP_END as usize == PAGE_BYTES);

/// Bytes a value takes in a column of each width, widest first; bitmaps come after these.
pub(crate) const WIDTHS: [u32; 5] = [16, 8, 4, 2, 1];

/// The live bitmap is padded to this, so that the columns behind it are aligned to their widths.
pub(crate) const COLUMNS_ALIGNMENT: u32 = 16;

/// Every column and bitmap is padded to this, as Arrow asks.
pub(crate) const REGION_ALIGNMENT: u32 = 8;

/// Bytes of a view.
pub(crate) const VIEW_BYTES: usize = 16;

/// Longest value that stands in its view.
pub(crate) const INLINE_BYTES_MAX: usize = 12;

/// Byte offsets in a view.
pub(crate) mod view {
    pub(crate) const LENGTH: usize = 0;
    pub(crate) const INLINE: usize = LENGTH + 4;
    pub(crate) const PREFIX: usize = LENGTH + 4;
    pub(crate) const BUFFER: usize = PREFIX + 4;
    pub(crate) const OFFSET: usize = BUFFER + 4;
    pub(crate) const BYTES: usize = OFFSET + 4;
}

/// The buffer number of a value that stands in the page itself.
pub(crate) const BUFFER_IN_PAGE: u32 = 0;

/// The buffer number of a value that stands in a chain of long-value pages.
pub(crate) const BUFFER_LONG: u32 = u32::MAX;

const _: () = assert!(view::BYTES == VIEW_BYTES);
const _: () = assert!(view::INLINE + INLINE_BYTES_MAX == VIEW_BYTES);
const _: () = assert!(LIVE_BITMAP.is_multiple_of(COLUMNS_ALIGNMENT));

/// The widest row there can be: every column a nullable string. With one slot each, plus the heap of one row, it
/// fits into a page; so no layout needs to be refused for its width.
const WIDEST_ROW_BYTES: usize = PAGE_HEADER_BYTES
    + COLUMNS_ALIGNMENT as usize
    + crate::layout::COLUMN_COUNT_MAX * (VIEW_BYTES + REGION_ALIGNMENT as usize)
    + ROW_HEAP_BYTES_MAX as usize;
const _: () = assert!(WIDEST_ROW_BYTES <= PAGE_BYTES);
