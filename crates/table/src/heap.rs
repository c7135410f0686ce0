//! The heap of a table: its row pages, and which of them have room.
//!
//! ```text
//!  first -> page <-> page <-> page <- last      every row page (scans follow it): new ones come last, those that compaction
//!                                               made or passed over come first
//!  room  -> page <-> page                       those with a free slot, by how much heap they have left (room_lists.rs)
//! ```
//!
//! The lists run through the page headers, so they come back with the pages and need no memory of their own. Where a
//! row goes is a function of the rows that came and went before, and of nothing else.

use serde::{Deserialize, Serialize};

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::layout::Layout;
use crate::long_place::LongPlace;
use crate::long_value;
use crate::owned_cells::OwnedCells;
use crate::page_number::PageNumber;
use crate::page_plan::{PagePlan, is_well_filled};
use crate::pages::Pages;
use crate::room_lists::RoomLists;
use crate::row_geometry::RowGeometry;
use crate::row_id::RowId;
use crate::row_page::{self, Cell, CellInput, RowPageMut, RowPageRef};
use crate::table_id::TableId;

/// Heads of the lists and the counts that a table's head keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heap {
    first: Option<PageNumber>,
    last: Option<PageNumber>,
    room: RoomLists,
    page_count: u64,
    row_count: u64,
    /// Bytes of all values that stand in the variable heaps of row pages.
    variable_bytes: u64,
    /// Slots of all pages. Only planned by: of a table from before version 3 of its head it began as a guess.
    slot_count: u64,
}

/// What heads before version 3 kept.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OldHeap {
    first: Option<PageNumber>,
    last: Option<PageNumber>,
    room: Option<PageNumber>,
    page_count: u64,
    row_count: u64,
    variable_bytes: u64,
}

impl OldHeap {
    /// What such a head kept of a heap.
    #[cfg(test)]
    pub(crate) fn of(heap: &Heap, pages: &mut Pages) -> OldHeap {
        let room = heap.room.clone().mix(pages);
        OldHeap {
            first: heap.first,
            last: heap.last,
            room: room.expect("the pages are sound"),
            page_count: heap.page_count,
            row_count: heap.row_count,
            variable_bytes: heap.variable_bytes,
        }
    }

    /// The same heap as it is kept now.
    pub(crate) fn renewed(self, layout: &Layout) -> Heap {
        let mut heap = Heap {
            first: self.first,
            last: self.last,
            room: RoomLists::unsorted(self.room),
            page_count: self.page_count,
            row_count: self.row_count,
            variable_bytes: self.variable_bytes,
            slot_count: 0,
        };
        heap.slot_count = heap.plan(layout).usual_slot_count();
        heap
    }
}

/// What a row left that is gone.
struct Left {
    /// What it had of its page's heap.
    heap_bytes: u64,
    /// Whether its page is gone too, or stands among those like it.
    is_settled: bool,
}

/// Where a new page goes among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
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

    pub(crate) fn slot_count(&self) -> u64 {
        self.slot_count
    }

    /// The pages with room.
    pub(crate) fn room(&self) -> &RoomLists {
        &self.room
    }

    /// Puts a row of cells that take so many bytes of heap together where there is room. They must fit the layout.
    pub(crate) fn insert<'v>(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        heap_bytes: u64,
        cells: impl ExactSizeIterator<Item = CellInput<'v>>,
    ) -> Result<RowId, Error> {
        let row = self.place(pages, owner, layout, heap_bytes, cells)?;
        self.row_count += 1;
        self.variable_bytes += heap_bytes;
        Ok(row)
    }

    /// Replaces cells of a row, which gain and free so many bytes of the heap; there must be room for them.
    pub(crate) fn rewrite<'v>(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        row: RowId,
        cells: impl Iterator<Item = (usize, CellInput<'v>)> + Clone,
        (gained, freed): (u32, u32),
    ) -> Result<(), Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let mut page = RowPageMut::of(pages.write(number)?, layout).map_err(damaged)?;
        // Values that shrink go first, so that those that grow find the room that was counted.
        let mut any_grows = false;
        for (column, cell) in cells.clone() {
            match page.grows(row.slot(), column, &cell).map_err(damaged)? {
                true => any_grows = true,
                false => drop(page.update(row.slot(), column, &cell).map_err(damaged)?),
            }
        }
        for (column, cell) in cells.filter(|_| any_grows) {
            if page.grows(row.slot(), column, &cell).map_err(damaged)? {
                page.update(row.slot(), column, &cell).map_err(damaged)?;
            }
        }
        self.variable_bytes = less(
            self.variable_bytes + u64::from(gained),
            freed.into(),
            number,
        )?;
        if gained != freed {
            self.room.settle(pages, layout, number)?;
        }
        Ok(())
    }

    /// Frees the slot of a row, and its page if that was the last row there. Returns where the row has long values, each place once: they are
    /// the caller's to free.
    pub(crate) fn remove(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        row: RowId,
    ) -> Result<Vec<LongPlace>, Error> {
        let number = row.page();
        let mut long_values = Vec::new();
        let left = self.vacate(pages, layout, row, |place| {
            long_values.push(place.beginning());
        })?;
        long_values.sort_unstable();
        long_values.dedup();
        self.row_count = less(self.row_count, 1, number)?;
        self.variable_bytes = less(self.variable_bytes, left.heap_bytes, number)?;
        if !left.is_settled {
            self.room.settle(pages, layout, number)?;
        }
        Ok(long_values)
    }

    /// Frees a slot, and its page if that was the last row there; hands on where the row has long values.
    fn vacate(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        row: RowId,
        hand_on: impl FnMut(LongPlace),
    ) -> Result<Left, Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let mut page = RowPageMut::of(pages.write(number)?, layout).map_err(damaged)?;
        let heap_bytes = page.take_out(row.slot(), hand_on).map_err(damaged)?;
        let page = page.as_ref();
        if page.live_count() > 0 {
            return Ok(Left {
                heap_bytes,
                is_settled: RoomLists::is_settled(&page),
            });
        }
        self.slot_count = self.slot_count.saturating_sub(u64::from(page.capacity()));
        self.room.remove(pages, number)?;
        self.unlink(pages, number)?;
        pages.free(number)?;
        Ok(Left {
            heap_bytes,
            is_settled: true,
        })
    }

    /// Whether the rows would fit far fewer pages.
    pub(crate) fn is_sparse(&self, layout: &Layout) -> bool {
        self.plan(layout).is_sparse()
    }

    /// The row to move for the last page to be given back: the one in its lowest slot. `None` if the page is well filled: then it
    /// is the first now.
    pub(crate) fn row_to_move(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
    ) -> Result<Option<RowId>, Error> {
        let Some(number) = self.last else {
            return Ok(None);
        };
        let page = RowPageRef::new(pages.get(number)?, layout).map_err(|kind| kind.at(number))?;
        if is_well_filled(&page) {
            self.unlink(pages, number)?;
            self.link(pages, number, End::First)?;
            return Ok(None);
        }
        let slot = page.live_slots().next();
        Ok(slot.map(|slot| RowId::new(number, slot)))
    }

    /// The row in the lowest slot of the first page.
    pub(crate) fn first_row(&self, pages: &Pages, layout: &Layout) -> Result<Option<RowId>, Error> {
        let Some(number) = self.first else {
            return Ok(None);
        };
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let page = RowPageRef::new(pages.get(number)?, layout).map_err(damaged)?;
        match page.next_live_slot(0) {
            Some(slot) => Ok(Some(RowId::new(number, slot))),
            None => Err(damaged(DamageKind::Structure("a row page has no rows"))),
        }
    }

    /// Puts the last page where rows are put, if it has room: it was not while rows were moved out of it.
    pub(crate) fn offer_last(&mut self, pages: &mut Pages, layout: &Layout) -> Result<(), Error> {
        match self.last {
            Some(last) => self.room.settle(pages, layout, last),
            None => Ok(()),
        }
    }

    /// Moves a row to another page with room, or to a new one if it `may_add` that, and says where it stands there; `None`, and no row has moved, if there
    /// is no such page. The row's long values stay where they are. No row is put into the page that it leaves before [`Heap::offer_last`].
    pub(crate) fn relocate(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        row: RowId,
        may_add: bool,
    ) -> Result<Option<RowId>, Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let page = RowPageRef::new(pages.get(number)?, layout).map_err(damaged)?;
        let owner = page.owner();
        let cells = OwnedCells::read(&page, row.slot()).map_err(damaged)?;
        let heap_bytes = cells.heap_bytes();
        // Else the row might be put back where it came from.
        self.room.remove(pages, number)?;
        let target = match self.room.find(pages, layout, heap_bytes)? {
            Some(target) => target,
            None if may_add => self.add_page(pages, owner, layout, heap_bytes, End::First)?,
            None => return Ok(None),
        };
        let moved = self.put(pages, layout, target, heap_bytes, cells.iter())?;
        self.vacate(pages, layout, row, |_| {})?;
        Ok(Some(moved))
    }

    /// Gives back every row page, and the chains of long values.
    pub(crate) fn clear(&mut self, pages: &mut Pages, layout: &Layout) -> Result<(), Error> {
        while let Some(number) = self.first {
            let damaged = |kind: DamageKind| Error::from(kind.at(number));
            let bytes = pages.get(number)?;
            let page = RowPageRef::new(bytes, layout).map_err(damaged)?;
            let mut long_values = Vec::new();
            for slot in page.live_slots() {
                for column in 0..layout.column_count() {
                    let cell = page.cell(slot, column).map_err(damaged)?;
                    if let Cell::Long {
                        place: LongPlace::Chain(first_page),
                        ..
                    } = cell
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
        let number = match self.room.find(pages, layout, heap_bytes)? {
            Some(number) => number,
            None => self.add_page(pages, owner, layout, heap_bytes, End::Last)?,
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
        self.room.settle(pages, layout, number)?;
        Ok(RowId::new(number, slot))
    }

    /// A new page that is planned for the rows of the table, with room for so many bytes at least.
    fn add_page(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        layout: &Layout,
        heap_bytes: u64,
        end: End,
    ) -> Result<PageNumber, Error> {
        let capacity = self
            .plan(layout)
            .next_capacity(heap_bytes, end == End::First);
        layout.set_usual(RowGeometry::new(capacity));
        let number = pages.allocate(layout.page_kind(), owner)?;
        row_page::format(pages.get_mut(number)?, layout, capacity, owner);
        self.link(pages, number, end)?;
        self.slot_count = self.slot_count.saturating_add(u64::from(capacity));
        self.room.settle(pages, layout, number)?;
        Ok(number)
    }

    fn plan<'l>(&self, layout: &'l Layout) -> PagePlan<'l> {
        PagePlan {
            layout,
            page_count: self.page_count,
            slot_count: self.slot_count,
            row_count: self.row_count,
            heap_bytes: self.variable_bytes,
        }
    }

    fn link(&mut self, pages: &mut Pages, number: PageNumber, end: End) -> Result<(), Error> {
        let (previous, next) = match end {
            End::First => (None, self.first),
            End::Last => (self.last, None),
        };
        let mut page = pages.write(number)?;
        page.header_mut().set_previous(previous);
        page.header_mut().set_next(next);
        match previous {
            Some(previous) => pages.write(previous)?.header_mut().set_next(Some(number)),
            None => self.first = Some(number),
        }
        match next {
            Some(next) => pages.write(next)?.header_mut().set_previous(Some(number)),
            None => self.last = Some(number),
        }
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
}

/// A count that a head states, less what a page shows to be gone. A head that states less than its pages hold is damaged.
fn less(count: u64, by: u64, page: PageNumber) -> Result<u64, Error> {
    count.checked_sub(by).ok_or_else(|| {
        DamageKind::Structure("a table's head counts less than its pages hold")
            .at(page)
            .into()
    })
}
