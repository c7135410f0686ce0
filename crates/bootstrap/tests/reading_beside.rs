//! A reader opens while a writer goes on between any two of its calls: it sees a state that there was, and never damage that
//! there is not.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/watched.rs"]
mod watched;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bootstrap::{
    Database, Error, ErrorClass, OpenReport, Options, ReadOnlyDatabase, ReadOptions, Rejection,
};
use disk::SimDisk;
use fixture::*;
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

/// Opens for reading. Yields how many calls the reader made.
fn check(case: Case, (name, step): (&str, Step)) -> u64 {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, tiny_segments()).unwrap();
    let writer = Arc::new(Writer {
        database,
        last: AtomicU64::new(0),
    });
    writer.commit(5);
    writer.snapshot();
    writer.snapshot();
    if case.is_pruned {
        writer.database.prune().unwrap();
    }
    writer.commit(5);
    let before = writer.last.load(Ordering::Relaxed);

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
    let reading = ReadOptions {
        unproven: case.unproven,
        ..ReadOptions::default()
    };
    let context = format!("{name}, {case:?}");
    match ReadOnlyDatabase::open(watched(disk.root(), Arc::new(watch)), &reading) {
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
