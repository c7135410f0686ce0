//! Rows in pages, indexes, and views that never move.

// Types and values.
mod column_type;
mod value;
mod layout;
mod row_id;
// Pages.
mod cow_radix;
mod damaged;
mod page;
mod page_format;
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
