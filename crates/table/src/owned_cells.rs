//! The cells of a row on its way from one page to another.

use crate::cell::{Cell, CellInput};
use crate::damaged::DamageKind;
use crate::error::Error;
use crate::long_place::LongPlace;
use crate::row::Row;
use crate::row_page_ref::RowPageRef;
use crate::value::Value;

/// What stands in the page is copied, what stands elsewhere is not looked at.
#[derive(Debug)]
pub(crate) struct OwnedCells(Vec<Result<Value, CellInput<'static>>>);

impl OwnedCells {
    /// The cells of a live slot, in the order of the columns that the page shows.
    pub(crate) fn read(page: &RowPageRef<'_>, slot: u16) -> Result<OwnedCells, DamageKind> {
        let cells = (0..page.layout().column_count()).map(|column| {
            Ok(match page.cell(slot, column)? {
                Cell::Value(value) => Ok(value.to_value()),
                Cell::Long { len, prefix, place } => Err(CellInput::Long { len, prefix, place }),
            })
        });
        cells.collect::<Result<_, DamageKind>>().map(OwnedCells)
    }

    /// Lets null stand for a value that is not needed.
    pub(crate) fn forget(&mut self, column: usize) {
        self.0[column] = Ok(Value::Null);
    }

    /// Copies the values of the row that stand elsewhere, those that the function of length in bytes and place wants.
    pub(crate) fn bring_in(
        &mut self,
        row: &Row<'_>,
        is_wanted: impl Fn(u32, LongPlace) -> bool,
    ) -> Result<(), Error> {
        for (column, cell) in self.0.iter_mut().enumerate() {
            if let Err(CellInput::Long { len, place, .. }) = *cell
                && is_wanted(len, place)
            {
                *cell = Ok(row.value(column)?);
            }
        }
        Ok(())
    }

    /// Where the values stand that are not copied.
    pub(crate) fn long_places(&self) -> impl Iterator<Item = LongPlace> {
        self.0.iter().filter_map(|cell| match cell {
            Err(CellInput::Long { place, .. }) => Some(*place),
            _ => None,
        })
    }

    /// The cells to write.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = CellInput<'_>> {
        self.0.iter().map(|cell| match cell {
            Ok(value) => CellInput::from(value.as_ref()),
            Err(long) => *long,
        })
    }

    /// What they take of a page's heap, in bytes.
    pub(crate) fn heap_bytes(&self) -> u64 {
        self.iter().map(|cell| u64::from(cell.heap_bytes())).sum()
    }
}
