//! The payload version that a log asks for never falls, and every segment that is made says it.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use commitlog::{Log, Options, TxId};
use disk::SimDisk;
use logs::LOG_ID;

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
