//! Tables whose rows differ much in length take few more pages than their rows would fill: when they are loaded, while rows come and go, and
//! after most have gone.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

#[path = "support/rows.rs"]
mod rows;
#[path = "support/strings.rs"]
mod strings;

use std::ops::Range;

use rows::Random;
use strings::{PRIMARY, TABLE, commit, delete, empty_store, insert};
use table::{PAGE_BYTES, Store};

fn insert_all(store: &mut Store, keys: Range<u64>, length: usize) {
    commit(store, |transaction| {
        keys.for_each(|key| insert(transaction, key, &[length]));
    });
}

/// Deletes keys in transactions of `size`.
fn delete_all(store: &mut Store, keys: impl Iterator<Item = u64>, size: usize) {
    let keys: Vec<u64> = keys.collect();
    for keys in keys.chunks(size) {
        commit(store, |transaction| {
            keys.iter().for_each(|key| delete(transaction, *key));
        });
    }
}

fn row_pages(store: &Store) -> u64 {
    store.check().unwrap();
    let used = store.table(TABLE).unwrap().memory_use().unwrap();
    used.rows / PAGE_BYTES as u64
}

#[test]
fn a_long_row_in_the_last_page_does_not_keep_the_others() {
    for (long_rows, full, left) in [(0, 15, 2), (1, 16, 3), (30, 23, 11)] {
        let mut store = empty_store(1);
        insert_all(&mut store, 0..20_000, 1);
        for key in 20_000..20_000 + long_rows {
            insert_all(&mut store, key..key + 1, 7_000);
        }
        assert_eq!(row_pages(&store), full, "{long_rows} long rows");
        delete_all(&mut store, (0..20_000).filter(|key| key % 100 != 0), 100);
        assert!(row_pages(&store) <= left, "{long_rows} long rows");
    }
}

#[test]
fn short_rows_among_long_ones_share_pages() {
    let mut store = empty_store(1);
    insert_all(&mut store, 0..1_000, 7_000);
    assert_eq!(row_pages(&store), 250);
    insert_all(&mut store, 1_000..3_000, 1);
    assert!(row_pages(&store) <= 258);
    delete_all(&mut store, 0..1_000, 100);
    assert!(row_pages(&store) <= 10);
    // More are moved by each group: 1,300 of them fill a page.
    delete_all(&mut store, 1_000..1_300, 50);
    assert!(row_pages(&store) <= 5);
}

#[test]
fn pages_planned_for_long_values_go_when_the_values_are_cut() {
    let mut store = empty_store(1);
    insert_all(&mut store, 0..1_000, 3_000);
    assert_eq!(row_pages(&store), 100);
    let keys: Vec<u64> = (0..1_000).collect();
    for keys in keys.chunks(50) {
        commit(&mut store, |transaction| {
            for key in keys {
                let table = transaction.table(TABLE).unwrap();
                let found = table.find(PRIMARY, &[(*key).into()]).unwrap();
                let row = found.unwrap().row_id();
                transaction
                    .update(TABLE, row, &[(1, "cut".into())])
                    .unwrap();
            }
        });
    }
    assert!(row_pages(&store) <= 40);
}

/// Row pages over what the rows would take in an Arrow array, while each row is replaced several times by another one whose length is drawn anew.
#[test]
fn rows_that_come_and_go_keep_to_their_pages() {
    type Length = fn(&mut Random) -> usize;
    let shapes: [(&str, u64, f64, Length); 5] = [
        ("32 bytes", 8_000, 1.05, |_| 32),
        ("0 to 199", 8_000, 1.1, |random| random.below(200)),
        ("0 to 1,999", 3_000, 1.2, |random| random.below(2_000)),
        ("5, one in 50 of 5,000", 8_000, 1.4, |random| {
            if random.one_in(50) { 5_000 } else { 5 }
        }),
        ("5, one in 500 of 7,900", 15_000, 1.5, |random| {
            if random.one_in(500) { 7_900 } else { 5 }
        }),
    ];
    for (name, count, bound, length) in shapes {
        let mut random = Random(11);
        let mut store = empty_store(1);
        let mut rows: Vec<(u64, usize)> =
            (0..count).map(|key| (key, length(&mut random))).collect();
        commit(&mut store, |transaction| {
            rows.iter()
                .for_each(|(key, length)| insert(transaction, *key, &[*length]));
        });
        let mut next = count;
        for round in 0..4 {
            for _ in 0..count / 50 {
                commit(&mut store, |transaction| {
                    for _ in 0..50 {
                        let at = random.below(rows.len());
                        delete(transaction, rows[at].0);
                        rows[at] = (next, length(&mut random));
                        insert(transaction, next, &[rows[at].1]);
                        next += 1;
                    }
                });
            }
            let heap = |length: usize| if length > 12 { length } else { 0 };
            let arrow: usize = rows.iter().map(|(_, length)| 24 + heap(*length)).sum();
            let over = (row_pages(&store) * PAGE_BYTES as u64) as f64 / arrow as f64;
            assert!(over <= bound, "{name}, round {round}: {over:.2}");
        }
    }
}
