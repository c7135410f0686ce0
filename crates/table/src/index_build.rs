//! An index made from the rows of a table, all at once.

use crate::btree::BTree;
use crate::error::Error;
use crate::hash_index::HashIndex;
use crate::index::{Entries, Index};
use crate::index_kind::IndexKind;
use crate::index_spec::IndexSpec;
use crate::key_hash::KeyHash;
use crate::pages::Pages;
use crate::row::Row;
use crate::row_id::RowId;
use crate::table::Table;
use crate::table_ref::TableRef;

/// An index over all rows; refused, and nothing changed, if it is unique and they are not.
pub(crate) fn build(table: &Table, pages: &mut Pages, spec: IndexSpec) -> Result<Index, Error> {
    match spec.kind {
        IndexKind::Ordered => build_ordered(table, pages, Index::new(spec)),
        IndexKind::Hash => build_hash(table, pages, Index::new(spec)),
    }
}

fn build_ordered(table: &Table, pages: &mut Pages, mut index: Index) -> Result<Index, Error> {
    let mut entries: Vec<(Vec<u8>, RowId)> = Vec::new();
    for row in TableRef::new(table, pages).scan() {
        let row = row?;
        let mut key = Vec::new();
        let has_null = index.key_of_stored_row(table.id, &row, &mut key)?;
        // Nulls are exempt from uniqueness: mark them so that the check below passes them over.
        key.push(u8::from(has_null));
        entries.push((key, row.row_id()));
    }
    entries.sort_unstable();
    for pair in entries.windows(2) {
        let has_null = pair[0].0.last() == Some(&1);
        if index.spec.unique && !has_null && pair[0].0 == pair[1].0 {
            return Err(violation(table, pages, &index, pair[1].1));
        }
    }
    let sorted = entries
        .iter()
        .map(|(key, row)| (&key[..key.len() - 1], *row));
    index.entries = Entries::Ordered(BTree::bulk_build(pages, table.id, sorted)?);
    Ok(index)
}

fn build_hash(table: &Table, pages: &mut Pages, mut index: Index) -> Result<Index, Error> {
    let mut entries: Vec<(KeyHash, RowId)> = Vec::new();
    // Rows that may have the key of another one: of a unique index those without a null.
    let mut unique: Vec<(KeyHash, RowId)> = Vec::new();
    let mut key = Vec::new();
    for row in TableRef::new(table, pages).scan() {
        let row = row?;
        key.clear();
        let has_null = index.key_of_stored_row(table.id, &row, &mut key)?;
        let entry = (KeyHash::new(&table.hash_key, &key), row.row_id());
        entries.push(entry);
        if index.spec.unique && !has_null {
            unique.push(entry);
        }
    }
    unique.sort_unstable();
    for of_one_hash in unique
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|rows| rows.len() > 1)
    {
        check_different(table, pages, &index, of_one_hash)?;
    }
    if !entries.is_empty() {
        let mut hashes = HashIndex::with_room_for(pages, table.id, entries.len() as u64)?;
        for (hash, row) in entries {
            hashes.insert(pages, table.id, hash, row)?;
        }
        index.entries = Entries::Hash(hashes);
    }
    Ok(index)
}

/// Refuses rows of one hash two of which have the same key.
fn check_different(
    table: &Table,
    pages: &Pages,
    index: &Index,
    rows: &[(KeyHash, RowId)],
) -> Result<(), Error> {
    let mut keys: Vec<(Vec<u8>, RowId)> = Vec::new();
    for &(_, row) in rows {
        let mut key = Vec::new();
        index.key_of_stored_row(table.id, &table.read(pages, row)?, &mut key)?;
        keys.push((key, row));
    }
    keys.sort_unstable();
    let equal = keys.windows(2).find(|pair| pair[0].0 == pair[1].0);
    equal.map_or(Ok(()), |pair| {
        Err(violation(table, pages, index, pair[1].1))
    })
}

fn violation(table: &Table, pages: &Pages, index: &Index, row: RowId) -> Error {
    let key_of = |row: Row<'_>| {
        let columns = index.spec.columns.iter();
        columns
            .map(|&column| row.value(usize::from(column)))
            .collect()
    };
    match table.read(pages, row).and_then(key_of) {
        Ok(key) => Error::UniqueViolation {
            table: table.id,
            index: index.spec.id,
            key,
        },
        Err(error) => error,
    }
}
