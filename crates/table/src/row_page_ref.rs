//! A row page to read: single values, or whole columns as Arrow sees them.

use std::fmt;

use crate::ColumnType;
use crate::cell::Cell;
use crate::damaged::DamageKind;
use crate::fixed_value::FixedValue;
use crate::frames::fetch;
use crate::layout::Layout;
use crate::page::{PAGE_BYTES, PageBuf};
use crate::row_format::{HEAP_END, LIVE_BITMAP, SLOT_COUNT_MAX, VIEW_BYTES};
use crate::row_geometry::{ColumnPlace, RowGeometry};
use crate::table_id::TableId;
use crate::value::Value;
use crate::value_ref::{AsIs, TakeValue, ValueRef};
use crate::view::{View, ViewBytes};

/// A row page under its table's layout; one that is older, under the layout that shows the table's columns in it.
///
/// What the header says is checked when this is made, in constant time; what a value says when it is read. So no
/// bytes can make a read panic or leave the page.
#[derive(Clone, Copy)]
pub struct RowPageRef<'a> {
    page: &'a PageBuf,
    layout: &'a Layout,
    /// Invariant: of the page's capacity; the columns end not behind the heap's start.
    geometry: RowGeometry,
}

impl<'a> RowPageRef<'a> {
    /// Looks at the header of a row page. Those that a table has of older layouts come from [`TableRef::pages`](crate::TableRef::pages).
    ///
    /// # Errors
    /// [`DamageKind`] if the page is not a row page of this layout or an older one of the same columns.
    #[inline]
    pub fn new(page: &'a PageBuf, layout: &'a Layout) -> Result<RowPageRef<'a>, DamageKind> {
        let geometry = check_header(page, layout)?;
        Ok(RowPageRef {
            page,
            layout,
            geometry,
        })
    }

    /// The page of a row that is there, if it belongs to `owner` and looks like most; nothing says little about it.
    #[inline(always)]
    pub(crate) fn of_row(
        page: &'a PageBuf,
        layout: &'a Layout,
        owner: TableId,
        slot: u16,
    ) -> Option<RowPageRef<'a>> {
        // Asked for before anything of the page is known, which has to come from memory itself.
        fetch_row(page, layout, slot);
        // What stands beyond the capacity is nothing to who reads one row.
        let geometry = match usual_geometry(page, layout) {
            Some(usual) => usual,
            None => check_unusual(page, layout).ok()?,
        };
        let row_page = RowPageRef {
            page,
            layout,
            geometry,
        };
        (page.owner() == owner && row_page.is_live(slot)).then_some(row_page)
    }

    /// A page whose header is known to be sound.
    #[inline]
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
        u32::from(self.page.heap_start()) - self.geometry.end(self.layout.regions())
            + u32::from(self.page.heap_dead())
    }

    /// The bytes of the values that stand in the heap.
    pub(crate) fn heap_used_bytes(&self) -> u32 {
        HEAP_END - u32::from(self.page.heap_start()) - u32::from(self.page.heap_dead())
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
        self.cell_of_live(slot, column)
    }

    /// [`RowPageRef::cell`] of a slot that is known to be live.
    #[inline]
    pub(crate) fn cell_of_live(&self, slot: u16, column: usize) -> Result<Cell<'a>, DamageKind> {
        match self.give_cell_of_live(slot, column, AsIs)? {
            Some(value) => Ok(Cell::Value(value)),
            None => self.long_cell(slot, column),
        }
    }

    /// Length and place of a value that is not in the page.
    #[cold]
    fn long_cell(&self, slot: u16, column: usize) -> Result<Cell<'a>, DamageKind> {
        let (view, position) = self.view(self.layout.place(column), slot);
        match view.locate(position, self.page.heap_start())? {
            ViewBytes::Long(place) => Ok(Cell::Long {
                len: view.len,
                prefix: view.prefix(),
                place,
            }),
            ViewBytes::Inline(_) | ViewBytes::Heap(_) => unreachable!("it stands elsewhere"),
        }
    }

    /// Hands on the value of a slot that is known to be live; nothing if it is not in the page.
    #[inline(always)]
    pub(crate) fn give_cell_of_live<T: TakeValue<'a>>(
        &self,
        slot: u16,
        column: usize,
        taker: T,
    ) -> Result<Option<T::Taken>, DamageKind> {
        let bytes = self.page.as_bytes();
        let place = self.layout.place(column);
        if let Some(validity) = self.geometry.validity(place) {
            if !bit_at(bytes, validity, slot) {
                return Ok(Some(taker.take(ValueRef::Null)));
            }
        } else if place.is_absent() {
            return Ok(Some(taker.take(self.default_of(column))));
        }
        let start = self.geometry.values(place);
        Ok(Some(match place.column_type {
            ColumnType::Bool => taker.take(ValueRef::Bool(bit_at(bytes, start, slot))),
            ColumnType::I8 => taker.take(ValueRef::I8(self.value_at(start, slot))),
            ColumnType::I16 => taker.take(ValueRef::I16(self.value_at(start, slot))),
            ColumnType::I32 => taker.take(ValueRef::I32(self.value_at(start, slot))),
            ColumnType::I64 => taker.take(ValueRef::I64(self.value_at(start, slot))),
            ColumnType::I128 => taker.take(ValueRef::I128(self.value_at(start, slot))),
            ColumnType::U8 => taker.take(ValueRef::U8(self.value_at(start, slot))),
            ColumnType::U16 => taker.take(ValueRef::U16(self.value_at(start, slot))),
            ColumnType::U32 => taker.take(ValueRef::U32(self.value_at(start, slot))),
            ColumnType::U64 => taker.take(ValueRef::U64(self.value_at(start, slot))),
            ColumnType::U128 => taker.take(ValueRef::U128(self.value_at(start, slot))),
            ColumnType::F32 => taker.take(ValueRef::F32(self.value_at(start, slot))),
            ColumnType::F64 => taker.take(ValueRef::F64(self.value_at(start, slot))),
            ColumnType::Uuid => taker.take(ValueRef::Uuid(self.value_at(start, slot))),
            ColumnType::Timestamp => taker.take(ValueRef::Timestamp(self.value_at(start, slot))),
            ColumnType::String | ColumnType::Bytes => {
                let position = start + usize::from(slot) * VIEW_BYTES;
                match self.variable_value(place.column_type, position)? {
                    Some(value) => taker.take(value),
                    None => return Ok(None),
                }
            }
        }))
    }

    /// What all rows of the page have in a column that is newer than the page; `None` of one that stands in it.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn constant(&self, column: usize) -> Option<ValueRef<'a>> {
        let is_absent = self.layout.place(column).is_absent();
        is_absent.then(|| self.default_of(column))
    }

    #[inline]
    fn default_of(&self, column: usize) -> ValueRef<'a> {
        let default = &self.layout.columns()[column].default;
        default.as_ref().map_or(ValueRef::Null, Value::as_ref)
    }

    /// The values of a column, one per slot; zero where the slot is free or the value null.
    ///
    /// `None` unless `T` reads the column's type, and of a column that does not stand in the page ([`RowPageRef::constant`]).
    ///
    /// # Panics
    /// If there is no such column.
    pub fn fixed_column<T: FixedValue>(&self, column: usize) -> Option<&'a [T]> {
        let place = self.layout.place(column);
        if !T::reads(place.column_type) || place.is_absent() {
            return None;
        }
        let start = self.geometry.values(place);
        self.slots_at(start)
    }

    /// The values of a bool column as a bitmap: a bit per slot, LSB first, padded to a multiple of 8 bytes.
    ///
    /// `None` unless the column is one of bools that stands in the page.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn bool_column(&self, column: usize) -> Option<&'a [u8]> {
        let place = self.layout.place(column);
        (place.is_bits() && !place.is_absent()).then(|| self.bitmap_at(self.geometry.values(place)))
    }

    /// The Arrow views of a string or bytes column, one per slot; data buffer 0 is the page, and a view of any other
    /// buffer belongs to a value that stands elsewhere.
    ///
    /// `None` for every other type, and of a column that does not stand in the page.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn views(&self, column: usize) -> Option<&'a [u128]> {
        let place = self.layout.place(column);
        if place.column_type.fixed_width().is_some() || place.is_absent() {
            return None;
        }
        self.slots_at(self.geometry.values(place))
    }

    /// The validity of a nullable column as a bitmap, 1 where there is a value; `None` of other columns, where every row of the page has
    /// a value, and of a column that does not stand in the page.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn validity(&self, column: usize) -> Option<&'a [u8]> {
        let start = self.geometry.validity(self.layout.place(column))?;
        Some(self.bitmap_at(start))
    }

    /// Whether a row has null in a column.
    pub(crate) fn has_null(&self, column: usize) -> bool {
        if let Some(constant) = self.constant(column) {
            return constant.is_null() && self.live_count() > 0;
        }
        let Some(validity) = self.validity(column) else {
            return false;
        };
        let mut slots = self.live_words().iter().zip(words_of(validity));
        slots.any(|(live, valid)| live & !valid != 0)
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
    pub(crate) fn view(&self, place: &ColumnPlace, slot: u16) -> (View, usize) {
        let position = self.geometry.values(place) + usize::from(slot) * VIEW_BYTES;
        (View::read(self.page.as_bytes(), position), position)
    }

    #[inline]
    fn variable_value(
        &self,
        column_type: ColumnType,
        position: usize,
    ) -> Result<Option<ValueRef<'a>>, DamageKind> {
        let bytes = self.page.as_bytes();
        let view = View::read(bytes, position);
        let range = match view.locate(position, self.page.heap_start())? {
            ViewBytes::Inline(range) | ViewBytes::Heap(range) => range,
            ViewBytes::Long(_) => return Ok(None),
        };
        let value = match column_type {
            ColumnType::Bytes => ValueRef::Bytes(&bytes[range]),
            _ => match std::str::from_utf8(&bytes[range]) {
                Ok(text) => ValueRef::String(text),
                Err(_) => return Err(DamageKind::Structure("a string is not utf-8")),
            },
        };
        Ok(Some(value))
    }

    /// A value of a column of fixed width whose values begin at `start`.
    #[inline]
    fn value_at<T: bytemuck::AnyBitPattern>(&self, start: usize, slot: u16) -> T {
        let position = start + usize::from(slot) * size_of::<T>();
        bytemuck::pod_read_unaligned(&self.page.as_bytes()[position..position + size_of::<T>()])
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
#[inline(always)]
pub(crate) fn check_header(page: &PageBuf, layout: &Layout) -> Result<RowGeometry, DamageKind> {
    match usual_geometry(page, layout) {
        Some(usual) if is_zero_beyond(page, usual.slots()) => Ok(usual),
        _ => check_unusual(page, layout),
    }
}

/// Asks for the header of a row page and for what says whether a slot is live.
#[inline]
pub(crate) fn fetch_header(page: &PageBuf, slot: u16) {
    fetch(page, 0);
    fetch(page, LIVE_BITMAP as usize + usize::from(slot / 8));
}

/// Asks for the lines of a row where they stand in most pages.
#[inline(always)]
pub(crate) fn fetch_row(page: &PageBuf, layout: &Layout, slot: u16) {
    let usual = layout.usual_page();
    usual.each_place(slot, |byte_offset| fetch(page, byte_offset));
}

/// The geometry of a page of the capacity that most have, if its header can be believed.
#[inline(always)]
fn usual_geometry(page: &PageBuf, layout: &Layout) -> Option<RowGeometry> {
    let (usual, end) = layout.usual_page().geometry();
    let is_usual = page.capacity() == usual.slots() && is_sound(page, layout, &usual, end);
    is_usual.then_some(usual)
}

/// The header of a page of another capacity than most, or of none that can be believed.
#[inline(never)]
fn check_unusual(page: &PageBuf, layout: &Layout) -> Result<RowGeometry, DamageKind> {
    let capacity = page.capacity();
    if !layout.has_pages_of(page.layout_number()) {
        return Err(layout_damage(page, layout));
    }
    let geometry = RowGeometry::new(capacity);
    let end = geometry.end(layout.regions());
    let is_sound = (1..=SLOT_COUNT_MAX).contains(&capacity)
        && is_sound(page, layout, &geometry, end)
        && is_zero_beyond(page, capacity);
    if !is_sound {
        return Err(header_damage(page, layout, end));
    }
    if layout.usual_page().is_unknown() {
        layout.set_usual(geometry);
    }
    Ok(geometry)
}

/// Whether the header can be believed of a page of this geometry whose columns end at `end`, if there can be pages of its capacity.
#[inline(always)]
fn is_sound(page: &PageBuf, layout: &Layout, geometry: &RowGeometry, end: u32) -> bool {
    let heap_start = u32::from(page.heap_start());
    page.is_readable(layout.page_kind())
        && layout.has_pages_of(page.layout_number())
        && page.live_count() <= geometry.slots()
        && end <= heap_start
        && heap_start + u32::from(page.heap_dead()) <= HEAP_END
}

/// What is wrong with a page of another layout, which may be a page of anything.
fn layout_damage(page: &PageBuf, layout: &Layout) -> DamageKind {
    if let Err(kind) = page.expect_kind(layout.page_kind()) {
        return kind;
    }
    DamageKind::Structure(match page.layout_number() > layout.number().0 {
        true => "a row page has a newer layout than its table",
        false => "a row page has a layout that its table has no rows of",
    })
}

/// The first thing that can not be believed.
#[cold]
fn header_damage(page: &PageBuf, layout: &Layout, end: u32) -> DamageKind {
    if let Err(kind) = page.expect_kind(layout.page_kind()) {
        return kind;
    }
    let capacity = page.capacity();
    let heap_start = u32::from(page.heap_start());
    DamageKind::Structure(
        if capacity == 0 || capacity > SLOT_COUNT_MAX || page.live_count() > capacity {
            "a row page's slot counts are impossible"
        } else if end > heap_start || heap_start > HEAP_END {
            "a row page's heap begins at an impossible place"
        } else if u32::from(page.heap_dead()) > HEAP_END - heap_start {
            "a row page's heap has more holes than bytes"
        } else {
            "a slot beyond the capacity is live"
        },
    )
}

/// Whether no slot beyond the capacity is live: whoever walks the bitmap may rely on it.
#[inline]
fn is_zero_beyond(page: &PageBuf, capacity: u16) -> bool {
    let words: &[u64; PAGE_BYTES / 8] = bytemuck::cast_ref(page);
    let last = words[LIVE_BITMAP as usize / 8 + usize::from(capacity / 64)];
    // Where the capacity is a multiple of 64, this is what follows the bitmap.
    capacity.is_multiple_of(64) || last >> (capacity % 64) == 0
}

#[inline]
pub(crate) fn bit_at(bytes: &[u8], bitmap_start: usize, slot: u16) -> bool {
    bytes[bitmap_start + usize::from(slot / 8)] >> (slot % 8) & 1 == 1
}

/// A bitmap as words: bitmaps are aligned and padded to 8 bytes.
fn words_of(bitmap: &[u8]) -> &[u64] {
    bytemuck::cast_slice(bitmap)
}
