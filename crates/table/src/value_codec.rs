//! One value by itself, drawn in `value_format.rs`: the default of a column, as the catalog keeps it.

use crate::malformed::{Malformed, MalformedKind};
use crate::value_format::NULL_CODE;
use crate::{ColumnType, ValueRef};

/// Encodes one value with its type code.
pub fn encode_value(value: ValueRef<'_>) -> Vec<u8> {
    let mut out = vec![value.code()];
    match value.variable_bytes() {
        Some(bytes) => out.extend_from_slice(bytes),
        None => put_fixed(value, &mut out),
    }
    out
}

/// Decodes one value with its type code; the whole buffer is the value.
///
/// # Errors
/// [`Malformed`] unless the bytes are exactly what [`encode_value`] writes.
pub fn decode_value(bytes: &[u8]) -> Result<ValueRef<'_>, Malformed> {
    let (&code, body) = bytes.split_first().ok_or(MalformedKind::Truncated.at(0))?;
    if code == NULL_CODE {
        return match body.len() {
            0 => Ok(ValueRef::Null),
            count => Err(MalformedKind::Trailing { count }.at(1)),
        };
    }
    let column_type =
        ColumnType::from_code(code).ok_or(MalformedKind::ColumnType { code }.at(0))?;
    value_of_bytes(column_type, body).map_err(|kind| kind.at(1))
}

/// Appends the little-endian bytes of a fixed-width value; nothing for null, strings and bytes.
#[inline]
pub(crate) fn put_fixed(value: ValueRef<'_>, out: &mut Vec<u8>) {
    with_fixed_bytes(value, |bytes| out.extend_from_slice(bytes));
}

/// Hands on the little-endian bytes of a fixed-width value; none for null, strings and bytes.
#[inline]
pub(crate) fn with_fixed_bytes<T>(value: ValueRef<'_>, put: impl FnOnce(&[u8]) -> T) -> T {
    match value {
        ValueRef::Null | ValueRef::String(_) | ValueRef::Bytes(_) => put(&[]),
        ValueRef::Bool(value) => put(&[u8::from(value)]),
        ValueRef::I8(value) => put(&value.to_le_bytes()),
        ValueRef::I16(value) => put(&value.to_le_bytes()),
        ValueRef::I32(value) => put(&value.to_le_bytes()),
        ValueRef::I64(value) | ValueRef::Timestamp(value) => put(&value.to_le_bytes()),
        ValueRef::I128(value) => put(&value.to_le_bytes()),
        ValueRef::U8(value) => put(&[value]),
        ValueRef::U16(value) => put(&value.to_le_bytes()),
        ValueRef::U32(value) => put(&value.to_le_bytes()),
        ValueRef::U64(value) => put(&value.to_le_bytes()),
        ValueRef::U128(value) => put(&value.to_le_bytes()),
        ValueRef::F32(value) => put(&value.to_le_bytes()),
        ValueRef::F64(value) => put(&value.to_le_bytes()),
        ValueRef::Uuid(value) => put(&value),
    }
}

/// The value of a type whose whole body is `bytes`.
#[inline(always)]
pub(crate) fn value_of_bytes(
    column_type: ColumnType,
    bytes: &[u8],
) -> Result<ValueRef<'_>, MalformedKind> {
    /// The bytes as an array of the width that the type has.
    #[inline]
    fn array<const N: usize>(
        column_type: ColumnType,
        bytes: &[u8],
    ) -> Result<[u8; N], MalformedKind> {
        bytes.try_into().map_err(|_| MalformedKind::Width {
            expected: column_type,
            found: bytes.len(),
        })
    }
    Ok(match column_type {
        ColumnType::Bool => match array::<1>(column_type, bytes)? {
            [0] => ValueRef::Bool(false),
            [1] => ValueRef::Bool(true),
            [found] => return Err(MalformedKind::Bool { found }),
        },
        ColumnType::I8 => ValueRef::I8(i8::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::I16 => ValueRef::I16(i16::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::I32 => ValueRef::I32(i32::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::I64 => ValueRef::I64(i64::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::I128 => ValueRef::I128(i128::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::U8 => ValueRef::U8(u8::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::U16 => ValueRef::U16(u16::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::U32 => ValueRef::U32(u32::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::U64 => ValueRef::U64(u64::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::U128 => ValueRef::U128(u128::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::F32 => ValueRef::F32(f32::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::F64 => ValueRef::F64(f64::from_le_bytes(array(column_type, bytes)?)),
        ColumnType::String => {
            ValueRef::String(std::str::from_utf8(bytes).map_err(|_| MalformedKind::Utf8)?)
        }
        ColumnType::Bytes => ValueRef::Bytes(bytes),
        ColumnType::Uuid => ValueRef::Uuid(array(column_type, bytes)?),
        ColumnType::Timestamp => {
            ValueRef::Timestamp(i64::from_le_bytes(array(column_type, bytes)?))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn every_type_code_has_its_golden_bytes() {
        let rows: &[(Value, &[u8])] = &[
            (Value::Null, &[0]),
            (Value::Bool(true), &[1, 1]),
            (Value::I8(-2), &[2, 0xfe]),
            (Value::I16(-2), &[3, 0xfe, 0xff]),
            (Value::I32(0x0102_0304), &[4, 4, 3, 2, 1]),
            (Value::I64(-1), &[5, 255, 255, 255, 255, 255, 255, 255, 255]),
            (
                Value::I128(1),
                &[6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (Value::U8(200), &[7, 200]),
            (Value::U16(0x0102), &[8, 2, 1]),
            (Value::U32(7), &[9, 7, 0, 0, 0]),
            (Value::U64(7), &[10, 7, 0, 0, 0, 0, 0, 0, 0]),
            (
                Value::U128(7),
                &[11, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (Value::F32(1.0), &[12, 0, 0, 0x80, 0x3f]),
            (Value::F64(-2.0), &[13, 0, 0, 0, 0, 0, 0, 0, 0xc0]),
            (Value::String("hé".into()), &[14, b'h', 0xc3, 0xa9]),
            (Value::Bytes(vec![0, 255]), &[15, 0, 255]),
            (
                Value::Uuid([9; 16]),
                &[16, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
            ),
            (Value::Timestamp(1), &[17, 1, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (value, bytes) in rows {
            assert_eq!(encode_value(value.as_ref()), *bytes, "{value}");
            assert_eq!(decode_value(bytes).unwrap(), value.as_ref());
            let stored = postcard::to_stdvec(value).unwrap();
            assert_eq!(stored[1..], **bytes);
            assert_eq!(postcard::from_bytes::<Value>(&stored).unwrap(), *value);
        }
    }

    #[test]
    fn what_no_encoder_writes_is_refused() {
        let rows: &[(&[u8], MalformedKind)] = &[
            (&[], MalformedKind::Truncated),
            (&[0, 0], MalformedKind::Trailing { count: 1 }),
            (&[18], MalformedKind::ColumnType { code: 18 }),
            (&[1, 2], MalformedKind::Bool { found: 2 }),
            (
                &[5, 1],
                MalformedKind::Width {
                    expected: ColumnType::I64,
                    found: 1,
                },
            ),
            (&[14, 0xff], MalformedKind::Utf8),
        ];
        for (bytes, kind) in rows {
            assert_eq!(decode_value(bytes).unwrap_err().kind, *kind);
        }
    }
}
