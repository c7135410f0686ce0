//! An index to be made.

use table::IndexKind;

/// An index of a table to be made, by the names of its columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewIndex {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) role: NewIndexRole,
    pub(crate) kind: IndexKind,
}

impl NewIndex {
    /// Whether both are there for the same. Those of constraints are named after columns, which may have other names by now.
    pub(crate) fn demands_the_same(&self, other: &NewIndex) -> bool {
        let is_named = !self.role.is_constraint();
        self.columns == other.columns
            && self.role == other.role
            && self.kind == other.kind
            && (self.name == other.name || !is_named)
    }
}

/// What an index is there for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NewIndexRole {
    /// With the constraint that it keeps, as the next one.
    PrimaryKey,
    Unique,
    /// Unique without a constraint.
    PlainUnique,
    Plain,
}

impl NewIndexRole {
    pub(crate) fn is_unique(self) -> bool {
        self != NewIndexRole::Plain
    }

    /// Whether a constraint comes with the index.
    pub(crate) fn is_constraint(self) -> bool {
        matches!(self, NewIndexRole::PrimaryKey | NewIndexRole::Unique)
    }
}
