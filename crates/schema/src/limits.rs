//! What ids and names may be. Each bound is written here and nowhere else.

use std::ops::Range;

/// The ids of system objects (tables, columns, indexes, constraints, sequences): half-open. User ids begin at its end.
pub const RESERVED: Range<u32> = 0..4096;

/// What the name of each system table and system sequence begins with, and no name that a user chooses.
pub const SYSTEM_PREFIX: &str = "st_";

/// The longest name of a table, column, index, constraint or sequence, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 128;

/// The longest default of a column, in bytes of its string or bytes. A table keeps defaults once for each layout that it has rows of, and every snapshot has them all.
/// Logs of builds before this limit may hold longer ones, which stay.
pub const DEFAULT_BYTES_MAX: usize = 8_000;

/// The most columns of one table.
pub const COLUMNS_MAX: usize = 1024;

/// The most columns of one index.
pub const INDEX_COLUMNS_MAX: usize = 32;

/// The most indexes of one table.
pub const INDEXES_MAX: usize = 256;

const _: () = assert!(RESERVED.start == 0);
const _: () = assert!(COLUMNS_MAX <= u16::MAX as usize);

/// How many rows an error shows of those that refuse a change.
pub(crate) const OFFENDERS_MAX: usize = 5;
