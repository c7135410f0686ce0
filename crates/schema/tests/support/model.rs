//! Tables as plain collections, and random ones of them.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::collections::BTreeMap;

use schema::{NewColumn, NewTable};
use table::{ColumnType, Value};

use crate::random::Random;

/// The types of columns as they are made; others come by widening.
pub const TYPES: [ColumnType; 8] = [
    ColumnType::I32,
    ColumnType::String,
    ColumnType::Bool,
    ColumnType::U64,
    ColumnType::F64,
    ColumnType::Bytes,
    ColumnType::U8,
    ColumnType::F32,
];

#[derive(Debug, Clone)]
pub struct ModelColumn {
    pub name: String,
    pub column_type: ColumnType,
    pub nullable: bool,
    pub default: Option<Value>,
}

#[derive(Debug, Clone, Default)]
pub struct ModelTable {
    pub columns: Vec<ModelColumn>,
    /// Name, columns, unique.
    pub indexes: Vec<(String, Vec<usize>, bool)>,
    pub primary_key: Option<Vec<usize>>,
    /// The column that counts, and its next number.
    pub counter: Option<(usize, u64)>,
    pub rows: Vec<Vec<Value>>,
}

pub type Model = BTreeMap<String, ModelTable>;

impl ModelTable {
    pub fn conflicts(&self, row: &[Value], except: Option<usize>) -> bool {
        let unique = self
            .indexes
            .iter()
            .filter(|index| index.2)
            .map(|index| &index.1);
        unique.chain(&self.primary_key).any(|columns| {
            let key: Vec<&Value> = columns.iter().map(|&column| &row[column]).collect();
            let same = |other: &Vec<Value>| {
                columns
                    .iter()
                    .zip(&key)
                    .all(|(&column, value)| other[column] == **value)
            };
            let other = self
                .rows
                .iter()
                .enumerate()
                .any(|(place, other)| Some(place) != except && same(other));
            key.iter().all(|value| !value.is_null()) && other
        })
    }
}

pub fn random_value(random: &mut Random, column_type: ColumnType) -> Value {
    let small = random.below(40);
    match column_type {
        ColumnType::I32 => Value::I32(i32::try_from(small).unwrap() - 20),
        ColumnType::I16 => Value::I16(i16::try_from(small).unwrap() - 20),
        ColumnType::I64 => Value::I64(i64::try_from(small).unwrap() - 20),
        ColumnType::I128 => Value::I128(i128::try_from(small).unwrap() - 20),
        ColumnType::U8 | ColumnType::U16 | ColumnType::U32 | ColumnType::U64 | ColumnType::U128 => {
            number(column_type, small as u64)
        }
        ColumnType::F32 => Value::F32(small as f32 / 3.0),
        ColumnType::String if random.one_in(60) => Value::from("long ".repeat(4000 + small)),
        ColumnType::String => Value::from(format!("text {small}")),
        ColumnType::Bool => Value::Bool(small.is_multiple_of(2)),
        ColumnType::F64 => Value::F64(small as f64 / 3.0),
        ColumnType::Bytes => Value::Bytes(vec![small.to_le_bytes()[0]; small]),
        _ => panic!("{column_type} is no type of the model"),
    }
}

/// A number as a value of an integer column that can count.
pub fn number(column_type: ColumnType, number: u64) -> Value {
    match column_type {
        ColumnType::U8 => Value::U8(number.try_into().unwrap()),
        ColumnType::U16 => Value::U16(number.try_into().unwrap()),
        ColumnType::U32 => Value::U32(number.try_into().unwrap()),
        ColumnType::U64 => Value::U64(number),
        ColumnType::U128 => Value::U128(number.into()),
        ColumnType::I128 => Value::I128(number.into()),
        _ => panic!("no column of {column_type} counts in the model"),
    }
}

pub fn random_cell(random: &mut Random, column: &ModelColumn) -> Value {
    if column.nullable && random.one_in(4) {
        Value::Null
    } else {
        random_value(random, column.column_type)
    }
}

pub fn random_table(random: &mut Random, name: &str) -> (NewTable, ModelTable) {
    let mut model = ModelTable::default();
    let mut table = NewTable::new(name);
    for place in 0..1 + random.below(6) {
        let column = ModelColumn {
            name: format!("c{place}"),
            column_type: *random.pick(&TYPES).unwrap(),
            nullable: random.one_in(3),
            default: None,
        };
        let mut new = NewColumn::new(&column.name, column.column_type);
        if column.nullable {
            new = new.nullable();
        }
        table = table.column_with(new);
        model.columns.push(column);
    }
    let keys: Vec<usize> = (0..model.columns.len())
        .filter(|&place| !model.columns[place].nullable)
        .collect();
    if random.one_in(2) && !keys.is_empty() {
        let columns: Vec<usize> = keys.into_iter().take(1 + random.below(2)).collect();
        let names: Vec<&str> = columns
            .iter()
            .map(|&place| model.columns[place].name.as_str())
            .collect();
        table = table.primary_key(&names);
        model.primary_key = Some(columns);
    } else if random.one_in(2) {
        let id = ModelColumn {
            name: "id".into(),
            column_type: ColumnType::U64,
            nullable: false,
            default: None,
        };
        table = table
            .column("id", ColumnType::U64)
            .primary_key(&["id"])
            .auto_increment("id");
        model.columns.push(id);
        model.primary_key = Some(vec![model.columns.len() - 1]);
        model.counter = Some((model.columns.len() - 1, 1));
    }
    (table, model)
}
