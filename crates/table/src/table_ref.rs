//! A table, for reading: as a view shows it, or as a write transaction does.

use std::ops::Bound;

use crate::damaged::DamageKind;
use crate::error::Error;
use crate::index::encode_bounds;
use crate::index_id::IndexId;
use crate::index_range::IndexRange;
use crate::index_spec::IndexSpec;
use crate::key::encode_key;
use crate::layout::Layout;
use crate::overlay::Overlay;
use crate::pages::Pages;
use crate::row::Row;
use crate::row_id::RowId;
use crate::scan::Scan;
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
        let of_base = self.table.heap.row_count();
        self.overlay
            .map_or(of_base, |overlay| overlay.row_count(of_base))
    }

    /// Pages in use: row pages, and index nodes of all its indexes. Long values are not counted, nor is what a
    /// transaction has written.
    pub fn page_count(&self) -> Result<u64, Error> {
        let mut count = self.table.heap.page_count() + self.table.content.page_count(self.pages)?;
        for index in &self.table.indexes {
            count += index.tree.page_count(self.pages)?;
        }
        Ok(count)
    }

    /// The index by whose columns the log names its rows, if it has one.
    pub fn primary_key(&self) -> Option<&'a IndexSpec> {
        self.table.primary_index().map(|index| &index.spec)
    }

    /// Its indexes, ascending by id, the primary key's included.
    pub fn indexes(&self) -> impl Iterator<Item = &'a IndexSpec> + use<'a> {
        self.table.indexes.iter().map(|index| &index.spec)
    }

    /// All rows, in the order of the pages they stand in; those that a transaction has written come last, in the order in
    /// which it did.
    pub fn scan(&self) -> Scan<'a> {
        Scan::new(*self)
    }

    /// The row at a place, or [`Error::NoSuchRow`].
    pub fn get(&self, row: RowId) -> Result<Row<'a>, Error> {
        if let Some(overlay) = self.overlay {
            if let Some(bytes) = overlay.row(row) {
                return Ok(Row::pending(&self.table.layout, row, bytes));
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
        Row::find(self.table, self.pages, row).map_err(|error| match error {
            Error::NoSuchRow { .. } => {
                DamageKind::Structure("an index names a row that is not there")
                    .at(row.page())
                    .into()
            }
            error => error,
        })
    }

    /// The first row whose index columns begin with these values.
    pub fn find(&self, index: IndexId, key: &[Value]) -> Result<Option<Row<'a>>, Error> {
        let (position, index) = self.table.index_at(index)?;
        if key.len() < index.spec.columns.len() {
            return self.index_prefix(index.spec.id, key)?.next().transpose();
        }
        let mut bytes = Vec::new();
        encode_key(key.iter().map(Value::as_ref), &mut bytes);
        self.first_with_key(position, &bytes)
    }

    /// The first row with exactly this key in the index at a position.
    pub(crate) fn first_with_key(
        &self,
        position: usize,
        key: &[u8],
    ) -> Result<Option<Row<'a>>, Error> {
        let index = &self.table.indexes[position];
        let mut of_base = index.first(self.pages, key)?;
        let Some(overlay) = self.overlay else {
            return of_base.map(|row| self.indexed(row)).transpose();
        };
        if of_base.is_some_and(|row| overlay.is_gone(row)) {
            // Other rows may have the key besides.
            let key = Bound::Included(key);
            let rows = index.tree.range(self.pages, key, key);
            let mut rows = rows.map(|entry| entry.map(|(_, row)| row));
            let seen = |row: &Result<RowId, _>| !row.is_ok_and(|row| overlay.is_gone(row));
            of_base = rows.find(seen).transpose()?;
        }
        // Rows of the base come before those of the overlay that have the same key.
        match of_base {
            Some(row) => self.indexed(row).map(Some),
            None => overlay
                .first_with_key(position, key)
                .map(|row| self.get(row))
                .transpose(),
        }
    }

    /// The rows whose index columns begin with these values, in index order.
    pub fn index_prefix(&self, index: IndexId, prefix: &[Value]) -> Result<IndexRange<'a>, Error> {
        self.index_range(index, Bound::Included(prefix), Bound::Included(prefix))
    }

    /// The rows between two bounds, in index order; works from both ends. A bound with fewer values than the index has
    /// columns stands for all rows that begin with it. Null comes first.
    pub fn index_range(
        &self,
        index: IndexId,
        lower: Bound<&[Value]>,
        upper: Bound<&[Value]>,
    ) -> Result<IndexRange<'a>, Error> {
        let (position, index) = self.table.index_at(index)?;
        let (lower, upper) = encode_bounds(lower, upper);
        let (lower, upper) = (
            lower.as_ref().map(Vec::as_slice),
            upper.as_ref().map(Vec::as_slice),
        );
        let base = index.tree.range(self.pages, lower, upper);
        Ok(IndexRange::new(*self, base, |overlay| {
            overlay.entries(position, lower, upper)
        }))
    }
}
