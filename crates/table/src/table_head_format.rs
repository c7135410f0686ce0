//! The head of a table as bytes, for a snapshot: everything about it that does not stand in its pages.
//!
//! ```text
//!  +---------------+--------------------------------------------------------------+
//!  | version u16 LE | postcard: id, layout (number, columns: type code, nullable,  |
//!  |                |   default), heap, primary key, indexes, content index        |
//!  +---------------+--------------------------------------------------------------+
//!
//!  an index in version 1: id, columns, unique, tree (root, levels, entries)
//!              version 2: id, columns, unique, 0 and a tree, or 1 and lines
//!                         (root, buckets, entries in lines, tree of those without a place)
//! ```
//!
//! Version 2 is written for tables that have a hash index, version 1 for all others.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::btree::BTree;
use crate::error::Error;
use crate::hash_index::HashIndex;
use crate::heap::Heap;
use crate::index::{Entries, Index};
use crate::index_id::IndexId;
use crate::index_kind::IndexKind;
use crate::index_spec::IndexSpec;
use crate::layout::Layout;
use crate::malformed::{Malformed, MalformedKind};
use crate::page::PAGE_BYTES;
use crate::page_number::PageNumber;
use crate::row_format::SLOT_COUNT_MAX;
use crate::table::Table;
use crate::table_id::TableId;

const VERSION_ORDERED: u16 = 1;
const VERSION_WITH_HASH: u16 = 2;

/// The postcard part of a head.
#[derive(Serialize, Deserialize)]
pub(crate) struct TableHead<T> {
    id: TableId,
    layout: Layout,
    heap: Heap,
    primary_key: Option<IndexId>,
    indexes: Vec<StoredIndex<T>>,
    content: BTree,
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
    Hash(HashIndex),
}

/// The head of a table as bytes.
pub(crate) fn encode(table: &Table) -> Vec<u8> {
    let tree = |index: &Index| match &index.entries {
        Entries::Ordered(tree) => Some(tree.clone()),
        Entries::Hash(_) => None,
    };
    let of_any_kind = |index: &Index| {
        Some(match &index.entries {
            Entries::Ordered(tree) => StoredEntries::Ordered(tree.clone()),
            Entries::Hash(index) => StoredEntries::Hash(index.clone()),
        })
    };
    match TableHead::of(table, tree) {
        Some(head) => head.write(VERSION_ORDERED),
        None => TableHead::of(table, of_any_kind)
            .expect("every index is of some kind")
            .write(VERSION_WITH_HASH),
    }
}

/// The table that [`encode`] wrote, of a store with this hash key.
pub(crate) fn decode(bytes: &[u8], hash_key: &Arc<[u8; 32]>) -> Result<Table, Error> {
    let malformed = || {
        Error::from(Malformed {
            byte_offset: 0,
            kind: MalformedKind::TableHead,
        })
    };
    let (version, body) = bytes.split_first_chunk().ok_or_else(malformed)?;
    let table = match u16::from_le_bytes(*version) {
        VERSION_ORDERED => TableHead::read(body, hash_key, Entries::Ordered),
        VERSION_WITH_HASH => TableHead::read(body, hash_key, |entries| match entries {
            StoredEntries::Ordered(tree) => Entries::Ordered(tree),
            StoredEntries::Hash(index) => Entries::Hash(index),
        }),
        _ => None,
    };
    table.filter(is_possible).ok_or_else(malformed)
}

impl<T: Serialize + DeserializeOwned> TableHead<T> {
    /// The head of a table; `None` if `entries` has no form for one of its indexes.
    fn of(table: &Table, entries: impl Fn(&Index) -> Option<T>) -> Option<Self> {
        let indexes = table.indexes.iter().map(|index| {
            Some(StoredIndex {
                id: index.spec.id,
                columns: index.spec.columns.clone(),
                unique: index.spec.unique,
                entries: entries(index)?,
            })
        });
        Some(TableHead {
            id: table.id,
            layout: Layout::clone(&table.layout),
            heap: table.heap.clone(),
            primary_key: table.primary_key,
            indexes: indexes.collect::<Option<_>>()?,
            content: table.content.clone(),
        })
    }

    fn write(&self, version: u16) -> Vec<u8> {
        let bytes = version.to_le_bytes().to_vec();
        postcard::to_extend(self, bytes).expect("a head holds nothing that postcard refuses")
    }

    fn read(
        body: &[u8],
        hash_key: &Arc<[u8; 32]>,
        entries: impl Fn(T) -> Entries,
    ) -> Option<Table> {
        let head: TableHead<T> = postcard::from_bytes(body).ok()?;
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
        Some(Table {
            id: head.id,
            hash_key: Arc::clone(hash_key),
            layout: Arc::new(head.layout),
            heap: head.heap,
            primary_key: head.primary_key,
            indexes: indexes.collect(),
            content: head.content,
        })
    }
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
    ascending && indexes_fit && key_exists && are_possible_counts(table)
}

/// Whether the counts of a head fit each other and the pages that there can be. What is done with them relies on that: a count near
/// the end of its type would overflow.
fn are_possible_counts(table: &Table) -> bool {
    let (row_count, page_count) = (table.heap.row_count(), table.heap.page_count());
    let unnamed_count = match table.primary_key {
        Some(_) => 0,
        None => row_count,
    };
    page_count <= u64::from(PageNumber::STORED_MAX.get()) + 1
        && row_count <= page_count * u64::from(SLOT_COUNT_MAX)
        && table.heap.variable_bytes() <= page_count * PAGE_BYTES as u64
        && table.content.entry_count() == unnamed_count
        && table
            .indexes
            .iter()
            .all(|index| index.entry_count() == row_count)
}
