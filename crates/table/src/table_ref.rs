//! A table of a view, for reading.

use std::ops::Bound;

use crate::btree::BTreeRange;
use crate::damaged::DamageKind;
use crate::error::Error;
use crate::index::encode_bounds;
use crate::index_id::IndexId;
use crate::index_spec::IndexSpec;
use crate::key::encode_key;
use crate::layout::Layout;
use crate::pages::Pages;
use crate::row::Row;
use crate::row_id::RowId;
use crate::scan::Scan;
use crate::table::Table;
use crate::table_id::TableId;
use crate::value::Value;

/// One table as a view shows it. Borrows the view; nothing it returns ever changes.
#[derive(Debug, Clone, Copy)]
pub struct TableRef<'a> {
    table: &'a Table,
    pages: &'a Pages,
}

impl<'a> TableRef<'a> {
    pub(crate) fn new(table: &'a Table, pages: &'a Pages) -> Self {
        TableRef { table, pages }
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
        self.table.heap.row_count()
    }

    /// Pages in use: row pages, and index nodes of all its indexes. Long values are not counted.
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

    /// All rows, in the order of the pages they stand in.
    pub fn scan(&self) -> Scan<'a> {
        Scan::new(self.table, self.pages)
    }

    /// The row at a place, or [`Error::NoSuchRow`].
    pub fn get(&self, row: RowId) -> Result<Row<'a>, Error> {
        Row::find(self.table, self.pages, row)
    }

    /// The row that an index names: it must be there.
    fn indexed(&self, row: RowId) -> Result<Row<'a>, Error> {
        self.get(row).map_err(|error| match error {
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
        let index = self.table.index(index)?;
        if key.len() < index.spec.columns.len() {
            return self.index_prefix(index.spec.id, key)?.next().transpose();
        }
        let mut bytes = Vec::new();
        encode_key(key.iter().map(Value::as_ref), &mut bytes);
        index
            .first(self.pages, &bytes)?
            .map(|row| self.indexed(row))
            .transpose()
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
        let tree = &self.table.index(index)?.tree;
        let (lower, upper) = encode_bounds(lower, upper);
        Ok(IndexRange {
            table: *self,
            entries: tree.range(
                self.pages,
                lower.as_ref().map(Vec::as_slice),
                upper.as_ref().map(Vec::as_slice),
            ),
        })
    }
}

/// Rows in the order of an index.
#[derive(Debug)]
pub struct IndexRange<'a> {
    table: TableRef<'a>,
    entries: BTreeRange<'a>,
}

impl<'a> Iterator for IndexRange<'a> {
    type Item = Result<Row<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        Some(
            entry
                .map_err(Error::from)
                .and_then(|(_, row)| self.table.indexed(row)),
        )
    }
}

impl DoubleEndedIterator for IndexRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next_back()?;
        Some(
            entry
                .map_err(Error::from)
                .and_then(|(_, row)| self.table.indexed(row)),
        )
    }
}
