//! What a write transaction has done to one table, as the groups of its net effect.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Error;
use crate::group::Operation;
use crate::layout::Layout;
use crate::overlay::Overlay;
use crate::row::ReadValue;
use crate::row_codec::{UpdateRow, decode_row, encode_key_columns, encode_row, encode_update_row};
use crate::row_id::RowId;
use crate::table_ref::TableRef;
use crate::transaction_builder::TransactionBuilder;
use crate::value_ref::ValueRef;

/// A row of the base that is gone.
struct Gone {
    place: RowId,
    /// Where its key stands among the keys of all.
    key: Range<usize>,
    /// A new row has come in its place.
    is_replaced: bool,
}

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
    let mut keys = Vec::with_capacity(64);
    let mut gone = Vec::new();
    for place in overlay.gone() {
        let row = base.get(place)?;
        let values = key_columns.iter().map(|&column| row.read(column.into()));
        let values = values.collect::<Result<Vec<ReadValue<'_>>, Error>>()?;
        let key = encode_key(layout, key_columns, |at| values[at].as_ref(), &mut keys);
        gone.push(Gone {
            place,
            key,
            is_replaced: false,
        });
    }
    gone.sort_unstable_by(|one, other| keys[one.key.clone()].cmp(&keys[other.key.clone()]));
    let is_unique = |column: usize| {
        let mut unique = base.indexes().filter(|spec| spec.unique);
        unique.any(|spec| {
            spec.columns
                .iter()
                .any(|&other| usize::from(other) == column)
        })
    };
    let (mut updates, mut update_ends) = (Vec::new(), Vec::new());
    let mut inserts: Vec<&[u8]> = Vec::new();
    // Buffers for one pending row after the other.
    let (mut new, mut key, mut update) = (Vec::new(), Vec::new(), UpdateRow::default());
    for pending in overlay.rows() {
        let decoded = decode_row(layout, &pending.bytes, &mut new);
        decoded.expect("it was encoded by the transaction");
        key.clear();
        let value_of_key = |at: usize| new[usize::from(key_columns[at])];
        encode_key(layout, key_columns, value_of_key, &mut key);
        let found = gone.binary_search_by(|gone| keys[gone.key.clone()].cmp(&key));
        let Some(gone) = found.ok().map(|at| &mut gone[at]) else {
            inserts.push(&pending.bytes);
            continue;
        };
        let old = base.get(gone.place)?.read_all()?;
        let columns = new.iter().copied().enumerate();
        update.changes.clear();
        update
            .changes
            .extend(columns.filter(|(column, value)| *value != old[*column].as_ref()));
        if gone.is_replaced || update.changes.iter().any(|(column, _)| is_unique(*column)) {
            inserts.push(&pending.bytes);
            continue;
        }
        gone.is_replaced = true;
        if !update.changes.is_empty() {
            update.key.clear();
            update.key.extend((0..key_columns.len()).map(value_of_key));
            encode_update_row(layout, key_columns, &update, &mut updates);
            update_ends.push(updates.len());
        }
    }
    let deletes = gone.iter().filter(|gone| !gone.is_replaced);
    let deletes = deletes.map(|gone| &keys[gone.key.clone()]);
    write_group(base, Operation::DeleteByKey, deletes, builder);
    let update_starts = std::iter::once(0).chain(update_ends.iter().copied());
    let updates = update_starts
        .zip(&update_ends)
        .map(|(start, &end)| &updates[start..end]);
    write_group(base, Operation::Update, updates, builder);
    write_group(base, Operation::Insert, inserts, builder);
    Ok(())
}

/// Appends the key of a row, whose columns have these values in the key's order, and says where it stands.
fn encode_key<'v>(
    layout: &Layout,
    key_columns: &[u16],
    value: impl Fn(usize) -> ValueRef<'v>,
    keys: &mut Vec<u8>,
) -> Range<usize> {
    let start = keys.len();
    encode_key_columns(layout, key_columns, (0..key_columns.len()).map(value), keys);
    start..keys.len()
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
