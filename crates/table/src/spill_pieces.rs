//! A walk over the pieces of a spill.

use std::ops::Bound;

use crate::btree::BTree;
use crate::btree_range::BTreeRange;
use crate::damaged::{DamageKind, Damaged};
use crate::layout::Layout;
use crate::long_value;
use crate::page::PageBuf;
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::row_page::{Cell, RowPageRef};
use crate::spill_format::{PIECE_MAX, SHARED_PIECE_BYTES_MAX, SHARED_PIECES_MAX, piece_key};
use crate::value_ref::ValueRef;

/// The columns of a piece.
pub(crate) const KEY_COLUMN: usize = 0;
pub(crate) const BYTES_COLUMN: usize = 1;

/// A piece of a spill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpillPiece<'a> {
    /// Where it stands; slot 0 of a page that is nothing but the piece.
    pub(crate) row: RowId,
    /// Whether its page holds other pieces too.
    pub(crate) is_shared: bool,
    pub(crate) bytes: &'a [u8],
}

impl<'a> SpillPiece<'a> {
    /// The piece at a place.
    ///
    /// # Errors
    /// When something else stands there.
    pub(crate) fn read(
        pages: &'a Pages,
        layout: &'a Layout,
        key: u64,
        piece: u32,
        row: RowId,
    ) -> Result<SpillPiece<'a>, Damaged> {
        let page = pages.get(row.page())?;
        let is_shared = !page.is_of(PageKind::LongValue);
        let bytes = if is_shared {
            shared(page, layout, row.slot()).and_then(|(found, bytes)| match found == key {
                true => Ok(bytes),
                false => Err(NOT_THE_PIECE),
            })
        } else {
            long_value::whole(page, piece)
        };
        let bytes = bytes.map_err(|kind| kind.at(row.page()))?;
        Ok(SpillPiece {
            row,
            is_shared,
            bytes,
        })
    }
}

const NOT_THE_PIECE: DamageKind =
    DamageKind::Structure("an index names a piece of a long value that is another one");

/// Key and bytes of a piece in a page with others.
///
/// # Errors
/// When there is no such piece.
pub(crate) fn shared<'a>(
    page: &'a PageBuf,
    layout: &'a Layout,
    slot: u16,
) -> Result<(u64, &'a [u8]), DamageKind> {
    let page = RowPageRef::new(page, layout)?;
    match (page.cell(slot, KEY_COLUMN)?, page.cell(slot, BYTES_COLUMN)?) {
        (Cell::Value(ValueRef::U64(key)), Cell::Value(ValueRef::Bytes(bytes)))
            if bytes.len() <= SHARED_PIECE_BYTES_MAX =>
        {
            Ok((key, bytes))
        }
        _ => Err(DamageKind::Structure("a piece of a long value is too long")),
    }
}

/// The pieces of a spill, from one of them on.
///
/// Whatever the pages say, it ends: each piece has a key of its own and is found under it. The bytes are not many times those of the pages:
/// a whole page is one piece, and few pieces share theirs.
#[derive(Debug)]
pub(crate) struct SpillPieces<'a> {
    pages: &'a Pages,
    layout: &'a Layout,
    range: BTreeRange<'a>,
    number: u64,
    next: u32,
    /// How many pieces came that share pages: they are the last ones.
    shared_count: u32,
    /// The page whose mistake it is if a piece is not there.
    blamed: PageNumber,
}

impl<'a> SpillPieces<'a> {
    pub(crate) fn new(
        index: &BTree,
        pages: &'a Pages,
        layout: &'a Layout,
        number: u64,
        first: u32,
    ) -> Self {
        let [lower, upper] = [first, PIECE_MAX].map(|piece| piece_key(number, piece).to_be_bytes());
        SpillPieces {
            pages,
            layout,
            range: index.range(pages, Bound::Included(&lower), Bound::Included(&upper)),
            number,
            next: first,
            shared_count: 0,
            blamed: index.root.unwrap_or(PageNumber::MIN),
        }
    }

    fn piece(&mut self, found: &[u8], row: RowId) -> Result<SpillPiece<'a>, Damaged> {
        let key = piece_key(self.number, self.next);
        let piece = if found == key.to_be_bytes() {
            SpillPiece::read(self.pages, self.layout, key, self.next, row)?
        } else {
            return Err(NOT_THE_PIECE.at(self.blamed));
        };
        if piece.is_shared {
            self.shared_count += 1;
        } else if self.shared_count > 0 {
            return Err(NOT_THE_PIECE.at(row.page()));
        }
        if self.shared_count > SHARED_PIECES_MAX {
            return Err(NOT_THE_PIECE.at(row.page()));
        }
        self.next += 1;
        Ok(piece)
    }
}

impl<'a> Iterator for SpillPieces<'a> {
    type Item = Result<SpillPiece<'a>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.range.next()? {
            Ok((key, row)) => Some(self.piece(key, row)),
            Err(damaged) => Some(Err(damaged)),
        }
    }
}
