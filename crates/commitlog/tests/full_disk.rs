//! A full disk refuses, with nothing written, whatever it meets, and the log goes on when space returns; what may not be durable is not shown.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use commitlog::{Error, Log, Options, ReadOnlyLog, ReadOnlyOptions, SyncPolicy, TxId};
use disk::{Choice, Crash, Fault, Moment, Operation, SimDisk};
use logs::{LOG_ID, expected, fill, payload, read_all, small};

#[test]
fn a_full_disk_refuses_with_nothing_written_and_goes_on_when_space_returns() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        for segment_bytes_max in [12288 + 4000, 1 << 20] {
            let disk = disk::SimDisk::new(1);
            let options = Options {
                sync_policy: policy,
                segment_bytes_max,
                ..Options::default()
            };
            let log =
                Log::create(disk.root(), LOG_ID, options.clone(), &[(b"genesis", None)]).unwrap();
            let mut written = 1;
            for capacity in [20_000, 50_000, 90_000] {
                disk.set_capacity(Some(capacity));
                let error = loop {
                    match log.commit(&payload(written), None) {
                        Ok(id) => assert_eq!(id.0, written),
                        Err(error) => break error,
                    }
                    written += 1;
                };
                assert!(matches!(error, Error::Full(_)), "{error}");
                assert_eq!(log.next_id(), TxId(written));
                // Refused again and again, and still readable, here and by others.
                assert!(matches!(log.append(&[1; 3000], None), Err(Error::Full(_))));
                assert_eq!(log.verify().unwrap(), written);
                log.sync().unwrap();
                let others =
                    ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
                assert_eq!(others.verify().unwrap(), written);
                let (again, report) = Log::open(disk.fork().root(), options.clone(), &[]).unwrap();
                assert_eq!((report.end, report.torn), (TxId(written), None));
                again.close().unwrap();
            }
            disk.set_capacity(None);
            assert_eq!(log.commit(&payload(written), None).unwrap(), TxId(written));
            assert_eq!(log.verify().unwrap(), written + 1);
            log.close().unwrap();
        }
    }
}

/// Also by a log that was closed before, and in which nothing else has happened.
#[test]
fn what_was_reserved_for_a_refused_append_is_given_back_at_once() {
    for sync_policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let disk = SimDisk::new(1);
        let options = Options {
            sync_policy,
            ..Options::default()
        };
        let create = Log::create(disk.root(), LOG_ID, options.clone(), &[(b"genesis", None)]);
        create.unwrap().close().unwrap();
        let used = disk.used_bytes();
        let (log, report) = Log::open(disk.root(), options.clone(), &[]).unwrap();
        assert!(report.was_closed);
        disk.set_capacity(Some(used + 150_000));
        let refused = log.append(&[7; 300_000], None);
        assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
        assert_eq!(disk.used_bytes(), used, "{sync_policy:?}");
        log.close().unwrap();
        drop(log);
        assert_eq!(disk.used_bytes(), used, "{sync_policy:?}");
        let (_, report) = Log::open(disk.root(), options, &[]).unwrap();
        assert!(report.was_closed, "{sync_policy:?}");
    }
}

#[test]
fn a_log_that_finds_no_space_is_not_created_and_leaves_nothing() {
    let disk = SimDisk::new(1);
    let first = [(&[7; 5000][..], None)];
    let create = || Log::create(disk.root(), LOG_ID, Options::default(), &first);
    for capacity in [0, 100, 12288, 12288 + 4096] {
        disk.set_capacity(Some(capacity));
        assert!(matches!(create(), Err(Error::Full(_))), "{capacity}");
        assert_eq!(disk.files(), [""; 0], "{capacity}");
    }
    disk.set_capacity(None);
    assert_eq!(create().unwrap().next_id(), TxId(1));
}

#[test]
fn a_torn_tail_on_a_full_disk_waits_until_there_is_space() {
    for records in [1, 2] {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
        log.rotate().unwrap();
        fill(&log, records);
        log.append(&payload(records), None).unwrap();
        drop(log);
        let newest = disk.files().pop().unwrap();
        // The second record of that segment begins behind the first, which has 37 bytes.
        let torn_at = 12288 + if records == 1 { 0 } else { 32 + 40 };
        disk.flip_bit(&newest, torn_at, 3);
        let used = disk.used_bytes();
        disk.set_capacity(Some(used));
        let before = disk.read(&newest).unwrap().len();
        for _ in 0..2 {
            let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
            assert_eq!(report.end, TxId(records));
            assert!(report.torn.is_some());
            assert_eq!(read_all(&log), expected(0, records));
            assert!(matches!(log.append(b"x", None), Err(Error::Full(_))));
            assert!(matches!(log.rotate(), Err(Error::Full(_))));
            // Closing leaves that to the next open.
            log.close().unwrap();
            assert!(!Log::inspect(disk.root().as_ref()).unwrap().closed);
            assert_eq!(disk.read(&newest).unwrap().len(), before);
        }
        let (log, _) = Log::open(disk.root(), small(), &[]).unwrap();
        disk.set_capacity(None);
        fill(&log, records + 3);
        assert_eq!(read_all(&log), expected(0, records + 3));
        drop(log);
        let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
        assert_eq!((report.end, report.torn), (TxId(records + 3), None));
        assert_eq!(read_all(&log), expected(0, records + 3));
    }
}

/// Nobody has synced, and there is no space to make anything anew: that the newest segment has its name is known from its marks.
#[test]
fn what_an_open_on_a_full_disk_shows_is_proved_by_a_mark() {
    for records in [0, 1, 2] {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
        log.rotate().unwrap();
        for number in 1..=records {
            log.append(&payload(number), None).unwrap();
        }
        let newest = disk.files().pop().unwrap();
        drop(log);
        let used = disk.used_bytes();
        disk.set_capacity(Some(used));
        for _ in 0..2 {
            let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
            assert_eq!((report.end, report.torn), (TxId(records + 1), None));
            assert_eq!(log.durable_end(), TxId(records + 1));
            assert!(matches!(log.append(&[1; 1400], None), Err(Error::Full(_))));
            drop(log);
            let read = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
            assert_eq!(read.next_id(), TxId(records + 1));
        }
        if records > 0 {
            let harmed = disk.fork();
            harmed.flip_bit(&newest, 12288, 3);
            let opened = Log::open(harmed.root(), small(), &[]);
            assert!(matches!(opened, Err(Error::Damaged { .. })));
        }
        disk.set_capacity(None);
        let (log, _) = Log::open(disk.root(), small(), &[]).unwrap();
        log.commit(&payload(records + 1), None).unwrap();
        drop(log);
        let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
        assert_eq!((report.end, report.torn), (TxId(records + 2), None));
        assert_eq!(read_all(&log), expected(0, records + 2));
    }
}

/// Whatever gave the newest segment its name, a kill right behind it leaves a log that opens without space to make it anew.
#[test]
fn after_a_kill_no_name_has_to_be_proved_again() {
    let torn_in_an_empty_segment = |disk: &SimDisk, log: Log| {
        log.rotate().unwrap();
        let next = log.next_id().0;
        log.append(&payload(next), None).unwrap();
        drop(log);
        disk.flip_bit(disk.files().pop().unwrap(), 12288 + 40, 3);
        let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
        assert!(report.torn.is_some());
        log
    };
    type Step<'a> = (&'a str, &'a dyn Fn(&SimDisk, Log) -> Log);
    let rows: [Step<'_>; 7] = [
        ("created", &|_, log| log),
        ("rotated", &|_, log| {
            log.rotate().unwrap();
            log
        }),
        ("truncated", &|_, log| {
            log.truncate_after(TxId(2)).unwrap();
            log
        }),
        ("truncated to an empty segment", &|_, log| {
            log.rotate().unwrap();
            let end = log.next_id();
            log.commit(b"given up", None).unwrap();
            log.truncate_after(end.previous().unwrap()).unwrap();
            log
        }),
        ("torn in an empty segment", &torn_in_an_empty_segment),
        ("rotated, and recovered after a power cut", &|disk, log| {
            log.rotate().unwrap();
            drop(log);
            disk.crash(Crash::Power(Choice::Old));
            Log::open(disk.root(), small(), &[]).unwrap().0
        }),
        ("pruned, and that", &|disk, log| {
            log.prune_before(TxId(3)).unwrap();
            torn_in_an_empty_segment(disk, log)
        }),
    ];
    for (name, step) in rows {
        let disk = SimDisk::new(1);
        let options = Options {
            sync_policy: SyncPolicy::Never,
            ..small()
        };
        let log = Log::create(disk.root(), LOG_ID, options.clone(), &[(b"genesis", None)]).unwrap();
        if name != "created" {
            fill(&log, 6);
        }
        let log = step(&disk, log);
        let (base, end) = (log.base(), log.next_id());
        drop(log);
        disk.set_capacity(Some(disk.used_bytes()));
        let (log, report) =
            Log::open(disk.root(), options, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (report.base, report.end, report.torn),
            (base, end, None),
            "{name}"
        );
        log.verify().unwrap();
    }
}

/// A sync of the directory fails, and the next process finds no space to give another file the name: it must not say that what it
/// finds is durable, for a power cut may take it.
#[test]
fn a_name_that_may_be_lost_is_no_reason_to_go_on_with_on_a_full_disk() {
    type Step = fn(&Log) -> commitlog::Result<()>;
    let rows: [(&str, Step, u64); 2] = [
        ("rotate", |log| log.rotate(), 3),
        ("truncate", |log| log.truncate_after(TxId(1)).map(drop), 2),
    ];
    for (way, step, end) in rows {
        // Which of its calls syncs the directory.
        let mut tried = (0..).map(|ahead| {
            let disk = SimDisk::new(1);
            let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
            fill(&log, 2);
            log.append(&payload(2), None).unwrap();
            disk.fail_at(disk.call_count() + ahead, Fault::Eio);
            step(&log).unwrap_err();
            (disk, log)
        });
        let failed = |disk: &SimDisk| disk.calls().last().unwrap().operation;
        let (disk, log) = tried
            .find(|(disk, _)| failed(disk) == Operation::SyncDir)
            .unwrap();
        drop(log);
        disk.set_capacity(Some(disk.used_bytes()));
        for _ in 0..2 {
            let refused = Log::open(disk.root(), small(), &[]);
            assert!(matches!(refused, Err(Error::Full(_))), "{way}: {refused:?}");
            let read = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
            assert!(read.next_id() <= TxId(end));
        }
        disk.set_capacity(None);
        let (log, report) = Log::open(disk.root(), small(), &[]).unwrap();
        assert_eq!((report.end, report.torn), (TxId(end), None), "{way}");
        for cut in disk.power_cuts(64, 1) {
            let (log, report) = Log::open(cut.root(), small(), &[]).unwrap();
            assert_eq!((report.end, report.torn), (TxId(end), None), "{way}");
            assert_eq!(read_all(&log), expected(0, end));
        }
        fill(&log, end + 1);
    }
}

/// Everything that the open writes may be cut off.
#[test]
fn an_open_on_a_full_disk_may_be_cut_off_anywhere() {
    let disk = SimDisk::new(1);
    let log = Log::create(disk.root(), LOG_ID, small(), &[(b"genesis", None)]).unwrap();
    log.append(&payload(1), None).unwrap();
    drop(log);
    disk.set_capacity(Some(disk.used_bytes()));
    let kill = Fault::Crash {
        crash: Crash::Kill,
        moment: Moment::Midway,
    };
    let power = Fault::Crash {
        crash: Crash::Power(Choice::New),
        moment: Moment::Midway,
    };
    for fault in [kill, power, Fault::Eio, Fault::Short] {
        let mut call = 0;
        loop {
            let harmed = disk.fork();
            harmed.fail_at(call, fault);
            drop(Log::open(harmed.root(), small(), &[]));
            let whole = harmed.call_count() <= call;
            harmed.clear_faults();
            for capacity in [Some(harmed.used_bytes()), None] {
                harmed.set_capacity(capacity);
                let (log, report) = Log::open(harmed.root(), small(), &[])
                    .unwrap_or_else(|error| panic!("{fault:?} in call {call}: {error}"));
                assert_eq!((report.end, report.torn), (TxId(2), None));
                assert_eq!(read_all(&log), expected(0, 2));
            }
            if whole {
                break;
            }
            call += 1;
        }
        assert!(call > 10, "{fault:?}: only {call} calls");
    }
}

/// The file system never gave the space behind the end, or lost it: it must not be counted on.
#[test]
fn a_hole_behind_the_end_is_no_reserved_space() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let options = Options {
            sync_policy: policy,
            ..Options::default()
        };
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, options.clone(), &[(b"genesis", None)]).unwrap();
        log.sync().unwrap();
        drop(log);
        disk.truncate("00000000000000000000.log", 40_000);
        // Open once, so that nothing but the hole needs space.
        drop(Log::open(disk.root(), options.clone(), &[]).unwrap());
        disk.truncate("00000000000000000000.log", 40_000);
        disk.set_capacity(Some(disk.used_bytes()));
        let (log, report) = Log::open(disk.root(), options.clone(), &[]).unwrap();
        assert_eq!((report.end, report.torn), (TxId(1), None));
        assert!(matches!(log.commit(&[1; 2000], None), Err(Error::Full(_))));
        disk.set_capacity(None);
        assert_eq!(log.commit(&[1; 2000], None).unwrap(), TxId(1));
        assert_eq!(log.verify().unwrap(), 2);
    }
}
