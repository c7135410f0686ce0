//! Which types hold all values of another one, and how a value gets there. No other change of a type is known: each of these loses
//! nothing and keeps the order.
//!
//! ```text
//! i8  -> i16 -> i32 -> i64 -> i128        f32 -> f64
//! u8  -> u16 -> u32 -> u64 -> u128        a type -> itself
//!   \      \      \      \
//!    i16    i32    i64    i128
//! ```

use crate::column_type::ColumnType::{
    self, F32, F64, I8, I16, I32, I64, I128, U8, U16, U32, U64, U128,
};
use crate::value::Value;
use crate::value_ref::ValueRef;

impl ColumnType {
    /// Whether every value of this type is a value of `other` too: of the same type, of a wider integer that has the same numbers, or,
    /// of an f32, of f64.
    pub fn widens_to(self, other: ColumnType) -> bool {
        self == other
            || match self {
                I8 => matches!(other, I16 | I32 | I64 | I128),
                I16 => matches!(other, I32 | I64 | I128),
                I32 => matches!(other, I64 | I128),
                I64 => other == I128,
                U8 => matches!(other, U16 | U32 | U64 | U128 | I16 | I32 | I64 | I128),
                U16 => matches!(other, U32 | U64 | U128 | I32 | I64 | I128),
                U32 => matches!(other, U64 | U128 | I64 | I128),
                U64 => matches!(other, U128 | I128),
                F32 => other == F64,
                _ => false,
            }
    }
}

impl<'a> ValueRef<'a> {
    /// The same value as one of `wider`, or null if it is null; `None` if its type does not widen to that one.
    pub fn widened(self, wider: ColumnType) -> Option<ValueRef<'a>> {
        let Some(narrower) = self.column_type() else {
            return Some(self);
        };
        if narrower == wider || !narrower.widens_to(wider) {
            return (narrower == wider).then_some(self);
        }
        let number = match self {
            ValueRef::F32(value) => return Some(ValueRef::F64(widened_float(value))),
            ValueRef::I8(value) => i128::from(value),
            ValueRef::I16(value) => i128::from(value),
            ValueRef::I32(value) => i128::from(value),
            ValueRef::I64(value) => i128::from(value),
            ValueRef::U8(value) => i128::from(value),
            ValueRef::U16(value) => i128::from(value),
            ValueRef::U32(value) => i128::from(value),
            ValueRef::U64(value) => i128::from(value),
            _ => return None,
        };
        Some(match wider {
            I16 => ValueRef::I16(number.try_into().ok()?),
            I32 => ValueRef::I32(number.try_into().ok()?),
            I64 => ValueRef::I64(number.try_into().ok()?),
            I128 => ValueRef::I128(number),
            U16 => ValueRef::U16(number.try_into().ok()?),
            U32 => ValueRef::U32(number.try_into().ok()?),
            U64 => ValueRef::U64(number.try_into().ok()?),
            U128 => ValueRef::U128(number.try_into().ok()?),
            _ => return None,
        })
    }
}

impl Value {
    /// [`ValueRef::widened`] of a value with its own bytes.
    pub fn widened(&self, wider: ColumnType) -> Option<Value> {
        self.as_ref().widened(wider).map(Value::from)
    }
}

/// The conversion of the processor makes one NaN of another; what no calculation has touched keeps its bits here, and with them its
/// place in the total order.
fn widened_float(value: f32) -> f64 {
    if !value.is_nan() {
        return f64::from(value);
    }
    let bits = u64::from(value.to_bits());
    let (sign, mantissa) = (bits >> 31, bits & 0x007f_ffff);
    f64::from_bits((sign << 63) | (0x7ff << 52) | (mantissa << 29))
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests {
    use super::*;

    /// The values of a type that a wider one could get wrong, in their order.
    fn extremes(column_type: ColumnType) -> Vec<Value> {
        let floats = [
            f32::from_bits(0xffff_ffff),
            f32::from_bits(0xff80_0001),
            f32::NEG_INFINITY,
            -f32::MIN_POSITIVE,
            -f32::from_bits(1),
            -0.0,
            0.0,
            f32::from_bits(1),
            f32::MAX,
            f32::INFINITY,
            f32::from_bits(0x7f80_0001),
            f32::NAN,
        ];
        match column_type {
            I8 => [i8::MIN, -1, 0, 1, i8::MAX].map(Value::I8).to_vec(),
            I16 => [i16::MIN, -1, 0, 1, i16::MAX].map(Value::I16).to_vec(),
            I32 => [i32::MIN, -1, 0, 1, i32::MAX].map(Value::I32).to_vec(),
            I64 => [i64::MIN, -1, 0, 1, i64::MAX].map(Value::I64).to_vec(),
            U8 => [0, 1, u8::MAX].map(Value::U8).to_vec(),
            U16 => [0, 1, u16::MAX].map(Value::U16).to_vec(),
            U32 => [0, 1, u32::MAX].map(Value::U32).to_vec(),
            U64 => [0, 1, u64::MAX].map(Value::U64).to_vec(),
            F32 => floats.map(Value::F32).to_vec(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_wider_type_shows_the_same_values_in_the_same_order() {
        let mut pairs = 0;
        for narrower in ColumnType::ALL {
            for wider in ColumnType::ALL {
                let values = extremes(narrower);
                if narrower == wider || !narrower.widens_to(wider) {
                    for value in values {
                        let expected = (narrower == wider).then(|| value.clone());
                        assert_eq!(value.widened(wider), expected, "{value} to {wider}");
                    }
                    continue;
                }
                pairs += 1;
                assert!(values.len() >= 3, "{narrower}");
                let widened: Vec<Value> = values
                    .iter()
                    .map(|value| value.widened(wider).unwrap())
                    .collect();
                for (value, widened) in values.iter().zip(&widened) {
                    assert_eq!(widened.column_type(), Some(wider));
                    match (value, widened) {
                        (Value::F32(value), Value::F64(widened)) if value.is_nan() => {
                            assert!(widened.is_nan());
                        }
                        (Value::F32(value), Value::F64(widened)) => {
                            assert_eq!(value.to_bits(), (*widened as f32).to_bits());
                        }
                        _ => assert_eq!(value.to_string(), widened.to_string()),
                    }
                }
                assert!(widened.is_sorted_by(|a, b| a < b), "{narrower} to {wider}");
            }
        }
        assert_eq!(pairs, 31);
        assert_eq!(Value::Null.widened(I16), Some(Value::Null));
    }
}
