//! An index made from the rows of a table, all at once, with the help of all cores.
//!
//! ```text
//!   row pages   | part | part |      each part: its rows' keys, put in order by a thread of its own
//!                    \   /
//!                    merged          in order: nodes and buckets are written one after the other, each once
//! ```
//!
//! What comes out is a function of the rows alone, however many parts there were.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, Builder};

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
use crate::row_pages::{NumberedPage, RowPages};
use crate::sorted_keys::{SortedKeys, merged};
use crate::table::Table;

/// So few pages are not worth a thread.
const PART_PAGES_MIN: usize = 32;
const PARTS_MAX: usize = 16;

/// An index over all rows; refused, and nothing changed, if it is unique and they are not.
pub(crate) fn build(table: &Table, pages: &mut Pages, spec: IndexSpec) -> Result<Index, Error> {
    let mut index = Index::new(Arc::new(spec));
    index.entries = match index.spec.kind {
        IndexKind::Ordered => Entries::Ordered(build_ordered(table, pages, &index)?),
        IndexKind::Hash => Entries::Hash(build_hash(table, pages, &index)?),
    };
    Ok(index)
}

fn build_ordered(table: &Table, pages: &mut Pages, index: &Index) -> Result<BTree, Error> {
    let parts = in_parts(table, pages, |rows| {
        let mut keys = SortedKeys::with_room_for(row_count(rows));
        for_each_row(table, pages, rows, |row| {
            keys.push(row.row_id(), |key| {
                index.key_of_stored_row(table.id, row, key)
            })
        })?;
        keys.sort();
        Ok(keys)
    })?;
    let mut duplicate = None;
    let mut before: Option<&[u8]> = None;
    let sorted = merged(&parts).map(|found| {
        // Nulls are exempt from uniqueness.
        if before == Some(found.key) && index.spec.unique && !found.has_null {
            duplicate.get_or_insert(found.row);
        }
        before = Some(found.key);
        (found.key, found.row)
    });
    let mut tree = BTree::bulk_build(pages, table.id, sorted)?;
    if let Some(row) = duplicate {
        tree.clear(pages)?;
        return Err(violation(table, pages, index, row));
    }
    Ok(tree)
}

fn build_hash(table: &Table, pages: &mut Pages, index: &Index) -> Result<HashIndex, Error> {
    let parts = in_parts(table, pages, |rows| {
        let mut hashes: Vec<(KeyHash, RowId)> = Vec::with_capacity(row_count(rows));
        let mut key = Vec::new();
        for_each_row(table, pages, rows, |row| {
            key.clear();
            index.key_of_stored_row(table.id, row, &mut key)?;
            hashes.push((KeyHash::new(&table.hash_key, &key), row.row_id()));
            Ok(())
        })?;
        hashes.sort_unstable();
        Ok(hashes)
    })?;
    let mut hashes = parts.concat();
    // Finds the parts in order, and merges them.
    hashes.sort();
    if index.spec.unique {
        for of_one_hash in hashes.chunk_by(|a, b| a.0 == b.0) {
            if of_one_hash.len() > 1 {
                check_different(table, pages, index, of_one_hash)?;
            }
        }
    }
    Ok(HashIndex::bulk_build(pages, table.id, &hashes)?)
}

/// Does the same to parts of a table's row pages, each in a thread of its own. Yields what came of them, in order, or what failed first.
fn in_parts<T: Send>(
    table: &Table,
    pages: &Pages,
    work: impl Fn(&[NumberedPage<'_>]) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let rows = RowPages::new(table, pages).collect::<Result<Vec<_>, _>>()?;
    let part_count = match rows.len() / PART_PAGES_MIN {
        0 | 1 => 1,
        most => {
            thread::available_parallelism().map_or(1, |cores| most.min(cores.get()).min(PARTS_MAX))
        }
    };
    let part_pages = rows.len().div_ceil(part_count).max(1);
    let (here, others) = rows.split_at(part_pages.min(rows.len()));
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = others
            .chunks(part_pages)
            .map(|part| (part, Builder::new().spawn_scoped(scope, move || work(part))))
            .collect();
        let mut results = vec![work(here)];
        for (part, thread) in others {
            results.push(match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The system gives no more threads.
                Err(_) => work(part),
            });
        }
        results.into_iter().collect()
    })
}

fn row_count(rows: &[NumberedPage<'_>]) -> usize {
    rows.iter()
        .map(|page| usize::from(page.rows.live_count()))
        .sum()
}

fn for_each_row(
    table: &Table,
    pages: &Pages,
    rows: &[NumberedPage<'_>],
    mut each: impl FnMut(&Row<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    for page in rows {
        let mut next = 0;
        while let Some(slot) = page.rows.next_live_slot(next) {
            next = slot + 1;
            let row = RowId::new(page.number, slot);
            each(&Row::at(table, pages, page.rows, row))?;
        }
    }
    Ok(())
}

/// Refuses rows of one hash two of which have the same key, unless a column of it is null.
fn check_different(
    table: &Table,
    pages: &Pages,
    index: &Index,
    rows: &[(KeyHash, RowId)],
) -> Result<(), Error> {
    let mut keys: Vec<(Vec<u8>, RowId)> = Vec::new();
    for &(_, row) in rows {
        let mut key = Vec::new();
        if !index.key_of_stored_row(table.id, &table.read(pages, row)?, &mut key)? {
            keys.push((key, row));
        }
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
