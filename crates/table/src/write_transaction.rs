//! A write transaction: a fork of the store, and the net effect of what was done to it.
//!
//! Reads inside the transaction are plain reads of the fork, so they see its own writes through every index and scan.
//! Nothing here reaches the store it was forked from: [`WriteTransaction::flush`] turns the net effect into groups, and
//! those are applied to the real store by the same function that replays a log.

use std::sync::Arc;

use crate::cow_radix::CowRadix;
use crate::error::Error;
use crate::row_id::RowId;
use crate::store::Store;
use crate::table_id::TableId;
use crate::transaction_builder::TransactionBuilder;
use crate::value::Value;
use crate::write_set::WriteSet;

/// Row changes that have not happened yet. Dropping it leaves no trace.
#[derive(Debug, Clone)]
pub struct WriteTransaction {
    fork: Store,
    /// By table id.
    writes: CowRadix<WriteSet>,
    /// A statement met a damaged page and may have left the fork half changed.
    broken: bool,
    /// Which transaction it is. Shared with its savepoints, so that no later one can have the same.
    stamp: Arc<()>,
}

/// A state of one [`WriteTransaction`] to come back to.
#[derive(Debug, Clone)]
pub struct Savepoint(WriteTransaction);

impl WriteTransaction {
    /// Begins on a store; O(1).
    pub fn new(base: &Store) -> Self {
        WriteTransaction {
            fork: base.clone(),
            writes: CowRadix::new(),
            broken: false,
            stamp: Arc::new(()),
        }
    }

    /// The store as this transaction sees it.
    pub fn store(&self) -> &Store {
        &self.fork
    }

    /// Adds a row; values in column order. Refused rows leave nothing behind.
    pub fn insert(&mut self, table: TableId, values: &[Value]) -> Result<RowId, Error> {
        let row = self.statement(|fork| fork.insert(table, values))?;
        self.write_set(table).insert(row);
        Ok(row)
    }

    /// Removes the row at a place.
    pub fn delete(&mut self, table: TableId, row: RowId) -> Result<(), Error> {
        let values = self.fork.table(table)?.get(row)?.values()?;
        self.statement(|fork| fork.delete(table, row))?;
        self.write_set(table).delete(row, values);
        Ok(())
    }

    /// Changes values of the row at a place, by column position; returns where it stands now.
    pub fn update(
        &mut self,
        table: TableId,
        row: RowId,
        changes: &[(usize, Value)],
    ) -> Result<RowId, Error> {
        let values = self.fork.table(table)?.get(row)?.values()?;
        let moved = self.statement(|fork| fork.update(table, row, changes))?;
        let write_set = self.write_set(table);
        write_set.delete(row, values);
        write_set.insert(moved);
        Ok(moved)
    }

    /// Remembers this state; O(1).
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.clone())
    }

    /// Goes back to a remembered state. It stays good for going back again.
    ///
    /// # Panics
    /// If the savepoint is one of another transaction: what that one did would be done again.
    pub fn roll_back_to(&mut self, savepoint: &Savepoint) {
        assert!(
            Arc::ptr_eq(&self.stamp, &savepoint.0.stamp),
            "a savepoint is good in its own transaction only"
        );
        self.clone_from(&savepoint.0);
    }

    /// Appends the groups for the net effect since the beginning, or since the last flush, and forgets it; the fork
    /// stays as it is. Tables come in ascending order of their ids.
    pub fn flush(&mut self, builder: &mut TransactionBuilder) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        for (table, write_set) in self.writes.iter() {
            let table = TableId(u32::try_from(table).expect("a table id is 32 bits wide"));
            write_set.encode(self.fork.table(table)?, builder)?;
        }
        self.writes = CowRadix::new();
        Ok(())
    }

    /// Goes on from another store, on which what was flushed and more has been applied.
    ///
    /// # Panics
    /// If there are changes that were not flushed: they would be lost.
    pub fn rebase(&mut self, store: Store) {
        assert!(
            self.writes.is_empty(),
            "changes must be flushed before the store is replaced"
        );
        self.fork = store;
    }

    fn statement<T>(
        &mut self,
        run: impl FnOnce(&mut Store) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        let result = run(&mut self.fork);
        self.broken = matches!(result, Err(Error::Damaged(_)));
        result
    }

    fn write_set(&mut self, table: TableId) -> &mut WriteSet {
        let id = u64::from(table.0);
        if self.writes.get(id).is_none() {
            self.writes.insert(id, WriteSet::default());
        }
        self.writes.get_mut(id).expect("it was put there above")
    }
}
