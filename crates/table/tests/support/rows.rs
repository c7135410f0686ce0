//! Random layouts and rows from a seed, shared by the tests of rows.

#![allow(dead_code, reason = "each test uses its part")]

use table::{ColumnType, Layout, LayoutColumn, LayoutNumber, Value, ValueRef};

/// A small seeded generator (splitmix64); what it gives never changes, so a seed replays.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Random bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        // Values near zero and near the ends are as likely as any.
        let fill = [0x00, 0x01, 0x7f, 0x80, 0xff][self.below(5)];
        let mut bytes = [fill; N];
        for _ in 0..self.below(N + 1) {
            let at = self.below(N);
            bytes[at] = self.next().to_le_bytes()[0];
        }
        bytes
    }
}

/// A layout of 1 to `column_count_max` columns of any types.
pub(crate) fn random_layout(random: &mut Random, column_count_max: usize) -> Layout {
    let count = 1 + random.below(column_count_max);
    let columns = (0..count).map(|_| LayoutColumn {
        column_type: ColumnType::ALL[random.below(ColumnType::ALL.len())],
        nullable: random.one_in(2),
        default: None,
    });
    Layout::new(LayoutNumber(7), columns.collect()).unwrap()
}

/// A layout with a column of every type, nullable or not.
pub(crate) fn layout_of_all_types(nullable: bool) -> Layout {
    let column = |column_type| LayoutColumn {
        column_type,
        nullable,
        default: None,
    };
    Layout::new(LayoutNumber(7), ColumnType::ALL.map(column).to_vec()).unwrap()
}

/// A value of the column, strings and bytes up to `length_max` bytes.
pub(crate) fn random_value(random: &mut Random, column: &LayoutColumn, length_max: usize) -> Value {
    if column.nullable && random.one_in(4) {
        return Value::Null;
    }
    match column.column_type {
        ColumnType::Bool => Value::Bool(random.one_in(2)),
        ColumnType::I8 => Value::I8(i8::from_le_bytes(random.array())),
        ColumnType::I16 => Value::I16(i16::from_le_bytes(random.array())),
        ColumnType::I32 => Value::I32(i32::from_le_bytes(random.array())),
        ColumnType::I64 => Value::I64(i64::from_le_bytes(random.array())),
        ColumnType::I128 => Value::I128(i128::from_le_bytes(random.array())),
        ColumnType::U8 => Value::U8(u8::from_le_bytes(random.array())),
        ColumnType::U16 => Value::U16(u16::from_le_bytes(random.array())),
        ColumnType::U32 => Value::U32(u32::from_le_bytes(random.array())),
        ColumnType::U64 => Value::U64(u64::from_le_bytes(random.array())),
        ColumnType::U128 => Value::U128(u128::from_le_bytes(random.array())),
        ColumnType::F32 => Value::F32(f32::from_le_bytes(random.array())),
        ColumnType::F64 => Value::F64(f64::from_le_bytes(random.array())),
        ColumnType::String => {
            let length = random_length(random, length_max / 2);
            let letters = ['a', 'b', '\0', 'é', 'z'];
            Value::String((0..length).map(|_| letters[random.below(5)]).collect())
        }
        ColumnType::Bytes => {
            let length = random_length(random, length_max);
            Value::Bytes(
                (0..length)
                    .map(|_| random.next().to_le_bytes()[0] & 3)
                    .collect(),
            )
        }
        ColumnType::Uuid => Value::Uuid(random.array()),
        ColumnType::Timestamp => Value::Timestamp(i64::from_le_bytes(random.array())),
    }
}

/// Lengths around what a view holds are as likely as long ones.
fn random_length(random: &mut Random, length_max: usize) -> usize {
    match random.below(3) {
        0 => random.below(14.min(length_max + 1)),
        1 => random.below(40.min(length_max + 1)),
        _ => random.below(length_max + 1),
    }
}

/// A row of the layout.
pub(crate) fn random_row(random: &mut Random, layout: &Layout, length_max: usize) -> Vec<Value> {
    layout
        .columns()
        .iter()
        .map(|column| random_value(random, column, length_max))
        .collect()
}

/// The row, borrowed.
pub(crate) fn refs(row: &[Value]) -> Vec<ValueRef<'_>> {
    row.iter().map(Value::as_ref).collect()
}
