//! What a write transaction has done to one table, as the groups of its net effect.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::group::Operation;
use crate::overlay::Overlay;
use crate::row::Row;
use crate::row_codec::{UpdateRow, encode_key_row, encode_row, encode_update_row};
use crate::table_ref::TableRef;
use crate::transaction_builder::TransactionBuilder;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// Appends the groups that lead from the base to what the transaction sees: deletes, then updates, then inserts. Rows that
/// came back as they were are left out.
///
/// A change of a column that a unique index covers is written as a delete and an insert: all deletes come first, so
/// rows that swap such values never collide on the way.
pub(crate) fn encode(
    base: TableRef<'_>,
    overlay: &Overlay,
    builder: &mut TransactionBuilder,
) -> Result<(), Error> {
    match base.primary_key() {
        // Nothing that a new row could take the place of.
        _ if overlay.nothing_is_gone() => {
            let inserts = overlay.rows().map(|pending| &*pending.bytes);
            write_group(base, Operation::Insert, inserts, builder);
            Ok(())
        }
        Some(key) => encode_keyed(base, &key.columns, overlay, builder),
        None => encode_unkeyed(base, overlay, builder),
    }
}

fn encode_keyed(
    base: TableRef<'_>,
    key_columns: &[u16],
    overlay: &Overlay,
    builder: &mut TransactionBuilder,
) -> Result<(), Error> {
    let layout = base.layout();
    let key_of = |row: &Row<'_>| -> Result<(Vec<Value>, Vec<u8>), Error> {
        let key = key_columns.iter().map(|&column| row.value(column.into()));
        let key: Vec<Value> = key.collect::<Result<_, _>>()?;
        let mut bytes = Vec::new();
        encode_key_row(layout, key_columns, &refs(&key), &mut bytes);
        Ok((key, bytes))
    };
    let mut gone: BTreeMap<Vec<u8>, Row<'_>> = BTreeMap::new();
    for place in overlay.gone() {
        let row = base.get(place)?;
        gone.insert(key_of(&row)?.1, row);
    }
    let unique = base.indexes().filter(|spec| spec.unique);
    let unique: Vec<u16> = unique.flat_map(|spec| spec.columns.clone()).collect();
    let mut updates: Vec<Vec<u8>> = Vec::new();
    let mut inserts: Vec<&[u8]> = Vec::new();
    for pending in overlay.rows() {
        let row = Row::pending(layout, pending.row, &pending.bytes);
        let (key, key_bytes) = key_of(&row)?;
        let Some(old) = gone.get(&key_bytes) else {
            inserts.push(&pending.bytes);
            continue;
        };
        let (new_values, old_values) = (row.values()?, old.values()?);
        let changed: Vec<usize> = (0..new_values.len())
            .filter(|&column| new_values[column] != old_values[column])
            .collect();
        let is_unique = |column: &usize| unique.iter().any(|&other| usize::from(other) == *column);
        if changed.iter().any(is_unique) {
            inserts.push(&pending.bytes);
            continue;
        }
        gone.remove(&key_bytes);
        if !changed.is_empty() {
            let changes = changed.iter();
            let update = UpdateRow {
                key: refs(&key),
                changes: changes
                    .map(|&column| (column, new_values[column].as_ref()))
                    .collect(),
            };
            let mut bytes = Vec::new();
            encode_update_row(layout, key_columns, &update, &mut bytes);
            updates.push(bytes);
        }
    }
    write_group(base, Operation::DeleteByKey, gone.keys(), builder);
    write_group(base, Operation::Update, updates, builder);
    write_group(base, Operation::Insert, inserts, builder);
    Ok(())
}

fn encode_unkeyed(
    base: TableRef<'_>,
    overlay: &Overlay,
    builder: &mut TransactionBuilder,
) -> Result<(), Error> {
    // Equal rows are one here, and counted.
    let mut gone: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for place in overlay.gone() {
        let values = base.get(place)?.values()?;
        let mut bytes = Vec::new();
        encode_row(base.layout(), &refs(&values), &mut bytes);
        *gone.entry(bytes).or_default() += 1;
    }
    let mut inserts: Vec<&[u8]> = Vec::new();
    for pending in overlay.rows() {
        match gone.get_mut(&*pending.bytes) {
            Some(count) if *count > 0 => *count -= 1,
            _ => inserts.push(&pending.bytes),
        }
    }
    let deletes = gone.iter();
    let deletes = deletes.flat_map(|(bytes, count)| std::iter::repeat_n(bytes, *count));
    write_group(base, Operation::DeleteRow, deletes, builder);
    write_group(base, Operation::Insert, inserts, builder);
    Ok(())
}

fn write_group(
    table: TableRef<'_>,
    operation: Operation,
    rows: impl IntoIterator<Item = impl AsRef<[u8]>>,
    builder: &mut TransactionBuilder,
) {
    let mut group = builder.group(table.id(), table.layout().number(), operation);
    for row in rows {
        group.push(row.as_ref());
    }
}

fn refs(row: &[Value]) -> Vec<ValueRef<'_>> {
    row.iter().map(Value::as_ref).collect()
}
