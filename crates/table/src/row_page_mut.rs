//! A row page to write: rows come, change and go, and leave no byte behind.

use crate::cell::CellInput;
use crate::damaged::DamageKind;
use crate::layout::Layout;
use crate::long_place::LongPlace;
use crate::packed_heap::PackedHeap;
use crate::page::{PAGE_BYTES, PageBuf};
use crate::page_mut::PageMut;
use crate::row_format::{HEAP_END, INLINE_BYTES_MAX, LIVE_BITMAP, VIEW_BYTES};
use crate::row_geometry::{ColumnPlace, RowGeometry};
use crate::row_page_ref::{RowPageRef, check_header};
use crate::value_codec::with_fixed_bytes;
use crate::value_ref::ValueRef;
use crate::view::{View, ViewBytes};

/// A row page under its table's layout, to be changed.
///
/// What stands in the page after a change is a function of what stood there before and of the change. After an error
/// the page may be half changed: it was damaged before, and whoever holds it drops it.
#[derive(Debug)]
pub struct RowPageMut<'a> {
    page: PageMut<'a>,
    layout: &'a Layout,
    geometry: RowGeometry,
}

impl<'a> RowPageMut<'a> {
    /// Looks at the header of a row page.
    ///
    /// # Errors
    /// [`DamageKind`] as [`RowPageRef::new`].
    pub fn new(page: &'a mut PageBuf, layout: &'a Layout) -> Result<RowPageMut<'a>, DamageKind> {
        RowPageMut::of(page.into(), layout)
    }

    /// [`RowPageMut::new`] of a page that is written piece by piece.
    pub(crate) fn of(page: PageMut<'a>, layout: &'a Layout) -> Result<RowPageMut<'a>, DamageKind> {
        let geometry = check_header(&page, layout)?;
        Ok(RowPageMut {
            page,
            layout,
            geometry,
        })
    }

    /// The page to read.
    pub fn as_ref(&self) -> RowPageRef<'_> {
        RowPageRef::trusted(&self.page, self.layout, self.geometry)
    }

    /// How many slots hold a row.
    pub fn live_count(&self) -> u16 {
        self.page.live_count()
    }

    /// Puts a row into the lowest free slot and returns the slot; `None`, and nothing changed, if there is no free slot
    /// or not enough heap room for its strings and bytes.
    ///
    /// # Errors
    /// [`DamageKind`] if the heap does not add up.
    ///
    /// # Panics
    /// If the cells do not fit the layout: rows are checked before.
    pub fn insert(&mut self, cells: &[CellInput<'_>]) -> Result<Option<u16>, DamageKind> {
        let heap_bytes = cells
            .iter()
            .map(|cell| u64::from(cell.heap_bytes()))
            .sum::<u64>();
        self.insert_cells(heap_bytes, cells.iter().copied())
    }

    /// As [`RowPageMut::insert`], of cells that take `heap_bytes` together.
    pub(crate) fn insert_cells<'v>(
        &mut self,
        heap_bytes: u64,
        cells: impl ExactSizeIterator<Item = CellInput<'v>>,
    ) -> Result<Option<u16>, DamageKind> {
        assert_eq!(cells.len(), self.layout.column_count());
        let Some(slot) = self.lowest_free_slot() else {
            return Ok(None);
        };
        if !self.make_room(heap_bytes)? {
            return Ok(None);
        }
        self.set_bit(LIVE_BITMAP as usize, slot, true);
        let live_count = self.page.live_count();
        self.page.header_mut().set_live_count(live_count + 1);
        for (column, cell) in cells.enumerate() {
            self.write_cell(slot, column, &cell);
        }
        Ok(Some(slot))
    }

    /// Replaces one value of a live slot; `false`, and nothing changed, if there is not enough heap room.
    ///
    /// The pages of a long value that was there are the caller's to free.
    ///
    /// # Errors
    /// [`DamageKind`] if the slot is not live or the heap does not add up.
    ///
    /// # Panics
    /// If the cell does not fit the column.
    pub fn update(
        &mut self,
        slot: u16,
        column: usize,
        cell: &CellInput<'_>,
    ) -> Result<bool, DamageKind> {
        let place = self.layout.place(column);
        if !place.has_heap() && !cell.is_null() {
            self.expect_live(slot)?;
            self.write_cell(slot, column, cell);
            return Ok(true);
        }
        let old_heap = self.heap_range(slot, column)?;
        if let Some(old) = old_heap {
            if cell.heap_bytes() > 0 && cell.heap_bytes() as usize <= old.len() {
                self.overwrite(slot, column, cell, old)?;
                return Ok(true);
            }
            let freed = old.len() as u64;
            if u64::from(cell.heap_bytes()) > freed + u64::from(self.as_ref().heap_free_bytes()) {
                return Ok(false);
            }
            self.release(old)?;
        } else if cell.heap_bytes() > self.as_ref().heap_free_bytes() {
            return Ok(false);
        }
        // The old view must be gone before a compaction could follow it.
        self.clear_cell(slot, self.layout.place(column));
        if !self.make_room(u64::from(cell.heap_bytes()))? {
            return Err(DamageKind::Structure(
                "a row page's heap has less room than it says",
            ));
        }
        self.write_cell(slot, column, cell);
        Ok(true)
    }

    /// Whether the cell would take more heap than what stands there.
    ///
    /// # Errors
    /// [`DamageKind`] if the slot is not live or its view leaves the heap.
    pub fn grows(
        &self,
        slot: u16,
        column: usize,
        cell: &CellInput<'_>,
    ) -> Result<bool, DamageKind> {
        let old = self
            .heap_range(slot, column)?
            .map_or(0, |range| range.len());
        Ok(cell.heap_bytes() as usize > old)
    }

    /// Frees a live slot; everything of it is zero afterwards.
    ///
    /// The pages of its long values are the caller's to free.
    ///
    /// # Errors
    /// [`DamageKind`] if the slot is not live or the heap does not add up.
    pub fn remove(&mut self, slot: u16) -> Result<(), DamageKind> {
        self.take_out(slot, |_| {}).map(drop)
    }

    /// [`RowPageMut::remove`]: says what the row had of the heap, in bytes, and hands on where its long values stand.
    pub(crate) fn take_out(
        &mut self,
        slot: u16,
        mut hand_on: impl FnMut(LongPlace),
    ) -> Result<u64, DamageKind> {
        self.expect_live(slot)?;
        let mut heap_bytes = 0;
        for place in self.layout.places() {
            if place.has_heap() {
                let (view, position) = self.as_ref().view(place, slot);
                match view.locate(position, self.page.heap_start())? {
                    ViewBytes::Heap(range) => {
                        heap_bytes += range.len() as u64;
                        self.release(range)?;
                    }
                    ViewBytes::Long(long) => hand_on(long),
                    ViewBytes::Inline(_) => {}
                }
            }
            self.clear_cell(slot, place);
        }
        let live_count = self.page.live_count().checked_sub(1);
        let live_count = live_count.ok_or(DamageKind::Structure(
            "a row page has more rows than it says",
        ))?;
        self.page.header_mut().set_live_count(live_count);
        self.set_bit(LIVE_BITMAP as usize, slot, false);
        Ok(heap_bytes)
    }

    fn expect_live(&self, slot: u16) -> Result<(), DamageKind> {
        if self.as_ref().is_live(slot) {
            return Ok(());
        }
        Err(DamageKind::Structure(
            "a slot that something refers to is free",
        ))
    }

    fn lowest_free_slot(&self) -> Option<u16> {
        let words = self.as_ref().live_words();
        let (index, word) = words
            .iter()
            .enumerate()
            .find(|(_, word)| **word != u64::MAX)?;
        let slot = u16::try_from(index * 64 + word.trailing_ones() as usize).ok()?;
        (slot < self.geometry.slots()).then_some(slot)
    }

    /// Where the value of a live slot stands in the heap, if it does.
    fn heap_range(
        &self,
        slot: u16,
        column: usize,
    ) -> Result<Option<std::ops::Range<usize>>, DamageKind> {
        self.expect_live(slot)?;
        let place = self.layout.place(column);
        if !place.has_heap() {
            return Ok(None);
        }
        let (view, position) = self.as_ref().view(place, slot);
        match view.locate(position, self.page.heap_start())? {
            ViewBytes::Heap(range) => Ok(Some(range)),
            ViewBytes::Inline(_) | ViewBytes::Long(_) => Ok(None),
        }
    }

    /// Writes a cell into a slot whose bytes are zero, or over another of fixed width; there is heap room for it.
    fn write_cell(&mut self, slot: u16, column: usize, cell: &CellInput<'_>) {
        let definition = &self.layout.columns()[column];
        let place = self.layout.place(column);
        assert!(
            definition.nullable || !cell.is_null(),
            "a null where none may be"
        );
        if cell.is_null() {
            return;
        }
        if let Some(validity) = self.geometry.validity(place) {
            self.set_bit(validity, slot, true);
        }
        let value = match *cell {
            CellInput::Long {
                len,
                prefix,
                place: at,
            } => {
                assert!(
                    definition.column_type.fixed_width().is_none(),
                    "a long value of fixed width"
                );
                let position = self.position(place, slot, VIEW_BYTES);
                View::long(len, prefix, at).write(self.view_mut(position));
                return;
            }
            CellInput::Value(value) => value,
        };
        assert!(
            value.column_type() == Some(definition.column_type),
            "a value of another type"
        );
        if let ValueRef::Bool(value) = value {
            self.set_bit(self.geometry.values(place), slot, value);
        } else if let Some(bytes) = value.variable_bytes() {
            self.write_variable(place, slot, bytes);
        } else {
            let start = self.geometry.values(place);
            with_fixed_bytes(value, |bytes| {
                let position = start + usize::from(slot) * bytes.len();
                let target = self.page.bytes_mut(position..position + bytes.len());
                target.copy_from_slice(bytes);
            });
        }
    }

    fn write_variable(&mut self, place: &ColumnPlace, slot: u16, bytes: &[u8]) {
        let position = self.position(place, slot, VIEW_BYTES);
        if bytes.len() <= INLINE_BYTES_MAX {
            View::write_inline(bytes, self.view_mut(position));
            return;
        }
        let start = usize::from(self.page.heap_start()) - bytes.len();
        assert!(start >= self.columns_end());
        self.set_heap_start(start);
        let target = self.page.bytes_mut(start..start + bytes.len());
        target.copy_from_slice(bytes);
        View::in_page(bytes, u32_of(start)).write(self.view_mut(position));
    }

    /// Writes a value over a longer one, or one of the same length, in the heap.
    fn overwrite(
        &mut self,
        slot: u16,
        column: usize,
        cell: &CellInput<'_>,
        old: std::ops::Range<usize>,
    ) -> Result<(), DamageKind> {
        let CellInput::Value(value) = cell else {
            return Ok(());
        };
        assert!(value.column_type() == Some(self.layout.columns()[column].column_type));
        let bytes = value.variable_bytes().unwrap_or_default();
        let position = self.position(self.layout.place(column), slot, VIEW_BYTES);
        let target = self.page.bytes_mut(old.start..old.start + bytes.len());
        target.copy_from_slice(bytes);
        View::in_page(bytes, u32_of(old.start)).write(self.view_mut(position));
        self.release(old.start + bytes.len()..old.end)
    }

    /// Zeroes what a slot has in the regions of a column.
    fn clear_cell(&mut self, slot: u16, place: &ColumnPlace) {
        if let Some(validity) = self.geometry.validity(place) {
            self.set_bit(validity, slot, false);
        }
        if place.is_bits() {
            self.set_bit(self.geometry.values(place), slot, false);
            return;
        }
        let width = usize::from(place.width());
        let position = self.position(place, slot, width);
        let bytes = self.page.bytes_mut(position..position + width);
        // Nearly all are of these widths, which need no call.
        match width {
            8 => bytes.copy_from_slice(&[0; 8]),
            VIEW_BYTES => bytes.copy_from_slice(&[0; VIEW_BYTES]),
            _ => bytes.fill(0),
        }
    }

    /// Makes a range of the heap a hole of zeros, or gives it back where the heap begins with it.
    fn release(&mut self, range: std::ops::Range<usize>) -> Result<(), DamageKind> {
        let length = range.len();
        self.page.bytes_mut(range.clone()).fill(0);
        let mut start = usize::from(self.page.heap_start());
        let mut dead = usize::from(self.page.heap_dead());
        if range.start == start {
            start += length;
        } else {
            dead += length;
        }
        if dead > HEAP_END as usize - start {
            return Err(DamageKind::Structure(
                "a row page's heap has more holes than bytes",
            ));
        }
        if dead == HEAP_END as usize - start {
            (start, dead) = (HEAP_END as usize, 0);
        }
        self.set_heap_start(start);
        self.set_heap_dead(dead);
        Ok(())
    }

    /// Sees to it that so many bytes are free in front of the heap; `false`, and nothing changed, if even a compaction
    /// would not free them.
    fn make_room(&mut self, heap_bytes: u64) -> Result<bool, DamageKind> {
        let gap = usize::from(self.page.heap_start()) - self.columns_end();
        if heap_bytes <= gap as u64 {
            return Ok(true);
        }
        if heap_bytes > u64::from(self.as_ref().heap_free_bytes()) {
            return Ok(false);
        }
        self.compact()?;
        Ok(true)
    }

    /// Writes the heap anew without holes: column by column, slot by slot, from the page's end downwards.
    fn compact(&mut self) -> Result<(), DamageKind> {
        let old_start = usize::from(self.page.heap_start());
        let mut heap = PackedHeap::new(self.page.as_bytes(), old_start);
        let mut columns = Vec::new();
        for (column, definition) in self.layout.columns().iter().enumerate() {
            if definition.column_type.fixed_width().is_none() {
                columns.push(self.packed_views(column, &mut heap)?);
            }
        }
        let (start, bytes) = heap.finish();
        if PAGE_BYTES - start + usize::from(self.page.heap_dead()) != PAGE_BYTES - old_start {
            return Err(DamageKind::Structure("a row page's heap does not add up"));
        }
        for (first, views) in columns {
            let target = self.page.bytes_mut(first..first + views.len());
            target.copy_from_slice(&views);
        }
        let target = self.page.bytes_mut(old_start..PAGE_BYTES);
        target.copy_from_slice(&bytes);
        self.set_heap_start(start);
        self.set_heap_dead(0);
        Ok(())
    }

    /// Where the views of a column begin, and what they are once its values stand in a packed heap.
    fn packed_views(
        &self,
        column: usize,
        heap: &mut PackedHeap<'_>,
    ) -> Result<(usize, Vec<u8>), DamageKind> {
        let first = self.geometry.values(self.layout.place(column));
        let length = usize::from(self.geometry.slots()) * VIEW_BYTES;
        let mut views = self.page.as_bytes()[first..first + length].to_vec();
        let heap_start = self.page.heap_start();
        for slot in self.as_ref().live_slots() {
            let position = usize::from(slot) * VIEW_BYTES;
            let found = View::read(&views, position);
            if let ViewBytes::Heap(range) = found.locate(first + position, heap_start)? {
                let moved = found.moved(u32_of(heap.put(range)?));
                moved.write(&mut views[position..position + VIEW_BYTES]);
            }
        }
        Ok((first, views))
    }

    /// Where the columns end, and free bytes or heap follow.
    fn columns_end(&self) -> usize {
        self.geometry.end(self.layout.regions()) as usize
    }

    /// The bytes of the view at a position.
    fn view_mut(&mut self, position: usize) -> &mut [u8] {
        self.page.bytes_mut(position..position + VIEW_BYTES)
    }

    fn position(&self, place: &ColumnPlace, slot: u16, width: usize) -> usize {
        self.geometry.values(place) + usize::from(slot) * width
    }

    fn set_bit(&mut self, bitmap_start: usize, slot: u16, value: bool) {
        let position = bitmap_start + usize::from(slot / 8);
        let byte = &mut self.page.bytes_mut(position..position + 1)[0];
        *byte = *byte & !(1 << (slot % 8)) | u8::from(value) << (slot % 8);
    }

    fn set_heap_start(&mut self, byte_offset: usize) {
        self.page.header_mut().set_heap_start(u16_of(byte_offset));
    }

    fn set_heap_dead(&mut self, bytes: usize) {
        self.page.header_mut().set_heap_dead(u16_of(bytes));
    }
}

/// A byte offset or a length inside a page, all of which fit.
fn u16_of(bytes: usize) -> u16 {
    u16::try_from(bytes).expect("an offset inside a page")
}

/// A byte offset inside a page, as a view has it.
fn u32_of(bytes: usize) -> u32 {
    u32::from(u16_of(bytes))
}
