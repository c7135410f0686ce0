//! The genesis that a future build might write, and nothing in it that recovery.md forbids: the seeds have more columns,
//! known tables stand under other ids with more columns, and there is a system table that this build does not know.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use table::{ColumnType, Value, encode_value};

use crate::raw::{Raw, RawTable, seeds};

/// Id, name, type, nullable, default.
type FutureColumn = (u32, &'static str, ColumnType, bool, Option<Value>);

/// The tables of the future, each with its id and columns. What this build knows of them comes by name.
pub struct Future {
    pub table: RawTable,
    pub column: RawTable,
    pub index: RawTable,
    pub constraint: RawTable,
    pub sequence: RawTable,
    pub database: RawTable,
    pub comment: RawTable,
}

const TABLES: [(u32, &str); 7] = [
    (1, "st_table"),
    (2, "st_column"),
    (45, "st_index"),
    (12, "st_constraint"),
    (13, "st_sequence"),
    (7, "st_database"),
    (30, "st_comment"),
];

fn columns(table: u32) -> Vec<FutureColumn> {
    use ColumnType::{Bool, Bytes, I64, I128, String, U8, U16, U32, Uuid};
    let column = |id, name, column_type| (id, name, column_type, false, None);
    let nullable = |id, name, column_type| (id, name, column_type, true, None);
    let default =
        |id, name, value: Value| (id, name, value.column_type().unwrap(), false, Some(value));
    match table {
        1 => vec![
            column(1, "table_id", U32),
            column(2, "table_name", String),
            nullable(100, "table_comment", String),
            default(101, "owner", Value::U64(77)),
        ],
        2 => vec![
            column(3, "table_id", U32),
            column(4, "column_id", U32),
            column(5, "position", U16),
            column(6, "column_name", String),
            column(7, "type_code", U8),
            column(8, "nullable", Bool),
            nullable(9, "default_value", Bytes),
            default(102, "collation", Value::from("binary")),
        ],
        // Known columns in another order, strangers between them.
        45 => vec![
            column(210, "column_ids", Bytes),
            column(211, "table_id", U32),
            default(212, "fill_percent", Value::U8(90)),
            column(213, "index_name", String),
            column(214, "index_id", U32),
            column(215, "is_unique", Bool),
            column(216, "kind", U8),
        ],
        12 => vec![
            column(220, "table_id", U32),
            column(221, "constraint_id", U32),
            column(222, "constraint_name", String),
            column(223, "kind", U8),
            nullable(224, "index_id", U32),
            (225, "expression", String, true, Some(Value::from("true"))),
        ],
        13 => vec![
            column(230, "sequence_id", U32),
            nullable(231, "table_id", U32),
            nullable(232, "column_id", U32),
            column(233, "sequence_name", String),
            nullable(234, "next_value", I128),
            column(235, "start_value", I128),
            column(236, "step", I128),
            column(237, "minimum", I128),
            column(238, "maximum", I128),
            column(239, "cycle", Bool),
            default(240, "reserved_through", Value::I64(-1)),
        ],
        7 => vec![
            column(250, "database_id", Uuid),
            column(251, "minimum_reader", U16),
            column(252, "minimum_writer", U16),
            nullable(253, "made_by", String),
        ],
        30 => vec![
            column(260, "object_id", U32),
            column(261, "line", I64),
            nullable(262, "comment", String),
        ],
        _ => unreachable!(),
    }
}

/// Table, index id, name, unique, columns, constraint id of the primary key.
type FutureIndex = (
    u32,
    u32,
    &'static str,
    bool,
    &'static [&'static str],
    Option<u32>,
);

const INDEXES: [FutureIndex; 9] = [
    (1, 1, "primary_key", true, &["table_id"], Some(1)),
    (1, 2, "by_name", true, &["table_name"], None),
    (
        2,
        3,
        "primary_key",
        true,
        &["table_id", "column_id"],
        Some(2),
    ),
    (
        45,
        300,
        "primary_key",
        true,
        &["table_id", "index_id"],
        Some(3),
    ),
    (
        12,
        301,
        "primary_key",
        true,
        &["table_id", "constraint_id"],
        Some(4),
    ),
    (13, 302, "primary_key", true, &["sequence_id"], Some(5)),
    (7, 303, "primary_key", true, &["database_id"], Some(6)),
    (
        30,
        304,
        "primary_key",
        true,
        &["object_id", "line"],
        Some(7),
    ),
    (30, 305, "by_comment", false, &["comment"], None),
];

impl Future {
    pub fn new() -> Future {
        let table = |id: u32, number, key: &[u16]| {
            let layout: Vec<_> = columns(id)
                .into_iter()
                .map(|(_, _, column_type, nullable, default)| (column_type, nullable, default))
                .collect();
            RawTable::new(id, number, &layout, key)
        };
        Future {
            table: table(1, 2, &[0]),
            column: table(2, 2, &[0, 1]),
            index: table(45, 1, &[1, 4]),
            constraint: table(12, 1, &[0, 1]),
            sequence: table(13, 1, &[0]),
            database: table(7, 1, &[0]),
            comment: table(30, 1, &[0, 1]),
        }
    }

    /// The genesis, with two comments on system tables and one on a table that will be made.
    pub fn genesis(&self, database_id: [u8; 16], minimum_writer: u16) -> Vec<u8> {
        let [seed_table, seed_column] = seeds();
        let text = |value: &str| Value::from(value);
        let (seed_tables, tables): (Vec<_>, Vec<_>) =
            TABLES.into_iter().partition(|(id, _)| *id <= 2);
        let rows = |tables: &[(u32, &str)]| -> Vec<Vec<Value>> {
            tables
                .iter()
                .map(|(id, name)| vec![Value::U32(*id), text(name)])
                .collect()
        };
        let comments = [
            vec![Value::U32(1), Value::I64(0), text("the tables")],
            vec![Value::U32(4096), Value::I64(0), text("aircraft")],
            vec![Value::U32(4096), Value::I64(1), Value::Null],
        ];
        let with_extra = |rows: Vec<Vec<Value>>, extra: &[Value]| -> Vec<Vec<Value>> {
            rows.into_iter()
                .map(|row| row.into_iter().chain(extra.iter().cloned()).collect())
                .collect()
        };
        Raw::with_marks(1, minimum_writer)
            .insert(&seed_table, &rows(&seed_tables))
            .insert(
                &seed_column,
                &seed_tables
                    .iter()
                    .flat_map(|(id, _)| column_rows(*id))
                    .collect::<Vec<_>>(),
            )
            .update(
                &self.table,
                &[Value::U32(1)],
                &[(2, text("all tables")), (3, Value::U64(1))],
            )
            .update(
                &self.column,
                &[Value::U32(1), Value::U32(2)],
                &[(7, text("de"))],
            )
            .insert(
                &self.table,
                &with_extra(rows(&tables), &[Value::Null, Value::U64(5)]),
            )
            .insert(
                &self.column,
                &with_extra(
                    tables.iter().flat_map(|(id, _)| column_rows(*id)).collect(),
                    &[text("en")],
                ),
            )
            .insert(&self.index, &index_rows())
            .insert(&self.constraint, &constraint_rows())
            .insert(&self.sequence, &sequence_rows())
            .insert(
                &self.database,
                &[vec![
                    Value::Uuid(database_id),
                    Value::U16(1),
                    Value::U16(minimum_writer),
                    text("cairn 9.0"),
                ]],
            )
            .insert(&self.comment, &comments)
            .finish()
    }
}

fn column_rows(table: u32) -> Vec<Vec<Value>> {
    let rows = (0u16..).zip(columns(table)).map(
        |(position, (id, name, column_type, nullable, default))| {
            vec![
                Value::U32(table),
                Value::U32(id),
                Value::U16(position),
                Value::from(name),
                Value::U8(column_type.code()),
                Value::Bool(nullable),
                Value::from(default.map(|value| encode_value(value.as_ref()))),
            ]
        },
    );
    rows.collect()
}

fn index_rows() -> Vec<Vec<Value>> {
    let rows = INDEXES
        .into_iter()
        .map(|(table, id, name, unique, names, _)| {
            let ids = names.iter().flat_map(|name| {
                let column = columns(table)
                    .into_iter()
                    .find(|column| column.1 == *name)
                    .unwrap();
                column.0.to_le_bytes()
            });
            vec![
                Value::Bytes(ids.collect()),
                Value::U32(table),
                Value::U8(75),
                Value::from(name),
                Value::U32(id),
                Value::Bool(unique),
                Value::U8(1),
            ]
        });
    rows.collect()
}

fn constraint_rows() -> Vec<Vec<Value>> {
    let keys = INDEXES
        .into_iter()
        .filter_map(|(table, index, name, _, _, constraint)| {
            Some(vec![
                Value::U32(table),
                Value::U32(constraint?),
                Value::from(name),
                Value::U8(1),
                Value::U32(index),
                Value::from("future"),
            ])
        });
    keys.collect()
}

fn sequence_rows() -> Vec<Vec<Value>> {
    let names = [
        "st_table_id",
        "st_column_id",
        "st_index_id",
        "st_constraint_id",
        "st_sequence_id",
        "st_comment_id",
    ];
    let rows = (50u32..).zip(names).map(|(id, name)| {
        vec![
            Value::U32(id),
            Value::Null,
            Value::Null,
            Value::from(name),
            Value::I128(4096),
            Value::I128(4096),
            Value::I128(1),
            Value::I128(4096),
            Value::I128(u32::MAX.into()),
            Value::Bool(false),
            Value::I64(9),
        ]
    });
    rows.collect()
}
