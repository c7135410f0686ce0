//! A value as JSON, for `--json` and JSON lines.

use serde::{Serialize, Serializer};
use table::ValueRef;

/// Writes a value as JSON.
///
/// What JSON has, is used: null, booleans, text, and numbers for integers up to 64 bits and finite floats. The rest is
/// the text that [`Value`](table::Value) prints: wider integers (few readers keep their digits), infinities and NaN,
/// bytes, uuids, timestamps.
#[derive(Debug, Clone, Copy)]
pub struct JsonValue<'a>(pub ValueRef<'a>);

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            ValueRef::Null => serializer.serialize_unit(),
            ValueRef::Bool(value) => serializer.serialize_bool(value),
            ValueRef::I8(value) => serializer.serialize_i8(value),
            ValueRef::I16(value) => serializer.serialize_i16(value),
            ValueRef::I32(value) => serializer.serialize_i32(value),
            ValueRef::I64(value) => serializer.serialize_i64(value),
            ValueRef::U8(value) => serializer.serialize_u8(value),
            ValueRef::U16(value) => serializer.serialize_u16(value),
            ValueRef::U32(value) => serializer.serialize_u32(value),
            ValueRef::U64(value) => serializer.serialize_u64(value),
            ValueRef::F32(value) if value.is_finite() => serializer.serialize_f32(value),
            ValueRef::F64(value) if value.is_finite() => serializer.serialize_f64(value),
            ValueRef::String(value) => serializer.serialize_str(value),
            ValueRef::F32(_)
            | ValueRef::F64(_)
            | ValueRef::I128(_)
            | ValueRef::U128(_)
            | ValueRef::Bytes(_)
            | ValueRef::Uuid(_)
            | ValueRef::Timestamp(_) => serializer.collect_str(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use table::Value;

    use super::*;

    #[test]
    fn values_become_json() {
        let rows = [
            (Value::Null, "null"),
            (Value::Bool(true), "true"),
            (Value::I64(i64::MIN), "-9223372036854775808"),
            (Value::U64(u64::MAX), "18446744073709551615"),
            (Value::I128(-1), "\"-1\""),
            (Value::U128(1), "\"1\""),
            (Value::F64(0.1), "0.1"),
            (Value::F64(f64::NAN), "\"NaN\""),
            (Value::F32(f32::NEG_INFINITY), "\"-inf\""),
            (Value::from("a\"é\n"), "\"a\\\"é\\n\""),
            (Value::Bytes(vec![0, 255]), "\"0x00ff\""),
            (
                Value::Uuid([0; 16]),
                "\"00000000-0000-0000-0000-000000000000\"",
            ),
            (Value::Timestamp(0), "\"1970-01-01T00:00:00Z\""),
        ];
        for (value, expected) in rows {
            assert_eq!(
                serde_json::to_string(&JsonValue(value.as_ref())).unwrap(),
                expected
            );
        }
    }
}
