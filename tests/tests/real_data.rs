//! Real data: airlines, airports, planes and the first 5,000 flights, imported by a process that is killed again and again in the
//! middle, exported, and equal to their sources byte for byte.
#![allow(clippy::unwrap_used)]

use std::io::BufRead;
use std::path::{Path, PathBuf};

use cairn::{
    Database, Error, NewColumn, NewTable, Options, Origin, ReadOnlyDatabase, ReadOptions, Value,
    View,
};
use cairn_cli::{
    CsvColumn, CsvFile, CsvRecords, NullText, Progress, RowFormat, RowWriter, infer_columns,
    parse_record,
};
use cairn_tests::ChildProcess;

/// File, key, and how many of its rows are used at most.
const SOURCES: [(&str, &[&str], u64); 4] = [
    ("airlines", &["carrier"], u64::MAX),
    ("airports", &["faa"], u64::MAX),
    ("planes", &["tailnum"], u64::MAX),
    (
        "flights",
        &["time_hour", "carrier", "flight", "origin"],
        5_000,
    ),
];
/// How many rows a transaction holds.
const BATCH: u64 = 40;

struct Source {
    name: &'static str,
    columns: Vec<CsvColumn>,
    records: CsvRecords<Box<dyn BufRead>>,
    left: u64,
}

impl Source {
    fn new(name: &'static str, limit: u64) -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/cairn-cli/data");
        let file = CsvFile::new(&data.join(format!("{name}.csv.gz")));
        let mut all = file.records(&Progress::hidden()).unwrap();
        Source {
            name,
            columns: infer_columns(&mut all, &NullText::new("NA"))
                .unwrap()
                .columns,
            records: file.records(&Progress::hidden()).unwrap(),
            left: limit,
        }
    }

    fn table(&self, key: &[&str]) -> NewTable {
        let new = |column: &CsvColumn| {
            let new = NewColumn::new(&column.name, column.column_type);
            if column.nullable { new.nullable() } else { new }
        };
        let table = NewTable::new(self.name);
        let columns = self.columns.iter().map(new);
        columns.fold(table, NewTable::column_with).primary_key(key)
    }

    fn next_row(&mut self) -> Option<Vec<Value>> {
        self.left = self.left.checked_sub(1)?;
        let record = self.records.next_record().unwrap()?;
        let mut row = Vec::new();
        parse_record(record, &self.columns, &NullText::new("NA"), &mut row).unwrap();
        Some(row)
    }
}

fn options() -> Options {
    Options {
        segment_bytes_max: 256 * 1024,
        ..Options::default()
    }
}

/// Goes on with the import where the database ends, one batch in each transaction.
fn import(dir: &Path, after_each_batch: impl Fn(&Database)) {
    let database = Database::open_with(dir, options(), |_| Ok::<(), Error>(())).unwrap();
    for (name, key, limit) in SOURCES {
        let mut source = Source::new(name, limit);
        let kept = match database.view().table(name) {
            Ok(table) => table.row_count(),
            Err(_) => {
                database
                    .write(|tx| tx.create_table(&source.table(key)))
                    .unwrap();
                0
            }
        };
        for _ in 0..kept {
            source.next_row().unwrap();
        }
        loop {
            let inserted = database.write(|tx| {
                let mut count = 0;
                while count < BATCH
                    && let Some(row) = source.next_row()
                {
                    tx.insert_row(name, row)?;
                    count += 1;
                }
                Ok::<u64, Error>(count)
            });
            if inserted.unwrap() == 0 {
                break;
            }
            after_each_batch(&database);
        }
    }
    database.close().unwrap();
}

/// Not a test of its own: the process that is killed.
#[test]
fn child() {
    if let Some((dir, _)) = ChildProcess::orders() {
        import(&dir, |database| {
            ChildProcess::say("acknowledged", rows(&database.view()))
        });
        ChildProcess::say("done", 0);
    }
}

/// How many rows all the tables have; each must end at a batch, or at its source's end.
fn rows(view: &View) -> u64 {
    let tables = SOURCES
        .iter()
        .filter_map(|(name, ..)| view.table(name).ok());
    tables.map(|table| table.row_count()).sum()
}

/// A table as CSV, in the order of its rows, which is that of the source: nothing was deleted.
fn exported(view: &View, name: &str) -> Vec<Vec<u8>> {
    let table = view.table(name).unwrap();
    let names = table
        .definition()
        .columns()
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let format = RowFormat::Csv {
        null_text: NullText::new("NA"),
    };
    let mut writer = RowWriter::new(Vec::new(), format, names).unwrap();
    for row in table.scan() {
        let values = row.unwrap().values().unwrap();
        writer.write(values.iter().map(Value::as_ref)).unwrap();
    }
    sorted_lines(&writer.finish().unwrap())
}

fn sorted_lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    lines.sort();
    lines
}

fn source_lines(name: &'static str, limit: u64) -> Vec<Vec<u8>> {
    let mut source = Source::new(name, limit);
    let names = source
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let format = RowFormat::Csv {
        null_text: NullText::new("NA"),
    };
    let mut writer = RowWriter::new(Vec::new(), format, names).unwrap();
    while let Some(row) = source.next_row() {
        writer.write(row.iter().map(Value::as_ref)).unwrap();
    }
    sorted_lines(&writer.finish().unwrap())
}

#[test]
fn an_import_that_is_killed_again_and_again_ends_as_its_sources() {
    let temporary = tempfile::tempdir().unwrap();
    let dir: PathBuf = temporary.path().join("database");
    // Killed in the middle of airports, planes and flights.
    for kill_at in [200, 1_000, 3_000, 6_500] {
        let mut child = ChildProcess::start("child", &dir, "import");
        let mut known = 0;
        while known < kill_at {
            let (what, count) = child.hear().unwrap();
            assert_eq!(what, "acknowledged");
            known = count;
        }
        child.kill();
        while let Some((_, count)) = child.hear() {
            known = count;
        }
        let database = ReadOnlyDatabase::open_with(
            &dir,
            &ReadOptions {
                unproven: true,
                ..ReadOptions::default()
            },
        );
        let view = database.unwrap().view();
        let found = rows(&view);
        assert!(
            found == known || found <= known + BATCH,
            "{found} rows of {known}"
        );
        assert!(found >= known, "{found} rows of {known}");
        for (name, ..) in SOURCES {
            if let Ok(table) = view.table(name) {
                let whole = table.row_count().is_multiple_of(BATCH);
                let ended = [16, 1_458, 3_322].contains(&table.row_count());
                assert!(
                    whole || ended,
                    "{name} ends within a batch: {}",
                    table.row_count()
                );
            }
        }
    }
    let mut child = ChildProcess::start("child", &dir, "import");
    while let Some((what, _)) = child.hear() {
        if what == "done" {
            break;
        }
    }
    drop(child);

    let database = Database::open_with(&dir, options(), |_| Ok::<(), Error>(())).unwrap();
    let view = database.view();
    for (name, _, limit) in SOURCES {
        assert!(
            exported(&view, name) == source_lines(name, limit),
            "{name} differs from its source"
        );
    }
    assert_eq!(rows(&view), 16 + 1_458 + 3_322 + 5_000);
    let digest = view.digest().unwrap();
    database.snapshot().unwrap();
    database.close().unwrap();
    for ignore_snapshots in [false, true] {
        let options = ReadOptions {
            ignore_snapshots,
            ..ReadOptions::default()
        };
        let database = ReadOnlyDatabase::open_with(&dir, &options).unwrap();
        let from_snapshot = matches!(database.report().origin, Origin::Snapshot { .. });
        assert_eq!(from_snapshot, !ignore_snapshots);
        assert_eq!(database.view().digest().unwrap(), digest);
    }
}
