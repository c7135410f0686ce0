//! The same history gives the same pages and heads of tables, and so the same hashes, however a state came to be.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/seeds.rs"]
mod seeds;

use bootstrap::{Database, Options, SnapshotLoading, View};
use disk::SimDisk;
use fixture::*;
use schema::{NewTable, WriteTransaction};
use seeds::for_each_seed;
use snapshot::{Hash, Snapshots};
use table::{ColumnType, Value};

const SEEDS: u64 = 12;
const STEPS: u64 = 150;

struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % count
    }
}

fn cells(id: u64, random: &mut Random) -> [(&'static str, Value); 4] {
    // Some of them stand in pages of their own.
    let length = [5, 80, 900, 12_000, 40_000][usize::try_from(random.below(5)).unwrap()];
    let text = "x".repeat(length);
    [
        ("id", Value::from(id)),
        ("rank", Value::from(random.below(30))),
        ("text", Value::from(text.as_str())),
        // No two rows have the same: many are refused for it, and many take over what others let go.
        ("code", Value::from(random.below(400).checked_sub(200))),
    ]
}

fn make(tx: &mut WriteTransaction) -> Result<(), schema::Error> {
    for (name, has_key) in [("keyed", true), ("bare", false)] {
        let table = NewTable::new(name)
            .column("id", ColumnType::U64)
            .column("rank", ColumnType::U64)
            .column("text", ColumnType::String)
            .nullable("code", ColumnType::U64)
            .unique(&["code"])
            .index("by rank", &["rank"]);
        let table = match has_key {
            true => table.primary_key(&["id"]),
            false => table,
        };
        tx.create_table(&table)?;
    }
    Ok(())
}

/// One transaction of any kind; some are refused, and some roll back.
fn commit(database: &Database, random: &mut Random) {
    let count = 1 + random.below(40);
    let rolls_back = random.below(8) == 0;
    let written = database.write(|tx| {
        for _ in 0..count {
            let (what, id) = (random.below(10), random.below(200));
            let key = [Value::from(id)];
            // Twice the same key, or a row that is not there: that one has not happened.
            let _ = match what {
                0..5 => tx.insert("keyed", &cells(id, random)).map(drop),
                5 => tx.insert("bare", &cells(id, random)).map(drop),
                6..8 => tx.delete("keyed", &key).map(drop),
                _ => tx.update("keyed", &key, &cells(id, random)[1..]).map(drop),
            };
        }
        if rolls_back {
            Err(schema::Error::Table(table::Error::OutOfPages))
        } else {
            Ok(())
        }
    });
    assert_eq!(written.is_err(), rolls_back);
}

/// The hashes of all pages and all heads in the newest snapshot.
fn roots(disk: &SimDisk) -> [Option<Hash>; 2] {
    let options = snapshot::Options {
        read_only: true,
        ..snapshot::Options::default()
    };
    let dir = disk.root().open_dir("snapshots").unwrap();
    let listing = Snapshots::open(dir, options).unwrap().list().unwrap();
    [0, 1].map(|section| listing.sound[0].root_hash(section))
}

/// Opens in some way, writes a snapshot, and says what is in it.
fn roots_after(disk: &SimDisk, loading: SnapshotLoading) -> [Option<Hash>; 2] {
    let options = Options {
        loading,
        ..options()
    };
    let (database, _) = open_with(disk, options).unwrap();
    assert!(!database.snapshot().unwrap().already_there);
    roots(disk)
}

#[test]
fn the_same_history_gives_the_same_hashes_live_replayed_and_from_a_snapshot() {
    for_each_seed("determinism", SEEDS, |seed| {
        let mut random = Random(seed);
        let disk = SimDisk::new(seed);
        let (database, _) = open_with(&disk, options()).unwrap();
        database.write(make).unwrap();
        let mut views: Vec<View> = Vec::new();
        for step in 0..STEPS {
            commit(&database, &mut random);
            match random.below(12) {
                0 => views.push(database.view()),
                1 => drop(views.pop()),
                2 if step < STEPS * 3 / 4 => drop(database.snapshot().unwrap()),
                _ => {}
            }
        }
        let killed = disk.fork();
        database.snapshot().unwrap();
        let live = roots(&disk);
        assert!(live.iter().all(Option::is_some));
        for loading in [
            SnapshotLoading::Checked,
            SnapshotLoading::Copied,
            SnapshotLoading::Mapped,
        ] {
            assert_eq!(roots_after(&killed.fork(), loading), live, "{loading:?}");
        }
        delete_all(&killed, "snapshots/");
        assert_eq!(
            roots_after(&killed, SnapshotLoading::Checked),
            live,
            "replayed"
        );
    });
}
