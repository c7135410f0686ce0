//! How fast the disk layer is, and what bounds it.
//!
//! | measured | bound | ratio seen |
//! |---|---|---|
//! | `write_all_at` of 256 B | the same system call with no bytes | 1.1 us to 0.14 us: the copy into the cache |
//! | append of 256 B and sync, zero-filled | a sync of nothing | 1 to 1.5, within the noise |
//! | append of 256 B and sync, growing | the same, zero-filled | 19 on a busy device; the growing file pays for its metadata |
//! | summing over a map | summing over memory | 1.1 |
//! | a fork of a simulated disk and a power cut on it | 20 us, so that 50,000 states take a second | 0.07 |
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use disk::{Choice, Crash, File, OsDir, SimDisk};

const RECORD_BYTES: usize = 256;
const FILE_BYTES: u64 = 64 << 20;

/// Writes round and round in one file.
fn write(criterion: &mut Criterion) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::open(temporary.path()).unwrap();
    let file = dir.create("file").unwrap();
    file.write_all_at(0, &vec![0; 1 << 20]).unwrap();
    let mut group = criterion.benchmark_group("write_all_at");
    group.throughput(Throughput::Bytes(RECORD_BYTES as u64));
    let mut offset = 0;
    let mut next = || {
        offset = (offset + RECORD_BYTES as u64) % (1 << 20);
        offset
    };
    let record = [7; RECORD_BYTES];
    group.bench_function("256 B", |bencher| {
        bencher.iter(|| file.write_all_at(next(), &record).unwrap());
    });
    group.bench_function("bound: a write of nothing", |bencher| {
        bencher.iter(|| file.write_at(next(), &[]).unwrap());
    });
    let simulated = SimDisk::new(1).root().create("file").unwrap();
    group.bench_function("256 B, simulated", |bencher| {
        bencher.iter(|| simulated.write_all_at(next(), &record).unwrap());
    });
    group.finish();
}

fn append_and_sync(criterion: &mut Criterion) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::open(temporary.path()).unwrap();
    let mut group = criterion.benchmark_group("append and sync");
    group.sample_size(30);
    let mut run = |name: &str, file: &dyn File, bytes: &[u8]| {
        let mut offset = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                file.write_all_at(offset, bytes).unwrap();
                file.sync().unwrap();
                offset += bytes.len() as u64;
            });
        });
    };
    let record = [7; RECORD_BYTES];
    let growing = dir.create("growing").unwrap();
    run("256 B, growing", &*growing, &record);
    let zeroed = dir.create("zeroed").unwrap();
    zeroed.write_all_at(0, &vec![0; 32 << 20]).unwrap();
    zeroed.sync().unwrap();
    run("256 B, zero-filled", &*zeroed, &record);
    let nothing = dir.create("nothing").unwrap();
    run("bound: a sync of nothing", &*nothing, &[]);
    group.finish();
}

fn map(criterion: &mut Criterion) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::open(temporary.path()).unwrap();
    let file = dir.create("file").unwrap();
    let bytes = vec![7; usize::try_from(FILE_BYTES).unwrap()];
    file.write_all_at(0, &bytes).unwrap();
    let mut target = vec![0; bytes.len()];
    let mut group = criterion.benchmark_group("read 64 MiB");
    group.throughput(Throughput::Bytes(FILE_BYTES));
    group.sample_size(20);
    let map = file.map(0..FILE_BYTES).unwrap();
    group.bench_function("sum over a map", |bencher| bencher.iter(|| sum(&map)));
    group.bench_function("bound: sum over memory", |bencher| {
        bencher.iter(|| sum(&bytes));
    });
    group.bench_function("copy out of a map", |bencher| {
        bencher.iter(|| target.copy_from_slice(black_box(&map)));
    });
    group.bench_function("read_exact_at", |bencher| {
        bencher.iter(|| file.read_exact_at(0, black_box(&mut target)).unwrap());
    });
    group.bench_function("bound: memcpy", |bencher| {
        bencher.iter(|| target.copy_from_slice(black_box(&bytes)));
    });
    group.finish();
}

fn sum(bytes: &[u8]) -> u64 {
    let words = black_box(bytes).chunks_exact(8);
    let words = words.map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    words.fold(0, u64::wrapping_add)
}

/// A small database's worth of files: three logs of 64 KiB, the last with some unsynced sectors.
fn small_disk() -> SimDisk {
    let disk = SimDisk::new(1);
    let root = disk.root();
    let dir = root.create_dir_durable("log").unwrap();
    for name in ["1.log", "2.log", "3.log"] {
        let file = dir.create(name).unwrap();
        file.write_all_at(0, &[7; 64 * 1024]).unwrap();
        file.sync().unwrap();
        dir.sync().unwrap();
    }
    let file = dir.open("3.log", disk::Access::ReadWrite).unwrap();
    file.write_all_at(60_000, &[8; 1500]).unwrap();
    drop(dir.create("4.tmp").unwrap());
    disk
}

fn simulated(criterion: &mut Criterion) {
    let disk = small_disk();
    let mut group = criterion.benchmark_group("simulated");
    group.bench_function("fork", |bencher| bencher.iter(|| disk.fork()));
    let mut seed = 0;
    group.bench_function("fork and power cut", |bencher| {
        bencher.iter(|| {
            seed += 1;
            let fork = disk.fork();
            fork.crash(Crash::Power(Choice::Seed(seed)));
            fork
        });
    });
    group.bench_function("fork, power cut, first write", |bencher| {
        bencher.iter(|| {
            seed += 1;
            let fork = disk.fork();
            fork.crash(Crash::Power(Choice::Seed(seed)));
            let dir = fork.root().open_dir("log").unwrap();
            let file = dir.open("3.log", disk::Access::ReadWrite).unwrap();
            file.write_all_at(60_000, &[9; 1500]).unwrap();
            file.sync().unwrap();
            fork
        });
    });
    group.bench_function("digest of 192 KiB", |bencher| {
        bencher.iter(|| disk.digest())
    });
    group.bench_function("all power cuts", |bencher| {
        bencher.iter_batched(
            || disk.fork(),
            |disk| disk.power_cuts(1000, 1).len(),
            BatchSize::SmallInput,
        );
    });
    println!("power states: {}", disk.power_states());
    group.finish();
}

criterion_group!(benches, write, append_and_sync, map, simulated);
criterion_main!(benches);
