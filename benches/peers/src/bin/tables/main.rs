//! The work of a table in memory, done by Cairn's `table` and by the stores that people use instead.
//!
//! All of them hold the same rows of (u64 key, i64, f64, 32-byte string), do the same work in interleaved rounds, and every answer is
//! compared. What is printed is speed relative to the standard library's `HashMap<u64, Vec<u8>>`, or to its `BTreeMap` where an order is
//! needed: see `README.md`.

mod engine;
mod engines;
mod row;
mod work;

use std::process::ExitCode;
use std::time::Instant;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::ASCII_MARKDOWN};

use work::{WORKS, round};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rows = match arguments.as_slice() {
        [] => 1_000_000,
        [flag] if flag == "--quick" => 100_000,
        _ => {
            eprintln!("usage: cargo run --release --bin tables [-- --quick]");
            return ExitCode::FAILURE;
        }
    };
    let start = Instant::now();
    // Odd, so that there is a median.
    let rounds = 3;
    let makers = engines::all();
    for make in &makers {
        let engine = make();
        println!("- {}: {}", engine.name(), engine.settings());
    }
    println!();
    // By work, then by engine, then by round: nanoseconds for each row.
    let mut times = vec![vec![Vec::new(); makers.len()]; WORKS.len()];
    for number in 0..rounds {
        for (place, make) in makers.iter().enumerate() {
            let mut engine = make();
            eprintln!("round {} of {rounds}: {}", number + 1, engine.name());
            for (work, time) in round(engine.as_mut(), rows).into_iter().enumerate() {
                times[work][place].push(time);
            }
        }
    }
    print(&makers, &times, rows);
    eprintln!("{:.0} s", start.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

fn print(makers: &[engines::Make], times: &[Vec<Vec<f64>>], rows: u32) {
    let mut table = Table::new();
    table
        .load_preset(ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled);
    let names: Vec<&str> = makers.iter().map(|make| make().name()).collect();
    let header = ["work", "bound", "bound, each"].into_iter();
    table.set_header(header.chain(names[1..].iter().copied()));
    for (name, engines) in WORKS.iter().zip(times) {
        let able = |times: &Vec<f64>| times.iter().all(|time| time.is_finite());
        let first = engines.iter().position(able).expect("somebody can do it");
        let bound = &engines[first];
        let mut line = vec![
            (*name).to_owned(),
            names[first].to_owned(),
            format!("{:.1} ns", median(bound)),
        ];
        line.extend(engines[1..].iter().map(|times| match able(times) {
            true => shown(bound, times),
            false => "-".to_owned(),
        }));
        table.add_row(line);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}\n");
    println!(
        "{rows} rows. Speed relative to the bound in the same round: 1 is as fast, more is faster. Median and range."
    );
}

/// How many times as fast as the bound, round by round.
fn shown(bound: &[f64], times: &[f64]) -> String {
    let mut ratios: Vec<f64> = bound.iter().zip(times).map(|(b, t)| b / t).collect();
    ratios.sort_by(f64::total_cmp);
    let (lowest, highest) = (ratios[0], ratios[ratios.len() - 1]);
    format!("{:.2} ({lowest:.2}-{highest:.2})", median(&ratios))
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
