//! Giving up the end of a log: what stays, what readers are told, and a crash or a failure at every call.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use std::sync::Arc;

use commitlog::{
    DamageKind, Error, Log, Options, Proof, ReadOnlyLog, ReadOnlyOptions, SyncPolicy, TxId,
};
use disk::{Choice, Crash, Fault, Operation, SimDisk};
use logs::{LOG_ID, expected, fill, payload, read_all, small};

const END: u64 = 20;

/// A log of several segments with the records 0 to 19, all durable.
fn log_on(disk: &SimDisk, options: Options) -> Log {
    let log = Log::create(disk.root(), LOG_ID, options, &[(b"genesis", Some(7))]).unwrap();
    fill(&log, END);
    log
}

fn reopened(disk: &SimDisk) -> Log {
    let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
    assert_eq!(report.torn, None);
    log
}

#[test]
fn every_place_can_be_truncated_after() {
    for segments in [small(), Options::default()] {
        for last in 0..END {
            let disk = SimDisk::new(last);
            let log = log_on(&disk, segments.clone());
            let chain = log.chain_after(TxId(last)).unwrap();
            let count = disk.files().len();
            let truncated = log.truncate_after(TxId(last)).unwrap();
            assert_eq!(truncated.end, TxId(last + 1));
            assert_eq!(truncated.records_removed, END - last - 1);
            assert_eq!(disk.files().len(), count - truncated.segments_removed);
            assert_eq!(read_all(&log), expected(0, last + 1));
            assert_eq!(
                (log.next_id(), log.durable_end()),
                (TxId(last + 1), TxId(last + 1))
            );
            assert_eq!(log.chain_at_end(), chain);
            // The same is on the medium, and the log goes on there and here.
            assert_eq!(
                read_all(&reopened(&disk.power_cuts(1, 1)[0])),
                expected(0, last + 1)
            );
            fill(&log, END + 5);
            assert_eq!(read_all(&log), expected(0, END + 5));
            drop(log);
            let log = reopened(&disk);
            assert_eq!(read_all(&log), expected(0, END + 5));
            log.close().unwrap();
        }
    }
}

#[test]
fn a_place_outside_of_the_log_is_refused() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    let before = disk.digest();
    assert!(matches!(
        log.truncate_after(TxId(END)),
        Err(Error::BeyondEnd { end: TxId(END), .. })
    ));
    assert_eq!(
        log.truncate_after(TxId(END - 1)).unwrap().records_removed,
        0
    );
    assert_eq!(disk.digest(), before);
    let base = log.prune_before(TxId(10)).unwrap().base;
    assert!(matches!(
        log.truncate_after(TxId(base.0 - 2)),
        Err(Error::Pruned { oldest }) if oldest == base
    ));
    // No record is left, but the place in the history.
    log.truncate_after(TxId(base.0 - 1)).unwrap();
    assert_eq!((log.base(), log.next_id()), (base, base));
    drop(log);
    let log = reopened(&disk);
    fill(&log, END);
    assert_eq!(read_all(&log), expected(base.0, END));
    log.close().unwrap();
    assert!(matches!(log.truncate_after(base), Err(Error::Closed)));
}

#[test]
fn truncating_again_and_again_keeps_epochs_apart() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    for (turn, last) in [15, 3, 17, 0, 8].into_iter().enumerate() {
        fill(&log, END);
        log.truncate_after(TxId(last)).unwrap();
        let extent = Log::inspect(disk.root().as_ref()).unwrap();
        assert_eq!(extent.epoch as usize, turn + 1);
        assert_eq!(read_all(&reopened(&disk.fork())), expected(0, last + 1));
    }
}

#[test]
fn a_reader_behind_the_place_is_told_and_others_go_on() {
    for options in [small(), Options::default()] {
        let disk = SimDisk::new(1);
        let log = log_on(&disk, options);
        let mut rows = Vec::new();
        for place in 0..=END {
            let mut reader = log.reader(TxId(place.saturating_sub(2))).unwrap();
            for _ in 0..place.min(2) {
                reader.next_record().unwrap().unwrap();
            }
            rows.push((place, reader, log.reader(TxId(place)).unwrap()));
        }
        log.truncate_after(TxId(7)).unwrap();
        log.truncate_after(TxId(5)).unwrap();
        fill(&log, 12);
        log.truncate_after(TxId(10)).unwrap();
        fill(&log, END + 3);
        for (place, begun, fresh) in rows {
            for mut reader in [begun, fresh] {
                for _ in 0..2 {
                    if place > 6 {
                        let told = reader.next_record();
                        assert!(
                            matches!(told, Err(Error::Truncated { end: TxId(6) })),
                            "{place}"
                        );
                        assert!(reader.chain_here().is_err());
                    } else {
                        assert_eq!(reader.next_id().0, place.max(reader.next_id().0));
                        while reader.next_record().unwrap().is_some() {}
                        assert_eq!(reader.chain_here().unwrap(), log.chain_at_end());
                    }
                }
            }
        }
    }
}

#[test]
fn whoever_reads_the_files_only_is_told_too() {
    for last in [3, 9, 14] {
        let disk = SimDisk::new(1);
        let log = log_on(&disk, small());
        let mut read_only =
            ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
        let mut reader = read_only.reader(TxId(0)).unwrap();
        log.truncate_after(TxId(last)).unwrap();
        let other = |id: u64| vec![0xEE; 30 + usize::try_from(id).unwrap()];
        for id in log.next_id().0..END + 4 {
            log.commit(&other(id), None).unwrap();
        }
        let mut read = 0;
        let error = loop {
            match reader.next_record() {
                Ok(Some(record)) => {
                    assert_eq!(
                        (record.id.0, record.payload),
                        (read, &expected(read, read + 1)[0].1[..])
                    );
                    read += 1;
                }
                Ok(None) => panic!("nobody was told"),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, Error::Truncated { end } if end.0 <= last + 1),
            "{error}"
        );
        read_only.refresh(&[]).unwrap();
        assert_eq!(read_only.verify().unwrap(), END + 4);
        assert_eq!(read_only.chain_at_end(), log.chain_at_end());
    }
}

/// The reader's log can not tell any more: the directory does.
#[test]
fn a_reader_that_outlives_its_log_is_told_what_the_next_one_gave_up() {
    // What the next log does, and of the records from 0 on how many are read at least.
    type Step = fn(&Log);
    let rows: [(&str, Step, u64); 4] = [
        ("nothing", |_| (), END),
        (
            "truncate",
            |log| assert_eq!(log.truncate_after(TxId(8)).unwrap().end, TxId(9)),
            1,
        ),
        (
            "truncate, and write the same again",
            |log| {
                log.truncate_after(TxId(8)).unwrap();
                fill(log, END + 3);
            },
            1,
        ),
        (
            "prune",
            |log| assert!(log.prune_before(TxId(12)).unwrap().base > TxId(8)),
            1,
        ),
    ];
    for closes in [false, true] {
        for (name, step, least) in rows {
            for read in 0..END {
                let disk = SimDisk::new(1);
                let log = log_on(&disk, small());
                let mut reader = log.reader(TxId(0)).unwrap();
                for id in 0..read {
                    assert_eq!(reader.next_record().unwrap().unwrap().id, TxId(id));
                }
                if closes {
                    log.close().unwrap();
                }
                drop(log);
                let log = reopened(&disk);
                step(&log);
                let case = format!("{name}, after {read}, closed: {closes}");
                let ended = loop {
                    match reader.next_owned() {
                        Ok(Some(record)) => assert_eq!(
                            record.payload,
                            expected(0, END)[usize::try_from(record.id.0).unwrap()].1
                        ),
                        ended => break ended,
                    }
                };
                let next = reader.next_id();
                assert!(next.0 >= least.min(read), "{case}");
                match ended {
                    Ok(_) => assert_eq!(next, TxId(END), "{case}"),
                    Err(Error::Truncated { end }) => {
                        assert!(name.starts_with("truncate") && end <= TxId(9), "{case}")
                    }
                    Err(Error::Pruned { oldest }) => {
                        assert!(name == "prune" && oldest == log.base(), "{case}")
                    }
                    Err(error) => panic!("{case}: {error}"),
                }
            }
        }
    }
}

#[test]
fn damage_before_the_place_refuses_and_changes_nothing() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, Options::default());
    let name = "00000000000000000000.log";
    disk.flip_bit(name, 12288 + 40 + 32 + 5, 1);
    let before = disk.read(name);
    let error = log.truncate_after(TxId(5)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Damaged {
                byte_offset: 12328,
                kind: DamageKind::Record { .. },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!((disk.read(name), disk.files().len()), (before, 1));
    log.commit(b"goes on", None).unwrap();
    // What is damaged may go.
    log.truncate_after(TxId(0)).unwrap();
    assert_eq!(read_all(&log), expected(0, 1));
}

#[test]
fn a_snapshot_behind_the_place_shows_as_a_log_that_lost_its_end() {
    let disk = SimDisk::new(1);
    let log = log_on(&disk, small());
    let proof = |log: &Log, through| Proof {
        through,
        chain: log.chain_after(through).unwrap(),
    };
    let proofs = [proof(&log, TxId(4)), proof(&log, TxId(9))];
    log.truncate_after(TxId(6)).unwrap();
    drop(log);
    let error = Log::open(disk.root(), small(), &proofs).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Damaged {
                kind: DamageKind::BehindProof { .. },
                ..
            }
        ),
        "{error}"
    );
    Log::open(disk.root(), small(), &proofs[..1]).unwrap();
}

/// Kill and power cut before and after every call; then the recovery of each is crashed at every call too.
#[test]
fn a_crash_at_every_call_leaves_the_old_log_or_the_truncated_one() {
    for (options, last) in [
        (small(), 0),
        (small(), 9),
        (small(), 12),
        (Options::default(), 9),
    ] {
        for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
            let disk = SimDisk::new(last);
            let options = Options {
                sync_policy: policy,
                ..options.clone()
            };
            let log = log_on(&disk, options);
            log.sync().unwrap();
            let first = disk.call_count();
            disk.record();
            log.truncate_after(TxId(last)).unwrap();
            let end = disk.call_count();
            for number in first..=end {
                let state = disk.state_before(number);
                let mut ends = state.power_cuts(6, number);
                ends.push(state);
                for crashed in ends {
                    let ends = crash_recovery(&crashed);
                    let allowed = [END, last + 1];
                    assert!(ends.iter().all(|end| allowed.contains(end)), "{ends:?}");
                    if number == end {
                        assert!(ends.iter().all(|end| *end == last + 1), "{ends:?}");
                    }
                }
            }
        }
    }
}

/// Where the log ends after a recovery, and after one that was itself cut off at any call, which must all be the same or the truncated one.
fn crash_recovery(crashed: &SimDisk) -> Vec<u64> {
    let disk = crashed.fork();
    let first = disk.call_count();
    disk.record();
    let opened = reopened(&disk);
    let end = disk.call_count();
    drop(opened);
    let mut ends = vec![content(&disk)];
    for number in first..end {
        let state = disk.state_before(number);
        ends.push(content(&state.fork()));
        for cut in state.power_cuts(5, number) {
            ends.push(content(&cut));
        }
    }
    ends
}

/// Opens the log, reads all, goes on for a record, and yields where it had ended.
fn content(disk: &SimDisk) -> u64 {
    let log = reopened(disk);
    let end = log.next_id().0;
    assert_eq!(read_all(&log), expected(0, end));
    fill(&log, end + 1);
    log.close().unwrap();
    end
}

/// After a failure the log goes on as it was or is poisoned; another process that opens it meanwhile, and then a power cut, find the old log or the truncated one.
#[test]
fn a_failure_of_every_call_loses_nothing() {
    for last in [0, 9, 12] {
        let calls = {
            let disk = SimDisk::new(1);
            let log = log_on(&disk, small());
            let first = disk.call_count();
            log.truncate_after(TxId(last)).unwrap();
            first..disk.call_count()
        };
        for number in calls {
            // What a failed sync has put on the medium all the same differs from one disk to the next.
            let rows = (0..6).map(|seed| (seed, Fault::Eio));
            let others = [Fault::Enospc, Fault::Short, Fault::Interrupted];
            for (seed, fault) in rows.chain(others.map(|fault| (1, fault))) {
                let disk = SimDisk::new(seed);
                let log = log_on(&disk, small());
                disk.fail_at(number, fault);
                let truncated = log.truncate_after(TxId(last));
                disk.clear_faults();
                let row = format!("{fault:?} at {number} of {last}: {truncated:?}");
                match (&truncated, fault) {
                    (Ok(_), _) => fill(&log, last + 3),
                    (Err(_), Fault::Short | Fault::Interrupted) => panic!("{row}"),
                    (Err(Error::Full(_)), _) => fill(&log, END + 2),
                    (Err(_), _) if log.append(b"", None).is_ok() => {
                        // It was refused before it had begun.
                        log.truncate_after(TxId(END - 1)).unwrap();
                        fill(&log, END + 2);
                    }
                    (Err(_), _) => {
                        assert!(
                            matches!(log.append(b"", None), Err(Error::Poisoned)),
                            "{row}"
                        );
                    }
                }
                drop(log);
                let allowed = match truncated {
                    Ok(_) => vec![last + 3],
                    Err(_) => vec![END, END + 2, last + 1],
                };
                if fault == Fault::Eio {
                    // What failed may show and not be on the medium, while another process recovers and is cut off in turn.
                    let ends = crash_recovery(&disk);
                    assert!(
                        ends.iter().all(|end| allowed.contains(end)),
                        "{row}: {ends:?}"
                    );
                }
                let (log, _) = Log::open(disk.root(), small(), &[]).unwrap();
                let end = log.next_id().0;
                assert!(allowed.contains(&end), "{row}: {end}");
                assert_eq!(read_all(&log), expected(0, end), "{row}");
                for cut in disk.power_cuts(4, number) {
                    assert_eq!(content(&cut), end, "{row}");
                }
                disk.crash(Crash::Kill);
                assert_eq!(content(&disk), end, "{row}");
            }
        }
    }
}

/// The removal of what was given up was never synced, and then the segment that says so was pruned: what comes back is no part of the log.
#[test]
fn a_leftover_that_comes_back_behind_a_prune_is_removed() {
    let mut came_back = 0;
    for seed in 0..20 {
        let last_call = {
            let disk = SimDisk::new(seed);
            let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", Some(7))]).unwrap();
            fill(&log, 2);
            log.rotate().unwrap();
            log.truncate_after(TxId(0)).unwrap();
            disk.call_count() - 1
        };
        let disk = SimDisk::new(seed);
        let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", Some(7))]).unwrap();
        fill(&log, 2);
        log.rotate().unwrap();
        let given_up = "00000000000000000002.log";
        assert!(disk.files().iter().any(|name| name == given_up));
        disk.fail_at(last_call, Fault::Eio);
        log.truncate_after(TxId(0)).unwrap_err();
        drop(log);
        let log = reopened(&disk);
        assert_eq!(log.next_id(), TxId(1));
        for id in 1..4 {
            log.commit(&payload(id), Some(1)).unwrap();
        }
        log.rotate().unwrap();
        log.prune_before(TxId(4)).unwrap();
        for cut in disk.power_cuts(8, seed) {
            came_back += u32::from(cut.files().iter().any(|name| name == given_up));
            let (log, report) = Log::open(cut.root(), small(), &[]).unwrap();
            assert_eq!((report.base, report.end), (TxId(4), TxId(4)), "seed {seed}");
            assert!(cut.files().iter().all(|name| name != given_up));
            fill(&log, 6);
            assert_eq!(read_all(&log), expected(4, 6));
        }
    }
    assert!(came_back > 0);
}

#[test]
fn a_wait_for_a_record_that_was_given_up_ends() {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", Some(7))]).unwrap();
    log.append(b"one", None).unwrap();
    let id = log.append(b"two", None).unwrap();
    log.truncate_after(TxId(1)).unwrap();
    assert!(matches!(
        log.wait_durable(id),
        Err(Error::BeyondEnd { end: TxId(2), .. })
    ));
    assert!(log.wait_durable(TxId(1)).is_ok());
    let log = Arc::new(log);
    assert_eq!(log.durable_end(), TxId(2));
}

/// Under the policy that never syncs, nothing is given up and nothing removed: what is promised of the rest holds all the same.
#[test]
fn what_is_kept_is_durable_even_if_nothing_is_given_up() {
    let options = Options {
        sync_policy: SyncPolicy::Never,
        ..Options::default()
    };
    let create = || {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, options.clone(), &[(b"genesis", None)]).unwrap();
        log.commit(b"one", None).unwrap();
        log.rotate().unwrap();
        (disk, log)
    };
    // The floor is raised, and the file can not be removed yet.
    let prune_half = || {
        let mut tried = (0..).map(|ahead| {
            let (disk, log) = create();
            disk.fail_at(disk.call_count() + ahead, Fault::Eio);
            log.prune_before(TxId(2)).unwrap_err();
            disk.clear_faults();
            (disk, log)
        });
        let failed = |disk: &SimDisk| disk.calls().last().unwrap().operation;
        tried
            .find(|(disk, _)| failed(disk) == Operation::Remove)
            .unwrap()
    };
    type Step = fn(&Log) -> commitlog::Result<()>;
    let rows: [(&str, (SimDisk, Log), Step); 4] = [
        ("truncate", create(), |log| {
            log.truncate_after(TxId(6)).map(drop)
        }),
        ("prune", create(), |log| log.prune_before(TxId(0)).map(drop)),
        ("prune to bytes", create(), |log| {
            log.prune_to_bytes(u64::MAX, TxId(0)).map(drop)
        }),
        ("prune what is left", prune_half(), |log| {
            log.prune_before(TxId(2)).map(drop)
        }),
    ];
    for (name, (disk, log), step) in rows {
        for number in 2..7 {
            assert_eq!(log.append(b"more", None).unwrap(), TxId(number));
        }
        step(&log).unwrap();
        assert_eq!(log.durable_end(), TxId(7), "{name}");
        for cut in disk.power_cuts(16, 1) {
            let (_, report) = Log::open(cut.root(), options.clone(), &[]).unwrap();
            assert_eq!(report.end, TxId(7), "{name}");
        }
    }
}

/// The file that takes over the name proves what it holds, and a power cut may give the name back to the old one.
#[test]
fn what_is_called_proven_in_the_middle_of_a_truncation_survives_a_power_cut() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let disk = SimDisk::new(1);
        let options = Options {
            sync_policy: policy,
            ..Options::default()
        };
        let log = Log::create(disk.root(), LOG_ID, options, &[(b"genesis", Some(7))]).unwrap();
        for id in 1..4 {
            log.append(&payload(id), None).unwrap();
        }
        let first = disk.call_count();
        disk.record();
        log.truncate_after(TxId(2)).unwrap();
        for number in first..=disk.call_count() {
            let state = disk.state_before(number);
            let options = ReadOnlyOptions::default();
            let proven = ReadOnlyLog::open(state.root(), options, &[])
                .unwrap()
                .proven_end();
            state.crash(Crash::Power(Choice::Old));
            let records = read_all(&reopened(&state));
            assert!(records.starts_with(&expected(0, proven.0)), "{number}");
        }
    }
}
