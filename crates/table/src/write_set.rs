//! What a write transaction has done to one table so far, as its net effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cow_radix::CowRadix;
use crate::error::Error;
use crate::group::Operation;
use crate::row_codec::{UpdateRow, encode_key_row, encode_row, encode_update_row};
use crate::row_id::RowId;
use crate::table_ref::TableRef;
use crate::transaction_builder::TransactionBuilder;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// Rows of the base that are gone, and rows of the fork that are new. A changed row is both. `Clone` takes O(1), which
/// is what makes a savepoint cheap.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteSet {
    /// By the place the row had in the base; a place is left by at most one base row.
    deleted: CowRadix<Arc<Vec<Value>>>,
    inserted: CowRadix<()>,
}

impl WriteSet {
    pub(crate) fn insert(&mut self, row: RowId) {
        self.inserted.insert(row.to_u64(), ());
    }

    /// A row has gone: one of our own leaves no trace, one of the base is remembered.
    pub(crate) fn delete(&mut self, row: RowId, values: Vec<Value>) {
        if self.inserted.remove(row.to_u64()).is_none() {
            self.deleted.insert(row.to_u64(), Arc::new(values));
        }
    }

    /// Writes the groups that lead from the base to the fork: deletes, then updates, then inserts. Rows that came back
    /// as they were are left out.
    ///
    /// A change of a column that a unique index covers is written as a delete and an insert: all deletes come first, so
    /// rows that swap such values never collide on the way.
    pub(crate) fn encode(
        &self,
        table: TableRef<'_>,
        builder: &mut TransactionBuilder,
    ) -> Result<(), Error> {
        let inserted = self
            .inserted
            .iter()
            .map(|(row, ())| table.get(RowId::from_u64(row))?.values());
        let inserted: Vec<Vec<Value>> = inserted.collect::<Result<_, _>>()?;
        let deleted: Vec<&[Value]> = self
            .deleted
            .iter()
            .map(|(_, values)| values.as_slice())
            .collect();
        match table.primary_key() {
            Some(key) => encode_keyed(table, &key.columns, &deleted, &inserted, builder),
            None => encode_unkeyed(table, &deleted, &inserted, builder),
        }
        Ok(())
    }
}

fn encode_keyed(
    table: TableRef<'_>,
    key_columns: &[u16],
    deleted: &[&[Value]],
    inserted: &[Vec<Value>],
    builder: &mut TransactionBuilder,
) {
    let layout = table.layout();
    let key_values = |row: &[Value]| {
        key_columns
            .iter()
            .map(|&column| row[usize::from(column)].clone())
            .collect()
    };
    let key_of = |row: &[Value]| {
        let key: Vec<Value> = key_values(row);
        let mut bytes = Vec::new();
        encode_key_row(layout, key_columns, &refs(&key), &mut bytes);
        bytes
    };
    let mut gone: BTreeMap<Vec<u8>, &[Value]> =
        deleted.iter().map(|row| (key_of(row), *row)).collect();
    let unique: Vec<u16> = table
        .indexes()
        .filter(|spec| spec.unique)
        .flat_map(|spec| spec.columns.clone())
        .collect();
    let mut updates: Vec<Vec<u8>> = Vec::new();
    let mut inserts: Vec<&[Value]> = Vec::new();
    for row in inserted {
        let key = key_of(row);
        let Some(old) = gone.get(&key) else {
            inserts.push(row);
            continue;
        };
        let changed: Vec<usize> = (0..row.len())
            .filter(|&column| row[column] != old[column])
            .collect();
        if changed
            .iter()
            .any(|&column| unique.iter().any(|&other| usize::from(other) == column))
        {
            inserts.push(row);
            continue;
        }
        gone.remove(&key);
        if !changed.is_empty() {
            let key: Vec<Value> = key_values(row);
            let update = UpdateRow {
                key: refs(&key),
                changes: changed
                    .iter()
                    .map(|&column| (column, row[column].as_ref()))
                    .collect(),
            };
            let mut bytes = Vec::new();
            encode_update_row(layout, key_columns, &update, &mut bytes);
            updates.push(bytes);
        }
    }
    let deletes: Vec<Vec<u8>> = gone.into_keys().collect();
    write_group(table, Operation::DeleteByKey, &deletes, builder);
    write_group(table, Operation::Update, &updates, builder);
    write_inserts(table, &inserts, builder);
}

fn encode_unkeyed(
    table: TableRef<'_>,
    deleted: &[&[Value]],
    inserted: &[Vec<Value>],
    builder: &mut TransactionBuilder,
) {
    let bytes_of = |row: &[Value]| {
        let mut bytes = Vec::new();
        encode_row(table.layout(), &refs(row), &mut bytes);
        bytes
    };
    let mut gone: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for row in deleted {
        *gone.entry(bytes_of(row)).or_default() += 1;
    }
    let mut inserts: Vec<&[Value]> = Vec::new();
    for row in inserted {
        match gone.get_mut(&bytes_of(row)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => inserts.push(row),
        }
    }
    let deletes: Vec<Vec<u8>> = gone
        .into_iter()
        .flat_map(|(bytes, count)| std::iter::repeat_n(bytes, count))
        .collect();
    write_group(table, Operation::DeleteRow, &deletes, builder);
    write_inserts(table, &inserts, builder);
}

fn write_inserts(table: TableRef<'_>, rows: &[&[Value]], builder: &mut TransactionBuilder) {
    if rows.is_empty() {
        return;
    }
    let mut group = builder.group(table.id(), table.layout().number(), Operation::Insert);
    for row in rows {
        group.push_with(|bytes| encode_row(table.layout(), &refs(row), bytes));
    }
}

fn write_group(
    table: TableRef<'_>,
    operation: Operation,
    rows: &[Vec<u8>],
    builder: &mut TransactionBuilder,
) {
    if rows.is_empty() {
        return;
    }
    let mut group = builder.group(table.id(), table.layout().number(), operation);
    rows.iter().for_each(|row| group.push(row));
}

fn refs(row: &[Value]) -> Vec<ValueRef<'_>> {
    row.iter().map(Value::as_ref).collect()
}
