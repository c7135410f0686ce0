//! The work of a log, done by Cairn's `commitlog` and by the logs and stores that people use instead.
//!
//! All of them do the same work in interleaved rounds, each with its best settings for the same promise, and each result is read
//! back and compared. What is printed is speed relative to a bare file in the same run: see `README.md`.

mod comparison;
mod records;
mod report;
mod rival;
mod rivals;
mod work;

use std::process::ExitCode;
use std::time::Instant;

use comparison::compare;
use work::Work;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = match arguments.as_slice() {
        [] => false,
        [flag] if flag == "--quick" => true,
        _ => {
            eprintln!("usage: cargo run --release [-- --quick]");
            return ExitCode::FAILURE;
        }
    };
    let start = Instant::now();
    // Odd, so that there is a median.
    let rounds = if quick { 3 } else { 7 };
    let bound = rivals::bound();
    let checksum_pass = rivals::checksum_pass();
    let rivals = rivals::all();
    let mut everybody = vec![bound.as_ref(), checksum_pass.as_ref()];
    everybody.extend(rivals.iter().map(AsRef::as_ref));
    report::print_settings(&everybody);
    let mut comparisons = Vec::new();
    for work in works(quick) {
        let mut bounds = vec![bound.as_ref()];
        if matches!(work, Work::Replay { .. }) {
            bounds.push(checksum_pass.as_ref());
        }
        for bound in bounds {
            eprintln!("{}, against {}", work.name(), bound.name());
            comparisons.push(compare(work, bound, &rivals, rounds));
        }
    }
    report::print_table(&rivals, &comparisons, rounds);
    eprintln!("{:.0} s", start.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

fn works(quick: bool) -> Vec<Work> {
    let share = if quick { 4 } else { 1 };
    let mut works = Vec::new();
    for (bytes, records) in [(64, 20_000), (256, 20_000), (4096, 4_000)] {
        for batch in [1, 100] {
            works.push(Work::Append {
                bytes,
                batch,
                records: records / share,
            });
        }
    }
    for (threads, records_each) in [(1, 200), (8, 40), (64, 12)] {
        works.push(Work::Durable {
            threads,
            bytes: 256,
            records_each: records_each / share,
        });
    }
    let records = 32_000 / share;
    works.push(Work::Replay {
        bytes: 256,
        records,
    });
    works.push(Work::Open {
        bytes: 256,
        records,
    });
    works
}
