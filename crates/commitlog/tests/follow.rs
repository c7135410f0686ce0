//! Following a log as it grows: in the writer's process, and beside it.
#![allow(clippy::unwrap_used)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/logs.rs"]
mod logs;
#[path = "support/watched_dir.rs"]
mod watched_dir;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use commitlog::{
    Chain, Error, FollowOptions, Follower, Log, Options, ReadOnlyLog, ReadOnlyOptions, TxId,
};
use disk::{Access, Dir, SimDisk};
use hooked_dir::{HookedDir, Hooks};
use logs::{LOG_ID, create, fill, payload, small, temporary};
use watched_dir::{Watch, WatchedDir};

/// Longer than anything takes: what waits so long would hang.
const FOR_EVER: Duration = Duration::from_secs(60);

fn unproven() -> FollowOptions {
    FollowOptions {
        show_unproven: true,
        ..FollowOptions::default()
    }
}

fn beside(dir: &Arc<dyn Dir>, from: u64, options: FollowOptions) -> Follower {
    let log = ReadOnlyLog::open(Arc::clone(dir), ReadOnlyOptions::default(), &[]).unwrap();
    log.follow(TxId(from), options).unwrap()
}

/// All that is there now, without waiting: the ids, each with the right payload.
fn drain(follower: &mut Follower) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some(record) = follower.poll_next().unwrap() {
        if record.id.0 > 0 {
            assert_eq!(record.payload, payload(record.id.0), "{}", record.id);
        }
        ids.push(record.id.0);
    }
    ids
}

fn ids(from: u64, to: u64) -> Vec<u64> {
    (from..to).collect()
}

#[test]
fn what_becomes_durable_is_shown_over_segments() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    let mut inside = log.follow(TxId(0), FollowOptions::default()).unwrap();
    let mut outside = beside(&dir, 0, FollowOptions::default());
    let mut all_inside = log.follow(TxId(0), unproven()).unwrap();
    let mut all_outside = beside(&dir, 0, unproven());
    let mut shown = 0;
    for end in [1, 2, 9, 10, 30, 31] {
        fill(&log, end);
        log.append(&payload(end), None).unwrap();
        // Rotation alone may have made it durable.
        let durable = log.durable_end().0;
        assert_eq!(drain(&mut inside), ids(shown, durable));
        assert_eq!(drain(&mut outside), ids(shown, durable));
        assert_eq!(drain(&mut all_inside), ids(shown, end + 1));
        assert_eq!(drain(&mut all_outside), ids(shown, end + 1));
        log.sync().unwrap();
        assert_eq!(drain(&mut inside), ids(durable, end + 1));
        assert_eq!(drain(&mut outside), ids(durable, end + 1));
        shown = end + 1;
    }
    assert_eq!(inside.chain_here(), Some(log.chain_at_end()));
    assert_eq!(outside.chain_here(), Some(log.chain_at_end()));
}

#[test]
fn a_follower_waits_for_the_next_record_and_for_the_end_of_the_log() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    for options in [FollowOptions::default(), unproven()] {
        let first = log.next_id().0;
        let mut inside = log.follow(TxId(first), options.clone()).unwrap();
        let mut outside = beside(&dir, first, options);
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in first..first + 30 {
                    let record = inside.next_record(None).unwrap().unwrap();
                    assert_eq!(
                        (record.id.0, record.payload),
                        (number, &payload(number)[..])
                    );
                }
            });
            scope.spawn(|| {
                for number in first..first + 30 {
                    let record = outside.next_record(Some(FOR_EVER)).unwrap().unwrap();
                    assert_eq!(
                        (record.id.0, record.payload),
                        (number, &payload(number)[..])
                    );
                }
            });
            fill(&log, first + 30);
        });
        let soon = Some(Duration::from_millis(2));
        assert!(inside.next_record(soon).unwrap().is_none());
        assert!(outside.next_record(soon).unwrap().is_none());
    }
    let from = log.next_id();
    let mut waiting = log.follow(from, FollowOptions::default()).unwrap();
    let mut behind = log
        .follow(TxId(from.0 - 3), FollowOptions::default())
        .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(waiting.next_record(None), Err(Error::Closed)));
            assert!(matches!(waiting.next_record(None), Err(Error::Closed)));
        });
        log.close().unwrap();
    });
    assert_eq!(behind.next_record(None).unwrap().unwrap().id.0, from.0 - 3);
    assert_eq!(behind.next_record(None).unwrap().unwrap().id.0, from.0 - 2);
    assert_eq!(behind.next_record(None).unwrap().unwrap().id.0, from.0 - 1);
    assert!(matches!(behind.next_record(None), Err(Error::Closed)));
}

#[test]
fn dropping_or_poisoning_the_log_ends_its_followers() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 5);
    let mut follower = log.follow(TxId(4), FollowOptions::default()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(follower.next_record(None).unwrap().unwrap().id, TxId(4));
            assert!(matches!(follower.next_record(None), Err(Error::Closed)));
        });
        scope.spawn(move || drop(log));
    });
    let disk = SimDisk::new(1);
    let log = create(&disk.root(), small());
    fill(&log, 5);
    let mut durable = log.follow(TxId(4), FollowOptions::default()).unwrap();
    let mut all = log.follow(TxId(4), unproven()).unwrap();
    log.append(&payload(5), None).unwrap();
    assert_eq!(drain(&mut all), [4, 5]);
    assert_eq!(drain(&mut durable), [4]);
    // The next call of the disk is the sync: whoever waits calls nothing.
    disk.fail_at(disk.call_count(), disk::Fault::Eio);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(durable.next_record(None), Err(Error::Poisoned)));
        });
        scope.spawn(|| assert!(matches!(all.next_record(None), Err(Error::Poisoned))));
        log.sync().unwrap_err();
    });
    let mut late = log.follow(TxId(3), unproven()).unwrap();
    assert_eq!(late.next_record(None).unwrap().unwrap().id, TxId(3));
    assert_eq!(late.next_record(None).unwrap().unwrap().id, TxId(4));
    assert!(matches!(late.next_record(None), Err(Error::Poisoned)));
}

#[test]
fn a_follower_goes_on_when_the_writer_ends_and_begins_again() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let mut log = create(&dir, small());
    let mut durable = beside(&dir, 0, FollowOptions::default());
    let mut all = beside(&dir, 0, unproven());
    let mut shown = 0;
    for life in 0..12u64 {
        fill(&log, shown + 1 + life % 4);
        log.append(&payload(log.next_id().0), None).unwrap();
        shown = log.next_id().0;
        let seen = drain(&mut all);
        assert_eq!(seen.last(), Some(&(shown - 1)));
        if life % 3 == 0 {
            log.close().unwrap();
        }
        drop(log);
        if life % 3 == 1 {
            // A write that was cut off.
            let extent = Log::inspect(dir.as_ref()).unwrap();
            let file = &extent.segments.last().unwrap().file;
            let mut bytes = disk.read(file).unwrap();
            while bytes.last() == Some(&0) {
                bytes.pop();
            }
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes.extend_from_slice(&[0xA5; 20]);
            disk.write(file, &bytes);
        }
        if life % 2 == 0 {
            drain(&mut durable);
        }
        let (again, report) = Log::open(Arc::clone(&dir), small(), &[]).unwrap();
        assert_eq!(
            (report.end.0, report.torn.is_some()),
            (shown, life % 3 == 1)
        );
        log = again;
    }
    fill(&log, shown + 1);
    drain(&mut durable);
    drain(&mut all);
    assert_eq!(
        (durable.next_id().0, all.next_id().0),
        (shown + 1, shown + 1)
    );
}

#[test]
fn what_was_pruned_is_an_error_that_names_the_oldest_record() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 40);
    let mut inside = log.follow(TxId(0), FollowOptions::default()).unwrap();
    let mut outside = beside(&dir, 0, FollowOptions::default());
    let second = Log::inspect(dir.as_ref()).unwrap().segments[1].base;
    let oldest = log.prune_before(TxId(30)).unwrap().base;
    // The one outside has the oldest segment mapped.
    let kept = |error: Error| matches!(error, Error::Pruned { oldest: kept } if kept == oldest);
    while outside.next_id() < second {
        outside.poll_next().unwrap().unwrap();
    }
    for _ in 0..2 {
        assert!(kept(inside.poll_next().unwrap_err()));
        assert!(kept(outside.poll_next().unwrap_err()));
    }
    let mut again = beside(&dir, oldest.0, FollowOptions::default());
    assert_eq!(drain(&mut again), ids(oldest.0, 40));
    // Whoever is further on does not notice.
    fill(&log, 60);
    assert_eq!(drain(&mut again), ids(40, 60));
    log.prune_before(TxId(60)).unwrap();
    fill(&log, 70);
    assert_eq!(drain(&mut again), ids(60, 70));
}

#[test]
fn a_truncation_behind_the_place_ends_following_and_one_ahead_does_not() {
    // Read up to, truncated after, appended again: whether following goes on.
    let rows = [
        (40, 39, false, true),
        (40, 39, true, true),
        (40, 38, false, false),
        (40, 38, true, false),
        (40, 5, false, false),
        (40, 5, true, false),
        (6, 5, false, true),
        (6, 5, true, true),
        (7, 5, true, false),
        (1, 0, true, true),
        (1, 30, true, true),
    ];
    for (read, last, again, goes_on) in rows {
        let (_temporary, dir) = temporary();
        let log = create(&dir, small());
        fill(&log, 40);
        let mut inside = log.follow(TxId(0), FollowOptions::default()).unwrap();
        let mut outside = beside(&dir, 0, FollowOptions::default());
        for number in 0..read {
            for follower in [&mut inside, &mut outside] {
                assert_eq!(follower.poll_next().unwrap().unwrap().id, TxId(number));
            }
        }
        // What the one outside knows of is what it may still show, from the files as they were.
        log.truncate_after(TxId(last)).unwrap();
        if again {
            for number in last + 1..50 {
                log.commit(format!("anew {number}").as_bytes(), None)
                    .unwrap();
            }
        }
        let end = log.next_id().0;
        let mut next = read;
        let ended = loop {
            match inside.poll_next() {
                Ok(Some(record)) => {
                    assert_eq!(record.id.0, next);
                    let anew = record.payload.starts_with(b"anew");
                    assert_eq!(anew, next > last);
                    next += 1;
                }
                Ok(None) => break true,
                Err(Error::Truncated { end }) => {
                    assert_eq!(end.0, last + 1);
                    break false;
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(ended, goes_on, "inside: {read} {last} {again}");
        assert_eq!(next, if goes_on { end } else { read });
        let mut of_before = Vec::new();
        let ended = loop {
            match outside.poll_next() {
                Ok(Some(record)) if record.payload.starts_with(b"anew") => {
                    assert!(of_before.is_empty());
                    assert!(record.id.0 > last);
                }
                Ok(Some(record)) if record.id.0 > last => of_before.push(record.id.0),
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(Error::Truncated { end }) => {
                    assert!(end.0 <= last + 1);
                    break false;
                }
                Err(error) => panic!("{error}"),
            }
        };
        if read == 40 {
            assert_eq!(ended, goes_on, "outside: {read} {last} {again}");
        }
        assert_eq!(ended, of_before.is_empty() && (goes_on || read <= last + 1));
        if !ended {
            // It stays so, whatever is appended.
            log.commit(b"more", None).unwrap();
            assert!(matches!(outside.poll_next(), Err(Error::Truncated { .. })));
        }
    }
}

/// The segment that the truncation made anew is pruned before anybody looks again, so what is there says only that there was one.
#[test]
fn where_a_truncation_was_is_not_guessed_once_its_segment_is_pruned() {
    for (pruned_first, began) in [(false, 0), (true, 10)] {
        let (_temporary, dir) = temporary();
        let log = create(&dir, Options::default());
        fill(&log, 10);
        log.rotate().unwrap();
        fill(&log, 20);
        log.rotate().unwrap();
        fill(&log, 26);
        if pruned_first {
            log.prune_before(TxId(10)).unwrap();
        }
        let still = ReadOnlyLog::open(Arc::clone(&dir), ReadOnlyOptions::default(), &[]).unwrap();
        let mut reader = still.reader(TxId(began)).unwrap();
        let mut outside = beside(&dir, began, FollowOptions::default());
        for id in began..20 {
            assert_eq!(reader.next_record().unwrap().unwrap().id, TxId(id));
        }
        assert_eq!(drain(&mut outside), ids(began, 26));
        log.truncate_after(TxId(12)).unwrap();
        for id in 13..25 {
            log.commit(b"anew", None).unwrap();
            if [14, 19].contains(&id) {
                log.rotate().unwrap();
            }
        }
        log.prune_before(TxId(15)).unwrap();
        // Records 13 and 14, which both have yielded, were given up; nothing shows it, so nothing that they have counts as kept.
        for error in [
            reader.next_record().map(drop).unwrap_err(),
            outside.poll_next().map(drop).unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::Truncated { end } if end.0 == began),
                "{error}"
            );
        }
        let anew = ReadOnlyLog::open(dir, ReadOnlyOptions::default(), &[]).unwrap();
        let from_there = anew.reader(TxId(began)).map(drop);
        assert!(matches!(
            from_there,
            Err(Error::Pruned { oldest: TxId(15) })
        ));
    }
}

#[test]
fn another_history_than_the_one_that_was_read_is_refused() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 20);
    let with = |chain| FollowOptions {
        chain_before: Some(chain),
        ..FollowOptions::default()
    };
    let chain = log.chain_after(TxId(9)).unwrap();
    for (from, chain, refused) in [
        (10, chain, false),
        (11, chain, true),
        (10, Chain(chain.0 ^ 1), true),
        (20, log.chain_at_end(), false),
        (20, chain, true),
        (0, Chain::seed(LOG_ID), false),
    ] {
        let from = TxId(from);
        let other = ReadOnlyLog::open(Arc::clone(&dir), ReadOnlyOptions::default(), &[]).unwrap();
        for followed in [
            log.follow(from, with(chain)),
            other.follow(from, with(chain)),
        ] {
            match followed {
                Ok(_) => assert!(!refused),
                Err(Error::OtherHistory { at }) => assert!(refused && at == from),
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(matches!(
        log.follow(TxId(21), FollowOptions::default()),
        Err(Error::BeyondEnd { .. })
    ));
}

#[test]
fn what_a_crash_takes_back_ends_following_behind_what_was_proven_last() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let log = create(&dir, Options::default());
    fill(&log, 3);
    let mut outside = beside(&dir, 0, unproven());
    assert_eq!(drain(&mut outside), ids(0, 3));
    fill(&log, 6);
    log.append(&payload(6), None).unwrap();
    assert_eq!(drain(&mut outside), ids(3, 7));
    drop(log);
    // In the payload of record 6, which nothing proves.
    disk.flip_bit("00000000000000000000.log", 13064 + 40, 0);
    let (log, report) = Log::open(Arc::clone(&dir), Options::default(), &[]).unwrap();
    assert_eq!((report.end, report.torn.is_some()), (TxId(6), true));
    log.commit(b"another", None).unwrap();
    let told = outside.poll_next().map(|record| record.is_some());
    assert!(
        matches!(told, Err(Error::Truncated { end: TxId(6) })),
        "{told:?}"
    );
}

/// Who looks at a log while its newest mark is being written finds only the one before it, which proves less. Here the file can not be opened once, either, so all is
/// looked at again.
#[test]
fn a_mark_that_is_being_written_takes_nothing_back() {
    const FIRST: &str = "00000000000000000000.log";
    for block in [4096, 8192] {
        let disk = SimDisk::new(1);
        let log = create(&disk.root(), Options::default());
        fill(&log, 6);
        let (step, dir) = (Arc::new(AtomicU64::new(0)), disk.root());
        let next_step = Arc::clone(&step);
        let watch = Watch::new(move |_| {
            // Gone for the next call, and there again for the one behind it.
            let moved = match next_step.load(Ordering::SeqCst) {
                1 => dir.rename(FIRST, "aside"),
                2 => dir.rename("aside", FIRST),
                _ => return,
            };
            moved.unwrap();
            next_step.fetch_add(1, Ordering::SeqCst);
        });
        let mut outside = beside(
            &WatchedDir::around(disk.root(), &watch),
            0,
            FollowOptions::default(),
        );
        assert_eq!(drain(&mut outside), ids(0, 6));
        let file = disk.root().open(FIRST, Access::ReadWrite).unwrap();
        file.write_all_at(block, &[0; 512]).unwrap();
        step.store(1, Ordering::SeqCst);
        assert_eq!(drain(&mut outside), ids(0, 0), "{block}");
        assert_eq!(step.load(Ordering::SeqCst), 3);
        fill(&log, 7);
        assert_eq!(drain(&mut outside), ids(6, 7), "{block}");
    }
}

/// Does something once, right before a file is opened.
#[derive(Default)]
struct BeforeOpen(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl std::fmt::Debug for BeforeOpen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BeforeOpen")
    }
}

impl Hooks for BeforeOpen {
    fn before_open(&self) {
        let action = self.0.lock().unwrap().take();
        if let Some(action) = action {
            action();
        }
    }
}

/// Between looking a segment up and opening it, a truncation removes its file.
#[test]
fn whose_segment_is_truncated_away_while_it_is_opened_is_told_so() {
    // Where the reader stands, what is truncated after, and the end that it is told; `None`: it goes on.
    let rows = [(11, 5, Some(6)), (15, 10, Some(11)), (11, 10, None)];
    for (from, after, told) in rows {
        for who in ["reader", "follower", "ship", "chain"] {
            let disk = SimDisk::new(1);
            let hook = Arc::<BeforeOpen>::default();
            let root = HookedDir::around(disk.root(), Arc::clone(&hook) as Arc<dyn Hooks>);
            // From 0, 11 and 21 on.
            let log = Log::create(root, LOG_ID, Options::default(), &[(b"genesis", None)]).unwrap();
            for end in [11, 21, 31] {
                fill(&log, end);
                log.rotate().unwrap();
            }
            let log = Arc::new(log);
            let mut reader = log.reader(TxId(from)).unwrap();
            let mut follower = log.follow(TxId(from), FollowOptions::default()).unwrap();
            let truncating = Arc::clone(&log);
            *hook.0.lock().unwrap() = Some(Box::new(move || {
                truncating.truncate_after(TxId(after)).unwrap();
            }));
            let said = match who {
                "reader" => reader.next_record().map(|record| record.is_some()),
                "follower" => follower.poll_next().map(|record| record.is_some()),
                "ship" => log.ship(TxId(from)..TxId(from + 1), 1000).map(|_| true),
                _ => log.chain_after(TxId(from - 1)).map(|_| false),
            };
            match (said, told) {
                (Err(Error::Truncated { end }), Some(told)) => assert_eq!(end, TxId(told)),
                // The record that was asked for is the next one now.
                (Err(Error::BeyondEnd { .. }), None) if who == "ship" => {}
                (Ok(false), None) => {}
                (said, _) => panic!("{who} at {from}, truncated after {after}: {said:?}"),
            }
        }
    }
}
