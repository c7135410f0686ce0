//! One value whose bytes stand elsewhere: in a page, in a row of a transaction, in a [`Value`].

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::value_codec::with_fixed_bytes;
use crate::value_format::NULL_CODE;
use crate::{ColumnType, Value};

/// One borrowed value of a row, or null.
///
/// The total order: null first, then by type code, then by value; bools false first, integers as
/// numbers, floats as `total_cmp` (equal means the same bits), strings, bytes and uuids by their bytes,
/// timestamps by time. Indexes, keys and digests all use this order.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// False or true.
    Bool(bool),
    /// 8-bit signed integer.
    I8(i8),
    /// 16-bit signed integer.
    I16(i16),
    /// 32-bit signed integer.
    I32(i32),
    /// 64-bit signed integer.
    I64(i64),
    /// 128-bit signed integer.
    I128(i128),
    /// 8-bit unsigned integer.
    U8(u8),
    /// 16-bit unsigned integer.
    U16(u16),
    /// 32-bit unsigned integer.
    U32(u32),
    /// 64-bit unsigned integer.
    U64(u64),
    /// 128-bit unsigned integer.
    U128(u128),
    /// IEEE 754 single.
    F32(f32),
    /// IEEE 754 double.
    F64(f64),
    /// UTF-8 text.
    String(&'a str),
    /// Any bytes.
    Bytes(&'a [u8]),
    /// 16 bytes.
    Uuid([u8; 16]),
    /// Nanoseconds since the Unix epoch, UTC.
    Timestamp(i64),
}

/// What is done with a value. It is compiled for each type by itself where the type is found out: a value that is put together in
/// memory and taken apart again keeps a processor waiting.
pub(crate) trait TakeValue<'a> {
    /// What comes of it.
    type Taken;

    fn take(self, value: ValueRef<'a>) -> Self::Taken;
}

/// Takes a value as it is.
pub(crate) struct AsIs;

impl<'a> TakeValue<'a> for AsIs {
    type Taken = ValueRef<'a>;

    #[inline(always)]
    fn take(self, value: ValueRef<'a>) -> ValueRef<'a> {
        value
    }
}

/// Hands a value on to a closure.
pub(crate) struct HandTo<'f, F>(pub(crate) &'f mut F);

impl<'a, T, F: FnMut(ValueRef<'a>) -> T> TakeValue<'a> for HandTo<'_, F> {
    type Taken = T;

    #[inline(always)]
    fn take(self, value: ValueRef<'a>) -> T {
        (self.0)(value)
    }
}

impl<'a> ValueRef<'a> {
    /// The type of the value; `None` for null.
    #[inline]
    pub fn column_type(self) -> Option<ColumnType> {
        Some(match self {
            ValueRef::Null => return None,
            ValueRef::Bool(_) => ColumnType::Bool,
            ValueRef::I8(_) => ColumnType::I8,
            ValueRef::I16(_) => ColumnType::I16,
            ValueRef::I32(_) => ColumnType::I32,
            ValueRef::I64(_) => ColumnType::I64,
            ValueRef::I128(_) => ColumnType::I128,
            ValueRef::U8(_) => ColumnType::U8,
            ValueRef::U16(_) => ColumnType::U16,
            ValueRef::U32(_) => ColumnType::U32,
            ValueRef::U64(_) => ColumnType::U64,
            ValueRef::U128(_) => ColumnType::U128,
            ValueRef::F32(_) => ColumnType::F32,
            ValueRef::F64(_) => ColumnType::F64,
            ValueRef::String(_) => ColumnType::String,
            ValueRef::Bytes(_) => ColumnType::Bytes,
            ValueRef::Uuid(_) => ColumnType::Uuid,
            ValueRef::Timestamp(_) => ColumnType::Timestamp,
        })
    }

    /// Whether this is null.
    pub fn is_null(self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// The same value with its own bytes.
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(value) => Value::Bool(value),
            ValueRef::I8(value) => Value::I8(value),
            ValueRef::I16(value) => Value::I16(value),
            ValueRef::I32(value) => Value::I32(value),
            ValueRef::I64(value) => Value::I64(value),
            ValueRef::I128(value) => Value::I128(value),
            ValueRef::U8(value) => Value::U8(value),
            ValueRef::U16(value) => Value::U16(value),
            ValueRef::U32(value) => Value::U32(value),
            ValueRef::U64(value) => Value::U64(value),
            ValueRef::U128(value) => Value::U128(value),
            ValueRef::F32(value) => Value::F32(value),
            ValueRef::F64(value) => Value::F64(value),
            ValueRef::String(value) => Value::String(value.to_owned()),
            ValueRef::Bytes(value) => Value::Bytes(value.to_owned()),
            ValueRef::Uuid(value) => Value::Uuid(value),
            ValueRef::Timestamp(value) => Value::Timestamp(value),
        }
    }

    /// The bytes of a string or of bytes; `None` for every other type.
    #[inline]
    pub fn variable_bytes(self) -> Option<&'a [u8]> {
        match self {
            ValueRef::String(value) => Some(value.as_bytes()),
            ValueRef::Bytes(value) => Some(value),
            _ => None,
        }
    }

    /// Whether the value has these bytes in an encoded row; those of null are none.
    #[inline(always)]
    pub(crate) fn is_encoded_as(self, bytes: Option<&[u8]>) -> bool {
        match (self, bytes) {
            (ValueRef::Null, bytes) => bytes.is_none(),
            (_, None) => false,
            (value, Some(bytes)) => match value.variable_bytes() {
                Some(variable) => variable == bytes,
                None => with_fixed_bytes(value, |fixed| fixed == bytes),
            },
        }
    }

    /// The type's code, 0 for null: the first thing the order looks at.
    pub(crate) fn code(self) -> u8 {
        self.column_type().map_or(NULL_CODE, ColumnType::code)
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ValueRef<'_> {}

impl PartialOrd for ValueRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ValueRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (ValueRef::Bool(a), ValueRef::Bool(b)) => a.cmp(b),
            (ValueRef::I8(a), ValueRef::I8(b)) => a.cmp(b),
            (ValueRef::I16(a), ValueRef::I16(b)) => a.cmp(b),
            (ValueRef::I32(a), ValueRef::I32(b)) => a.cmp(b),
            (ValueRef::I64(a), ValueRef::I64(b)) => a.cmp(b),
            (ValueRef::I128(a), ValueRef::I128(b)) => a.cmp(b),
            (ValueRef::U8(a), ValueRef::U8(b)) => a.cmp(b),
            (ValueRef::U16(a), ValueRef::U16(b)) => a.cmp(b),
            (ValueRef::U32(a), ValueRef::U32(b)) => a.cmp(b),
            (ValueRef::U64(a), ValueRef::U64(b)) => a.cmp(b),
            (ValueRef::U128(a), ValueRef::U128(b)) => a.cmp(b),
            (ValueRef::F32(a), ValueRef::F32(b)) => a.total_cmp(b),
            (ValueRef::F64(a), ValueRef::F64(b)) => a.total_cmp(b),
            (ValueRef::String(a), ValueRef::String(b)) => a.cmp(b),
            (ValueRef::Bytes(a), ValueRef::Bytes(b)) => a.cmp(b),
            (ValueRef::Uuid(a), ValueRef::Uuid(b)) => a.cmp(b),
            (ValueRef::Timestamp(a), ValueRef::Timestamp(b)) => a.cmp(b),
            _ => self.code().cmp(&other.code()),
        }
    }
}

impl Hash for ValueRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.code().hash(state);
        match self {
            ValueRef::Null => {}
            ValueRef::Bool(value) => value.hash(state),
            ValueRef::I8(value) => value.hash(state),
            ValueRef::I16(value) => value.hash(state),
            ValueRef::I32(value) => value.hash(state),
            ValueRef::I64(value) | ValueRef::Timestamp(value) => value.hash(state),
            ValueRef::I128(value) => value.hash(state),
            ValueRef::U8(value) => value.hash(state),
            ValueRef::U16(value) => value.hash(state),
            ValueRef::U32(value) => value.hash(state),
            ValueRef::U64(value) => value.hash(state),
            ValueRef::U128(value) => value.hash(state),
            ValueRef::F32(value) => value.to_bits().hash(state),
            ValueRef::F64(value) => value.to_bits().hash(state),
            ValueRef::String(value) => value.hash(state),
            ValueRef::Bytes(value) => value.hash(state),
            ValueRef::Uuid(value) => value.hash(state),
        }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> ValueRef<'a> {
        value.as_ref()
    }
}

/// A value read as a Rust type that it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is not a {expected}")]
pub struct WrongValueType {
    /// The type that was asked for.
    pub expected: ColumnType,
    /// The type the value has; `None` for null.
    pub found: Option<ColumnType>,
}

macro_rules! rust_conversions {
    ($($rust:ty => $variant:ident),* $(,)?) => {$(
        impl<'a> From<$rust> for ValueRef<'a> {
            fn from(value: $rust) -> ValueRef<'a> {
                ValueRef::$variant(value)
            }
        }

        impl<'a> TryFrom<ValueRef<'a>> for $rust {
            type Error = WrongValueType;

            fn try_from(value: ValueRef<'a>) -> Result<$rust, WrongValueType> {
                match value {
                    ValueRef::$variant(value) => Ok(value),
                    other => Err(WrongValueType {
                        expected: ColumnType::$variant,
                        found: other.column_type(),
                    }),
                }
            }
        }
    )*};
}

rust_conversions!(
    bool => Bool, i8 => I8, i16 => I16, i32 => I32, i64 => I64, i128 => I128,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64, u128 => U128, f32 => F32, f64 => F64,
    &'a str => String, &'a [u8] => Bytes, [u8; 16] => Uuid,
);
