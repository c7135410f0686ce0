//! The head of a table as bytes, for a snapshot: everything about it that does not stand in its pages.
//!
//! ```text
//!  +---------------+--------------------------------------------------------------+
//!  | version u16 LE | postcard: id, layout (number, columns: type code, nullable,  |
//!  |                |   default), heap, primary key, indexes, content index        |
//!  +---------------+--------------------------------------------------------------+
//!
//!  an index in version 1: id, columns, unique, tree (root, levels, entries)
//!              from 2 on: id, columns, unique, 0 and a tree, or 1 or 2 and lines (root, buckets,
//!                         entries in lines, tree of those without a place); 1: in interleaved buckets
//!
//!  a heap until version 2: first and last page, a list of pages with room, pages, rows, bytes in heaps
//!         from 3 on:       first and last page, five of those lists, pages, rows, bytes in heaps, slots
//!
//!  spills from 4 on, behind the heap: a heap of pieces, the tree of their index, the number that comes next
//!
//!  rows of older layouts in version 5, behind the spills, oldest first, for each: heap, layout, and for each column of the
//!  table 0 and its position there, or 1 and what all rows have
//! ```
//!
//! Version 4 is written, and 5 for a table that has rows of older layouts. A table whose head is older has no spills. A head of version 1 has no hash index. 2 and lines are written, by builds that write snapshots of reader 5. The one list of pages with room of an older head is the first of five now.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::btree::BTree;
use crate::error::Error;
use crate::hash_index::HashIndex;
use crate::hash_interleaved;
use crate::heap::{Heap, OldHeap};
use crate::index::{Entries, Index};
use crate::index_id::IndexId;
use crate::index_kind::IndexKind;
use crate::index_spec::IndexSpec;
use crate::layout::{Layout, LayoutNumber};
use crate::malformed::{Malformed, MalformedKind};
use crate::older_rows::OlderRows;
use crate::page::PAGE_BYTES;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_format::SLOT_COUNT_MAX;
use crate::stored_rows::StoredRows;
use crate::table::Table;
use crate::table_id::TableId;
use crate::value::Value;

const VERSION_ORDERED: u16 = 1;
const VERSION_WITH_HASH: u16 = 2;
const VERSION_WITH_LISTS: u16 = 3;
const VERSION_WITH_SPILLS: u16 = 4;
const VERSION_WITH_OLDER: u16 = 5;

/// The postcard part of a head.
#[derive(Serialize, Deserialize)]
pub(crate) struct TableHead<H, T> {
    id: TableId,
    layout: Layout,
    rows: H,
    primary_key: Option<IndexId>,
    indexes: Vec<StoredIndex<T>>,
    content: BTree,
}

/// Rows with those of older layouts.
#[derive(Serialize, Deserialize)]
struct RowsOfLayouts {
    current: StoredRows,
    older: Vec<StoredOlder>,
}

#[derive(Serialize, Deserialize)]
struct StoredOlder {
    heap: Heap,
    layout: Layout,
    columns: Vec<Result<u16, Option<Value>>>,
}

#[derive(Serialize, Deserialize)]
struct StoredIndex<T> {
    id: IndexId,
    columns: Vec<u16>,
    unique: bool,
    entries: T,
}

#[derive(Serialize, Deserialize)]
enum StoredEntries {
    Ordered(BTree),
    Interleaved(HashIndex),
    Hash(HashIndex),
}

/// The head of a table as bytes.
pub(crate) fn encode(table: &Table) -> Vec<u8> {
    let current = table.rows.clone();
    if table.rows.older.is_empty() {
        return encode_with(VERSION_WITH_SPILLS, table, current);
    }
    let older = table.rows.older.iter().map(|older| StoredOlder {
        heap: older.heap.clone(),
        layout: Layout::clone(&older.own),
        columns: older
            .columns()
            .map(|column| column.map_err(Option::<&Value>::cloned))
            .collect(),
    });
    let older = older.collect();
    encode_with(VERSION_WITH_OLDER, table, RowsOfLayouts { current, older })
}

fn encode_with<H: Serialize>(version: u16, table: &Table, rows: H) -> Vec<u8> {
    let indexes = table.indexes.iter().map(|index| StoredIndex {
        id: index.spec.id,
        columns: index.spec.columns.clone(),
        unique: index.spec.unique,
        entries: match &index.entries {
            Entries::Ordered(tree) => StoredEntries::Ordered(tree.clone()),
            Entries::Hash(index) => StoredEntries::Hash(index.clone()),
        },
    });
    let head = TableHead {
        id: table.id,
        layout: Layout::clone(&table.layout),
        rows,
        primary_key: table.primary_key,
        indexes: indexes.collect(),
        content: table.content.clone(),
    };
    let bytes = version.to_le_bytes().to_vec();
    postcard::to_extend(&head, bytes).expect("a head holds nothing that postcard refuses")
}

/// The table that [`encode`] wrote, of a store with this hash key. Buckets of its hash indexes that older builds wrote are put in order.
pub(crate) fn decode(bytes: &[u8], hash_key: &[u8; 32], pages: &mut Pages) -> Result<Table, Error> {
    let malformed = || {
        Error::from(Malformed {
            byte_offset: 0,
            kind: MalformedKind::TableHead,
        })
    };
    let (version, body) = bytes.split_first_chunk().ok_or_else(malformed)?;
    let mut interleaved = Vec::new();
    let entries = |stored| match stored {
        StoredEntries::Ordered(tree) => Entries::Ordered(tree),
        StoredEntries::Interleaved(index) => {
            interleaved.push(index.clone());
            Entries::Hash(index)
        }
        StoredEntries::Hash(index) => Entries::Hash(index),
    };
    let table = match u16::from_le_bytes(*version) {
        VERSION_ORDERED => read(body, hash_key, renewed, Entries::Ordered),
        VERSION_WITH_HASH => read(body, hash_key, renewed, entries),
        VERSION_WITH_LISTS => read(body, hash_key, without_spills, entries),
        VERSION_WITH_SPILLS => {
            let whole = |rows, _: &Layout| Some(rows);
            read(body, hash_key, whole, entries)
        }
        VERSION_WITH_OLDER => read(body, hash_key, with_older, entries),
        _ => None,
    };
    let table = table.filter(is_possible).ok_or_else(malformed)?;
    for index in interleaved {
        hash_interleaved::put_in_order(&index, pages)?;
    }
    Ok(table)
}

fn renewed(heap: OldHeap, layout: &Layout) -> Option<StoredRows> {
    Some(StoredRows::from(heap.renewed(layout)))
}

fn without_spills(heap: Heap, _: &Layout) -> Option<StoredRows> {
    Some(StoredRows::from(heap))
}

/// Nothing if the layouts do not rise to that of the table, or do not fit it.
fn with_older(rows: RowsOfLayouts, layout: &Layout) -> Option<StoredRows> {
    let mut older: Vec<OlderRows> = Vec::with_capacity(rows.older.len());
    for stored in rows.older {
        let since = after(older.last())?;
        let number = stored.layout.number();
        if number < since || number >= layout.number() || stored.heap.first_page().is_none() {
            return None;
        }
        let own = stored.layout.since(since);
        let StoredOlder { heap, columns, .. } = stored;
        older.push(OlderRows::restored(heap, own, layout, columns)?);
    }
    (!older.is_empty()).then_some(StoredRows {
        older,
        ..rows.current
    })
}

/// The lowest number that pages of the next layout may have.
fn after(older: Option<&OlderRows>) -> Option<LayoutNumber> {
    older.map_or(Some(LayoutNumber(0)), |older| {
        older.own.number().0.checked_add(1).map(LayoutNumber)
    })
}

fn read<H: DeserializeOwned, T: DeserializeOwned>(
    body: &[u8],
    hash_key: &[u8; 32],
    rows: impl Fn(H, &Layout) -> Option<StoredRows>,
    mut entries: impl FnMut(T) -> Entries,
) -> Option<Table> {
    let head: TableHead<H, T> = postcard::from_bytes(body).ok()?;
    let indexes = head.indexes.into_iter().map(|stored| {
        let entries = entries(stored.entries);
        let kind = match entries {
            Entries::Ordered(_) => IndexKind::Ordered,
            Entries::Hash(_) => IndexKind::Hash,
        };
        Index {
            spec: Arc::new(IndexSpec {
                id: stored.id,
                columns: stored.columns,
                unique: stored.unique,
                kind,
            }),
            entries,
        }
    });
    let rows = rows(head.rows, &head.layout)?;
    let since = after(rows.older.last())?;
    Some(Table {
        id: head.id,
        hash_key: *hash_key,
        layout: Arc::new(head.layout.since(since)),
        rows,
        primary_key: head.primary_key,
        indexes: indexes.collect(),
        content: head.content,
    })
}

/// Whether the parts of a head fit each other.
fn is_possible(table: &Table) -> bool {
    let ascending = table
        .indexes
        .windows(2)
        .all(|pair| pair[0].spec.id < pair[1].spec.id);
    let in_layout = |column: &u16| usize::from(*column) < table.layout.column_count();
    let indexes_fit = table
        .indexes
        .iter()
        .all(|index| index.spec.columns.iter().all(in_layout));
    let key_exists = table
        .primary_key
        .is_none_or(|key| table.indexes.iter().any(|index| index.spec.id == key));
    let are_named =
        table.primary_key.is_some() || table.rows.older.iter().all(OlderRows::are_first);
    ascending && indexes_fit && key_exists && are_named && are_possible_counts(table)
}

/// Whether the counts of a head fit each other and the pages that there can be. What is done with them relies on that: a count near
/// the end of its type would overflow.
fn are_possible_counts(table: &Table) -> bool {
    let older = table.rows.older.iter().map(|older| &older.heap);
    if !older
        .chain([&table.rows.heap, table.rows.spills.heap()])
        .all(is_possible_heap)
    {
        return false;
    }
    let row_count = table.rows.row_count();
    let unnamed_count = match table.primary_key {
        Some(_) => 0,
        None => row_count,
    };
    table.rows.spills.is_possible()
        && table.content.entry_count() == unnamed_count
        && table
            .indexes
            .iter()
            .all(|index| index.entry_count() == row_count)
}

fn is_possible_heap(heap: &Heap) -> bool {
    let page_count = heap.page_count();
    page_count <= u64::from(PageNumber::STORED_MAX.get()) + 1
        && heap.row_count() <= page_count * u64::from(SLOT_COUNT_MAX)
        && heap.slot_count() <= page_count * u64::from(SLOT_COUNT_MAX)
        && heap.variable_bytes() <= page_count * PAGE_BYTES as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index_id::IndexId;
    use crate::layout::LayoutColumn;
    use crate::scratch::Scratch;
    use crate::value_ref::ValueRef;
    use crate::{ColumnType, table_check};

    /// A table of (u64, string) whose pages have room of every size, and those pages.
    fn table() -> (Table, Pages) {
        let columns = [ColumnType::U64, ColumnType::String].map(LayoutColumn::required);
        let layout = Layout::new(LayoutNumber(1), columns.to_vec()).unwrap();
        let mut table = Table::new(TableId(7), [3; 32], layout);
        let (mut pages, mut scratch) = (Pages::new(), Scratch::default());
        let spec = IndexSpec {
            id: IndexId(1),
            columns: vec![0],
            unique: true,
            kind: IndexKind::Hash,
        };
        table.create_index(&mut pages, spec).unwrap();
        table.set_primary_key(&mut pages, Some(IndexId(1))).unwrap();
        let mut rows = Vec::new();
        for key in 0..600 {
            let text = "x".repeat(if key % 2 == 0 { 2_000 } else { 20 });
            let values = [ValueRef::U64(key), ValueRef::String(&text)];
            rows.push(table.insert(&mut pages, &values, &mut scratch).unwrap());
        }
        for row in rows.iter().enumerate().filter(|(at, _)| at % 9 < at / 100) {
            table.delete(&mut pages, *row.1, &mut scratch).unwrap();
        }
        table_check::check(&table, &pages).unwrap();
        (table, pages)
    }

    #[test]
    fn heads_with_one_list_of_pages_with_room_are_read_and_written_on() {
        let (table, mut pages) = table();
        let stored = StoredIndex {
            id: IndexId(1),
            columns: vec![0],
            unique: true,
            entries: match &table.indexes[0].entries {
                Entries::Ordered(tree) => StoredEntries::Ordered(tree.clone()),
                Entries::Hash(index) => {
                    hash_interleaved::interleave(index, &mut pages);
                    StoredEntries::Interleaved(index.clone())
                }
            },
        };
        let head = TableHead {
            id: table.id,
            layout: Layout::clone(&table.layout),
            rows: OldHeap::of(&table.rows.heap, &mut pages),
            primary_key: table.primary_key,
            indexes: vec![stored],
            content: table.content.clone(),
        };
        let bytes = postcard::to_extend(&head, vec![2, 0]).unwrap();
        let mut table = decode(&bytes, &[3; 32], &mut pages).unwrap();
        table_check::check(&table, &pages).unwrap();
        let (page_count, mut scratch) = (table.rows.heap.page_count(), Scratch::default());
        // What the deleted rows left is found, whichever page it is in.
        let text = "y".repeat(2_000);
        for key in 600..660 {
            let values = [ValueRef::U64(key), ValueRef::String(&text)];
            table.insert(&mut pages, &values, &mut scratch).unwrap();
            table_check::check(&table, &pages).unwrap();
        }
        assert_eq!(table.rows.heap.page_count(), page_count);
        let again = decode(&encode(&table), &table.hash_key, &mut pages).unwrap();
        assert_eq!(encode(&again), encode(&table));
    }
}
