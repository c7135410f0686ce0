//! Bytes of a key, row or transaction that no writer of this format could have written.

use crate::ColumnType;

/// Bytes that do not decode: where, and what is wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed at byte {byte_offset}: {kind}")]
pub struct Malformed {
    /// Bytes from the start of what was being decoded (the transaction, if it was one).
    pub byte_offset: usize,
    /// What is wrong.
    pub kind: MalformedKind,
}

impl Malformed {
    /// The same fault seen from a container that holds these bytes at `base`.
    #[must_use]
    pub fn within(self, base: usize) -> Malformed {
        Malformed {
            byte_offset: self.byte_offset.saturating_add(base),
            kind: self.kind,
        }
    }
}

/// What can be wrong with the bytes of a key, row or transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedKind {
    /// The bytes end inside something.
    #[error("the bytes end too early")]
    Truncated,
    /// Bytes are left over after the last item.
    #[error("{count} bytes follow the end")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The payload's version is not one that this build reads.
    #[error("transaction version {found}, this build reads {expected}")]
    Version {
        /// The version this build reads.
        expected: u8,
        /// The version found.
        found: u8,
    },
    /// A byte or bit that must be zero is not.
    #[error("a reserved bit is set")]
    Reserved,
    /// A group operation that this build does not know.
    #[error("group operation {code} is unknown to this build")]
    Operation {
        /// The code found.
        code: u8,
    },
    /// A type code that this build does not know.
    #[error("column type code {code} is unknown to this build")]
    ColumnType {
        /// The code found.
        code: u8,
    },
    /// A group without rows, or with more rows than its bytes can hold.
    #[error("{row_count} rows in {byte_length} bytes")]
    RowCount {
        /// Rows the header states.
        row_count: u32,
        /// Bytes the header states.
        byte_length: u64,
    },
    /// The head of a table, as a snapshot keeps it, contradicts itself or is of another version.
    #[error("the head of a table can not be read")]
    TableHead,
    /// A bool that is neither 0 nor 1.
    #[error("a bool of {found}")]
    Bool {
        /// The byte found.
        found: u8,
    },
    /// A string that is not UTF-8.
    #[error("a string is not utf-8")]
    Utf8,
    /// A length written with more bytes than it needs, or one that is too large.
    #[error("a length is overlong or too large")]
    Length,
    /// A key's null tag or escape that no encoder writes.
    #[error("byte {found:#04x} where a key has a tag or an escape")]
    KeyByte {
        /// The byte found.
        found: u8,
    },
    /// An update that names no column.
    #[error("an update of no column")]
    NoColumn,
    /// A value of another type than the column has.
    #[error("a fixed value of {expected} has {found} bytes")]
    Width {
        /// The type whose width is not met.
        expected: ColumnType,
        /// The bytes found.
        found: usize,
    },
}

impl MalformedKind {
    /// This fault at a place.
    pub(crate) const fn at(self, byte_offset: usize) -> Malformed {
        Malformed {
            byte_offset,
            kind: self,
        }
    }
}
