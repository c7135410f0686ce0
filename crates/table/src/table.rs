//! One table: its layout, its heap of rows, its indexes, and the operations that keep them in step.
//!
//! Every operation refuses before it changes anything; only a damaged page can stop one half-way, and then the store it
//! worked on goes back to what it was, or is dropped: it was a trial, or a fork.

use std::sync::Arc;

use crate::btree::BTree;
use crate::content_hash::content_hash;
use crate::error::Error;
use crate::index::Index;
use crate::index_build;
use crate::index_id::IndexId;
use crate::index_spec::IndexSpec;
use crate::key::decode_key;
use crate::layout::Layout;
use crate::pages::Pages;
use crate::renewal::renew;
use crate::row::Row;
use crate::row_id::RowId;
use crate::scratch::Scratch;
use crate::stored_rows::StoredRows;
use crate::table_id::TableId;
use crate::table_ref::TableRef;
use crate::value::{VALUE_BYTES_MAX, Value};
use crate::value_ref::ValueRef;

/// The head of a table. Cloning it copies its index list, never rows; `clone_from` another state of the same table asks for no memory.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: TableId,
    /// What hashes of keys and rows are keyed by: the same in all tables of a store.
    pub(crate) hash_key: [u8; 32],
    pub(crate) layout: Arc<Layout>,
    pub(crate) rows: StoredRows,
    pub(crate) primary_key: Option<IndexId>,
    /// Invariant: ascending by id.
    pub(crate) indexes: Vec<Index>,
    /// Rows by the hash of their content. Invariant: holds every row while there is no primary key, else nothing.
    pub(crate) content: BTree,
}

impl Clone for Table {
    fn clone(&self) -> Self {
        Table {
            id: self.id,
            hash_key: self.hash_key,
            layout: Arc::clone(&self.layout),
            rows: self.rows.clone(),
            primary_key: self.primary_key,
            indexes: self.indexes.clone(),
            content: self.content.clone(),
        }
    }

    fn clone_from(&mut self, other: &Self) {
        let Table {
            id,
            hash_key,
            layout,
            rows,
            primary_key,
            indexes,
            content,
        } = other;
        (self.id, self.hash_key) = (*id, *hash_key);
        share(&mut self.layout, layout);
        self.rows.clone_from(rows);
        self.primary_key = *primary_key;
        self.indexes.clone_from(indexes);
        self.content.clone_from(content);
    }
}

/// Lets `to` be what `from` is. Most often it is that already, and to count it is a locked operation.
pub(crate) fn share<T: ?Sized>(to: &mut Arc<T>, from: &Arc<T>) {
    if !Arc::ptr_eq(to, from) {
        *to = Arc::clone(from);
    }
}

impl Table {
    pub(crate) fn new(id: TableId, hash_key: [u8; 32], layout: Layout) -> Self {
        Table {
            id,
            hash_key,
            layout: Arc::new(layout),
            rows: StoredRows::default(),
            primary_key: None,
            indexes: Vec::new(),
            content: BTree::default(),
        }
    }

    pub(crate) fn index(&self, index: IndexId) -> Result<&Index, Error> {
        self.index_at(index).map(|(_, index)| index)
    }

    /// An index, and where it stands among the others.
    pub(crate) fn index_at(&self, index: IndexId) -> Result<(usize, &Index), Error> {
        let table = self.id;
        let missing = || Error::NoSuchIndex { table, index };
        self.find_index(index).ok_or_else(missing)
    }

    /// [`Table::index_at`], if there is such an index.
    #[inline(always)]
    pub(crate) fn find_index(&self, index: IndexId) -> Option<(usize, &Index)> {
        let mut indexes = self.indexes.iter().enumerate();
        indexes.find(|(_, candidate)| candidate.spec.id == index)
    }

    /// The index by which the log names rows, if there is one.
    pub(crate) fn primary_index(&self) -> Option<&Index> {
        let (_, index) = self.find_index(self.primary_key?)?;
        Some(index)
    }

    /// The columns by whose values the log names rows; none if it names them whole.
    pub(crate) fn key_columns(&self) -> &[u16] {
        self.primary_index()
            .map_or(&[], |index| &index.spec.columns)
    }

    /// Refuses a row whose values do not fit the layout.
    pub(crate) fn check_values<'v>(
        &self,
        values: impl ExactSizeIterator<Item = ValueRef<'v>>,
    ) -> Result<(), Error> {
        if values.len() != self.layout.column_count() {
            return Err(Error::ColumnCount {
                table: self.id,
                expected: self.layout.column_count(),
                found: values.len(),
            });
        }
        let mut values = values.enumerate();
        values.try_for_each(|(column, value)| self.check_value(column, value))
    }

    /// Refuses a value that does not fit its column.
    pub(crate) fn check_value(&self, column: usize, value: ValueRef<'_>) -> Result<(), Error> {
        let Some(definition) = self.layout.columns().get(column) else {
            return Err(Error::ColumnCount {
                table: self.id,
                expected: self.layout.column_count(),
                found: column + 1,
            });
        };
        match value.column_type() {
            None if !definition.nullable => Err(Error::NullViolation {
                table: self.id,
                column,
            }),
            Some(found) if found != definition.column_type => Err(Error::WrongType {
                table: self.id,
                column,
                expected: definition.column_type,
                found,
            }),
            _ => match value.variable_bytes().map_or(0, <[u8]>::len) {
                bytes if bytes > VALUE_BYTES_MAX => Err(Error::ValueTooLong { bytes }),
                _ => Ok(()),
            },
        }
    }

    /// Adds a row that fits the layout, to the heap and to every index.
    pub(crate) fn insert(
        &mut self,
        pages: &mut Pages,
        values: &[ValueRef<'_>],
        scratch: &mut Scratch,
    ) -> Result<RowId, Error> {
        self.encode_keys(values, scratch)?;
        for (position, index) in self.indexes.iter().enumerate() {
            let key = scratch.key(position);
            index.check_unique(self, pages, values, key, None)?;
        }
        let hash = self.hash_of_content(&self.layout, values, scratch);
        let row = self.rows.insert(pages, self.id, &self.layout, values)?;
        self.add_entries(pages, hash, scratch, row)?;
        Ok(row)
    }

    /// Removes a row from the heap and from every index.
    pub(crate) fn delete(
        &mut self,
        pages: &mut Pages,
        row: RowId,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let found = self.read(pages, row)?;
        self.encode_stored_keys(&found, scratch)?;
        let hash = self.hash_of_stored(&found, scratch)?;
        self.remove_entries(pages, hash, scratch, row)?;
        self.rows.remove(pages, self.id, &self.layout, row)
    }

    /// Changes values of a row, ascending by column and each once; returns where the row stands now.
    pub(crate) fn update(
        &mut self,
        pages: &mut Pages,
        row: RowId,
        changes: &[(usize, ValueRef<'_>)],
        scratch: &mut Scratch,
    ) -> Result<RowId, Error> {
        // The heap would count a value twice, and hold another one than the indexes.
        debug_assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let mut changed = changes.iter().map(|(column, _)| *column);
        let is_named = changed.any(|column| self.is_named_by(column));
        if !is_named && self.update_in_place(pages, row, changes)? {
            return Ok(row);
        }
        let found = self.read(pages, row)?;
        let mut copied = Vec::new();
        let old = found.read_some(&mut copied, |column| self.is_named_by(column))?;
        let mut new = old.clone();
        changes
            .iter()
            .for_each(|&(column, value)| new[column] = value);
        let mut old_scratch = Scratch::default();
        self.encode_keys(&old, &mut old_scratch)?;
        self.encode_keys(&new, scratch)?;
        for (position, index) in self.indexes.iter().enumerate() {
            let key = scratch.key(position);
            if key != old_scratch.key(position) {
                index.check_unique(self, pages, &new, key, Some(row))?;
            }
        }
        let old_hash = self.hash_of_content(found.own_layout(), &old, scratch);
        let new_hash = self.hash_of_content(&self.layout, &new, scratch);
        let to = match is_named && self.update_in_place(pages, row, changes)? {
            true => row,
            false => self.move_row(pages, row, changes)?.0,
        };
        let hashes = old_hash.zip(new_hash);
        self.replace_entries(pages, hashes, (&old_scratch, scratch), (row, to))?;
        Ok(to)
    }

    fn update_in_place(
        &mut self,
        pages: &mut Pages,
        row: RowId,
        changes: &[(usize, ValueRef<'_>)],
    ) -> Result<bool, Error> {
        let (rows, layout) = (&mut self.rows, &self.layout);
        rows.update(pages, self.id, layout, row, changes)
    }

    /// Whether an index, or the log, names rows by a column.
    fn is_named_by(&self, column: usize) -> bool {
        let mut columns = self.indexes.iter().flat_map(|index| &index.spec.columns);
        self.primary_key.is_none() || columns.any(|&named| usize::from(named) == column)
    }

    /// A row by its place.
    #[inline]
    pub(crate) fn read<'a>(&'a self, pages: &'a Pages, row: RowId) -> Result<Row<'a>, Error> {
        Row::find(self, pages, row)
    }

    /// The row that an index names: it must be there.
    #[inline]
    pub(crate) fn indexed<'a>(&'a self, pages: &'a Pages, row: RowId) -> Result<Row<'a>, Error> {
        Row::indexed(self, pages, row)
    }

    /// The row that has this primary key.
    pub(crate) fn find_by_key(&self, pages: &Pages, key: &[u8]) -> Result<RowId, Error> {
        let found = match self.primary_index() {
            Some(index) => index.find(self, pages, key, |_| true)?,
            None => None,
        };
        found.ok_or_else(|| {
            let columns = self.key_columns().iter();
            let types = columns.map(|&column| self.layout.place(usize::from(column)).column_type);
            let values = decode_key(&types.collect::<Vec<_>>(), key);
            Error::NoSuchRow {
                table: self.id,
                values: values.expect("it was encoded of a group's values"),
            }
        })
    }

    /// Builds a new index from the rows.
    pub(crate) fn create_index(&mut self, pages: &mut Pages, spec: IndexSpec) -> Result<(), Error> {
        if self.index(spec.id).is_ok() {
            return Err(Error::IndexExists {
                table: self.id,
                index: spec.id,
            });
        }
        let mut columns = spec.columns.clone();
        columns.sort_unstable();
        columns.dedup();
        let fits = columns
            .last()
            .is_some_and(|&last| usize::from(last) < self.layout.column_count());
        if !fits || columns.len() != spec.columns.len() {
            return Err(Error::UnfitIndex {
                table: self.id,
                index: spec.id,
            });
        }
        let index = index_build::build(self, pages, spec)?;
        let place = self
            .indexes
            .partition_point(|other| other.spec.id < index.spec.id);
        self.indexes.insert(place, index);
        Ok(())
    }

    pub(crate) fn drop_index(&mut self, pages: &mut Pages, index: IndexId) -> Result<(), Error> {
        self.index(index)?;
        if self.primary_key == Some(index) {
            return Err(Error::IndexIsPrimaryKey {
                table: self.id,
                index,
            });
        }
        let place = self.indexes.partition_point(|other| other.spec.id < index);
        self.indexes[place].clear(pages)?;
        self.indexes.remove(place);
        Ok(())
    }

    /// Names rows by another index, or by their content: the content index goes and comes.
    pub(crate) fn set_primary_key(
        &mut self,
        pages: &mut Pages,
        index: Option<IndexId>,
    ) -> Result<(), Error> {
        if let Some(index) = index {
            let spec = &self.index(index)?.spec;
            let nullable = |&column: &u16| self.layout.columns()[usize::from(column)].nullable;
            if !spec.unique || spec.columns.iter().any(nullable) {
                return Err(Error::UnfitIndex {
                    table: self.id,
                    index,
                });
            }
            self.primary_key = Some(index);
            self.content.clear(pages)?;
        } else if self.primary_key.is_some() {
            // The index of contents is of rows as they stand in their pages: nothing that was dropped may be among it.
            renew(self, pages, u64::MAX, &mut Scratch::default())?;
            self.primary_key = None;
            self.content = self.build_content(pages)?;
        }
        Ok(())
    }

    /// Gives back every page.
    pub(crate) fn clear(&mut self, pages: &mut Pages) -> Result<(), Error> {
        for index in &mut self.indexes {
            index.clear(pages)?;
        }
        self.content.clear(pages)?;
        self.rows.clear(pages, &self.layout)
    }

    pub(crate) fn build_content(&self, pages: &mut Pages) -> Result<BTree, Error> {
        let mut entries: Vec<([u8; 8], RowId)> = Vec::new();
        let mut buffer = Vec::new();
        for row in TableRef::new(self, pages).scan() {
            let row = row?;
            let values = row.values()?;
            let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
            entries.push((
                content_hash(&self.hash_key, &self.layout, &values, &mut buffer),
                row.row_id(),
            ));
        }
        entries.sort_unstable();
        let sorted = entries.iter().map(|(hash, row)| (&hash[..], *row));
        Ok(BTree::bulk_build(pages, self.id, sorted)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnType, LayoutColumn, LayoutNumber};

    #[test]
    fn rows_of_one_hash_are_told_apart() {
        let columns = vec![LayoutColumn::required(ColumnType::U64)];
        let layout = Layout::new(LayoutNumber(1), columns).unwrap();
        let (mut table, mut pages) = (Table::new(TableId(7), [3; 32], layout), Pages::new());
        let mut scratch = Scratch::default();
        let [low, high, absent] = [1, 2, 3].map(|number| [ValueRef::U64(number)]);
        let [low_row, high_row] = [low, high].map(|values| {
            let row = table.insert(&mut pages, &values, &mut scratch);
            row.unwrap()
        });
        assert!(low_row < high_row);
        // As if all three had one hash: every row stands under the hash of each.
        for (values, row) in [(high, low_row), (absent, low_row), (absent, high_row)] {
            let hash = content_hash(&table.hash_key, &table.layout, &values, &mut scratch.row);
            let id = table.id;
            table.content.insert(&mut pages, id, &hash, row).unwrap();
        }
        let mut find = |values: &[_]| table.find_by_content(&pages, values, &mut scratch);
        assert_eq!(find(&low), Ok(low_row));
        assert_eq!(find(&high), Ok(high_row));
        assert!(matches!(find(&absent), Err(Error::NoSuchRow { .. })));
    }
}
