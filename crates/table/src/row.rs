//! One row, read in place.

use crate::column_type::ColumnType;
use crate::damaged::{DamageKind, Damaged};
use crate::error::Error;
use crate::layout::Layout;
use crate::long_place::LongPlace;
use crate::long_value;
use crate::page_format::PageKind;
use crate::pages::Pages;
use crate::pending_row::PendingRow;
use crate::row_id::RowId;
use crate::row_page::{Cell, RowPageRef};
use crate::row_page_ref;
use crate::table::Table;
use crate::value::Value;
use crate::value_ref::{AsIs, HandTo, TakeValue, ValueRef};

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
    /// In a row that no page holds yet, or in the one of this table that it is a change of.
    Pending(&'a PendingRow, &'a Table, &'a Pages),
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

    /// A row that a transaction on `table` holds.
    pub(crate) fn pending(table: &'a Table, pages: &'a Pages, pending: &'a PendingRow) -> Self {
        Row {
            row: pending.row,
            place: Place::Pending(pending, table, pages),
        }
    }

    /// What a transaction holds of the row, if no page holds it yet.
    pub(crate) fn as_pending(&self) -> Option<&'a PendingRow> {
        match self.place {
            Place::Page(..) => None,
            Place::Pending(pending, ..) => Some(pending),
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
            Place::Pending(_, table, _) => &table.layout,
        }
    }

    /// The value of the column at a position.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn value(&self, column: usize) -> Result<Value, Error> {
        let bytes = match self.place {
            Place::Pending(pending, table, pages) => match pending.base_of(column) {
                None => return Ok(Value::from(pending.value(&table.layout, column))),
                Some(base) => return Row::find(table, pages, base)?.value(column),
            },
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
            Place::Pending(pending, table, pages) => {
                give_pending_value(pending, table, pages, column, taker)
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
        self.read_some(copied, |_| true)
    }

    /// [`Row::read_all`] but for the columns that nobody asks for, which are not read: null stands for them.
    pub(crate) fn read_some<'v>(
        &self,
        copied: &'v mut Vec<(usize, Value)>,
        is_asked_for: impl Fn(usize) -> bool,
    ) -> Result<Vec<ValueRef<'v>>, Error>
    where
        'a: 'v,
    {
        let mut values = vec![ValueRef::Null; self.column_count()];
        copied.clear();
        for column in (0..self.column_count()).filter(|&column| is_asked_for(column)) {
            let value = self.value_ref(column)?;
            if value.is_none() {
                copied.push((column, self.value(column)?));
            }
            values[column] = value.unwrap_or(ValueRef::Null);
        }
        for (column, value) in &*copied {
            values[*column] = value.as_ref();
        }
        Ok(values)
    }

    /// Does something with the value of a column, wherever it stands.
    ///
    /// # Panics
    /// If there is no such column.
    #[inline(always)]
    pub(crate) fn with_value<T>(
        &self,
        column: usize,
        mut take: impl FnMut(ValueRef<'_>) -> T,
    ) -> Result<T, Error> {
        match self.give_value(column, HandTo(&mut take))? {
            Some(taken) => Ok(taken),
            None => Ok(take(self.value(column)?.as_ref())),
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
            Place::Pending(_, table, _) => &table.layout,
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

/// [`Row::give_value`] of a row that a transaction holds.
#[inline(never)]
fn give_pending_value<'a, T: TakeValue<'a>>(
    pending: &'a PendingRow,
    table: &'a Table,
    pages: &'a Pages,
    column: usize,
    taker: T,
) -> Result<Option<T::Taken>, Error> {
    let Some(base) = pending.base_of(column) else {
        return Ok(Some(taker.take(pending.value(&table.layout, column))));
    };
    let page = look(table, pages, base).map_err(|damaged| match damaged {
        None => missing(table),
        Some(damaged) => damaged.into(),
    })?;
    let given = page.give_cell_of_live(base.slot(), column, taker);
    given.map_err(|kind| kind.at(base.page()).into())
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
