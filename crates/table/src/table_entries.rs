//! What the indexes of a table say of a row: its keys, and the hash of its content where no key names it.

use crate::btree::BTree;
use crate::content_hash::content_hash;
use crate::error::Error;
use crate::index::{Index, missing};
use crate::layout::Layout;
use crate::pages::Pages;
use crate::row::Row;
use crate::row_id::RowId;
use crate::scratch::Scratch;
use crate::table::Table;
use crate::table_id::TableId;
use crate::value::Value;
use crate::value_ref::ValueRef;

impl Table {
    /// Puts the key of a row for each index into the buffers.
    pub(crate) fn encode_keys(
        &self,
        values: &[ValueRef<'_>],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        self.put_keys(scratch, |index, keys| {
            index.key_of_row(self.id, values, keys)
        })
    }

    /// [`Table::encode_keys`] of a row that stands in a page: only the columns of keys are read.
    pub(crate) fn encode_stored_keys(
        &self,
        row: &Row<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        self.put_keys(scratch, |index, keys| {
            index.key_of_stored_row(self.id, row, keys)
        })
    }

    /// Puts what `key_of` appends for each index into the buffers.
    fn put_keys(
        &self,
        scratch: &mut Scratch,
        key_of: impl Fn(&Index, &mut Vec<u8>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        scratch.clear_keys();
        let mut indexes = self.indexes.iter();
        indexes.try_for_each(|index| scratch.add_key(|keys| key_of(index, keys).map(drop)))
    }

    /// What stands in the content index, if there is one, for a row that stands under a layout of the table.
    pub(crate) fn hash_of_content(
        &self,
        layout: &Layout,
        values: &[ValueRef<'_>],
        scratch: &mut Scratch,
    ) -> Option<[u8; 8]> {
        let is_named = self.primary_key.is_none();
        is_named.then(|| self.hash_under(layout, values, scratch))
    }

    /// What stands for a row with these values in the content index, if its page is of a layout: the table's, or an older one, which has the first of the columns.
    pub(crate) fn hash_under(
        &self,
        layout: &Layout,
        values: &[ValueRef<'_>],
        scratch: &mut Scratch,
    ) -> [u8; 8] {
        let stored = &values[..layout.column_count().min(values.len())];
        content_hash(&self.hash_key, layout, stored, &mut scratch.row)
    }

    /// [`Table::hash_of_content`] of a row that stands in a page, which is read only if there is a content index.
    pub(crate) fn hash_of_stored(
        &self,
        row: &Row<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<[u8; 8]>, Error> {
        if self.primary_key.is_some() {
            return Ok(None);
        }
        let mut copied = Vec::new();
        let values = row.read_all(&mut copied)?;
        Ok(self.hash_of_content(row.own_layout(), &values, scratch))
    }

    /// The lowest row with exactly these values, in a table without a primary key. A hash is looked for under each layout that the row may have, and in pages of that
    /// layout: those of others are passed over.
    pub(crate) fn find_by_content(
        &self,
        pages: &Pages,
        values: &[ValueRef<'_>],
        scratch: &mut Scratch,
    ) -> Result<RowId, Error> {
        let older = self.rows.older.iter().filter_map(|older| {
            let stored = older.stored_part(values)?;
            Some((&*older.own, stored))
        });
        let mut lowest: Option<RowId> = None;
        for (layout, stored) in older.chain([(&*self.layout, values)]) {
            let hash = content_hash(&self.hash_key, layout, stored, &mut scratch.row);
            let mut below = None;
            while let Some(candidate) = self.content.next_with_key(pages, &hash, below)? {
                #[cfg(test)]
                {
                    scratch.looked_at += 1;
                }
                let found = self.read(pages, candidate)?;
                if found.own_layout().number() != layout.number() {
                    // Other values may be the same bytes there, in any number of rows.
                    below = Some(RowId::new(candidate.page(), RowId::SLOT_MAX));
                    continue;
                }
                let found = found.values()?;
                if found.iter().map(Value::as_ref).eq(values.iter().copied()) {
                    lowest = Some(lowest.map_or(candidate, |lowest| lowest.min(candidate)));
                    break;
                }
                below = Some(candidate);
            }
        }
        lowest.ok_or_else(|| Error::NoSuchRow {
            table: self.id,
            values: values.iter().map(|&value| Value::from(value)).collect(),
        })
    }

    pub(crate) fn add_entries(
        &mut self,
        pages: &mut Pages,
        hash: Option<[u8; 8]>,
        scratch: &Scratch,
        row: RowId,
    ) -> Result<(), Error> {
        for (position, index) in self.indexes.iter_mut().enumerate() {
            let key = scratch.key(position);
            index.insert(pages, self.id, &self.hash_key, key, row)?;
        }
        if let Some(hash) = hash {
            self.content.insert(pages, self.id, &hash, row)?;
        }
        Ok(())
    }

    /// Says in every index what the keys of a row were and are, and where it stood and stands, and in that of contents what stood and stands for it.
    pub(crate) fn replace_entries(
        &mut self,
        pages: &mut Pages,
        hashes: Option<([u8; 8], [u8; 8])>,
        (old_keys, new_keys): (&Scratch, &Scratch),
        (from, to): (RowId, RowId),
    ) -> Result<(), Error> {
        for (position, index) in self.indexes.iter_mut().enumerate() {
            let (old, new) = (old_keys.key(position), new_keys.key(position));
            if old != new {
                index.remove(pages, self.id, &self.hash_key, old, from)?;
                index.insert(pages, self.id, &self.hash_key, new, to)?;
            } else if from != to {
                index.replace_row(pages, self.id, &self.hash_key, new, (from, to))?;
            }
        }
        let Some((old, new)) = hashes else {
            return Ok(());
        };
        if old != new {
            remove_entry(&mut self.content, pages, self.id, &old, from)?;
            self.content.insert(pages, self.id, &new, to)?;
        } else if from != to && !self.content.replace_row(pages, self.id, &old, from, to)? {
            return Err(missing(from));
        }
        Ok(())
    }

    pub(crate) fn remove_entries(
        &mut self,
        pages: &mut Pages,
        hash: Option<[u8; 8]>,
        scratch: &Scratch,
        row: RowId,
    ) -> Result<(), Error> {
        for (position, index) in self.indexes.iter_mut().enumerate() {
            let key = scratch.key(position);
            index.remove(pages, self.id, &self.hash_key, key, row)?;
        }
        if let Some(hash) = hash {
            remove_entry(&mut self.content, pages, self.id, &hash, row)?;
        }
        Ok(())
    }
}

/// Removes an entry that must be there: an index that lacks one is a damaged one.
pub(crate) fn remove_entry(
    tree: &mut BTree,
    pages: &mut Pages,
    owner: TableId,
    key: &[u8],
    row: RowId,
) -> Result<(), Error> {
    if tree.remove(pages, owner, key, row)? {
        return Ok(());
    }
    Err(missing(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{LayoutColumn, LayoutNumber};
    use crate::relayout::relayout;
    use crate::{ColumnType, table_check};

    /// A truth and a number, and a null and the same number where null may be, are the same bytes.
    #[test]
    fn a_row_is_found_among_many_whose_bytes_were_the_same_under_another_layout() {
        const ROWS: u64 = 20_000;
        let layout = |number, flag: fn(ColumnType) -> LayoutColumn| {
            let columns = vec![
                flag(ColumnType::Bool),
                LayoutColumn::required(ColumnType::U8),
            ];
            Layout::new(LayoutNumber(number), columns).unwrap()
        };
        let first = layout(1, LayoutColumn::required);
        let mut table = Table::new(TableId(7), [3; 32], first);
        let (mut pages, mut scratch) = (Pages::new(), Scratch::default());
        let (truth, null) = (
            [ValueRef::Bool(true), ValueRef::U8(5)],
            [ValueRef::Null, ValueRef::U8(5)],
        );
        for _ in 0..ROWS {
            table.insert(&mut pages, &truth, &mut scratch).unwrap();
        }
        let second = layout(2, LayoutColumn::nullable);
        relayout(&mut table, &mut pages, second, &[Some(0), Some(1)]).unwrap();
        let page_count = table.rows.page_count();
        assert!(page_count * 1_000 < ROWS, "{page_count} pages");
        let missing = table.find_by_content(&pages, &null, &mut scratch);
        assert!(matches!(missing, Err(Error::NoSuchRow { .. })));
        let row = table.insert(&mut pages, &null, &mut scratch).unwrap();
        let hash = content_hash(&table.hash_key, &table.layout, &null, &mut scratch.row);
        let first = table.content.next_with_key(&pages, &hash, None).unwrap();
        assert!(first.is_some_and(|first| first < row), "no hash is shared");
        scratch.looked_at = 0;
        assert_eq!(table.find_by_content(&pages, &null, &mut scratch), Ok(row));
        assert!(scratch.looked_at <= page_count + 1, "{}", scratch.looked_at);
        let oldest = table.find_by_content(&pages, &truth, &mut scratch).unwrap();
        assert!(oldest < row);
        table.delete(&mut pages, row, &mut scratch).unwrap();
        table_check::check(&table, &pages).unwrap();
    }
}
