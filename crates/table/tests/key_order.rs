//! Keys against the values they stand for: bytes sort as values do, and decode back.

#![allow(clippy::unwrap_used)]

#[path = "support/seeds.rs"]
mod seeds;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use seeds::seeds;
use table::{ColumnType, Value, decode_key, encode_key, prefix_end};

fn key(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(values.iter().map(Value::as_ref), &mut bytes);
    bytes
}

/// Values of one type, null among them; the ends of the range and short texts are likely.
fn value_of(column_type: ColumnType) -> BoxedStrategy<Value> {
    let value = match column_type {
        ColumnType::Bool => any::<bool>().prop_map(Value::from).boxed(),
        ColumnType::I8 => any::<i8>().prop_map(Value::from).boxed(),
        ColumnType::I16 => any::<i16>().prop_map(Value::from).boxed(),
        ColumnType::I32 => any::<i32>().prop_map(Value::from).boxed(),
        ColumnType::I64 => prop_oneof![any::<i64>(), -2_i64..3]
            .prop_map(Value::from)
            .boxed(),
        ColumnType::I128 => any::<i128>().prop_map(Value::from).boxed(),
        ColumnType::U8 => any::<u8>().prop_map(Value::from).boxed(),
        ColumnType::U16 => any::<u16>().prop_map(Value::from).boxed(),
        ColumnType::U32 => any::<u32>().prop_map(Value::from).boxed(),
        ColumnType::U64 => prop_oneof![any::<u64>(), 0_u64..300]
            .prop_map(Value::from)
            .boxed(),
        ColumnType::U128 => any::<u128>().prop_map(Value::from).boxed(),
        ColumnType::F32 => any::<u32>()
            .prop_map(|bits| Value::F32(f32::from_bits(bits)))
            .boxed(),
        ColumnType::F64 => any::<u64>()
            .prop_map(|bits| Value::F64(f64::from_bits(bits)))
            .boxed(),
        ColumnType::String => "[\0\u{1}ab\u{ff}]{0,4}".prop_map(Value::from).boxed(),
        ColumnType::Bytes => {
            let byte = prop_oneof![Just(0_u8), Just(1), Just(0xfe), Just(0xff), any::<u8>()];
            prop::collection::vec(byte, 0..5)
                .prop_map(Value::from)
                .boxed()
        }
        ColumnType::Uuid => any::<[u8; 16]>().prop_map(Value::from).boxed(),
        ColumnType::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 6 => value].boxed()
}

fn types_with_two_rows() -> impl Strategy<Value = (Vec<ColumnType>, Vec<Value>, Vec<Value>)> {
    let types = prop::collection::vec(prop::sample::select(ColumnType::ALL.to_vec()), 1..4);
    types.prop_flat_map(|types| {
        let row = || {
            types
                .iter()
                .map(|column_type| value_of(*column_type))
                .collect::<Vec<_>>()
        };
        (Just(types.clone()), row(), row())
    })
}

/// The cases of one seed.
fn cases(seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases: 1_000,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn bytes_sort_as_values_and_decode_back() {
    for seed in seeds("key_order", 20) {
        proptest!(cases(seed), |((types, a, b) in types_with_two_rows())| {
            let (key_a, key_b) = (key(&a), key(&b));
            prop_assert_eq!(key_a.cmp(&key_b), a.cmp(&b));
            prop_assert_eq!(decode_key(&types, &key_a).unwrap(), a.clone());
            if a != b {
                prop_assert!(!key_b.starts_with(&key_a));
            }
            // All keys with the same first columns, and no others, lie between their prefix and its end.
            for columns in 1..=a.len() {
                let prefix = key(&a[..columns]);
                let mut end = prefix.clone();
                prefix_end(&mut end);
                prop_assert_eq!(prefix <= key_b && key_b < end, a[..columns] == b[..columns]);
            }
        });
    }
}

#[test]
fn a_changed_key_is_refused_or_is_the_key_of_other_values() {
    for seed in seeds("key_order", 20) {
        let index = any::<prop::sample::Index>;
        let change = (index(), any::<u8>(), index());
        proptest!(cases(seed), |((types, a, _) in types_with_two_rows(), (at, byte, length) in change)| {
            let mut bytes = key(&a);
            let place = at.index(bytes.len());
            bytes[place] = byte;
            if length.index(4) == 0 {
                bytes.truncate(length.index(bytes.len() + 1));
            }
            if let Ok(values) = decode_key(&types, &bytes) {
                prop_assert_eq!(key(&values), bytes);
            }
        });
    }
}

#[test]
fn neighbours_of_every_type_sort_in_this_order() {
    let text = |text: &str| Value::String(text.into());
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let columns: Vec<Vec<Value>> = vec![
        vec![Value::Null, Value::Bool(false), Value::Bool(true)],
        vec![
            Value::Null,
            Value::I8(-128),
            Value::I8(-1),
            Value::I8(0),
            Value::I8(127),
        ],
        vec![
            Value::I64(i64::MIN),
            Value::I64(-256),
            Value::I64(-255),
            Value::I64(0),
            Value::I64(i64::MAX),
        ],
        vec![
            Value::I128(i128::MIN),
            Value::I128(-1),
            Value::I128(0),
            Value::I128(i128::MAX),
        ],
        vec![
            Value::U64(0),
            Value::U64(255),
            Value::U64(256),
            Value::U64(u64::MAX),
        ],
        vec![
            Value::Null,
            Value::F64(-f64::NAN),
            Value::F64(f64::NEG_INFINITY),
            Value::F64(f64::MIN),
            Value::F64(-f64::MIN_POSITIVE),
            Value::F64(-0.0),
            Value::F64(0.0),
            Value::F64(f64::MIN_POSITIVE),
            Value::F64(1.0),
            Value::F64(f64::INFINITY),
            Value::F64(f64::NAN),
        ],
        vec![
            Value::F32(-1.5),
            Value::F32(-1.0),
            Value::F32(-0.0),
            Value::F32(0.0),
            Value::F32(1.0),
        ],
        vec![
            Value::Null,
            text(""),
            text("\0"),
            text("\0\0"),
            text("\0a"),
            text("a"),
            text("a\0"),
            text("ab"),
            text("é"),
        ],
        vec![
            Value::Null,
            bytes(&[]),
            bytes(&[0]),
            bytes(&[0, 0xff]),
            bytes(&[1]),
            bytes(&[0xff]),
            bytes(&[0xff, 0xff]),
        ],
        vec![
            Value::Timestamp(i64::MIN),
            Value::Timestamp(-1),
            Value::Timestamp(0),
            Value::Timestamp(1),
        ],
        vec![
            Value::Uuid([0; 16]),
            Value::Uuid([1; 16]),
            Value::Uuid([255; 16]),
        ],
    ];
    for values in columns {
        for pair in values.windows(2) {
            assert!(pair[0] < pair[1], "{:?}", pair);
            assert!(key(&pair[..1]) < key(&pair[1..]), "{:?}", pair);
        }
    }
}
