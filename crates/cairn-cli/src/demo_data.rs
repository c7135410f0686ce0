//! The data that ships with the command: flights out of New York in 2013 (nycflights13, CC0).

use std::io::{BufRead, BufReader};

use cairn::{NewTable, Transaction, Value};
use flate2::bufread::MultiGzDecoder;

use crate::csv_columns::{CsvColumn, infer_columns, new_table, parse_record};
use crate::csv_error::CsvError;
use crate::csv_records::CsvRecords;
use crate::failure::Failure;
use crate::null_text::NullText;

/// One file of the data, and what its rows are named by.
#[derive(Debug)]
pub(crate) struct DemoData {
    pub(crate) table: &'static str,
    gzip: &'static [u8],
    primary_key: &'static [&'static str],
}

pub(crate) const AIRLINES: DemoData = DemoData {
    table: "airlines",
    gzip: include_bytes!("../data/airlines.csv.gz"),
    primary_key: &["carrier"],
};

pub(crate) const AIRPORTS: DemoData = DemoData {
    table: "airports",
    gzip: include_bytes!("../data/airports.csv.gz"),
    primary_key: &["faa"],
};

pub(crate) const PLANES: DemoData = DemoData {
    table: "planes",
    gzip: include_bytes!("../data/planes.csv.gz"),
    primary_key: &["tailnum"],
};

pub(crate) const FLIGHTS: DemoData = DemoData {
    table: "flights",
    gzip: include_bytes!("../data/flights.csv.gz"),
    primary_key: &["time_hour", "carrier", "flight", "origin"],
};

/// The rows of one file, one after the other.
pub(crate) struct DemoRows {
    records: CsvRecords<Box<dyn BufRead>>,
    columns: Vec<CsvColumn>,
    null_text: NullText,
}

impl DemoData {
    /// Looks at every line for the types, then begins again.
    pub(crate) fn rows(&self) -> Result<DemoRows, CsvError> {
        let null_text = NullText::new("NA");
        let inferred = infer_columns(&mut self.records()?, &null_text)?;
        Ok(DemoRows {
            records: self.records()?,
            columns: inferred.columns,
            null_text,
        })
    }

    /// The definition of the table.
    pub(crate) fn new_table(&self, rows: &DemoRows) -> NewTable {
        new_table(self.table, &rows.columns, self.primary_key)
    }

    /// Makes the table and fills it; how many rows it has.
    pub(crate) fn fill(&self, tx: &mut Transaction<'_>) -> Result<u64, Failure> {
        let mut rows = self.rows()?;
        tx.create_table(&self.new_table(&rows))?;
        let mut count = 0;
        while let Some(row) = rows.next_row()? {
            tx.insert_row(self.table, row)?;
            count += 1;
        }
        Ok(count)
    }

    fn records(&self) -> Result<CsvRecords<Box<dyn BufRead>>, CsvError> {
        let text = BufReader::new(MultiGzDecoder::new(self.gzip));
        CsvRecords::new(Box::new(text), self.table)
    }
}

impl DemoRows {
    /// The next row, its values in the order of the columns.
    pub(crate) fn next_row(&mut self) -> Result<Option<Vec<Value>>, CsvError> {
        let mut row = Vec::with_capacity(self.columns.len());
        let Some(record) = self.records.next_record()? else {
            return Ok(None);
        };
        let line = record.line();
        match parse_record(record, &self.columns, &self.null_text, &mut row) {
            Ok(()) => Ok(Some(row)),
            Err(mistake) => Err(self.records.malformed(line, mistake)),
        }
    }
}
