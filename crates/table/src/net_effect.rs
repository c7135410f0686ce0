//! What a write transaction has done to one table, as the groups of its net effect.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Error;
use crate::group::Operation;
use crate::key_buffer::{RowBuffer, RowBytes};
use crate::layout::Layout;
use crate::overlay::Overlay;
use crate::row::Row;
use crate::row_codec::{CellEncoder, encode_row, encoded_changes, encoded_values};
use crate::row_id::RowId;
use crate::table_ref::TableRef;
use crate::transaction_builder::TransactionBuilder;

/// A row of the base that is gone.
struct Gone {
    place: RowId,
    /// Where its key stands among the keys of all.
    key: Range<usize>,
    /// A new row has come in its place.
    is_replaced: bool,
}

/// A column and its value, as [`encoded_values`] gives it.
type EncodedCell<'v> = (usize, Option<&'v [u8]>);

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
        _ if overlay.only_adds() => {
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
    let mut keys = RowBuffer::new();
    let mut gone = Vec::new();
    for place in overlay.gone() {
        gone.push(Gone {
            place,
            key: encode_stored_key(&base.get(place)?, layout, key_columns, &mut keys)?,
            is_replaced: false,
        });
    }
    // Behind them, one after the other, the keys of pending rows.
    let gone_keys_end = keys.length();
    gone.sort_unstable_by(|one, other| {
        let [one, other] = [one, other].map(|gone| &keys.bytes()[gone.key.clone()]);
        one.cmp(other)
    });
    let is_unique = |column: usize| {
        let mut unique = base.indexes().filter(|spec| spec.unique);
        unique.any(|spec| {
            spec.columns
                .iter()
                .any(|&other| usize::from(other) == column)
        })
    };
    let mut inserts = Vec::<&[u8]>::new();
    let updates_start = builder.byte_length();
    let mut updates = builder.group(base.id(), layout.number(), Operation::Update);
    for pending in overlay.rows() {
        if let Some((_, changes)) = pending.as_change() {
            if encoded_changes(layout, changes).next().is_some() {
                updates.push(&pending.bytes);
            }
            continue;
        }
        let encoded = || encoded_values(layout, &pending.bytes);
        keys.truncate(gone_keys_end);
        let mut key = CellEncoder::of_key(layout, key_columns, &mut keys);
        for column in key_columns.iter().map(|&column| usize::from(column)) {
            key.put_encoded(&layout.columns()[column], encoded().nth(column).flatten());
        }
        let key = &keys.bytes()[gone_keys_end..];
        let found = gone.binary_search_by(|gone| keys.bytes()[gone.key.clone()].cmp(key));
        let Some(gone) = found.ok().map(|at| &mut gone[at]) else {
            inserts.push(&pending.bytes);
            continue;
        };
        let old = base.get(gone.place)?;
        let others = others_of(&old, encoded().enumerate())?;
        if gone.is_replaced || others.iter().any(|(column, _)| is_unique(*column)) {
            inserts.push(&pending.bytes);
            continue;
        }
        gone.is_replaced = true;
        if !others.is_empty() {
            updates.push_with(|bytes| {
                bytes.extend_from_slice(key);
                put_changes(layout, &others, bytes);
            });
        }
    }
    let deletes_start = builder.byte_length();
    let deletes = gone.iter().filter(|gone| !gone.is_replaced);
    let deletes = deletes.map(|gone| &keys.bytes()[gone.key.clone()]);
    write_group(base, Operation::DeleteByKey, deletes, builder);
    builder.put_behind(updates_start, deletes_start);
    write_group(base, Operation::Insert, inserts, builder);
    Ok(())
}

/// Appends the key of a row of the base, and says where it stands.
fn encode_stored_key(
    row: &Row<'_>,
    layout: &Layout,
    key_columns: &[u16],
    keys: &mut RowBuffer,
) -> Result<Range<usize>, Error> {
    let start = keys.length();
    let mut cells = CellEncoder::of_key(layout, key_columns, keys);
    for column in key_columns.iter().map(|&column| usize::from(column)) {
        let definition = &layout.columns()[column];
        row.with_value(column, |value| cells.put(definition, value))?;
    }
    Ok(start..keys.length())
}

/// Those of some values, with their columns, that a row has not.
fn others_of<'v>(
    row: &Row<'_>,
    values: impl Iterator<Item = EncodedCell<'v>>,
) -> Result<Vec<EncodedCell<'v>>, Error> {
    let mut others = Vec::new();
    for (column, value) in values {
        if !row.with_value(column, |old| old.is_encoded_as(value))? {
            others.push((column, value));
        }
    }
    Ok(others)
}

/// Appends what an update says behind the key.
fn put_changes(layout: &Layout, changes: &[EncodedCell<'_>], out: &mut Vec<u8>) {
    let changed = changes.iter().map(|(column, _)| *column);
    let mut cells = CellEncoder::of_changes(layout, changed, out);
    for (column, value) in changes {
        cells.put_encoded(&layout.columns()[*column], *value);
    }
}

fn encode_unkeyed(
    base: TableRef<'_>,
    overlay: &Overlay,
    builder: &mut TransactionBuilder,
) -> Result<(), Error> {
    // Equal rows are one here, and counted.
    let mut gone: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for place in overlay.gone() {
        let mut copied = Vec::new();
        let values = base.get(place)?.read_all(&mut copied)?;
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
