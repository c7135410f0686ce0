//! What is with the operating system, and what is durable, after each way to append: a process is killed, or the power cut, at any moment.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use commitlog::{Error, FollowOptions, Handoff, Log, LogId, Maintainer, Options, SyncPolicy, TxId};
use disk::{Choice, Crash, Dir, Fault, OsDir, SimDisk};

const LOG_ID: LogId = LogId(*b"handed off......");

fn options(sync_policy: SyncPolicy, handoff: Handoff) -> Options {
    Options {
        sync_policy,
        handoff,
        ..Options::default()
    }
}

fn create(disk: &SimDisk, options: Options) -> Log {
    Log::create(disk.root(), LOG_ID, options, &[(b"genesis", None)]).unwrap()
}

/// How many records are found after the process was killed now.
fn after_kill(disk: &SimDisk) -> u64 {
    let killed = disk.fork();
    let (log, report) = Log::open(killed.root(), Options::default(), &[]).unwrap();
    assert_eq!(report.torn, None);
    log.verify().unwrap()
}

/// How many records are found after the power was cut now, and nothing survived that had not to.
fn after_power_cut(disk: &SimDisk) -> u64 {
    let cut = disk.fork();
    cut.crash(Crash::Power(Choice::Old));
    let (log, _) = Log::open(cut.root(), Options::default(), &[]).unwrap();
    log.verify().unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_kill_and_a_power_cut_lose_what_the_contract_says() {
    let interval = SyncPolicy::Interval(seconds(10));
    // After one commit and one append that followed: records found after a kill, after a power cut.
    let rows = [
        (SyncPolicy::EveryCommit, Handoff::Written, 3, 2),
        (SyncPolicy::EveryCommit, Handoff::Queued, 2, 2),
        (interval, Handoff::Written, 3, 1),
        (interval, Handoff::Queued, 2, 1),
        (SyncPolicy::Never, Handoff::Written, 3, 1),
        (SyncPolicy::Never, Handoff::Queued, 2, 1),
    ];
    for (policy, handoff, killed, cut) in rows {
        let disk = SimDisk::new(1);
        let log = create(&disk, options(policy, handoff));
        log.commit(b"committed", None).unwrap();
        log.append(b"appended", None).unwrap();
        let row = format!("{policy:?}, {handoff:?}");
        assert_eq!(after_kill(&disk), killed, "{row}");
        assert_eq!(after_power_cut(&disk), cut, "{row}");
        log.sync().unwrap();
        assert_eq!((after_kill(&disk), after_power_cut(&disk)), (3, 3), "{row}");
    }
}

#[test]
fn a_queued_record_reaches_the_disk_when_somebody_needs_it_there() {
    type Need = fn(Log, &SimDisk);
    let needs: [(&str, Need); 10] = [
        ("chain_at_end", |log, disk| {
            let before = log.chain_after(TxId(0)).unwrap();
            assert_eq!(log.chain_at_end(), before.after(TxId(1), b"queued"));
            assert_eq!(after_kill(disk), 2);
        }),
        ("verify", |log, disk| {
            assert_eq!(log.verify().unwrap(), 2);
            assert_eq!(after_kill(disk), 2);
        }),
        ("follow, from the end on", |log, disk| {
            let mut follower = log.follow(TxId(2), FollowOptions::default()).unwrap();
            assert_eq!(after_kill(disk), 2);
            log.append(b"followed", None).unwrap();
            log.sync().unwrap();
            let record = follower.poll_next().unwrap().unwrap();
            assert_eq!((record.id, record.payload), (TxId(2), &b"followed"[..]));
        }),
        ("wait_written", |log, disk| {
            log.wait_written(TxId(1)).unwrap();
            assert_eq!(after_kill(disk), 2);
        }),
        ("wait_durable", |log, disk| {
            log.wait_durable(TxId(1)).unwrap();
            assert_eq!(after_power_cut(disk), 2);
        }),
        ("another append that is handed off", |log, disk| {
            log.append_with(b"x", None, Handoff::Written).unwrap();
            assert_eq!(after_kill(disk), 3);
        }),
        ("rotate", |log, disk| {
            log.rotate().unwrap();
            assert_eq!(after_power_cut(disk), 2);
        }),
        ("maintain, after a while", |log, disk| {
            assert!(log.maintain(seconds(1)).unwrap().unwrap() < seconds(2));
            assert_eq!(after_kill(disk), 1);
            assert_eq!(log.maintain(seconds(2)).unwrap(), None);
            assert_eq!(after_kill(disk), 2);
        }),
        ("close", |log, disk| {
            log.close().unwrap();
            assert_eq!(after_power_cut(disk), 2);
        }),
        ("drop", |log, disk| {
            drop(log);
            assert_eq!((after_kill(disk), after_power_cut(disk)), (2, 1));
        }),
    ];
    for (name, need) in needs {
        let disk = SimDisk::new(2);
        let log = create(&disk, options(SyncPolicy::Never, Handoff::Queued));
        assert_eq!(log.append(b"queued", None).unwrap(), TxId(1));
        assert_eq!(log.next_id(), TxId(2));
        let mut reader = log.reader(TxId(0)).unwrap();
        assert!(reader.next_record().unwrap().is_some());
        assert_eq!(reader.next_record().unwrap(), None, "it is not written");
        assert_eq!(after_kill(&disk), 1, "{name}");
        println!("{name}");
        need(log, &disk);
    }
}

#[test]
fn a_queue_is_written_in_one_write_and_never_grows_beyond_its_bounds() {
    let disk = SimDisk::new(3);
    let log = create(
        &disk,
        Options {
            queue_bytes_max: 40 << 10,
            ..options(SyncPolicy::Never, Handoff::Queued)
        },
    );
    // Space is reserved by the first of them.
    log.append_with(&[1; 100], None, Handoff::Written).unwrap();
    let before = disk.call_count();
    let mut last = TxId(0);
    for _ in 0..100 {
        last = log.append(&[1; 100], None).unwrap();
    }
    log.wait_written(last).unwrap();
    assert_eq!(disk.call_count() - before, 1);
    // 40 KiB hold 300 frames of 136 bytes: the next one has them written.
    for _ in 0..=301 {
        log.append(&[1; 100], None).unwrap();
    }
    assert_eq!(after_kill(&disk), 102 + 301);
}

#[test]
fn what_is_longer_than_the_queue_may_be_is_written_before_it_is_acknowledged() {
    for maintained in [false, true] {
        let disk = SimDisk::new(3);
        let options = Options {
            queue_bytes_max: 1000,
            ..options(SyncPolicy::Never, Handoff::Queued)
        };
        let log = create(&disk, options);
        let _maintainer = maintained.then(|| Maintainer::start(&log).unwrap());
        log.append(&[1; 1000], None).unwrap();
        assert_eq!(after_kill(&disk), 2);
        let batch: Vec<(&[u8], Option<i64>)> = vec![(&[2; 100], None); 50];
        assert_eq!(log.append_batch(&batch).unwrap(), TxId(2)..TxId(52));
        assert_eq!(after_kill(&disk), 52);
    }
}

#[test]
fn a_batch_gets_ids_together_and_is_one_write() {
    let disk = SimDisk::new(4);
    let log = create(&disk, options(SyncPolicy::Never, Handoff::Written));
    log.append(&[1; 100], None).unwrap();
    let before = disk.call_count();
    let records: Vec<(&[u8], Option<i64>)> = vec![(b"a", Some(1)), (b"", None), (b"ccc", Some(3))];
    assert_eq!(log.append_batch(&records).unwrap(), TxId(2)..TxId(5));
    assert_eq!(disk.call_count() - before, 1);
    assert_eq!(log.append_batch(&[]).unwrap(), TxId(5)..TxId(5));
    let mut reader = log.reader(TxId(2)).unwrap();
    for (payload, time) in records {
        let record = reader.next_record().unwrap().unwrap();
        assert_eq!((record.payload, record.time), (payload, time));
    }
    assert!(reader.next_record().unwrap().is_none());
}

#[test]
fn a_batch_is_handed_off_as_the_call_says_whatever_the_options_say() {
    // Records found after a kill right behind the call.
    let rows = [
        (Handoff::Written, Handoff::Queued, 1),
        (Handoff::Queued, Handoff::Written, 3),
    ];
    for (option, call, killed) in rows {
        let disk = SimDisk::new(4);
        let log = create(&disk, options(SyncPolicy::Never, option));
        let batch: [(&[u8], _); 2] = [(b"one", None), (b"two", None)];
        let ids = log.append_batch_with(&batch, call).unwrap();
        assert_eq!(ids, TxId(1)..TxId(3));
        assert_eq!(after_kill(&disk), killed, "{call:?}");
        log.wait_written(TxId(2)).unwrap();
        assert_eq!(after_kill(&disk), 3, "{call:?}");
    }
}

#[test]
fn a_batch_with_a_record_that_is_too_large_changes_nothing() {
    let disk = SimDisk::new(5);
    let log = create(
        &disk,
        Options {
            payload_bytes_max: 10,
            ..Options::default()
        },
    );
    let before = disk.digest();
    let refused = log.append_batch(&[(b"fits", None), (&[0; 11], None)]);
    assert!(matches!(refused, Err(Error::TransactionTooLarge { .. })));
    assert_eq!((disk.digest(), log.next_id()), (before, TxId(1)));
}

/// Also where the newest segment is as long as it may be, or there is no space left.
#[test]
fn a_batch_without_records_asks_nothing_of_the_disk() {
    let disk = SimDisk::new(5);
    let options = Options {
        segment_bytes_max: 0,
        ..Options::default()
    };
    let log = create(&disk, options);
    disk.set_capacity(Some(disk.used_bytes()));
    let calls = disk.call_count();
    assert_eq!(log.append_batch(&[]).unwrap(), TxId(1)..TxId(1));
    assert_eq!(disk.call_count(), calls);
    log.close().unwrap();
    assert!(matches!(log.append_batch(&[]), Err(Error::Closed)));
}

#[test]
fn batches_larger_than_queue_and_segment_come_back() {
    let disk = SimDisk::new(6);
    let options = Options {
        segment_bytes_max: 12288 + 5000,
        queue_bytes_max: 1000,
        ..options(SyncPolicy::Never, Handoff::Queued)
    };
    let log = create(&disk, options.clone());
    let payloads: Vec<Vec<u8>> = (0..300_u16)
        .map(|number| vec![number.to_le_bytes()[0]; 70])
        .collect();
    let records: Vec<_> = payloads
        .iter()
        .map(|payload| (&payload[..], None))
        .collect();
    for _ in 0..3 {
        log.append_batch(&records).unwrap();
        log.append(&vec![9; 200_000], None).unwrap();
    }
    drop(log);
    let (log, report) = Log::open(disk.root(), options, &[]).unwrap();
    assert_eq!(report.end, TxId(1 + 3 * 301));
    // A batch is never spread, and shares its segment with nothing.
    let extent = Log::inspect(disk.root().as_ref()).unwrap();
    let bases: Vec<u64> = extent.segments.iter().map(|one| one.base.0).collect();
    assert_eq!(bases, [0, 1, 301, 302, 602, 603, 903]);
    let mut reader = log.reader(TxId(1)).unwrap();
    for _ in 0..3 {
        for payload in &payloads {
            assert_eq!(reader.next_record().unwrap().unwrap().payload, payload);
        }
        assert_eq!(
            reader.next_record().unwrap().unwrap().payload.len(),
            200_000
        );
    }
}

#[test]
fn an_interval_syncs_when_it_is_over_and_not_before() {
    let disk = SimDisk::new(7);
    let log = create(
        &disk,
        options(SyncPolicy::Interval(seconds(10)), Handoff::Written),
    );
    assert_eq!(log.maintain(seconds(100)).unwrap(), None);
    log.commit(b"1", None).unwrap();
    // The last sync is longer ago than the interval.
    assert_eq!(log.maintain(seconds(101)).unwrap(), None);
    assert_eq!(after_power_cut(&disk), 2);
    log.commit(b"2", None).unwrap();
    assert_eq!(log.maintain(seconds(102)).unwrap(), Some(seconds(111)));
    assert_eq!(log.maintain(seconds(110)).unwrap(), Some(seconds(111)));
    assert_eq!((after_kill(&disk), after_power_cut(&disk)), (3, 2));
    assert_eq!(log.maintain(seconds(111)).unwrap(), None);
    assert_eq!(after_power_cut(&disk), 3);
    assert_eq!(log.durable_through(), Some(TxId(2)));
}

#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl CountingWaker {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn a_future_of_a_log_that_nobody_maintains_syncs_itself() {
    let disk = SimDisk::new(8);
    let log = create(&disk, options(SyncPolicy::Never, Handoff::Queued));
    let id = log.append(b"1", None).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let future = log.durable(id);
    assert_eq!(
        after_power_cut(&disk),
        1,
        "it does nothing unless it is polled"
    );
    assert!(matches!(
        pin!(future).poll(&mut context),
        Poll::Ready(Ok(()))
    ));
    assert_eq!(after_power_cut(&disk), 2);
    let beyond = pin!(log.durable(TxId(7))).poll(&mut context);
    assert!(matches!(beyond, Poll::Ready(Err(Error::BeyondEnd { .. }))));
}

#[test]
fn a_future_that_meets_a_sync_waits_for_its_end_and_leads_the_next() {
    let disk = SimDisk::new(9);
    let log = create(&disk, Options::default());
    let early = log.append(b"1", None).unwrap();
    let sync = log.begin_sync().unwrap();
    let late = log.append(b"2", None).unwrap();
    let woken = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let (mut first, mut second) = (pin!(log.durable(early)), pin!(log.durable(late)));
    {
        let mut dropped = pin!(log.durable(late));
        assert!(dropped.as_mut().poll(&mut context).is_pending());
        // Polled again, it is still only one.
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(sync.finish().unwrap(), TxId(2));
    assert_eq!(woken.count(), 2);
    assert!(matches!(first.poll(&mut context), Poll::Ready(Ok(()))));
    assert!(matches!(second.poll(&mut context), Poll::Ready(Ok(()))));
    assert_eq!(log.durable_end(), TxId(3));
}

/// It panics when it is woken, or when it is given away.
struct PanickingWaker {
    when_woken: bool,
}

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        assert!(!self.when_woken, "told to");
    }
}

impl Drop for PanickingWaker {
    fn drop(&mut self) {
        assert!(self.when_woken || thread::panicking(), "told to");
    }
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_from_being_woken() {
    for when_woken in [true, false] {
        let disk = SimDisk::new(9);
        let log = create(&disk, Options::default());
        let id = log.append(b"1", None).unwrap();
        let sync = log.begin_sync().unwrap();
        let panics = Waker::from(Arc::new(PanickingWaker { when_woken }));
        let woken = Arc::new(CountingWaker::default());
        let counts = Waker::from(Arc::clone(&woken));
        let mut futures: Vec<_> = (0..3).map(|_| Box::pin(log.durable(id))).collect();
        for (future, waker) in futures.iter_mut().zip([&counts, &panics, &counts]) {
            let polled = future.as_mut().poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        drop(panics);
        assert_eq!(sync.finish().unwrap(), TxId(2));
        assert_eq!(woken.count(), 2);
        // Nothing of the log was in the middle of a change.
        assert_eq!(log.commit(b"2", None).unwrap(), TxId(2));
    }
}

#[test]
fn a_failure_in_the_background_reaches_everybody() {
    let interval = SyncPolicy::Interval(seconds(1));
    // The call that fails: the write of the queue, the sync, the mark.
    for failing in 0..3 {
        let disk = SimDisk::new(10);
        let log = create(&disk, options(interval, Handoff::Queued));
        log.append_with(b"1", None, Handoff::Written).unwrap();
        let id = log.append(b"2", None).unwrap();
        disk.fail_at(disk.call_count() + failing, Fault::Eio);
        assert!(matches!(log.maintain(seconds(5)), Err(Error::Io(_))));
        assert!(matches!(log.append(b"3", None), Err(Error::Poisoned)));
        assert!(matches!(
            log.wait_written(TxId(3)),
            Err(Error::BeyondEnd { .. })
        ));
        assert!(matches!(log.wait_durable(id), Err(Error::Poisoned)));
        let mut context = Context::from_waker(Waker::noop());
        let ended = pin!(log.durable(id)).poll(&mut context);
        assert!(matches!(ended, Poll::Ready(Err(Error::Poisoned))));
        assert!(matches!(log.maintain(seconds(6)), Err(Error::Poisoned)));
        assert!(matches!(log.close(), Err(Error::Poisoned)));
        assert_eq!(log.verify().unwrap(), 1, "what is durable stays readable");
        drop(log);
        let (log, _) = Log::open(disk.root(), Options::default(), &[]).unwrap();
        assert!(log.verify().unwrap() >= 2);
    }
}

#[test]
fn a_waiting_future_learns_that_the_log_was_closed_or_failed() {
    for fails in [false, true] {
        let disk = SimDisk::new(11);
        let log = create(&disk, Options::default());
        let id = log.append(b"1", None).unwrap();
        let sync = log.begin_sync().unwrap();
        let woken = Arc::new(CountingWaker::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(log.durable(id));
        assert!(future.as_mut().poll(&mut context).is_pending());
        if fails {
            disk.fail_at(disk.call_count(), Fault::Eio);
            sync.finish().unwrap_err();
        } else {
            sync.finish().unwrap();
            log.close().unwrap();
        }
        assert!(woken.count() > 0);
        match future.poll(&mut context) {
            Poll::Ready(Ok(())) => assert!(!fails),
            Poll::Ready(Err(Error::Poisoned)) => assert!(fails),
            other => panic!("{other:?}"),
        }
    }
}

/// Parks the thread until the future is ready.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unparker(thread::Thread);
    impl Wake for Unparker {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unparker(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_maintainer_writes_syncs_and_wakes() {
    let temporary = tempfile::tempdir().unwrap();
    let dir: Arc<dyn Dir> = OsDir::open(temporary.path()).unwrap();
    for policy in [
        SyncPolicy::EveryCommit,
        SyncPolicy::Interval(Duration::from_millis(1)),
        SyncPolicy::Never,
    ] {
        let dir = dir
            .create_dir(&format!("{policy:?}").len().to_string())
            .unwrap();
        let log = Log::create(
            dir,
            LOG_ID,
            Options {
                segment_bytes_max: 1 << 20,
                queue_bytes_max: 100_000,
                ..options(policy, Handoff::Queued)
            },
            &[],
        )
        .unwrap();
        let maintainer = Maintainer::start(&log).unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for number in 0..4000 {
                        let id = log.append(&[5; 200], None).unwrap();
                        if number % 100 == 0 {
                            block_on(log.durable(id)).unwrap();
                            assert!(log.durable_end() > id);
                        }
                    }
                });
            }
        });
        maintainer.stop().unwrap();
        log.close().unwrap();
        assert_eq!(log.verify().unwrap(), 12_000);
    }
}

#[test]
fn a_maintainer_ends_with_its_log_and_tells_what_failed() {
    let disk = SimDisk::new(12);
    let log = create(&disk, options(SyncPolicy::Never, Handoff::Queued));
    let maintainer = Maintainer::start(&log).unwrap();
    let id = log.append(b"x", None).unwrap();
    block_on(log.durable(id)).unwrap();
    drop(log);
    maintainer.stop().unwrap();

    let disk = SimDisk::new(13);
    let log = create(&disk, options(SyncPolicy::Never, Handoff::Queued));
    disk.fail_at(disk.call_count() + 3, Fault::Eio);
    let maintainer = Maintainer::start(&log).unwrap();
    let id = log.append(b"x", None).unwrap();
    assert!(matches!(block_on(log.durable(id)), Err(Error::Poisoned)));
    assert!(matches!(maintainer.stop(), Err(Error::Io(_))));
}
