//! Each call of a life fails once: a full disk and then space again, a sync that fails, a write that is short. What was acknowledged is never lost, and the
//! log goes on.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use commitlog::{Error, Log, Result, TxId};
use disk::{Fault, Operation, SimDisk};
use logs::{LOG_ID, expected, payload, read_all, small};

/// How many outcomes of one power cut are looked at.
const POWER_CUTS_MAX: u64 = 5;

type Step = (&'static str, fn(&Log) -> Result<()>);

/// A life of a log, in segments of a few records.
const STEPS: [Step; 15] = [
    ("commit", commit),
    ("append", append),
    ("commit", commit),
    ("batch", batch),
    ("rotate", |log| log.rotate()),
    ("append", append),
    ("compress", |log| log.compress_sealed().map(drop)),
    ("prune", |log| log.prune_before(TxId(3)).map(drop)),
    ("commit", commit),
    ("truncate", |log| log.truncate_after(TxId(6)).map(drop)),
    ("batch", batch),
    ("compress", |log| log.compress_sealed().map(drop)),
    ("sync", |log| log.sync()),
    ("append", append),
    ("close", |log| log.close()),
];

fn commit(log: &Log) -> Result<()> {
    log.commit(&payload(log.next_id().0), None).map(drop)
}

fn append(log: &Log) -> Result<()> {
    log.append(&payload(log.next_id().0), None).map(drop)
}

fn batch(log: &Log) -> Result<()> {
    let first = log.next_id().0;
    let payloads = [first, first + 1, first + 2].map(payload);
    let records = payloads.each_ref().map(|payload| (&payload[..], None));
    log.append_batch(&records).map(drop)
}

/// A log that lives, whatever fails.
struct Life {
    disk: SimDisk,
    log: Log,
    /// Everything before this was acknowledged as durable.
    acknowledged: u64,
}

impl Life {
    fn begin(seed: u64) -> Life {
        let disk = SimDisk::new(seed);
        let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
        Life {
            disk,
            log,
            acknowledged: 1,
        }
    }

    /// Takes a step. If it fails, what was acknowledged outlives a kill and a power cut, and it works the second time.
    fn take(&mut self, (name, step): Step, allowed: impl Fn(&Error) -> bool, row: &str) {
        let truncates = name == "truncate";
        if truncates {
            self.acknowledged = self.acknowledged.min(7);
        }
        if let Err(error) = step(&self.log) {
            assert!(allowed(&error), "{row}: {name}: {error}");
            // What is to be given up may be gone or not.
            if !truncates {
                self.acknowledge();
            }
            self.check(row);
            if !matches!(error, Error::Full(_)) || name == "close" {
                self.reopen();
            }
            step(&self.log).unwrap_or_else(|error| panic!("{row}: {name} again: {error}"));
        }
        self.acknowledge();
        if name == "close" {
            self.reopen();
        }
    }

    fn acknowledge(&mut self) {
        self.acknowledged = self.acknowledged.max(self.log.durable_end().0);
    }

    fn reopen(&mut self) {
        let open = || Log::open(self.disk.root(), small(), &[]);
        // The call that fails may be one of the recovery.
        self.log = open().or_else(|_| open()).unwrap().0;
        self.acknowledge();
    }

    /// Looks at what a kill and a power cut leave.
    fn check(&self, row: &str) {
        let cuts = self.disk.power_cuts(POWER_CUTS_MAX, 1);
        for found in cuts.iter().chain([&self.disk.fork()]) {
            let opened = Log::open(found.root(), small(), &[]);
            let (log, report) = opened.unwrap_or_else(|error| panic!("{row}: {error}"));
            assert!(self.acknowledged <= report.end.0, "{row}: {report:?}");
            let all = expected(report.base.0, report.end.0);
            assert_eq!(read_all(&log), all, "{row}");
        }
    }
}

/// Lives a life for each call that `concerned` wants, which fails.
fn each_call_fails(
    fault: Fault,
    concerned: impl Fn(Operation) -> bool,
    allowed: impl Fn(&Error) -> bool,
) -> usize {
    let calls = {
        let mut life = Life::begin(0);
        let first = life.disk.call_count();
        for step in STEPS {
            life.take(step, |_| false, "nothing fails");
        }
        life.disk.calls().split_off(usize::try_from(first).unwrap())
    };
    let concerned = calls.iter().filter(|call| concerned(call.operation));
    let mut failed = 0;
    for (call, seed) in concerned.zip(0..) {
        let row = format!("{fault:?} at {call:?}");
        let mut life = Life::begin(seed);
        life.disk.fail_at(call.number, fault);
        for step in STEPS {
            life.take(step, &allowed, &row);
        }
        commit(&life.log).unwrap();
        life.acknowledge();
        life.check(&row);
        failed += 1;
    }
    failed
}

#[test]
fn a_full_disk_at_every_write_refuses_and_with_space_again_the_log_goes_on() {
    use Operation::{Allocate, Create, Rename, Write};
    let failed = each_call_fails(
        Fault::Enospc,
        |operation| matches!(operation, Write | Allocate | Create | Rename),
        |error| matches!(error, Error::Full(_) | Error::Io(_)),
    );
    assert!(failed > 50, "{failed}");
}

#[test]
fn nothing_is_acknowledged_by_a_sync_that_failed() {
    use Operation::{SyncDir, SyncFile};
    for fault in [Fault::Eio, Fault::Enospc] {
        let failed = each_call_fails(
            fault,
            |operation| matches!(operation, SyncDir | SyncFile),
            |error| matches!(error, Error::Io(_) | Error::Full(_)),
        );
        assert!(failed > 25, "{failed}");
    }
}

#[test]
fn a_write_that_fails_is_an_error_and_loses_nothing_acknowledged() {
    let changes = |operation| {
        use Operation::{Allocate, Create, Remove, Rename, SetLen, Write};
        matches!(
            operation,
            Allocate | Create | Remove | Rename | SetLen | Write
        )
    };
    let allowed = |error: &Error| matches!(error, Error::Io(_));
    let failed = each_call_fails(Fault::Eio, changes, allowed);
    assert!(failed > 50, "{failed}");
}

#[test]
fn short_and_interrupted_calls_are_taken_up_again() {
    for fault in [Fault::Short, Fault::Interrupted] {
        use Operation::{Read, Write};
        let concerned = |operation| matches!(operation, Read | Write);
        let failed = each_call_fails(fault, concerned, |_| false);
        assert!(failed > 50, "{failed}");
    }
}

/// So many sectors are free when a step begins: it is done, or refused whole, and done when there is space.
#[test]
fn a_disk_that_fills_up_refuses_and_fails_nothing() {
    let mut refused = 0;
    for filled in 0..STEPS.len() {
        for sectors in (0..30).chain([40, 60]) {
            let row = format!("{sectors} sectors are free at step {filled}");
            let mut life = Life::begin(sectors);
            for (number, (name, step)) in STEPS.into_iter().enumerate() {
                if number == filled {
                    let next = life.log.next_id();
                    let capacity = life.disk.used_bytes() + 512 * sectors;
                    life.disk.set_capacity(Some(capacity));
                    let done = step(&life.log);
                    life.disk.set_capacity(None);
                    if done.is_err() {
                        assert!(matches!(done, Err(Error::Full(_))), "{row}: {done:?}");
                        assert_eq!(life.log.next_id(), next, "{row}");
                        life.check(&row);
                        refused += 1;
                    } else if name != "close" {
                        continue;
                    }
                }
                life.take((name, step), |_| false, &row);
            }
            life.check(&row);
        }
    }
    assert!(refused > 100, "{refused}");
}
