//! Writes rows as CSV or as JSON lines.
//!
//! CSV is written so that it reads back: null is bare, and a text that would be taken for null, or that has a comma, a
//! quote or a line end, stands in quotes.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serializer;
use serde::ser::SerializeMap;
use table::ValueRef;

use crate::json_value::JsonValue;
use crate::null_text::NullText;

/// How rows are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFormat {
    /// Comma-separated, with a header.
    Csv {
        /// What null looks like.
        null_text: NullText,
    },
    /// One JSON object for each row, its members in the order of the columns.
    JsonLines,
}

/// Writes the rows of one table.
#[derive(Debug)]
pub struct RowWriter<W> {
    out: W,
    format: RowFormat,
    columns: Vec<String>,
    cell: String,
}

impl<W: Write> RowWriter<W> {
    /// Writes the header, where the format has one.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn new(out: W, format: RowFormat, columns: Vec<String>) -> io::Result<RowWriter<W>> {
        let mut writer = RowWriter {
            out,
            format,
            columns,
            cell: String::new(),
        };
        if matches!(writer.format, RowFormat::Csv { .. }) {
            for (index, name) in writer.columns.iter().enumerate() {
                write_separator(&mut writer.out, index)?;
                // No name is empty, so none can look like a null.
                write_text(&mut writer.out, name, must_quote(name))?;
            }
            writer.out.write_all(b"\n")?;
        }
        Ok(writer)
    }

    /// Writes a row, its values in the order of the columns.
    ///
    /// # Errors
    /// Those of the writer below.
    ///
    /// # Panics
    /// A row with another number of values than the columns is a bug.
    pub fn write<'v>(
        &mut self,
        row: impl ExactSizeIterator<Item = ValueRef<'v>>,
    ) -> io::Result<()> {
        assert_eq!(
            row.len(),
            self.columns.len(),
            "a row has a value for each column"
        );
        match &self.format {
            RowFormat::Csv { null_text } => {
                for (index, value) in row.enumerate() {
                    write_separator(&mut self.out, index)?;
                    write_csv_cell(&mut self.out, value, null_text, &mut self.cell)?;
                }
            }
            RowFormat::JsonLines => {
                let mut serializer = serde_json::Serializer::new(&mut self.out);
                let mut object = serializer.serialize_map(Some(self.columns.len()))?;
                for (name, value) in self.columns.iter().zip(row) {
                    object.serialize_entry(name, &JsonValue(value))?;
                }
                object.end()?;
            }
        }
        self.out.write_all(b"\n")
    }

    /// Hands everything on and gives the writer below back.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn write_separator(out: &mut impl Write, index: usize) -> io::Result<()> {
    if index == 0 {
        Ok(())
    } else {
        out.write_all(b",")
    }
}

/// `cell` is a buffer to print into.
fn write_csv_cell(
    out: &mut impl Write,
    value: ValueRef<'_>,
    null_text: &NullText,
    cell: &mut String,
) -> io::Result<()> {
    let text = match value {
        ValueRef::Null => return out.write_all(null_text.as_str().as_bytes()),
        ValueRef::String(text) => text,
        _ => {
            cell.clear();
            write!(cell, "{value}").map_err(io::Error::other)?;
            cell
        }
    };
    write_text(out, text, text == null_text.as_str() || must_quote(text))
}

fn must_quote(text: &str) -> bool {
    // At the start of a file a byte order mark would be skipped by the reader.
    text.starts_with('\u{feff}')
        || text
            .bytes()
            .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
}

fn write_text(out: &mut impl Write, text: &str, quoted: bool) -> io::Result<()> {
    if !quoted {
        return out.write_all(text.as_bytes());
    }
    write!(out, "\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use table::Value;

    use super::*;
    use crate::csv_columns::{infer_columns, parse_record};
    use crate::csv_records::CsvRecords;

    fn written(format: RowFormat, columns: &[&str], rows: &[Vec<Value>]) -> String {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut writer = RowWriter::new(Vec::new(), format, columns).unwrap();
        for row in rows {
            writer.write(row.iter().map(Value::as_ref)).unwrap();
        }
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    fn csv(null: &str) -> RowFormat {
        RowFormat::Csv {
            null_text: NullText::new(null),
        }
    }

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        let row = |text: &str| vec![Value::I64(1), Value::from(text)];
        let rows = [
            row("plain"),
            row(""),
            row("a,b"),
            row("\"x\""),
            row("a\nb"),
            row("NA"),
            vec![Value::Null, Value::Null],
        ];
        assert_eq!(
            written(csv(""), &["id", "a,b"], &rows),
            "id,\"a,b\"\n1,plain\n1,\"\"\n1,\"a,b\"\n1,\"\"\"x\"\"\"\n1,\"a\nb\"\n1,NA\n,\n"
        );
        assert_eq!(
            written(csv("NA"), &["id", "b"], &rows[1..]),
            "id,b\n1,\n1,\"a,b\"\n1,\"\"\"x\"\"\"\n1,\"a\nb\"\n1,\"NA\"\nNA,NA\n"
        );
    }

    #[test]
    fn json_lines_keep_the_order_of_the_columns() {
        let rows = [
            vec![Value::from("b"), Value::Null, Value::F64(0.5)],
            vec![Value::from(""), Value::I8(1), Value::Timestamp(0)],
        ];
        assert_eq!(
            written(RowFormat::JsonLines, &["z", "a", "m"], &rows),
            "{\"z\":\"b\",\"a\":null,\"m\":0.5}\n{\"z\":\"\",\"a\":1,\"m\":\"1970-01-01T00:00:00Z\"}\n"
        );
    }

    #[test]
    fn every_nasty_text_reads_back_under_every_null_text() {
        let texts = [
            "",
            "NA",
            "\"",
            "\"\"",
            ",",
            "\n",
            "\r\n",
            "\r",
            " ",
            "\u{feff}",
            "\u{feff}x",
            "null",
            "é",
            "1",
            "x\"y",
        ];
        for null in ["", "NA", "null", "1"] {
            let mut rows: Vec<Vec<Value>> = Vec::new();
            for first in texts {
                for second in texts {
                    rows.push(vec![Value::from(first), Value::Null, Value::from(second)]);
                }
                rows.push(vec![Value::Null, Value::from(first), Value::Null]);
            }
            let one_column: Vec<Vec<Value>> = texts
                .iter()
                .map(|text| vec![Value::from(*text)])
                .chain([vec![Value::Null]])
                .collect();
            for (columns, rows) in [
                (&["\u{feff}a", "b\"", "c,"][..], &rows),
                (&["a"][..], &one_column),
            ] {
                let text = written(csv(null), columns, rows);
                let null_text = NullText::new(null);
                let mut records = CsvRecords::new(text.as_bytes(), "test.csv").unwrap();
                assert_eq!(records.columns(), columns);
                let inferred = infer_columns(&mut records, &null_text).unwrap();
                let mut records = CsvRecords::new(text.as_bytes(), "test.csv").unwrap();
                let mut read = Vec::new();
                let mut row = Vec::new();
                while let Some(record) = records.next_record().unwrap() {
                    parse_record(record, &inferred.columns, &null_text, &mut row).unwrap();
                    read.push(row.clone());
                }
                assert_eq!(&read, rows, "null {null:?}");
            }
        }
    }
}
