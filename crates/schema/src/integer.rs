//! Integers of every width as one: what sequences count in.

use table::{ColumnType, Value};

/// The least and the greatest number of an integer column, cut to what a sequence can count; `None` for other types.
pub(crate) fn bounds(column_type: ColumnType) -> Option<(i128, i128)> {
    Some(match column_type {
        ColumnType::I8 => (i8::MIN.into(), i8::MAX.into()),
        ColumnType::I16 => (i16::MIN.into(), i16::MAX.into()),
        ColumnType::I32 => (i32::MIN.into(), i32::MAX.into()),
        ColumnType::I64 => (i64::MIN.into(), i64::MAX.into()),
        ColumnType::I128 => (i128::MIN, i128::MAX),
        ColumnType::U8 => (0, u8::MAX.into()),
        ColumnType::U16 => (0, u16::MAX.into()),
        ColumnType::U32 => (0, u32::MAX.into()),
        ColumnType::U64 => (0, u64::MAX.into()),
        ColumnType::U128 => (0, i128::MAX),
        _ => return None,
    })
}

/// A number as a value of an integer column; `None` if it does not fit or the type is no integer.
pub(crate) fn value(column_type: ColumnType, number: i128) -> Option<Value> {
    Some(match column_type {
        ColumnType::I8 => Value::I8(number.try_into().ok()?),
        ColumnType::I16 => Value::I16(number.try_into().ok()?),
        ColumnType::I32 => Value::I32(number.try_into().ok()?),
        ColumnType::I64 => Value::I64(number.try_into().ok()?),
        ColumnType::I128 => Value::I128(number),
        ColumnType::U8 => Value::U8(number.try_into().ok()?),
        ColumnType::U16 => Value::U16(number.try_into().ok()?),
        ColumnType::U32 => Value::U32(number.try_into().ok()?),
        ColumnType::U64 => Value::U64(number.try_into().ok()?),
        ColumnType::U128 => Value::U128(number.try_into().ok()?),
        _ => return None,
    })
}

/// The number in an integer value; `None` for other values and for what lies beyond `i128`.
pub(crate) fn number(value: &Value) -> Option<i128> {
    Some(match *value {
        Value::I8(number) => number.into(),
        Value::I16(number) => number.into(),
        Value::I32(number) => number.into(),
        Value::I64(number) => number.into(),
        Value::I128(number) => number,
        Value::U8(number) => number.into(),
        Value::U16(number) => number.into(),
        Value::U32(number) => number.into(),
        Value::U64(number) => number.into(),
        Value::U128(number) => number.try_into().ok()?,
        _ => return None,
    })
}
