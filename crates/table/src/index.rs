//! An index of a table: its columns, and its entries in a B+tree or in lines of hashes.

use std::ops::Bound;
use std::sync::Arc;

use crate::btree::{BTree, KEY_BYTES_MAX};
use crate::damaged::{DamageKind, Damaged};
use crate::error::Error;
use crate::glimpse::Glimpse;
use crate::hash_format::Lines;
use crate::hash_index::HashIndex;
use crate::hash_lines;
use crate::index_kind::IndexKind;
use crate::index_spec::IndexSpec;
use crate::key::{encode_column, encode_key, prefix_end};
use crate::key_buffer::KeyBuffer;
use crate::key_hash::KeyHash;
use crate::new_row::NewRow;
use crate::pages::Pages;
use crate::row::Row;
use crate::row_id::RowId;
use crate::search_key::SearchKey;
use crate::short_key::ShortKey;
use crate::table::{Table, share};
use crate::table_id::TableId;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// The rows of a table by the encoded values of some columns.
#[derive(Debug)]
pub(crate) struct Index {
    /// Shared by all copies: a trial copies the head of each table that it changes.
    pub(crate) spec: Arc<IndexSpec>,
    /// Invariant: of the kind that the spec says.
    pub(crate) entries: Entries,
}

/// The entries of an index: the rows by their keys.
#[derive(Debug, Clone)]
pub(crate) enum Entries {
    Ordered(BTree),
    Hash(HashIndex),
}

impl Clone for Index {
    fn clone(&self) -> Self {
        Index {
            spec: Arc::clone(&self.spec),
            entries: self.entries.clone(),
        }
    }

    fn clone_from(&mut self, other: &Self) {
        let Index { spec, entries } = other;
        share(&mut self.spec, spec);
        self.entries.clone_from(entries);
    }
}

impl Index {
    pub(crate) fn new(spec: Arc<IndexSpec>) -> Self {
        let entries = match spec.kind {
            IndexKind::Ordered => Entries::Ordered(BTree::new()),
            IndexKind::Hash => Entries::Hash(HashIndex::new()),
        };
        Index { spec, entries }
    }

    /// Appends the key of a row to `out`; whether one of its columns is null.
    pub(crate) fn key_of_row(
        &self,
        table: TableId,
        row: &[ValueRef<'_>],
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let start = out.len();
        let values = self
            .spec
            .columns
            .iter()
            .map(|&column| row[usize::from(column)]);
        encode_key(values.clone(), out);
        self.check_length(table, out.len() - start)?;
        Ok(values.into_iter().any(|value| value.is_null()))
    }

    /// Puts the key of a row that is to be into a buffer.
    pub(crate) fn key_of_new_row(
        &self,
        table: TableId,
        row: &NewRow<'_>,
        key: &mut KeyBuffer,
    ) -> Result<(), Error> {
        key.truncate(0);
        for &column in &self.spec.columns {
            row.with_value(usize::from(column), |value| encode_column(value, key))?;
        }
        self.check_length(table, key.bytes().len())
    }

    /// Appends the key of a row that stands in a page to `out`; whether one of its columns is null.
    pub(crate) fn key_of_stored_row(
        &self,
        table: TableId,
        row: &Row<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let start = out.len();
        let mut has_null = false;
        for &column in &self.spec.columns {
            has_null |= row.with_value(usize::from(column), |value| {
                encode_column(value, out);
                value.is_null()
            })?;
        }
        self.check_length(table, out.len() - start)?;
        Ok(has_null)
    }

    /// The key of these values, if it is short; never of values that [`Index::check_types`] refuses.
    #[inline(always)]
    pub(crate) fn short_key(&self, table: &Table, key: &[Value]) -> Option<ShortKey> {
        let columns = self.spec.columns.iter();
        let types = columns.map(|&column| table.layout.place(usize::from(column)).column_type);
        ShortKey::of_values(key, types)
    }

    /// Refuses values that the columns of the index can not hold: as bytes of a key they may be those of other values. And more values than there are
    /// columns.
    pub(crate) fn check_types(&self, table: &Table, key: &[Value]) -> Result<(), Error> {
        let columns = self.spec.columns.len();
        if key.len() > columns {
            return Err(Error::TooManyValues {
                table: table.id,
                index: self.spec.id,
                columns,
                values: key.len(),
            });
        }
        for (&column, value) in self.spec.columns.iter().zip(key) {
            let column = usize::from(column);
            let expected = table.layout.columns()[column].column_type;
            if let Some(found) = value.column_type()
                && found != expected
            {
                return Err(Error::WrongType {
                    table: table.id,
                    column,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Refuses a key that another row than `except` has already. Keys with a null never conflict.
    pub(crate) fn check_unique(
        &self,
        table: &Table,
        pages: &Pages,
        row: &[ValueRef<'_>],
        key: &[u8],
        except: Option<RowId>,
    ) -> Result<(), Error> {
        let mut columns = self.spec.columns.iter();
        if !self.spec.unique || columns.any(|&column| row[usize::from(column)].is_null()) {
            return Ok(());
        }
        match self.find(table, pages, key, |found| Some(found) != except)? {
            Some(_) => {
                let key = self.spec.columns.iter();
                let key = key.map(|&column| Value::from(row[usize::from(column)]));
                Err(self.violation(table.id, key.collect()))
            }
            None => Ok(()),
        }
    }

    /// Whether other rows may have the key of this one: the index is not unique, or a column is null.
    pub(crate) fn exempts(&self, row: &NewRow<'_>) -> Result<bool, Error> {
        if !self.spec.unique {
            return Ok(true);
        }
        for &column in &self.spec.columns {
            if row.with_value(usize::from(column), |value| value.is_null())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The refusal of a row whose key another one has.
    pub(crate) fn violation(&self, table: TableId, key: Vec<Value>) -> Error {
        Error::UniqueViolation {
            table,
            index: self.spec.id,
            key,
        }
    }

    /// A row with exactly this key that `accept` takes: the lowest one of an ordered index.
    #[inline]
    pub(crate) fn find(
        &self,
        table: &Table,
        pages: &Pages,
        key: &[u8],
        accept: impl Fn(RowId) -> bool,
    ) -> Result<Option<RowId>, Error> {
        match &self.entries {
            Entries::Ordered(tree) => {
                let first = tree.first_with_key(pages, key)?;
                if first.is_none_or(&accept) {
                    return Ok(first);
                }
                let key = Bound::Included(key);
                for entry in tree.range(pages, key, key) {
                    let (_, row) = entry?;
                    if accept(row) {
                        return Ok(Some(row));
                    }
                }
            }
            Entries::Hash(_) => {
                let found = self.find_row(table, pages, SearchKey::new(key), accept)?;
                return Ok(found.map(|row| row.row_id()));
            }
        }
        Ok(None)
    }

    /// [`Index::find`], and the row read: a hash index has to look at it anyway.
    pub(crate) fn find_row<'a>(
        &self,
        table: &'a Table,
        pages: &'a Pages,
        key: SearchKey<'_>,
        accept: impl Fn(RowId) -> bool,
    ) -> Result<Option<Row<'a>>, Error> {
        let Entries::Hash(index) = &self.entries else {
            return self.find_ordered_row(table, pages, key, accept);
        };
        if let SearchKey::Short(key) = key {
            let glimpse = self.glimpse(table, pages, key);
            match glimpse.found(&table.layout) {
                Some((page, row)) if accept(row) => {
                    return Ok(Some(Row::at(table, pages, page, row)));
                }
                None if !glimpse.is_unclear() => return Ok(None),
                _ => {}
            }
        }
        for row in index.candidates(pages, key.hash(&table.hash_key))? {
            let row = row?;
            if accept(row) {
                let row = Row::indexed(table, pages, row)?;
                if key.is_of(&row, &self.spec.columns)? {
                    return Ok(Some(row));
                }
            }
        }
        Ok(None)
    }

    /// A row with a short key, or that there is none, if a look at the lines of a hash index and at one row tells.
    ///
    /// This is all that nearly every look-up needs. The less there is to do for one, the more of them a processor has under way while
    /// it waits for memory; so whatever is rare, and all that can be refused or damaged, is left to [`Index::find_row`].
    #[inline(always)]
    pub(crate) fn glimpse<'a>(
        &self,
        table: &'a Table,
        pages: &'a Pages,
        key: ShortKey,
    ) -> Glimpse<'a> {
        let Entries::Hash(index) = &self.entries else {
            return Glimpse::UNCLEAR;
        };
        let hash = KeyHash::of_short(&table.hash_key, key);
        let Some(lines) = index.glimpse_lines(pages, hash) else {
            return Glimpse::UNCLEAR;
        };
        let home = hash_lines::home(lines, hash);
        match hash_lines::first_at_home(home, hash) {
            Some(row) => self.glimpse_row(table, pages, key, row),
            None if home.tags.holds_all() => Glimpse::NOTHING,
            None => self.glimpse_further(table, pages, key, lines, hash),
        }
    }

    /// [`Index::glimpse`] behind the home line, where one key in ten stands.
    #[inline(never)]
    fn glimpse_further<'a>(
        &self,
        table: &'a Table,
        pages: &'a Pages,
        key: ShortKey,
        lines: &Lines,
        hash: KeyHash,
    ) -> Glimpse<'a> {
        match hash_lines::matches(lines, hash).behind_home().next() {
            Some(row) => self.glimpse_row(table, pages, key, row),
            None if hash_lines::home(lines, hash).tags.has_spilled() => Glimpse::UNCLEAR,
            None => Glimpse::NOTHING,
        }
    }

    /// The row at a place, if it has a key.
    #[inline(never)]
    fn glimpse_row<'a>(
        &self,
        table: &'a Table,
        pages: &'a Pages,
        key: ShortKey,
        row: RowId,
    ) -> Glimpse<'a> {
        match Row::glimpsed_page(table, pages, row) {
            Some(page) if key.is_of_live(&page, row.slot(), &self.spec.columns) => {
                Glimpse::row(&page, row)
            }
            _ => Glimpse::UNCLEAR,
        }
    }

    /// [`Index::find_row`] of an index that is not one of hashes.
    #[inline(never)]
    fn find_ordered_row<'a>(
        &self,
        table: &'a Table,
        pages: &'a Pages,
        key: SearchKey<'_>,
        accept: impl Fn(RowId) -> bool,
    ) -> Result<Option<Row<'a>>, Error> {
        let found = self.find(table, pages, key.bytes(), accept)?;
        found.map(|row| table.indexed(pages, row)).transpose()
    }

    /// The tree, of which alone ranges and the first columns of keys can be asked.
    pub(crate) fn ordered(&self, table: TableId) -> Result<&BTree, Error> {
        match &self.entries {
            Entries::Ordered(tree) => Ok(tree),
            Entries::Hash(_) => Err(Error::WholeKeyOnly {
                table,
                index: self.spec.id,
            }),
        }
    }

    pub(crate) fn insert(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        hash_key: &[u8; 32],
        key: &[u8],
        row: RowId,
    ) -> Result<(), Error> {
        match &mut self.entries {
            Entries::Ordered(tree) => {
                tree.insert(pages, owner, key, row)?;
            }
            Entries::Hash(index) => {
                index.insert(pages, owner, KeyHash::new(hash_key, key), row)?;
            }
        }
        Ok(())
    }

    /// Lets the entry of a row that was moved name its new place. It must be there.
    pub(crate) fn replace_row(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        hash_key: &[u8; 32],
        key: &[u8],
        (from, to): (RowId, RowId),
    ) -> Result<(), Error> {
        let replaced = match &mut self.entries {
            Entries::Ordered(tree) => tree.replace_row(pages, owner, key, from, to)?,
            Entries::Hash(index) => {
                let hash = KeyHash::new(hash_key, key);
                index.replace_row(pages, owner, hash, from, to)?
            }
        };
        if replaced { Ok(()) } else { Err(missing(from)) }
    }

    /// Removes an entry that must be there: an index that lacks one is a damaged one.
    pub(crate) fn remove(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        hash_key: &[u8; 32],
        key: &[u8],
        row: RowId,
    ) -> Result<(), Error> {
        let removed = match &mut self.entries {
            Entries::Ordered(tree) => tree.remove(pages, owner, key, row)?,
            Entries::Hash(index) => index.remove(pages, owner, KeyHash::new(hash_key, key), row)?,
        };
        if removed {
            return Ok(());
        }
        Err(missing(row))
    }

    /// Checks that an entry is there.
    pub(crate) fn check_entry(
        &self,
        pages: &Pages,
        hash_key: &[u8; 32],
        key: &[u8],
        row: RowId,
    ) -> Result<(), Error> {
        let found = match &self.entries {
            Entries::Ordered(tree) => tree.contains(pages, key, row)?,
            Entries::Hash(index) => index.contains(pages, KeyHash::new(hash_key, key), row)?,
        };
        if found { Ok(()) } else { Err(missing(row)) }
    }

    pub(crate) fn check(&self, pages: &Pages) -> Result<(), Damaged> {
        match &self.entries {
            Entries::Ordered(tree) => tree.check(pages),
            Entries::Hash(index) => index.check(pages),
        }
    }

    pub(crate) fn entry_count(&self) -> u64 {
        match &self.entries {
            Entries::Ordered(tree) => tree.entry_count(),
            Entries::Hash(index) => index.entry_count(),
        }
    }

    pub(crate) fn page_count(&self, pages: &Pages) -> Result<u64, Damaged> {
        match &self.entries {
            Entries::Ordered(tree) => tree.page_count(pages),
            Entries::Hash(index) => index.page_count(pages),
        }
    }

    /// Takes all entries away and gives all pages back.
    pub(crate) fn clear(&mut self, pages: &mut Pages) -> Result<(), Damaged> {
        match &mut self.entries {
            Entries::Ordered(tree) => tree.clear(pages),
            Entries::Hash(index) => index.clear(pages),
        }
    }

    /// Refuses a key that is too long for a node of a tree. To a hash index its length is nothing.
    fn check_length(&self, table: TableId, bytes: usize) -> Result<(), Error> {
        if bytes <= KEY_BYTES_MAX || self.spec.kind == IndexKind::Hash {
            return Ok(());
        }
        Err(Error::KeyTooLong {
            table,
            index: self.spec.id,
            bytes,
            max: KEY_BYTES_MAX,
        })
    }
}

/// What an index without an entry for a row is.
pub(crate) fn missing(row: RowId) -> Error {
    DamageKind::Structure("a row is missing from an index")
        .at(row.page())
        .into()
}

/// The bounds on encoded keys that hold for all keys that begin with the given values.
pub(crate) fn encode_bounds(
    lower: Bound<&[Value]>,
    upper: Bound<&[Value]>,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let encode = |values: &[Value], behind: bool| {
        let mut key = Vec::new();
        encode_key(values.iter().map(Value::as_ref), &mut key);
        if behind {
            prefix_end(&mut key);
        }
        key
    };
    let lower = match lower {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(values) => Bound::Included(encode(values, false)),
        Bound::Excluded(values) => Bound::Included(encode(values, true)),
    };
    let upper = match upper {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(values) => Bound::Excluded(encode(values, true)),
        Bound::Excluded(values) => Bound::Excluded(encode(values, false)),
    };
    (lower, upper)
}
