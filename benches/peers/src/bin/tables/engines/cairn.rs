//! Cairn's `table`: a transaction is checked, becomes the bytes that a log would keep, and is applied from them.

use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, Row as Found,
    Store, TableId, Transaction, TransactionBuilder, Value, ValueRef, WriteTransaction,
};

use crate::engine::{Digest, Engine};
use crate::row::{Row, Texts};

const TABLE: TableId = TableId(1);
const KEY: IndexId = IndexId(1);

/// A store of one table with a primary key.
pub(crate) struct Cairn {
    store: Store,
    kind: IndexKind,
}

impl Cairn {
    pub(crate) fn new(kind: IndexKind) -> Self {
        let types = [
            ColumnType::U64,
            ColumnType::I64,
            ColumnType::F64,
            ColumnType::String,
        ];
        let columns = types.map(LayoutColumn::required).to_vec();
        let layout = Layout::new(LayoutNumber(1), columns).expect("the layout is sound");
        let mut store = Store::new([7; 32]);
        store.create_table(TABLE, layout).expect("it is the first");
        let spec = IndexSpec {
            id: KEY,
            columns: vec![0],
            unique: true,
            kind,
        };
        store.create_index(TABLE, spec).expect("it is the first");
        store
            .set_primary_key(TABLE, Some(KEY))
            .expect("it is unique");
        Cairn { store, kind }
    }

    fn commit(&mut self, statements: impl FnOnce(&mut WriteTransaction)) {
        let mut transaction = WriteTransaction::new(&self.store);
        statements(&mut transaction);
        let mut builder = TransactionBuilder::new(0);
        transaction.flush(&mut builder).expect("memory is sound");
        drop(transaction);
        let bytes = builder.finish();
        let transaction = Transaction::parse(&bytes).expect("it was just built");
        for group in transaction.groups() {
            self.store.apply_group(&group).expect("it was checked");
        }
    }
}

fn seen(row: &Found<'_>, digest: &mut Digest) {
    let value = |column| {
        let value = row.value_ref(column).expect("memory is sound");
        value.expect("the value is short")
    };
    let (ValueRef::U64(key), ValueRef::I64(count), ValueRef::F64(ratio), ValueRef::String(text)) =
        (value(0), value(1), value(2), value(3))
    else {
        panic!("the columns have other types");
    };
    digest.add(Row {
        key,
        count,
        ratio,
        text,
    });
}

impl Engine for Cairn {
    fn name(&self) -> &'static str {
        match self.kind {
            IndexKind::Hash => "table, hash",
            IndexKind::Ordered => "table, ordered",
        }
    }

    fn settings(&self) -> &'static str {
        match self.kind {
            IndexKind::Hash => {
                "Cairn's `table`, the primary key a hash index; checked, encoded as for the log, applied"
            }
            IndexKind::Ordered => "the same, the primary key an ordered index",
        }
    }

    fn insert(&mut self, rows: &mut dyn Iterator<Item = u64>) {
        let mut texts = Texts::default();
        self.commit(|transaction| {
            for place in rows {
                let row = texts.row(place);
                let values = [
                    Value::U64(row.key),
                    Value::I64(row.count),
                    Value::F64(row.ratio),
                    Value::String(row.text.to_owned()),
                ];
                transaction.insert(TABLE, &values).expect("it is new");
            }
        });
    }

    fn delete(&mut self, keys: &[u64]) {
        self.commit(|transaction| {
            for key in keys {
                let table = transaction.table(TABLE).expect("it is there");
                let row = table.find(KEY, &[Value::U64(*key)]);
                let row = row.expect("memory is sound").expect("it is there").row_id();
                transaction.delete(TABLE, row).expect("it is there");
            }
        });
    }

    fn find(&self, keys: &[u64]) -> (u64, u64) {
        let table = self.store.table(TABLE).expect("it is there");
        let mut digest = Digest::default();
        for key in keys {
            let row = table.find(KEY, &[Value::U64(*key)]);
            if let Some(row) = row.expect("memory is sound") {
                seen(&row, &mut digest);
            }
        }
        (digest.sum, digest.count)
    }

    fn sum(&self) -> i64 {
        let table = self.store.table(TABLE).expect("it is there");
        let column = table.column::<i64>(1).expect("it is one of i64");
        i64::try_from(column.sum().expect("memory is sound")).expect("it is small")
    }

    fn range(&self, from: u64, count: usize) -> Option<u64> {
        if self.kind == IndexKind::Hash {
            return None;
        }
        let table = self.store.table(TABLE).expect("it is there");
        let mut digest = Digest::default();
        let from = [Value::U64(from)];
        let rows = table.index_range(
            KEY,
            std::ops::Bound::Included(&from[..]),
            std::ops::Bound::Unbounded,
        );
        for row in rows.expect("memory is sound").take(count) {
            seen(&row.expect("memory is sound"), &mut digest);
        }
        Some(digest.sum)
    }
}
