//! The B+tree beside `std::collections::BTreeMap`, and beside what memory allows.
//!
//! The bounds, sketched before measuring, for a million entries with a key of nine bytes (what a `u64`
//! column becomes) on a machine that reads scattered memory in about 80 ns and memory in order at 10
//! GB/s:
//!
//! - a lookup touches one cold leaf: the directory in four or five lines of it, the heap in one. About
//!   five scattered reads overlap badly, as each search step waits for the one before: 150 to 400 ns,
//!   the same as std's tree with its five to six levels;
//! - an insert is a lookup and moves half a directory, about 4 KiB in cache: 100 ns more;
//! - a walk over all reads 22 bytes an entry in order: 2 ns an entry, were it not for decoding.
//!
//! Seen on two shared cores (a scattered read took 190 ns there): lookup 2.8 scattered reads, 1.3x of
//! std's set of the same bytes and 1.7x of its map of `u64`; scattered inserts 1.1x to 1.3x and 1.8x; a
//! walk 2.0x of std's and 2.1x of the bytes in order; 27 to 30 bytes an entry after scattered inserts, 22
//! after ascending ones. A search without branches was slower (0.9 us): the guess of a branch fetches
//! the next place early.
//!
//! The `bound` rows measure scattered and ordered reads in the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::ops::Bound;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use table::{BTree, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(4097);
const ENTRIES: u64 = 1_000_000;

/// splitmix64 as a permutation: number `n` of a sequence without repetition.
fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn key(number: u64) -> [u8; 9] {
    let mut key = [1; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

fn row(number: u64) -> RowId {
    let page = u32::try_from(number / 512).ok().and_then(PageNumber::new);
    RowId::new(
        page.expect("few rows"),
        u16::try_from(number % 512).expect("below 512"),
    )
}

fn tree_of(numbers: impl Iterator<Item = u64>) -> (Pages, BTree) {
    let (mut pages, mut tree) = (Pages::new(), BTree::new());
    for (position, number) in (0..).zip(numbers) {
        tree.insert(&mut pages, OWNER, &key(number), row(position))
            .expect("room");
    }
    (pages, tree)
}

fn lookup(c: &mut Criterion) {
    let (pages, tree) = tree_of((0..ENTRIES).map(scattered));
    let taken = tree.page_count(&pages).expect("sound") * 32_768;
    println!(
        "bytes an entry, scattered inserts: {:.1}",
        taken as f64 / ENTRIES as f64
    );
    let std_map: BTreeMap<u64, RowId> = (0..ENTRIES).map(|n| (scattered(n), row(n))).collect();
    let std_bytes: BTreeSet<([u8; 9], RowId)> =
        (0..ENTRIES).map(|n| (key(scattered(n)), row(n))).collect();
    let memory: Vec<u64> = (0..taken / 8).collect();

    let mut group = c.benchmark_group("lookup");
    let mut n = 0;
    let mut next = move || {
        n = (n + 7_919) % ENTRIES;
        scattered(n)
    };
    group.bench_function("table", |b| {
        b.iter(|| {
            tree.first_with_key(&pages, &key(next()))
                .expect("sound")
                .expect("there")
        });
    });
    group.bench_function("std BTreeMap<u64, _>", |b| {
        b.iter(|| *std_map.get(&next()).expect("there"));
    });
    group.bench_function("std BTreeSet<([u8; 9], _)>", |b| {
        b.iter(|| {
            std_bytes
                .range((key(next()), RowId::MIN)..)
                .next()
                .copied()
                .expect("there")
        });
    });
    group.bench_function("bound: one scattered read after the other", |b| {
        let mut read = 0;
        b.iter(|| {
            read = memory[usize::try_from((next() ^ read) % memory.len() as u64).expect("64 bits")];
            read
        });
    });
    group.finish();

    let mut group = c.benchmark_group("walk");
    group
        .throughput(Throughput::Elements(ENTRIES))
        .sample_size(20);
    group.bench_function("table", |b| {
        b.iter(|| {
            let all = tree.range(&pages, Bound::Unbounded, Bound::Unbounded);
            all.map(|entry| entry.expect("sound").1.to_u64())
                .sum::<u64>()
        });
    });
    group.bench_function("std BTreeSet<([u8; 9], _)>", |b| {
        b.iter(|| std_bytes.iter().map(|(_, row)| row.to_u64()).sum::<u64>());
    });
    group.bench_function("bound: the bytes in order", |b| {
        b.iter(|| black_box(&memory).iter().sum::<u64>());
    });
    group.finish();
}

fn change(c: &mut Criterion) {
    let mut group = c.benchmark_group("insert a million");
    group
        .throughput(Throughput::Elements(ENTRIES))
        .sample_size(10);
    group.bench_function("table, scattered", |b| {
        b.iter(|| tree_of((0..ENTRIES).map(scattered)));
    });
    group.bench_function("std BTreeMap<u64, _>, scattered", |b| {
        b.iter(|| {
            let mut map = BTreeMap::new();
            for n in 0..ENTRIES {
                map.insert(scattered(n), row(n));
            }
            map
        });
    });
    group.bench_function("std BTreeSet<([u8; 9], _)>, scattered", |b| {
        b.iter(|| {
            let mut set = BTreeSet::new();
            for n in 0..ENTRIES {
                set.insert((key(scattered(n)), row(n)));
            }
            set
        });
    });
    group.bench_function("table, ascending", |b| b.iter(|| tree_of(0..ENTRIES)));
    group.bench_function("table, ascending, built at once", |b| {
        b.iter(|| {
            let mut pages = Pages::new();
            let sorted = (0..ENTRIES).map(|n| (key(n), row(n)));
            let tree = BTree::bulk_build(&mut pages, OWNER, sorted).expect("room");
            (pages, tree)
        });
    });
    group.bench_function("std BTreeMap<u64, _>, ascending", |b| {
        b.iter(|| {
            let mut map = BTreeMap::new();
            for n in 0..ENTRIES {
                map.insert(n, row(n));
            }
            map
        });
    });
    group.bench_function("table, scattered, a view after every thousand", |b| {
        b.iter(|| {
            let (mut pages, mut tree) = (Pages::new(), BTree::new());
            let mut view = pages.clone();
            for n in 0..ENTRIES {
                tree.insert(&mut pages, OWNER, &key(scattered(n)), row(n))
                    .expect("room");
                if n % 1_000 == 0 {
                    view = pages.clone();
                }
            }
            (pages, tree, view)
        });
    });
    group.bench_function("bound: write the keys in order", |b| {
        b.iter(|| {
            (0..ENTRIES)
                .map(|n| (key(scattered(n)), row(n)))
                .collect::<Vec<_>>()
        });
    });
    group.finish();

    let mut group = c.benchmark_group("remove a million");
    group
        .throughput(Throughput::Elements(ENTRIES))
        .sample_size(10);
    group.bench_function("table, scattered", |b| {
        b.iter_batched(
            || tree_of((0..ENTRIES).map(scattered)),
            |(mut pages, mut tree)| {
                for n in 0..ENTRIES {
                    tree.remove(&mut pages, OWNER, &key(scattered(n)), row(n))
                        .expect("sound");
                }
                assert!(tree.is_empty());
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("std BTreeMap<u64, _>, scattered", |b| {
        b.iter_batched(
            || {
                (0..ENTRIES)
                    .map(|n| (scattered(n), row(n)))
                    .collect::<BTreeMap<_, _>>()
            },
            |mut map| {
                for n in 0..ENTRIES {
                    map.remove(&scattered(n));
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, lookup, change);
criterion_main!(benches);
