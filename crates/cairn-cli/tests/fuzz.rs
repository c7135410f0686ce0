//! Any bytes as a CSV file: reading them never panics, and what was read prints and reads back as the same values.
//!
//! `CAIRN_SEEDS=N` tries N seeds, `CAIRN_MINUTES=N` goes on for N minutes, `CAIRN_SEED=S` replays the seed S.

#![allow(clippy::unwrap_used)]

use std::env;
use std::time::{Duration, Instant};

use cairn_cli::{
    CsvError, CsvRecords, InferredColumns, NullText, RowFormat, RowWriter, infer_columns,
    parse_record,
};
use table::Value;

const SEEDS: u64 = 20_000;

/// What files are made of: all that means something, and cells that lie on the border of a type.
const PIECES: [&[u8]; 30] = [
    b",",
    b",",
    b",",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"\"",
    b"a",
    b"NA",
    b"\"NA\"",
    b"\"a,b\"",
    b" ",
    b"0",
    b"1",
    b"-",
    b"007",
    b"0.5",
    b"1e3",
    b"9223372036854775808",
    b"true",
    b"2013-01-01T06:00:00Z",
    b"inf",
    b"NaN",
    b"\xEF\xBB\xBF",
    b"\xC3",
    b"\xA9",
    "é".as_bytes(),
    b"\0",
];

#[derive(Debug, Default, PartialEq)]
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// The table in a file; the types come from the file, unless they are given.
fn read(data: &[u8], null_text: &NullText) -> Result<(Table, InferredColumns), CsvError> {
    let inferred = infer_columns(&mut CsvRecords::new(data, "fuzz.csv")?, null_text)?;
    let mut records = CsvRecords::new(data, "fuzz.csv")?;
    let mut table = Table {
        columns: records.columns().to_vec(),
        rows: Vec::new(),
    };
    let mut row = Vec::new();
    while let Some(record) = records.next_record()? {
        parse_record(record, &inferred.columns, null_text, &mut row).unwrap();
        table.rows.push(row.clone());
    }
    Ok((table, inferred))
}

fn fuzz_csv(data: &[u8]) -> bool {
    let null_text = NullText::new("NA");
    let Ok((table, inferred)) = read(data, &null_text) else {
        return false;
    };
    assert_eq!(inferred.row_count, table.rows.len() as u64);
    let format = RowFormat::Csv {
        null_text: null_text.clone(),
    };
    let mut writer = RowWriter::new(Vec::new(), format, table.columns.clone()).unwrap();
    for row in &table.rows {
        writer.write(row.iter().map(Value::as_ref)).unwrap();
    }
    let printed = writer.finish().unwrap();
    let (again, inferred_again) = read(&printed, &null_text).unwrap();
    assert_eq!(again, table);
    assert_eq!(inferred_again.columns, inferred.columns);
    true
}

/// The next number of a sequence that its seed determines.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 16
}

/// Half of the files have straight columns, so that many of them can be read.
fn file_of(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut piece = || PIECES[usize::try_from(next(&mut state) % PIECES.len() as u64).unwrap()];
    if seed.is_multiple_of(2) {
        return (0..seed % 60).flat_map(|_| piece().to_vec()).collect();
    }
    let columns = seed % 4 + 1;
    let mut data: Vec<u8> = (0..columns)
        .flat_map(|column| format!("c{column},").into_bytes())
        .collect();
    for _ in 0..seed % 7 {
        *data.last_mut().unwrap() = b'\n';
        for _ in 0..columns {
            data.extend_from_slice(piece());
            data.push(b',');
        }
    }
    data.pop();
    data
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

#[test]
fn any_bytes_are_read_or_refused() {
    if let Some(seed) = number("CAIRN_SEED") {
        let data = file_of(seed);
        println!("seed {seed}: {:?}", String::from_utf8_lossy(&data));
        fuzz_csv(&data);
        return;
    }
    let end =
        number("CAIRN_MINUTES").map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    let seeds = number("CAIRN_SEEDS").unwrap_or(SEEDS);
    let mut understood = 0;
    let mut tried = 0;
    while tried < seeds || end.is_some_and(|end| Instant::now() < end) {
        let seed = tried;
        let outcome = std::panic::catch_unwind(|| fuzz_csv(&file_of(seed)));
        match outcome {
            Ok(read) => understood += u64::from(read),
            Err(panic) => {
                println!(
                    "replay: CAIRN_SEED={seed} cargo test -p cairn-cli --test fuzz -- --nocapture"
                );
                std::panic::resume_unwind(panic);
            }
        }
        tried += 1;
    }
    println!("{tried} files, {understood} of them readable");
    assert!(
        understood * 10 > tried,
        "most files are refused; they test nothing"
    );
}
