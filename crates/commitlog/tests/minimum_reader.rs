//! The payload version that a log asks for never falls, and every segment that is made says it.
#![allow(clippy::unwrap_used)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/logs.rs"]
mod logs;

use std::sync::{Arc, OnceLock, Weak};

use commitlog::{Log, Options, TxId};
use disk::SimDisk;
use hooked_dir::{HookedDir, Hooks};
use logs::{LOG_ID, fill};

fn asks(minimum_reader: u16) -> Options {
    Options {
        minimum_reader,
        ..Options::default()
    }
}

/// What the headers ask for, oldest first.
fn asked(disk: &SimDisk) -> Vec<u16> {
    let field = |file: &String| {
        let bytes = disk.read(file).unwrap();
        u16::from_le_bytes([bytes[12], bytes[13]])
    };
    disk.files().iter().map(field).collect()
}

/// Whenever a file is opened, another thread appends a record that needs a newer reader.
#[derive(Debug, Default)]
struct RaisesOnOpen(OnceLock<Weak<Log>>);

impl Hooks for RaisesOnOpen {
    fn before_open(&self) {
        if let Some(log) = self.0.get().and_then(Weak::upgrade) {
            log.raise_minimum_reader(9);
            log.rotate().unwrap();
            log.commit(b"needs 9", None).unwrap();
        }
    }
}

#[test]
fn a_shipment_asks_for_what_a_record_needs_that_came_while_it_was_packed() {
    let raises = Arc::<RaisesOnOpen>::default();
    let disk = SimDisk::new(1);
    let dir = HookedDir::around(disk.root(), Arc::clone(&raises) as Arc<dyn Hooks>);
    let log = Log::create(dir, LOG_ID, asks(0), &[(b"genesis", None)]).unwrap();
    let log = Arc::new(log);
    fill(&log, 10);
    raises.0.set(Arc::downgrade(&log)).unwrap();
    let shipment = log.ship(TxId(5)..TxId(11), u64::MAX).unwrap();
    assert_eq!(shipment.records().last().unwrap().payload, b"needs 9");
    assert_eq!(shipment.minimum_reader(), 9);
}

#[test]
fn a_shipment_that_needs_less_than_the_log_does_not_lower_what_its_segment_asks_for() {
    let source = Log::create(SimDisk::new(1).root(), LOG_ID, asks(5), &[]).unwrap();
    source.commit(b"one", None).unwrap();
    let shipment = source.ship(TxId(0)..TxId(1), 1000).unwrap();
    // It was raised while the log was open, or the options ask for it.
    for raised in [true, false] {
        let disk = SimDisk::new(2);
        let log = Log::create(disk.root(), LOG_ID, asks(0), &[]).unwrap();
        log.close().unwrap();
        drop(log);
        let options = asks(if raised { 0 } else { 9 });
        let (log, _) = Log::open(disk.root(), options, &[]).unwrap();
        if raised {
            log.raise_minimum_reader(9);
        }
        log.append_shipment(shipment.as_bytes()).unwrap();
        assert_eq!(asked(&disk), [9], "{raised}");
        log.raise_minimum_reader(7);
        log.rotate().unwrap();
        assert_eq!(asked(&disk), [9, 9], "{raised}");
        assert_eq!(log.verify().unwrap(), 1);
    }
}

/// It is what the next record stands in, and nothing is in it yet.
#[test]
fn an_empty_segment_is_made_anew_when_more_is_asked_for() {
    type Step = fn(&Log);
    let steps: [(&str, Step); 3] = [
        ("rotate", |log| log.rotate().unwrap()),
        ("append", |log| {
            log.append(b"x", None).unwrap();
        }),
        ("queued", |log| {
            let queued = commitlog::Handoff::Queued;
            log.append_with(b"x", None, queued).unwrap();
        }),
    ];
    for behind_another in [false, true] {
        for (name, step) in steps {
            let disk = SimDisk::new(1);
            let log = Log::create(disk.root(), LOG_ID, asks(3), &[]).unwrap();
            if behind_another {
                log.commit(b"x", None).unwrap();
                log.rotate().unwrap();
            }
            log.raise_minimum_reader(9);
            step(&log);
            let expected: &[u16] = if behind_another { &[3, 9] } else { &[9] };
            assert_eq!(asked(&disk), expected, "{name}");
            // Once is enough.
            let calls = disk.call_count();
            log.rotate().unwrap();
            assert!(name != "rotate" || disk.call_count() == calls);
            log.commit(b"y", None).unwrap();
            let end = log.next_id();
            drop(log);
            let (log, _) = Log::open(disk.root(), asks(0), &[]).unwrap();
            assert_eq!(log.next_id(), end);
            assert_eq!(log.verify().unwrap(), end.0);
        }
    }
}

#[test]
fn a_segment_that_a_truncation_makes_anew_asks_for_what_the_log_does() {
    // After which record, and what the headers ask for then.
    for (after, expected) in [(0, [9].as_slice()), (1, &[3, 9]), (2, &[3, 9])] {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LOG_ID, asks(3), &[(b"0", None)]).unwrap();
        log.commit(b"1", None).unwrap();
        log.raise_minimum_reader(9);
        log.rotate().unwrap();
        log.commit(b"2, which needs 9", None).unwrap();
        log.commit(b"3", None).unwrap();
        log.truncate_after(TxId(after)).unwrap();
        assert_eq!(asked(&disk), expected, "{after}");
        log.commit(b"which needs 9", None).unwrap();
        assert_eq!(asked(&disk), expected, "{after}");
    }
}
