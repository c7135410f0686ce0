//! Hostile heads of tables: each is refused, or what it describes is read and changed without a panic.
#![allow(clippy::unwrap_used)]

#[path = "support/allocated.rs"]
mod allocated;

use allocated::within;
use table::{
    ColumnType, DamageKind, Error, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn,
    LayoutNumber, Malformed, MalformedKind, Store, TableId, Transaction, TransactionBuilder, Value,
    WriteTransaction,
};

const TABLE: TableId = TableId(7);
const HASH: IndexId = IndexId(1);
const ORDERED: IndexId = IndexId(2);

/// What the store takes, copied and written to, and more.
const BYTES_MAX: usize = 2 << 20;

fn row(key: u64, length: usize) -> [Value; 2] {
    [key.into(), "x".repeat(length).into()]
}

/// A table of these columns with indexes of both kinds over the first, and no rows.
fn keyed(types: &[ColumnType]) -> Store {
    let mut store = Store::new([3; 32]);
    let columns = types.iter().copied().map(LayoutColumn::required).collect();
    let layout = Layout::new(LayoutNumber(1), columns).unwrap();
    store.create_table(TABLE, layout).unwrap();
    for (id, kind) in [(HASH, IndexKind::Hash), (ORDERED, IndexKind::Ordered)] {
        let spec = IndexSpec {
            id,
            columns: vec![0],
            unique: true,
            kind,
        };
        store.create_index(TABLE, spec).unwrap();
    }
    store.set_primary_key(TABLE, Some(HASH)).unwrap();
    store
}

/// A table with indexes of both kinds, and rows of which some have values in the heap of their page.
fn sound() -> Store {
    let mut store = keyed(&[ColumnType::U64, ColumnType::String]);
    for key in 0..1_000 {
        store.insert(TABLE, &row(key, 30)).unwrap();
    }
    store
}

/// The same table, most of whose rows stand as they did before columns came and went.
fn with_older_rows() -> Store {
    let mut store = keyed(&[ColumnType::U64, ColumnType::I32, ColumnType::String]);
    for key in 0..1_000 {
        let [key, text] = row(key, 30);
        store.insert(TABLE, &[key, 5.into(), text]).unwrap();
    }
    let next = |number, default: Option<&str>| {
        let text = LayoutColumn {
            default: default.map(Value::from),
            ..LayoutColumn::required(ColumnType::String)
        };
        let columns = vec![LayoutColumn::required(ColumnType::U64), text];
        Layout::new(LayoutNumber(number), columns).unwrap()
    };
    let sources = [Some(0), Some(2)];
    store.change_layout(TABLE, next(2, None), &sources).unwrap();
    for key in 1_000..1_100 {
        store.insert(TABLE, &row(key, 30)).unwrap();
    }
    let layout = next(3, Some("what all rows have"));
    store
        .change_layout(TABLE, layout, &[Some(0), None])
        .unwrap();
    for key in 1_100..1_150 {
        store.insert(TABLE, &row(key, 30)).unwrap();
    }
    store.check().unwrap();
    store
}

fn head(store: &Store) -> Vec<u8> {
    let (_, head) = store.heads().next().unwrap();
    head
}

const REFUSED: Error = Error::Malformed(Malformed {
    byte_offset: 0,
    kind: MalformedKind::TableHead,
});

/// The store with another head.
fn with_head(store: &Store, head: &[u8]) -> Result<Store, Error> {
    let pages = store.pages();
    let pages = pages
        .iter()
        .map(|(number, page)| (number, page.to_page().unwrap()));
    Store::restore([3; 32], pages, [head])
}

/// Reads and changes all that a head describes; errors are as good as answers.
fn use_up(store: &Store) {
    let ids: Vec<TableId> = store.tables().map(|table| table.id()).collect();
    for id in ids {
        let table = store.table(id).unwrap();
        let _ = table.scan().count();
        let _ = table.memory_use();
        let _ = store.check();
        let _ = table.find(HASH, &[77_u64.into()]);
        let _ = table.find(ORDERED, &[77_u64.into()]);
        let first = table.scan().next();
        if let Some(Ok(row)) = first {
            let _ = store.clone().delete(id, row.row_id());
            let change = (1, "y".repeat(200).into());
            let _ = store.clone().update(id, row.row_id(), &[change]);
        }
        for length in [3, 500] {
            let mut fork = store.clone();
            let rows = 900_000..900_100;
            let _ = rows
                .map(|key| fork.insert(id, &row(key, length)))
                .find(Result::is_err);
        }
        let mut fork = store.clone();
        let mut writes = WriteTransaction::new(&fork);
        let rows = 900_000..900_030;
        let written = rows
            .map(|key| writes.insert(id, &row(key, 3)))
            .find(Result::is_err);
        let mut builder = TransactionBuilder::new(0);
        if written.is_none() && writes.flush(&mut builder).is_ok() {
            // Moves rows of older layouts.
            let bytes = builder.finish();
            for group in Transaction::parse(&bytes).unwrap().groups() {
                let _ = fork.apply_group(&group);
            }
        }
        let _ = store.clone().set_primary_key(id, None);
        let _ = store.clone().drop_table(id);
    }
}

/// Each number of a head is as large as it can be written, each byte takes values from all over its range.
#[test]
fn hostile_heads_neither_panic_nor_hang() {
    for store in [sound(), with_older_rows()] {
        each_byte_of_the_head(&store);
    }
}

fn each_byte_of_the_head(store: &Store) {
    let head = head(store);
    let mut refused_count = 0;
    let mut variants = Vec::new();
    for (at, byte) in head.iter().copied().enumerate() {
        for other in [0, 1, 0x7f, 0x80, 0xff, byte ^ 1, byte.wrapping_add(1)] {
            let mut variant = head.clone();
            variant[at] = other;
            variants.push(variant);
        }
        let rest = at + head[at..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
        let mut variant = head[..at].to_vec();
        // 2^64 - 1, seven bits a byte.
        variant.extend([0xff; 9]);
        variant.push(1);
        variant.extend(head.iter().skip(rest));
        variants.push(variant);
    }
    for variant in &variants {
        match with_head(store, variant) {
            Ok(store) => within(BYTES_MAX, || use_up(&store)),
            Err(error) => {
                // A head that says so of a hash index asks for buckets of the older kind.
                let (expected, found) = (5, 8);
                let is_of_bucket = matches!(&error, Error::Damaged(damaged)
                    if damaged.kind == DamageKind::Kind { expected, found });
                assert!(error == REFUSED || is_of_bucket, "{error}: {variant:?}");
                refused_count += 1;
            }
        }
    }
    assert!(refused_count > variants.len() / 3);
    assert!(refused_count < variants.len());
}

/// A head says how many rows there are, and the same of each index.
#[test]
fn counts_that_can_not_be_are_refused() {
    let store = sound();
    let head = head(&store);
    assert!(with_head(&store, &head).is_ok());
    // Rows, and entries of each index.
    let thousand = [0xe8, 0x07];
    let places: Vec<usize> = (0..head.len())
        .filter(|at| head[*at..].starts_with(&thousand))
        .collect();
    assert_eq!(places.len(), 3);
    let older = with_older_rows();
    assert_eq!(self::head(&older)[..2], [5, 0]);
    // Rows of the oldest layout: of them as of all there must be as many as the indexes say.
    let older_head = self::head(&older);
    let at = (0..older_head.len()).filter(|at| older_head[*at..].starts_with(&thousand));
    for at in at {
        let mut variant = older_head.clone();
        variant[at] = 0xe9;
        assert_eq!(with_head(&older, &variant).unwrap_err(), REFUSED);
    }
    for at in places {
        for near in [0xe7, 0xe9] {
            let mut variant = head.clone();
            variant[at] = near;
            assert_eq!(with_head(&store, &variant).unwrap_err(), REFUSED);
        }
    }
}
