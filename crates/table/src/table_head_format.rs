//! The head of a table as bytes, for a snapshot: everything about it that does not stand in its pages.
//!
//! ```text
//!  +---------------+--------------------------------------------------------------+
//!  | version u16 LE | postcard: id, layout (number, columns: type code, nullable,  |
//!  |                |   default), heap, primary key, indexes, content index        |
//!  +---------------+--------------------------------------------------------------+
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::btree::BTree;
use crate::error::Error;
use crate::heap::Heap;
use crate::index::Index;
use crate::index_id::IndexId;
use crate::layout::Layout;
use crate::malformed::{Malformed, MalformedKind};
use crate::table::Table;
use crate::table_id::TableId;

const VERSION: u16 = 1;

/// The postcard part of a head.
#[derive(Serialize, Deserialize)]
pub(crate) struct TableHead {
    id: TableId,
    layout: Layout,
    heap: Heap,
    primary_key: Option<IndexId>,
    indexes: Vec<Index>,
    content: BTree,
}

impl TableHead {
    pub(crate) fn encode(table: &Table) -> Vec<u8> {
        let head = TableHead {
            id: table.id,
            layout: Layout::clone(&table.layout),
            heap: table.heap.clone(),
            primary_key: table.primary_key,
            indexes: table.indexes.clone(),
            content: table.content.clone(),
        };
        let bytes = VERSION.to_le_bytes().to_vec();
        postcard::to_extend(&head, bytes).expect("a head holds nothing that postcard refuses")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Table, Error> {
        let malformed = || {
            Error::from(Malformed {
                byte_offset: 0,
                kind: MalformedKind::TableHead,
            })
        };
        let (version, body) = bytes.split_first_chunk().ok_or_else(malformed)?;
        if u16::from_le_bytes(*version) != VERSION {
            return Err(malformed());
        }
        let head: TableHead = postcard::from_bytes(body).map_err(|_| malformed())?;
        let ascending = head
            .indexes
            .windows(2)
            .all(|pair| pair[0].spec.id < pair[1].spec.id);
        let in_layout = |column: &u16| usize::from(*column) < head.layout.column_count();
        let indexes_fit = head
            .indexes
            .iter()
            .all(|index| index.spec.columns.iter().all(in_layout));
        let key_exists = head
            .primary_key
            .is_none_or(|key| head.indexes.iter().any(|index| index.spec.id == key));
        if !ascending || !indexes_fit || !key_exists {
            return Err(malformed());
        }
        Ok(Table {
            id: head.id,
            layout: Arc::new(head.layout),
            heap: head.heap,
            primary_key: head.primary_key,
            indexes: head.indexes,
            content: head.content,
        })
    }
}
