//! One value that owns its bytes; [`ValueRef`] is the same borrowed.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ColumnType;
use crate::value_codec::{decode_value, encode_value};
pub(crate) use crate::value_ref::ValueRef;
use crate::value_ref::{AsIs, TakeValue};

/// Most bytes in a string or in bytes: what a signed 32-bit length of an Arrow view can say.
pub const VALUE_BYTES_MAX: usize = 0x7fff_ffff;

/// One value of a row, or null.
///
/// Ordered and compared as [`ValueRef`] is: null first, then by type code, then by value, floats in
/// their total order (so `-0.0 != 0.0`, and a NaN equals the same NaN).
#[derive(Debug, Clone)]
pub enum Value {
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
    String(String),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// 16 bytes.
    Uuid([u8; 16]),
    /// Nanoseconds since the Unix epoch, UTC.
    Timestamp(i64),
}

impl Value {
    /// The same value, borrowed.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        self.give_to(AsIs)
    }

    /// Hands on the value, borrowed.
    #[inline(always)]
    pub(crate) fn give_to<'a, T: TakeValue<'a>>(&'a self, taker: T) -> T::Taken {
        match self {
            Value::Null => taker.take(ValueRef::Null),
            Value::Bool(value) => taker.take(ValueRef::Bool(*value)),
            Value::I8(value) => taker.take(ValueRef::I8(*value)),
            Value::I16(value) => taker.take(ValueRef::I16(*value)),
            Value::I32(value) => taker.take(ValueRef::I32(*value)),
            Value::I64(value) => taker.take(ValueRef::I64(*value)),
            Value::I128(value) => taker.take(ValueRef::I128(*value)),
            Value::U8(value) => taker.take(ValueRef::U8(*value)),
            Value::U16(value) => taker.take(ValueRef::U16(*value)),
            Value::U32(value) => taker.take(ValueRef::U32(*value)),
            Value::U64(value) => taker.take(ValueRef::U64(*value)),
            Value::U128(value) => taker.take(ValueRef::U128(*value)),
            Value::F32(value) => taker.take(ValueRef::F32(*value)),
            Value::F64(value) => taker.take(ValueRef::F64(*value)),
            Value::String(value) => taker.take(ValueRef::String(value)),
            Value::Bytes(value) => taker.take(ValueRef::Bytes(value)),
            Value::Uuid(value) => taker.take(ValueRef::Uuid(*value)),
            Value::Timestamp(value) => taker.take(ValueRef::Timestamp(*value)),
        }
    }

    /// The type of the value; `None` for null.
    pub fn column_type(&self) -> Option<ColumnType> {
        self.as_ref().column_type()
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), formatter)
    }
}

impl<'a> From<ValueRef<'a>> for Value {
    fn from(value: ValueRef<'a>) -> Value {
        value.to_value()
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

macro_rules! from_rust {
    ($($rust:ty => $variant:ident),* $(,)?) => {$(
        impl From<$rust> for Value {
            fn from(value: $rust) -> Value {
                Value::$variant(value.into())
            }
        }
    )*};
}

from_rust!(
    bool => Bool, i8 => I8, i16 => I16, i32 => I32, i64 => I64, i128 => I128,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64, u128 => U128, f32 => F32, f64 => F64,
    String => String, &str => String, Vec<u8> => Bytes, &[u8] => Bytes, [u8; 16] => Uuid,
);

/// Serialised as the bytes of [`encode_value`], whose codes are frozen, never by the order of the variants.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&encode_value(self.as_ref()))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_bytes(EncodedValueVisitor)
    }
}

struct EncodedValueVisitor;

impl Visitor<'_> for EncodedValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the bytes of an encoded value")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        decode_value(bytes)
            .map(ValueRef::to_value)
            .map_err(E::custom)
    }
}
