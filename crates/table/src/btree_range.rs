//! A walk over a part of a B+tree, from both ends.
//!
//! ```text
//!   front: last entry taken from the front ─>      <─ back: last entry taken from the back
//!   | taken | taken |  not taken yet, in leaves not read yet  | taken |
//! ```
//!
//! Both ends are places of entries: the path of children and the index in the leaf. They move towards
//! each other one entry at a time, so they meet on the same place, whatever the keys say.

use std::ops::Bound;

use crate::btree::BTree;
use crate::btree_cursor::Cursor;
use crate::damaged::Damaged;
use crate::pages::Pages;
use crate::row_id::RowId;

/// The entries of a [`BTree`] whose keys lie between two bounds, in order of (key, row id), from both ends.
///
/// After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct BTreeRange<'a> {
    pages: &'a Pages,
    /// Nothing, when there is nothing more.
    ends: Option<(End<'a>, End<'a>)>,
    /// What finding the ends met with; given out first.
    failed: Option<Damaged>,
    /// How many entries may still come. A tree whose nodes were made to share children could be walked
    /// for ages.
    budget: u64,
}

#[derive(Clone, Debug)]
struct End<'a> {
    cursor: Cursor<'a>,
    /// Whether the entry at the cursor was given out.
    taken: bool,
}

/// What moves an end towards the other one.
type Step<'a> = fn(&mut Cursor<'a>, &'a Pages) -> Result<bool, Damaged>;

impl<'a> BTreeRange<'a> {
    pub(crate) fn new(
        tree: &BTree,
        pages: &'a Pages,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> Self {
        let (ends, failed) = match find_ends(tree, pages, lower, upper) {
            Ok(ends) => (ends, None),
            Err(damaged) => (None, Some(damaged)),
        };
        BTreeRange {
            pages,
            ends,
            failed,
            budget: tree.entry_count,
        }
    }

    /// The row of the entry so many places behind the one that was given out last from the front, or before the one from the back, if
    /// it stands in the same leaf and not beyond the other end.
    #[inline]
    pub(crate) fn row_ahead(&self, distance: usize, from_front: bool) -> Option<RowId> {
        let (front, back) = self.ends.as_ref()?;
        let (near, far) = if from_front {
            (front, back)
        } else {
            (back, front)
        };
        near.cursor.row_ahead(&far.cursor, distance, from_front)
    }

    #[inline]
    fn step(&mut self, from_front: bool) -> Option<Result<(&'a [u8], RowId), Damaged>> {
        let Some((front, back)) = &mut self.ends else {
            return self.failed.take().map(Err);
        };
        let taken = if from_front {
            take(self.pages, front, back, Cursor::forward, &mut self.budget)
        } else {
            take(self.pages, back, front, Cursor::backward, &mut self.budget)
        };
        if !matches!(taken, Ok(Some(_))) {
            self.ends = None;
        }
        taken.transpose()
    }
}

impl<'a> Iterator for BTreeRange<'a> {
    type Item = Result<(&'a [u8], RowId), Damaged>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.step(true)
    }
}

impl DoubleEndedIterator for BTreeRange<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(false)
    }
}

impl std::iter::FusedIterator for BTreeRange<'_> {}

/// Moves `near` on by one entry and gives it out, unless `far` has it or has passed it.
#[inline]
fn take<'a>(
    pages: &'a Pages,
    near: &mut End<'a>,
    far: &End<'a>,
    step: Step<'a>,
    budget: &mut u64,
) -> Result<Option<(&'a [u8], RowId)>, Damaged> {
    if near.taken {
        if near.cursor.is_at(&far.cursor) || !step(&mut near.cursor, pages)? {
            return Ok(None);
        }
        near.taken = false;
    }
    if far.taken && near.cursor.is_at(&far.cursor) {
        return Ok(None);
    }
    *budget = budget.checked_sub(1).ok_or_else(|| {
        near.cursor
            .leaf()
            .broken("an index has more entries than it counts")
    })?;
    near.taken = true;
    let entry = near.cursor.entry()?;
    Ok(Some((entry.key, entry.row)))
}

fn find_ends<'a>(
    tree: &BTree,
    pages: &'a Pages,
    lower: Bound<&[u8]>,
    upper: Bound<&[u8]>,
) -> Result<Option<(End<'a>, End<'a>)>, Damaged> {
    let Some(front) = Cursor::first_from(tree, pages, lower)? else {
        return Ok(None);
    };
    let Some(back) = Cursor::last_to(tree, pages, upper)? else {
        return Ok(None);
    };
    let end = |cursor| End {
        cursor,
        taken: false,
    };
    Ok(front.cmp(&back).is_le().then(|| (end(front), end(back))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_number::PageNumber;
    use crate::table_id::TableId;

    fn key(number: u16) -> [u8; 2] {
        number.to_be_bytes()
    }

    /// What is said to be ahead is what comes, from both ends, and nothing is said of what stands beyond the other end.
    #[test]
    fn the_row_ahead_is_the_one_that_comes() {
        let (mut pages, mut tree) = (Pages::new(), BTree::new());
        for number in 0..6000_u16 {
            let number = number.wrapping_mul(40_503);
            let page = PageNumber::new(u32::from(number / 4096)).unwrap();
            let row = RowId::new(page, number % 4096);
            tree.insert(&mut pages, TableId(7), &key(number), row)
                .unwrap();
        }
        let (mut told, mut asked) = (0, 0);
        for (lower, upper) in [(0, u16::MAX), (1000, 30_000), (5000, 5400), (7, 30)] {
            let (lower, upper) = (key(lower), key(upper));
            let bounds = (Bound::Included(&lower[..]), Bound::Included(&upper[..]));
            let mut range = tree.range(&pages, bounds.0, bounds.1);
            let mut last_of = [None; 2];
            for turn in 0.. {
                let from_front = turn % 3 != 0;
                let Some(entry) = range.step(from_front) else {
                    break;
                };
                last_of[usize::from(from_front)] = Some(entry.unwrap().1);
                for distance in [1, 2, 3, 8, 17] {
                    let mut rest = range.clone();
                    let comes = (0..distance).map(|_| rest.step(from_front)).last();
                    let comes = comes.flatten().map(|entry| entry.unwrap().1);
                    let ahead = range.row_ahead(distance, from_front);
                    asked += 1;
                    if ahead.is_some() && ahead != last_of[usize::from(!from_front)] {
                        assert_eq!(ahead, comes);
                        told += 1;
                    }
                }
            }
        }
        assert!(told * 100 > asked * 95, "{told} of {asked}");
    }
}
