//! A table, for reading: as a view shows it, or as a write transaction does.

use std::ops::Bound;

use crate::column::Column;
use crate::error::Error;
use crate::fixed_value::FixedValue;
use crate::glimpse::Glimpse;
use crate::index::{Entries, encode_bounds};
use crate::index_id::IndexId;
use crate::index_kind::IndexKind;
use crate::index_range::IndexRange;
use crate::index_spec::IndexSpec;
use crate::key::{encode_key, encode_key_to};
use crate::key_buffer::KeyBuffer;
use crate::key_hash::KeyHash;
use crate::key_rows::KeyRows;
use crate::layout::Layout;
use crate::memory_use::MemoryUse;
use crate::overlay::Overlay;
use crate::pages::Pages;
use crate::row::Row;
use crate::row_id::RowId;
use crate::row_pages::RowPages;
use crate::scan::Scan;
use crate::search_key::SearchKey;
use crate::table::Table;
use crate::table_id::TableId;
use crate::value::Value;

/// One table as a view or a write transaction shows it. Borrows that; nothing it returns ever changes.
#[derive(Debug, Clone, Copy)]
pub struct TableRef<'a> {
    pub(crate) table: &'a Table,
    pub(crate) pages: &'a Pages,
    /// What a transaction has done to the table.
    pub(crate) overlay: Option<&'a Overlay>,
}

impl<'a> TableRef<'a> {
    #[inline]
    pub(crate) fn new(table: &'a Table, pages: &'a Pages) -> Self {
        TableRef {
            table,
            pages,
            overlay: None,
        }
    }

    /// The same table, as the transaction shows it that has done this to it.
    pub(crate) fn under(self, overlay: Option<&'a Overlay>) -> Self {
        TableRef { overlay, ..self }
    }

    /// The table's id.
    pub fn id(&self) -> TableId {
        self.table.id
    }

    /// The layout of its rows.
    pub fn layout(&self) -> &'a Layout {
        &self.table.layout
    }

    /// How many rows it has.
    pub fn row_count(&self) -> u64 {
        let of_base = self.table.rows.row_count();
        self.overlay
            .map_or(of_base, |overlay| overlay.row_count(of_base))
    }

    /// What it takes in memory, without what a transaction has written. Looks at the header of every page of the store.
    ///
    /// # Errors
    /// Damage.
    pub fn memory_use(&self) -> Result<MemoryUse, Error> {
        MemoryUse::of(self.table, self.pages)
    }

    /// The index by whose columns the log names its rows, if it has one.
    pub fn primary_key(&self) -> Option<&'a IndexSpec> {
        self.table.primary_index().map(|index| &*index.spec)
    }

    /// Its indexes, ascending by id, the primary key's included.
    pub fn indexes(&self) -> impl Iterator<Item = &'a IndexSpec> + use<'a> {
        self.table.indexes.iter().map(|index| &*index.spec)
    }

    /// All rows, in the order of the pages they stand in; those that a transaction has written come last, in the order in
    /// which it did.
    pub fn scan(&self) -> Scan<'a> {
        Scan::new(*self)
    }

    /// The row pages, in the order of [`TableRef::scan`]; `None` in a transaction that has written to the table: then its
    /// rows are not those of its pages.
    pub fn pages(&self) -> Option<RowPages<'a>> {
        let is_base = self.overlay.is_none();
        is_base.then(|| RowPages::new(self.table, self.pages))
    }

    /// A column of fixed width, to be folded over; `None` unless `T` reads its type.
    ///
    /// ```
    /// # use table::*;
    /// # let mut store = Store::new([0; 32]);
    /// # let columns = vec![LayoutColumn::required(ColumnType::I64)];
    /// # store.create_table(TableId(1), Layout::new(LayoutNumber(1), columns)?)?;
    /// # for number in [3_i64, 40, -5] {
    /// #     store.insert(TableId(1), &[number.into()])?;
    /// # }
    /// let column = store.table(TableId(1))?.column::<i64>(0).expect("it is one of i64");
    /// assert_eq!(column.sum()?, 38);
    /// assert_eq!(column.max()?, Some(40));
    /// assert_eq!(column.count_if(|value| value < 10)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If there is no such column.
    pub fn column<T: FixedValue>(&self, position: usize) -> Option<Column<'a, T>> {
        Column::new(*self, position)
    }

    /// The row at a place, or [`Error::NoSuchRow`].
    pub fn get(&self, row: RowId) -> Result<Row<'a>, Error> {
        if let Some(overlay) = self.overlay {
            if let Some(pending) = overlay.row(row) {
                return Ok(Row::pending(self.table, self.pages, pending));
            }
            if overlay.is_gone(row) {
                return Err(Error::NoSuchRow {
                    table: self.table.id,
                    values: Vec::new(),
                });
            }
        }
        Row::find(self.table, self.pages, row)
    }

    /// The row that an index of the base names: it must be there.
    pub(crate) fn indexed(&self, row: RowId) -> Result<Row<'a>, Error> {
        self.table.indexed(self.pages, row)
    }

    /// The first row whose index columns begin with these values. A hash index wants a value for each of its columns, and
    /// refuses fewer with [`Error::WholeKeyOnly`]. A value of another type than its column is refused with
    /// [`Error::WrongType`], here and wherever a key is asked for.
    #[inline]
    pub fn find(&self, index: IndexId, key: &[Value]) -> Result<Option<Row<'a>>, Error> {
        let glimpse = self.glimpse(index, key);
        if let Some((page, row)) = glimpse.found(&self.table.layout) {
            return Ok(Some(Row::at(self.table, self.pages, page, row)));
        }
        if glimpse.is_unclear() {
            return match self.find_closely(index, key) {
                Ok(Some(row)) => Ok(Some(row.again(self.table, self.pages))),
                other => other,
            };
        }
        Ok(None)
    }

    /// What a look at a hash index shows, if that is all that [`TableRef::find`] needs.
    #[inline(never)]
    fn glimpse(&self, index: IndexId, key: &[Value]) -> Glimpse<'a> {
        let Some((_, index)) = self.table.find_index(index) else {
            return Glimpse::UNCLEAR;
        };
        if self.overlay.is_some() || key.len() != index.spec.columns.len() {
            return Glimpse::UNCLEAR;
        }
        match index.short_key(self.table, key) {
            Some(key) => index.glimpse(self.table, self.pages, key),
            None => Glimpse::UNCLEAR,
        }
    }

    /// [`TableRef::find`] where a glimpse does not do.
    #[inline(never)]
    fn find_closely(&self, index: IndexId, key: &[Value]) -> Result<Option<Row<'a>>, Error> {
        let (position, index) = self.table.index_at(index)?;
        if key.len() < index.spec.columns.len() {
            return self.index_prefix(index.spec.id, key)?.next().transpose();
        }
        index.check_types(self.table, key)?;
        let mut buffer = KeyBuffer::new();
        encode_key_to(key.iter().map(Value::as_ref), &mut buffer);
        self.first_with(position, SearchKey::Long(buffer.bytes()))
    }

    /// The rows with exactly these values in the columns of an index of any kind; fewer are refused by a hash index
    /// with [`Error::WholeKeyOnly`].
    pub fn find_all(&self, index: IndexId, key: &[Value]) -> Result<KeyRows<'a>, Error> {
        let (position, index) = self.table.index_at(index)?;
        let Entries::Hash(hashes) = &index.entries else {
            return self.index_prefix(index.spec.id, key).map(KeyRows::ordered);
        };
        if key.len() < index.spec.columns.len() {
            index.ordered(self.table.id)?;
        }
        index.check_types(self.table, key)?;
        let mut bytes = Vec::new();
        encode_key(key.iter().map(Value::as_ref), &mut bytes);
        let hash = KeyHash::new(&self.table.hash_key, &bytes);
        let candidates = hashes.candidates(self.pages, hash)?;
        Ok(KeyRows::hash(*self, position, index, candidates, bytes))
    }

    /// The first row with exactly this key in the index at a position.
    pub(crate) fn first_with_key(
        &self,
        position: usize,
        key: &[u8],
    ) -> Result<Option<Row<'a>>, Error> {
        self.first_with(position, SearchKey::new(key))
    }

    fn first_with(&self, position: usize, key: SearchKey<'_>) -> Result<Option<Row<'a>>, Error> {
        match self.overlay {
            Some(overlay) => self.find_in_both(overlay, position, key),
            None => {
                let index = &self.table.indexes[position];
                index.find_row(self.table, self.pages, key, |_| true)
            }
        }
    }

    /// The first row with a key, of the base or of what a transaction has written.
    #[inline(never)]
    fn find_in_both(
        &self,
        overlay: &Overlay,
        position: usize,
        key: SearchKey<'_>,
    ) -> Result<Option<Row<'a>>, Error> {
        let index = &self.table.indexes[position];
        // Rows of the base come before those of the overlay that have the same key.
        let of_base = index.find_row(self.table, self.pages, key, |row| !overlay.is_gone(row))?;
        match of_base {
            Some(row) => Ok(Some(row)),
            None => overlay
                .first_with_key(position, key.bytes())
                .map(|row| self.get(row))
                .transpose(),
        }
    }

    /// The rows whose index columns begin with these values, in index order.
    pub fn index_prefix(&self, index: IndexId, prefix: &[Value]) -> Result<IndexRange<'a>, Error> {
        self.index_range(index, Bound::Included(prefix), Bound::Included(prefix))
    }

    /// All rows in the order of an index of any kind. From a hash index they are sorted first, which takes memory for all
    /// keys.
    pub fn in_key_order(
        &self,
        index: IndexId,
    ) -> Result<Box<dyn Iterator<Item = Result<Row<'a>, Error>> + 'a>, Error> {
        let (_, of_index) = self.table.index_at(index)?;
        if of_index.spec.kind == IndexKind::Ordered {
            return Ok(Box::new(self.index_prefix(index, &[])?));
        }
        let mut rows: Vec<(Vec<u8>, RowId)> = Vec::new();
        for row in self.scan() {
            let row = row?;
            let mut key = Vec::new();
            of_index.key_of_stored_row(self.table.id, &row, &mut key)?;
            rows.push((key, row.row_id()));
        }
        rows.sort_unstable();
        let table = *self;
        Ok(Box::new(
            rows.into_iter().map(move |(_, row)| table.get(row)),
        ))
    }

    /// The rows between two bounds, in index order; works from both ends. A bound with fewer values than the index has
    /// columns stands for all rows that begin with it. Null comes first. A hash index has no order: it refuses with
    /// [`Error::WholeKeyOnly`].
    pub fn index_range(
        &self,
        index: IndexId,
        lower: Bound<&[Value]>,
        upper: Bound<&[Value]>,
    ) -> Result<IndexRange<'a>, Error> {
        let (position, index) = self.table.index_at(index)?;
        for bound in [lower, upper] {
            if let Bound::Included(values) | Bound::Excluded(values) = bound {
                index.check_types(self.table, values)?;
            }
        }
        let (lower, upper) = encode_bounds(lower, upper);
        let (lower, upper) = (
            lower.as_ref().map(Vec::as_slice),
            upper.as_ref().map(Vec::as_slice),
        );
        let base = index
            .ordered(self.table.id)?
            .range(self.pages, lower, upper);
        Ok(IndexRange::new(*self, base, |overlay| {
            overlay.entries(position, lower, upper)
        }))
    }
}
