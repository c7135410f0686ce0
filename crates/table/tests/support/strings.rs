//! A table of a number, its key, and strings, written by transactions: shared by the tests of what rows take.

#![allow(clippy::unwrap_used, dead_code, reason = "each test uses its part")]

use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, Store, TableId,
    Transaction, TransactionBuilder, Value, WriteTransaction,
};

pub(crate) const TABLE: TableId = TableId(7);
pub(crate) const PRIMARY: IndexId = IndexId(1);

/// A table of a u64, its key, and so many strings.
pub(crate) fn empty_store(string_count: usize) -> Store {
    let mut store = Store::new([3; 32]);
    let mut columns = vec![LayoutColumn::required(ColumnType::U64)];
    columns.resize(1 + string_count, LayoutColumn::required(ColumnType::String));
    let layout = Layout::new(LayoutNumber(1), columns).unwrap();
    store.create_table(TABLE, layout).unwrap();
    let spec = IndexSpec {
        id: PRIMARY,
        columns: vec![0],
        unique: true,
        kind: IndexKind::Hash,
    };
    store.create_index(TABLE, spec).unwrap();
    store.set_primary_key(TABLE, Some(PRIMARY)).unwrap();
    store
}

pub(crate) fn commit(store: &mut Store, statements: impl FnOnce(&mut WriteTransaction)) {
    let mut transaction = WriteTransaction::new(store);
    statements(&mut transaction);
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).unwrap();
    drop(transaction);
    let bytes = builder.finish();
    for group in Transaction::parse(&bytes).unwrap().groups() {
        store.apply_group(&group).unwrap();
    }
}

pub(crate) fn delete(transaction: &mut WriteTransaction, key: u64) {
    let table = transaction.table(TABLE).unwrap();
    let found = table.find(PRIMARY, &[key.into()]).unwrap();
    let row = found.expect("the key is there").row_id();
    transaction.delete(TABLE, row).unwrap();
}

pub(crate) fn insert(transaction: &mut WriteTransaction, key: u64, lengths: &[usize]) {
    let strings = lengths
        .iter()
        .map(|&length| Value::String("q".repeat(length)));
    let row: Vec<Value> = std::iter::once(key.into()).chain(strings).collect();
    transaction.insert(TABLE, &row).unwrap();
}
