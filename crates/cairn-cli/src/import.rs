//! `cairn import`: a CSV file becomes rows of a table.

use std::io::{BufRead, Write};

use cairn::{Database, NewTable, Transaction, Value};

use crate::cli::ImportOptions;
use crate::column_position::column_position;
use crate::csv_columns::{CsvColumn, InferredColumns, infer_columns, new_table, parse_record};
use crate::csv_file::CsvFile;
use crate::csv_records::CsvRecords;
use crate::failure::Failure;
use crate::null_text::NullText;
use crate::opening::open_to_write;
use crate::output::Output;
use crate::progress::Progress;

/// Imports a file: types from all lines first, then the rows, in one transaction or in batches. What is said on the way is
/// not what it is for: if nobody reads that, it is done all the same.
///
/// # Errors
/// A line that can not be read, a row that is refused; it is named, and what was kept before it is printed. A commit that failed:
/// which transaction may or may not be there, and why.
pub(crate) fn import(options: &ImportOptions, output: &mut Output) -> Result<(), Failure> {
    let file = CsvFile::new(&options.file);
    let null_text = &options.null;
    let bytes = file.bytes_on_disk()?;
    let inferred = if options.append {
        None
    } else {
        let progress = Progress::new("looking at every line", bytes);
        let inferred = infer_columns(&mut file.records(&progress)?, null_text);
        progress.finish();
        Some(inferred?)
    };
    if let Some(inferred) = &inferred {
        heard_or_not(show_columns(inferred, output))?;
    }
    let database = open_to_write(&options.dir, !options.append)?;
    import_into(database, options, inferred.as_ref(), &file, bytes, output)
}

fn import_into<W: Write>(
    database: Database,
    options: &ImportOptions,
    inferred: Option<&InferredColumns>,
    file: &CsvFile,
    bytes: u64,
    output: &mut Output<W>,
) -> Result<(), Failure> {
    let progress = Progress::new("importing", bytes);
    let mut records = file.records(&progress)?;
    let columns = match inferred {
        Some(inferred) => inferred.columns.clone(),
        None => existing_columns(&database, &options.table, records.columns())?,
    };
    let key: Vec<&str> = options.primary_key.iter().map(String::as_str).collect();
    let new_table = inferred.map(|_| new_table(&options.table, &columns, &key));
    let mut import = Import {
        records: &mut records,
        columns: &columns,
        null_text: &options.null,
        row: Vec::new(),
    };
    let result = import.run(&database, options, new_table.as_ref());
    progress.finish();
    let (kept, transactions, failure) = result;
    let said = heard_or_not(show_kept(&options.table, kept, transactions, output));
    let closed = database.close();
    // A database that failed does not close well either, and can only say that it failed.
    if let Some(failure) = failure {
        return Err(failure);
    }
    closed?;
    said
}

struct Import<'i, R> {
    records: &'i mut CsvRecords<R>,
    columns: &'i [CsvColumn],
    null_text: &'i NullText,
    row: Vec<Value>,
}

impl<R: BufRead> Import<'_, R> {
    /// How many rows and transactions were kept, and what ended it early.
    fn run(
        &mut self,
        database: &Database,
        options: &ImportOptions,
        new_table: Option<&NewTable>,
    ) -> (u64, u64, Option<Failure>) {
        let (mut kept, mut transactions) = (0, 0);
        let limit = options.batch.unwrap_or(u64::MAX);
        loop {
            let written = database.write_numbered(|tx| {
                if let Some(table) = new_table.filter(|_| transactions == 0) {
                    tx.create_table(table)?;
                }
                self.fill(tx, &options.table, limit)
            });
            match written {
                Ok((rows, committed)) => {
                    kept += rows;
                    transactions += u64::from(committed.tx.is_some());
                    if rows < limit {
                        return (kept, transactions, None);
                    }
                }
                Err(error) => return (kept, transactions, Some(error.into())),
            }
        }
    }

    /// Adds up to `limit` rows; fewer only at the end of the file.
    fn fill(&mut self, tx: &mut Transaction<'_>, table: &str, limit: u64) -> Result<u64, Failure> {
        let names: Vec<&str> = self
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let mut count = 0;
        while count < limit {
            let Some(record) = self.records.next_record()? else {
                break;
            };
            let line = record.line();
            let parsed = parse_record(record, self.columns, self.null_text, &mut self.row);
            parsed.map_err(|mistake| Failure::from(self.records.malformed(line, mistake)))?;
            let cells: Vec<(&str, Value)> = names.iter().copied().zip(self.row.drain(..)).collect();
            tx.insert(table, &cells)
                .map_err(|error| match Failure::from(error) {
                    Failure::Refused(message) => {
                        Failure::refused(format_args!("line {line}: {message}"))
                    }
                    failure => failure,
                })?;
            count += 1;
        }
        Ok(count)
    }
}

/// The columns that the header names, as the table has them.
fn existing_columns(
    database: &Database,
    table: &str,
    header: &[String],
) -> Result<Vec<CsvColumn>, Failure> {
    let view = database.view();
    let table = view.table(table)?;
    let column = |name: &String| {
        let position = column_position(table.definition(), name)?;
        let column = &table.definition().columns()[position];
        Ok(CsvColumn {
            name: name.clone(),
            column_type: column.column_type,
            nullable: column.nullable,
        })
    };
    header.iter().map(column).collect()
}

/// Goes on where nobody reads what is said.
fn heard_or_not(said: Result<(), Failure>) -> Result<(), Failure> {
    match said {
        Err(Failure::ClosedPipe) => Ok(()),
        said => said,
    }
}

fn show_kept<W: Write>(
    table: &str,
    kept: u64,
    transactions: u64,
    output: &mut Output<W>,
) -> Result<(), Failure> {
    output.line(format_args!(
        "{kept} rows of {table:?} are durable, in {transactions} {}",
        if transactions == 1 {
            "transaction"
        } else {
            "transactions"
        }
    ))?;
    output.flush()
}

fn show_columns<W: Write>(
    inferred: &InferredColumns,
    output: &mut Output<W>,
) -> Result<(), Failure> {
    let rows = inferred
        .columns
        .iter()
        .zip(&inferred.near_misses)
        .map(|(column, near_miss)| {
            let nullable = if column.nullable { "nullable" } else { "" };
            let why = near_miss
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            vec![
                column.name.clone(),
                column.column_type.to_string(),
                nullable.to_owned(),
                why,
            ]
        });
    output.table(&["column", "type", "", ""], rows)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use cairn::{Options, ReadOnlyDatabase, ReadOptions, SnapshotPolicy};
    use disk::{Fault, SimDisk};

    use super::*;

    const TEXT: &str = "id,name\n1,a\n2,b\n3,c\n4,d\n5,e\n";

    /// Imports into a database on a simulated disk that fails after so many calls; what is said, and how it ends.
    fn run(disk: &SimDisk, fail_after: u64) -> (String, Result<(), Failure>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.csv");
        let dir = disk::OsDir::open(folder.path()).unwrap();
        let plain = dir.create("numbers.csv").unwrap();
        plain.write_all_at(0, TEXT.as_bytes()).unwrap();
        let options = ImportOptions {
            dir: PathBuf::new(),
            table: "numbers".to_owned(),
            file: path.clone(),
            primary_key: vec!["id".to_owned()],
            null: NullText::default(),
            batch: Some(2),
            append: false,
        };
        let file = CsvFile::new(&path);
        let mut records = file.records(&Progress::hidden()).unwrap();
        let inferred = infer_columns(&mut records, &NullText::default()).unwrap();
        let by_hand = Options {
            snapshots: SnapshotPolicy::by_hand(),
            ..Options::default()
        };
        let database =
            Database::open_on(disk.root(), by_hand, |_| Ok::<(), cairn::Error>(())).unwrap();
        disk.fail_at(disk.call_count() + fail_after, Fault::Eio);
        let mut said = Vec::new();
        let mut output = Output::to(&mut said);
        let done = import_into(database, &options, Some(&inferred), &file, 0, &mut output);
        drop(output);
        (String::from_utf8(said).unwrap(), done)
    }

    /// Three batches and the end, each call of the disk's failed once.
    #[test]
    fn a_failed_commit_is_said_to_be_unknown_and_why() {
        let mut unknown = 0;
        for calls in 0.. {
            let disk = SimDisk::new(calls);
            let (said, done) = run(&disk, calls);
            let Err(failure) = done else {
                assert!(calls > 6, "nothing fails any more after {calls} calls");
                break;
            };
            let failure = failure.to_string();
            assert!(failure.contains("Input/output error"), "{calls}: {failure}");
            disk.clear_faults();
            let found = ReadOnlyDatabase::open_on(disk.root(), &ReadOptions::default()).unwrap();
            let found = found
                .view()
                .table("numbers")
                .map_or(0, |table| table.row_count());
            let kept: u64 = said.split(' ').next().unwrap().parse().unwrap();
            assert!(found >= kept, "{calls}: {said}");
            if kept < 5 {
                assert!(
                    failure.contains(" may or may not be there"),
                    "{calls}: {failure}"
                );
                unknown += 1;
            }
        }
        assert!(unknown > 3, "{unknown}");
    }
}
