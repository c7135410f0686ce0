//! The heap of a table: its row pages, and which of them have room.
//!
//! ```text
//!  first -> page <-> page <-> page <- last      every row page, in order of allocation (scans follow it)
//!  room  -> page <-> page                       those worth trying for a new row, last opened first
//! ```
//!
//! Both lists run through the page headers, so they come back with the pages and need no memory of their own. Where a
//! row goes is a function of the rows that came and went before, and of nothing else.

use serde::{Deserialize, Serialize};

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::layout::Layout;
use crate::long_value;
use crate::page::PAGE_BYTES;
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_format::{ROW_HEAP_BYTES_MAX, VALUE_IN_PAGE_BYTES_MAX};
use crate::row_geometry::RowGeometry;
use crate::row_id::RowId;
use crate::row_page::{self, Cell, CellInput, RowPageMut, RowPageRef};
use crate::table_id::TableId;
use crate::value_ref::ValueRef;

/// How many pages with room are tried before a new page is taken.
const ROOM_PROBES_MAX: usize = 4;

/// Heads of the lists and the counts that a table's head keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heap {
    first: Option<PageNumber>,
    last: Option<PageNumber>,
    room: Option<PageNumber>,
    page_count: u64,
    row_count: u64,
    /// Bytes of all values that stand in the variable heaps of row pages: what the next page's capacity is planned by.
    variable_bytes: u64,
}

impl Heap {
    pub(crate) fn row_count(&self) -> u64 {
        self.row_count
    }

    pub(crate) fn page_count(&self) -> u64 {
        self.page_count
    }

    pub(crate) fn variable_bytes(&self) -> u64 {
        self.variable_bytes
    }

    pub(crate) fn first_page(&self) -> Option<PageNumber> {
        self.first
    }

    pub(crate) fn first_page_with_room(&self) -> Option<PageNumber> {
        self.room
    }

    /// Puts a row where there is room. `values` must fit the layout.
    pub(crate) fn insert(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        values: &[ValueRef<'_>],
    ) -> Result<RowId, Error> {
        let plain = || values.iter().map(|&value| CellInput::from(value));
        let mut heap_bytes = plain()
            .map(|cell| u64::from(cell.heap_bytes()))
            .sum::<u64>();
        let row = if heap_bytes <= u64::from(ROW_HEAP_BYTES_MAX) {
            self.place(pages, owner, layout, heap_bytes, plain())?
        } else {
            let mut cells: Vec<CellInput<'_>> = plain().collect();
            heap_bytes = spill(pages, owner, values, &mut cells)?;
            self.place(pages, owner, layout, heap_bytes, cells.into_iter())?
        };
        self.row_count += 1;
        self.variable_bytes += heap_bytes;
        Ok(row)
    }

    /// Replaces values of a row without moving it; `false`, and nothing changed, if its page has no room for them or
    /// a long value is among the old or new ones.
    pub(crate) fn update(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        row: RowId,
        changes: &[(usize, ValueRef<'_>)],
    ) -> Result<bool, Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let page = RowPageRef::new(pages.get(number)?, layout).map_err(damaged)?;
        let mut cells = Vec::with_capacity(changes.len());
        let (mut gained, mut freed) = (0, 0);
        for &(column, value) in changes {
            let bytes = value.variable_bytes().unwrap_or_default();
            if bytes.len() > VALUE_IN_PAGE_BYTES_MAX as usize {
                return Ok(false);
            }
            match page.cell(row.slot(), column).map_err(damaged)? {
                Cell::Long { .. } => return Ok(false),
                Cell::Value(old) => freed += heap_bytes_of(&CellInput::from(old)),
            }
            let cell = CellInput::from(value);
            gained += heap_bytes_of(&cell);
            cells.push((column, cell));
        }
        if gained > freed + page.heap_free_bytes() {
            return Ok(false);
        }
        let mut page = RowPageMut::of(pages.write(number)?, layout).map_err(damaged)?;
        for pass in [false, true] {
            // Values that shrink go first, so that those that grow find the room that was counted above.
            for (column, cell) in &cells {
                if page.grows(row.slot(), *column, cell).map_err(damaged)? == pass {
                    page.update(row.slot(), *column, cell).map_err(damaged)?;
                }
            }
        }
        self.variable_bytes = less(
            self.variable_bytes + u64::from(gained),
            freed.into(),
            number,
        )?;
        Ok(true)
    }

    /// Frees the slot of a row, its long values, and its page if that was the last row there.
    pub(crate) fn remove(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        row: RowId,
    ) -> Result<(), Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let page = RowPageRef::new(pages.get(number)?, layout).map_err(damaged)?;
        let mut long_values = Vec::new();
        let mut heap_bytes = 0;
        for column in 0..layout.column_count() {
            match page.cell(row.slot(), column).map_err(damaged)? {
                Cell::Long { first_page, .. } => long_values.push(first_page),
                Cell::Value(value) => heap_bytes += heap_bytes_of(&CellInput::from(value)),
            }
        }
        for first_page in long_values {
            long_value::free(pages, first_page)?;
        }
        self.row_count = less(self.row_count, 1, number)?;
        self.variable_bytes = less(self.variable_bytes, heap_bytes.into(), number)?;
        self.vacate(pages, layout, row)?;
        self.offer_room(pages, layout, number)
    }

    /// Frees a slot, and its page if that was the last row there.
    fn vacate(&mut self, pages: &mut Pages, layout: &Layout, row: RowId) -> Result<(), Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let mut page = RowPageMut::of(pages.write(number)?, layout).map_err(damaged)?;
        page.remove(row.slot()).map_err(damaged)?;
        if page.live_count() == 0 {
            self.unlink_room(pages, number)?;
            self.unlink(pages, number)?;
            pages.free(number)?;
        }
        Ok(())
    }

    /// Puts a page where rows are put, if it is there still and has room.
    fn offer_room(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        number: PageNumber,
    ) -> Result<(), Error> {
        let bytes = match pages.get(number) {
            Err(damaged) if damaged.kind == DamageKind::Missing => return Ok(()),
            bytes => bytes?,
        };
        let page = RowPageRef::new(bytes, layout).map_err(|kind| kind.at(number))?;
        if self.has_room(&page) {
            self.link_room(pages, number)?;
        }
        Ok(())
    }

    /// Puts the last page where rows are put, if it has room: it was not while rows were moved out of it.
    pub(crate) fn offer_last(&mut self, pages: &mut Pages, layout: &Layout) -> Result<(), Error> {
        match self.last {
            Some(last) => self.offer_room(pages, layout, last),
            None => Ok(()),
        }
    }

    /// The row to move for the last page to be given back: the one in its lowest slot, if all rows would fit half of the pages, as far as the last one tells
    /// how many fit a page.
    pub(crate) fn row_to_move(
        &self,
        pages: &Pages,
        layout: &Layout,
    ) -> Result<Option<RowId>, Error> {
        let Some(number) = self.last else {
            return Ok(None);
        };
        let page = RowPageRef::new(pages.get(number)?, layout).map_err(|kind| kind.at(number))?;
        let slots_elsewhere = self.page_count.saturating_sub(1) * u64::from(page.capacity());
        if self.row_count * 2 >= slots_elsewhere {
            return Ok(None);
        }
        let slot = page.live_slots().next();
        Ok(slot.map(|slot| RowId::new(number, slot)))
    }

    /// Moves a row to another page with room and says where it stands there; `None`, and no row has moved, if there is no such page. The row's
    /// long values stay where they are. No row is put into the page that it leaves before [`Heap::offer_last`].
    pub(crate) fn relocate(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        row: RowId,
        values: &[ValueRef<'_>],
    ) -> Result<Option<RowId>, Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let page = RowPageRef::new(pages.get(number)?, layout).map_err(damaged)?;
        let mut cells = Vec::with_capacity(values.len());
        for (column, &value) in values.iter().enumerate() {
            cells.push(match page.cell(row.slot(), column).map_err(damaged)? {
                Cell::Value(_) => CellInput::from(value),
                Cell::Long { first_page, .. } => {
                    CellInput::long(value.variable_bytes().unwrap_or_default(), first_page)
                }
            });
        }
        let heap_bytes = cells.iter().map(|cell| u64::from(cell.heap_bytes())).sum();
        // Else the row might be put back where it came from.
        self.unlink_room(pages, number)?;
        let Some(target) = self.find_room(pages, layout, heap_bytes)? else {
            self.link_room(pages, number)?;
            return Ok(None);
        };
        let moved = self.put(pages, layout, target, heap_bytes, cells.into_iter())?;
        self.vacate(pages, layout, row)?;
        Ok(Some(moved))
    }

    /// Gives back every row page and every long value.
    pub(crate) fn clear(&mut self, pages: &mut Pages, layout: &Layout) -> Result<(), Error> {
        while let Some(number) = self.first {
            let damaged = |kind: DamageKind| Error::from(kind.at(number));
            let bytes = pages.get(number)?;
            let page = RowPageRef::new(bytes, layout).map_err(damaged)?;
            let mut long_values = Vec::new();
            for slot in page.live_slots() {
                for column in 0..layout.column_count() {
                    if let Cell::Long { first_page, .. } =
                        page.cell(slot, column).map_err(damaged)?
                    {
                        long_values.push(first_page);
                    }
                }
            }
            self.first = bytes.next().map_err(damaged)?;
            for first_page in long_values {
                long_value::free(pages, first_page)?;
            }
            pages.free(number)?;
        }
        *self = Heap::default();
        Ok(())
    }

    /// Finds a page with room, or takes a new one, and writes the row there.
    fn place<'v>(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        heap_bytes: u64,
        cells: impl ExactSizeIterator<Item = CellInput<'v>>,
    ) -> Result<RowId, Error> {
        let number = match self.find_room(pages, layout, heap_bytes)? {
            Some(number) => number,
            None => self.add_page(pages, owner, layout, heap_bytes)?,
        };
        self.put(pages, layout, number, heap_bytes, cells)
    }

    /// Writes a row to a page that has room for it.
    fn put<'v>(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        number: PageNumber,
        heap_bytes: u64,
        cells: impl ExactSizeIterator<Item = CellInput<'v>>,
    ) -> Result<RowId, Error> {
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let mut page = RowPageMut::of(pages.write(number)?, layout).map_err(damaged)?;
        let slot = page.insert_cells(heap_bytes, cells).map_err(damaged)?;
        let slot = slot
            .ok_or_else(|| damaged(DamageKind::Structure("a page has less room than it says")))?;
        if !self.has_room(&page.as_ref()) {
            self.unlink_room(pages, number)?;
        }
        Ok(RowId::new(number, slot))
    }

    /// A page with a free slot and so much heap room, among the first of those worth trying.
    fn find_room(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        heap_bytes: u64,
    ) -> Result<Option<PageNumber>, Error> {
        let mut candidate = self.room;
        for _ in 0..ROOM_PROBES_MAX {
            let Some(number) = candidate else { break };
            let bytes = pages.get(number)?;
            candidate = bytes.room_next().map_err(|kind| kind.at(number))?;
            let page = RowPageRef::new(bytes, layout).map_err(|kind| kind.at(number))?;
            if page.live_count() < page.capacity()
                && heap_bytes <= u64::from(page.heap_free_bytes())
            {
                return Ok(Some(number));
            }
            if !self.has_room(&page) {
                self.unlink_room(pages, number)?;
            }
        }
        Ok(None)
    }

    /// A new page, planned for rows of average size, and with room for so many bytes at least.
    fn add_page(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        heap_bytes: u64,
    ) -> Result<PageNumber, Error> {
        let u32_of = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let average = (self.variable_bytes + heap_bytes) / (self.row_count + 1);
        let mut capacity = RowGeometry::capacity(layout, u32_of(average));
        let fixed_bytes = RowGeometry::new(layout.regions(), capacity).end();
        if fixed_bytes as u64 + heap_bytes > PAGE_BYTES as u64 {
            capacity = RowGeometry::capacity(layout, u32_of(heap_bytes));
        }
        layout.set_usual(RowGeometry::new(layout.regions(), capacity));
        let number = pages.allocate(PageKind::Row, owner)?;
        row_page::format(pages.get_mut(number)?, layout, capacity, owner);
        self.append(pages, number)?;
        self.link_room(pages, number)?;
        Ok(number)
    }

    /// Whether a page is worth trying: a free slot, and heap room for a row of average size.
    fn has_room(&self, page: &RowPageRef<'_>) -> bool {
        let average = self.variable_bytes / self.row_count.max(1);
        page.live_count() < page.capacity() && u64::from(page.heap_free_bytes()) >= average
    }

    fn append(&mut self, pages: &mut Pages, number: PageNumber) -> Result<(), Error> {
        pages.write(number)?.header_mut().set_previous(self.last);
        match self.last {
            Some(last) => pages.write(last)?.header_mut().set_next(Some(number)),
            None => self.first = Some(number),
        }
        self.last = Some(number);
        self.page_count += 1;
        Ok(())
    }

    fn unlink(&mut self, pages: &mut Pages, number: PageNumber) -> Result<(), Error> {
        let bytes = pages.get(number)?;
        let (previous, next) = (bytes.previous(), bytes.next());
        let previous = previous.map_err(|kind| kind.at(number))?;
        let next = next.map_err(|kind| kind.at(number))?;
        match previous {
            Some(previous) => pages.write(previous)?.header_mut().set_next(next),
            None => self.first = next,
        }
        match next {
            Some(next) => pages.write(next)?.header_mut().set_previous(previous),
            None => self.last = previous,
        }
        self.page_count = less(self.page_count, 1, number)?;
        Ok(())
    }

    /// Puts a page at the front of those with room, unless it is among them.
    fn link_room(&mut self, pages: &mut Pages, number: PageNumber) -> Result<(), Error> {
        let bytes = pages.get(number)?;
        if bytes.is_in_room_list() {
            return Ok(());
        }
        let mut page = pages.write(number)?;
        page.header_mut().set_in_room_list(true);
        page.header_mut().set_room_next(self.room);
        if let Some(head) = self.room {
            pages
                .write(head)?
                .header_mut()
                .set_room_previous(Some(number));
        }
        self.room = Some(number);
        Ok(())
    }

    fn unlink_room(&mut self, pages: &mut Pages, number: PageNumber) -> Result<(), Error> {
        if !pages.get(number)?.is_in_room_list() {
            return Ok(());
        }
        let mut page = pages.write(number)?;
        let (previous, next) = (page.room_previous(), page.room_next());
        let previous = previous.map_err(|kind| kind.at(number))?;
        let next = next.map_err(|kind| kind.at(number))?;
        let header = page.header_mut();
        header.set_in_room_list(false);
        header.set_room_previous(None);
        header.set_room_next(None);
        match previous {
            Some(previous) => pages.write(previous)?.header_mut().set_room_next(next),
            None => self.room = next,
        }
        if let Some(next) = next {
            pages.write(next)?.header_mut().set_room_previous(previous);
        }
        Ok(())
    }
}

/// Moves values that are too long for a row page, and then the longest until the rest fits one, to pages of their own.
/// Returns the bytes that stay.
fn spill<'a>(
    pages: &mut Pages,
    owner: TableId,
    values: &[ValueRef<'a>],
    cells: &mut [CellInput<'a>],
) -> Result<u64, Error> {
    loop {
        let total = cells
            .iter()
            .map(|cell| u64::from(cell.heap_bytes()))
            .sum::<u64>();
        let longest = (0..cells.len()).max_by_key(|&column| cells[column].heap_bytes());
        let Some(column) = longest else {
            return Ok(total);
        };
        if total <= u64::from(ROW_HEAP_BYTES_MAX) {
            return Ok(total);
        }
        let bytes = values[column].variable_bytes().unwrap_or_default();
        let first_page = long_value::write(pages, owner, bytes)?;
        cells[column] = CellInput::long(bytes, first_page);
    }
}

/// A count that a head states, less what a page shows to be gone. A head that states less than its pages hold is damaged.
fn less(count: u64, by: u64, page: PageNumber) -> Result<u64, Error> {
    count.checked_sub(by).ok_or_else(|| {
        DamageKind::Structure("a table's head counts less than its pages hold")
            .at(page)
            .into()
    })
}

/// What a value takes in the heap of a row page.
fn heap_bytes_of(cell: &CellInput<'_>) -> u32 {
    cell.heap_bytes()
}
