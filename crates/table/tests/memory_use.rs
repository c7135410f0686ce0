//! What tables take in memory: every page is counted once, rows and indexes stay within their bounds, and nothing is kept of what is gone.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use std::ops::Range;

use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, MemoryUse,
    PAGE_BYTES, Store, TableId, Value,
};

const TABLE: TableId = TableId(7);
const OTHER: TableId = TableId(8);
const HASH: IndexId = IndexId(2);
const ORDERED: IndexId = IndexId(3);

/// A table of (u64, i64, f64, string) with these indexes on its first column.
fn create(store: &mut Store, table: TableId, indexes: &[(IndexId, IndexKind)]) {
    let types = [
        ColumnType::U64,
        ColumnType::I64,
        ColumnType::F64,
        ColumnType::String,
    ];
    let columns = types.map(LayoutColumn::required).to_vec();
    let layout = Layout::new(LayoutNumber(1), columns).unwrap();
    store.create_table(table, layout).unwrap();
    for (id, kind) in indexes {
        let spec = IndexSpec {
            id: *id,
            columns: vec![0],
            unique: true,
            kind: *kind,
        };
        store.create_index(table, spec).unwrap();
    }
    store
        .set_primary_key(table, indexes.first().map(|(id, _)| *id))
        .unwrap();
}

fn row(key: u64, text: String) -> [Value; 4] {
    [
        Value::U64(key),
        Value::I64(7),
        Value::F64(0.5),
        Value::String(text),
    ]
}

/// Keys in an order of their own.
fn fill(store: &mut Store, numbers: Range<u64>) {
    for number in numbers {
        let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let text = format!("{key:032}");
        store.insert(TABLE, &row(key, text)).unwrap();
    }
}

fn used(store: &Store, table: TableId) -> MemoryUse {
    store.table(table).unwrap().memory_use().unwrap()
}

#[test]
fn every_page_is_counted_once() {
    let mut store = Store::new([3; 32]);
    create(
        &mut store,
        TABLE,
        &[(ORDERED, IndexKind::Ordered), (IndexId(9), IndexKind::Hash)],
    );
    create(&mut store, OTHER, &[]);
    fill(&mut store, 0..3_000);
    for number in 0..40 {
        // Two in three stand in pages of their own.
        let text = "long".repeat(number % 3 * 20_000);
        store.insert(OTHER, &row(number as u64, text)).unwrap();
    }
    let (one, other) = (used(&store, TABLE), used(&store, OTHER));
    let pages = store.pages().page_count() * PAGE_BYTES as u64;
    assert_eq!(one.total() + other.total(), pages);
    assert!(one.rows > 0 && one.indexes.iter().all(|(_, bytes)| *bytes > 0));
    let ids: Vec<IndexId> = one.indexes.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [ORDERED, IndexId(9)]);
    assert_eq!((one.long_values, one.content_index), (0, 0));
    assert!(other.indexes.is_empty() && other.content_index > 0);
    // 13 of 80,000 bytes and 13 of 160,000: whole pages, then pieces of 3,648 bytes of which eight share one, and the index.
    let pages_of_pieces = (13 * (4 + 8) as u64).div_ceil(8);
    let pages = 13 * (2 + 4) + pages_of_pieces + 1;
    assert_eq!(other.long_values, pages * PAGE_BYTES as u64);
}

/// The bounds are those of the design: an Arrow array of such rows takes 72 bytes each, and a bit or two. Indexes are at their emptiest right after their
/// pages were split, which keys in no order bring about in all of them at about the same time.
#[test]
fn rows_and_indexes_stay_within_their_bounds_at_every_size() {
    let mut store = Store::new([3; 32]);
    create(
        &mut store,
        TABLE,
        &[(HASH, IndexKind::Hash), (ORDERED, IndexKind::Ordered)],
    );
    let mut rows = 0;
    while rows < 240_000 {
        fill(&mut store, rows..rows + 10_000);
        rows += 10_000;
        let used = used(&store, TABLE);
        let each = |bytes: u64| bytes as f64 / rows as f64;
        let [(_, hash), (_, ordered)] = used.indexes[..] else {
            panic!("there are two indexes");
        };
        let [of_rows, hash, ordered] = [used.rows, hash, ordered].map(each);
        if rows >= 50_000 {
            assert!(of_rows <= 1.05 * 72.0, "{of_rows} a row");
            assert!(hash <= 18.0, "{hash} an entry");
            assert!(ordered <= 34.0, "{ordered} an entry");
        }
    }
}

#[test]
fn what_is_deleted_takes_nothing() {
    let mut store = Store::new([3; 32]);
    create(
        &mut store,
        TABLE,
        &[(HASH, IndexKind::Hash), (ORDERED, IndexKind::Ordered)],
    );
    fill(&mut store, 0..5_000);
    let full = store.pages().memory_bytes();
    let places: Vec<_> = store
        .table(TABLE)
        .unwrap()
        .scan()
        .map(|row| row.unwrap().row_id())
        .collect();
    places
        .into_iter()
        .for_each(|row| store.delete(TABLE, row).unwrap());
    assert_eq!(used(&store, TABLE).total(), 0);
    // A pool keeps what it has for the next rows, and takes no more for them.
    fill(&mut store, 0..5_000);
    assert_eq!(store.pages().memory_bytes(), full);
}
