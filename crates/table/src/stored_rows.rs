//! The rows of a table as they are kept: in row pages, and what is too long for these in spills.
//!
//! ```text
//!   heap:    | row | row | row | ...        most rows, whole
//!   spills:        +--> pieces              of those with more than 8,000 bytes of strings and bytes
//! ```

use serde::{Deserialize, Serialize};

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::heap::Heap;
use crate::layout::Layout;
use crate::long_place::LongPlace;
use crate::long_value;
use crate::pages::Pages;
use crate::row_format::{ROW_HEAP_BYTES_MAX, VALUE_IN_PAGE_BYTES_MAX};
use crate::row_id::RowId;
use crate::row_page::{Cell, CellInput, RowPageRef};
use crate::spills::Spills;
use crate::table_id::TableId;
use crate::value_ref::ValueRef;

/// Row pages and spills of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredRows {
    pub(crate) heap: Heap,
    pub(crate) spills: Spills,
}

impl From<Heap> for StoredRows {
    /// Rows as older builds kept them: what is too long stands in chains that they name themselves.
    fn from(heap: Heap) -> StoredRows {
        StoredRows {
            heap,
            spills: Spills::default(),
        }
    }
}

impl StoredRows {
    /// Puts a row where there is room. `values` must fit the layout.
    pub(crate) fn insert(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        values: &[ValueRef<'_>],
    ) -> Result<RowId, Error> {
        let plain = || values.iter().map(|&value| CellInput::from(value));
        let heap_bytes = plain()
            .map(|cell| u64::from(cell.heap_bytes()))
            .sum::<u64>();
        if heap_bytes <= u64::from(ROW_HEAP_BYTES_MAX) {
            return self.heap.insert(pages, owner, layout, heap_bytes, plain());
        }
        let (heap_bytes, cells) = self.spills.spill(pages, owner, values)?;
        self.heap
            .insert(pages, owner, layout, heap_bytes, cells.into_iter())
    }

    /// Replaces values of a row without moving it; `false`, and nothing changed, if its page has no room for them or an old one
    /// shares its spill with others.
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
        let page = RowPageRef::new(pages.get(number)?, layout).map_err(damaged)?;
        let mut cells = Vec::with_capacity(changes.len());
        let mut gone = Vec::new();
        let (mut gained, mut freed) = (0, 0);
        for &(column, value) in changes {
            match page.cell(row.slot(), column).map_err(damaged)? {
                Cell::Long { len, place, .. } if place.is_alone(len) => gone.push(place),
                Cell::Long { .. } => return Ok(false),
                Cell::Value(old) => freed += CellInput::from(old).heap_bytes(),
            }
            let cell = CellInput::from(value);
            if !is_too_long(&cell) {
                gained += cell.heap_bytes();
            }
            cells.push((column, cell));
        }
        if gained > freed + page.heap_free_bytes() {
            return Ok(false);
        }
        for place in gone {
            self.free(pages, owner, place)?;
        }
        for (_, cell) in &mut cells {
            if is_too_long(cell)
                && let CellInput::Value(value) = *cell
            {
                let bytes = value.variable_bytes().unwrap_or_default();
                *cell = CellInput::long(bytes, self.spills.write_alone(pages, owner, bytes)?);
            }
        }
        self.heap
            .rewrite(pages, layout, row, &cells, (gained, freed))?;
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
        for place in self.heap.remove(pages, layout, row)? {
            self.free(pages, owner, place)?;
        }
        Ok(())
    }

    /// Gives every page back.
    pub(crate) fn clear(&mut self, pages: &mut Pages, layout: &Layout) -> Result<(), Error> {
        self.spills.clear(pages)?;
        self.heap.clear(pages, layout)
    }

    fn free(&mut self, pages: &mut Pages, owner: TableId, place: LongPlace) -> Result<(), Error> {
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
