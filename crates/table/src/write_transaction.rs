//! A write transaction: a store that is not touched, and beside it what was done to each of its tables.
//!
//! ```text
//!   base: Store ─────────────┐
//!                            ├── TableRef: reads see both as one table
//!   overlays: for each table ┘
//!     that was written         └── flush: the net effect as groups of rows
//! ```
//!
//! Reads inside the transaction see its own writes through every index and scan, and no page is copied for them.
//! Nothing here reaches the base: [`WriteTransaction::flush`] turns the net effect into groups, and those are applied to the
//! real store by the same function that replays a log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cow_sorted::CowSorted;
use crate::error::Error;
use crate::key_bytes::KeyBytes;
use crate::net_effect;
use crate::overlay::{Keys, Overlay};
use crate::row_codec::encode_row;
use crate::row_id::RowId;
use crate::store::Store;
use crate::table_id::TableId;
use crate::table_ref::TableRef;
use crate::transaction_builder::TransactionBuilder;
use crate::value::Value;
use crate::value_ref::ValueRef;

static STAMP_COUNT: AtomicU64 = AtomicU64::new(0);

fn next_stamp() -> u64 {
    STAMP_COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Row changes that have not happened yet. Dropping it leaves no trace. A clone is another transaction that has done the same so far.
#[derive(Debug)]
pub struct WriteTransaction {
    base: Store,
    overlays: CowSorted<(TableId, Overlay)>,
    /// How many rows were written so far, of all tables. Goes on counting after a rebase and after going back to a savepoint, so
    /// that the id of a row from before finds no other one.
    pending_count: u64,
    /// Which transaction it is: no other one of this process has the same.
    stamp: u64,
}

/// A state of one [`WriteTransaction`] to come back to.
#[derive(Debug, Clone)]
pub struct Savepoint {
    base: Store,
    overlays: CowSorted<(TableId, Overlay)>,
    /// Of the transaction that it belongs to.
    stamp: u64,
}

impl WriteTransaction {
    /// Begins on a store; O(1).
    pub fn new(base: &Store) -> Self {
        WriteTransaction {
            base: base.clone(),
            overlays: CowSorted::new(),
            pending_count: 0,
            stamp: next_stamp(),
        }
    }

    /// The store that it began on, or was rebased to: without what was done since.
    pub fn base(&self) -> &Store {
        &self.base
    }

    /// The table of this id as this transaction sees it, or [`Error::NoSuchTable`].
    pub fn table(&self, table: TableId) -> Result<TableRef<'_>, Error> {
        let overlay = self.overlays.get(|(id, _)| id.cmp(&table));
        let overlay = overlay.map(|(_, overlay)| overlay);
        Ok(self.base.table(table)?.under(overlay))
    }

    /// Adds a row; values in column order. Refused rows leave nothing behind.
    pub fn insert(&mut self, table: TableId, values: &[Value]) -> Result<RowId, Error> {
        let seen = self.table(table)?;
        let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
        seen.table.check_values(&values)?;
        let keys = admit(seen, &values, None)?;
        let bytes = encode(seen, &values);
        let row = self.next_pending();
        self.overlay(table).insert(row, bytes, keys);
        Ok(row)
    }

    /// Removes the row at a place.
    pub fn delete(&mut self, table: TableId, row: RowId) -> Result<(), Error> {
        let seen = self.table(table)?;
        let found = seen.get(row)?;
        if found.pending_bytes().is_none() {
            self.overlay(table).hide(row);
            return Ok(());
        }
        let mut copied = Vec::new();
        let keys = keys(seen, &found.read_all(&mut copied)?)?;
        self.overlay(table).remove(row, &keys);
        Ok(())
    }

    /// Changes values of the row at a place, by column position; returns where it stands now.
    pub fn update(
        &mut self,
        table: TableId,
        row: RowId,
        changes: &[(usize, Value)],
    ) -> Result<RowId, Error> {
        let seen = self.table(table)?;
        let found = seen.get(row)?;
        let mut copied = Vec::new();
        let old = found.read_all(&mut copied)?;
        let mut new = old.clone();
        for (column, value) in changes {
            seen.table.check_value(*column, value.as_ref())?;
            new[*column] = value.as_ref();
        }
        let new_keys = admit(seen, &new, Some((row, &old)))?;
        let bytes = encode(seen, &new);
        if found.pending_bytes().is_some() {
            let old_keys = keys(seen, &old)?;
            self.overlay(table).update(row, bytes, &old_keys, new_keys);
            return Ok(row);
        }
        let pending = self.next_pending();
        let overlay = self.overlay(table);
        overlay.hide(row);
        overlay.insert(pending, bytes, new_keys);
        Ok(pending)
    }

    /// Remembers this state; O(1).
    pub fn savepoint(&self) -> Savepoint {
        Savepoint {
            base: self.base.clone(),
            overlays: self.overlays.clone(),
            stamp: self.stamp,
        }
    }

    /// Goes back to a remembered state. It stays good for going back again.
    ///
    /// # Panics
    /// If the savepoint is one of another transaction: what that one did would be done again.
    pub fn roll_back_to(&mut self, savepoint: &Savepoint) {
        assert!(
            self.stamp == savepoint.stamp,
            "a savepoint is good in its own transaction only"
        );
        self.base.clone_from(&savepoint.base);
        self.overlays.clone_from(&savepoint.overlays);
    }

    /// Appends the groups for what was done to the base: the net effect. Tables come in ascending order of their ids, in
    /// each deletes, then updates, then inserts; deleted rows in the order of their bytes, the others in the order in which
    /// statements first wrote them.
    ///
    /// # Errors
    /// Damage only.
    pub fn flush(&self, builder: &mut TransactionBuilder) -> Result<(), Error> {
        for (table, overlay) in self.overlays.iter() {
            net_effect::encode(self.base.table(*table)?, overlay, builder)?;
        }
        Ok(())
    }

    /// Goes on from another store, on which what was flushed and more has been applied. Rows that were pending stand
    /// elsewhere then.
    pub fn rebase(&mut self, store: Store) {
        self.base = store;
        self.overlays = CowSorted::new();
    }

    /// The id of the next row that is written.
    fn next_pending(&mut self) -> RowId {
        let row = RowId::pending(self.pending_count);
        self.pending_count += 1;
        row
    }

    /// The overlay of a table of the base.
    fn overlay(&mut self, table: TableId) -> &mut Overlay {
        let compare = |(id, _): &(TableId, Overlay)| id.cmp(&table);
        if self.overlays.get(compare).is_none() {
            let index_count = self.base.table(table).map_or(0, |t| t.indexes().count());
            let overlay = Overlay::new(index_count);
            let order = |there: &(TableId, _), new: &(TableId, _)| there.0.cmp(&new.0);
            self.overlays.insert((table, overlay), order);
        }
        let overlay = self.overlays.get_mut(compare);
        overlay
            .map(|(_, overlay)| overlay)
            .expect("it was put there above")
    }
}

impl Clone for WriteTransaction {
    fn clone(&self) -> Self {
        WriteTransaction {
            base: self.base.clone(),
            overlays: self.overlays.clone(),
            pending_count: self.pending_count,
            stamp: next_stamp(),
        }
    }
}

/// The keys of a row that is to stand in the table, in the place of `old` if there is one, unless another row has a key that must be
/// its own.
fn admit(
    seen: TableRef<'_>,
    values: &[ValueRef<'_>],
    old: Option<(RowId, &[ValueRef<'_>])>,
) -> Result<Keys, Error> {
    let keys = keys(seen, values)?;
    for (position, (index, key)) in seen.table.indexes.iter().zip(&keys).enumerate() {
        let is_kept = |(_, old): (_, &[ValueRef<'_>])| {
            let mut columns = index.spec.columns.iter().map(|&column| usize::from(column));
            columns.all(|column| old[column] == values[column])
        };
        // A row keeps the keys that it has.
        if index.exempts(values) || old.is_some_and(is_kept) {
            continue;
        }
        let found = seen.first_with_key(position, key)?;
        if found.is_some_and(|row| Some(row.row_id()) != old.map(|(row, _)| row)) {
            return Err(index.violation(seen.id(), values));
        }
    }
    Ok(keys)
}

fn keys(seen: TableRef<'_>, values: &[ValueRef<'_>]) -> Result<Keys, Error> {
    let keys = seen.table.indexes.iter().map(|index| {
        let key = index.short_key_of_row(seen.id(), values)?;
        Ok(KeyBytes::from(key.bytes()))
    });
    keys.collect()
}

fn encode(seen: TableRef<'_>, values: &[ValueRef<'_>]) -> Arc<[u8]> {
    // Enough for any row, so that the buffer need not grow.
    let variable = values.iter().filter_map(|value| value.variable_bytes());
    let room = variable.map(<[u8]>::len).sum::<usize>() + 24 * values.len();
    let mut bytes = Vec::with_capacity(room);
    encode_row(seen.layout(), values, &mut bytes);
    Arc::from(bytes)
}
