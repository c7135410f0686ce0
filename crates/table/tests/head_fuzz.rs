//! Hostile heads of tables: each is refused, or what it describes is read and changed without a panic.
#![allow(clippy::unwrap_used)]

use table::{
    ColumnType, Error, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber,
    Malformed, MalformedKind, Store, TableId, Value,
};

const TABLE: TableId = TableId(7);
const HASH: IndexId = IndexId(1);
const ORDERED: IndexId = IndexId(2);

fn row(key: u64, length: usize) -> [Value; 2] {
    [key.into(), "x".repeat(length).into()]
}

/// A table with indexes of both kinds, and rows of which some have values in the heap of their page.
fn sound() -> Store {
    let mut store = Store::new([3; 32]);
    let types = [ColumnType::U64, ColumnType::String];
    let columns = types.map(LayoutColumn::required).to_vec();
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
    for key in 0..1_000 {
        store.insert(TABLE, &row(key, 30)).unwrap();
    }
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
        let _ = store.clone().drop_table(id);
    }
}

/// Each number of a head is as large as it can be written, each byte takes values from all over its range.
#[test]
fn hostile_heads_neither_panic_nor_hang() {
    let store = sound();
    let head = head(&store);
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
        match with_head(&store, variant) {
            Ok(store) => use_up(&store),
            Err(error) => {
                assert_eq!(error, REFUSED, "{variant:?}");
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
    for at in places {
        for near in [0xe7, 0xe9] {
            let mut variant = head.clone();
            variant[at] = near;
            assert_eq!(with_head(&store, &variant).unwrap_err(), REFUSED);
        }
    }
}
