//! One row, read in place.

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::layout::Layout;
use crate::long_value;
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::row_page::{Cell, RowPageRef};
use crate::table::Table;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// A row of a view. Reading a value copies it only if it is a string or bytes.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pages: &'a Pages,
    layout: &'a Layout,
    page: RowPageRef<'a>,
    row: RowId,
}

impl<'a> Row<'a> {
    /// The row at a place of `table`, or [`Error::NoSuchRow`].
    pub(crate) fn find(table: &'a Table, pages: &'a Pages, row: RowId) -> Result<Self, Error> {
        let missing = Error::NoSuchRow {
            table: table.id,
            values: Vec::new(),
        };
        let number = row.page();
        let layout = &*table.layout;
        // A place that was never this table's, or is not any more, is the caller's mistake and no damage.
        let bytes = match pages.get(number) {
            Ok(bytes) if bytes.owner() == table.id && bytes.kind() == Some(PageKind::Row) => bytes,
            Ok(_) => return Err(missing),
            Err(damaged) if damaged.kind == DamageKind::Missing => return Err(missing),
            Err(damaged) => return Err(damaged.into()),
        };
        let page = RowPageRef::new(bytes, layout).map_err(|kind| kind.at(number))?;
        if !page.is_live(row.slot()) {
            return Err(missing);
        }
        Ok(Row {
            pages,
            layout,
            page,
            row,
        })
    }

    /// The row at a live slot of a page that was looked at already.
    pub(crate) fn at(
        pages: &'a Pages,
        layout: &'a Layout,
        page: RowPageRef<'a>,
        row: RowId,
    ) -> Self {
        Row {
            pages,
            layout,
            page,
            row,
        }
    }

    /// Where the row stands. It may stand elsewhere in a later view.
    pub fn row_id(&self) -> RowId {
        self.row
    }

    /// How many columns the row has.
    pub fn column_count(&self) -> usize {
        self.layout.column_count()
    }

    /// The value of the column at a position.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn value(&self, column: usize) -> Result<Value, Error> {
        match self.cell(column)? {
            Cell::Value(value) => Ok(Value::from(value)),
            Cell::Long { len, first_page } => {
                let bytes = long_value::read(self.pages, first_page, u64::from(len))?;
                if self.layout.columns()[column].column_type
                    == crate::column_type::ColumnType::Bytes
                {
                    return Ok(Value::Bytes(bytes));
                }
                String::from_utf8(bytes).map(Value::String).map_err(|_| {
                    DamageKind::Structure("a string is not utf-8")
                        .at(first_page)
                        .into()
                })
            }
        }
    }

    /// The value of a column without copying it, unless it stands in pages of its own: then [`None`].
    ///
    /// # Panics
    /// If there is no such column.
    pub fn value_ref(&self, column: usize) -> Result<Option<ValueRef<'a>>, Error> {
        Ok(match self.cell(column)? {
            Cell::Value(value) => Some(value),
            Cell::Long { .. } => None,
        })
    }

    /// All values, in column order.
    pub fn values(&self) -> Result<Vec<Value>, Error> {
        (0..self.column_count())
            .map(|column| self.value(column))
            .collect()
    }

    /// Length in bytes and first page of each value that stands in pages of its own.
    pub(crate) fn long_values(&self) -> Result<Vec<(u32, PageNumber)>, Error> {
        let mut long_values = Vec::new();
        for column in 0..self.column_count() {
            if let Cell::Long { len, first_page } = self.cell(column)? {
                long_values.push((len, first_page));
            }
        }
        Ok(long_values)
    }

    fn cell(&self, column: usize) -> Result<Cell<'a>, Error> {
        let cell = self.page.cell(self.row.slot(), column);
        cell.map_err(|kind| kind.at(self.row.page()).into())
    }
}
