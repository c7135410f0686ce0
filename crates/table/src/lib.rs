//! Rows in pages, indexes, and views that never move.

// Types and values.
mod column_type;
mod index_id;
mod layout;
mod row_id;
mod table_id;
mod value;
mod value_codec;
mod value_ref;
mod value_text;
// Pages.
mod cow_radix;
mod cow_radix_iter;
mod damaged;
mod page;
mod page_error;
mod page_format;
mod page_number;
mod pages;
// What stands in pages: rows, long values, index nodes.
mod btree;
mod btree_balance;
mod btree_check;
mod btree_format;
mod btree_node;
mod btree_node_mut;
mod btree_path;
mod btree_range;
mod cell;
mod fixed_value;
mod long_value;
mod row_format;
mod row_geometry;
mod row_page;
mod row_page_check;
mod row_page_mut;
mod row_page_ref;
mod view;
// Bytes of keys, rows and transactions.
mod group;
mod key;
mod malformed;
mod row_codec;
mod transaction;
mod transaction_builder;
mod transaction_format;
// Tables and the state that holds them.
mod error;
mod heap;
mod index;
mod index_spec;
mod relayout;
mod row;
mod scan;
mod store;
mod table;
mod table_check;
mod table_head;
mod table_ref;
mod write_set;
mod write_transaction;

pub use btree::{BTree, BTreeRange, KEY_BYTES_MAX};
pub use cell::{Cell, CellInput};
pub use column_type::{ColumnType, UnknownColumnType};
pub use cow_radix::CowRadix;
pub use cow_radix_iter::{CowRadixChanges, CowRadixIter};
pub use damaged::{DamageKind, Damaged};
pub use error::Error;
pub use fixed_value::FixedValue;
pub use group::{Group, Operation, RowReader};
pub use index_id::IndexId;
pub use index_spec::IndexSpec;
pub use key::{decode_key, encode_key, prefix_end};
pub use layout::{COLUMN_COUNT_MAX, Layout, LayoutColumn, LayoutError, LayoutNumber};
pub use malformed::{Malformed, MalformedKind};
pub use page::{PAGE_BYTES, Page, PageBuf, PageBytes};
pub use page_error::PageError;
pub use page_format::PageKind;
pub use page_number::{NotAPageNumber, PageNumber};
pub use pages::{Full, Pages};
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
pub use scan::Scan;
pub use store::Store;
pub use table_id::TableId;
pub use table_ref::{IndexRange, TableRef};
pub use transaction::{Groups, Marks, Transaction};
pub use transaction_builder::{GroupWriter, TransactionBuilder};
pub use value::{VALUE_BYTES_MAX, Value};
pub use value_codec::{decode_value, encode_value};
pub use value_ref::{ValueRef, WrongValueType};
pub use write_transaction::{Savepoint, WriteTransaction};
