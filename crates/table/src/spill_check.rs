//! Everything that must hold of the spills of a table, checked piece by piece and value by value.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::long_place::LongPlace;
use crate::long_value;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row::Row;
use crate::row_format::VALUE_IN_PAGE_BYTES_MAX;
use crate::spill_format::{piece_bytes, piece_of_key};
use crate::spill_pieces::SpillPieces;
use crate::spills::Spills;
use crate::table_id::TableId;

/// How many bytes each spill has that no row was found for yet.
pub(crate) type SpillBytes = BTreeMap<u64, u64>;

/// Checks the pieces and their index, and that every spill is cut as it must be. Returns how many pages all take, and the bytes of
/// each spill.
pub(crate) fn check(
    spills: &Spills,
    owner: TableId,
    pages: &Pages,
) -> Result<(u64, SpillBytes), Error> {
    let index = spills.index();
    index.check(pages)?;
    let mut spilled = SpillBytes::new();
    let blamed = index.root.unwrap_or(PageNumber::MIN);
    for entry in index.range(pages, Bound::Unbounded, Bound::Unbounded) {
        let (key, _) = entry?;
        let key = u64::from_be_bytes(key.try_into().map_err(|_| {
            Error::from(DamageKind::Structure("a piece has a key of another length").at(blamed))
        })?);
        spilled.entry(piece_of_key(key).0).or_insert(0);
    }
    let (mut whole_count, mut shared_count) = (0, 0);
    for (number, bytes) in &mut spilled {
        let mut pieces = Vec::new();
        for piece in SpillPieces::new(index, pages, Spills::layout(), *number, 0) {
            let piece = piece?;
            let page = pages.get(piece.row.page())?;
            let is_owned = page.owner() == owner
                && (piece.is_shared || piece.row.slot() == 0 && page.header_rest_is_zero());
            require(
                is_owned,
                "a piece of a long value is not the table's",
                piece.row.page(),
            )?;
            pieces.push(piece);
        }
        let mut rest: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        *bytes = rest as u64;
        for piece in pieces {
            let is_cut = piece.bytes.len() == piece_bytes(rest);
            require(
                is_cut,
                "a long value is cut in another way",
                piece.row.page(),
            )?;
            rest -= piece.bytes.len();
            shared_count += u64::from(piece.is_shared);
            whole_count += u64::from(!piece.is_shared);
        }
    }
    let is_complete = shared_count == spills.heap().row_count()
        && shared_count + whole_count == index.entry_count();
    require(
        is_complete,
        "a piece of a long value belongs to none",
        blamed,
    )?;
    let page_count = spills.heap().page_count() + whole_count + index.page_count(pages)?;
    Ok((page_count, spilled))
}

/// Checks that the long values of a row stand one after the other in spills that no other row has, and takes those out. Returns how
/// many pages the chains take that the row has.
pub(crate) fn check_row(
    row: &Row<'_>,
    pages: &Pages,
    spilled: &mut SpillBytes,
) -> Result<u64, Error> {
    let number_of_page = row.row_id().page();
    let mut page_count = 0;
    let mut of_row: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
    for (len, place) in row.long_values()? {
        match place {
            LongPlace::Chain(first_page) => {
                page_count += long_value::check(pages, first_page, u64::from(len))?;
            }
            LongPlace::Spill {
                number,
                byte_offset,
            } => of_row.entry(number).or_default().push((byte_offset, len)),
        }
    }
    for (number, mut values) in of_row {
        // Columns may have come into another order since.
        values.sort_unstable();
        let mut end = 0;
        for &(byte_offset, len) in &values {
            let follows = u64::from(byte_offset) == end
                && (values.len() == 1 || len <= VALUE_IN_PAGE_BYTES_MAX);
            require(
                follows,
                "a long value is not where it must be",
                number_of_page,
            )?;
            end += u64::from(len);
        }
        let is_whole = spilled.remove(&number) == Some(end);
        require(
            is_whole,
            "a long value has another length than its row says",
            number_of_page,
        )?;
    }
    Ok(page_count)
}

fn require(holds: bool, rule: &'static str, page: PageNumber) -> Result<(), Error> {
    match holds {
        true => Ok(()),
        false => Err(DamageKind::Structure(rule).at(page).into()),
    }
}
