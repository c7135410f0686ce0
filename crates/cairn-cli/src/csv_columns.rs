//! The columns of a CSV file: their types inferred from every line, and rows read by them.

use std::io::BufRead;

use cairn::{NewColumn, NewTable};
use table::{ColumnType, Value};

use crate::column_guess::{ColumnGuess, NearMiss};
use crate::csv_error::{CsvError, CsvMistake, Excerpt};
use crate::csv_records::{CsvRecords, Record};
use crate::null_text::NullText;

/// A column as it will be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvColumn {
    /// The name in the header.
    pub name: String,
    /// The type its cells are read as.
    pub column_type: ColumnType,
    /// Whether a cell may be null.
    pub nullable: bool,
}

/// What the first pass over a file found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferredColumns {
    /// The columns in the order of the header.
    pub columns: Vec<CsvColumn>,
    /// For each column the cell that made it a string, where it was something else until then.
    pub near_misses: Vec<Option<NearMiss>>,
    /// Records in the file, the header not counted.
    pub row_count: u64,
}

/// Reads all records and finds the type of every column; memory does not grow with the file.
///
/// # Errors
/// Those of [`CsvRecords::next_record`].
pub fn infer_columns<R: BufRead>(
    records: &mut CsvRecords<R>,
    null_text: &NullText,
) -> Result<InferredColumns, CsvError> {
    let mut guesses = vec![ColumnGuess::new(); records.columns().len()];
    let mut row_count = 0;
    while let Some(record) = records.next_record()? {
        for (guess, cell) in guesses.iter_mut().zip(record.cells()) {
            if null_text.is_null(cell) {
                guess.observe_null();
            } else {
                guess.observe(cell.text, record.line());
            }
        }
        row_count += 1;
    }
    let near_misses = guesses
        .iter()
        .map(|guess| guess.near_miss().cloned())
        .collect();
    let column = |(name, guess): (&String, &ColumnGuess)| CsvColumn {
        name: name.clone(),
        column_type: guess.column_type(),
        nullable: guess.is_nullable(),
    };
    let columns = records.columns().iter().zip(&guesses).map(column).collect();
    Ok(InferredColumns {
        columns,
        near_misses,
        row_count,
    })
}

/// Reads the cells of a record as values of these columns, one for each cell, into `row`.
///
/// # Errors
/// A null where none may be, a cell that is no value of its type; `row` then holds the cells before it.
pub fn parse_record(
    record: Record<'_>,
    columns: &[CsvColumn],
    null_text: &NullText,
    row: &mut Vec<Value>,
) -> Result<(), CsvMistake> {
    row.clear();
    for (cell, column) in record.cells().zip(columns) {
        row.push(if !null_text.is_null(cell) {
            Value::parse(column.column_type, cell.text).ok_or_else(|| CsvMistake::NotOfType {
                column: column.name.clone(),
                text: Excerpt::new(cell.text),
                column_type: column.column_type,
            })?
        } else if column.nullable {
            Value::Null
        } else {
            return Err(CsvMistake::NullCell {
                column: column.name.clone(),
            });
        });
    }
    Ok(())
}

/// The definition of a table that takes these columns; without a key if none is named.
pub(crate) fn new_table(name: &str, columns: &[CsvColumn], primary_key: &[&str]) -> NewTable {
    let table = columns.iter().fold(NewTable::new(name), |table, column| {
        let new = NewColumn::new(&column.name, column.column_type);
        table.column_with(if column.nullable { new.nullable() } else { new })
    });
    if primary_key.is_empty() {
        table
    } else {
        table.primary_key(primary_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, column_type: ColumnType, nullable: bool) -> CsvColumn {
        CsvColumn {
            name: name.to_owned(),
            column_type,
            nullable,
        }
    }

    #[test]
    fn types_come_from_all_lines() {
        let text = "id,name,size,ok,note\n1,a,0,true,\n2,NA,0.5,NA,\n3,c,NA,false,\"\"\n";
        let mut records = CsvRecords::new(text.as_bytes(), "test.csv").unwrap();
        let inferred = infer_columns(&mut records, &NullText::new("NA")).unwrap();
        let columns = vec![
            column("id", ColumnType::I64, false),
            column("name", ColumnType::String, true),
            column("size", ColumnType::F64, true),
            column("ok", ColumnType::Bool, true),
            column("note", ColumnType::String, false),
        ];
        assert_eq!(inferred.columns, columns);
        assert_eq!(inferred.near_misses, vec![None; 5]);
        assert_eq!(inferred.row_count, 3);
    }

    #[test]
    fn an_empty_bare_cell_is_null_by_default() {
        let text = "a,b,c\n,\"\",x\n1,,y\n";
        let mut records = CsvRecords::new(text.as_bytes(), "test.csv").unwrap();
        let inferred = infer_columns(&mut records, &NullText::default()).unwrap();
        let columns = [
            column("a", ColumnType::I64, true),
            column("b", ColumnType::String, true),
            column("c", ColumnType::String, false),
        ];
        assert_eq!(inferred.columns, columns);
        let mut records = CsvRecords::new(text.as_bytes(), "test.csv").unwrap();
        let mut row = Vec::new();
        for expected in [
            [Value::Null, Value::from(""), Value::from("x")],
            [Value::I64(1), Value::Null, Value::from("y")],
        ] {
            let record = records.next_record().unwrap().unwrap();
            parse_record(record, &columns, &NullText::default(), &mut row).unwrap();
            assert_eq!(row, expected);
        }
    }

    #[test]
    fn a_cell_that_does_not_fit_names_its_column() {
        let columns = [
            column("id", ColumnType::I8, false),
            column("size", ColumnType::F64, true),
        ];
        for (line, expected) in [
            ("128,1", "column \"id\": \"128\" is no i8"),
            (",1", "column \"id\" is null and must not be"),
            ("1,x\"", "column \"size\": \"x\\\"\" is no f64"),
        ] {
            let text = format!("id,size\n{}\n", line.replace("x\"", "\"x\"\"\""));
            let mut records = CsvRecords::new(text.as_bytes(), "test.csv").unwrap();
            let record = records.next_record().unwrap().unwrap();
            let mistake =
                parse_record(record, &columns, &NullText::default(), &mut Vec::new()).unwrap_err();
            assert_eq!(mistake.to_string(), expected);
        }
        let long = Excerpt::new(&"é".repeat(100)).to_string();
        assert_eq!(long, format!("\"{}..\"", "é".repeat(60)));
    }
}
