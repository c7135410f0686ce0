//! The examples do what they say.
#![allow(clippy::unwrap_used)]

#[path = "../examples/dump.rs"]
mod dump;
#[path = "../examples/key_value.rs"]
mod key_value;
#[path = "support/logs.rs"]
mod logs;
#[path = "../examples/tail.rs"]
mod tail;
#[path = "support/watched_dir.rs"]
mod watched_dir;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use commitlog::{Log, LogId, Options, TxId};
use disk::SimDisk;
use key_value::Store;
use logs::{create, fill, small};
use watched_dir::{Watch, WatchedDir};

#[test]
fn a_store_is_the_fold_of_its_log() {
    let disk = SimDisk::new(1);
    let mut store = Store::open(disk.root()).unwrap();
    store.set(b"one", Some(b"1")).unwrap();
    store.set(b"two", Some(b"2")).unwrap();
    store.set(b"one", None).unwrap();
    store.set(b"", Some(b"")).unwrap();
    assert!(Store::open(disk.root()).is_err(), "only one may be open");
    drop(store);
    let mut store = Store::open(disk.root()).unwrap();
    assert_eq!(store.get(b"one"), None);
    assert_eq!(store.get(b"two"), Some(&b"2"[..]));
    assert_eq!(store.get(b""), Some(&b""[..]));
    assert!(store.set(&[0; 256], None).is_err());
    assert_eq!(store.get(b"three"), None);
}

/// A log of another program is not touched, and records of one that has the same name for its log are an error.
#[test]
fn what_is_no_store_is_refused() {
    let rows: [(LogId, &[u8]); 4] = [
        (LogId([3; 16]), &[1, 1, b'k', b'v']),
        (LogId(*b"key_value, v. 1."), b""),
        (LogId(*b"key_value, v. 1."), &[1, 200, b'k']),
        (LogId(*b"key_value, v. 1."), &[7, 1, b'k']),
    ];
    for (log_id, record) in rows {
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), log_id, Options::default(), &[(record, None)]).unwrap();
        log.append(b"not closed", None).unwrap();
        drop(log);
        let before = disk.read("00000000000000000000.log");
        assert!(Store::open(disk.root()).is_err(), "{record:?}");
        if log_id == LogId([3; 16]) {
            assert_eq!(disk.read("00000000000000000000.log"), before);
        }
    }
}

fn two_segments(disk: &SimDisk) -> Log {
    let log_id = LogId([0xAB; 16]);
    let log = Log::create(disk.root(), log_id, Options::default(), &[(b"first", None)]).unwrap();
    log.commit(b"second\n", None).unwrap();
    log.rotate().unwrap();
    log.append(b"third", None).unwrap();
    log
}

#[test]
fn a_dump_shows_segments_and_records() {
    let disk = SimDisk::new(1);
    let log = two_segments(&disk);
    let mut out = Vec::new();
    dump::dump(disk.root(), None, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), DUMP);
    log.close().unwrap();
    let mut out = Vec::new();
    dump::dump(disk.root(), Some(TxId(2)), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("marks prove what is before 3; closed\n2: 5 bytes, "),
        "{text}"
    );
}

const DUMP: &str = "\
log abababababababababababababababab from 0, epoch 0
segment 00000000000000000000.log: 12368 bytes, chain before it 1d36d87cd8341bb3
segment 00000000000000000002.log: 28672 bytes, chain before it 35603263412d444e
marks prove what is before 2; not closed
0: 5 bytes, chain 289a154a47b83d69: first
1: 7 bytes, chain 35603263412d444e: second.
2: 5 bytes, chain cb15b3459e1f1e64, not proven: third
";

#[test]
fn a_tail_shows_what_is_appended_and_says_what_is_gone() {
    let disk = SimDisk::new(1);
    let log = two_segments(&disk);
    let show = |first| {
        let mut out = Vec::new();
        let patience = Some(Duration::ZERO);
        tail::tail(disk.root(), first, patience, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(show(Some(TxId(0))), "0: first\n1: second\\n\n");
    assert_eq!(show(None), "");
    log.sync().unwrap();
    assert_eq!(show(Some(TxId(1))), "1: second\\n\n2: third\n");
    let log = Arc::new(log);
    log.commit(b"fourth", None).unwrap();
    assert_eq!(show(Some(TxId(3))), "3: fourth\n");
}

/// Shows a log from 0 on beside a writer that acts before two of the calls. Yields what was shown, and how many calls there were.
fn tail_beside(
    start: &SimDisk,
    at: [u64; 2],
    act: fn(&Log, usize),
) -> Result<(String, u64), Box<dyn Error>> {
    let disk = start.fork();
    let (log, _) = Log::open(disk.root(), small(), &[])?;
    let watch = Watch::new(move |number| {
        for (turn, _) in at.iter().enumerate().filter(|(_, at)| **at == number) {
            act(&log, turn);
        }
    });
    let dir = WatchedDir::around(disk.root(), &watch);
    let mut out = Vec::new();
    tail::tail(dir, Some(TxId(0)), Some(Duration::ZERO), &mut out)?;
    Ok((String::from_utf8(out)?, watch.calls()))
}

#[test]
fn a_tail_goes_on_however_often_the_log_is_pruned_and_truncated() {
    let start = SimDisk::new(1);
    fill(&create(&start.root(), small()), 12);
    let prune: fn(&Log, usize) = |log, turn| {
        log.prune_before(TxId([5, 9][turn])).unwrap();
    };
    let truncate: fn(&Log, usize) = |log, turn| {
        log.truncate_after(TxId([6, 2][turn])).unwrap();
    };
    let both: fn(&Log, usize) = |log, turn| {
        log.truncate_after(TxId([8, 7][turn])).unwrap();
        log.prune_before(TxId([3, 6][turn])).unwrap();
    };
    let (all, calls) = tail_beside(&start, [u64::MAX; 2], prune).unwrap();
    assert_eq!(all.lines().count(), 12);
    for (act, last) in [(prune, 11), (truncate, 2), (both, 7)] {
        for first in 0..calls {
            // The second look may be longer.
            for second in first..first + 60 {
                let case = format!("{last}, calls {first} and {second}");
                let (shown, calls) = tail_beside(&start, [first, second], act)
                    .unwrap_or_else(|error| panic!("{case}: {error}"));
                let shows_last = shown
                    .lines()
                    .any(|line| line.starts_with(&format!("{last}: ")));
                assert!(shows_last || calls <= second, "{case}: {shown}");
            }
        }
    }
}

/// Prunes, when it is shown record 2, what follows it.
struct PrunesBehind(Vec<u8>, Log);

impl io::Write for PrunesBehind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        if self.0.ends_with(b"2: third\n") {
            let log = &self.1;
            log.rotate().unwrap();
            log.commit(b"fourth", None).unwrap();
            log.rotate().unwrap();
            log.commit(b"fifth", None).unwrap();
            log.prune_before(TxId(4)).unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_tail_does_not_call_pruned_what_it_has_shown() {
    let disk = SimDisk::new(1);
    let log = two_segments(&disk);
    log.sync().unwrap();
    let mut out = PrunesBehind(Vec::new(), log);
    tail::tail(disk.root(), Some(TxId(0)), Some(Duration::ZERO), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out.0).unwrap(),
        "0: first\n1: second\\n\n2: third\n3 to 4 are pruned\n4: fifth\n"
    );
}
