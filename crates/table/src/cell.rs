//! One value of a row page, read and to be written.

use crate::row_format::INLINE_BYTES_MAX;
use crate::{LongPlace, ValueRef};

/// A value as it stands in a row page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A value that stands in the page, or null.
    Value(ValueRef<'a>),
    /// A string or bytes that stand elsewhere.
    Long {
        /// Length of the value in bytes.
        len: u32,
        /// The first bytes of the value, as its view says.
        prefix: [u8; 4],
        /// Where it stands.
        place: LongPlace,
    },
}

/// A value to write into a row page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellInput<'a> {
    /// A value that shall stand in the page, or null.
    Value(ValueRef<'a>),
    /// A string or bytes that stand elsewhere.
    Long {
        /// Length of the value in bytes.
        len: u32,
        /// The first bytes of the value, as far as there are any.
        prefix: [u8; 4],
        /// Where it stands.
        place: LongPlace,
    },
}

impl CellInput<'_> {
    /// Null.
    pub const NULL: CellInput<'static> = CellInput::Value(ValueRef::Null);

    /// A value whose bytes stand elsewhere.
    ///
    /// # Panics
    /// If the value is longer than [`VALUE_BYTES_MAX`](crate::VALUE_BYTES_MAX), or short enough for a view.
    pub fn long(bytes: &[u8], place: LongPlace) -> CellInput<'static> {
        assert!(
            bytes.len() > INLINE_BYTES_MAX,
            "a short value stands in its view"
        );
        assert!(
            bytes.len() <= crate::VALUE_BYTES_MAX,
            "a value longer than the format can say"
        );
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        CellInput::Long {
            len,
            prefix: [bytes[0], bytes[1], bytes[2], bytes[3]],
            place,
        }
    }

    /// The bytes that the value takes in the page's heap.
    pub fn heap_bytes(&self) -> u32 {
        match self {
            CellInput::Long { .. } => 0,
            CellInput::Value(value) => match value.variable_bytes() {
                Some(bytes) if bytes.len() > INLINE_BYTES_MAX => {
                    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
                }
                _ => 0,
            },
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, CellInput::Value(ValueRef::Null))
    }
}

impl<'a> From<ValueRef<'a>> for CellInput<'a> {
    fn from(value: ValueRef<'a>) -> CellInput<'a> {
        CellInput::Value(value)
    }
}
