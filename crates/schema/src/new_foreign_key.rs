//! A foreign key to be made.

/// A foreign key of a table to be made, by names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewForeignKey {
    /// Of the constraint.
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) target: String,
    pub(crate) target_columns: Vec<String>,
}

impl NewForeignKey {
    /// Whether both demand the same, whatever they are called: a name is made of columns that may have other names by now.
    pub(crate) fn demands_the_same(&self, other: &NewForeignKey) -> bool {
        self.columns == other.columns
            && self.target == other.target
            && self.target_columns == other.target_columns
    }
}
