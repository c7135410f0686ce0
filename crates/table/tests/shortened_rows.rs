//! Where transactions shorten many rows, the pages that were planned for the long ones go: full of slots and nearly empty of bytes as they
//! are. It takes few moves, and no more of them for each group than are promised.
#![allow(clippy::unwrap_used)]

#[path = "support/rows.rs"]
mod rows;
#[path = "support/strings.rs"]
mod strings;

use std::collections::BTreeMap;

use rows::Random;
use strings::{PRIMARY, TABLE, commit, delete, empty_store, insert};
use table::{PAGE_BYTES, RowId, Store, Value};

/// A table of so many rows with a string of so many bytes.
fn filled(row_count: u64, length: usize) -> Store {
    let mut store = empty_store(1);
    commit(&mut store, |transaction| {
        (0..row_count).for_each(|key| insert(transaction, key, &[length]));
    });
    store
}

/// Gives the rows of these keys strings of `length` bytes in one transaction: all the same, of a letter that no other time has.
fn set_length(store: &mut Store, keys: &[u64], length: usize, letter: &str) {
    commit(store, |transaction| {
        for key in keys {
            let table = transaction.table(TABLE).unwrap();
            let found = table.find(PRIMARY, &[(*key).into()]).unwrap();
            let row = found.unwrap().row_id();
            let value = Value::String(letter.repeat(length));
            transaction.update(TABLE, row, &[(1, value)]).unwrap();
        }
    });
}

fn row_pages(store: &Store) -> u64 {
    let used = store.table(TABLE).unwrap().memory_use().unwrap();
    used.rows / PAGE_BYTES as u64
}

/// The keys of the rows, all over the pages.
fn scattered(row_count: u64) -> Vec<u64> {
    (0..row_count).map(|key| key * 7_919 % row_count).collect()
}

/// Where the row of each key stands.
fn places(store: &Store) -> BTreeMap<u64, RowId> {
    let rows = store.table(TABLE).unwrap().scan().map(|row| {
        let row = row.unwrap();
        let Value::U64(key) = row.value(0).unwrap() else {
            panic!("the key is a u64");
        };
        (key, row.row_id())
    });
    rows.collect()
}

fn moved_count(before: &BTreeMap<u64, RowId>, after: &BTreeMap<u64, RowId>) -> usize {
    let moved = after.iter().filter(|(key, row)| before[key] != **row);
    moved.count()
}

/// A row of up to 12 bytes takes 24 of a page, and 1,355 of them fill one: 8,000 fill six, so ten may stay.
#[test]
fn one_transaction_that_shortens_every_row_leaves_few_pages() {
    // Bytes before and after; row pages before, and at most after: one and a half times what the rows fill, and one.
    for (from, to, full, left) in [
        (30, 5, 14, 10),
        (40, 5, 16, 10),
        (100, 5, 31, 10),
        (500, 5, 130, 10),
        (3_000, 5, 800, 10),
        (7_900, 5, 2_000, 10),
        (500, 50, 130, 29),
        (7_900, 500, 2_000, 196),
        (7_900, 3_000, 2_000, 1_201),
    ] {
        let mut store = filled(8_000, from);
        assert_eq!(row_pages(&store), full, "{from} bytes");
        set_length(&mut store, &scattered(8_000), to, "c");
        let found = row_pages(&store);
        assert!(found <= left, "{from} to {to} bytes: {found} pages");
        store.check().unwrap();
        // Nor more when most rows go after that, in one transaction each time.
        for (part, left) in [(2, left / 2 + 2), (4, left / 4 + 2)] {
            let places = places(&store);
            let gone = places.keys().filter(|key| **key % part != 0);
            commit(&mut store, |transaction| {
                gone.for_each(|key| delete(transaction, *key));
            });
            let found = row_pages(&store);
            assert!(
                found <= left,
                "{from} to {to} bytes, 1 in {part}: {found} pages"
            );
        }
        store.check().unwrap();
    }
}

/// Also those that are planned while some rows are short and others still long.
#[test]
fn transactions_that_shorten_every_row_leave_few_pages() {
    // Bytes before and after, rows of a transaction; row pages at most once all rows are shorter, and once each has changed again.
    for (from, to, size, left_at_first, left) in [
        (30, 5, 1, 25, 25),
        (30, 5, 50, 25, 25),
        (500, 5, 1, 30, 25),
        (7_900, 5, 1, 45, 25),
        (7_900, 5, 50, 400, 25),
        (7_900, 5, 1_000, 650, 25),
        (7_900, 50, 1, 150, 70),
        (7_900, 500, 50, 1_000, 490),
    ] {
        let mut store = filled(20_000, from);
        let keys = scattered(20_000);
        for keys in keys.chunks(size) {
            set_length(&mut store, keys, to, "c");
        }
        let found = row_pages(&store);
        let name = format!("{from} to {to} bytes, {size} at once");
        assert!(found <= left_at_first, "{name}: {found} pages");
        for keys in keys.chunks(size) {
            set_length(&mut store, keys, to, "d");
        }
        let found = row_pages(&store);
        assert!(found <= left, "{name}, and again: {found} pages");
        store.check().unwrap();
    }
}

/// Short values leave heap in pages that have no slot free: rows that come cannot have it, and get pages with heap of their own.
#[test]
fn long_rows_that_come_after_others_were_shortened_share_pages() {
    let mut store = empty_store(3);
    commit(&mut store, |transaction| {
        (0..20_000).for_each(|key| insert(transaction, key, &[20, 5, 5]));
    });
    let full = row_pages(&store);
    // Too few bytes fewer for anything to move.
    set_length(&mut store, &scattered(20_000), 12, "c");
    assert_eq!(row_pages(&store), full);
    commit(&mut store, |transaction| {
        (20_000..30_000).for_each(|key| insert(transaction, key, &[30, 5, 5]));
    });
    let came = row_pages(&store) - full;
    // 380 of them fill a page: 10,000 fill 27.
    assert!(came <= 2 * 27, "{came} pages for 10,000 rows");
    store.check().unwrap();
}

/// Shortens all rows, a few in each transaction, and counts those that move: in each, and together.
#[test]
fn a_group_moves_few_rows_and_each_moves_a_few_times() {
    let mut random = Random(7);
    for (from, to, size_max) in [
        (30, 5, 1),
        (7_900, 5, 1),
        (7_900, 50, 20),
        (500, 5, 20),
        (3_000, 700, 1),
        (7_900, 1_300, 20),
    ] {
        let mut store = filled(4_000, from);
        let (mut before, mut moved_together) = (places(&store), 0);
        let keys = scattered(4_000);
        let mut rest = &keys[..];
        while !rest.is_empty() {
            let size = (1 + random.below(size_max)).min(rest.len());
            let (now, later) = rest.split_at(size);
            set_length(&mut store, now, to, "c");
            let after = places(&store);
            let moved = moved_count(&before, &after);
            assert!(moved <= 2 * size + 16, "{moved} moved for {size}");
            (moved_together, before, rest) = (moved_together + moved, after, later);
        }
        let name = format!("{from} to {to} bytes, {size_max} at once");
        assert!(moved_together > 0, "{name}: none moved");
        assert!(
            moved_together <= 3 * 4_000,
            "{name}: {moved_together} moved"
        );
        // Then it is done: nothing moves while rows change that stay as long.
        set_length(&mut store, &keys, to, "d");
        let before = places(&store);
        for keys in keys.chunks(500) {
            set_length(&mut store, keys, to, "e");
        }
        assert_eq!(moved_count(&before, &places(&store)), 0, "{name}");
        store.check().unwrap();
    }
}
