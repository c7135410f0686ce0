//! What a write transaction has done to one table, as the groups of its net effect.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Error;
use crate::group::Operation;
use crate::layout::Layout;
use crate::overlay::Overlay;
use crate::row::ReadValue;
use crate::row_codec::{decode_row, encode_changes, encode_key_columns, encode_row};
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
    // Most transactions are of a row or two: room for those, so that no buffer need grow.
    let (mut keys, mut updates) = (Vec::with_capacity(64), Vec::with_capacity(64));
    let (mut gone, mut old) = (Vec::new(), Vec::with_capacity(key_columns.len()));
    for place in overlay.gone() {
        let row = base.get(place)?;
        old.clear();
        for &column in key_columns {
            old.push(row.read(column.into())?);
        }
        let key = encode_key(layout, key_columns, |at| old[at].as_ref(), &mut keys);
        gone.push(Gone {
            place,
            key,
            is_replaced: false,
        });
    }
    // Behind them, one after the other, the keys of pending rows.
    let gone_keys_end = keys.len();
    gone.sort_unstable_by(|one, other| keys[one.key.clone()].cmp(&keys[other.key.clone()]));
    let is_unique = |column: usize| {
        let mut unique = base.indexes().filter(|spec| spec.unique);
        unique.any(|spec| {
            spec.columns
                .iter()
                .any(|&other| usize::from(other) == column)
        })
    };
    let (mut update_ends, mut inserts) = (Vec::new(), Vec::<&[u8]>::new());
    // Buffers for one pending row after the other.
    let mut new = Vec::with_capacity(layout.column_count());
    let mut changes = Vec::with_capacity(layout.column_count());
    for pending in overlay.rows() {
        let decoded = decode_row(layout, &pending.bytes, &mut new);
        decoded.expect("it was encoded by the transaction");
        let value_of_key = |at: usize| new[usize::from(key_columns[at])];
        keys.truncate(gone_keys_end);
        let key = encode_key(layout, key_columns, value_of_key, &mut keys);
        let key = &keys[key];
        let found = gone.binary_search_by(|gone| keys[gone.key.clone()].cmp(key));
        let Some(gone) = found.ok().map(|at| &mut gone[at]) else {
            inserts.push(&pending.bytes);
            continue;
        };
        let old = base.get(gone.place)?;
        changes.clear();
        for (column, &value) in new.iter().enumerate() {
            if old.read(column)?.as_ref() != value {
                changes.push((column, value));
            }
        }
        if gone.is_replaced || changes.iter().any(|(column, _)| is_unique(*column)) {
            inserts.push(&pending.bytes);
            continue;
        }
        gone.is_replaced = true;
        if !changes.is_empty() {
            updates.extend_from_slice(key);
            encode_changes(layout, &changes, &mut updates);
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
