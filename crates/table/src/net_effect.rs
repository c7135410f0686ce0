//! What a write transaction has done to one table, as the groups of its net effect.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Error;
use crate::group::Operation;
use crate::layout::Layout;
use crate::overlay::Overlay;
use crate::row::Row;
use crate::row_codec::{CellEncoder, decode_cells, encode_changes, encode_key_columns, encode_row};
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
        _ if overlay.gone_count() == 0 => {
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
    let mut keys = Vec::with_capacity(64);
    let mut gone = Vec::with_capacity(overlay.gone_count());
    for place in overlay.gone() {
        gone.push(Gone {
            place,
            key: encode_stored_key(&base.get(place)?, layout, key_columns, &mut keys)?,
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
    let mut inserts = Vec::<&[u8]>::new();
    let updates_start = builder.byte_length();
    let mut updates = builder.group(base.id(), layout.number(), Operation::Update);
    // One pending row after the other: all of it, and then what is new in it.
    let columns_max = layout.column_count() * overlay.pending_count().min(1);
    let mut cells = Vec::with_capacity(columns_max);
    for pending in overlay.rows() {
        cells.clear();
        let decoded = decode_cells(layout, &pending.bytes, |cell| cells.push(cell));
        decoded.expect("it was encoded by the transaction");
        keys.truncate(gone_keys_end);
        let values_of_key = key_columns.iter();
        let values_of_key = values_of_key.map(|&column| cells[usize::from(column)].1);
        encode_key_columns(layout, key_columns, values_of_key, &mut keys);
        let key = &keys[gone_keys_end..];
        let found = gone.binary_search_by(|gone| keys[gone.key.clone()].cmp(key));
        let Some(gone) = found.ok().map(|at| &mut gone[at]) else {
            inserts.push(&pending.bytes);
            continue;
        };
        let old = base.get(gone.place)?;
        let mut change_count = 0;
        for at in 0..cells.len() {
            let (column, value) = cells[at];
            if !old.has_value(column, value)? {
                cells[change_count] = (column, value);
                change_count += 1;
            }
        }
        let changes = &cells[..change_count];
        if gone.is_replaced || changes.iter().any(|(column, _)| is_unique(*column)) {
            inserts.push(&pending.bytes);
            continue;
        }
        gone.is_replaced = true;
        if !changes.is_empty() {
            updates.push_with(|bytes| {
                bytes.extend_from_slice(key);
                encode_changes(layout, changes, bytes);
            });
        }
    }
    let deletes_start = builder.byte_length();
    let deletes = gone.iter().filter(|gone| !gone.is_replaced);
    let deletes = deletes.map(|gone| &keys[gone.key.clone()]);
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
    keys: &mut Vec<u8>,
) -> Result<Range<usize>, Error> {
    let start = keys.len();
    let mut cells = CellEncoder::of_key(layout, key_columns, keys);
    for column in key_columns.iter().map(|&column| usize::from(column)) {
        let definition = &layout.columns()[column];
        match row.value_ref(column)? {
            Some(value) => cells.put(definition, value),
            None => cells.put(definition, row.value(column)?.as_ref()),
        }
    }
    Ok(start..keys.len())
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
