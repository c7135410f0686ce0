//! A walk over rows in the order of an index, from both ends.
//!
//! ```text
//!   base:      front > e e (gone) e e e < back      one entry of each end is held while the overlay's come first
//!   overlay:     front > e    e e < back
//! ```
//!
//! In a transaction two ordered walks are one: the entries of the base whose rows are not gone, and those of the overlay.

use crate::btree::BTreeRange;
use crate::cow_sorted_range::CowSortedRange;
use crate::damaged::Damaged;
use crate::error::Error;
use crate::overlay::{Entry, Overlay};
use crate::row::Row;
use crate::row_id::RowId;
use crate::table_ref::TableRef;

/// Rows in the order of an index. After a damaged node of the index there is nothing more.
#[derive(Debug)]
pub struct IndexRange<'a> {
    table: TableRef<'a>,
    base: BTreeRange<'a>,
    /// Nothing in a view.
    merge: Option<Merge<'a>>,
    /// How many of the rows that come next from each side were asked for.
    asked: [usize; 2],
}

/// So many rows are asked for before they are read, each of which stands in another page mostly: as many as come from memory while
/// one is waited for.
const ROWS_AHEAD: usize = 8;
/// At the start so many are asked for with each row that is read. Who wants no more than one row pays for no more.
const ROWS_ASKED_AT_ONCE: usize = 2;

/// The overlay's part of a walk.
#[derive(Debug)]
struct Merge<'a> {
    overlay: &'a Overlay,
    entries: CowSortedRange<'a, Entry>,
    /// Entries that the base gave at its ends and that were not given out yet. Invariant: of rows that are not gone.
    front: Option<(&'a [u8], RowId)>,
    back: Option<(&'a [u8], RowId)>,
}

/// Where the next row is.
enum Found {
    Base(RowId),
    Overlay(RowId),
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Front,
    Back,
}

impl<'a> IndexRange<'a> {
    /// Merges what the overlay of the table has between the same bounds, if it has one.
    pub(crate) fn new(
        table: TableRef<'a>,
        base: BTreeRange<'a>,
        of_overlay: impl FnOnce(&'a Overlay) -> CowSortedRange<'a, Entry>,
    ) -> Self {
        let merge = table.overlay.map(|overlay| Merge {
            overlay,
            entries: of_overlay(overlay),
            front: None,
            back: None,
        });
        IndexRange {
            table,
            base,
            merge,
            asked: [0; 2],
        }
    }

    /// Asks for rows of the base that come next.
    #[inline]
    fn ask_ahead(&mut self, side: Side) {
        let asked = &mut self.asked[side as usize];
        *asked = asked.saturating_sub(1);
        for _ in 0..ROWS_ASKED_AT_ONCE {
            if *asked == ROWS_AHEAD {
                break;
            }
            let Some(row) = self.base.row_ahead(*asked + 1, side == Side::Front) else {
                break;
            };
            Row::fetch(self.table.table, self.table.pages, row);
            *asked += 1;
        }
    }

    fn step(&mut self, side: Side) -> Option<Result<Row<'a>, Error>> {
        let found = match &mut self.merge {
            None => take(&mut self.base, side).map(|entry| entry.map(|(_, row)| Found::Base(row))),
            Some(merge) => merge.step(&mut self.base, side).transpose(),
        };
        let found = found?;
        self.ask_ahead(side);
        Some(match found {
            Ok(Found::Base(row)) => self.table.indexed(row),
            Ok(Found::Overlay(row)) => self.table.get(row),
            Err(damaged) => {
                self.merge = None;
                Err(damaged.into())
            }
        })
    }
}

impl<'a> Merge<'a> {
    fn step(&mut self, base: &mut BTreeRange<'a>, side: Side) -> Result<Option<Found>, Damaged> {
        self.hold(base, side)?;
        let held = match side {
            Side::Front => &mut self.front,
            Side::Back => &mut self.back,
        };
        let entry = match side {
            Side::Front => self.entries.peek(),
            Side::Back => self.entries.peek_back(),
        };
        // The lower entry comes first from the front, the higher one from the back. No two are equal.
        let overlay_first = |entry: &&Entry| match *held {
            Some(held) => ((&*entry.key, entry.row) < held) == (side == Side::Front),
            None => true,
        };
        if let Some(entry) = entry.filter(overlay_first) {
            take(&mut self.entries, side);
            return Ok(Some(Found::Overlay(entry.row)));
        }
        Ok(held.take().map(|(_, row)| Found::Base(row)))
    }

    /// Sees to it that the entry of the base that is next at a side, if there is one, is held there.
    fn hold(&mut self, base: &mut BTreeRange<'a>, side: Side) -> Result<(), Damaged> {
        let (near, far) = match side {
            Side::Front => (&mut self.front, &mut self.back),
            Side::Back => (&mut self.back, &mut self.front),
        };
        while near.is_none() {
            match take(base, side).transpose()? {
                Some((_, row)) if self.overlay.is_gone(row) => {}
                Some(entry) => *near = Some(entry),
                // What the other side holds is all that is left.
                None => {
                    *near = far.take();
                    break;
                }
            }
        }
        Ok(())
    }
}

fn take<I: DoubleEndedIterator>(entries: &mut I, side: Side) -> Option<I::Item> {
    match side {
        Side::Front => entries.next(),
        Side::Back => entries.next_back(),
    }
}

impl<'a> Iterator for IndexRange<'a> {
    type Item = Result<Row<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Side::Front)
    }
}

impl DoubleEndedIterator for IndexRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(Side::Back)
    }
}
