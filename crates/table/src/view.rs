//! The 16 bytes that stand for a string or for bytes in a column, drawn in `row_format.rs`.

use std::ops::Range;

use crate::damaged::DamageKind;
use crate::long_place::LongPlace;
use crate::page_number::PageNumber;
use crate::row_format::{
    BUFFER_IN_PAGE, BUFFER_LONG, HEAP_END, INLINE_BYTES_MAX, VIEW_BYTES, view,
};
use crate::spill_format::{
    BUFFER_SPILLED, BYTE_OFFSET_MAX, SPILL_NUMBER_COUNT, place_bits, place_of_bits,
};

/// A view, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) len: u32,
    prefix: [u8; 4],
    buffer: u32,
    offset: u32,
}

/// Where the bytes of a view are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ViewBytes {
    /// In the view itself: this range of the page.
    Inline(Range<usize>),
    /// In the heap: this range of the page.
    Heap(Range<usize>),
    /// Elsewhere.
    Long(LongPlace),
}

impl View {
    /// The view of a value that stands at `byte_offset` of the page.
    ///
    /// # Panics
    /// If the value is so short that it stands in its view.
    pub(crate) fn in_page(bytes: &[u8], byte_offset: u32) -> View {
        assert!(bytes.len() > INLINE_BYTES_MAX);
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let prefix = [bytes[0], bytes[1], bytes[2], bytes[3]];
        View {
            len,
            prefix,
            buffer: BUFFER_IN_PAGE,
            offset: byte_offset,
        }
    }

    /// The same of a value in the page that stands at another `byte_offset` now.
    pub(crate) fn moved(self, byte_offset: u32) -> View {
        View {
            offset: byte_offset,
            ..self
        }
    }

    /// The view of a value that stands elsewhere.
    ///
    /// # Panics
    /// If a view can not say where.
    pub(crate) fn long(len: u32, prefix: [u8; 4], place: LongPlace) -> View {
        let (buffer, offset) = match place {
            LongPlace::Chain(first_page) => (BUFFER_LONG, first_page.get()),
            LongPlace::Spill {
                number,
                byte_offset,
            } => {
                assert!(number < SPILL_NUMBER_COUNT);
                assert!(byte_offset <= BYTE_OFFSET_MAX);
                place_bits(number, byte_offset)
            }
        };
        View {
            len,
            prefix,
            buffer,
            offset,
        }
    }

    /// The view at `position` of a page.
    #[inline]
    pub(crate) fn read(page: &[u8], position: usize) -> View {
        let mut bytes = [0; VIEW_BYTES];
        bytes.copy_from_slice(&page[position..position + VIEW_BYTES]);
        let [len, prefix, buffer, offset]: [[u8; 4]; 4] = bytemuck::cast(bytes);
        View {
            len: u32::from_le_bytes(len),
            prefix,
            buffer: u32::from_le_bytes(buffer),
            offset: u32::from_le_bytes(offset),
        }
    }

    /// Writes the view over its 16 bytes.
    pub(crate) fn write(self, target: &mut [u8]) {
        target[view::LENGTH..][..4].copy_from_slice(&self.len.to_le_bytes());
        target[view::PREFIX..][..4].copy_from_slice(&self.prefix);
        target[view::BUFFER..][..4].copy_from_slice(&self.buffer.to_le_bytes());
        target[view::OFFSET..][..4].copy_from_slice(&self.offset.to_le_bytes());
    }

    /// Writes the view of a value that is short enough to stand in it, over 16 zeros.
    pub(crate) fn write_inline(bytes: &[u8], target: &mut [u8]) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        target[view::LENGTH..][..4].copy_from_slice(&len.to_le_bytes());
        target[view::INLINE..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Where the bytes are, for the view that stands at `position` of a page whose heap begins at `heap_start`.
    #[inline]
    pub(crate) fn locate(self, position: usize, heap_start: u16) -> Result<ViewBytes, DamageKind> {
        let len = self.len as usize;
        if len <= INLINE_BYTES_MAX {
            let start = position + view::INLINE;
            return Ok(ViewBytes::Inline(start..start + len));
        }
        match self.buffer {
            BUFFER_IN_PAGE => {
                let end = self
                    .offset
                    .checked_add(self.len)
                    .filter(|end| *end <= HEAP_END);
                match end {
                    Some(end) if self.offset >= u32::from(heap_start) => {
                        Ok(ViewBytes::Heap(self.offset as usize..end as usize))
                    }
                    _ => Err(DamageKind::Structure("a view leaves the heap")),
                }
            }
            BUFFER_LONG => PageNumber::new(self.offset)
                .map(|first_page| ViewBytes::Long(LongPlace::Chain(first_page)))
                .ok_or(DamageKind::Structure(
                    "a view's page number has more than 28 bits",
                )),
            BUFFER_SPILLED.. => {
                let (number, byte_offset) = place_of_bits(self.buffer, self.offset);
                Ok(ViewBytes::Long(LongPlace::Spill {
                    number,
                    byte_offset,
                }))
            }
            _ => Err(DamageKind::Structure(
                "a view names a buffer that does not exist",
            )),
        }
    }

    /// The first four bytes of a value that does not stand in its view.
    pub(crate) fn prefix(self) -> [u8; 4] {
        self.prefix
    }
}
