//! Syncs at an interval: what commits rely on, whatever else the database is busy with.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "fixture/watched.rs"]
mod watched;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bootstrap::{Clock, Database, Maintenance, Options, SyncPolicy, TxId};
use disk::SimDisk;
use fixture::*;
use table::Value;
use watched::watched;

/// A clock that stands still until it is told the time.
#[derive(Debug, Default)]
struct ToldClock(AtomicU64);

impl Clock for ToldClock {
    fn wall_ns(&self) -> Option<i64> {
        None
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn an_interval_makes_commits_durable_when_it_is_over() {
    let disk = SimDisk::new(1);
    let clock = Arc::new(ToldClock::default());
    let (database, _) = open_with(
        &disk,
        Options {
            sync_policy: SyncPolicy::Interval(Duration::from_secs(10)),
            background: false,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..options()
        },
    )
    .unwrap();
    let durable_at = |seconds, durable| {
        clock.0.store(seconds, Ordering::SeqCst);
        assert!(matches!(database.maintain().unwrap(), Maintenance::Idle));
        assert_eq!(
            database.durable_through(),
            Some(TxId(durable)),
            "{seconds} s"
        );
    };
    put(&database, 1);
    assert_eq!(notes(&database.view()), expected(1..=1));
    durable_at(20, 1);
    put(&database, 2);
    durable_at(29, 1);
    durable_at(30, 2);
}

/// How much of something long was done at once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Steps {
    count: u64,
    /// Calls of the disk between two steps: the most there were, and those since the last one.
    calls_max: u64,
    calls: u64,
}

/// A clock that is asked between two steps of something long: then an interval is over, and a note is committed that the next one has to make
/// durable.
#[derive(Debug, Default)]
struct BusyClock {
    asked: AtomicU64,
    watched: Mutex<Option<Weak<Database>>>,
    steps: Mutex<Steps>,
}

impl Clock for BusyClock {
    fn wall_ns(&self) -> Option<i64> {
        None
    }

    fn elapsed(&self) -> Duration {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let watched = self
            .watched
            .lock()
            .unwrap()
            .as_ref()
            .and_then(Weak::upgrade);
        if let Some(database) = watched {
            let last = database.view().tx();
            assert_eq!(
                database.durable_through(),
                Some(last),
                "what was committed at step {asked} is not durable one interval later"
            );
            put(&database, PAGES + last.0);
            let mut steps = self.steps.lock().unwrap();
            steps.count += 1;
            steps.calls_max = steps.calls_max.max(steps.calls);
            steps.calls = 0;
        }
        INTERVAL * u32::try_from(asked).unwrap()
    }
}

const INTERVAL: Duration = Duration::from_secs(10);

/// Pages of the database, each with one long note.
const PAGES: u64 = 600;

fn open_busy(disk: &SimDisk) -> (Arc<Database>, Arc<BusyClock>) {
    let clock = Arc::new(BusyClock::default());
    let counting = Arc::clone(&clock);
    let dir = watched(
        disk.root(),
        Arc::new(move |_| counting.steps.lock().unwrap().calls += 1),
    );
    let options = Options {
        sync_policy: SyncPolicy::Interval(INTERVAL),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..options()
    };
    let (database, _) = Database::open(dir, options, initialise).unwrap();
    (Arc::new(database), clock)
}

/// Does something long, with everything durable before, and yields its steps.
fn steps_of(database: &Arc<Database>, clock: &BusyClock, work: impl FnOnce(&Database)) -> Steps {
    database.wait_durable(database.view().tx()).unwrap();
    *clock.steps.lock().unwrap() = Steps::default();
    *clock.watched.lock().unwrap() = Some(Arc::downgrade(database));
    work(database);
    *clock.watched.lock().unwrap() = None;
    let mut steps = std::mem::take(&mut *clock.steps.lock().unwrap());
    steps.calls_max = steps.calls_max.max(steps.calls);
    steps
}

#[test]
fn an_interval_is_kept_while_a_snapshot_is_written_and_read_back_and_the_log_is_pruned() {
    let disk = SimDisk::new(1);
    let (database, clock) = open_busy(&disk);
    let filled = database.write(|tx| {
        for id in 0..PAGES {
            let long = format!("{id:040000}");
            let cells = [("id", Value::from(id)), ("text", Value::from(&*long))];
            tx.insert("notes", &cells)?;
        }
        Ok::<(), schema::Error>(())
    });
    filled.unwrap();

    let pages = || database.snapshot().unwrap().page_count;
    let mut page_count = 0;
    let steps = steps_of(&database, &clock, |_| page_count = pages());
    assert!(page_count > PAGES);
    // One for each page that is written, and one for each few hundred that are read back.
    assert!(steps.count > page_count + page_count / 256, "{steps:?}");
    assert!(steps.calls_max < 300, "{steps:?}");
    let last = pages();
    assert!(last >= page_count);
    Arc::into_inner(database).unwrap().close().unwrap();

    let (database, clock) = open_busy(&disk);
    let steps = steps_of(&database, &clock, |database| {
        let summary = database.prune().unwrap();
        assert!(summary.segments_removed > 0, "{summary:?}");
    });
    assert!(steps.count > 2 * (page_count / 256), "{steps:?}");
    assert!(steps.calls_max < 300, "{steps:?}");
}
