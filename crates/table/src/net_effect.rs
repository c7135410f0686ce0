//! What a write transaction has done to one table, as the groups of its net effect.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::group::Operation;
use crate::overlay::Overlay;
use crate::row::{ReadValue, Row};
use crate::row_codec::{UpdateRow, encode_key_row, encode_row, encode_update_row};
use crate::table_ref::TableRef;
use crate::transaction_builder::TransactionBuilder;
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
    let key_bytes = |values: &[ReadValue<'_>]| {
        let key = key_columns.iter();
        let key: Vec<ValueRef<'_>> = key
            .map(|&column| values[usize::from(column)].as_ref())
            .collect();
        let mut bytes = Vec::with_capacity(32);
        encode_key_row(layout, key_columns, &key, &mut bytes);
        bytes
    };
    // Emptied where another row takes the place.
    let mut gone: Vec<(Vec<u8>, Option<Vec<ReadValue<'_>>>)> = Vec::new();
    for place in overlay.gone() {
        let values = base.get(place)?.read_all()?;
        gone.push((key_bytes(&values), Some(values)));
    }
    gone.sort_unstable_by(|(key, _), (other, _)| key.cmp(other));
    let is_unique = |column: usize| {
        let mut unique = base.indexes().filter(|spec| spec.unique);
        unique.any(|spec| {
            spec.columns
                .iter()
                .any(|&other| usize::from(other) == column)
        })
    };
    let mut updates: Vec<Vec<u8>> = Vec::new();
    let mut inserts: Vec<&[u8]> = Vec::new();
    for pending in overlay.rows() {
        let new = Row::pending(layout, pending.row, &pending.bytes).read_all()?;
        let key = key_bytes(&new);
        let found = gone.binary_search_by(|(other, _)| other.cmp(&key)).ok();
        let found = found.and_then(|at| Some((at, gone[at].1.as_ref()?)));
        let Some((at, old)) = found else {
            inserts.push(&pending.bytes);
            continue;
        };
        let is_changed = |column: &usize| new[*column].as_ref() != old[*column].as_ref();
        let changed: Vec<usize> = (0..new.len()).filter(is_changed).collect();
        if changed.iter().any(|&column| is_unique(column)) {
            inserts.push(&pending.bytes);
            continue;
        }
        gone[at].1 = None;
        if !changed.is_empty() {
            let value = |column: usize| new[column].as_ref();
            let update = UpdateRow {
                key: key_columns
                    .iter()
                    .map(|&column| value(column.into()))
                    .collect(),
                changes: changed
                    .iter()
                    .map(|&column| (column, value(column)))
                    .collect(),
            };
            let mut bytes = Vec::new();
            encode_update_row(layout, key_columns, &update, &mut bytes);
            updates.push(bytes);
        }
    }
    let deletes = gone.iter().filter(|(_, values)| values.is_some());
    let deletes = deletes.map(|(key, _)| key);
    write_group(base, Operation::DeleteByKey, deletes, builder);
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
        let values = base.get(place)?.read_all()?;
        let values: Vec<ValueRef<'_>> = values.iter().map(ReadValue::as_ref).collect();
        let mut bytes = Vec::new();
        encode_row(base.layout(), &values, &mut bytes);
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
