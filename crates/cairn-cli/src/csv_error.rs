//! What can be wrong with a CSV file, always with the line where it is.

use std::fmt;
use std::io;

use schema::COLUMNS_MAX;
use table::ColumnType;

/// A CSV file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file cannot be opened or read; a broken gzip stream is also this.
    #[error("{file}: {source}")]
    Io {
        /// The file, as it was named.
        file: String,
        /// What the operating system or the decompressor said.
        source: io::Error,
    },
    /// The text of the file is not what it should be.
    #[error("{file}, line {line}: {mistake}")]
    Malformed {
        /// The file, as it was named.
        file: String,
        /// Where the record begins, counted from 1; the header is line 1.
        line: u64,
        /// What is wrong there.
        mistake: CsvMistake,
    },
}

/// What is wrong with one record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvMistake {
    /// The file is empty.
    #[error("there is no header")]
    NoHeader,
    /// A column without a name.
    #[error("column {position} of the header has no name")]
    EmptyColumnName {
        /// Counted from 1.
        position: usize,
    },
    /// Two columns of the same name.
    #[error("columns {first} and {second} of the header are both named {name:?}")]
    DuplicateColumnName {
        /// The name that both have.
        name: String,
        /// Position of the one, counted from 1.
        first: usize,
        /// Position of the other, counted from 1.
        second: usize,
    },
    /// A record with more or fewer cells than the header.
    #[error("{found} cells where the header has {expected}")]
    Ragged {
        /// Cells of the record.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// A header or another record with more cells than a table can have columns.
    #[error("there are more than {COLUMNS_MAX} cells, the columns that a table can have")]
    TooManyCells,
    /// Bytes that are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// A quote in the middle of a cell that does not begin with one.
    #[error("a quote inside a cell that is not quoted; quote the cell and double the quote")]
    QuoteInsideCell,
    /// Something other than a comma after a closing quote.
    #[error("text after a closing quote; a quote inside a quoted cell is doubled")]
    TextAfterQuote,
    /// A quoted cell that the file ends in.
    #[error("a quote is opened here and never closed")]
    UnclosedQuote,
    /// A record beyond all reason, as in a file that is no CSV.
    #[error("the record is longer than {limit} bytes")]
    RecordTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A null where the table allows none.
    #[error("column {column:?} is null and must not be")]
    NullCell {
        /// The column's name.
        column: String,
    },
    /// A cell that is no value of its column's type.
    #[error("column {column:?}: {text} is no {column_type}")]
    NotOfType {
        /// The column's name.
        column: String,
        /// The cell, cut where it is long.
        text: Excerpt,
        /// The column's type.
        column_type: ColumnType,
    },
}

/// The beginning of a text, for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// Characters that a message shows at most.
    const CHARACTERS_MAX: usize = 60;

    /// The beginning of `text`.
    pub fn new(text: &str) -> Excerpt {
        match text.char_indices().nth(Excerpt::CHARACTERS_MAX) {
            Some((end, _)) => Excerpt(format!("{}..", &text[..end])),
            None => Excerpt(text.to_owned()),
        }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}
