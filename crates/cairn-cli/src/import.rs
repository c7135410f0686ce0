//! `cairn import`: a CSV file becomes rows of a table.

use cairn::{Database, NewTable, Transaction, Value};

use crate::cli::ImportOptions;
use crate::csv_columns::{CsvColumn, InferredColumns, infer_columns, new_table, parse_record};
use crate::csv_file::CsvFile;
use crate::csv_records::CsvRecords;
use crate::failure::Failure;
use crate::null_text::NullText;
use crate::opening::open_to_write;
use crate::output::Output;
use crate::progress::Progress;

use std::io::BufRead;

/// Imports a file: types from all lines first, then the rows, in one transaction or in batches.
///
/// # Errors
/// A line that can not be read, a row that is refused; it is named, and what was kept before it is printed.
pub(crate) fn import(options: &ImportOptions, output: &mut Output) -> Result<(), Failure> {
    let file = CsvFile::new(&options.file);
    let null_text = NullText::new(options.null.as_str());
    let bytes = file.bytes_on_disk()?;
    let inferred = if options.append {
        None
    } else {
        let progress = Progress::new("looking at every line", bytes);
        let inferred = infer_columns(&mut file.records(&progress)?, &null_text);
        progress.finish();
        Some(inferred?)
    };
    if let Some(inferred) = &inferred {
        show_columns(inferred, output)?;
    }
    let database = open_to_write(&options.dir, !options.append)?;
    let progress = Progress::new("importing", bytes);
    let mut records = file.records(&progress)?;
    let columns = match &inferred {
        Some(inferred) => inferred.columns.clone(),
        None => existing_columns(&database, &options.table, records.columns())?,
    };
    let key: Vec<&str> = options.primary_key.iter().map(String::as_str).collect();
    let new_table = inferred
        .as_ref()
        .map(|_| new_table(&options.table, &columns, &key));
    let mut import = Import {
        records: &mut records,
        columns: &columns,
        null_text: &null_text,
        row: Vec::new(),
    };
    let result = import.run(&database, options, new_table.as_ref());
    progress.finish();
    let (kept, transactions, failure) = result;
    output.line(format_args!(
        "{kept} rows of {:?} are durable, in {transactions} {}",
        options.table,
        if transactions == 1 {
            "transaction"
        } else {
            "transactions"
        }
    ))?;
    output.flush()?;
    database.close()?;
    failure.map_or(Ok(()), Err)
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
        let position = table.definition().position(name).ok_or_else(|| {
            Failure::refused(format_args!(
                "table {:?} has no column {name:?}",
                table.definition().name()
            ))
        })?;
        let column = &table.definition().columns()[position];
        Ok(CsvColumn {
            name: name.clone(),
            column_type: column.column_type,
            nullable: column.nullable,
        })
    };
    header.iter().map(column).collect()
}

fn show_columns(inferred: &InferredColumns, output: &mut Output) -> Result<(), Failure> {
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
