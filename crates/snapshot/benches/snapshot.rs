//! Full write and verified load, beside what the same bytes cost at least.
//!
//! Bounds, for the bytes of the state: hashing (blake3 and crc32c) on as many threads, writing them to one file with
//! one sync, reading them into fresh memory and hashing them. Rounds are interleaved and the median is printed.
//! `CAIRN_BENCH_MIB` sets the size.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use disk::{Access, Dir, OsDir};
use snapshot::{
    Blob, Blobs, Header, LoadMode, LoadOptions, Manifest, Options, SnapshotId, Snapshots, Verify,
};

const PAGE_BYTES: usize = 32768;
const ROUNDS: usize = 7;
const THREADS: usize = 2;
const BOUND_FILE: &str = "bound";

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let default = if measured { 256 } else { 1 };
    let mebibytes = std::env::var("CAIRN_BENCH_MIB").map_or(default, |size| size.parse().unwrap());
    let rounds = if measured { ROUNDS } else { 1 };
    Bench::new(mebibytes).run(rounds);
}

struct Bench {
    pages: Vec<Vec<u8>>,
    dir: Arc<dyn Dir>,
    snapshots: Snapshots,
    manifest: Manifest,
    tx: u64,
    _temporary: tempfile::TempDir,
}

impl Bench {
    fn new(mebibytes: usize) -> Self {
        let mut random = 1u64;
        let mut page = || -> Vec<u8> {
            let words = (0..PAGE_BYTES / 8).map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random
            });
            words.flat_map(u64::to_le_bytes).collect()
        };
        let pages: Vec<_> = (0..mebibytes * 32).map(|_| page()).collect();
        let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dir = OsDir::open(temporary.path()).unwrap();
        let options = Options {
            threads: THREADS,
            ..Options::default()
        };
        let snapshots = Snapshots::open(dir.clone(), options).unwrap();
        let manifest = write(&snapshots, 0, &pages);
        let mut bench = Bench {
            pages,
            dir,
            snapshots,
            manifest,
            tx: 0,
            _temporary: temporary,
        };
        bench.write_bound();
        bench
    }

    fn run(&mut self, rounds: usize) {
        type Step = (&'static str, fn(&mut Bench), Option<usize>);
        // A step and the bound that it is compared with.
        let steps: [Step; 12] = [
            ("bound: hash, 1 thread", Bench::hash_1, None),
            ("bound: hash, 2 threads", Bench::hash_2, None),
            ("bound: write and sync", Bench::write_bound, None),
            (
                "bound: read and hash, 2 threads",
                Bench::read_and_hash,
                None,
            ),
            ("write a full snapshot", Bench::write, Some(2)),
            ("remove a snapshot", Bench::remove, None),
            (
                "load copied, all verified",
                |b| b.load(LoadMode::Copy, Verify::All),
                Some(3),
            ),
            (
                "load mapped, all verified",
                |b| b.load(LoadMode::Map, Verify::All),
                Some(1),
            ),
            (
                "load mapped, checksums",
                |b| b.load(LoadMode::Map, Verify::Checksums),
                Some(1),
            ),
            ("map, and verify one page", Bench::map, Some(1)),
            ("read back", Bench::read_back, Some(3)),
            (
                "list",
                |b| drop(black_box(b.snapshots.list().unwrap())),
                None,
            ),
        ];
        let mut times = vec![Vec::new(); steps.len()];
        for _ in 0..rounds {
            for (step, times) in steps.iter().zip(&mut times) {
                let start = Instant::now();
                step.1(self);
                times.push(start.elapsed());
            }
        }
        let median = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2]
        };
        let medians: Vec<Duration> = times.iter_mut().map(median).collect();
        let mebibytes = self.pages.len() as f64 / 32.0;
        println!(
            "{mebibytes} MiB in {} pages, median of {rounds}",
            self.pages.len()
        );
        for ((name, _, bound), time) in steps.iter().zip(&medians) {
            let seconds = time.as_secs_f64();
            let ratio = bound.map_or(String::new(), |bound| {
                let (bound_name, ..) = steps[bound];
                let ratio = seconds / medians[bound].as_secs_f64();
                format!(
                    "   {ratio:.2} x {}",
                    bound_name.trim_start_matches("bound: ")
                )
            });
            let speed = mebibytes / seconds;
            println!(
                "{name:32} {:9.2} ms {speed:9.0} MiB/s{ratio}",
                seconds * 1e3
            );
        }
    }

    fn hash_1(&mut self) {
        self.pages.iter().for_each(|page| hash(page));
    }

    fn hash_2(&mut self) {
        in_halves(&self.pages, |pages| {
            pages.iter().for_each(|page| hash(page))
        });
    }

    fn write_bound(&mut self) {
        let _ = self.dir.remove(BOUND_FILE);
        let file = self.dir.create(BOUND_FILE).unwrap();
        let mut offset = 0;
        for pages in self.pages.chunks(32) {
            let bytes = pages.concat();
            file.write_all_at(offset, &bytes).unwrap();
            offset += bytes.len() as u64;
        }
        file.sync().unwrap();
    }

    fn read_and_hash(&mut self) {
        let file = self.dir.open(BOUND_FILE, Access::Read).unwrap();
        let offsets: Vec<u64> = (0..self.pages.len() as u64).collect();
        in_halves(&offsets, |numbers| {
            let read = |number: &u64| {
                let mut page = vec![0; PAGE_BYTES];
                file.read_exact_at(number * PAGE_BYTES as u64, &mut page)
                    .unwrap();
                hash(&page);
                page
            };
            black_box(numbers.iter().map(read).collect::<Vec<_>>());
        });
    }

    fn write(&mut self) {
        self.tx += 1;
        self.manifest = write(&self.snapshots, self.tx, &self.pages);
    }

    /// Removes the snapshot before the newest.
    fn remove(&mut self) {
        let before = SnapshotId(self.tx - 1);
        self.snapshots.remove(before).unwrap();
    }

    fn load(&mut self, mode: LoadMode, verify: Verify) {
        let options = LoadOptions { mode, verify };
        let loaded = self.snapshots.load(&self.manifest, options).unwrap();
        assert_eq!(loaded.section(0).len(), self.pages.len());
        assert!(loaded.section(0)[self.pages.len() / 2].1.check().is_ok());
    }

    fn map(&mut self) {
        let mapped = self.snapshots.map::<Blob>(&self.manifest).unwrap().unwrap();
        let middle = mapped.get(0, self.pages.len() as u64 / 2);
        assert!(middle.unwrap().unwrap().check().is_ok());
    }

    fn read_back(&mut self) {
        let go_on = &mut |_| ControlFlow::Continue(());
        self.snapshots.read_back(&self.manifest, go_on).unwrap();
    }
}

fn write(snapshots: &Snapshots, tx: u64, pages: &[Vec<u8>]) -> Manifest {
    let header = Header {
        log_id: [1; 16],
        tx,
        chain: 1,
        minimum_reader: 1,
        metadata: Vec::new(),
    };
    let mut source = Blobs::new((0..).zip(pages));
    let go_on = &mut |_| ControlFlow::Continue(());
    let written = snapshots.write(&header, &mut [&mut source], go_on);
    written.unwrap().manifest
}

fn hash(page: &[u8]) {
    black_box(blake3::hash(page));
    black_box(crc32c::crc32c(page));
}

fn in_halves<T: Sync>(items: &[T], work: impl Fn(&[T]) + Sync) {
    let (front, back) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| work(front));
        work(back);
    });
}
