//! Rows in pages, indexes, and views that never move.
//!
//! **The promise.** A [`Store`] is a value: cloning it takes O(1) and gives a consistent view that nothing later changes. What
//! no clone holds is written in place, and can be taken back byte by byte while it is only tried.
//! Everything in it is a page of 32 KiB - rows, index nodes, long values - and page numbers and contents are a function of
//! the transactions applied and of nothing else. A page may be borrowed from a read-only map: it is verified once, on
//! first use, and every read can say [`Damaged`]. A store may begin with all its pages where they were stored ([`Store::map`]): each is found when
//! it is first used, so that beginning takes no longer for many than for few.
//!
//! A freshly loaded table takes little more than an Arrow array of its rows, one of which rows come, go and get shorter at most half as much again, once as many changed as have to move; tables of rows of a few bytes take several
//! times as much. The README says for which shapes which holds.
//!
//! This crate does not know files, names of tables and columns, or time.
//!
//! ```text
//!   WriteTransaction ──flush──> groups of rows (bytes) ──apply_group──> Store
//!     a view, and what is         TransactionBuilder,                    │  clone = a view
//!     changed beside it           Transaction, Group                     │
//!                                                          ┌─────────────┴────────────┐
//!                                                       Pages                  heads of tables
//!                                                  number -> page           layout, list of row pages,
//!                                                                           indexes, counts
//! ```
//!
//! ```
//! use table::*;
//!
//! let flights = TableId(1);
//! let mut store = Store::new([0; 32]);
//! let columns = vec![LayoutColumn::required(ColumnType::U64), LayoutColumn::required(ColumnType::String)];
//! store.create_table(flights, Layout::new(LayoutNumber(1), columns)?)?;
//! store.create_index(flights, IndexSpec { id: IndexId(1), columns: vec![0], unique: true, kind: IndexKind::Hash })?;
//! store.set_primary_key(flights, Some(IndexId(1)))?;
//! let view = store.clone();
//!
//! let mut writes = WriteTransaction::new(&store);
//! writes.insert(flights, &[7_u64.into(), "EWR to IAH".into()])?;
//! let mut builder = TransactionBuilder::new(0);
//! writes.flush(&mut builder)?;
//!
//! let bytes = builder.finish(); // what a log keeps
//! for group in Transaction::parse(&bytes)?.groups() {
//!     store.apply_group(&group)?;
//! }
//! let found = store.table(flights)?.find(IndexId(1), &[7_u64.into()])?.expect("it was put there");
//! assert_eq!(found.value(1)?, "EWR to IAH".into());
//! assert_eq!(view.table(flights)?.row_count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The state, and how it is read and changed.
mod store;
mod table_ref;
mod row;
mod scan;
mod memory_use;
mod row_pages;
mod column;
mod summable;
mod index_range;
mod key_rows;
mod write_transaction;
mod new_row;
mod pending_row;
mod overlay;
mod cow_sorted;
mod cow_sorted_range;
mod key_bytes;
mod net_effect;
mod error;

// One table: its head, its rows, its indexes.
mod table_id;
mod table;
mod table_entries;
mod scratch;
mod stored_rows;
mod older_rows;
mod heap;
mod room_lists;
mod page_plan;
mod compaction;
mod row_move;
mod owned_cells;
mod renewal;
mod index_id;
mod index_kind;
mod index_spec;
mod index;
mod glimpse;
mod index_build;
mod sorted_keys;
mod relayout;
mod content_hash;
mod table_check;
mod table_head_format;

// Types, values, layouts.
mod column_type;
mod value;
mod value_ref;
mod value_text;
mod widening;
mod layout;

// Bytes of values, keys, rows and transactions.
mod value_format;
mod value_codec;
mod key_format;
mod key;
mod key_buffer;
mod short_key;
mod search_key;
mod row_codec;
mod transaction_format;
mod transaction;
mod transaction_builder;
mod group;
mod malformed;

// Pages: by number, in versions; copied when written where an older version can see them.
mod page;
mod page_ref;
mod page_number;
mod page_format;
mod page_error;
mod pages;
mod page_mut;
mod page_journal;
mod heads_moment;
mod page_moment;
mod page_versions;
mod page_tree;
mod page_tree_iter;
mod page_node;
mod stored_pages;
mod stock;
mod frames;
mod chunk;
#[cfg(test)]
mod page_model;
#[cfg(test)]
mod page_numbers;
#[cfg(test)]
mod stock_model;
mod cow_radix;
mod cow_radix_difference;
mod cow_radix_iter;
mod damaged;

// What stands in pages: rows,
mod row_id;
mod row_format;
mod row_geometry;
mod usual_page;
mod row_page;
mod row_page_ref;
mod row_page_mut;
mod packed_heap;
mod row_page_check;
mod fixed_value;
mod cell;
mod view;
// values too long for them,
mod long_place;
mod spill_format;
mod spills;
mod spill_pieces;
mod spill_check;
mod long_value;
// and index nodes.
mod btree_format;
mod btree;
mod btree_node;
mod btree_node_mut;
mod btree_path;
mod btree_build;
mod btree_balance;
mod btree_split;
mod btree_separator;
mod btree_cursor;
mod btree_range;
mod btree_check;
// The nodes of hash indexes.
mod hash_format;
mod key_hash;
mod sip_hash;
mod hash_index;
mod hash_interleaved;
mod hash_bucket;
mod hash_directory;
mod hash_lines;
mod hash_candidates;
mod hash_growth;
mod hash_build;
mod hash_check;

pub use btree::{BTree, BTreeRange, KEY_BYTES_MAX};
pub use cell::{Cell, CellInput};
pub use column::{Column, ColumnPage, ColumnPages};
pub use column_type::{ColumnType, UnknownColumnType};
pub use cow_radix::CowRadix;
pub use cow_radix_iter::CowRadixIter;
pub use damaged::{DamageKind, Damaged};
pub use error::Error;
pub use fixed_value::FixedValue;
pub use group::{Group, Operation, RowReader};
pub use hash_candidates::HashCandidates;
pub use hash_index::HashIndex;
pub use heads_moment::HeadsMoment;
pub use index_id::IndexId;
pub use index_kind::IndexKind;
pub use index_range::IndexRange;
pub use index_spec::IndexSpec;
pub use key::{decode_key, encode_key, prefix_end};
pub use key_hash::KeyHash;
pub use key_rows::KeyRows;
pub use layout::{COLUMN_COUNT_MAX, Layout, LayoutColumn, LayoutError, LayoutNumber};
pub use long_place::LongPlace;
pub use malformed::{Malformed, MalformedKind};
pub use memory_use::MemoryUse;
pub use page::{PAGE_BYTES, Page, PageBuf, PageBytes};
pub use page_error::{Full, PageError};
pub use page_format::{PageHeader, PageKind};
pub use page_moment::PageMoment;
pub use page_number::{NotAPageNumber, PageNumber};
pub use page_ref::PageRef;
pub use pages::Pages;
pub use row::Row;
pub use row_codec::{
    UpdateRow, decode_key_row, decode_row, decode_update_row, encode_key_row, encode_row,
    encode_update_row,
};
pub use row_format::{ROW_HEAP_BYTES_MAX, SLOT_COUNT_MAX, VALUE_IN_PAGE_BYTES_MAX};
pub use row_id::RowId;
pub use row_page::{
    capacity as row_page_capacity, check as check_row_page, format as format_row_page,
};
pub use row_page_mut::RowPageMut;
pub use row_page_ref::RowPageRef;
pub use row_pages::{NumberedPage, RowPages};
pub use scan::Scan;
pub use store::Store;
pub use stored_pages::{StoredPages, UnknownPages};
pub use summable::Summable;
pub use table_id::TableId;
pub use table_ref::TableRef;
pub use transaction::{Groups, Marks, Transaction};
pub use transaction_builder::{GroupWriter, TransactionBuilder};
pub use value::{VALUE_BYTES_MAX, Value};
pub use value_codec::{decode_value, encode_value};
pub use value_ref::{ValueRef, WrongValueType};
pub use write_transaction::{Savepoint, WriteTransaction};
