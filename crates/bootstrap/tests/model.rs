//! A long seeded life against a plain model: the content after each transaction, in a vector.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/seeds.rs"]
mod seeds;

use bootstrap::{
    Database, Error, Options, ReadOptions, SnapshotLoading, SnapshotPolicy, SyncPolicy, TxId,
    WriteError,
};
use disk::{Choice, Crash, SimDisk};
use fixture::*;
use schema::WriteTransaction;
use seeds::for_each_seed;
use table::Value;

const SEEDS: u64 = 40;
const STEPS: u64 = 120;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }
}

struct Life {
    random: Random,
    disk: SimDisk,
    database: Option<Database>,
    policy: SyncPolicy,
    /// The content after each transaction.
    history: Vec<Notes>,
    /// The last transaction that was acknowledged as durable.
    durable: u64,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let mut life = Life {
            random: Random(seed),
            disk: SimDisk::new(seed),
            database: None,
            policy: SyncPolicy::EveryCommit,
            history: vec![Notes::new()],
            durable: 0,
        };
        life.open();
        life
    }

    fn open(&mut self) {
        let random = &mut self.random;
        self.policy = if random.below(3) == 0 {
            SyncPolicy::Never
        } else {
            SyncPolicy::EveryCommit
        };
        let every_records = (random.below(2) == 0).then(|| 5 + random.below(20));
        let prune = random.below(2) == 0;
        let keep = usize::try_from(2 + random.below(2)).unwrap();
        let loading = if random.below(2) == 0 {
            SnapshotLoading::Mapped
        } else {
            SnapshotLoading::Checked
        };
        let options = Options {
            sync_policy: self.policy,
            segment_bytes_max: 14_000 + random.below(20_000),
            snapshots: SnapshotPolicy {
                every_records,
                every_bytes: None,
                keep,
                prune,
                ..SnapshotPolicy::by_hand()
            },
            loading,
            pack_nonce: None,
            ..options()
        };
        let (database, report) = open_with(&self.disk, options).unwrap();
        let tx = usize::try_from(database.view().tx().0).unwrap();
        assert!(
            tx as u64 >= self.durable,
            "{tx} is left of {}: {report}",
            self.durable
        );
        assert!(tx < self.history.len());
        self.history.truncate(tx + 1);
        assert_eq!(&notes(&database.view()), self.now());
        self.durable = tx as u64;
        self.database = Some(database);
    }

    fn now(&self) -> &Notes {
        self.history.last().unwrap()
    }

    fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    /// A transaction of some inserts, updates and deletes; some of them fail.
    fn write(&mut self) {
        let mut model = self.now().clone();
        let random = &mut self.random;
        let fails = random.below(8) == 0;
        let database = self.database.as_ref().unwrap();
        let written = database.write(|tx: &mut WriteTransaction| {
            for _ in 0..random.below(12) {
                let id = random.below(60);
                let text =
                    "y".repeat(usize::try_from(random.below(3) * random.below(500)).unwrap());
                match random.below(4) {
                    0 | 1 if model.contains_key(&id) => {
                        let key = [Value::from(id)];
                        tx.update("notes", &key, &[("text", Value::from(text.as_str()))])?;
                        model.insert(id, text);
                    }
                    2 => {
                        let deleted = tx.delete("notes", &[Value::from(id)]);
                        assert_eq!(deleted.is_ok(), model.remove(&id).is_some());
                    }
                    _ => {
                        let cells = [
                            ("id", Value::from(id)),
                            ("text", Value::from(text.as_str())),
                        ];
                        let inserted = tx.insert("notes", &cells);
                        assert_eq!(inserted.is_ok(), !model.contains_key(&id));
                        model.entry(id).or_insert(text);
                    }
                }
            }
            if fails {
                Err(schema::Error::NoSuchTable {
                    name: "no".into(),
                    nearest: None,
                })
            } else {
                Ok(())
            }
        });
        match written {
            Ok((_, committed)) => {
                assert!(!fails);
                match committed.tx {
                    Some(tx) => {
                        assert_eq!(tx.0, self.history.len() as u64);
                        self.history.push(model);
                    }
                    None => assert_eq!(self.now(), &model),
                }
            }
            Err(WriteError::RolledBack(_)) => assert!(fails),
            Err(error) => panic!("{error}"),
        }
        if self.policy == SyncPolicy::EveryCommit {
            self.durable = self.history.len() as u64 - 1;
        }
        assert_eq!(&notes(&self.database().view()), self.now());
    }

    fn read(&mut self) {
        let at = self.random.below(self.history.len() as u64 + 2);
        let options = ReadOptions {
            at: Some(TxId(at)),
            ..ReadOptions::default()
        };
        match read_with(&self.disk, &options) {
            Ok((database, _)) => {
                assert_eq!(
                    notes(&database.view()),
                    self.history[usize::try_from(at).unwrap()]
                );
            }
            Err(Error::OutsideRange { first, last, .. }) => {
                assert!(at < first.0 || at > last.0);
                assert!(last.0 >= self.durable);
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0 => {
                let summary = self.database().snapshot().unwrap();
                self.durable = self.durable.max(summary.tx.0);
            }
            1 => drop(self.database().prune().unwrap()),
            2..=4 => drop(self.database().maintain().unwrap()),
            5 => {
                self.database.take().unwrap().close().unwrap();
                self.durable = self.history.len() as u64 - 1;
                self.open();
            }
            6 => {
                // Every policy has handed the bytes over.
                self.disk.crash(Crash::Kill);
                self.database = None;
                self.durable = self.history.len() as u64 - 1;
                self.open();
            }
            7 | 8 => {
                self.disk.crash(Crash::Power(Choice::Drawn));
                self.database = None;
                self.open();
            }
            9 | 10 => self.read(),
            11 => {
                let last = TxId(self.history.len() as u64 - 1);
                self.database().wait_durable(last).unwrap();
                self.durable = last.0;
            }
            _ => self.write(),
        }
    }
}

#[test]
fn a_long_life_agrees_with_a_plain_model() {
    for_each_seed("model", SEEDS, |seed| {
        let mut life = Life::begin(seed);
        for _ in 0..STEPS {
            life.step();
        }
        // From the genesis, where the log still has it, the same.
        let last = life.history.len() as u64 - 1;
        life.database().wait_durable(TxId(last)).unwrap();
        let digest = life.database().digest().unwrap();
        assert_eq!(read(&life.disk).digest().unwrap(), digest);
        let from_log = ReadOptions {
            ignore_snapshots: true,
            ..ReadOptions::default()
        };
        match read_with(&life.disk, &from_log) {
            Ok((database, _)) => assert_eq!(database.digest().unwrap(), digest),
            Err(Error::Log(commitlog::Error::Pruned { oldest })) => assert!(oldest > TxId(0)),
            Err(error) => panic!("{error}"),
        }
    });
}
