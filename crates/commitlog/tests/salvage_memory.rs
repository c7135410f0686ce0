//! What memory salvage takes: of a long segment a window, of bytes that were made to take memory not much more than they are. Each salvage is a process of its own, since
//! the memory that is looked at is that of a whole process.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

#[path = "support/logs.rs"]
mod logs;
#[path = "support/salvaged.rs"]
mod salvaged;

use std::path::Path;
use std::process::Command;

use commitlog::{Chain, Log, Options, TxId, salvage};
use disk::{Access, OsDir};
use logs::{LOG_ID, temporary};
use salvaged::{NEW_ID, frame_header};

const FILE: &str = "00000000000000000000.log";
const CHILD_DIR: &str = "CAIRN_TEST_CHILD_DIR";
const FRAMES: u64 = 12288;
const HOSTILE_BYTES: usize = 24 << 20;

fn options() -> Options {
    Options {
        segment_bytes_max: 1 << 30,
        ..Options::default()
    }
}

/// The most memory that the process has had so far, KiB.
fn peak_kib() -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "it is no file of a log")]
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok()
}

/// Not a test of its own: what the processes do that are looked at.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let (_destination, destination) = temporary();
    let Some(before) = peak_kib() else {
        println!("\n@SKIPPED");
        return;
    };
    let source = OsDir::open(Path::new(&dir)).unwrap();
    let report = salvage(&*source, destination, NEW_ID, options()).unwrap();
    let grown = peak_kib().unwrap() - before;
    println!("\n@{grown} {}", report.records);
}

/// What a salvage took and yielded.
struct Outcome {
    kib: u64,
    records: u64,
}

/// Salvages what is there in a process of its own. `None` if this system does not say how much memory a process has had.
fn salvage_in_child(dir: &Path) -> Option<Outcome> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD_DIR, dir)
        // What was given back does not count, so it goes back to the system.
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for l in said.lines().filter(|l| l.starts_with('#')) {
        println!("{l}");
    }
    let said = said.lines().find_map(|line| line.strip_prefix('@'));
    let mut numbers = said.unwrap().split(' ').map(str::parse);
    let Some(Ok(kib)) = numbers.next() else {
        println!("SKIPPED: this system does not say how much memory a process has had");
        return None;
    };
    Some(Outcome {
        kib,
        records: numbers.next().unwrap().unwrap(),
    })
}

#[test]
fn memory_does_not_grow_with_the_segment() {
    const RECORDS: u8 = 250;
    let (temporary, source) = temporary();
    let log = Log::create(source.clone(), LOG_ID, options(), &[(b"genesis", None)]).unwrap();
    for number in 0..RECORDS {
        log.append(&vec![number | 1; 100_000], None).unwrap();
    }
    log.close().unwrap();
    drop(log);
    // Damage in the middle: what comes behind it has to be looked for.
    let file = source.open(FILE, Access::ReadWrite).unwrap();
    file.write_all_at(12_000_000, &[0xEE; 200_000]).unwrap();
    let Some(outcome) = salvage_in_child(temporary.path()) else {
        return;
    };
    assert!(outcome.records >= u64::from(RECORDS) - 3);
    let grown = outcome.kib;
    assert!(grown < 12 << 10, "{grown} KiB for a segment of 25 MB");
}

/// Two frames without a payload. The second continues the first, which continues nothing.
fn pair(first: u64, chain: u64) -> Vec<u8> {
    let empty = crc32c::crc32c(&[]);
    let next = Chain(chain).mix(TxId(first + 1), 0, empty);
    [
        frame_header(0, first, chain),
        frame_header(0, first + 1, next.0),
    ]
    .concat()
}

/// So many frames without a payload that continue each other, from an id on.
fn run(first: u64, chain: u64, count: u64) -> Vec<u8> {
    let mut chain = Chain(chain);
    let frames = (first..first + count).flat_map(|id| {
        chain = chain.mix(TxId(id), 0, crc32c::crc32c(&[]));
        frame_header(0, id, chain.0)
    });
    frames.collect()
}

/// Salvages a log of one segment with these frames or a part of one, and yields how many times the memory is that it takes. What is in front of them is sound, or all of it is lost, so
/// that any id is possible and no record begins where another one ends for certain.
fn times_as_much(frames: &[u8], is_sound: bool) -> Option<f64> {
    let (temporary, source) = temporary();
    drop(Log::create(source.clone(), LOG_ID, options(), &[]).unwrap());
    let file = source.open(FILE, Access::ReadWrite).unwrap();
    let lost = match is_sound {
        true => 0,
        false => 64,
    };
    file.write_all_at(0, &vec![0; lost]).unwrap();
    file.write_all_at(FRAMES, &vec![0x55; lost]).unwrap();
    file.write_all_at(FRAMES + lost as u64, frames).unwrap();
    let outcome = salvage_in_child(temporary.path())?;
    Some((outcome.kib << 10) as f64 / frames.len() as f64)
}

#[test]
fn bytes_made_to_take_memory_take_less_than_three_times_as_much() {
    type Unit = fn(u64) -> Vec<u8>;
    const HALF: u64 = HOSTILE_BYTES as u64 / 64;
    let rows: [(&str, bool, Unit); 8] = [
        ("ids of their own", false, |n| pair(3 * n, n)),
        ("the same ids", false, |n| pair(5, n)),
        ("ids of their own, apart", false, |n| {
            [pair(3 * n, n), vec![0x55; 8]].concat()
        }),
        ("lower ids behind higher ones", false, |n| {
            [pair((1 << 40) - 3 * n, n), vec![0x55; 8]].concat()
        }),
        ("the same ids, apart", false, |n| {
            [pair(5, n), vec![0x55; 8]].concat()
        }),
        ("each opposes the one before", false, |n| {
            [frame_header(0, 3 * n, n), frame_header(0, 3 * n + 1, n)].concat()
        }),
        ("the ids of one long piece", false, |n| match n {
            0 => run(0, 7, HALF),
            _ => pair(2 * n - 2, n),
        }),
        ("the ids of records of the log", true, |n| match n {
            0 => run(0, Chain::seed(LOG_ID).0, HALF),
            1 => vec![0x55; 64],
            _ => pair(2 * n - 4, n),
        }),
    ];
    for (row, is_sound, unit) in rows {
        let mut frames: Vec<u8> = Vec::new();
        let mut number = 0;
        while frames.len() < HOSTILE_BYTES {
            frames.extend(unit(number));
            number += 1;
        }
        let Some(times) = times_as_much(&frames, is_sound) else {
            return;
        };
        println!("{row}: {times:.2}");
        assert!(times < 3.0, "{row}: {times:.2} times as much");
    }
}
