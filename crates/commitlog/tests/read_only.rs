//! Reading without a lock, beside a writer that works.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;
#[path = "support/watched_dir.rs"]
mod watched_dir;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use commitlog::{Error, Log, ReadOnlyLog, ReadOnlyOptions, TxId};
use disk::{OsDir, SimDisk};
use logs::{create, fill, payload, small, temporary};
use watched_dir::{Watch, WatchedDir};

#[test]
fn a_read_only_log_shows_what_is_proved_beside_a_live_writer() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 20);
    log.append(b"not yet durable", None).unwrap();
    let mut proven = ReadOnlyLog::open(Arc::clone(&dir), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!((proven.next_id(), proven.sound_end()), (TxId(20), TxId(21)));
    assert_eq!(proven.verify().unwrap(), 20);
    let options = ReadOnlyOptions {
        show_unproven: true,
        ..ReadOnlyOptions::default()
    };
    let all = ReadOnlyLog::open(Arc::clone(&dir), options, &[]).unwrap();
    let mut reader = all.reader(TxId(19)).unwrap();
    assert!(reader.next_record().unwrap().unwrap().proven);
    assert!(!reader.next_record().unwrap().unwrap().proven);
    assert!(reader.next_record().unwrap().is_none());
    fill(&log, 50);
    assert_eq!(proven.verify().unwrap(), 20);
    proven.refresh(&[]).unwrap();
    assert_eq!(proven.next_id(), TxId(50));
    assert_eq!(proven.verify().unwrap(), 50);
    assert_eq!(proven.chain_at_end(), log.chain_at_end());
    log.prune_before(TxId(30)).unwrap();
    assert!(matches!(proven.verify(), Err(Error::Pruned { .. })));
}

/// A listing beside a writer that rotates and prunes may show neither the old segment nor the new one.
#[test]
fn a_directory_that_shows_no_segment_for_a_moment_holds_a_log() {
    // Before which calls it vanishes and comes back.
    for (vanishes, comes_back, holds) in [(0, 1, true), (0, u64::MAX, false)] {
        let disk = SimDisk::new(1);
        create(&disk.root(), small()).close().unwrap();
        let root = disk.root();
        let watch = Watch::new(move |number| {
            let name = "00000000000000000000.log";
            if number == vanishes {
                root.rename(name, "elsewhere").unwrap();
            } else if number == comes_back {
                root.rename("elsewhere", name).unwrap();
            }
        });
        let dir = WatchedDir::around(disk.root(), &watch);
        let opened = ReadOnlyLog::open(dir, ReadOnlyOptions::default(), &[]);
        let holds_none = matches!(opened, Err(Error::NoLog { .. }));
        assert_eq!((opened.is_ok(), holds_none), (holds, !holds), "{opened:?}");
    }
}

#[test]
fn a_writer_that_rotates_and_prunes_never_looks_damaged() {
    let (temporary, dir) = temporary();
    let log = create(&dir, small());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..400 {
                log.commit(&payload(number), Some(1)).unwrap();
                if number % 50 == 0 {
                    log.prune_before(TxId(number - 20)).unwrap();
                }
            }
            log.close().unwrap();
            done.store(true, Ordering::SeqCst);
        });
        for show_unproven in [true, false] {
            let (path, done) = (temporary.path(), &done);
            scope.spawn(move || {
                let options = ReadOnlyOptions {
                    show_unproven,
                    ..ReadOnlyOptions::default()
                };
                let mut last = TxId(0);
                while !done.load(Ordering::SeqCst) {
                    let dir = OsDir::open(path).unwrap();
                    let log = ReadOnlyLog::open(Arc::clone(&dir), options.clone(), &[]).unwrap();
                    assert!(log.next_id() >= last);
                    last = log.proven_end();
                    let mut reader = log.reader(log.base()).unwrap();
                    loop {
                        match reader.next_record() {
                            Ok(Some(record)) if record.id.0 == 0 => {
                                assert_eq!(record.payload, b"genesis")
                            }
                            Ok(Some(record)) => assert_eq!(record.payload, payload(record.id.0)),
                            Ok(None) | Err(Error::Pruned { .. }) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    let (log, report) = Log::open(dir, small(), &[]).unwrap();
    assert!(report.was_closed);
    assert_eq!(log.next_id(), TxId(400));
}
