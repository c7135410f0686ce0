//! What the rows of a table keep outside their pages: drawn in `spill_format.rs`.
//!
//! A spill knows nothing of the row that it belongs to, and the row nothing of where its pieces stand: the index does. So rows and pieces
//! move without each other, and pieces come, go and move together as rows do, in a heap of their own.

use std::ops::Bound;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::btree::BTree;
use crate::cell::CellInput;
use crate::compaction::empty_last_pages;
use crate::damaged::{DamageKind, Damaged};
use crate::error::Error;
use crate::heap::Heap;
use crate::layout::Layout;
use crate::long_place::LongPlace;
use crate::long_value;
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_format::{ROW_HEAP_BYTES_MAX, VALUE_IN_PAGE_BYTES_MAX};
use crate::row_id::RowId;
use crate::spill_format::{SPILL_NUMBER_COUNT, WHOLE_PIECE_BYTES, piece_bytes, piece_key};
use crate::spill_pieces::{SpillPieces, shared};
use crate::table_id::TableId;
use crate::value_ref::ValueRef;

/// The layout of pieces that share pages.
static LAYOUT: LazyLock<Layout> = LazyLock::new(Layout::of_pieces);

/// The spills of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spills {
    /// The pieces that share pages.
    heap: Heap,
    /// Every piece by its key.
    index: BTree,
    /// The number to give to the next spill, or the first one after it that no spill has.
    next: u64,
}

impl Spills {
    /// The layout of the pages of [`Spills::heap`].
    pub(crate) fn layout() -> &'static Layout {
        &LAYOUT
    }

    /// The pieces that share pages.
    pub(crate) fn heap(&self) -> &Heap {
        &self.heap
    }

    /// Every piece by its key.
    pub(crate) fn index(&self) -> &BTree {
        &self.index
    }

    /// Whether the counts fit each other.
    pub(crate) fn is_possible(&self) -> bool {
        self.next < SPILL_NUMBER_COUNT && self.heap.row_count() <= self.index.entry_count()
    }

    /// The cells of a row that is too long for a page, and how many bytes of them stay in it. What stays out is written: values
    /// that are too long by themselves, and the longest of the others until the rest fits a page. Those that stand elsewhere already stay there.
    pub(crate) fn spill<'v>(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        mut cells: Vec<CellInput<'v>>,
    ) -> Result<(u64, Vec<CellInput<'v>>), Error> {
        let bytes_of = |cell: &CellInput<'_>| u64::from(cell.heap_bytes());
        let mut left: u64 = cells.iter().map(bytes_of).sum();
        let mut longest: Vec<usize> = (0..cells.len()).collect();
        longest.sort_unstable_by_key(|&column| (cells[column].heap_bytes(), column));
        let mut spilled = Vec::new();
        while left > u64::from(ROW_HEAP_BYTES_MAX)
            && let Some(column) = longest.pop()
        {
            left -= bytes_of(&cells[column]);
            spilled.push(column);
        }
        spilled.sort_unstable();
        let mut others = Vec::new();
        for column in spilled {
            let CellInput::Value(value) = cells[column] else {
                continue;
            };
            let bytes = value.variable_bytes().unwrap_or_default();
            if bytes.len() > VALUE_IN_PAGE_BYTES_MAX as usize {
                cells[column] = CellInput::long(bytes, self.write_alone(pages, owner, bytes)?);
            } else {
                others.push((column, bytes));
            }
        }
        if !others.is_empty() {
            let number = self.take_number(pages)?;
            let mut spill = Vec::new();
            for (column, bytes) in others {
                let place = LongPlace::Spill {
                    number,
                    byte_offset: u32::try_from(spill.len()).expect("1,024 columns at most"),
                };
                cells[column] = CellInput::long(bytes, place);
                spill.extend_from_slice(bytes);
            }
            self.write(pages, owner, number, &spill)?;
        }
        Ok((left, cells))
    }

    /// Writes a value that is a spill by itself.
    pub(crate) fn write_alone(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        bytes: &[u8],
    ) -> Result<LongPlace, Error> {
        let number = self.take_number(pages)?;
        self.write(pages, owner, number, bytes)?;
        Ok(LongPlace::Spill {
            number,
            byte_offset: 0,
        })
    }

    /// The value of so many bytes that begins at a byte offset of a spill; `named_by` is the page that says so.
    pub(crate) fn read(
        &self,
        pages: &Pages,
        number: u64,
        byte_offset: u32,
        len: u32,
        named_by: PageNumber,
    ) -> Result<Vec<u8>, Damaged> {
        // All pieces but the last few are whole pages, so it is known which one the value begins in.
        let whole = u32::try_from(WHOLE_PIECE_BYTES).unwrap_or(u32::MAX);
        let (first, skipped) = (byte_offset / whole, byte_offset % whole);
        let (mut skipped, mut left) = (skipped as usize, len as usize);
        // Nothing is set aside for the value before its pieces were seen.
        let mut parts: Vec<&[u8]> = Vec::new();
        for piece in SpillPieces::new(&self.index, pages, &LAYOUT, number, first) {
            let bytes = piece?.bytes;
            let part = &bytes[skipped.min(bytes.len())..];
            let part = &part[..left.min(part.len())];
            skipped -= skipped.min(bytes.len());
            left -= part.len();
            parts.push(part);
            if left == 0 {
                return Ok(parts.concat());
            }
        }
        let too_short = DamageKind::Structure("a long value has another length than its row says");
        Err(too_short.at(named_by))
    }

    /// Gives the pieces of a spill back.
    pub(crate) fn free(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        number: u64,
    ) -> Result<(), Error> {
        let mut pieces = Vec::new();
        for piece in SpillPieces::new(&self.index, pages, &LAYOUT, number, 0) {
            let piece = piece?;
            pieces.push((piece.row, piece.is_shared));
        }
        if pieces.is_empty() {
            let blamed = self.index.root.unwrap_or(PageNumber::MIN);
            return Err(DamageKind::Structure("a long value is not there")
                .at(blamed)
                .into());
        }
        for (piece, (row, is_shared)) in (0..).zip(pieces) {
            let key = piece_key(number, piece).to_be_bytes();
            self.index.remove(pages, owner, &key, row)?;
            if is_shared {
                self.heap.remove(pages, &LAYOUT, row)?;
            } else {
                pages.free(row.page())?;
            }
        }
        Ok(())
    }

    /// Moves pieces together where their pages are half empty, in so many steps at most.
    pub(crate) fn compact(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        steps_max: u64,
    ) -> Result<(), Error> {
        empty_last_pages(
            self,
            Spills::heap_to_compact,
            pages,
            steps_max,
            |spills, pages, row, may_add| spills.move_piece(pages, owner, row, may_add),
        )
    }

    fn heap_to_compact(&mut self) -> (&mut Heap, &Layout) {
        (&mut self.heap, &LAYOUT)
    }

    /// Gives everything back.
    pub(crate) fn clear(&mut self, pages: &mut Pages) -> Result<(), Error> {
        let mut whole_pages = Vec::new();
        for entry in self.index.range(pages, Bound::Unbounded, Bound::Unbounded) {
            let (_, row) = entry?;
            if pages.get(row.page())?.is_of(PageKind::LongValue) {
                whole_pages.push(row.page());
            }
        }
        for number in whole_pages {
            pages.free(number)?;
        }
        self.index.clear(pages)?;
        self.heap.clear(pages, &LAYOUT)?;
        *self = Spills::default();
        Ok(())
    }

    /// A number that no spill has.
    pub(crate) fn take_number(&mut self, pages: &Pages) -> Result<u64, Error> {
        // There are fewer spills in use than entries.
        for _ in 0..=self.index.entry_count() {
            let number = self.next;
            self.next = (number + 1) % SPILL_NUMBER_COUNT;
            let first = piece_key(number, 0).to_be_bytes();
            if self.index.first_with_key(pages, &first)?.is_none() {
                return Ok(number);
            }
        }
        let blamed = self.index.root.unwrap_or(PageNumber::MIN);
        Err(
            DamageKind::Structure("an index has more entries than it says")
                .at(blamed)
                .into(),
        )
    }

    /// Writes a spill.
    pub(crate) fn write(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        number: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let mut rest = bytes;
        for piece in 0.. {
            let (here, after) = rest.split_at(piece_bytes(rest.len()));
            let key = piece_key(number, piece);
            let row = if here.len() == WHOLE_PIECE_BYTES {
                RowId::new(long_value::write_whole(pages, owner, piece, here)?, 0)
            } else {
                let cells = [ValueRef::U64(key), ValueRef::Bytes(here)].map(CellInput::from);
                let heap_bytes = cells.iter().map(|cell| u64::from(cell.heap_bytes())).sum();
                self.heap
                    .insert(pages, owner, &LAYOUT, heap_bytes, cells.into_iter())?
            };
            self.index.insert(pages, owner, &key.to_be_bytes(), row)?;
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Moves a piece to another page; `false` if it has to stay.
    fn move_piece(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        row: RowId,
        may_add: bool,
    ) -> Result<bool, Error> {
        let page = pages.get(row.page())?;
        let (key, _) = shared(page, &LAYOUT, row.slot()).map_err(|kind| kind.at(row.page()))?;
        let moved = self.heap.relocate(pages, &LAYOUT, row, may_add)?;
        let Some(moved) = moved else {
            return Ok(false);
        };
        let is_there = self
            .index
            .replace_row(pages, owner, &key.to_be_bytes(), row, moved)?;
        match is_there {
            true => Ok(true),
            false => Err(
                DamageKind::Structure("a piece of a long value is in no index")
                    .at(row.page())
                    .into(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: TableId = TableId(9);

    fn bytes(length: usize) -> Vec<u8> {
        let byte = |at: usize| (at * 31 % 253).to_le_bytes()[0];
        (0..length).map(byte).collect()
    }

    fn read(spills: &Spills, pages: &Pages, number: u64, byte_offset: u32, len: u32) -> Vec<u8> {
        let found = spills.read(pages, number, byte_offset, len, PageNumber::MIN);
        found.unwrap()
    }

    #[test]
    fn any_part_of_a_spill_is_read() {
        for length in [13, 4_063, 32_703, 32_704, 33_000, 100_000] {
            let (mut spills, mut pages) = (Spills::default(), Pages::new());
            let spill = bytes(length);
            let place = spills.write_alone(&mut pages, OWNER, &spill).unwrap();
            let number = match place {
                LongPlace::Spill { number, .. } => number,
                LongPlace::Chain(_) => panic!("chains are old"),
            };
            let end = u32::try_from(length).unwrap();
            for byte_offset in [0, 1, 4_062, 32_703, 32_704, 65_408, end - 1, end] {
                for byte_end in [byte_offset + 1, end / 2, end - 1, end] {
                    let range = byte_offset as usize..byte_end as usize;
                    let Some(expected) = spill.get(range.clone()) else {
                        continue;
                    };
                    let len = byte_end - byte_offset;
                    if len > 0 {
                        let found = read(&spills, &pages, number, byte_offset, len);
                        assert!(found == expected, "{range:?} of {length}");
                    }
                }
            }
            for (byte_offset, len) in [(0, end + 1), (end, 1), (1, end), (0, u32::MAX)] {
                let found = spills.read(&pages, number, byte_offset, len, PageNumber::MIN);
                assert!(found.is_err(), "{len} at {byte_offset} of {length}");
            }
            spills.free(&mut pages, OWNER, number).unwrap();
            assert_eq!(pages.page_count(), 0);
            assert!(spills.free(&mut pages, OWNER, number).is_err());
        }
    }

    #[test]
    fn numbers_begin_again_and_those_in_use_are_passed_over() {
        let (mut spills, mut pages) = (Spills::default(), Pages::new());
        let last = SPILL_NUMBER_COUNT - 1;
        for (next, expected) in [
            (0, 0),
            (1, 1),
            (last, last),
            (0, 2),
            (last, 3),
            (2, 4),
            (7, 7),
        ] {
            spills.next = next;
            let place = spills
                .write_alone(&mut pages, OWNER, &bytes(8_100))
                .unwrap();
            let expected = LongPlace::Spill {
                number: expected,
                byte_offset: 0,
            };
            assert_eq!(place, expected);
        }
        assert_eq!(spills.next, 8);
        for number in [0, 1, 2, 3, 4, 7, last] {
            assert!(read(&spills, &pages, number, 0, 8_100) == bytes(8_100));
        }
    }

    #[test]
    fn values_are_spilled_from_the_longest_on_until_the_rest_fits() {
        // Lengths, and what becomes of each: its spill and byte offset, or nothing if it stays.
        type Place = Option<(u64, u32)>;
        let rows: [(&[usize], &[Place]); 6] = [
            (&[8_000], &[None]),
            (&[8_001], &[Some((0, 0))]),
            (&[8_001, 12, 8_000], &[Some((0, 0)), None, None]),
            (&[3_000, 3_000, 3_000], &[None, None, Some((0, 0))]),
            (
                &[9_000, 4_000, 50, 5_000, 3_900, 40_000],
                &[Some((0, 0)), None, None, Some((2, 0)), None, Some((1, 0))],
            ),
            (
                &[5_000, 4_000, 4_000, 100],
                &[Some((0, 0)), None, Some((0, 5_000)), None],
            ),
        ];
        for (lengths, expected) in rows {
            let (mut spills, mut pages) = (Spills::default(), Pages::new());
            let texts: Vec<Vec<u8>> = lengths.iter().map(|length| bytes(*length)).collect();
            let plain = texts.iter().map(|text| ValueRef::Bytes(text).into());
            let (left, cells) = spills.spill(&mut pages, OWNER, plain.collect()).unwrap();
            let places: Vec<Place> = cells
                .iter()
                .map(|cell| match cell {
                    CellInput::Long {
                        place:
                            LongPlace::Spill {
                                number,
                                byte_offset,
                            },
                        ..
                    } => Some((*number, *byte_offset)),
                    _ => None,
                })
                .collect();
            assert_eq!(places, expected, "{lengths:?}");
            let stays: u64 = cells.iter().map(|cell| u64::from(cell.heap_bytes())).sum();
            assert_eq!(left, stays);
            for (place, text) in places.iter().zip(&texts) {
                if let Some((number, byte_offset)) = place {
                    let len = u32::try_from(text.len()).unwrap();
                    assert!(read(&spills, &pages, *number, *byte_offset, len) == *text);
                }
            }
        }
    }
}
