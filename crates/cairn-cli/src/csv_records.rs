//! Reads CSV record by record, strictly, and tells a quoted cell from a bare one.
//!
//! The difference matters: a bare empty cell is a null, a quoted one (`""`) is the empty string, so both survive an
//! export and an import. And what no reader should guess is refused with its line: an open quote would otherwise swallow
//! the rest of a file as one cell.
//!
//! ```text
//! file   = header *record            record = cell *("," cell) end        end  = LF | CR LF | end of file
//! cell   = bare | quoted             bare   = *(any but "," and quote and end)
//! quoted = quote *(any but quote | quote quote) quote
//! ```
//!
//! A byte order mark is skipped. A blank line is skipped too, unless the file has one column: there it is an empty cell.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use schema::COLUMNS_MAX;

use crate::csv_error::{CsvError, CsvMistake};

/// No record may be longer; it is held in memory whole.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// The records of a CSV text, one at a time.
#[derive(Debug)]
pub struct CsvRecords<R> {
    reader: R,
    file: String,
    columns: Vec<String>,
    lines_read: u64,
    /// The lines of the record as they are read, without the end of the last one.
    raw: Vec<u8>,
    /// The end of the line read last; empty at the end of the file.
    line_end: &'static [u8],
    /// The cells with their quotes undone.
    // Invariant: a comma follows each cell, so that no two cells can join into one valid character.
    text: Vec<u8>,
    ends: Vec<CellEnd>,
}

/// One record, borrowed from the reader until the next one.
#[derive(Debug, Clone, Copy)]
pub struct Record<'r> {
    line: u64,
    text: &'r str,
    ends: &'r [CellEnd],
}

/// One cell of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'r> {
    /// The content, quotes undone.
    pub text: &'r str,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

#[derive(Debug, Clone, Copy)]
struct CellEnd {
    end: usize,
    quoted: bool,
}

impl<R: BufRead> CsvRecords<R> {
    /// Reads the header; `file` is what errors call the source.
    ///
    /// # Errors
    /// No header, a column without a name or with another one's, and all that reading a record can say.
    pub fn new(reader: R, file: &str) -> Result<CsvRecords<R>, CsvError> {
        let mut records = CsvRecords {
            reader,
            file: file.to_owned(),
            columns: Vec::new(),
            lines_read: 0,
            raw: Vec::new(),
            line_end: b"",
            text: Vec::new(),
            ends: Vec::new(),
        };
        let columns: Vec<String> = match records.fill()? {
            Some(line) => records
                .record(line)?
                .cells()
                .map(|cell| cell.text.to_owned())
                .collect(),
            None => return Err(records.malformed(1, CsvMistake::NoHeader)),
        };
        check_names(&columns).map_err(|mistake| records.malformed(records.lines_read, mistake))?;
        records.columns = columns;
        Ok(records)
    }

    /// The names in the header.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next record; it has as many cells as the header.
    ///
    /// # Errors
    /// A file that cannot be read, a record that is malformed or ragged.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, CsvError> {
        let Some(line) = self.fill()? else {
            return Ok(None);
        };
        let (found, expected) = (self.ends.len(), self.columns.len());
        if found != expected {
            return Err(self.malformed(line, CsvMistake::Ragged { found, expected }));
        }
        self.record(line).map(Some)
    }

    /// An error about a line of this file.
    pub fn malformed(&self, line: u64, mistake: CsvMistake) -> CsvError {
        CsvError::Malformed {
            file: self.file.clone(),
            line,
            mistake,
        }
    }

    /// Reads the cells of the next record into `text` and `ends`; returns the line it begins on.
    fn fill(&mut self) -> Result<Option<u64>, CsvError> {
        self.raw.clear();
        loop {
            if !self.read_line()? {
                return Ok(None);
            }
            if !self.raw.is_empty() || self.columns.len() == 1 {
                break;
            }
        }
        let line = self.lines_read;
        self.text.clear();
        self.ends.clear();
        self.split(line)?;
        Ok(Some(line))
    }

    /// The record that was filled last.
    fn record(&self, line: u64) -> Result<Record<'_>, CsvError> {
        match std::str::from_utf8(&self.text) {
            Ok(text) => Ok(Record {
                line,
                text,
                ends: &self.ends,
            }),
            Err(_) => Err(self.malformed(line, CsvMistake::NotUtf8)),
        }
    }

    /// Appends the next line to `raw`, without its end; false at the end of the file.
    fn read_line(&mut self) -> Result<bool, CsvError> {
        let start = self.raw.len();
        let room = (RECORD_BYTES_MAX - start) as u64 + 1;
        let read = self
            .reader
            .by_ref()
            .take(room)
            .read_until(b'\n', &mut self.raw);
        let count = read.map_err(|source| CsvError::Io {
            file: self.file.clone(),
            source,
        })?;
        if count == 0 {
            self.line_end = b"";
            return Ok(false);
        }
        self.lines_read += 1;
        if self.lines_read == 1 && self.raw.starts_with(BYTE_ORDER_MARK) {
            self.raw.drain(..BYTE_ORDER_MARK.len());
        }
        self.line_end = match &self.raw[start..] {
            [.., b'\r', b'\n'] => b"\r\n",
            [.., b'\n'] => b"\n",
            _ => b"",
        };
        self.raw.truncate(self.raw.len() - self.line_end.len());
        if self.raw.len() > RECORD_BYTES_MAX {
            return Err(self.malformed(
                self.lines_read,
                CsvMistake::RecordTooLong {
                    limit: RECORD_BYTES_MAX,
                },
            ));
        }
        Ok(true)
    }

    /// Splits the record that begins with `raw`, reading further lines inside quotes.
    fn split(&mut self, line: u64) -> Result<(), CsvError> {
        let mut at = 0;
        loop {
            let quoted = self.raw.get(at) == Some(&b'"');
            at = if quoted {
                self.take_quoted(at + 1, line)?
            } else {
                self.take_bare(at, line)?
            };
            if self.ends.len() == COLUMNS_MAX {
                return Err(self.malformed(line, CsvMistake::TooManyCells));
            }
            self.ends.push(CellEnd {
                end: self.text.len(),
                quoted,
            });
            self.text.push(b',');
            match self.raw.get(at) {
                None => return Ok(()),
                Some(b',') => at += 1,
                Some(_) => return Err(self.malformed(line, CsvMistake::TextAfterQuote)),
            }
        }
    }

    /// Takes a bare cell at `at`; returns where the comma after it stands, or the end.
    fn take_bare(&mut self, at: usize, line: u64) -> Result<usize, CsvError> {
        let rest = &self.raw[at..];
        let cell = &rest[..position(rest, b',').unwrap_or(rest.len())];
        if cell.contains(&b'"') {
            return Err(self.malformed(line, CsvMistake::QuoteInsideCell));
        }
        self.text.extend_from_slice(cell);
        Ok(at + cell.len())
    }

    /// Takes a quoted cell whose content begins at `at`; returns what stands after the closing quote.
    fn take_quoted(&mut self, mut at: usize, line: u64) -> Result<usize, CsvError> {
        loop {
            let rest = &self.raw[at..];
            match position(rest, b'"') {
                Some(length) => {
                    self.text.extend_from_slice(&rest[..length]);
                    at += length + 1;
                    if self.raw.get(at) != Some(&b'"') {
                        return Ok(at);
                    }
                    self.text.push(b'"');
                    at += 1;
                }
                None => {
                    self.text.extend_from_slice(rest);
                    self.text.extend_from_slice(self.line_end);
                    at = self.raw.len();
                    if !self.read_line()? {
                        return Err(self.malformed(line, CsvMistake::UnclosedQuote));
                    }
                }
            }
        }
    }
}

impl<'r> Record<'r> {
    /// The line that the record begins on, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The cells in order.
    pub fn cells(self) -> impl Iterator<Item = Cell<'r>> {
        let mut start = 0;
        self.ends.iter().map(move |cell| {
            let text = &self.text[start..cell.end];
            start = cell.end + 1;
            Cell {
                text,
                quoted: cell.quoted,
            }
        })
    }
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|&byte| byte == wanted)
}

fn check_names(columns: &[String]) -> Result<(), CsvMistake> {
    let mut positions: HashMap<&str, usize> = HashMap::with_capacity(columns.len());
    for (name, position) in columns.iter().zip(1..) {
        if name.is_empty() {
            return Err(CsvMistake::EmptyColumnName { position });
        }
        if let Some(first) = positions.insert(name, position) {
            return Err(CsvMistake::DuplicateColumnName {
                name: name.clone(),
                first,
                second: position,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of a record and its cells; a quoted cell is shown with `!`.
    type Row = (u64, Vec<String>);

    type ExpectedRow<'a> = (u64, &'a [&'a str]);

    fn read(text: &[u8]) -> Result<Vec<Row>, (u64, CsvMistake)> {
        let line_and_mistake = |error| match error {
            CsvError::Malformed { line, mistake, .. } => (line, mistake),
            CsvError::Io { source, .. } => panic!("{source}"),
        };
        let mut records = CsvRecords::new(text, "test.csv").map_err(line_and_mistake)?;
        let mut rows = Vec::new();
        while let Some(record) = records.next_record().map_err(line_and_mistake)? {
            let shown =
                |cell: Cell<'_>| format!("{}{}", cell.text, if cell.quoted { "!" } else { "" });
            rows.push((record.line(), record.cells().map(shown).collect()));
        }
        Ok(rows)
    }

    #[test]
    fn records_are_split_at_bare_commas_and_line_ends() {
        let rows: [(&str, &[ExpectedRow<'_>]); 10] = [
            ("a,b\n1,2\n", &[(2, &["1", "2"])]),
            ("a,b\r\n1,2\r\n", &[(2, &["1", "2"])]),
            ("a,b\n1,2", &[(2, &["1", "2"])]),
            ("\u{feff}a,b\n,\n", &[(2, &["", ""])]),
            (
                "a,b\n\n1,\"\"\n\n\n,2\n",
                &[(3, &["1", "!"]), (6, &["", "2"])],
            ),
            ("a\n\n1\n\"\"\n", &[(2, &[""]), (3, &["1"]), (4, &["!"])]),
            ("a,b\n\"x,\"\"y\"\"\",z\n", &[(2, &["x,\"y\"!", "z"])]),
            (
                "a,b\n\"x\ny\r\n\",z\n1,2\n",
                &[(2, &["x\ny\r\n!", "z"]), (5, &["1", "2"])],
            ),
            ("a,b\n é , ü\r \n", &[(2, &[" é ", " ü\r "])]),
            ("a,b\n", &[]),
        ];
        for (text, expected) in rows {
            let expected: Vec<Row> = expected
                .iter()
                .map(|(line, cells)| (*line, cells.iter().map(|cell| (*cell).to_owned()).collect()))
                .collect();
            assert_eq!(read(text.as_bytes()), Ok(expected), "of {text:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        let rows: [(&[u8], u64, CsvMistake); 13] = [
            (b"", 1, CsvMistake::NoHeader),
            (b"\n\n", 1, CsvMistake::NoHeader),
            (b"a,,c\n", 1, CsvMistake::EmptyColumnName { position: 2 }),
            (
                b"\na,b,a\n",
                2,
                CsvMistake::DuplicateColumnName {
                    name: "a".to_owned(),
                    first: 1,
                    second: 3,
                },
            ),
            (
                b"a,b\n1,2\n1\n",
                3,
                CsvMistake::Ragged {
                    found: 1,
                    expected: 2,
                },
            ),
            (
                b"a,b\n1,2\n1,2,3\n",
                3,
                CsvMistake::Ragged {
                    found: 3,
                    expected: 2,
                },
            ),
            (
                b"a,b\n\"1\n2\",2\n1\n",
                4,
                CsvMistake::Ragged {
                    found: 1,
                    expected: 2,
                },
            ),
            (b"a,b\n1,\xff\n", 2, CsvMistake::NotUtf8),
            (b"a,b\n\xc3,\xa9\n", 2, CsvMistake::NotUtf8),
            (b"a,b\n\"\xc3\"\"\xa9\",1\n", 2, CsvMistake::NotUtf8),
            (b"a,b\n1,2\"\n", 2, CsvMistake::QuoteInsideCell),
            (b"a,b\n\"1\"2,3\n", 2, CsvMistake::TextAfterQuote),
            (b"a,b\n1,2\n\"1,2\n3,4\n", 3, CsvMistake::UnclosedQuote),
        ];
        for (text, line, mistake) in rows {
            assert_eq!(
                read(text),
                Err((line, mistake)),
                "of {:?}",
                String::from_utf8_lossy(text)
            );
        }
    }

    #[test]
    fn more_cells_than_a_table_has_columns_are_refused() {
        let header: Vec<String> = (0..COLUMNS_MAX).map(|n| format!("c{n}")).collect();
        let (header, row) = (header.join(","), ",".repeat(COLUMNS_MAX - 1));
        let rows = read(format!("{header}\n{row}\n").as_bytes()).unwrap();
        assert_eq!(rows[0].1.len(), COLUMNS_MAX);
        let refused = |text: String| read(text.as_bytes()).unwrap_err();
        let mistake = CsvMistake::TooManyCells;
        assert_eq!(
            mistake.to_string(),
            "there are more than 1024 cells, the columns that a table can have"
        );
        assert_eq!(refused(format!("\n{header},x\n")), (2, mistake.clone()));
        assert_eq!(refused(format!("{header}\n{row},\n")), (2, mistake));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let header = std::io::BufReader::new(&b"a,b\n"[..]);
        let mut records = CsvRecords::new(header.chain(endless), "test.csv").unwrap();
        let refusal = records.next_record().unwrap_err().to_string();
        assert_eq!(
            refusal,
            "test.csv, line 2: the record is longer than 67108864 bytes"
        );
    }
}
