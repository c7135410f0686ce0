//! What the log does, on a real disk.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use commitlog::{
    Chain, DamageKind, Error, FormatPart, Log, LogId, Options, Proof, ProofVerdict, ReadOnlyLog,
    ReadOnlyOptions, Start, SyncPolicy, TxId,
};
use disk::{Access, Dir, OsDir};
use tempfile::TempDir;

const LOG_ID: LogId = LogId(*b"0123456789abcdef");

fn temporary() -> (TempDir, Arc<dyn Dir>) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::open(temporary.path()).unwrap();
    (temporary, dir)
}

fn small() -> Options {
    Options {
        segment_bytes_max: 12288 + 400,
        ..Options::default()
    }
}

fn payload(number: u64) -> Vec<u8> {
    let length = usize::try_from(number * 37 % 300).unwrap();
    (0..length)
        .map(|at| u8::try_from((at as u64 + number) % 251).unwrap())
        .collect()
}

fn create(dir: &Arc<dyn Dir>, options: Options) -> Log {
    Log::create(Arc::clone(dir), LOG_ID, options, &[(b"genesis", Some(7))]).unwrap()
}

fn files(dir: &Arc<dyn Dir>) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in dir.list().unwrap() {
        let file = dir.open(&entry.name, Access::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_exact_at(0, &mut bytes).unwrap();
        files.push((entry.name, bytes));
    }
    files
}

fn read_all(log: &Log) -> Vec<(u64, Vec<u8>)> {
    let mut reader = log.reader(log.base()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_owned().unwrap() {
        records.push((record.id.0, record.payload));
    }
    records
}

fn expected(from: u64, to: u64) -> Vec<(u64, Vec<u8>)> {
    let one = |id| {
        (
            id,
            if id == 0 {
                b"genesis".to_vec()
            } else {
                payload(id)
            },
        )
    };
    (from..to).map(one).collect()
}

fn fill(log: &Log, to: u64) {
    for number in log.next_id().0..to {
        assert_eq!(log.commit(&payload(number), Some(1)).unwrap(), TxId(number));
    }
}

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

fn segments(dir: &Arc<dyn Dir>) -> Vec<u64> {
    let extent = Log::inspect(dir.as_ref()).unwrap();
    extent
        .segments
        .iter()
        .map(|segment| segment.base.0)
        .collect()
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
fn a_log_is_not_created_over_another() {
    let (_temporary, dir) = temporary();
    assert!(matches!(
        Log::inspect(dir.as_ref()),
        Err(Error::NoLog { .. })
    ));
    assert!(matches!(
        Log::open(Arc::clone(&dir), small(), &[]),
        Err(Error::NoLog { .. })
    ));
    drop(create(&dir, small()));
    assert!(matches!(
        Log::create(dir, LOG_ID, small(), &[]),
        Err(Error::AlreadyExists { .. })
    ));
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

#[test]
fn other_files_are_left_alone_and_unfinished_segments_removed() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    log.close().unwrap();
    let others = [
        "1.log",
        "00000000000000000007.log.bak",
        "note.tmp",
        "00000000000000000007.tmp",
        "x.log.tmp",
    ];
    for name in others {
        dir.create(name).unwrap();
    }
    dir.create("00000000000000000007.log.tmp").unwrap();
    dir.create_dir("00000000000000000008.log.tmp").unwrap();
    ReadOnlyLog::open(Arc::clone(&dir), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!(dir.list().unwrap().len(), 8);
    let (_log, report) = Log::open(Arc::clone(&dir), small(), &[]).unwrap();
    assert_eq!(report.temporaries_removed, 1);
    let names: Vec<String> = dir
        .list()
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert!(
        others
            .iter()
            .all(|&other| names.iter().any(|name| name == other))
    );
    assert_eq!(names.len(), 7);
}

#[test]
fn a_newer_payload_version_is_refused_by_name() {
    let (_temporary, dir) = temporary();
    let options = Options {
        minimum_reader: 4,
        ..small()
    };
    let log = create(&dir, options);
    log.raise_minimum_reader(9);
    log.rotate().unwrap();
    drop(log);
    assert_eq!(Log::inspect(dir.as_ref()).unwrap().minimum_reader, 9);
    let old = Options {
        reader: 8,
        ..small()
    };
    let error = Log::open(dir, old, &[]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NewerFormat {
                part: FormatPart::Payload,
                needed: 9,
                supported: 8,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn what_is_no_file_is_refused_without_hanging() {
    let (_temporary, dir) = temporary();
    drop(create(&dir, small()));
    dir.create_dir("00000000000000000001.log").unwrap();
    assert!(matches!(
        Log::open(Arc::clone(&dir), small(), &[]),
        Err(Error::Io(disk::Error::NotAFile { .. }))
    ));
}

#[test]
fn a_snapshot_beyond_the_end_is_an_error_that_says_so() {
    let (_temporary, dir) = temporary();
    let log = create(&dir, small());
    fill(&log, 3);
    log.close().unwrap();
    let proof = Proof {
        through: TxId(3),
        chain: Chain(1),
    };
    let before = files(&dir);
    let error = Log::open(Arc::clone(&dir), small(), &[proof]).unwrap_err();
    let expected = DamageKind::BehindProof {
        end: TxId(3),
        proven: TxId(4),
    };
    assert!(
        matches!(error, Error::Damaged { kind, .. } if kind == expected),
        "{error}"
    );
    assert_eq!(files(&dir), before);
}

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
