//! Real data: airlines, airports, planes, weather and flights, every row of them, imported by a process that is killed again and
//! again in the middle; what is exported are the lines of the files.
#![allow(clippy::unwrap_used, clippy::disallowed_types)]

use std::fs::File;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use cairn::{
    Database, Error, NewColumn, NewTable, Options, Origin, ReadOnlyDatabase, ReadOptions,
    SnapshotPolicy, Value, View,
};
use cairn_cli::{
    CsvColumn, CsvFile, CsvRecords, NullText, Progress, RowFormat, RowWriter, infer_columns,
    parse_record,
};
use cairn_tests::ChildProcess;
use flate2::read::GzDecoder;

/// File, key, and how many rows it has.
const SOURCES: [(&str, &[&str], u64); 5] = [
    ("airlines", &["carrier"], 16),
    ("airports", &["faa"], 1_458),
    ("planes", &["tailnum"], 3_322),
    ("weather", &["origin", "time_hour"], 26_115),
    (
        "flights",
        &["time_hour", "carrier", "flight", "origin"],
        336_776,
    ),
];
/// How many rows a transaction holds.
const BATCH: u64 = 500;
/// The import is killed when so many rows were acknowledged: in the middle of airports, weather and flights.
const KILLS: [u64; 3] = [1_000, 20_000, 150_000];

/// A file that ships with the command.
fn path(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/cairn-cli/data");
    data.join(format!("{name}.csv.gz"))
}

struct Source {
    name: &'static str,
    columns: Vec<CsvColumn>,
    records: CsvRecords<Box<dyn BufRead>>,
}

impl Source {
    fn new(name: &'static str) -> Self {
        let file = CsvFile::new(&path(name));
        let mut all = file.records(&Progress::hidden()).unwrap();
        Source {
            name,
            columns: infer_columns(&mut all, &NullText::new("NA"))
                .unwrap()
                .columns,
            records: file.records(&Progress::hidden()).unwrap(),
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
        let record = self.records.next_record().unwrap()?;
        let mut row = Vec::new();
        parse_record(record, &self.columns, &NullText::new("NA"), &mut row).unwrap();
        Some(row)
    }
}

fn options() -> Options {
    Options {
        segment_bytes_max: 4 << 20,
        // The log is to be read alone at the end.
        snapshots: SnapshotPolicy::by_hand(),
        ..Options::default()
    }
}

/// Goes on with the import where the database ends, one batch in each transaction.
fn import(dir: &Path, after_each_batch: impl Fn(&Database)) {
    let database = Database::open_with(dir, options(), |_| Ok::<(), Error>(())).unwrap();
    for (name, key, row_count) in SOURCES {
        let kept = database.view().table(name).map(|table| table.row_count());
        if kept.as_ref().is_ok_and(|kept| *kept == row_count) {
            continue;
        }
        let mut source = Source::new(name);
        if kept.is_err() {
            let created = database.write(|tx| tx.create_table(&source.table(key)));
            created.unwrap();
        }
        for _ in 0..kept.unwrap_or(0) {
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

/// The lines of a table as CSV.
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

/// The lines of a file, as they stand in it: nothing of ours has read them.
fn source_lines(name: &str) -> Vec<Vec<u8>> {
    let mut text = Vec::new();
    let mut gzip = GzDecoder::new(File::open(path(name)).unwrap());
    gzip.read_to_end(&mut text).unwrap();
    sorted_lines(&text)
}

#[test]
fn an_import_that_is_killed_again_and_again_ends_as_its_sources() {
    let temporary = tempfile::tempdir().unwrap();
    let dir: PathBuf = temporary.path().join("database");
    for kill_at in KILLS {
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
        for (name, _, row_count) in SOURCES {
            if let Ok(table) = view.table(name) {
                let found = table.row_count();
                assert!(
                    found.is_multiple_of(BATCH) || found == row_count,
                    "{name} ends within a batch: {found}"
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
    for (name, _, row_count) in SOURCES {
        assert_eq!(view.table(name).unwrap().row_count(), row_count);
        assert!(
            exported(&view, name) == source_lines(name),
            "{name} differs from its source"
        );
    }
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
