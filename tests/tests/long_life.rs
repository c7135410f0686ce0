//! Long seeded lives against a plain model: the content after each transaction, in a vector.
//!
//! Commits, changes of tables, columns and indexes, roll-backs, snapshots, prunes, closes, kills, power cuts, crashes and failures within a call, a
//! full disk, readers beside and back in time. What a reopen finds is compared by content; digests are equal for the live state, the
//! replay of the log alone, and each snapshot with what follows it.
#![allow(clippy::unwrap_used)]

#[path = "support/life_model.rs"]
mod life_model;

use bootstrap::Error as DatabaseError;
use cairn::{
    Database, Error, Options, ReadOnlyDatabase, ReadOptions, SnapshotLoading, TxId, View,
    WriteError,
};
use cairn_tests::{Random, fixed_options, seeds};
use disk::{Choice, Crash, Fault, Moment, SimDisk};
use life_model::{Model, Table, change, check_content, initialise};

const SEEDS: u64 = 60;
const STEPS: u64 = 120;

/// Why a transaction is given up: an error of the database, or nothing but a whim.
type Stop = Option<Error>;

struct Life {
    random: Random,
    disk: SimDisk,
    database: Option<Database>,
    /// The content after each transaction, and its digest.
    history: Vec<(Model, [u8; 32])>,
    /// What a transaction would have made that may be there after the next open, or not.
    unknown: Option<Model>,
    is_pruned: bool,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let mut life = Life {
            random: Random::new(seed),
            disk: SimDisk::new(seed),
            database: None,
            history: Vec::new(),
            unknown: None,
            is_pruned: false,
        };
        let database = life.try_open().unwrap();
        let model = Model::from([("table 0".to_owned(), Table::new())]);
        life.history
            .push((model, database.view().digest().unwrap()));
        life.database = Some(database);
        life
    }

    fn options(&mut self) -> Options {
        Options {
            segment_bytes_max: 14 * 1024 + self.random.below(20_000),
            loading: match self.random.below(2) {
                0 => SnapshotLoading::Checked,
                _ => SnapshotLoading::Mapped,
            },
            pack_nonce: Some(self.random.next_u64()),
            ..fixed_options()
        }
    }

    fn try_open(&mut self) -> Result<Database, DatabaseError> {
        let options = self.options();
        match Database::open_on(self.disk.root(), options, initialise) {
            Ok(database) => Ok(database),
            Err(cairn::OpenError::Database(error)) => Err(error),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens what is left; sometimes a failure or a crash comes in between first.
    fn reopen(&mut self) {
        self.database = None;
        self.disk.clear_faults();
        self.disk.set_capacity(None);
        if self.random.one_in(4) {
            self.arm(40);
            drop(self.try_open());
            self.disk.clear_faults();
            self.disk.crash(Crash::Power(Choice::Drawn));
        }
        let database = self.try_open().unwrap();
        let tx = usize::try_from(database.view().tx().0).unwrap();
        if tx == self.history.len() {
            let model = self
                .unknown
                .take()
                .expect("a transaction that nobody knows of");
            self.history
                .push((model, database.view().digest().unwrap()));
        }
        self.unknown = None;
        assert_eq!(
            tx + 1,
            self.history.len(),
            "acknowledged transactions are gone"
        );
        assert_eq!(database.durable_through(), Some(TxId(tx as u64)));
        self.check_state(&database.view());
        self.database = Some(database);
    }

    #[track_caller]
    fn check_state(&self, view: &View) {
        let (model, digest) = &self.history[usize::try_from(view.tx().0).unwrap()];
        check_content(view, model);
        assert_eq!(view.digest().unwrap(), *digest, "digest at {}", view.tx());
    }

    /// One of the next calls will fail.
    fn arm(&mut self, calls: u64) {
        let number = self.disk.call_count() + self.random.below(calls);
        let crash = match self.random.below(2) {
            0 => Crash::Kill,
            _ => Crash::Power(Choice::Drawn),
        };
        let moment = [Moment::Before, Moment::Midway, Moment::After];
        let fault = match self.random.below(8) {
            0 | 1 => Fault::Eio,
            2 => Fault::Enospc,
            3 => Fault::Interrupted,
            4 => Fault::Short,
            _ => Fault::Crash {
                crash,
                moment: moment[usize::try_from(self.random.below(3)).unwrap()],
            },
        };
        self.disk.fail_at(number, fault);
    }

    /// Commits something. Whether the database can go on.
    fn commit(&mut self) -> bool {
        let mut model = self.history.last().unwrap().0.clone();
        let gives_up = self.random.one_in(10);
        let random = &mut self.random;
        let written = self.database.as_ref().unwrap().write_numbered(|tx| {
            for _ in 0..=random.below(6) {
                change(random, tx, &mut model).map_err(Some)?;
            }
            if gives_up { Err(None) } else { Ok(()) }
        });
        match written {
            Ok(((), committed)) => {
                if let Some(tx) = committed.tx {
                    assert_eq!(tx.0, self.history.len() as u64);
                    let view = self.database.as_ref().unwrap().view();
                    assert_eq!(view.tx(), tx, "what is acknowledged is shown");
                    check_content(&view, &model);
                    self.history.push((model, view.digest().unwrap()));
                }
                true
            }
            Err(WriteError::RolledBack(stop)) => {
                assert!(gives_up && Stop::is_none(&stop), "{stop:?}");
                true
            }
            Err(WriteError::Refused(error)) => {
                assert!(!matches!(error, DatabaseError::Schema(_)), "{error:?}");
                matches!(error, DatabaseError::Log(commitlog::Error::Full(_)))
            }
            Err(WriteError::Unknown { tx, .. }) => {
                assert_eq!(tx.0, self.history.len() as u64);
                self.unknown = Some(model);
                false
            }
        }
    }

    fn crash(&mut self) {
        let crash = match self.random.below(3) {
            0 => Crash::Kill,
            1 => Crash::Power(Choice::Old),
            _ => Crash::Power(Choice::Drawn),
        };
        self.disk.crash(crash);
        self.reopen();
    }

    /// A reader beside the writer: of the newest state, of an older one, from the log alone.
    fn read(&mut self) {
        let newest = self.history.len() as u64 - 1;
        let at = self.random.below(newest + 1);
        for (at, ignore_snapshots) in [
            (None, false),
            (Some(TxId(at)), false),
            (Some(TxId(at)), true),
            (None, true),
        ] {
            let options = ReadOptions {
                at,
                ignore_snapshots,
                ..ReadOptions::default()
            };
            let before = self.disk.digest();
            match ReadOnlyDatabase::open_on(self.disk.root(), &options) {
                Ok(database) => {
                    let tx = database.view().tx();
                    assert_eq!(tx, at.unwrap_or(TxId(newest)));
                    self.check_state(&database.view());
                }
                Err(Error::Database(
                    DatabaseError::OutsideRange { .. }
                    | DatabaseError::Log(commitlog::Error::Pruned { .. }),
                )) => {
                    assert!(self.is_pruned && (at.is_some() || ignore_snapshots));
                }
                Err(error) => panic!("{error}"),
            }
            assert_eq!(self.disk.digest(), before, "a reader wrote");
        }
    }

    /// Each snapshot with what follows it: the newer ones are taken away on a fork, one after the other.
    fn check_each_snapshot(&mut self) {
        let disk = self.disk.fork();
        let info = self.database.as_ref().unwrap().info().unwrap();
        assert!(
            info.snapshots
                .iter()
                .all(|snapshot| snapshot.rejected.is_none())
        );
        for snapshot in info.snapshots {
            if snapshot.tx.next() < info.log.base {
                break;
            }
            let options = ReadOptions::default();
            let database = ReadOnlyDatabase::open_on(disk.root(), &options).unwrap();
            let origin = cairn::Origin::Snapshot { tx: snapshot.tx };
            assert_eq!(database.report().origin, origin);
            assert_eq!(database.view().tx().0 + 1, self.history.len() as u64);
            self.check_state(&database.view());
            let name = format!("snapshots/{:020}-", snapshot.tx.0);
            let mut files = disk.files().into_iter();
            disk.delete(files.find(|path| path.starts_with(&name)).unwrap());
        }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0 => self.crash(),
            1 => {
                let closed = self.database.take().unwrap().close();
                closed.unwrap();
                self.reopen();
            }
            2 | 3 => drop(self.database.as_ref().unwrap().snapshot().unwrap()),
            4 => {
                let summary = self.database.as_ref().unwrap().prune().unwrap();
                self.is_pruned |= summary.base > TxId(0);
            }
            5 | 6 => self.read(),
            7 => self.check_each_snapshot(),
            8 => {
                // A failure or a crash in the next calls, whatever they are for.
                let lives = self.disk.lives();
                self.arm(60);
                let goes_on = match self.random.below(6) {
                    0 => self.database.as_ref().unwrap().snapshot().is_ok(),
                    1 => match self.database.as_ref().unwrap().prune() {
                        Ok(summary) => {
                            self.is_pruned |= summary.base > TxId(0);
                            true
                        }
                        Err(_) => {
                            self.is_pruned = true;
                            false
                        }
                    },
                    _ => (0..10).all(|_| self.commit()),
                };
                self.disk.clear_faults();
                // A process that died in a call whose failure does not matter is dead all the same.
                let is_dead = self.disk.lives() != lives;
                if !goes_on || is_dead || self.random.one_in(2) {
                    self.crash();
                }
            }
            9 => {
                // The disk is full for a while.
                let room = self.random.below(4096);
                self.disk.set_capacity(Some(self.disk.used_bytes() + room));
                assert!((0..10).all(|_| self.commit()), "a full disk only refuses");
                self.disk.set_capacity(None);
                assert!(self.commit());
            }
            _ => assert!(self.commit()),
        }
    }
}

#[test]
fn a_long_life_keeps_every_promise() {
    for seed in seeds("long_life", SEEDS) {
        let mut life = Life::begin(seed.value);
        for _ in 0..STEPS {
            life.step();
        }
        life.database.take().unwrap().close().unwrap();
        life.reopen();
        life.read();
        life.check_each_snapshot();
    }
}
