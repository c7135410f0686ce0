//! Which row pages have a free slot, by how much heap they have left.
//!
//! ```text
//!   list 0   page <-> page             as heads before version 3 kept all of them: sorted into the others, a few for each row
//!   list 1   page                      less than 128 bytes of heap
//!   list 2   page <-> page <-> page    less than 1,024
//!   list 3                             less than 8,192
//!   list 4   page                      more
//! ```
//!
//! A row is put where the least heap is left that will do, so short rows fill what longer ones leave over, and what heap there is in one piece is
//! kept for those that need it. The lists run through the page headers, and come back with the pages.

use serde::{Deserialize, Serialize};

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::layout::Layout;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_page::RowPageRef;

/// How many lists there are, that of pages that are in no order included.
const LIST_COUNT: usize = 5;
/// Where pages stand whose heap nobody has looked at.
const UNSORTED: u8 = 0;
/// What heap the pages of a list have at least, in bytes; those of the first list that is sorted may have none.
const HEAP_BYTES_MIN: [u32; LIST_COUNT] = [0, 0, 128, 1024, 8192];

/// How many pages are tried that may have room and may not, and how many of those that are in no order are sorted for a row.
const PROBES_MAX: usize = 4;

/// The first page of each list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomLists {
    first: [Option<PageNumber>; LIST_COUNT],
}

impl RoomLists {
    /// One list of pages that are in no order.
    pub(crate) fn unsorted(first: Option<PageNumber>) -> Self {
        let mut lists = RoomLists::default();
        lists.first[usize::from(UNSORTED)] = first;
        lists
    }

    /// The lists: their numbers and their first pages.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, Option<PageNumber>)> {
        (0..).zip(self.first)
    }

    /// Whether a page may stand in a list.
    pub(crate) fn may_hold(list: u8, page: &RowPageRef<'_>) -> bool {
        list == UNSORTED || list_of(page) == Some(list)
    }

    /// Whether a page stands in the list of those like it, or in none if it has no free slot.
    pub(crate) fn is_settled(page: &RowPageRef<'_>) -> bool {
        page.page().room_list() == list_of(page)
    }

    /// A page with a free slot and so much heap left.
    pub(crate) fn find(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        heap_bytes: u64,
    ) -> Result<Option<PageNumber>, Error> {
        self.sort_some(pages, layout)?;
        let heap_bytes = u32::try_from(heap_bytes).unwrap_or(u32::MAX);
        for list in usize::from(list_for(heap_bytes))..LIST_COUNT {
            let mut candidate = self.first[list];
            for _ in 0..PROBES_MAX {
                let Some(number) = candidate else { break };
                let bytes = pages.get(number)?;
                candidate = bytes.room_next().map_err(|kind| kind.at(number))?;
                let page = RowPageRef::new(bytes, layout).map_err(|kind| kind.at(number))?;
                if page.live_count() < page.capacity() && heap_bytes <= page.heap_free_bytes() {
                    return Ok(Some(number));
                }
            }
        }
        Ok(None)
    }

    /// Puts a page into the list of those like it, or into none if it has no free slot.
    pub(crate) fn settle(
        &mut self,
        pages: &mut Pages,
        layout: &Layout,
        number: PageNumber,
    ) -> Result<(), Error> {
        let bytes = pages.get(number)?;
        let page = RowPageRef::new(bytes, layout).map_err(|kind| kind.at(number))?;
        if Self::is_settled(&page) {
            return Ok(());
        }
        let due = list_of(&page);
        self.remove(pages, number)?;
        match due {
            Some(list) => self.insert(pages, number, list),
            None => Ok(()),
        }
    }

    /// Takes a page out of the list that it stands in, if it does.
    pub(crate) fn remove(&mut self, pages: &mut Pages, number: PageNumber) -> Result<(), Error> {
        let Some(list) = pages.get(number)?.room_list() else {
            return Ok(());
        };
        let mut page = pages.write(number)?;
        let (previous, next) = (page.room_previous(), page.room_next());
        let previous = previous.map_err(|kind| kind.at(number))?;
        let next = next.map_err(|kind| kind.at(number))?;
        let header = page.header_mut();
        header.set_room_list(None);
        header.set_room_previous(None);
        header.set_room_next(None);
        match previous {
            Some(previous) => pages.write(previous)?.header_mut().set_room_next(next),
            None => match self.first.get_mut(usize::from(list)) {
                Some(first) => *first = next,
                None => return Err(no_such_list(number)),
            },
        }
        if let Some(next) = next {
            pages.write(next)?.header_mut().set_room_previous(previous);
        }
        Ok(())
    }

    /// Puts a page that is in no list at the front of one.
    fn insert(&mut self, pages: &mut Pages, number: PageNumber, list: u8) -> Result<(), Error> {
        let first = &mut self.first[usize::from(list)];
        let mut page = pages.write(number)?;
        page.header_mut().set_room_list(Some(list));
        page.header_mut().set_room_next(*first);
        if let Some(next) = first.replace(number) {
            let mut next = pages.write(next)?;
            next.header_mut().set_room_previous(Some(number));
        }
        Ok(())
    }

    /// Puts all pages into the list of those that are in no order, as heads had them before version 3.
    #[cfg(test)]
    pub(crate) fn mix(&mut self, pages: &mut Pages) -> Result<Option<PageNumber>, Error> {
        for list in 1..LIST_COUNT {
            while let Some(number) = self.first[list] {
                self.remove(pages, number)?;
                self.insert(pages, number, UNSORTED)?;
            }
        }
        Ok(self.first[usize::from(UNSORTED)])
    }

    /// Sorts a few pages that are in no order.
    fn sort_some(&mut self, pages: &mut Pages, layout: &Layout) -> Result<(), Error> {
        for _ in 0..PROBES_MAX {
            let Some(number) = self.first[usize::from(UNSORTED)] else {
                break;
            };
            self.settle(pages, layout, number)?;
        }
        Ok(())
    }
}

fn no_such_list(page: PageNumber) -> Error {
    DamageKind::Structure("a row page stands in a list that there is not")
        .at(page)
        .into()
}

/// The list where pages stand of which some may have so much heap left, and none of those before.
fn list_for(heap_bytes: u32) -> u8 {
    let above = HEAP_BYTES_MIN.iter().rposition(|min| *min <= heap_bytes);
    above.map_or(UNSORTED, |list| list.to_le_bytes()[0])
}

/// The list where a page is to stand; none if it has no free slot.
fn list_of(page: &RowPageRef<'_>) -> Option<u8> {
    (page.live_count() < page.capacity()).then(|| list_for(page.heap_free_bytes()))
}
