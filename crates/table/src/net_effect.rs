//! What a write transaction has done to one table, as the groups of its net effect.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Error;
use crate::group::Operation;
use crate::index_spec::IndexSpec;
use crate::key_buffer::{KeyBuffer, KeyBytes, RowBuffer, RowBytes};
use crate::layout::Layout;
use crate::new_row::NewRow;
use crate::overlay::Overlay;
use crate::pending_row::PendingRow;
use crate::row::Row;
use crate::row_codec::{CellEncoder, changes_column, encode_row, encoded_changes, encoded_values};
use crate::row_id::RowId;
use crate::table_ref::TableRef;
use crate::transaction_builder::TransactionBuilder;

/// A row of the base that is gone, or goes and comes back.
struct Gone {
    place: RowId,
    /// Where its key stands among the keys of all.
    key: Range<usize>,
    /// An update says what it is now.
    is_updated: bool,
}

/// A column and its value, as [`encoded_values`] gives it.
type EncodedCell<'v> = (usize, Option<&'v [u8]>);

/// Appends the groups that lead from the base to what the transaction sees: deletes, then updates, then inserts. Rows that
/// came back as they were are left out.
///
/// Whoever applies them goes row by row, and at no time may two rows have one key of a unique index. So a row is written whole, as a delete and an
/// insert, if it takes such a key over from a row that stands behind it here: one of two rows that swap keys, and none of many that each hand theirs
/// to the next one.
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
        Some(key) => encode_keyed(base, key, overlay, builder),
        None => encode_unkeyed(base, overlay, builder),
    }
}

fn encode_keyed(
    base: TableRef<'_>,
    primary_key: &IndexSpec,
    overlay: &Overlay,
    builder: &mut TransactionBuilder,
) -> Result<(), Error> {
    let layout = base.layout();
    let key_columns = &primary_key.columns;
    // Most transactions are of a row or two: room for those, so that no buffer need grow.
    let mut keys = RowBuffer::new();
    let mut gone = Vec::new();
    for place in overlay.gone() {
        gone.push(Gone {
            place,
            key: encode_stored_key(&base.get(place)?, layout, key_columns, &mut keys)?,
            is_updated: false,
        });
    }
    for pending in overlay.rows() {
        let Some(change) = pending.as_change() else {
            continue;
        };
        let changes = |column| changes_column(change.changes, column);
        if !can_update(base, primary_key, overlay, pending, changes)? {
            let start = keys.length();
            keys.put(change.key);
            gone.push(Gone {
                place: change.place,
                key: start..keys.length(),
                is_updated: false,
            });
        }
    }
    // Behind them, one after the other, the keys of whole rows.
    let gone_keys_end = keys.length();
    gone.sort_unstable_by(|one, other| {
        let [one, other] = [one, other].map(|gone| &keys.bytes()[gone.key.clone()]);
        one.cmp(other)
    });
    let mut inserts = Vec::<Cow<'_, [u8]>>::new();
    let updates_start = builder.byte_length();
    let mut updates = builder.group(base.id(), layout.number(), Operation::Update);
    for pending in overlay.rows() {
        keys.truncate(gone_keys_end);
        let change = pending.as_change();
        let key = match &change {
            Some(change) => change.key,
            None => {
                let values = || encoded_values(layout, &pending.bytes);
                let mut cells = CellEncoder::of_key(layout, key_columns, &mut keys);
                for column in key_columns.iter().map(|&column| usize::from(column)) {
                    cells.put_encoded(&layout.columns()[column], values().nth(column).flatten());
                }
                &keys.bytes()[gone_keys_end..]
            }
        };
        let found = gone.binary_search_by(|gone| keys.bytes()[gone.key.clone()].cmp(key));
        match (found.ok().map(|at| &mut gone[at]), change) {
            (None, None) => inserts.push(Cow::Borrowed(&pending.bytes)),
            (None, Some(change)) => {
                if encoded_changes(layout, change.changes).next().is_some() {
                    updates.push(&pending.bytes);
                }
            }
            (Some(_), Some(_)) => {
                let row = Row::pending(base.table, base.pages, pending);
                inserts.push(Cow::Owned(encode_whole(&row, layout)?));
            }
            (Some(gone), None) => {
                let old = base.get(gone.place)?;
                let values = encoded_values(layout, &pending.bytes);
                let others = others_of(&old, values.enumerate())?;
                let changes = |column| others.iter().any(|(other, _)| *other == column);
                if !can_update(base, primary_key, overlay, pending, changes)? {
                    inserts.push(Cow::Borrowed(&pending.bytes));
                    continue;
                }
                gone.is_updated = true;
                if !others.is_empty() {
                    updates.push_with(|bytes| {
                        bytes.extend_from_slice(key);
                        put_changes(layout, &others, bytes);
                    });
                }
            }
        }
    }
    let deletes_start = builder.byte_length();
    let deletes = gone.iter().filter(|gone| !gone.is_updated);
    let deletes = deletes.map(|gone| &keys.bytes()[gone.key.clone()]);
    write_group(base, Operation::DeleteByKey, deletes, builder);
    builder.put_behind(updates_start, deletes_start);
    write_group(base, Operation::Insert, inserts, builder);
    Ok(())
}

/// Whether a changed row of the base can be written as an update: when its turn comes, nobody has a key of a unique index that it is to have. Who has
/// it in the base is deleted or has changed by then, unless that row stands behind this one.
fn can_update(
    base: TableRef<'_>,
    primary_key: &IndexSpec,
    overlay: &Overlay,
    pending: &PendingRow,
    changes: impl Fn(usize) -> bool,
) -> Result<bool, Error> {
    let row = NewRow::Changed(Row::pending(base.table, base.pages, pending), &[]);
    for (position, index) in base.table.indexes.iter().enumerate() {
        let mut columns = index.spec.columns.iter();
        let is_new = columns.any(|&column| changes(usize::from(column)));
        if !index.spec.unique || !is_new || index.exempts(&row)? {
            continue;
        }
        let mut key = KeyBuffer::new();
        index.key_of_new_row(base.id(), &row, &mut key)?;
        let Some(holder) = base.first_with_key(position, key.bytes())? else {
            continue;
        };
        let (position, index) = base.table.index_at(primary_key.id)?;
        index.key_of_new_row(base.id(), &NewRow::Changed(holder, &[]), &mut key)?;
        let holder = overlay.first_with_key(position, key.bytes());
        if holder.is_some_and(|holder| holder > pending.row) {
            return Ok(false);
        }
    }
    Ok(true)
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

fn encode_whole(row: &Row<'_>, layout: &Layout) -> Result<Vec<u8>, Error> {
    let (mut copied, mut bytes) = (Vec::new(), Vec::new());
    encode_row(layout, &row.read_all(&mut copied)?, &mut bytes);
    Ok(bytes)
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
        let bytes = encode_whole(&base.get(place)?, base.layout())?;
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
