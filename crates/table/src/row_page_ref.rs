//! A row page to read: single values, or whole columns as Arrow sees them.

use std::fmt;

use crate::cell::Cell;
use crate::damaged::DamageKind;
use crate::fixed_value::FixedValue;
use crate::layout::Layout;
use crate::page::PageBuf;
use crate::page_format::PageKind;
use crate::row_format::{HEAP_END, LIVE_BITMAP, SLOT_COUNT_MAX, VIEW_BYTES};
use crate::row_geometry::{ColumnPlace, RowGeometry};
use crate::table_id::TableId;
use crate::value_codec::value_of_bytes;
use crate::value_ref::ValueRef;
use crate::view::{View, ViewBytes};
use crate::{ColumnType, MalformedKind};

/// A row page under its table's layout.
///
/// What the header says is checked when this is made, in constant time; what a value says when it is read. So no
/// bytes can make a read panic or leave the page.
#[derive(Clone, Copy)]
pub struct RowPageRef<'a> {
    page: &'a PageBuf,
    layout: &'a Layout,
    /// Invariant: of the page's capacity, its end not behind the heap's start.
    geometry: RowGeometry,
}

impl<'a> RowPageRef<'a> {
    /// Looks at the header of a row page.
    ///
    /// # Errors
    /// [`DamageKind`] if the page is not a row page of this layout or an older one of the same columns.
    pub fn new(page: &'a PageBuf, layout: &'a Layout) -> Result<RowPageRef<'a>, DamageKind> {
        let geometry = check_header(page, layout)?;
        Ok(RowPageRef {
            page,
            layout,
            geometry,
        })
    }

    /// A page whose header is known to be sound.
    pub(crate) fn trusted(
        page: &'a PageBuf,
        layout: &'a Layout,
        geometry: RowGeometry,
    ) -> RowPageRef<'a> {
        RowPageRef {
            page,
            layout,
            geometry,
        }
    }

    /// The table the page belongs to.
    pub fn owner(&self) -> TableId {
        self.page.owner()
    }

    /// How many slots there are.
    #[inline]
    pub fn capacity(&self) -> u16 {
        self.geometry.slots()
    }

    /// How many slots hold a row.
    #[inline]
    pub fn live_count(&self) -> u16 {
        self.page.live_count()
    }

    /// The bytes that new strings and bytes can still take, holes in the heap included.
    pub fn heap_free_bytes(&self) -> u32 {
        u32::from(self.page.heap_start()) - self.geometry.end_offset()
            + u32::from(self.page.heap_dead())
    }

    /// Whether the slot holds a row; false for a slot beyond the capacity.
    #[inline]
    pub fn is_live(&self, slot: u16) -> bool {
        slot < self.capacity() && bit_at(self.page.as_bytes(), LIVE_BITMAP as usize, slot)
    }

    /// The lowest live slot at or after `slot`.
    #[inline]
    pub fn next_live_slot(&self, slot: u16) -> Option<u16> {
        let words = self.live_words();
        let mut index = usize::from(slot / 64);
        let mut word = words.get(index)? & (u64::MAX << (slot % 64));
        while word == 0 {
            index += 1;
            word = *words.get(index)?;
        }
        u16::try_from(index * 64 + word.trailing_zeros() as usize).ok()
    }

    /// The live slots, ascending.
    pub fn live_slots(&self) -> impl Iterator<Item = u16> + use<'a> {
        let page = *self;
        let mut next = page.next_live_slot(0);
        std::iter::from_fn(move || {
            let slot = next?;
            next = page.next_live_slot(slot + 1);
            Some(slot)
        })
    }

    /// The value of a live slot.
    ///
    /// # Errors
    /// [`DamageKind`] if the slot is not live, or the value's bytes are not where they must be or not UTF-8.
    ///
    /// # Panics
    /// If there is no such column.
    #[inline]
    pub fn cell(&self, slot: u16, column: usize) -> Result<Cell<'a>, DamageKind> {
        if !self.is_live(slot) {
            return Err(DamageKind::Structure(
                "a slot that something refers to is free",
            ));
        }
        let bytes: &'a [u8] = self.page.as_bytes();
        let place = self.layout.place(column);
        if let Some(validity) = self.geometry.validity(place)
            && !bit_at(bytes, validity, slot)
        {
            return Ok(Cell::Value(ValueRef::Null));
        }
        let column_type = self.layout.columns()[column].column_type;
        let start = self.geometry.values(place);
        let Some(width) = column_type.fixed_width() else {
            return self.variable_cell(column_type, start + usize::from(slot) * VIEW_BYTES);
        };
        if place.is_bits() {
            return Ok(Cell::Value(ValueRef::Bool(bit_at(bytes, start, slot))));
        }
        let position = start + usize::from(slot) * width;
        decode(column_type, &bytes[position..position + width])
    }

    /// The values of a column, one per slot; zero where the slot is free or the value null.
    ///
    /// `None` unless `T` reads the column's type.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn fixed_column<T: FixedValue>(&self, column: usize) -> Option<&'a [T]> {
        if !T::reads(self.layout.columns()[column].column_type) {
            return None;
        }
        let start = self.geometry.values(self.layout.place(column));
        self.slots_at(start)
    }

    /// The values of a bool column as a bitmap: a bit per slot, LSB first, padded to a multiple of 8 bytes.
    ///
    /// `None` unless the column is one of bools.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn bool_column(&self, column: usize) -> Option<&'a [u8]> {
        let place = self.layout.place(column);
        place
            .is_bits()
            .then(|| self.bitmap_at(self.geometry.values(place)))
    }

    /// The Arrow views of a string or bytes column, one per slot; data buffer 0 is the page, and a view whose
    /// buffer is `u32::MAX` belongs to a value in pages of its own.
    ///
    /// `None` for every other type.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn views(&self, column: usize) -> Option<&'a [u128]> {
        if self.layout.columns()[column]
            .column_type
            .fixed_width()
            .is_some()
        {
            return None;
        }
        self.slots_at(self.geometry.values(self.layout.place(column)))
    }

    /// The validity of a nullable column as a bitmap, 1 where there is a value; `None` for other columns.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn validity(&self, column: usize) -> Option<&'a [u8]> {
        let start = self.geometry.validity(self.layout.place(column))?;
        Some(self.bitmap_at(start))
    }

    /// The live slots as a bitmap, padded to a multiple of 8 bytes with zeros.
    pub fn live_bitmap(&self) -> &'a [u8] {
        self.bitmap_at(LIVE_BITMAP as usize)
    }

    /// The whole page: the Arrow data buffer that the views of its columns refer to.
    pub fn page(&self) -> &'a PageBuf {
        self.page
    }

    /// The layout the page is read under.
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    pub(crate) fn geometry(&self) -> &RowGeometry {
        &self.geometry
    }

    pub(crate) fn live_words(&self) -> &'a [u64] {
        words_of(self.live_bitmap())
    }

    /// The view of a slot and where it stands, whether or not the slot is live.
    pub(crate) fn view(&self, place: ColumnPlace, slot: u16) -> (View, usize) {
        let position = self.geometry.values(place) + usize::from(slot) * VIEW_BYTES;
        (View::read(self.page.as_bytes(), position), position)
    }

    #[inline]
    fn variable_cell(
        &self,
        column_type: ColumnType,
        position: usize,
    ) -> Result<Cell<'a>, DamageKind> {
        let bytes = self.page.as_bytes();
        let view = View::read(bytes, position);
        match view.locate(position, self.page.heap_start())? {
            ViewBytes::Inline(range) | ViewBytes::Heap(range) => decode(column_type, &bytes[range]),
            ViewBytes::Long(first_page) => Ok(Cell::Long {
                len: view.len,
                first_page,
            }),
        }
    }

    fn slots_at<T: bytemuck::Pod>(&self, start: usize) -> Option<&'a [T]> {
        let bytes: &'a [u8] = self.page.as_bytes();
        let length = usize::from(self.capacity()) * size_of::<T>();
        bytemuck::try_cast_slice(&bytes[start..start + length]).ok()
    }

    fn bitmap_at(&self, start: usize) -> &'a [u8] {
        &self.page.as_bytes()[start..start + self.geometry.bitmap_bytes()]
    }
}

impl fmt::Debug for RowPageRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RowPageRef")
            .field("owner", &self.owner())
            .field("capacity", &self.capacity())
            .field("live_count", &self.live_count())
            .finish_non_exhaustive()
    }
}

/// The geometry of a page whose header can be believed.
pub(crate) fn check_header(page: &PageBuf, layout: &Layout) -> Result<RowGeometry, DamageKind> {
    page.expect_kind(PageKind::Row)?;
    if page.layout_number() > layout.number().0 {
        return Err(DamageKind::Structure(
            "a row page has a newer layout than its table",
        ));
    }
    let capacity = page.capacity();
    if capacity == 0 || capacity > SLOT_COUNT_MAX || page.live_count() > capacity {
        return Err(DamageKind::Structure(
            "a row page's slot counts are impossible",
        ));
    }
    let geometry = RowGeometry::new(layout.region_counts(), capacity);
    let heap_start = u32::from(page.heap_start());
    if geometry.end_offset() > heap_start || heap_start > HEAP_END {
        return Err(DamageKind::Structure(
            "a row page's heap begins at an impossible place",
        ));
    }
    if u32::from(page.heap_dead()) > HEAP_END - heap_start {
        return Err(DamageKind::Structure(
            "a row page's heap has more holes than bytes",
        ));
    }
    // Slots beyond the capacity are never live: whoever walks the bitmap may rely on it.
    let live = &page.as_bytes()[LIVE_BITMAP as usize..][..geometry.bitmap_bytes()];
    let beyond = words_of(live).last().copied().unwrap_or_default();
    if !capacity.is_multiple_of(64) && beyond >> (capacity % 64) != 0 {
        return Err(DamageKind::Structure("a slot beyond the capacity is live"));
    }
    Ok(geometry)
}

#[inline]
pub(crate) fn bit_at(bytes: &[u8], bitmap_start: usize, slot: u16) -> bool {
    bytes[bitmap_start + usize::from(slot / 8)] >> (slot % 8) & 1 == 1
}

/// A bitmap as words: bitmaps are aligned and padded to 8 bytes.
fn words_of(bitmap: &[u8]) -> &[u64] {
    bytemuck::cast_slice(bitmap)
}

#[inline]
fn decode(column_type: ColumnType, bytes: &[u8]) -> Result<Cell<'_>, DamageKind> {
    value_of_bytes(column_type, bytes)
        .map(Cell::Value)
        .map_err(|kind| match kind {
            MalformedKind::Utf8 => DamageKind::Structure("a string is not utf-8"),
            _ => DamageKind::Structure("a value does not decode"),
        })
}
