//! The `cairn` command: its verbs, reading and writing of CSV and JSON, and how it prints and ends.
//!
//! What it does not know: how rows are kept. It turns text into values and values into text, and nothing is lost on
//! the way: a type is chosen for a column only if every cell prints back to the same text.
//!
//! ```text
//! file -> CsvFile -> CsvRecords -> infer_columns     first pass: types from all lines
//!                 -> CsvRecords -> parse_record      second pass: values, ready to insert
//! rows -> RowWriter -> Output                        as CSV or JSON lines; a closed pipe ends it quietly
//! ```
//!
//! ```
//! use cairn_cli::{CsvRecords, NullText, infer_columns, parse_record};
//! use table::{ColumnType, Value};
//!
//! let text = "tailnum,year,seats\nN10156,2004,55\nN102UW,NA,182\n";
//! let null_text = NullText::new("NA");
//! let inferred = infer_columns(&mut CsvRecords::new(text.as_bytes(), "planes.csv")?, &null_text)?;
//! assert_eq!(inferred.columns[1].column_type, ColumnType::I64);
//! assert!(inferred.columns[1].nullable);
//!
//! let mut records = CsvRecords::new(text.as_bytes(), "planes.csv")?;
//! let mut row = Vec::new();
//! while let Some(record) = records.next_record()? {
//!     parse_record(record, &inferred.columns, &null_text, &mut row)?;
//! }
//! assert_eq!(row, [Value::from("N102UW"), Value::Null, Value::I64(182)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// What can be asked, and how it ends.
mod cli;
mod schema_options;
mod upkeep_options;
mod exit;
mod failure;
mod carry_out;
mod opening;
mod column_position;
mod shell_word;
// The verbs.
mod backup;
mod demo;
mod demo_data;
mod demo_tear;
mod demo_writer;
mod digest;
mod export;
mod import;
mod info;
mod log;
mod prune;
mod repair;
mod scan;
mod schema;
mod scrub;
mod snapshot_verb;
mod snapshots;
mod tables;
mod verify;
// From text to values.
mod column_guess;
mod csv_columns;
mod csv_error;
mod csv_file;
mod csv_records;
mod null_text;
// From values to text.
mod json_value;
mod output;
mod progress;
mod row_writer;
mod text_table;

pub use carry_out::carry_out;
pub use cli::{
    Arguments, AtOption, Condition, DemoOptions, DemoWriterOptions, DigestOptions, ExportOptions,
    ImportOptions, InspectOptions, JsonOption, LogOptions, ScanOptions, TablesOptions, Verb,
};
pub use column_guess::NearMiss;
pub use csv_columns::{CsvColumn, InferredColumns, infer_columns, parse_record};
pub use csv_error::{CsvError, CsvMistake, Excerpt};
pub use csv_file::CsvFile;
pub use csv_records::{Cell, CsvRecords, RECORD_BYTES_MAX, Record};
pub use exit::Exit;
pub use failure::Failure;
pub use json_value::JsonValue;
pub use null_text::NullText;
pub use output::{Output, complain};
pub use progress::Progress;
pub use row_writer::{RowFormat, RowWriter};
pub use schema_options::{SchemaCompare, SchemaOptions};
pub use text_table::TextTable;
pub use upkeep_options::{CopyOptions, PruneOptions, RepairOptions, ScrubOptions, SnapshotOptions};
