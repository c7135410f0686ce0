//! One constraint of a table, as the catalog declares it.

use table::IndexId;

use crate::constraint_id::ConstraintId;

/// What a constraint demands. Not null is no kind: it is a property of the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConstraintKind {
    /// The columns of a unique index, none of them nullable, name each row of the table.
    PrimaryKey {
        /// That index.
        index: IndexId,
    },
    /// No two rows agree in the columns of a unique index.
    Unique {
        /// That index.
        index: IndexId,
    },
}

impl ConstraintKind {
    /// The index that keeps the constraint.
    pub fn index(self) -> IndexId {
        match self {
            ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => index,
        }
    }
}

/// A constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstraintDefinition {
    /// Its id.
    pub id: ConstraintId,
    /// Its name, unique in the table.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
}
