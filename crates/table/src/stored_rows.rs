//! The rows of a table as they are kept: in row pages, and what is too long for these in spills.
//!
//! ```text
//!   older:   | row | row | ...              under layouts before the table's own, each in a heap of its own
//!   heap:    | row | row | row | ...        most rows, whole
//!   spills:        +--> pieces              of those with more than 8,000 bytes of strings and bytes
//! ```
//!
//! Rows come into `heap` alone. One of an older layout is read where it is, and goes there when it changes or is moved (`renewal.rs`).

use serde::{Deserialize, Serialize};

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::heap::Heap;
use crate::layout::Layout;
use crate::long_place::LongPlace;
use crate::long_value;
use crate::older_rows::OlderRows;
use crate::page::PageBuf;
use crate::pages::Pages;
use crate::row_format::{ROW_HEAP_BYTES_MAX, VALUE_IN_PAGE_BYTES_MAX};
use crate::row_id::RowId;
use crate::row_page::{Cell, CellInput, RowPageRef};
use crate::spills::Spills;
use crate::table_id::TableId;
use crate::value_ref::ValueRef;

/// Row pages and spills of one table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct StoredRows {
    /// Those under the table's layout.
    pub(crate) heap: Heap,
    pub(crate) spills: Spills,
    /// Those under older ones. Invariant: ascending by the numbers of their layouts, and none of them empty.
    #[serde(skip)]
    pub(crate) older: Vec<OlderRows>,
}

impl From<Heap> for StoredRows {
    /// Rows as older builds kept them: what is too long stands in chains that they name themselves.
    fn from(heap: Heap) -> StoredRows {
        StoredRows {
            heap,
            ..StoredRows::default()
        }
    }
}

impl StoredRows {
    /// How many there are.
    pub(crate) fn row_count(&self) -> u64 {
        self.heaps().map(Heap::row_count).sum()
    }

    /// How many pages of rows there are.
    pub(crate) fn page_count(&self) -> u64 {
        self.heaps().map(Heap::page_count).sum()
    }

    fn heaps(&self) -> impl Iterator<Item = &Heap> {
        let older = self.older.iter().map(|older| &older.heap);
        older.chain([&self.heap])
    }

    /// The heap at a place in the order of scans, oldest first, and the layout that its pages are read under.
    pub(crate) fn heap_at<'a>(
        &'a self,
        position: usize,
        current: &'a Layout,
    ) -> Option<(&'a Heap, &'a Layout)> {
        match self.older.get(position) {
            Some(older) => Some((&older.heap, older.shown())),
            None => (position == self.older.len()).then_some((&self.heap, current)),
        }
    }

    /// The layout that a row page is read under.
    #[inline]
    pub(crate) fn shown_layout<'a>(&'a self, page: &PageBuf, current: &'a Layout) -> &'a Layout {
        let older = self.older_of(page);
        older.map_or(current, |position| self.older[position].shown())
    }

    /// The layout that a row page was written under.
    pub(crate) fn own_layout<'a>(&'a self, page: &PageBuf, current: &'a Layout) -> &'a Layout {
        let older = self.older_of(page);
        older.map_or(current, |position| &self.older[position].own)
    }

    /// Which of the older layouts a page has.
    #[inline]
    fn older_of(&self, page: &PageBuf) -> Option<usize> {
        let has_it = |older: &OlderRows| older.own.has_pages_of(page.layout_number());
        self.older.iter().position(has_it)
    }

    /// Puts a row where there is room. `values` must fit the layout.
    pub(crate) fn insert(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        values: &[ValueRef<'_>],
    ) -> Result<RowId, Error> {
        let cells = values.iter().map(|&value| CellInput::from(value));
        self.insert_cells(pages, owner, layout, cells)
    }

    /// [`StoredRows::insert`] of a row some of whose values may stand elsewhere already.
    pub(crate) fn insert_cells<'v>(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        cells: impl ExactSizeIterator<Item = CellInput<'v>> + Clone,
    ) -> Result<RowId, Error> {
        let heap_bytes = cells.clone().map(|cell| u64::from(cell.heap_bytes()));
        let heap_bytes = heap_bytes.sum::<u64>();
        if heap_bytes <= u64::from(ROW_HEAP_BYTES_MAX) {
            return self.heap.insert(pages, owner, layout, heap_bytes, cells);
        }
        let (heap_bytes, cells) = self.spills.spill(pages, owner, cells.collect())?;
        self.heap
            .insert(pages, owner, layout, heap_bytes, cells.into_iter())
    }

    /// Replaces values of a row without moving it; `false`, and nothing changed, if it is not there, its page has no room for them or is of an older
    /// layout, or an old value shares its spill with others.
    pub(crate) fn update(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        row: RowId,
        changes: &[(usize, ValueRef<'_>)],
    ) -> Result<bool, Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        // Whoever looks closer says what is wrong with a page.
        let Ok(bytes) = pages.get(number) else {
            return Ok(false);
        };
        if self.older_of(bytes).is_some() {
            return Ok(false);
        }
        let Some(page) = RowPageRef::of_row(bytes, layout, owner, row.slot()) else {
            return Ok(false);
        };
        let plain = changes
            .iter()
            .map(|&(column, value)| (column, CellInput::from(value)));
        let mut gone = Vec::new();
        let (mut gained, mut freed, mut any_is_long) = (0, 0, false);
        for (column, cell) in plain.clone() {
            match page.cell_of_live(row.slot(), column).map_err(damaged)? {
                Cell::Long { len, place, .. } if place.is_alone(len) => gone.push(place),
                Cell::Long { .. } => return Ok(false),
                Cell::Value(old) => freed += CellInput::from(old).heap_bytes(),
            }
            match is_too_long(&cell) {
                true => any_is_long = true,
                false => gained += cell.heap_bytes(),
            }
        }
        if gained > freed + page.heap_free_bytes() {
            return Ok(false);
        }
        for place in gone {
            self.free(pages, owner, place)?;
        }
        let heap_bytes = (gained, freed);
        if !any_is_long {
            self.heap.rewrite(pages, layout, row, plain, heap_bytes)?;
            return Ok(true);
        }
        let mut cells: Vec<(usize, CellInput<'_>)> = plain.collect();
        for (_, cell) in &mut cells {
            if is_too_long(cell)
                && let CellInput::Value(value) = *cell
            {
                let bytes = value.variable_bytes().unwrap_or_default();
                *cell = CellInput::long(bytes, self.spills.write_alone(pages, owner, bytes)?);
            }
        }
        let cells = cells.iter().copied();
        self.heap.rewrite(pages, layout, row, cells, heap_bytes)?;
        Ok(true)
    }

    /// Frees the slot of a row, what it spilled, and its page if that was the last row there.
    pub(crate) fn remove(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        row: RowId,
    ) -> Result<(), Error> {
        for place in self.take_out(pages, layout, row)? {
            self.free(pages, owner, place)?;
        }
        Ok(())
    }

    /// Frees the slot of a row, and says what it has spilled, where each begins: that is the caller's to free.
    pub(crate) fn take_out(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        row: RowId,
    ) -> Result<Vec<LongPlace>, Error> {
        let Some(position) = self.older_of(pages.get(row.page())?) else {
            return self.heap.remove(pages, layout, row);
        };
        let older = &mut self.older[position];
        let spilled = older.heap.remove(pages, &older.own, row)?;
        if older.heap.first_page().is_none() {
            self.older.remove(position);
        }
        Ok(spilled)
    }

    /// A row of the older layout at a position, if there are so many.
    pub(crate) fn older_row(&self, pages: &Pages, position: usize) -> Result<Option<RowId>, Error> {
        match self.older.get(position) {
            Some(older) => older.heap.first_row(pages, &older.own),
            None => Ok(None),
        }
    }

    /// Gives every page back.
    pub(crate) fn clear(&mut self, pages: &mut Pages, layout: &Layout) -> Result<(), Error> {
        self.spills.clear(pages)?;
        for mut older in self.older.drain(..) {
            older.heap.clear(pages, &older.own)?;
        }
        self.heap.clear(pages, layout)
    }

    /// Gives back what a row has spilled.
    pub(crate) fn free(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        place: LongPlace,
    ) -> Result<(), Error> {
        match place {
            LongPlace::Chain(first_page) => Ok(long_value::free(pages, first_page)?),
            LongPlace::Spill { number, .. } => self.spills.free(pages, owner, number),
        }
    }
}

/// Whether a value never stands in a row page.
fn is_too_long(cell: &CellInput<'_>) -> bool {
    cell.heap_bytes() > VALUE_IN_PAGE_BYTES_MAX
}
