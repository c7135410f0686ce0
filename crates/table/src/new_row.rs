//! A row as a statement wants it, before it is encoded.

use crate::error::Error;
use crate::key_buffer::{RowBuffer, RowBytes};
use crate::layout::{COLUMN_COUNT_MAX, Layout};
use crate::pending_row::{ChangeOf, PendingRow};
use crate::row::Row;
use crate::row_codec::{CellEncoder, set_bits};
use crate::row_id::RowId;
use crate::table_ref::TableRef;
use crate::value::Value;
use crate::value_ref::{HandTo, ValueRef};

/// The values of a row that is to stand in a table. They fit its layout.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NewRow<'a> {
    /// All of them, in column order.
    Whole(&'a [Value]),
    /// Those of a row that is there, but for some columns; of one that is named twice the last value counts.
    Changed(Row<'a>, &'a [(usize, Value)]),
}

impl NewRow<'_> {
    /// Does something with the value of a column.
    #[inline(always)]
    pub(crate) fn with_value<T>(
        &self,
        column: usize,
        mut take: impl FnMut(ValueRef<'_>) -> T,
    ) -> Result<T, Error> {
        let given = match self {
            NewRow::Whole(values) => Some(&values[column]),
            NewRow::Changed(_, changes) => {
                let mut changes = changes.iter().rev();
                changes
                    .find(|(changed, _)| *changed == column)
                    .map(|(_, value)| value)
            }
        };
        match (self, given) {
            (NewRow::Changed(row, _), None) => row.with_value(column, take),
            (_, given) => Ok(given.unwrap_or(&Value::Null).give_to(HandTo(&mut take))),
        }
    }

    /// Whether none of some columns is said to change.
    pub(crate) fn keeps(&self, columns: &[u16]) -> bool {
        match self {
            NewRow::Whole(_) => false,
            NewRow::Changed(_, changes) => {
                let mut changed = changes.iter().map(|(column, _)| *column);
                !changed.any(|changed| columns.iter().any(|&column| usize::from(column) == changed))
            }
        }
    }

    /// Whether this is the row that is to change.
    pub(crate) fn is_change_of(&self, row: &Row<'_>) -> bool {
        matches!(self, NewRow::Changed(old, _) if old.row_id() == row.row_id())
    }

    /// The values of some columns.
    pub(crate) fn key(&self, columns: &[u16]) -> Result<Vec<Value>, Error> {
        let columns = columns.iter().map(|&column| usize::from(column));
        columns
            .map(|column| self.with_value(column, |value| Value::from(value)))
            .collect()
    }

    /// What a transaction on the base holds of the row under an id.
    pub(crate) fn pending(&self, row: RowId, base: TableRef<'_>) -> Result<PendingRow, Error> {
        let mut bytes = RowBuffer::new();
        let change_of = match self.base_row(base)? {
            Some(old) => {
                self.put_key(base.layout(), base.table.key_columns(), &mut bytes)?;
                let key_bytes = bytes.length();
                self.put_changes(base.layout(), old, &mut bytes)?;
                let place = old.row_id();
                Some(ChangeOf { place, key_bytes })
            }
            None => {
                self.put_all(base.layout(), &mut bytes)?;
                None
            }
        };
        Ok(PendingRow {
            row,
            change_of,
            bytes: bytes.bytes().into(),
        })
    }

    /// The base row that this is a change of, if it keeps its primary key.
    fn base_row<'b>(&'b self, base: TableRef<'b>) -> Result<Option<Row<'b>>, Error> {
        let key = base.primary_key();
        let NewRow::Changed(row, _) = self else {
            return Ok(None);
        };
        if !key.is_some_and(|key| self.keeps(&key.columns)) {
            return Ok(None);
        }
        let Some(pending) = row.as_pending() else {
            return Ok(Some(*row));
        };
        let change = pending.as_change();
        change.map(|change| base.get(change.place)).transpose()
    }

    fn put_key(
        &self,
        layout: &Layout,
        key_columns: &[u16],
        bytes: &mut RowBuffer,
    ) -> Result<(), Error> {
        let mut cells = CellEncoder::of_key(layout, key_columns, bytes);
        for column in key_columns.iter().map(|&column| usize::from(column)) {
            let definition = &layout.columns()[column];
            self.with_value(column, |value| cells.put(definition, value))?;
        }
        Ok(())
    }

    /// Puts the values that are other ones than those of a base row.
    fn put_changes(
        &self,
        layout: &Layout,
        base: Row<'_>,
        bytes: &mut RowBuffer,
    ) -> Result<(), Error> {
        let mut changed = [0; COLUMN_COUNT_MAX / 8];
        let changed = &mut changed[..layout.column_count().div_ceil(8)];
        if let NewRow::Changed(row, changes) = self {
            if let Some(before) = row.as_pending().and_then(PendingRow::as_change) {
                changed.copy_from_slice(&before.changes[..changed.len()]);
            }
            for (column, value) in *changes {
                let is_same = base.with_value(*column, |old| old == value.as_ref())?;
                let byte = &mut changed[column / 8];
                *byte = *byte & !(1 << (column % 8)) | u8::from(!is_same) << (column % 8);
            }
        }
        let changed = set_bits(changed);
        let mut cells = CellEncoder::of_changes(layout, changed.clone(), bytes);
        for column in changed {
            let definition = &layout.columns()[column];
            self.with_value(column, |value| cells.put(definition, value))?;
        }
        Ok(())
    }

    fn put_all(&self, layout: &Layout, bytes: &mut RowBuffer) -> Result<(), Error> {
        let mut cells = CellEncoder::new(layout.nullable_count(), bytes);
        for (column, definition) in layout.columns().iter().enumerate() {
            self.with_value(column, |value| cells.put(definition, value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::*;

    const TABLE: TableId = TableId(1);
    const KEY: IndexId = IndexId(1);

    /// A key, two values that are never named, and one that changes, which other rows may have or not.
    fn begun(unique: bool) -> (Store, WriteTransaction) {
        let columns = [ColumnType::U64, ColumnType::String, ColumnType::Bytes];
        let mut columns: Vec<_> = columns.map(LayoutColumn::required).to_vec();
        columns.push(LayoutColumn::nullable(ColumnType::I64));
        let mut store = Store::new([0; 32]);
        let layout = Layout::new(LayoutNumber(1), columns).unwrap();
        store.create_table(TABLE, layout).unwrap();
        for (id, columns, unique) in [(KEY, vec![0], true), (IndexId(2), vec![3], unique)] {
            let spec = IndexSpec {
                id,
                columns,
                unique,
                kind: IndexKind::Hash,
            };
            store.create_index(TABLE, spec).unwrap();
        }
        store.set_primary_key(TABLE, Some(KEY)).unwrap();
        store.insert(TABLE, &row(7, Value::I64(1))).unwrap();
        let transaction = WriteTransaction::new(&store);
        (store, transaction)
    }

    fn row(key: u64, value: Value) -> [Value; 4] {
        [
            key.into(),
            "long".repeat(10_000).into(),
            vec![1_u8; 100].into(),
            value,
        ]
    }

    fn find(transaction: &WriteTransaction, key: u64) -> Row<'_> {
        let table = transaction.table(TABLE).unwrap();
        table.find(KEY, &[key.into()]).unwrap().unwrap()
    }

    /// What a transaction does, in a log's bytes, and what it holds of the row with a key, in bytes.
    fn check(transaction: &WriteTransaction, key: u64, expected: &[Value], held_bytes_max: usize) {
        let found = find(transaction, key);
        assert_eq!(found.values().unwrap(), expected);
        let held = found.as_pending().unwrap().bytes.len();
        assert!(held <= held_bytes_max, "{held} bytes");
    }

    fn flushed(transaction: &WriteTransaction) -> Vec<u8> {
        let mut builder = TransactionBuilder::new(0);
        transaction.flush(&mut builder).unwrap();
        builder.finish()
    }

    #[test]
    fn an_updated_row_is_held_as_what_changes_for_as_long_as_its_key_stays() {
        [false, true].into_iter().for_each(check_held);
    }

    fn check_held(unique: bool) {
        let (store, mut transaction) = begun(unique);
        let update = |transaction: &mut WriteTransaction, key, column, value: Value| {
            let row = find(transaction, key).row_id();
            transaction.update(TABLE, row, &[(column, value)]).unwrap();
        };
        update(&mut transaction, 7, 3, Value::Null);
        check(&transaction, 7, &row(7, Value::Null), 10);
        update(&mut transaction, 7, 2, vec![2_u8; 3].into());
        let mut expected = row(7, Value::Null);
        expected[2] = vec![2_u8; 3].into();
        check(&transaction, 7, &expected, 14);
        update(&mut transaction, 7, 2, vec![1_u8; 100].into());
        update(&mut transaction, 7, 3, Value::I64(1));
        // What is as it was is not held any more.
        check(&transaction, 7, &row(7, Value::I64(1)), 9);
        // All is as it was.
        assert_eq!(flushed(&transaction), TransactionBuilder::new(0).finish());
        update(&mut transaction, 7, 0, 8_u64.into());
        check(&transaction, 8, &row(8, Value::I64(1)), usize::MAX);
        let renamed = flushed(&transaction);
        let operations = Transaction::parse(&renamed).unwrap();
        let operations: Vec<_> = operations.groups().map(|group| group.operation).collect();
        assert_eq!(operations, [Operation::DeleteByKey, Operation::Insert]);
        let row = find(&transaction, 8).row_id();
        transaction.delete(TABLE, row).unwrap();
        let mut deleting = WriteTransaction::new(&store);
        let row = find(&deleting, 7).row_id();
        deleting.delete(TABLE, row).unwrap();
        assert_eq!(flushed(&transaction), flushed(&deleting));
    }

    #[test]
    fn a_changed_row_that_is_deleted_is_deleted() {
        let (store, mut transaction) = begun(false);
        let row = find(&transaction, 7).row_id();
        let changes = [(3, Value::I64(2))];
        let row = transaction.update(TABLE, row, &changes).unwrap();
        transaction.delete(TABLE, row).unwrap();
        let mut deleting = WriteTransaction::new(&store);
        let row = find(&deleting, 7).row_id();
        deleting.delete(TABLE, row).unwrap();
        assert_eq!(flushed(&transaction), flushed(&deleting));
    }
}
