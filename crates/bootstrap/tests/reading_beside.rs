//! A reader opens while a writer goes on between any two of its calls: it sees a state that there was, and never damage that
//! there is not.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/watched.rs"]
mod watched;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bootstrap::{
    Database, Error, ErrorClass, OpenReport, Options, ReadOnlyDatabase, ReadOptions, Rejection,
    SnapshotInfo, SnapshotLoading,
};
use disk::{Dir, SimDisk};
use fixture::*;
use schema::NewTable;
use table::{ColumnType, Value};
use watched::watched;

/// Segments of a few records.
fn tiny_segments() -> Options {
    Options {
        segment_bytes_max: 12 * 1024 + 400,
        ..options()
    }
}

/// A writer, to be asked for its next step from anywhere.
struct Writer {
    database: Database,
    last: AtomicU64,
}

impl Writer {
    /// Makes a table that is large.
    fn fill(&self, rows: u64) {
        let text = "long ".repeat(1300);
        let fill = |tx: &mut schema::WriteTransaction| {
            let bulk = NewTable::new("bulk")
                .column("id", ColumnType::U64)
                .column("text", ColumnType::String)
                .primary_key(&["id"]);
            tx.create_table(&bulk)?;
            (0..rows).try_for_each(|id| {
                let text = Value::from(text.as_str());
                tx.insert("bulk", &[("id", id.into()), ("text", text)])
                    .map(drop)
            })
        };
        self.database.write(fill).unwrap();
    }

    /// A step of a writer that never rests.
    fn cycle(&self) {
        self.commit(1);
        self.database.snapshot().unwrap();
        self.database.prune().unwrap();
    }

    fn commit(&self, count: u64) {
        for _ in 0..count {
            put(
                &self.database,
                self.last.fetch_add(1, Ordering::Relaxed) + 1,
            );
        }
    }

    fn snapshot(&self) {
        self.commit(2);
        self.database.snapshot().unwrap();
    }

    /// Nothing of what was there before stays: no segment, no snapshot.
    fn turn_over(&self) {
        self.snapshot();
        self.snapshot();
        self.database.prune().unwrap();
        self.commit(2);
    }
}

type Step = fn(&Writer);

const STEPS: [(&str, Step); 5] = [
    ("commit", |writer| writer.commit(1)),
    ("begin a segment", |writer| writer.commit(6)),
    ("snapshot", Writer::snapshot),
    ("replace both snapshots", |writer| {
        writer.snapshot();
        writer.snapshot();
    }),
    ("turn everything over", Writer::turn_over),
];

/// What the reader finds, and what happens meanwhile.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// The log has been cut before its snapshots.
    is_pruned: bool,
    /// What the reader asks for.
    unproven: bool,
    /// The writer makes a step before this call of the reader, and before each `every`-th one from there on.
    first: u64,
    every: u64,
    steps_max: u64,
}

/// A disk on which the writer goes on while it is read.
struct Beside {
    dir: Arc<dyn Dir>,
    writer: Arc<Writer>,
    /// How many calls the reader has made.
    calls: Arc<Mutex<(u64, u64)>>,
}

/// A writer that has lived like this, and makes its steps as the case says.
fn beside(case: Case, life: Life, step: Step) -> Beside {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, tiny_segments()).unwrap();
    let writer = Arc::new(Writer {
        database,
        last: AtomicU64::new(0),
    });
    writer.commit(5);
    writer.commit(life.segments * 6);
    if life.bulk > 0 {
        writer.fill(life.bulk);
    }
    for _ in 0..life.snapshots {
        writer.snapshot();
    }
    if case.is_pruned {
        writer.database.prune().unwrap();
    }
    writer.commit(5);

    let calls = Arc::new(Mutex::new((0, 0)));
    let watch = {
        let (writer, calls) = (Arc::clone(&writer), Arc::clone(&calls));
        move |_| {
            let is_due = {
                let (calls, steps) = &mut *calls.lock().unwrap();
                let since = u64::checked_sub(*calls, case.first);
                let is_due = since.is_some_and(|since| since.is_multiple_of(case.every));
                let is_due = is_due && *steps < case.steps_max;
                *calls += 1;
                *steps += u64::from(is_due);
                is_due
            };
            if is_due {
                step(&writer);
            }
        }
    };
    Beside {
        dir: watched(disk.root(), Arc::new(watch)),
        writer,
        calls,
    }
}

/// Opens for reading. Yields how many calls the reader made.
fn check(case: Case, (name, step): (&str, Step)) -> u64 {
    let Beside { dir, writer, calls } = beside(case, FEW, step);
    let before = writer.last.load(Ordering::Relaxed);
    let reading = ReadOptions {
        unproven: case.unproven,
        ..ReadOptions::default()
    };
    let context = format!("{name}, {case:?}");
    match ReadOnlyDatabase::open(dir, &reading) {
        Ok((database, report)) => {
            let tx = database.view().tx().0;
            assert!(tx >= before, "{context}: {tx} is left of {before}");
            assert_eq!(notes(&database.view()), expected(1..=tx), "{context}");
            assert_eq!(damage_in(&report), None, "{context}");
            for snapshot in database.info().unwrap().snapshots {
                assert!(snapshot.rejected.is_none(), "{context}: {snapshot:?}");
            }
        }
        Err(error) => {
            assert_ne!(error.class(), ErrorClass::Damage, "{context}: {error}");
            // Few steps leave it a try without one; a writer that never stops may leave it none.
            assert!(case.steps_max > 7, "{context}: {error}");
            assert!(
                matches!(error, Error::Restless { .. }),
                "{context}: {error}"
            );
        }
    }
    let (calls, _) = *calls.lock().unwrap();
    calls
}

/// Damage that a report speaks of.
fn damage_in(report: &OpenReport) -> Option<String> {
    let mut rejected = report.snapshots_rejected.iter();
    let bad = rejected.find(|rejected| !matches!(rejected.reason, Rejection::Unreachable));
    bad.map(|rejected| rejected.reason.to_string())
}

#[test]
fn a_step_of_the_writer_before_any_call_of_the_reader() {
    for (is_pruned, unproven) in [(true, false), (true, true), (false, false)] {
        for step in STEPS {
            let mut case = Case {
                is_pruned,
                unproven,
                first: 0,
                every: u64::MAX,
                steps_max: 1,
            };
            while case.first < check(case, step) {
                case.first += 1;
            }
            assert!(case.first > 40, "{case:?}");
        }
    }
}

#[test]
fn a_writer_that_is_faster_than_the_reader() {
    for step in STEPS {
        for every in [1, 2, 3, 5, 11, 23] {
            let case = Case {
                is_pruned: true,
                unproven: false,
                first: 0,
                every,
                steps_max: 60,
            };
            check(case, step);
            for first in (0..60).step_by(9) {
                let steps_max = 7;
                check(
                    Case {
                        first,
                        steps_max,
                        ..case
                    },
                    step,
                );
            }
        }
    }
}

/// The writer may be as fast as this: a snapshot made and one removed in so many calls of the reader, and one more for each file that there is to be opened.
const CALLS_FOR_A_SNAPSHOT: u64 = 24;

/// What there is to read before the writer begins to go on.
#[derive(Debug, Clone, Copy)]
struct Life {
    /// How many segments have been begun, about.
    segments: u64,
    /// How many snapshots have been made, two of which are left, and the files that they share pages of.
    snapshots: u64,
    /// Rows of which a page has room for a few.
    bulk: u64,
}

const FEW: Life = Life {
    segments: 0,
    snapshots: 2,
    bulk: 0,
};

/// Does all that can be done with a directory beside a writer that never rests. Yields how many calls the reader needed to open it.
fn read_all(life: Life, every: u64, first: u64, loading: SnapshotLoading) -> u64 {
    let context = format!("{life:?}, {loading:?}, every {every} from {first}");
    let case = Case {
        is_pruned: true,
        unproven: false,
        first,
        every,
        steps_max: u64::MAX,
    };
    let Beside { dir, writer, calls } = beside(case, life, Writer::cycle);
    let before = writer.last.load(Ordering::Relaxed);
    let reading = ReadOptions {
        loading,
        ..ReadOptions::default()
    };
    let opened = ReadOnlyDatabase::open(Arc::clone(&dir), &reading);
    let (database, report) = opened.unwrap_or_else(|error| panic!("{context}: {error}"));
    let (opened, _) = *calls.lock().unwrap();
    let tx = database.view().tx().0;
    assert!(tx >= before, "{context}: {tx} is left of {before}");
    let rows = expected(1..=tx - u64::from(life.bulk > 0));
    assert_eq!(notes(&database.view()), rows, "{context}");
    assert_eq!(damage_in(&report), None, "{context}");
    database.verify().unwrap();

    for found in [
        database.info().unwrap().snapshots,
        SnapshotInfo::read_back_all(&*dir).unwrap(),
    ] {
        // There were two at any time.
        assert!(!found.is_empty(), "{context}");
        let flawed = found.iter().find(|info| info.rejected.is_some());
        assert!(flawed.is_none(), "{context}: {flawed:?}");
    }

    let copy = SimDisk::new(2);
    let on_progress = |_| ControlFlow::Continue(());
    let summary = database.backup(&copy.root(), &on_progress).unwrap();
    assert_eq!(summary.tx.0, tx, "{context}");
    let (copied, _) = ReadOnlyDatabase::open(copy.root(), &reading).unwrap();
    assert_eq!(notes(&copied.view()), rows, "{context}");
    opened
}

/// How many files there are to be opened.
fn files_of(life: Life) -> u64 {
    let still = Case {
        is_pruned: true,
        unproven: false,
        first: 0,
        every: 1,
        steps_max: 0,
    };
    let dir = beside(still, life, Writer::cycle).dir;
    let parts = ["log", "snapshots"].map(|part| dir.open_dir(part).unwrap());
    parts
        .iter()
        .map(|part| part.list().unwrap().len() as u64)
        .sum()
}

#[test]
fn beside_a_writer_that_never_rests_everything_can_be_read() {
    for (life, slower, calls_min) in [
        (FEW, 0..=30, 80),
        (
            Life {
                snapshots: 80,
                ..FEW
            },
            0..=1,
            150,
        ),
        (Life { bulk: 1500, ..FEW }, 0..=1, 400),
    ] {
        let fastest = CALLS_FOR_A_SNAPSHOT + files_of(life);
        for loading in [SnapshotLoading::Copied, SnapshotLoading::Mapped] {
            let mut calls_max = 0;
            for every in slower.clone().map(|slower| fastest + slower) {
                for first in (0..every).step_by(7) {
                    let calls = read_all(life, every, first, loading);
                    calls_max = calls_max.max(calls);
                }
            }
            // Copied, each page is a call: what was there as it began is gone long before the end.
            let is_long = loading == SnapshotLoading::Mapped || calls_max > calls_min;
            assert!(is_long, "{life:?}: {calls_max}");
        }
    }
}

#[test]
fn a_log_of_many_segments_is_read_beside_a_writer_that_begins_one_after_the_other() {
    let life = Life {
        segments: 150,
        snapshots: 0,
        ..FEW
    };
    for first in (0..60).step_by(7) {
        let case = Case {
            is_pruned: false,
            unproven: false,
            first,
            every: 40,
            steps_max: u64::MAX,
        };
        let Beside { dir, writer, calls } = beside(case, life, |writer| writer.commit(9));
        let before = writer.last.load(Ordering::Relaxed);
        let (database, _) = ReadOnlyDatabase::open(dir, &ReadOptions::default()).unwrap();
        let tx = database.view().tx().0;
        assert!(tx >= before, "{first}: {tx} is left of {before}");
        assert_eq!(notes(&database.view()), expected(1..=tx), "{first}");
        let (calls, _) = *calls.lock().unwrap();
        assert!(calls > 700, "{first}: {calls}");
    }
}
