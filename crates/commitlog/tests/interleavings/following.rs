//! Followers beside who appends, starts segments, compresses, prunes, truncates, closes, drops and fails.

use std::sync::Arc;

use commitlog::{Error, FollowOptions, Follower, Handoff, Options, Record, TxId};
use disk::{Fault, SimDisk};
use shuttle::thread;

use crate::scene::{
    Scene, contents, explore, holds, is_durable, join, payload, read, scene, spawn_each,
};

/// Room for one record.
fn short_segments() -> Options {
    Options {
        segment_bytes_max: 12288 + 60,
        ..Options::default()
    }
}

fn showing(show_unproven: bool) -> FollowOptions {
    FollowOptions {
        show_unproven,
        ..FollowOptions::default()
    }
}

/// What a follower sees until it is told that there is no more, and what it is told. Each record is the next one, and `check` has nothing
/// against it.
fn follow(mut follower: Follower, check: impl Fn(&Record<'_>)) -> (Vec<Vec<u8>>, Error) {
    let mut seen = Vec::new();
    let first = follower.next_id().0;
    loop {
        match follower.next_record(None) {
            Ok(record) => {
                let record = record.unwrap();
                assert_eq!(record.id.0, first + seen.len() as u64);
                check(&record);
                seen.push(record.payload.to_vec());
            }
            // It was one of its own calls that failed.
            Err(Error::Io(_)) => {}
            Err(error) => return (seen, error),
        }
    }
}

/// The record is with the operating system, or durable if it says so.
fn not_too_early(disk: &SimDisk) -> impl Fn(&Record<'_>) + Send + use<> {
    let disk = disk.clone();
    move |record| assert!(holds(&disk, record.payload, record.proven), "too early")
}

#[test]
fn a_follower_sees_each_record_once_and_in_order_until_the_log_is_closed() {
    for show_unproven in [false, true] {
        explore(move || {
            let Scene { disk, log, .. } = scene(short_segments());
            let follower = log.follow(TxId(1), showing(show_unproven)).unwrap();
            let check = not_too_early(&disk);
            let follower = thread::spawn(move || follow(follower, check));
            let mut waiting = log.follow(TxId(1), showing(show_unproven)).unwrap();
            let waiter = thread::spawn(move || {
                for id in 1..5 {
                    let record = waiting.next_record(None).unwrap().unwrap();
                    assert_eq!(record.id, TxId(id));
                }
            });
            join(spawn_each(2, {
                let log = Arc::clone(&log);
                move |thread| {
                    log.append(&payload(thread, 0), None).unwrap();
                    log.commit(&payload(thread, 1), None).unwrap();
                }
            }));
            // Nothing more happens that would wake it.
            waiter.join().unwrap();
            log.close().unwrap();
            let (seen, ended) = follower.join().unwrap();
            assert!(matches!(ended, Error::Closed), "{ended}");
            assert_eq!(seen.len(), 4);
            assert_eq!(seen, contents(&disk));
        });
    }
}

#[test]
fn a_follower_of_a_log_that_is_dropped_sees_what_was_queued_if_it_shows_that() {
    explore(|| {
        let Scene { disk, log, .. } = scene(Options::default());
        let followers = [false, true].map(|show_unproven| {
            let follower = log.follow(TxId(1), showing(show_unproven)).unwrap();
            let check = not_too_early(&disk);
            thread::spawn(move || follow(follower, check))
        });
        join(spawn_each(2, move |thread| {
            log.commit(&payload(thread, 0), None).unwrap();
            log.append_with(&payload(thread, 1), None, Handoff::Queued)
                .unwrap();
            let _one_of_them_is_the_last = &log;
        }));
        let seen = followers.map(|follower| {
            let (seen, ended) = follower.join().unwrap();
            assert!(matches!(ended, Error::Closed), "{ended}");
            seen
        });
        let written = contents(&disk);
        assert_eq!(written.len(), 4);
        assert_eq!(seen[1], written);
        assert_eq!(seen[0], written[..seen[0].len()]);
        // What was committed is durable, and so shown.
        for thread in 0..2 {
            assert!(seen[0].contains(&payload(thread, 0)));
        }
    });
}

#[test]
fn a_follower_passes_from_file_to_file_while_they_are_compressed_and_pruned() {
    explore(|| {
        let Scene { disk, log, .. } = scene(short_segments());
        for number in 0..3 {
            log.commit(&payload(0, number), None).unwrap();
        }
        let following = Arc::clone(&log);
        let check = not_too_early(&disk);
        let follower = thread::spawn(move || {
            // Each time the records that it wants are gone it begins anew, with the oldest that are left.
            let (mut from, mut seen) = (TxId(1), Vec::new());
            loop {
                let ended = match following.follow(from, FollowOptions::default()) {
                    Ok(follower) => {
                        let (more, ended) = follow(follower, &check);
                        seen.extend((from.0..).zip(more));
                        ended
                    }
                    Err(error) => error,
                };
                match ended {
                    Error::Pruned { oldest } => {
                        let next = seen.last().map_or(1, |(id, _)| id + 1);
                        assert!(oldest.0 > next, "{oldest} is not behind {next}");
                        from = oldest;
                    }
                    Error::Closed => return seen,
                    error => panic!("{error}"),
                }
            }
        });
        let compressing = Arc::clone(&log);
        let compressor = thread::spawn(
            move || {
                while compressing.compress_sealed().unwrap().is_some() {}
            },
        );
        let pruning = Arc::clone(&log);
        let pruner = thread::spawn(move || {
            for keep in 2..4 {
                pruning.prune_before(TxId(keep)).unwrap();
            }
        });
        log.commit(&payload(0, 3), None).unwrap();
        compressor.join().unwrap();
        pruner.join().unwrap();
        let base = log.base();
        assert_eq!(base, TxId(3));
        let kept = read(&log, base..log.next_id());
        assert_eq!(kept, [payload(0, 2), payload(0, 3)]);
        log.close().unwrap();
        let seen = follower.join().unwrap();
        // It may have missed what was pruned, and nothing else.
        for (id, found) in &seen {
            assert_eq!(*found, payload(0, u8::try_from(*id).unwrap() - 1));
        }
        let ids: Vec<u64> = seen.iter().map(|(id, _)| *id).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        assert!(ids.ends_with(&[3, 4]), "{ids:?}");
    });
}

#[test]
fn a_follower_shows_one_history_when_the_log_is_truncated() {
    explore(|| {
        let Scene { disk, log, .. } = scene(short_segments());
        for number in 0..3 {
            log.commit(&payload(0, number), None).unwrap();
        }
        let follower = log.follow(TxId(1), FollowOptions::default()).unwrap();
        let follower = thread::spawn(move || follow(follower, |record| assert!(record.proven)));
        let truncating = Arc::clone(&log);
        let truncator = thread::spawn(move || {
            let truncated = truncating.truncate_after(TxId(1)).unwrap();
            assert_eq!((truncated.end, truncated.records_removed), (TxId(2), 2));
            for number in 0..3 {
                truncating.commit(&payload(1, number), None).unwrap();
            }
        });
        truncator.join().unwrap();
        let new = [payload(0, 0), payload(1, 0), payload(1, 1), payload(1, 2)];
        assert_eq!(contents(&disk), new);
        log.close().unwrap();
        let (seen, ended) = follower.join().unwrap();
        let old: Vec<_> = (0..3).map(|number| payload(0, number)).collect();
        match ended {
            Error::Closed => assert_eq!(seen, new),
            Error::Truncated { end } => {
                assert_eq!(end, TxId(2));
                assert!(seen.len() > 1, "nothing that it saw was given up");
                assert_eq!(seen, old[..seen.len()]);
            }
            error => panic!("{error}"),
        }
    });
}

#[test]
fn a_follower_sees_all_that_is_durable_before_it_learns_of_a_failure() {
    use shuttle::rand::Rng;
    explore(|| {
        let Scene { disk, log, .. } = scene(Options::default());
        // Space is reserved now: what fails from here on is a write that counts, or a sync.
        log.commit(b"first", None).unwrap();
        let failing = shuttle::rand::thread_rng().gen_range(0..8);
        disk.fail_at(disk.call_count() + failing, Fault::Eio);
        let follower = log.follow(TxId(1), FollowOptions::default()).unwrap();
        let check = not_too_early(&disk);
        let follower = thread::spawn(move || follow(follower, check));
        let committers: Vec<_> = (0..2)
            .map(|number| {
                let log = Arc::clone(&log);
                thread::spawn(move || {
                    let payload = payload(number, 0);
                    log.commit(&payload, None).is_ok().then_some(payload)
                })
            })
            .collect();
        let committed: Vec<_> = committers
            .into_iter()
            .filter_map(|committer| committer.join().unwrap())
            .collect();
        disk.clear_faults();
        // Ends it for the follower, if it has not failed.
        let _ = log.close();
        let (seen, ended) = follower.join().unwrap();
        let ended_so = matches!(ended, Error::Poisoned | Error::Closed);
        assert!(ended_so, "{ended}");
        assert_eq!(seen[0], b"first");
        for payload in committed {
            assert!(seen.contains(&payload), "it was acknowledged");
            assert!(is_durable(&disk, &payload));
        }
    });
}
