//! The rows of the catalog: which come first, and what stands in their cells of type bytes. How a row and a group are
//! written is the `table` crate's.
//!
//! ```text
//! genesis = transaction 0, groups from left to right
//!  +--------------------------------------------------------------------------------+
//!  | 1  insert into st_table        the rows of st_table and st_column    layout 1  |  frozen: read by
//!  | 2  insert into st_column       the columns of both                   layout 1  |  what is compiled in
//!  +--------------------------------------------------------------------------------+
//!  | 3  insert into st_table        the other system tables                         |
//!  | 4  insert into st_column       their columns: at its end they exist            |  read by the
//!  | 5  insert into st_index        the indexes of all system tables                |  rows before;
//!  | 6  insert into st_constraint   their keys: at its end they have them           |  ids may differ,
//!  | 7  insert into st_sequence     the sequences that ids come from                |  names may not
//!  | 8  insert into st_database     the id, minimum reader, minimum writer          |
//!  +--------------------------------------------------------------------------------+
//!  | what the user's initialiser did                                                |
//!  +--------------------------------------------------------------------------------+
//! ```
//!
//! The system tables (`?` may be null, `*` is the key, all under layout 1):
//!
//! ```text
//! 1 st_table       *table_id u32 | table_name string, unique
//! 2 st_column      *table_id u32 | *column_id u32 | position u16 | column_name string | type_code u8
//!                  | nullable bool | default_value bytes?
//! 3 st_index       *table_id u32 | *index_id u32 | index_name string | kind u8 | is_unique bool | column_ids bytes
//! 4 st_constraint  *table_id u32 | *constraint_id u32 | constraint_name string | kind u8 | index_id u32?
//!                  | target_table_id u32?, later | target_index_id u32?, later
//! 5 st_sequence    *sequence_id u32 | table_id u32? | column_id u32? | sequence_name string | next_value i128?
//!                  | start_value i128 | step i128 | minimum i128 | maximum i128 | cycle bool
//! 6 st_database    *database_id uuid | minimum_reader u16 | minimum_writer u16
//! ```
//!
//! 1 and 2 are the seeds: their ids, these columns and these indexes (1 `primary_key` and 2 `by_name` of `st_table`,
//! 3 `primary_key` of `st_column`) are frozen; columns and indexes may only be added. Of the others everything but the
//! names and types of these columns may differ from log to log.
//!
//! ```text
//! st_column.default_value = one encoded value
//!  +---------------+-------------------------------------------------+
//!  | type code u8  | the value little-endian, or all its bytes       |
//!  +---------------+-------------------------------------------------+
//!
//! st_index.column_ids = the columns of the index, most significant first
//!  +---------------------+---------------------+-- ...
//!  | column id u32       | column id u32       |
//!  +---------------------+---------------------+-- ...
//! ```
//!
//! A group is read under the layout that is in force at its start. At the end of a group of rows that describe a table,
//! the table follows: it is made when it has columns, a change of its columns raises its layout number by one (the first
//! is 1), indexes and key come and go, and it is dropped when its row in `st_table` is deleted. While the positions of its columns
//! have a gap nothing follows; a later group of the same transaction closes it. A column keeps its id for life, so rows find
//! their values by it whatever the positions.
//!
//! An id below 4096 is a system object's, all others are users'. Ids come from the sequences without a table
//! (`st_table_id`, `st_column_id`, `st_index_id`, `st_constraint_id`, `st_sequence_id`; `st_system_id` for system objects
//! of every kind) and are never used again. `next_value` is null when a sequence has given its last number.
//!
//! Codes: `st_index.kind` 1 = ordered, 2 = hash; `st_constraint.kind` 1 = primary key, 2 = unique, 3 = foreign key, the only one with a
//! target. Columns marked as later stand in logs that were begun by a build that knows them, or upgraded by one; all others have them as null.
//!
//! Minimum readers: 1 for all that is not named here, 2 from the first hash index of a user's table on, 3 from the first column on that
//! was dropped, widened, or changed whether it may be null. A snapshot asks for 4 while a table in it has rows that stand as they did before its
//! columns changed, and for 5 while it has a hash index, whose tags stand apart from its entries; the log behind it does not. Minimum writers: 1 for all that is not named here, 2 from the first foreign key
//! on.

use table::{IndexKind, Marks};

use crate::column_id::ColumnId;

/// The layout number of every table when it is made; of the seeds before the genesis.
pub(crate) const FIRST_LAYOUT: u32 = 1;

/// What this build reads: logs and snapshots whose minimum reader is no greater.
pub const READER_VERSION: u16 = 5;

/// What this build writes: to logs whose minimum writer is no greater.
pub const WRITER_VERSION: u16 = 2;

/// The minimum reader of a log that uses nothing but what every build reads.
pub(crate) const FIRST_READER: u16 = 1;

/// The minimum writer of a log that uses nothing but what every build keeps to.
pub(crate) const FIRST_WRITER: u16 = 1;

/// The minimum writer of a log that has, or had, a foreign key.
pub(crate) const WRITER_OF_FOREIGN_KEYS: u16 = 2;

/// The marks of what asks for a reader and for nothing of a writer.
pub(crate) const fn marks_of_reader(minimum_reader: u16) -> Marks {
    Marks {
        minimum_reader,
        minimum_writer: FIRST_WRITER,
    }
}

/// The minimum reader of a log that has, or had, an index of a kind.
pub(crate) fn reader_of_kind(kind: IndexKind) -> u16 {
    match kind {
        IndexKind::Ordered => FIRST_READER,
        IndexKind::Hash => 2,
    }
}

/// The minimum reader of a log in which a column was dropped, widened, or changed whether it may be null.
pub(crate) const READER_OF_COLUMN_CHANGES: u16 = 3;

/// The minimum reader of a snapshot in which a table has rows of older layouts.
pub(crate) const READER_OF_OLDER_LAYOUTS: u16 = 4;

/// The minimum reader of a snapshot with a hash index.
pub(crate) const READER_OF_TAGS_APART: u16 = 5;

/// `st_constraint.kind` of a primary key.
pub(crate) const CONSTRAINT_KIND_PRIMARY_KEY: u8 = 1;

/// `st_constraint.kind` of a unique constraint.
pub(crate) const CONSTRAINT_KIND_UNIQUE: u8 = 2;

/// `st_constraint.kind` of a foreign key.
pub(crate) const CONSTRAINT_KIND_FOREIGN_KEY: u8 = 3;

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
const _: () = assert!(IndexKind::Ordered as u8 == 1 && IndexKind::Hash as u8 == 2);
