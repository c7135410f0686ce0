//! Salvage reads a long segment a window at a time. Alone in its file, since the memory that is looked at is that of the whole process.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use commitlog::{Log, LogId, Options, salvage};
use logs::{LOG_ID, temporary};

const RECORD_BYTES: usize = 100_000;
const RECORDS: u8 = 250;

/// The most memory that the process has had so far, KiB.
fn peak_kib() -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "it is no file of a log")]
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn memory_does_not_grow_with_the_segment() {
    let (_source, source) = temporary();
    let (_destination, destination) = temporary();
    let options = || Options {
        segment_bytes_max: 1 << 30,
        ..Options::default()
    };
    let log = Log::create(source.clone(), LOG_ID, options(), &[(b"genesis", None)]).unwrap();
    for number in 0..RECORDS {
        log.append(&vec![number | 1; RECORD_BYTES], None).unwrap();
    }
    log.close().unwrap();
    drop(log);
    // Damage in the middle: what comes behind it has to be looked for.
    let file = source
        .open("00000000000000000000.log", disk::Access::ReadWrite)
        .unwrap();
    file.write_all_at(12_000_000, &[0xEE; 200_000]).unwrap();
    let Some(before) = peak_kib() else {
        println!("SKIPPED: this system does not say how much memory a process has had");
        return;
    };
    let report = salvage(&*source, destination, LogId([3; 16]), options()).unwrap();
    assert!(report.records >= u64::from(RECORDS) - 3);
    let grown = peak_kib().unwrap() - before;
    assert!(grown < 12 << 10, "{grown} KiB for a segment of 25 MB");
}
