//! How soon a database on a disk can be read after it was opened, and how long a copy of all of it takes: Cairn, and what people use instead.
//!
//! All of them hold the same rows of (u64 key, i64, f64, 32-byte string), and every row that is read is compared. What is printed is time, and how many times
//! that of Cairn's mapped open it is, or of a bare copy: see `README.md`. Each open is by a process of its own, as it is in life: what others have left in the memory
//! of one that goes on would be measured too.

mod engine;
mod engines;
#[path = "../tables/row.rs"]
mod row;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::ASCII_MARKDOWN};

use engine::Engine;
use row::{Texts, key};

const ROUNDS: u64 = 7;
/// An open that takes longer is not done so often.
const LONG: Duration = Duration::from_secs(2);

/// What was measured of an engine, in seconds.
#[derive(Default)]
struct Times {
    opens: Vec<f64>,
    copies: Vec<f64>,
    bytes: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let engines = engines::all();
    let rows = match arguments.as_slice() {
        [] => Some(1_000_000),
        [flag] if flag == "--quick" => Some(100_000),
        [rows] => rows.parse().ok().filter(|rows| *rows > 0),
        [flag, name, dir, to, place] if flag == "--one" => {
            let engine = engines.iter().find(|engine| engine.name() == name);
            let place = place.parse().expect("it is a number");
            measure(
                engine.expect("it takes part").as_ref(),
                Path::new(dir),
                Path::new(to),
                place,
            );
            return ExitCode::SUCCESS;
        }
        _ => None,
    };
    let Some(rows) = rows else {
        eprintln!("usage: cargo run --release --bin open [-- --quick | ROWS]");
        return ExitCode::FAILURE;
    };
    for engine in &engines {
        println!("- {}: {}", engine.name(), engine.settings());
    }
    println!();
    let temporary = tempfile::tempdir().expect("there is a directory for that");
    let dirs: Vec<PathBuf> = (0..engines.len())
        .map(|place| temporary.path().join(place.to_string()))
        .collect();
    let mut times: Vec<Times> = Vec::new();
    for (engine, dir) in engines.iter().zip(&dirs) {
        eprintln!("fill: {}", engine.name());
        std::fs::create_dir(dir).expect("the directory is ours");
        engine.fill(dir, rows);
        times.push(Times {
            bytes: bytes_of(dir),
            ..Times::default()
        });
    }
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        for ((engine, dir), times) in engines.iter().zip(&dirs).zip(&mut times) {
            let is_slow = times.opens.iter().any(|time| *time > LONG.as_secs_f64());
            if !is_slow || round % 3 == 0 {
                let to = temporary.path().join("copy");
                have_measured(engine.as_ref(), dir, &to, round * 1_013 % rows, times);
            }
        }
    }
    print(&engines, &times, rows);
    ExitCode::SUCCESS
}

/// Has a process of its own measure, on a disk that has nothing else to do.
fn have_measured(engine: &dyn Engine, dir: &Path, to: &Path, place: u64, times: &mut Times) {
    std::fs::create_dir(to).expect("the directory is ours");
    let synced = Command::new("sync").status();
    assert!(synced.expect("there is such a command").success());
    let program = std::env::current_exe().expect("it runs");
    let measured = Command::new(program)
        .args(["--one", engine.name()])
        .args([dir, to])
        .arg(place.to_string())
        .stderr(Stdio::inherit())
        .output()
        .expect("it ran before");
    assert!(measured.status.success(), "{} failed", engine.name());
    let told = String::from_utf8(measured.stdout).expect("it tells numbers");
    let mut seconds = told
        .lines()
        .map(|line| line.parse::<f64>().expect("it tells numbers"));
    times.opens.extend(seconds.next());
    times.copies.extend(seconds.next());
    std::fs::remove_dir_all(to).expect("the directory is ours");
}

/// Opens, reads a row, and copies all of it. Prints how many seconds each took.
fn measure(engine: &dyn Engine, dir: &Path, to: &Path, place: u64) {
    let begun = Instant::now();
    let (digest, opened) = engine.find_first(dir, key(place));
    println!("{}", begun.elapsed().as_secs_f64());
    let expected = Texts::default().row(place).digest();
    assert_eq!(digest, expected, "{} found another row", engine.name());
    if engine.no_copy().is_none() {
        let begun = Instant::now();
        opened.copy(to);
        println!("{}", begun.elapsed().as_secs_f64());
    }
}

/// How many bytes of the disk the files of a directory take.
fn bytes_of(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(dir).expect("the directory is ours");
    let sizes = entries.map(|entry| {
        let entry = entry.expect("the directory is ours");
        let metadata = entry.metadata().expect("the file is ours");
        match metadata.is_dir() {
            true => bytes_of(&entry.path()),
            false => metadata.blocks() * 512,
        }
    });
    sizes.sum()
}

fn print(engines: &[Box<dyn Engine>], times: &[Times], rows: u64) {
    let mut table = Table::new();
    table
        .load_preset(ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "",
        "open to first read",
        "of Cairn, mapped",
        "copy of all",
        "of a bare copy",
        "MiB on disk",
    ]);
    let (bound, cairn) = (&times[0], &times[1]);
    for (engine, times) in engines.iter().zip(times) {
        let copy = match engine.no_copy() {
            None => [seconds(&times.copies), shown(&times.copies, &bound.copies)],
            Some(_) => ["-".to_owned(), "-".to_owned()],
        };
        let opens = [seconds(&times.opens), shown(&times.opens, &cairn.opens)];
        let bytes = [(times.bytes >> 20).to_string()];
        let name = [engine.name().to_owned()];
        table.add_row(name.into_iter().chain(opens).chain(copy).chain(bytes));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}\n");
    println!(
        "{rows} rows. Medians, and how many times as long as the other in the same round: more is slower."
    );
    for engine in engines {
        if let Some(why) = engine.no_copy() {
            println!("- {}: {why}", engine.name());
        }
    }
}

fn seconds(times: &[f64]) -> String {
    format!("{:.2?}", Duration::from_secs_f64(median(times)))
}

/// How many times as long as the other, by the medians.
fn shown(times: &[f64], other: &[f64]) -> String {
    format!("{:.2}", median(times) / median(other))
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
