//! Golden bytes of keys, rows, groups and row pages: literals that no later build may change.

#![allow(clippy::unwrap_used)]

use table::{
    CellInput, ColumnType, Layout, LayoutColumn, LayoutNumber, LongPlace, Marks, Operation,
    PageBuf, PageNumber, RowPageMut, TableId, Transaction, TransactionBuilder, UpdateRow, Value,
    ValueRef, check_row_page, decode_key, encode_key, encode_key_row, encode_row,
    encode_update_row, format_row_page, row_page_capacity,
};

/// Lower-case hex digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A string of hex digits, spaces between them for the eye.
fn digits(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_whitespace())
        .collect()
}

#[test]
fn operation_codes() {
    let codes = Operation::ALL.map(Operation::code);
    assert_eq!(codes, [1, 2, 3, 4]);
    assert_eq!(Operation::from_code(0), None);
    assert_eq!(Operation::from_code(5), None);
}

#[test]
fn keys_of_every_type() {
    let rows: &[(Value, &str)] = &[
        (Value::Null, "00"),
        (Value::Bool(false), "01 00"),
        (Value::Bool(true), "01 01"),
        (Value::I8(-1), "01 7f"),
        (Value::I16(1), "01 8001"),
        (Value::I32(-2), "01 7ffffffe"),
        (Value::I64(0), "01 8000000000000000"),
        (Value::I128(-1), "01 7fffffffffffffffffffffffffffffff"),
        (Value::U8(7), "01 07"),
        (Value::U16(0x0102), "01 0102"),
        (Value::U32(0x0102_0304), "01 01020304"),
        (Value::U64(1), "01 0000000000000001"),
        (Value::U128(1), "01 00000000000000000000000000000001"),
        (Value::F32(1.0), "01 bf800000"),
        (Value::F32(-1.0), "01 407fffff"),
        (Value::F64(0.0), "01 8000000000000000"),
        (Value::F64(-0.0), "01 7fffffffffffffff"),
        (Value::String("aé".into()), "01 61c3a9 0001"),
        (Value::String("a\0b".into()), "01 61 00ff 62 0001"),
        (Value::Bytes(vec![]), "01 0001"),
        (Value::Bytes(vec![0, 255]), "01 00ff ff 0001"),
        (
            Value::Uuid([0xab; 16]),
            "01 abababababababababababababababab",
        ),
        (Value::Timestamp(-1), "01 7fffffffffffffff"),
    ];
    for (value, expected) in rows {
        let mut bytes = Vec::new();
        encode_key([value.as_ref()], &mut bytes);
        assert_eq!(hex(&bytes), digits(expected), "{value:?}");
        if let Some(column_type) = value.column_type() {
            assert_eq!(
                decode_key(&[column_type], &bytes).unwrap(),
                std::slice::from_ref(value)
            );
        }
    }
    let mut bytes = Vec::new();
    encode_key(
        [ValueRef::U8(1), ValueRef::Null, ValueRef::String("x")],
        &mut bytes,
    );
    assert_eq!(hex(&bytes), digits("01 01  00  01 78 0001"));
}

/// A column of each type; every second one nullable.
fn layout() -> Layout {
    let columns = ColumnType::ALL
        .into_iter()
        .enumerate()
        .map(|(position, column_type)| LayoutColumn {
            column_type,
            nullable: position % 2 == 1,
            default: None,
        });
    Layout::new(LayoutNumber(2), columns.collect()).unwrap()
}

const LONG_TEXT: &str = "longer than twelve";

fn row() -> [ValueRef<'static>; 17] {
    [
        ValueRef::Bool(true),
        ValueRef::I8(-2),
        ValueRef::I16(-3),
        ValueRef::I32(-4),
        ValueRef::I64(-5),
        ValueRef::Null,
        ValueRef::U8(7),
        ValueRef::U16(8),
        ValueRef::U32(9),
        ValueRef::U64(10),
        ValueRef::U128(11),
        ValueRef::F32(12.0),
        ValueRef::F64(13.0),
        ValueRef::String(LONG_TEXT),
        ValueRef::Bytes(&[15, 0, 255]),
        ValueRef::Null,
        ValueRef::Timestamp(17),
    ]
}

/// Nullable: 1, 3, 5, 7, 9, 11, 13, 15; null: 5 and 15, so bits 2 and 7.
const ROW: &str = "84
    01  fe  fdff  fcffffff  fbffffffffffffff
    07  0800  09000000  0a00000000000000  0b000000000000000000000000000000
    00004041  0000000000002a40
    12 6c6f6e676572207468616e207477656c7665
    03 0f00ff
    1100000000000000";

#[test]
fn a_row_of_every_type() {
    let mut bytes = Vec::new();
    encode_row(&layout(), &row(), &mut bytes);
    assert_eq!(hex(&bytes), digits(ROW));
}

#[test]
fn lengths_are_in_their_shortest_form() {
    let layout = Layout::new(
        LayoutNumber(0),
        vec![LayoutColumn::required(ColumnType::Bytes)],
    )
    .unwrap();
    for (length, prefix) in [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (20_000, "a09c01"),
    ] {
        let value = vec![0; length];
        let mut bytes = Vec::new();
        encode_row(&layout, &[ValueRef::Bytes(&value)], &mut bytes);
        assert_eq!(hex(&bytes[..bytes.len() - length]), prefix);
    }
}

#[test]
fn a_transaction_with_each_operation() {
    let layout = Layout::new(
        LayoutNumber(5),
        vec![
            LayoutColumn::required(ColumnType::U32),
            LayoutColumn::nullable(ColumnType::String),
            LayoutColumn::nullable(ColumnType::I64),
        ],
    )
    .unwrap();
    let mut builder = TransactionBuilder::with_marks(Marks {
        minimum_reader: 0x0102,
        minimum_writer: 0x0304,
    });
    let mut group = builder.group(TableId(0x1000), LayoutNumber(5), Operation::Insert);
    for row in [
        [ValueRef::U32(1), ValueRef::String("hi"), ValueRef::Null],
        [ValueRef::U32(2), ValueRef::Null, ValueRef::I64(-1)],
    ] {
        group.push_with(|bytes| encode_row(&layout, &row, bytes));
    }
    builder
        .group(TableId(0x1000), LayoutNumber(5), Operation::DeleteByKey)
        .push_with(|bytes| {
            encode_key_row(&layout, &[1, 0], &[ValueRef::Null, ValueRef::U32(7)], bytes)
        });
    builder
        .group(TableId(0x1001), LayoutNumber(5), Operation::DeleteRow)
        .push_with(|bytes| {
            encode_row(
                &layout,
                &[ValueRef::U32(1), ValueRef::Null, ValueRef::Null],
                bytes,
            )
        });
    let update = UpdateRow {
        key: vec![ValueRef::U32(7)],
        changes: vec![(1, ValueRef::Null), (2, ValueRef::I64(2))],
    };
    builder
        .group(TableId(0x1000), LayoutNumber(5), Operation::Update)
        .push_with(|bytes| encode_update_row(&layout, &[0], &update, bytes));
    // A group without rows leaves nothing.
    builder.group(TableId(9), LayoutNumber(9), Operation::Insert);
    let bytes = builder.finish();
    let expected = "
        01 00 0201 0403 0000
        00100000 05000000 01 000000 02000000 1500000000000000
            02 01000000 02 6869
            01 02000000 ffffffffffffffff
        00100000 05000000 02 000000 01000000 0500000000000000
            01 07000000
        01100000 05000000 03 000000 01000000 0500000000000000
            03 01000000
        00100000 05000000 04 000000 01000000 0e00000000000000
            07000000 06 01 0200000000000000";
    assert_eq!(hex(&bytes), digits(expected));
    assert_eq!(Transaction::parse(&bytes).unwrap().groups().count(), 4);
}

#[test]
fn an_empty_transaction() {
    assert_eq!(
        hex(&TransactionBuilder::new(1).finish()),
        digits("01 00 0100 0000 0000")
    );
}

#[test]
fn capacities_of_known_layouts() {
    let layout = |types: &[ColumnType]| {
        let columns = types
            .iter()
            .map(|column_type| LayoutColumn::required(*column_type))
            .collect();
        Layout::new(LayoutNumber(0), columns).unwrap()
    };
    use ColumnType::{Bool, F64, I64, String, U64};
    let rows = [
        (layout(&[U64]), 0, 4024),
        (layout(&[Bool]), 0, 4095),
        (layout(&[U64, I64, F64, String]), 32, 453),
        (layout(&[U64, I64, F64, String]), 0, 814),
        (layout(&[String]), 8000, 4),
    ];
    for (layout, variable_bytes, capacity) in rows {
        assert_eq!(row_page_capacity(&layout, variable_bytes), capacity);
    }
}

/// A page of three slots: slot 0 holds `row()`, slot 1 a removed row, slot 2 a row of other values, one of them long.
#[test]
fn a_row_page_of_every_type() {
    let layout = layout();
    let mut page = PageBuf::zeroed();
    format_row_page(&mut page, &layout, 3, TableId(0x1000));
    let mut rows = RowPageMut::new(&mut page, &layout).unwrap();
    let first = row().map(CellInput::from);
    assert_eq!(rows.insert(&first).unwrap(), Some(0));
    assert_eq!(rows.insert(&first).unwrap(), Some(1));
    let mut other = first;
    other[0] = CellInput::from(ValueRef::Bool(false));
    other[5] = CellInput::from(ValueRef::I128(6));
    other[13] = CellInput::Long {
        len: 0x1_0000,
        prefix: *b"abcd",
        place: LongPlace::Chain(PageNumber::new(9).unwrap()),
    };
    other[14] = CellInput::from(ValueRef::Bytes(&[0xee; 13]));
    other[15] = CellInput::from(ValueRef::Uuid([0x16; 16]));
    assert_eq!(rows.insert(&other).unwrap(), Some(2));
    rows.remove(1).unwrap();
    check_row_page(&page, &layout).unwrap();

    let bytes = page.as_bytes();
    let regions: &[(&str, usize, &str)] = &[
        (
            "header",
            0,
            "
            01 01 00 00 00100000
            00000000 00000000
            00000000 00000000
            0300 0200 cf7f 1200
            02000000 0000 0000
            000000000000000000000000000000000000000000000000",
        ),
        ("live", 64, "0500000000000000 0000000000000000"),
        (
            "i128",
            80,
            "
            00000000000000000000000000000000
            00000000000000000000000000000000
            06000000000000000000000000000000",
        ),
        (
            "u128",
            128,
            "
            0b000000000000000000000000000000
            00000000000000000000000000000000
            0b000000000000000000000000000000",
        ),
        (
            "string",
            176,
            "
            12000000 6c6f6e67 00000000 ee7f0000
            00000000 00000000 00000000 00000000
            00000100 61626364 ffffffff 09000000",
        ),
        (
            "bytes",
            224,
            "
            03000000 0f00ff00 00000000 00000000
            00000000 00000000 00000000 00000000
            0d000000 eeeeeeee 00000000 cf7f0000",
        ),
        (
            "uuid",
            272,
            "
            00000000000000000000000000000000
            00000000000000000000000000000000
            16161616161616161616161616161616",
        ),
        (
            "i64",
            320,
            "fbffffffffffffff 0000000000000000 fbffffffffffffff",
        ),
        (
            "u64",
            344,
            "0a00000000000000 0000000000000000 0a00000000000000",
        ),
        (
            "f64",
            368,
            "0000000000002a40 0000000000000000 0000000000002a40",
        ),
        (
            "timestamp",
            392,
            "1100000000000000 0000000000000000 1100000000000000",
        ),
        ("i32", 416, "fcffffff 00000000 fcffffff 00000000"),
        ("u32", 432, "09000000 00000000 09000000 00000000"),
        ("f32", 448, "00004041 00000000 00004041 00000000"),
        ("i16", 464, "fdff 0000 fdff 0000"),
        ("u16", 472, "0800 0000 0800 0000"),
        ("i8", 480, "fe 00 fe 0000000000"),
        ("u8", 488, "07 00 07 0000000000"),
        ("bool", 496, "01 00000000000000"),
        (
            "validity of i8, i32, i128, u16, u64, f32, string, uuid",
            504,
            "
            05 00000000000000
            05 00000000000000
            04 00000000000000
            05 00000000000000
            05 00000000000000
            05 00000000000000
            05 00000000000000
            04 00000000000000",
        ),
        (
            "heap",
            0x7fcf,
            "
            eeeeeeeeeeeeeeeeeeeeeeeeee
            000000000000000000000000000000000000
            6c6f6e676572207468616e207477656c7665",
        ),
    ];
    let mut rest = bytes.to_vec();
    for (name, start, expected) in regions {
        let expected = digits(expected);
        let range = *start..start + expected.len() / 2;
        assert_eq!(hex(&bytes[range.clone()]), expected, "{name}");
        rest[range].fill(0);
    }
    assert!(
        rest.iter().all(|byte| *byte == 0),
        "nothing stands anywhere else"
    );
}
