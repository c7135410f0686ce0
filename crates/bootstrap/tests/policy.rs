//! Snapshots by time, and at a pace.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bootstrap::{Clock, Database, Maintenance, Options, SnapshotPolicy};
use disk::SimDisk;
use fixture::*;

/// A clock that goes on by so many seconds whenever it is looked at.
#[derive(Debug)]
struct Ticking {
    seconds: AtomicU64,
    step: u64,
}

impl Clock for Ticking {
    fn wall_ns(&self) -> Option<i64> {
        None
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.seconds.fetch_add(self.step, Ordering::SeqCst))
    }
}

fn open_by(snapshots: SnapshotPolicy, step: u64) -> (Database, Arc<Ticking>) {
    let clock = Arc::new(Ticking {
        seconds: AtomicU64::new(0),
        step,
    });
    let options = Options {
        snapshots,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..options()
    };
    (open_with(&SimDisk::new(1), options).unwrap().0, clock)
}

#[test]
fn a_snapshot_is_due_by_time_if_anything_was_committed() {
    let policy = SnapshotPolicy {
        every: Some(Duration::from_secs(60)),
        ..SnapshotPolicy::by_hand()
    };
    let (database, clock) = open_by(policy, 0);
    let is_written_at = |seconds| {
        clock.seconds.store(seconds, Ordering::SeqCst);
        matches!(database.maintain().unwrap(), Maintenance::Snapshot(_))
    };
    put(&database, 1);
    assert!(!is_written_at(59));
    assert!(is_written_at(60));
    assert!(!is_written_at(500), "nothing was committed");
    put(&database, 2);
    assert!(is_written_at(500));
    put(&database, 3);
    assert!(!is_written_at(559));
    assert!(is_written_at(561));
}

#[test]
fn a_snapshot_at_a_pace_takes_its_time() {
    let at_most = |bytes_per_second| {
        let policy = SnapshotPolicy {
            bytes_per_second,
            ..SnapshotPolicy::by_hand()
        };
        let (database, clock) = open_by(policy, 1);
        put_all(&database, 0..20);
        let begun = clock.seconds.load(Ordering::SeqCst);
        let written = database.snapshot().unwrap();
        let took = clock.seconds.load(Ordering::SeqCst) - begun;
        (written.content_bytes, took)
    };
    let (bytes, took) = at_most(Some(20_000));
    // It is read once from the state, and once from the disk.
    assert!(took >= 2 * bytes / 20_000, "{bytes} bytes in {took} s");
    let (_, took) = at_most(None);
    assert!(took < 5, "{took} s");
}
