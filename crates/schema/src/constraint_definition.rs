//! One constraint of a table, as the catalog declares it.

use table::{IndexId, TableId};

use crate::constraint_id::ConstraintId;
use crate::format::{
    CONSTRAINT_KIND_FOREIGN_KEY, CONSTRAINT_KIND_PRIMARY_KEY, CONSTRAINT_KIND_UNIQUE,
};

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
    /// Each row without null in the columns of an index has a row of another table, or of its own, that agrees with it in the columns of a
    /// unique index there. It is looked at when a transaction ends.
    ForeignKey {
        /// The index of this table.
        index: IndexId,
        /// The other table.
        target: TableId,
        /// The unique index of that one.
        target_index: IndexId,
    },
    /// A kind that a newer build has added. Then the log's minimum writer keeps this build from writing.
    Unknown {
        /// Its code.
        code: u8,
    },
}

impl ConstraintKind {
    /// The index that keeps the constraint, if one does.
    pub fn index(self) -> Option<IndexId> {
        match self {
            ConstraintKind::PrimaryKey { index }
            | ConstraintKind::Unique { index }
            | ConstraintKind::ForeignKey { index, .. } => Some(index),
            ConstraintKind::Unknown { .. } => None,
        }
    }

    /// The code that stands for the kind in `st_constraint`.
    pub fn code(self) -> u8 {
        match self {
            ConstraintKind::PrimaryKey { .. } => CONSTRAINT_KIND_PRIMARY_KEY,
            ConstraintKind::Unique { .. } => CONSTRAINT_KIND_UNIQUE,
            ConstraintKind::ForeignKey { .. } => CONSTRAINT_KIND_FOREIGN_KEY,
            ConstraintKind::Unknown { code } => code,
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
