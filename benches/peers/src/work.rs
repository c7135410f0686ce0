//! One piece of work, done once by one rival, its result checked.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::records::{Records, id_of, stamp};
use crate::rival::{Promise, Rival, Written};

/// Threads that fill a log whose every commit syncs, so that they share the syncs.
const FILLING_THREADS: usize = 64;

/// What is measured, per record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Commits of `batch` records by one thread, in the hands of the operating system when they return.
    Append {
        bytes: usize,
        batch: usize,
        records: u64,
    },
    /// Commits of one record each, on the medium when they return.
    Durable {
        threads: usize,
        bytes: usize,
        records_each: u64,
    },
    /// All records of a log that was closed, one per commit, warm in the page cache.
    Replay { bytes: usize, records: u64 },
    /// From nothing to being able to append, on the log of `Replay`.
    Open { bytes: usize, records: u64 },
}

impl Work {
    pub(crate) fn name(&self) -> String {
        match *self {
            Work::Append {
                bytes, batch: 1, ..
            } => format!("append {bytes} B, one per commit"),
            Work::Append { bytes, batch, .. } => format!("append {bytes} B, {batch} per commit"),
            Work::Durable {
                threads: 1, bytes, ..
            } => format!("durable {bytes} B, 1 thread"),
            Work::Durable { threads, bytes, .. } => {
                format!("durable {bytes} B, {threads} threads")
            }
            Work::Replay { bytes, .. } => format!("replay {bytes} B"),
            Work::Open { bytes, .. } => format!("open, each record of {bytes} B"),
        }
    }

    /// Why the rival can not do it.
    pub(crate) fn refused(&self, rival: &dyn Rival) -> Option<&'static str> {
        match self {
            Work::Append { .. } => rival.refuses(Promise::Kill),
            Work::Durable { .. } => rival.refuses(Promise::Power),
            Work::Replay { .. } | Work::Open { .. } => None,
        }
    }

    /// What has to be there before the work; the same for all rounds.
    pub(crate) fn prepare(&self, rival: &dyn Rival) -> Option<Prepared> {
        match *self {
            Work::Append { .. } | Work::Durable { .. } => None,
            Work::Replay { bytes, records } | Work::Open { bytes, records } => {
                Some(fill(rival, bytes, records))
            }
        }
    }

    /// Does it once. Yields nanoseconds per record.
    pub(crate) fn run(&self, rival: &dyn Rival, prepared: Option<&Prepared>, bound: bool) -> f64 {
        let (took, records) = match *self {
            Work::Append {
                bytes,
                batch,
                records,
            } => {
                let written = Written {
                    threads: 1,
                    each: records,
                    bytes,
                };
                (write(rival, Promise::Kill, written, batch), records)
            }
            Work::Durable {
                threads,
                bytes,
                records_each,
            } => {
                let written = Written {
                    // What threads gain is what a log makes of them: the bound has none.
                    threads: if bound { 1 } else { threads },
                    each: records_each,
                    bytes,
                };
                let took = write(rival, Promise::Power, written, 1);
                (took, written.records())
            }
            Work::Open { records, .. } if !bound => {
                let copy = prepared.expect("a log was filled").copy();
                let start = Instant::now();
                let session = rival.open(copy.path(), Promise::Kill);
                let took = start.elapsed();
                drop(session);
                (took, records)
            }
            // A file has nothing to open: what bounds an open is to read everything once.
            Work::Replay { records, .. } | Work::Open { records, .. } => {
                let prepared = prepared.expect("a log was filled");
                let copy = prepared.copy();
                let mut sum = 0_u64;
                let mut count = 0;
                let took = rival.replay(copy.path(), prepared.written, &mut |record| {
                    sum = sum.wrapping_add(id_of(black_box(record)));
                    count += 1;
                });
                assert_eq!((count, sum), (records, records * (records - 1) / 2));
                (took, records)
            }
        };
        took.as_secs_f64() * 1e9 / records as f64
    }
}

/// A log that was closed, to be read from copies: some change what they open.
pub(crate) struct Prepared {
    dir: TempDir,
    written: Written,
}

impl Prepared {
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(self.dir.path(), copy.path());
        copy
    }
}

fn fill(rival: &dyn Rival, bytes: usize, records: u64) -> Prepared {
    let (promise, threads) = match rival.refuses(Promise::Kill) {
        None => (Promise::Kill, 1),
        Some(_) if rival.batch_to_fill() > 1 => (Promise::Power, 1),
        Some(_) => (Promise::Power, FILLING_THREADS),
    };
    let written = Written {
        threads,
        each: records / threads as u64,
        bytes,
    };
    assert_eq!(
        written.records(),
        records,
        "threads share the records evenly"
    );
    let dir = tempfile::tempdir().unwrap();
    commit_all(rival, dir.path(), promise, written, rival.batch_to_fill());
    Records::new(bytes).check(records, |visit| {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), copy.path());
        rival.replay(copy.path(), written, visit);
    });
    Prepared { dir, written }
}

/// Writes into a new directory, then reads it all back.
fn write(rival: &dyn Rival, promise: Promise, written: Written, batch: usize) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let took = commit_all(rival, dir.path(), promise, written, batch);
    Records::new(written.bytes).check(written.records(), |visit| {
        rival.replay(dir.path(), written, visit);
    });
    took
}

/// Opens, commits everything, closes; only the commits are timed.
fn commit_all(
    rival: &dyn Rival,
    dir: &Path,
    promise: Promise,
    written: Written,
    batch: usize,
) -> Duration {
    let session = rival.open(dir, promise);
    let commit_share = |thread: usize| {
        let mut records = Records::new(written.bytes).make(batch);
        let mut next = thread as u64 * written.each;
        let end = next + written.each;
        while next < end {
            let count = usize::try_from(end - next).unwrap_or(batch).min(batch);
            stamp(&mut records[..count], next);
            session.commit(thread, next, &records[..count]);
            next += count as u64;
        }
    };
    let start = Instant::now();
    if written.threads == 1 {
        commit_share(0);
    } else {
        thread::scope(|scope| {
            for thread in 0..written.threads {
                let commit_share = &commit_share;
                scope.spawn(move || commit_share(thread));
            }
        });
    }
    start.elapsed()
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
