//! Rows in pages, indexes, and views that never move.

// Types and values.
mod column_type;
mod value;
mod layout;
mod row_id;
mod table_id;
mod index_id;
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
mod row_format;
mod row_page;
mod long_value;
mod btree;
// Bytes of keys, rows and transactions.
mod key;
mod row_codec;
mod group;
mod malformed;
// Tables and the state that holds them.
mod error;
mod table;
mod store;
mod write_transaction;

pub use cow_radix::CowRadix;
pub use cow_radix_iter::{CowRadixChanges, CowRadixIter};
pub use damaged::{DamageKind, Damaged};
pub use index_id::IndexId;
pub use page::{PAGE_BYTES, Page, PageBuf, PageBytes};
pub use page_error::PageError;
pub use page_format::PageKind;
pub use page_number::{NotAPageNumber, PageNumber};
pub use pages::{Full, Pages};
pub use row_id::RowId;
pub use table_id::TableId;
