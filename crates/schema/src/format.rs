//! # Bytes of the catalog
//!
//! The catalog is rows; this page says which rows come first and what stands in their cells of type `bytes`.
//!
//! ```text
//! genesis = transaction 0, groups from left to right
//!  +-------------------------------------------------------------------------------+
//!  | 1  insert into st_table   the rows of st_table and st_column      layout 1    |  frozen: read by
//!  | 2  insert into st_column  the columns of both                     layout 1    |  what is compiled in
//!  +-------------------------------------------------------------------------------+
//!  | 3  insert into st_table   the other system tables                             |
//!  | 4  insert into st_column  their columns: at its end they exist                |  read by the
//!  | 5  insert into st_index   the indexes of all system tables                    |  rows before
//!  | 6  insert into st_constraint   their keys: at its end they have them          |
//!  | 7  insert into st_sequence     the sequences that ids come from               |
//!  | 8  insert into st_database     the id, minimum reader, minimum writer         |
//!  +-------------------------------------------------------------------------------+
//!  | what the user's initialiser did                                               |
//!  +-------------------------------------------------------------------------------+
//! ```
//!
//! ```text
//! st_table  (table 1)   table_id u32 | table_name string
//! st_column (table 2)   table_id u32 | column_id u32 | position u16 | column_name string
//!                       | type_code u8 | nullable bool | default_value bytes or null
//! key of st_table: table_id, and table_name is unique; key of st_column: table_id, column_id
//!
//! default_value = one encoded value: type code u8, then the little-endian value, or the bytes
//!
//! st_index.column_ids = the columns of the index, most significant first
//!  +-------------------+-------------------+-- ...
//!  | column id u32 LE  | column id u32 LE  |
//!  +-------------------+-------------------+-- ...
//! ```
//!
//! Codes: `st_index.kind` 1 = ordered; `st_constraint.kind` 1 = primary key, 2 = unique.

use crate::column_id::ColumnId;

/// The layout number of every table when it is made; of the seeds before the genesis.
pub(crate) const FIRST_LAYOUT: u32 = 1;

/// What this build reads: logs whose minimum reader is no greater.
pub const READER_VERSION: u16 = 1;

/// What this build writes: to logs whose minimum writer is no greater.
pub const WRITER_VERSION: u16 = 1;

/// `st_index.kind` of an ordered index.
pub(crate) const INDEX_KIND_ORDERED: u8 = 1;

/// `st_constraint.kind` of a primary key.
pub(crate) const CONSTRAINT_KIND_PRIMARY_KEY: u8 = 1;

/// `st_constraint.kind` of a unique constraint.
pub(crate) const CONSTRAINT_KIND_UNIQUE: u8 = 2;

/// Bytes of one column id in a list.
const COLUMN_ID_BYTES: usize = size_of::<u32>();

/// A list of column ids as bytes.
pub(crate) fn encode_column_ids(columns: &[ColumnId]) -> Vec<u8> {
    columns
        .iter()
        .flat_map(|column| column.0.to_le_bytes())
        .collect()
}

/// The column ids of a list; `None` if the bytes are not a whole number of ids.
pub(crate) fn decode_column_ids(bytes: &[u8]) -> Option<Vec<ColumnId>> {
    let (ids, rest) = bytes.as_chunks::<COLUMN_ID_BYTES>();
    rest.is_empty().then(|| {
        ids.iter()
            .map(|id| ColumnId(u32::from_le_bytes(*id)))
            .collect()
    })
}

const _: () = assert!(COLUMN_ID_BYTES == 4);
