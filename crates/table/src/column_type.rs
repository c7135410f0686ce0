//! The types a column can have, each with the code that stands for it on disk.
//!
//! A code is one byte and is never reused: it is part of the stable replay ABI. A reader that meets a
//! code it does not know has met either damage or a newer format; the minimum reader mark tells which.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of a column; its discriminant is its code on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[repr(u8)]
pub enum ColumnType {
    /// False before true.
    Bool = 1,
    /// 8-bit signed integer.
    I8 = 2,
    /// 16-bit signed integer.
    I16 = 3,
    /// 32-bit signed integer.
    I32 = 4,
    /// 64-bit signed integer.
    I64 = 5,
    /// 128-bit signed integer.
    I128 = 6,
    /// 8-bit unsigned integer.
    U8 = 7,
    /// 16-bit unsigned integer.
    U16 = 8,
    /// 32-bit unsigned integer.
    U32 = 9,
    /// 64-bit unsigned integer.
    U64 = 10,
    /// 128-bit unsigned integer.
    U128 = 11,
    /// IEEE 754 single, in the total order of the standard.
    F32 = 12,
    /// IEEE 754 double, in the total order of the standard.
    F64 = 13,
    /// UTF-8 text, ordered by its bytes.
    String = 14,
    /// Any bytes, ordered as bytes.
    Bytes = 15,
    /// 16 bytes, ordered as bytes.
    Uuid = 16,
    /// Nanoseconds since the Unix epoch in UTC, signed 64-bit.
    Timestamp = 17,
}

impl ColumnType {
    /// Every type, in the order of the codes.
    pub const ALL: [ColumnType; 17] = [
        ColumnType::Bool,
        ColumnType::I8,
        ColumnType::I16,
        ColumnType::I32,
        ColumnType::I64,
        ColumnType::I128,
        ColumnType::U8,
        ColumnType::U16,
        ColumnType::U32,
        ColumnType::U64,
        ColumnType::U128,
        ColumnType::F32,
        ColumnType::F64,
        ColumnType::String,
        ColumnType::Bytes,
        ColumnType::Uuid,
        ColumnType::Timestamp,
    ];

    /// The code that stands for this type on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The type of a code, if this build knows it.
    pub const fn from_code(code: u8) -> Option<ColumnType> {
        if code == 0 || code as usize > Self::ALL.len() {
            return None;
        }
        Some(Self::ALL[code as usize - 1])
    }

    /// The lower-case name, as people write it: `i64`, `string`, ...
    pub const fn name(self) -> &'static str {
        match self {
            ColumnType::Bool => "bool",
            ColumnType::I8 => "i8",
            ColumnType::I16 => "i16",
            ColumnType::I32 => "i32",
            ColumnType::I64 => "i64",
            ColumnType::I128 => "i128",
            ColumnType::U8 => "u8",
            ColumnType::U16 => "u16",
            ColumnType::U32 => "u32",
            ColumnType::U64 => "u64",
            ColumnType::U128 => "u128",
            ColumnType::F32 => "f32",
            ColumnType::F64 => "f64",
            ColumnType::String => "string",
            ColumnType::Bytes => "bytes",
            ColumnType::Uuid => "uuid",
            ColumnType::Timestamp => "timestamp",
        }
    }

    /// The type of a name, exactly as [`ColumnType::name`] writes it.
    pub fn from_name(name: &str) -> Option<ColumnType> {
        Self::ALL
            .into_iter()
            .find(|column_type| column_type.name() == name)
    }

    /// The bytes of one value in a row, or `None` for strings and bytes.
    ///
    /// A bool is one byte in a row; inside a row page it is one bit.
    pub const fn fixed_width(self) -> Option<usize> {
        match self {
            ColumnType::Bool | ColumnType::I8 | ColumnType::U8 => Some(1),
            ColumnType::I16 | ColumnType::U16 => Some(2),
            ColumnType::I32 | ColumnType::U32 | ColumnType::F32 => Some(4),
            ColumnType::I64 | ColumnType::U64 | ColumnType::F64 | ColumnType::Timestamp => Some(8),
            ColumnType::I128 | ColumnType::U128 | ColumnType::Uuid => Some(16),
            ColumnType::String | ColumnType::Bytes => None,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl From<ColumnType> for u8 {
    fn from(column_type: ColumnType) -> u8 {
        column_type.code()
    }
}

impl TryFrom<u8> for ColumnType {
    type Error = UnknownColumnType;

    fn try_from(code: u8) -> Result<ColumnType, UnknownColumnType> {
        ColumnType::from_code(code).ok_or(UnknownColumnType { code })
    }
}

/// A type code that this build does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("column type code {code} is unknown to this build")]
pub struct UnknownColumnType {
    /// The code that was met.
    pub code: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_back_to_their_type() {
        for (index, column_type) in ColumnType::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(column_type.code()), index + 1);
            assert_eq!(ColumnType::from_code(column_type.code()), Some(column_type));
            assert_eq!(ColumnType::from_name(column_type.name()), Some(column_type));
        }
        assert_eq!(ColumnType::from_code(0), None);
        assert_eq!(ColumnType::from_code(18), None);
        assert_eq!(ColumnType::from_name("I64"), None);
    }
}
