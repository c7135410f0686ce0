//! What long values take in memory beside an Arrow array of the same rows: loaded, while rows come and go, and after most have gone.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

#[path = "support/rows.rs"]
mod rows;
#[path = "support/strings.rs"]
mod strings;

use rows::Random;
use strings::{TABLE, commit, delete, empty_store, insert};
use table::Store;

/// Pages of rows and of what is too long for them, over an Arrow array of the rows.
fn over_arrow(store: &Store, rows: &[(u64, Vec<usize>)]) -> f64 {
    let used = store.table(TABLE).unwrap().memory_use().unwrap();
    let of_string = |length: &usize| 16 + if *length > 12 { *length } else { 0 };
    let of_row = |(_, row): &(u64, Vec<usize>)| 8 + row.iter().map(of_string).sum::<usize>();
    let arrow: usize = rows.iter().map(of_row).sum();
    (used.rows + used.long_values) as f64 / arrow as f64
}

#[test]
fn long_values_take_little_more_than_their_bytes() {
    type Lengths = fn(&mut Random) -> Vec<usize>;
    // Loaded; while rows come and go; after nine in ten are gone.
    let shapes: [(&str, u64, [f64; 3], Lengths); 12] = [
        ("8,001", 2_000, [1.05, 1.06, 1.7], |_| vec![8_001]),
        ("8,125", 2_000, [1.13, 1.14, 1.8], |_| vec![8_125]),
        ("10,860", 2_000, [1.16, 1.17, 1.8], |_| vec![10_860]),
        ("17,000", 1_000, [1.1, 1.11, 1.75], |_| vec![17_000]),
        ("32,703", 1_000, [1.15, 1.16, 1.8], |_| vec![32_703]),
        ("33,000", 1_000, [1.02, 1.02, 1.1], |_| vec![33_000]),
        ("8,001 to 20,000", 1_000, [1.08, 1.13, 1.7], |random| {
            vec![8_001 + random.below(12_000)]
        }),
        ("8,001 to 100,000", 500, [1.05, 1.06, 1.3], |random| {
            vec![8_001 + random.below(92_000)]
        }),
        ("0 to 16,000", 1_000, [1.09, 1.14, 1.75], |random| {
            vec![random.below(16_000)]
        }),
        (
            "20, one in 20 of 50,000",
            2_000,
            [1.05, 1.15, 1.75],
            |random| vec![if random.one_in(20) { 50_000 } else { 20 }],
        ),
        ("1,023 of 13", 60, [1.35, 1.35, 1.8], |_| vec![13; 1_023]),
        ("200 of 0 to 99", 400, [1.45, 1.46, 2.4], |random| {
            (0..200).map(|_| random.below(100)).collect()
        }),
    ];
    for (name, count, bounds, lengths) in shapes {
        let mut random = Random(11);
        let mut rows: Vec<(u64, Vec<usize>)> = Vec::new();
        rows.extend((0..count).map(|key| (key, lengths(&mut random))));
        let mut store = empty_store(rows[0].1.len());
        for rows in rows.chunks(100) {
            commit(&mut store, |transaction| {
                rows.iter()
                    .for_each(|(key, lengths)| insert(transaction, *key, lengths));
            });
        }
        let mut found = vec![over_arrow(&store, &rows)];
        let mut most: f64 = 0.0;
        let mut next = count;
        for _ in 0..count * 2 / 20 {
            commit(&mut store, |transaction| {
                for _ in 0..20 {
                    let at = random.below(rows.len());
                    delete(transaction, rows[at].0);
                    rows[at] = (next, lengths(&mut random));
                    insert(transaction, next, &rows[at].1);
                    next += 1;
                }
            });
            most = most.max(over_arrow(&store, &rows));
        }
        found.push(most);
        while rows.len() as u64 > count / 10 {
            commit(&mut store, |transaction| {
                for _ in 0..6 {
                    let (key, _) = rows.swap_remove(random.below(rows.len()));
                    delete(transaction, key);
                }
            });
        }
        store.check().unwrap();
        found.push(over_arrow(&store, &rows));
        println!("{name}: {found:.2?}");
        let is_within = found
            .iter()
            .zip(bounds)
            .all(|(found, bound)| *found <= bound);
        assert!(is_within, "{name}: {found:.2?}, at most {bounds:?}");
    }
}
