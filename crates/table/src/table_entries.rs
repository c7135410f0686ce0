//! What the indexes of a table say of a row: its keys, and the hash of its content where no key names it.

use crate::btree::BTree;
use crate::content_hash::content_hash;
use crate::error::Error;
use crate::index::missing;
use crate::pages::Pages;
use crate::row::{ReadValue, Row};
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
        scratch.clear_keys();
        for index in &self.indexes {
            scratch.add_key(|keys| index.key_of_row(self.id, values, keys).map(drop))?;
        }
        Ok(())
    }

    /// [`Table::encode_keys`] of a row that stands in a page: only the columns of keys are read.
    pub(crate) fn encode_stored_keys(
        &self,
        row: &Row<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        scratch.clear_keys();
        for index in &self.indexes {
            scratch.add_key(|keys| index.key_of_stored_row(self.id, row, keys).map(drop))?;
        }
        Ok(())
    }

    /// What stands for the row in the content index, if there is one.
    pub(crate) fn hash_of_content(
        &self,
        values: &[ValueRef<'_>],
        scratch: &mut Scratch,
    ) -> Option<[u8; 8]> {
        let is_named = self.primary_key.is_none();
        is_named.then(|| content_hash(&self.hash_key, &self.layout, values, &mut scratch.row))
    }

    /// [`Table::hash_of_content`] of a row that stands in a page: of what stands there, under the layout of that page.
    pub(crate) fn hash_of_stored(
        &self,
        row: &Row<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<[u8; 8]>, Error> {
        if self.primary_key.is_some() {
            return Ok(None);
        }
        let values = row.read_all()?;
        let layout = row.own_layout();
        let stored = values.iter().take(layout.column_count());
        let stored: Vec<ValueRef<'_>> = stored.map(ReadValue::as_ref).collect();
        let buffer = &mut scratch.row;
        Ok(Some(content_hash(&self.hash_key, layout, &stored, buffer)))
    }

    /// The lowest row with exactly these values, in a table without a primary key.
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
            let bound = std::ops::Bound::Included(&hash[..]);
            for entry in self.content.range(pages, bound, bound) {
                let (_, candidate) = entry?;
                let found = self.read(pages, candidate)?.values()?;
                if found.iter().map(Value::as_ref).eq(values.iter().copied()) {
                    lowest = Some(lowest.map_or(candidate, |lowest| lowest.min(candidate)));
                    break;
                }
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

    /// Says in every index that a row stands elsewhere now.
    pub(crate) fn replace_entries(
        &mut self,
        pages: &mut Pages,
        hash: Option<[u8; 8]>,
        scratch: &Scratch,
        (from, to): (RowId, RowId),
    ) -> Result<(), Error> {
        for (position, index) in self.indexes.iter_mut().enumerate() {
            let key = scratch.key(position);
            index.replace_row(pages, self.id, &self.hash_key, key, (from, to))?;
        }
        match hash {
            Some(hash) if !self.content.replace_row(pages, self.id, &hash, from, to)? => {
                Err(missing(from))
            }
            _ => Ok(()),
        }
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
