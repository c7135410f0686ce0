//! An index to be made.

use table::{IndexId, IndexKind, Marks, TableId};

use crate::constraint_definition::ConstraintKind;
use crate::format::{FIRST_WRITER, WRITER_OF_FOREIGN_KEYS, reader_of_kind};

/// An index to be made, by the names of its columns, with the constraint that it keeps, if any, under the same name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewIndex {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) role: NewIndexRole,
    pub(crate) kind: IndexKind,
}

impl NewIndex {
    /// An index over these columns.
    pub(crate) fn new(
        name: &str,
        columns: &[&str],
        role: NewIndexRole,
        kind: IndexKind,
    ) -> NewIndex {
        NewIndex {
            name: name.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            role,
            kind,
        }
    }

    /// Whether both are there for the same. Those of constraints are named after columns, which may have other names by now.
    pub(crate) fn demands_the_same(&self, other: &NewIndex) -> bool {
        let is_named = !self.role.is_constraint();
        self.columns == other.columns
            && self.role == other.role
            && self.kind == other.kind
            && (self.name == other.name || !is_named)
    }

    /// The builds that it asks for.
    pub(crate) fn marks(&self) -> Marks {
        Marks {
            minimum_reader: reader_of_kind(self.kind),
            minimum_writer: match self.role {
                NewIndexRole::ForeignKey { .. } => WRITER_OF_FOREIGN_KEYS,
                _ => FIRST_WRITER,
            },
        }
    }
}

/// What an index is there for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NewIndexRole {
    /// With the constraint that it keeps, as the next two.
    PrimaryKey,
    Unique,
    /// By the ids of what is referred to, so for a table that is there.
    ForeignKey {
        target: TableId,
        target_index: IndexId,
    },
    /// Unique without a constraint.
    PlainUnique,
    Plain,
}

impl NewIndexRole {
    pub(crate) fn is_unique(self) -> bool {
        match self {
            NewIndexRole::PrimaryKey | NewIndexRole::Unique | NewIndexRole::PlainUnique => true,
            NewIndexRole::ForeignKey { .. } | NewIndexRole::Plain => false,
        }
    }

    /// Whether a constraint comes with the index.
    pub(crate) fn is_constraint(self) -> bool {
        !matches!(self, NewIndexRole::PlainUnique | NewIndexRole::Plain)
    }

    /// What the constraint demands that comes with the index of this id.
    pub(crate) fn constraint(self, index: IndexId) -> Option<ConstraintKind> {
        Some(match self {
            NewIndexRole::PrimaryKey => ConstraintKind::PrimaryKey { index },
            NewIndexRole::Unique => ConstraintKind::Unique { index },
            NewIndexRole::ForeignKey {
                target,
                target_index,
            } => ConstraintKind::ForeignKey {
                index,
                target,
                target_index,
            },
            NewIndexRole::PlainUnique | NewIndexRole::Plain => return None,
        })
    }

    /// What people call it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            NewIndexRole::PrimaryKey => "primary key",
            NewIndexRole::Unique => "unique constraint",
            NewIndexRole::ForeignKey { .. } => "foreign key",
            NewIndexRole::PlainUnique => "unique index",
            NewIndexRole::Plain => "index",
        }
    }
}
