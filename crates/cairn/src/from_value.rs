//! Values as Rust types.

use table::Value;

use crate::timestamp::Timestamp;

/// A Rust type that a cell can be read as, and, turned into a [`Value`], written. `Option` of it is null or a value.
///
/// There is one for each type of a column: `bool`, the integers and floats under their own names, `String`, `Vec<u8>` for bytes,
/// `[u8; 16]` for a uuid, [`Timestamp`].
pub trait FromValue: Sized {
    /// The type's name in messages.
    const NAME: &'static str;

    /// The value, or nothing if the cell holds null or another type. Nothing is converted: an `i32` column is an `i32`.
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for Value {
    const NAME: &'static str = "any value";

    fn from_value(value: Value) -> Option<Self> {
        Some(value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const NAME: &'static str = T::NAME;

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

macro_rules! from_value {
    ($($rust:ty => $variant:ident, $name:literal);* $(;)?) => {$(
        impl FromValue for $rust {
            const NAME: &'static str = $name;

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$variant(value) => Some(value),
                    _ => None,
                }
            }
        }
    )*};
}

from_value! {
    bool => Bool, "bool";
    i8 => I8, "i8";
    i16 => I16, "i16";
    i32 => I32, "i32";
    i64 => I64, "i64";
    i128 => I128, "i128";
    u8 => U8, "u8";
    u16 => U16, "u16";
    u32 => U32, "u32";
    u64 => U64, "u64";
    u128 => U128, "u128";
    f32 => F32, "f32";
    f64 => F64, "f64";
    String => String, "string";
    Vec<u8> => Bytes, "bytes";
    [u8; 16] => Uuid, "uuid";
}

impl FromValue for Timestamp {
    const NAME: &'static str = "timestamp";

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Timestamp(nanoseconds) => Some(Timestamp(nanoseconds)),
            _ => None,
        }
    }
}
