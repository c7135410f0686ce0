//! The payload of a record: one transaction, as groups of rows.
//!
//! ```text
//! transaction
//!  0  | version u8 | zero u8 | minimum reader u16 | minimum writer u16 | zero u16       |
//!  8  | group, group, ... to the end of the payload                                     |
//!
//! group
//!  0  | table id u32                              | layout number u32                   |
//!  8  | operation u8 | zero 3 bytes               | row count u32, at least 1           |
//! 16  | byte length of the rows u64                                                     |
//! 24  | rows: exactly that many bytes                                                   |
//!
//! operation  1 insert         row  = values of all columns
//!            2 delete by key  row  = values of the key's columns, in the key's order
//!            3 delete row     row  = values of all columns (a table without a key)
//!            4 update by key  row  = values of the key's columns, in the key's order;
//!                                    column bitmap, ceil(columns / 8) bytes, at least one bit set;
//!                                    values of the columns whose bit is set, in the layout's order
//!
//! values     | null bitmap: a bit for each *nullable* column among them, 1 = null, ceil(n / 8) bytes |
//!            | then each value that is not null:                                                     |
//!            |   bool one byte 0 or 1; numbers, timestamps little-endian; uuid 16 bytes;             |
//!            |   string, bytes: length as LEB128 (shortest form, below 2^31), then the bytes         |
//! ```
//!
//! Integers are little-endian; bitmaps are LSB first and zero past their last bit. Each row has exactly one
//! encoding, so equal rows are equal bytes: content is hashed, and a row is named, by them. Groups apply strictly
//! left to right and can be skipped without their schema. The two marks stand at a fixed place in every version,
//! so a build that is too old can still name them.

/// The version that this build writes and reads.
pub(crate) const TRANSACTION_VERSION: u8 = 1;

/// Byte offsets in the transaction's header.
pub(crate) mod header {
    pub(crate) const VERSION: usize = 0;
    pub(crate) const RESERVED_A: usize = VERSION + 1;
    pub(crate) const MINIMUM_READER: usize = RESERVED_A + 1;
    pub(crate) const MINIMUM_WRITER: usize = MINIMUM_READER + 2;
    pub(crate) const RESERVED_B: usize = MINIMUM_WRITER + 2;
    pub(crate) const BYTES: usize = RESERVED_B + 2;
}

/// Byte offsets in a group's header.
pub(crate) mod group {
    pub(crate) const TABLE: usize = 0;
    pub(crate) const LAYOUT: usize = TABLE + 4;
    pub(crate) const OPERATION: usize = LAYOUT + 4;
    pub(crate) const RESERVED: usize = OPERATION + 1;
    pub(crate) const ROW_COUNT: usize = RESERVED + 3;
    pub(crate) const BYTE_LENGTH: usize = ROW_COUNT + 4;
    pub(crate) const BYTES: usize = BYTE_LENGTH + 8;
}

const _: () = assert!(header::BYTES == 8);
const _: () = assert!(group::BYTES == 24);
