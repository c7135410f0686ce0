//! The four files that ship with the command, inferred, parsed and printed: the same bytes come out.

#![allow(clippy::unwrap_used, clippy::disallowed_types)]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cairn_cli::{
    CsvFile, InferredColumns, NullText, Progress, RowFormat, RowWriter, infer_columns, parse_record,
};
use flate2::read::GzDecoder;
use table::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name)
}

/// The columns as `name type`, with `?` where they may be null, and why they are no narrower type.
fn shown(inferred: &InferredColumns) -> Vec<String> {
    let columns = inferred.columns.iter().zip(&inferred.near_misses);
    columns
        .map(|(column, near_miss)| {
            let null = if column.nullable { "?" } else { "" };
            let why = near_miss
                .as_ref()
                .map_or_else(String::new, |near_miss| format!(" ({near_miss})"));
            format!("{} {}{null}{why}", column.name, column.column_type)
        })
        .collect()
}

fn check(name: &str, row_count: u64, columns: &[&str]) {
    let file = CsvFile::new(&data(name));
    let null_text = NullText::new("NA");
    let mut records = file.records(&Progress::hidden()).unwrap();
    let inferred = infer_columns(&mut records, &null_text).unwrap();
    assert_eq!(inferred.row_count, row_count);
    assert_eq!(shown(&inferred), columns);

    let mut records = file.records(&Progress::hidden()).unwrap();
    let format = RowFormat::Csv {
        null_text: null_text.clone(),
    };
    let mut writer = RowWriter::new(Vec::new(), format, records.columns().to_vec()).unwrap();
    let mut row = Vec::new();
    while let Some(record) = records.next_record().unwrap() {
        parse_record(record, &inferred.columns, &null_text, &mut row).unwrap();
        writer.write(row.iter().map(Value::as_ref)).unwrap();
    }
    let printed = writer.finish().unwrap();
    let mut source = Vec::new();
    GzDecoder::new(File::open(data(name)).unwrap())
        .read_to_end(&mut source)
        .unwrap();
    assert!(printed == source, "{name} does not print back to itself");
}

#[test]
fn airlines_print_back() {
    check("airlines.csv.gz", 16, &["carrier string", "name string"]);
}

#[test]
fn airports_print_back() {
    let columns = [
        "faa string",
        "name string",
        "lat string (no f64: line 11 has \"48.053808600000004\", which would come back as \"48.0538086\")",
        "lon string (no f64: line 629 has \"-72.886806000000007\", which would come back as \"-72.886806\")",
        "alt i64",
        "tz i64",
        "dst string",
        "tzone string?",
    ];
    check("airports.csv.gz", 1_458, &columns);
}

#[test]
fn planes_print_back() {
    let columns = [
        "tailnum string",
        "year i64?",
        "type string",
        "manufacturer string",
        "model string",
        "engines i64",
        "seats i64",
        "speed i64?",
        "engine string",
    ];
    check("planes.csv.gz", 3_322, &columns);
}

#[test]
fn flights_print_back() {
    let columns = [
        "year i64",
        "month i64",
        "day i64",
        "dep_time i64?",
        "sched_dep_time i64",
        "dep_delay i64?",
        "arr_time i64?",
        "sched_arr_time i64",
        "arr_delay i64?",
        "carrier string",
        "flight i64",
        "tailnum string?",
        "origin string",
        "dest string",
        "air_time i64?",
        "distance i64",
        "hour i64",
        "minute i64",
        "time_hour timestamp",
    ];
    check("flights.csv.gz", 336_776, &columns);
}
