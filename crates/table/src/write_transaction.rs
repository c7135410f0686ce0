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

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cow_sorted::CowSorted;
use crate::error::Error;
use crate::key_buffer::KeyBuffer;
use crate::key_bytes::KeyBytes;
use crate::net_effect;
use crate::new_row::NewRow;
use crate::overlay::{Keys, Overlay};
use crate::row_id::RowId;
use crate::store::Store;
use crate::table_id::TableId;
use crate::table_ref::TableRef;
use crate::transaction_builder::TransactionBuilder;
use crate::value::Value;

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

/// A state of one [`WriteTransaction`] to come back to: what was done, and the base that it was done to.
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
        seen.table.check_values(values.iter().map(Value::as_ref))?;
        let new = NewRow::Whole(values);
        let keys = admit(seen, &new)?;
        let row = RowId::pending(self.pending_count);
        let pending = new.pending(row, seen.under(None))?;
        self.overlay(table).insert(pending, keys);
        self.pending_count += 1;
        Ok(row)
    }

    /// Removes the row at a place.
    pub fn delete(&mut self, table: TableId, row: RowId) -> Result<(), Error> {
        let seen = self.table(table)?;
        let found = seen.get(row)?;
        if found.as_pending().is_none() {
            self.overlay(table).hide(row);
            return Ok(());
        }
        let keys = keys(seen, &NewRow::Changed(found, &[]))?;
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
        for (column, value) in changes {
            seen.table.check_value(*column, value.as_ref())?;
        }
        let new = NewRow::Changed(found, changes);
        let new_keys = admit(seen, &new)?;
        if found.as_pending().is_some() {
            let pending = new.pending(row, seen.under(None))?;
            let old_keys = keys(seen, &NewRow::Changed(found, &[]))?;
            let overlay = self.overlay(table);
            overlay.update(pending, &old_keys, new_keys);
            return Ok(row);
        }
        let moved = RowId::pending(self.pending_count);
        let pending = new.pending(moved, seen.under(None))?;
        let overlay = self.overlay(table);
        if pending.change_of.is_none() {
            overlay.hide(row);
        }
        overlay.insert(pending, new_keys);
        self.pending_count += 1;
        Ok(moved)
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
    /// From behind a [`WriteTransaction::rebase`] the base of before comes back with it, and what was done to that: it is flushed again, for the base
    /// of before. What was flushed since, and the store that it was applied to, belong to what is taken back.
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

    /// Appends the groups that lead from [`WriteTransaction::base`] to what the transaction sees: the net effect. Tables come in ascending order of their ids, in
    /// each deletes, then updates, then inserts; deleted rows in the order of their bytes, the others in the order in which
    /// statements first wrote them. Where an update would give a row a key of a unique index that a row behind it has until its own update, it is a
    /// delete and an insert instead.
    ///
    /// # Errors
    /// Damage only.
    pub fn flush(&self, builder: &mut TransactionBuilder) -> Result<(), Error> {
        for (table, overlay) in self.overlays.iter() {
            net_effect::encode(self.base.table(*table)?, overlay, builder)?;
        }
        Ok(())
    }

    /// Goes on from a fork of the base to which what was flushed, and maybe more, has been applied. Rows that were pending stand
    /// elsewhere then. A fork, since a savepoint from before goes back to the base: nobody else may count on what was flushed before the
    /// transaction ends.
    pub fn rebase(&mut self, store: Store) {
        self.base = store;
        self.overlays = CowSorted::new();
    }

    /// The overlay of a table of the base.
    fn overlay(&mut self, table: TableId) -> &mut Overlay {
        let compare = |(id, _): &(TableId, Overlay)| id.cmp(&table);
        if self.overlays.get(compare).is_none() {
            let order = |there: &(TableId, _), new: &(TableId, _)| there.0.cmp(&new.0);
            self.overlays.insert((table, Overlay::new()), order);
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

/// The keys of a row that is to stand in the table, in the place of the one that it is a change of, unless another row has a key that must
/// be its own.
fn admit(seen: TableRef<'_>, new: &NewRow<'_>) -> Result<Keys, Error> {
    let keys = keys(seen, new)?;
    for (position, (index, key)) in seen.table.indexes.iter().zip(&keys).enumerate() {
        // A row keeps the keys that it has.
        if new.keeps(&index.spec.columns) || index.exempts(new)? {
            continue;
        }
        let found = seen.first_with_key(position, key)?;
        if found.is_some_and(|found| !new.is_change_of(&found)) {
            return Err(index.violation(seen.id(), new.key(&index.spec.columns)?));
        }
    }
    Ok(keys)
}

fn keys(seen: TableRef<'_>, row: &NewRow<'_>) -> Result<Keys, Error> {
    let indexes = &seen.table.indexes;
    let mut keys = Vec::with_capacity(indexes.len());
    let mut key = KeyBuffer::new();
    for index in indexes {
        index.key_of_new_row(seen.id(), row, &mut key)?;
        keys.push(KeyBytes::from(key.bytes()));
    }
    Ok(keys)
}
