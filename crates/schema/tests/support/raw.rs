//! Transactions written group by group, as another build, or a hostile one, might write them.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use schema::State;
use table::{
    ColumnType, Layout, LayoutColumn, LayoutNumber, Marks, Operation, TableId, TransactionBuilder,
    UpdateRow, Value, encode_key_row, encode_row, encode_update_row,
};

/// A table as its groups see it.
#[derive(Debug, Clone)]
pub struct RawTable {
    pub id: TableId,
    pub layout: Layout,
    pub key: Vec<u16>,
}

impl RawTable {
    /// A table of columns that are given as type, nullable, default.
    pub fn new(
        id: u32,
        number: u32,
        columns: &[(ColumnType, bool, Option<Value>)],
        key: &[u16],
    ) -> RawTable {
        let columns = columns
            .iter()
            .map(|(column_type, nullable, default)| LayoutColumn {
                column_type: *column_type,
                nullable: *nullable,
                default: default.clone(),
            });
        let layout = Layout::new(LayoutNumber(number), columns.collect()).unwrap();
        RawTable {
            id: TableId(id),
            layout,
            key: key.to_vec(),
        }
    }

    /// A table as a state has it.
    pub fn of(state: &State, name: &str) -> RawTable {
        let table = state.table(name).unwrap();
        let key = table
            .primary_key()
            .map(|key| key.columns.clone())
            .unwrap_or_default();
        RawTable {
            id: table.id(),
            layout: table.layout().clone(),
            key,
        }
    }
}

/// Groups in the order in which they are named.
#[derive(Debug, Clone)]
pub struct Raw(TransactionBuilder);

impl Raw {
    pub fn new() -> Raw {
        Raw::with_marks(1, 1)
    }

    pub fn with_marks(minimum_reader: u16, minimum_writer: u16) -> Raw {
        Raw(TransactionBuilder::with_marks(Marks {
            minimum_reader,
            minimum_writer,
        }))
    }

    pub fn insert(mut self, table: &RawTable, rows: &[Vec<Value>]) -> Raw {
        let mut group = self
            .0
            .group(table.id, table.layout.number(), Operation::Insert);
        for row in rows {
            let refs: Vec<_> = row.iter().map(Value::as_ref).collect();
            group.push_with(|out| encode_row(&table.layout, &refs, out));
        }
        self
    }

    pub fn delete(mut self, table: &RawTable, keys: &[Vec<Value>]) -> Raw {
        let mut group = self
            .0
            .group(table.id, table.layout.number(), Operation::DeleteByKey);
        for key in keys {
            let refs: Vec<_> = key.iter().map(Value::as_ref).collect();
            group.push_with(|out| encode_key_row(&table.layout, &table.key, &refs, out));
        }
        self
    }

    pub fn update(self, table: &RawTable, key: &[Value], changes: &[(usize, Value)]) -> Raw {
        self.update_all(table, &[(key, changes)])
    }

    /// Rows by key, and what changes in them, in one group.
    pub fn update_all(mut self, table: &RawTable, rows: &[RawUpdate<'_>]) -> Raw {
        let mut group = self
            .0
            .group(table.id, table.layout.number(), Operation::Update);
        for (key, changes) in rows {
            let changes = changes.iter();
            let update = UpdateRow {
                key: key.iter().map(Value::as_ref).collect(),
                changes: changes
                    .map(|(column, value)| (*column, value.as_ref()))
                    .collect(),
            };
            group.push_with(|out| encode_update_row(&table.layout, &table.key, &update, out));
        }
        self
    }

    pub fn finish(self) -> Vec<u8> {
        self.0.finish()
    }
}

/// The key of a row, and what changes in it.
pub type RawUpdate<'a> = (&'a [Value], &'a [(usize, Value)]);

/// `st_table` and `st_column` as they are frozen.
pub fn seeds() -> [RawTable; 2] {
    use ColumnType::{Bool, Bytes, String, U8, U16, U32};
    let column = |column_type| (column_type, false, None);
    [
        RawTable::new(1, 1, &[column(U32), column(String)], &[0]),
        RawTable::new(
            2,
            1,
            &[
                column(U32),
                column(U32),
                column(U16),
                column(String),
                column(U8),
                column(Bool),
                (Bytes, true, None),
            ],
            &[0, 1],
        ),
    ]
}
