//! A table as the catalog declares it.

use table::{IndexId, TableId};

use crate::column_definition::ColumnDefinition;
use crate::column_id::ColumnId;
use crate::constraint_definition::{ConstraintDefinition, ConstraintKind};
use crate::index_definition::IndexDefinition;
use crate::limits::RESERVED;
use crate::mistake::Mistake;
use crate::sequence_definition::SequenceDefinition;
use crate::validation;

/// A table: its name, and what it is made of, each list in the order of ids except the columns, which stand in the
/// order of their positions.
///
/// Invariant: it makes none of the mistakes that [`Mistake`] lists, and each id it names is one of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDefinition {
    id: TableId,
    name: String,
    columns: Vec<ColumnDefinition>,
    indexes: Vec<IndexDefinition>,
    constraints: Vec<ConstraintDefinition>,
    sequences: Vec<SequenceDefinition>,
}

/// The parts of a table that may still contradict each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableParts {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) columns: Vec<ColumnDefinition>,
    pub(crate) indexes: Vec<IndexDefinition>,
    pub(crate) constraints: Vec<ConstraintDefinition>,
    pub(crate) sequences: Vec<SequenceDefinition>,
}

impl TableDefinition {
    /// The definition, or every mistake in it. The ids that the parts name must be there.
    pub(crate) fn new(mut parts: TableParts) -> Result<Self, Vec<Mistake>> {
        parts.indexes.sort_by_key(|index| index.id);
        parts.constraints.sort_by_key(|constraint| constraint.id);
        parts.sequences.sort_by_key(|sequence| sequence.id);
        let mistakes = validation::mistakes(&parts);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let TableParts {
            id,
            name,
            columns,
            indexes,
            constraints,
            sequences,
        } = parts;
        Ok(TableDefinition {
            id,
            name,
            columns,
            indexes,
            constraints,
            sequences,
        })
    }

    /// Its id.
    pub fn id(&self) -> TableId {
        self.id
    }

    /// Its name, unique in the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is one of the system's own tables.
    pub fn is_system(&self) -> bool {
        RESERVED.contains(&self.id.0)
    }

    /// Its columns by position.
    pub fn columns(&self) -> &[ColumnDefinition] {
        &self.columns
    }

    /// Its indexes by id.
    pub fn indexes(&self) -> &[IndexDefinition] {
        &self.indexes
    }

    /// Its constraints by id.
    pub fn constraints(&self) -> &[ConstraintDefinition] {
        &self.constraints
    }

    /// The sequences that fill its columns, by id.
    pub fn sequences(&self) -> &[SequenceDefinition] {
        &self.sequences
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnDefinition> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The position of the column of this name.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }

    /// The position of the column of this id.
    pub fn position_of(&self, column: ColumnId) -> Option<usize> {
        self.columns.iter().position(|known| known.id == column)
    }

    /// The index of this name.
    pub fn index(&self, name: &str) -> Option<&IndexDefinition> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// The index of this id.
    pub fn index_of(&self, id: IndexId) -> Option<&IndexDefinition> {
        self.indexes.iter().find(|index| index.id == id)
    }

    /// The index by whose columns the log names rows, if the table has a primary key.
    pub fn primary_key(&self) -> Option<&IndexDefinition> {
        let index = self
            .constraints
            .iter()
            .find_map(|constraint| match constraint.kind {
                ConstraintKind::PrimaryKey { index } => Some(index),
                _ => None,
            })?;
        self.index_of(index)
    }

    /// The parts, to be changed and put together again.
    pub(crate) fn to_parts(&self) -> TableParts {
        TableParts {
            id: self.id,
            name: self.name.clone(),
            columns: self.columns.clone(),
            indexes: self.indexes.clone(),
            constraints: self.constraints.clone(),
            sequences: self.sequences.clone(),
        }
    }
}
