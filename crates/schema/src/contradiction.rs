//! Catalog rows that contradict each other, or the code: nothing is guessed from them.

use table::{ColumnType, IndexId, Marks, Value};

use crate::column_id::ColumnId;
use crate::mistake::Mistake;

/// A row of a system table that can not be meant, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("row {} of {system_table} contradicts the catalog: {kind}", key_text(.key))]
pub struct Contradiction {
    /// The system table.
    pub system_table: String,
    /// What names the row there: its ids.
    pub key: Vec<Value>,
    /// Why it can not be meant.
    pub kind: ContradictionKind,
}

/// Why a catalog row can not be meant.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContradictionKind {
    /// The first transaction does not begin with the rows of the seed tables and then their columns.
    #[error("a genesis begins with the rows of the two seed tables and then their columns")]
    NotAGenesis,
    /// A column, index, constraint or sequence belongs to a table that is not there.
    #[error("it belongs to a table that is not there")]
    OfNoTable,
    /// A table has no columns when its transaction ends.
    #[error("the table has no columns")]
    NoColumns,
    /// The positions of a table's columns are not 0, 1, 2, ...
    #[error("position {expected} is expected, position {found} stands there")]
    PositionGap {
        /// The position that should stand there.
        expected: u16,
        /// The one that does.
        found: u16,
    },
    /// The column's type code is not known to this build although the log's minimum reader is fine.
    #[error("type code {code} is unknown")]
    UnknownTypeCode {
        /// The code.
        code: u8,
    },
    /// The kind of an index is not known to this build although the log's minimum reader is fine.
    #[error("index kind {kind} is unknown")]
    UnknownIndexKind {
        /// The code.
        kind: u8,
    },
    /// The kind of a constraint is not known to this build although the log's minimum reader is fine.
    #[error("constraint kind {kind} is unknown")]
    UnknownConstraintKind {
        /// The code.
        kind: u8,
    },
    /// The bytes of a default do not decode.
    #[error("its default does not decode")]
    MalformedDefault,
    /// The bytes of a list of column ids do not decode.
    #[error("its list of columns does not decode")]
    MalformedColumnList,
    /// It names a column that its table does not have.
    #[error("it names column {column}, which its table does not have")]
    NoSuchColumn {
        /// The column.
        column: ColumnId,
    },
    /// It names an index that its table does not have.
    #[error("it names index {index}, which its table does not have")]
    NoSuchIndex {
        /// The index.
        index: IndexId,
    },
    /// It names no index although its kind needs one, or no column although it fills one.
    #[error("it names nothing to work on")]
    NamesNothing,
    /// A next number lies outside of the bounds, or the bounds are crossed, or the step is zero.
    #[error("its numbers contradict each other")]
    SequenceBounds,
    /// Two sequences without a table have the same name.
    #[error("another sequence has this name")]
    SequenceName,
    /// The definition that the rows make breaks the rules for definitions.
    #[error("the table breaks the rules: {}", mistakes_text(.0))]
    Invalid(Vec<Mistake>),
    /// The rows of a seed table differ from what is frozen.
    #[error("a seed table differs from what is frozen")]
    SeedChanged,
    /// A system table that this build works with was dropped or renamed, or never made.
    #[error("the system table is gone")]
    SystemTableGone,
    /// A system table lacks a column that this build works with: none of this name and type is there, or another one took its name.
    #[error("the system table lacks its column {column}, a {column_type}")]
    SystemColumnGone {
        /// The column's name.
        column: &'static str,
        /// The type it should have.
        column_type: ColumnType,
    },
    /// An index changed its columns or its uniqueness under the same id.
    #[error("an index keeps its columns for life")]
    IndexChanged,
    /// The database row is missing, doubled, or names another database.
    #[error("the database is another one, or not declared exactly once")]
    DatabaseId,
    /// A mark of the oldest build that may read or write sank, or a transaction and the database row disagree about it.
    #[error("the marks are reader {}, writer {}; the transaction says {}, {}",
        .expected.minimum_reader, .expected.minimum_writer, .found.minimum_reader, .found.minimum_writer)]
    Marks {
        /// The marks in force.
        expected: Marks,
        /// The marks found.
        found: Marks,
    },
    /// The table's pages have another layout, index or key than its rows in the catalog.
    #[error("the table's pages and its definition differ")]
    PagesDiffer,
}

impl ContradictionKind {
    /// Whether positions of columns have a gap, which a later group of the same transaction may close.
    pub(crate) fn is_gap(&self) -> bool {
        matches!(self, ContradictionKind::PositionGap { .. })
    }
}

fn key_text(key: &[Value]) -> String {
    let texts: Vec<String> = key.iter().map(Value::to_string).collect();
    format!("({})", texts.join(", "))
}

pub(crate) fn mistakes_text(mistakes: &[Mistake]) -> String {
    let texts: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
    texts.join("; ")
}
