//! What the log does, on a real disk.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use std::sync::Arc;

use commitlog::{
    Chain, Error, Log, Options, Proof, ProofVerdict, ReadOnlyLog, ReadOnlyOptions, Start,
    SyncPolicy, TxId,
};
use logs::{LOG_ID, create, expected, files, fill, payload, read_all, segments, small, temporary};

#[test]
fn records_come_back_in_order_over_segments() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 40);
    assert_eq!(read_all(&log), expected(0, 40));
    assert_eq!(log.durable_through(), Some(TxId(39)));
    assert!(Log::inspect(dir.as_ref()).unwrap().segments.len() > 5);
    log.close().unwrap();
    let (log, report) = Log::open(Arc::clone(&dir), small(), &[]).unwrap();
    assert!(report.was_closed);
    assert_eq!(report.end, TxId(40));
    assert_eq!(report.torn, None);
    assert_eq!(read_all(&log), expected(0, 40));
    assert_eq!(log.verify().unwrap(), 40);
    fill(&log, 60);
    for from in 0..=60 {
        let mut reader = log.reader(TxId(from)).unwrap();
        let first = reader.next_record().unwrap().map(|record| record.id.0);
        assert_eq!(first, (from < 60).then_some(from));
    }
}

#[test]
fn a_log_dropped_without_closing_keeps_what_was_written() {
    for policy in [SyncPolicy::EveryCommit, SyncPolicy::Never] {
        let (_temporary, dir) = temporary();
        let options = Options {
            sync_policy: policy,
            ..small()
        };
        let log = create(&dir, options.clone());
        fill(&log, 23);
        drop(log);
        let (log, report) = Log::open(Arc::clone(&dir), options.clone(), &[]).unwrap();
        assert!(!report.was_closed);
        assert_eq!((report.end, report.torn), (TxId(23), None));
        assert_eq!(read_all(&log), expected(0, 23));
        assert_eq!(log.durable_end(), TxId(23));
    }
}

#[test]
fn closing_a_log_that_was_only_opened_changes_no_byte() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 9);
    log.close().unwrap();
    log.close().unwrap();
    assert!(matches!(log.append(b"", None), Err(Error::Closed)));
    let before = files(&dir);
    for _ in 0..3 {
        let (log, report) = Log::open(Arc::clone(&dir), small(), &[]).unwrap();
        assert!(report.was_closed);
        log.close().unwrap();
        assert_eq!(files(&dir), before);
    }
    ReadOnlyLog::open(Arc::clone(&dir), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!(files(&dir), before);
}

#[test]
fn a_small_log_stays_small() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, Options::default());
    log.commit(b"a", None).unwrap();
    assert!(Log::inspect(dir.as_ref()).unwrap().segments[0].bytes <= 32 << 10);
    log.close().unwrap();
    assert_eq!(
        Log::inspect(dir.as_ref()).unwrap().segments[0].bytes,
        12288 + 40 + 40
    );
}

#[test]
fn the_times_and_chains_come_back() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    log.commit(b"without", None).unwrap();
    log.commit(b"before the epoch", Some(-5)).unwrap();
    let mut reader = log.reader(TxId(0)).unwrap();
    let mut chain = Chain::seed(LOG_ID);
    let mut times = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        let length = u32::try_from(record.payload.len()).unwrap();
        chain = chain.mix(record.id, length, crc32c::crc32c(record.payload));
        assert_eq!(record.chain, chain);
        assert_eq!(log.chain_after(record.id).unwrap(), chain);
        assert!(record.proven);
        times.push(record.time);
    }
    assert_eq!(times, [Some(7), None, Some(-5)]);
    assert_eq!(log.chain_at_end(), chain);
}

#[test]
fn a_transaction_that_is_too_large_changes_nothing() {
    let (_temporary, dir) = temporary();
    let options = Options {
        payload_bytes_max: 100,
        ..Options::default()
    };
    assert!(matches!(
        Log::create(
            Arc::clone(&dir),
            LOG_ID,
            options.clone(),
            &[(&[0; 101], None)]
        ),
        Err(Error::TransactionTooLarge {
            bytes: 101,
            bytes_max: 100
        })
    ));
    assert!(dir.list().unwrap().is_empty());
    let log = create(&dir, options);
    let before = files(&dir);
    assert!(matches!(
        log.append(&[0; 101], None),
        Err(Error::TransactionTooLarge { .. })
    ));
    assert_eq!(files(&dir), before);
    assert_eq!(log.commit(&[0; 100], None).unwrap(), TxId(1));
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    let large = vec![5; 300_000];
    log.commit(&large, None).unwrap();
    log.commit(b"after", None).unwrap();
    assert_eq!(Log::inspect(dir.as_ref()).unwrap().segments.len(), 3);
    let mut reader = log.reader(TxId(1)).unwrap();
    assert_eq!(reader.next_record().unwrap().unwrap().payload, &large[..]);
    assert_eq!(reader.next_record().unwrap().unwrap().payload, b"after");
}

#[test]
fn empty_payloads_are_records() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, Options::default());
    for _ in 0..3 {
        log.commit(b"", None).unwrap();
    }
    drop(log);
    let (log, report) = Log::open(dir, Options::default(), &[]).unwrap();
    assert_eq!(report.end, TxId(4));
    assert_eq!(log.verify().unwrap(), 4);
}

#[test]
fn pruning_removes_whole_segments_and_reading_before_says_so() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 40);
    let bases: Vec<u64> = segments(&dir);
    let mut early = log.reader(TxId(0)).unwrap();
    early.next_record().unwrap().unwrap();
    let pruned = log.prune_before(TxId(bases[3])).unwrap();
    assert_eq!((pruned.segments_removed, pruned.base), (3, TxId(bases[3])));
    assert_eq!(log.base(), TxId(bases[3]));
    assert_eq!(segments(&dir), bases[3..]);
    assert!(
        matches!(log.reader(TxId(bases[3] - 1)), Err(Error::Pruned { oldest }) if oldest.0 == bases[3])
    );
    let error = loop {
        if let Err(error) = early.next_record() {
            break error;
        }
    };
    assert!(
        matches!(error, Error::Pruned { oldest } if oldest.0 == bases[3]),
        "{error}"
    );
    assert!(log.chain_after(TxId(bases[3] - 1)).is_ok());
    assert!(matches!(
        log.chain_after(TxId(bases[3] - 2)),
        Err(Error::Pruned { .. })
    ));
    assert_eq!(read_all(&log), expected(bases[3], 40));
    let everything = log.prune_before(TxId(u64::MAX)).unwrap();
    assert_eq!(everything.base.0, *bases.last().unwrap());
    drop(log);
    let (log, report) = Log::open(dir, small(), &[]).unwrap();
    assert_eq!((report.base, report.end), (everything.base, TxId(40)));
    assert_eq!(read_all(&log), expected(everything.base.0, 40));
}

#[test]
fn a_reader_follows_a_live_log_over_rotations() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    let mut reader = log.reader(TxId(1)).unwrap();
    for number in 1..60 {
        assert!(reader.next_record().unwrap().is_none());
        log.append(&payload(number), None).unwrap();
        let record = reader.next_record().unwrap().unwrap();
        assert_eq!(
            (record.id.0, record.payload),
            (number, &payload(number)[..])
        );
        assert!(!record.proven);
    }
    assert!(matches!(log.reader(TxId(61)), Err(Error::BeyondEnd { .. })));
    assert!(matches!(
        log.wait_durable(TxId(60)),
        Err(Error::BeyondEnd { .. })
    ));
}

#[test]
fn rotating_an_empty_segment_does_nothing() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, Options::default());
    log.rotate().unwrap();
    log.rotate().unwrap();
    assert_eq!(segments(&dir), [0, 1]);
    log.commit(b"x", None).unwrap();
    assert_eq!(log.verify().unwrap(), 2);
}

#[test]
fn a_log_can_begin_behind_a_snapshot() {
    let (_temporary, dir) = temporary();
    let start = Start {
        base: TxId(100),
        chain: Chain(42),
        epoch: 3,
    };
    let log = Log::create_at(Arc::clone(&dir), LOG_ID, small(), start, &[]).unwrap();
    assert_eq!(
        (log.base(), log.next_id(), log.chain_at_end()),
        (TxId(100), TxId(100), Chain(42))
    );
    assert_eq!(log.chain_after(TxId(99)).unwrap(), Chain(42));
    assert_eq!(log.commit(b"x", None).unwrap(), TxId(100));
    drop(log);
    let proof = |chain| Proof {
        through: TxId(99),
        chain: Chain(chain),
    };
    let (_, report) = Log::open(Arc::clone(&dir), small(), &[proof(42), proof(43)]).unwrap();
    assert_eq!(
        report.proofs,
        [ProofVerdict::Matches, ProofVerdict::Foreign]
    );
    assert_eq!(Log::inspect(dir.as_ref()).unwrap().epoch, 3);
}
