//! One row, read in place.

use crate::column_type::ColumnType;
use crate::damaged::{DamageKind, Damaged};
use crate::error::Error;
use crate::layout::Layout;
use crate::long_place::LongPlace;
use crate::long_value;
use crate::page_format::PageKind;
use crate::pages::Pages;
use crate::row_codec::{decode_cell, decode_row};
use crate::row_id::RowId;
use crate::row_page::{Cell, RowPageRef};
use crate::row_page_ref;
use crate::table::Table;
use crate::value::Value;
use crate::value_ref::{AsIs, TakeValue, ValueRef};

/// A row of a view, or of a write transaction. Reading a value copies it only if it is a string or bytes.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    row: RowId,
    place: Place<'a>,
}

/// Where the values are.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// In a live slot of a page of this table.
    Page(RowPageRef<'a>, &'a Table, &'a Pages),
    /// In a row that no page holds yet, encoded.
    Pending(&'a [u8], &'a Layout),
}

impl<'a> Row<'a> {
    /// The row at a place of `table`, or [`Error::NoSuchRow`].
    #[inline]
    pub(crate) fn find(table: &'a Table, pages: &'a Pages, row: RowId) -> Result<Self, Error> {
        if let Some(row) = Row::glimpsed(table, pages, row) {
            return Ok(row);
        }
        match look(table, pages, row) {
            Ok(page) => Ok(Row::at(table, pages, page, row)),
            Err(None) => Err(missing(table)),
            Err(Some(damaged)) => Err(damaged.into()),
        }
    }

    /// The row that an index of `table` names: it must be there.
    #[inline(always)]
    pub(crate) fn indexed(table: &'a Table, pages: &'a Pages, row: RowId) -> Result<Self, Error> {
        match Row::glimpsed(table, pages, row) {
            Some(row) => Ok(row),
            None => Row::indexed_there(table, pages, row),
        }
    }

    /// [`Row::indexed`], looked for closely.
    #[cold]
    #[inline(never)]
    fn indexed_there(table: &'a Table, pages: &'a Pages, row: RowId) -> Result<Self, Error> {
        match look(table, pages, row) {
            Ok(page) => Ok(Row::at(table, pages, page, row)),
            Err(None) => {
                let kind = DamageKind::Structure("an index names a row that is not there");
                Err(kind.at(row.page()).into())
            }
            Err(Some(damaged)) => Err(damaged.into()),
        }
    }

    /// Asks for a row that is read soon, and for what is looked at of its page.
    #[inline]
    pub(crate) fn fetch(table: &Table, pages: &Pages, row: RowId) {
        if let Some(page) = pages.in_memory(row.page()) {
            row_page_ref::fetch_header(page, row.slot());
            row_page_ref::fetch_row(page, &table.layout, row.slot());
        }
    }

    /// The row at a place of `table`, if a glimpse shows that it is there. Nothing else is carried along here, so that a row that
    /// is there costs the least.
    #[inline(always)]
    pub(crate) fn glimpsed(table: &'a Table, pages: &'a Pages, row: RowId) -> Option<Self> {
        let page = Row::glimpsed_page(table, pages, row)?;
        Some(Row::at(table, pages, page, row))
    }

    /// The page of [`Row::glimpsed`].
    #[inline(always)]
    pub(crate) fn glimpsed_page(
        table: &'a Table,
        pages: &'a Pages,
        row: RowId,
    ) -> Option<RowPageRef<'a>> {
        let bytes = pages.get(row.page()).ok()?;
        RowPageRef::of_row(bytes, &table.layout, table.id, row.slot())
    }

    /// The row at a live slot of a page that was looked at already.
    #[inline]
    pub(crate) fn at(table: &'a Table, pages: &'a Pages, page: RowPageRef<'a>, row: RowId) -> Self {
        Row {
            row,
            place: Place::Page(page, table, pages),
        }
    }

    /// The same row of `table`, put together anew: where rows come in two ways and one is through memory, this keeps the other from it.
    #[inline(always)]
    pub(crate) fn again(self, table: &'a Table, pages: &'a Pages) -> Self {
        match self.place {
            Place::Page(page, ..) => Row::at(table, pages, page, self.row),
            Place::Pending(..) => self,
        }
    }

    /// A row that a transaction holds, as [`crate::encode_row`] wrote it.
    pub(crate) fn pending(layout: &'a Layout, row: RowId, bytes: &'a [u8]) -> Self {
        Row {
            row,
            place: Place::Pending(bytes, layout),
        }
    }

    /// Where the row stands. It may stand elsewhere in a later view, or once its transaction is applied.
    #[inline]
    pub fn row_id(&self) -> RowId {
        self.row
    }

    /// How many columns the row has.
    pub fn column_count(&self) -> usize {
        self.layout().column_count()
    }

    #[inline]
    fn layout(&self) -> &'a Layout {
        match self.place {
            Place::Page(page, ..) => page.layout(),
            Place::Pending(_, layout) => layout,
        }
    }

    /// The value of the column at a position.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn value(&self, column: usize) -> Result<Value, Error> {
        let bytes = match self.place {
            Place::Pending(bytes, layout) => {
                return Ok(Value::from(decode_cell(layout, bytes, column)));
            }
            Place::Page(page, table, pages) => match self.cell(page, column)? {
                Cell::Value(value) => return Ok(Value::from(value)),
                Cell::Long { len, place, .. } => self.read_long(table, pages, len, place)?,
            },
        };
        if self.layout().columns()[column].column_type == ColumnType::Bytes {
            return Ok(Value::Bytes(bytes));
        }
        let text = String::from_utf8(bytes).map(Value::String);
        text.map_err(|_| self.damaged(DamageKind::Structure("a string is not utf-8")))
    }

    fn read_long(
        &self,
        table: &Table,
        pages: &Pages,
        len: u32,
        place: LongPlace,
    ) -> Result<Vec<u8>, Damaged> {
        match place {
            LongPlace::Chain(first_page) => long_value::read(pages, first_page, u64::from(len)),
            LongPlace::Spill {
                number,
                byte_offset,
            } => {
                let spills = &table.rows.spills;
                spills.read(pages, number, byte_offset, len, self.row.page())
            }
        }
    }

    /// The value of a column without copying it, unless it does not stand in the row's page: then [`None`].
    ///
    /// # Panics
    /// If there is no such column.
    #[inline]
    pub fn value_ref(&self, column: usize) -> Result<Option<ValueRef<'a>>, Error> {
        self.give_value(column, AsIs)
    }

    /// Hands on the value of a column, unless it does not stand in the row's page: then [`None`].
    #[inline(always)]
    pub(crate) fn give_value<T: TakeValue<'a>>(
        &self,
        column: usize,
        taker: T,
    ) -> Result<Option<T::Taken>, Error> {
        match self.place {
            Place::Page(page, ..) => page
                .give_cell_of_live(self.row.slot(), column, taker)
                .map_err(|kind| self.damaged(kind)),
            Place::Pending(bytes, layout) => {
                Ok(Some(taker.take(decode_cell(layout, bytes, column))))
            }
        }
    }

    /// All values, in column order.
    pub fn values(&self) -> Result<Vec<Value>, Error> {
        (0..self.column_count())
            .map(|column| self.value(column))
            .collect()
    }

    /// All values, in column order. Those that do not stand in the row's page are put into `copied`.
    pub(crate) fn read_all<'v>(
        &self,
        copied: &'v mut Vec<(usize, Value)>,
    ) -> Result<Vec<ValueRef<'v>>, Error>
    where
        'a: 'v,
    {
        let mut values = Vec::with_capacity(self.column_count());
        if let Place::Pending(bytes, layout) = self.place {
            let decoded = decode_row(layout, bytes, &mut values);
            decoded.expect("it was encoded by the transaction");
            return Ok(values);
        }
        copied.clear();
        for column in 0..self.column_count() {
            let value = self.value_ref(column)?;
            if value.is_none() {
                copied.push((column, self.value(column)?));
            }
            values.push(value.unwrap_or(ValueRef::Null));
        }
        for (column, value) in &*copied {
            values[*column] = value.as_ref();
        }
        Ok(values)
    }

    /// Whether a column has this value.
    ///
    /// # Panics
    /// If there is no such column.
    pub(crate) fn has_value(&self, column: usize, value: ValueRef<'_>) -> Result<bool, Error> {
        match self.give_value(column, Equals(value))? {
            Some(is_equal) => Ok(is_equal),
            None => Ok(self.value(column)?.as_ref() == value),
        }
    }

    /// The encoded row, if no page holds it yet.
    pub(crate) fn pending_bytes(&self) -> Option<&'a [u8]> {
        match self.place {
            Place::Page(..) => None,
            Place::Pending(bytes, _) => Some(bytes),
        }
    }

    /// Length in bytes and place of each value that does not stand in the row's page, those of dropped columns included.
    pub(crate) fn long_values(&self) -> Result<Vec<(u32, LongPlace)>, Error> {
        let mut long_values = Vec::new();
        if let Place::Page(page, ..) = self.place {
            let layout = self.own_layout();
            let stored = RowPageRef::new(page.page(), layout).map_err(|kind| self.damaged(kind))?;
            for column in 0..layout.column_count() {
                if let Cell::Long { len, place, .. } = self.cell(stored, column)? {
                    long_values.push((len, place));
                }
            }
        }
        Ok(long_values)
    }

    /// The layout of what stands in the row's page, which may be an older one than that of its table.
    pub(crate) fn own_layout(&self) -> &'a Layout {
        match self.place {
            Place::Page(page, table, _) => table.rows.own_layout(page.page(), &table.layout),
            Place::Pending(_, layout) => layout,
        }
    }

    #[inline]
    fn cell(&self, page: RowPageRef<'a>, column: usize) -> Result<Cell<'a>, Error> {
        let cell = page.cell_of_live(self.row.slot(), column);
        cell.map_err(|kind| self.damaged(kind))
    }

    #[cold]
    fn damaged(&self, kind: DamageKind) -> Error {
        kind.at(self.row.page()).into()
    }
}

/// Compares a value with another one.
struct Equals<'v>(ValueRef<'v>);

impl<'a> TakeValue<'a> for Equals<'_> {
    type Taken = bool;

    #[inline(always)]
    fn take(self, value: ValueRef<'a>) -> bool {
        value == self.0
    }
}

/// The page of a row of `table`; if it is not there, what is damaged, if anything is. A place that was never this table's, or is
/// not any more, is the caller's mistake and no damage.
fn look<'a>(
    table: &'a Table,
    pages: &'a Pages,
    row: RowId,
) -> Result<RowPageRef<'a>, Option<Damaged>> {
    let number = row.page();
    let bytes = match pages.get(number) {
        Ok(bytes) => bytes,
        Err(damaged) if damaged.kind == DamageKind::Missing => return Err(None),
        Err(damaged) => return Err(Some(damaged)),
    };
    if bytes.owner() != table.id || !bytes.is_of(PageKind::Row) {
        return Err(None);
    }
    match RowPageRef::new(bytes, table.rows.shown_layout(bytes, &table.layout)) {
        Ok(page) if page.is_live(row.slot()) => Ok(page),
        Ok(_) => Err(None),
        Err(kind) => Err(Some(kind.at(number))),
    }
}

#[cold]
fn missing(table: &Table) -> Error {
    Error::NoSuchRow {
        table: table.id,
        values: Vec::new(),
    }
}
