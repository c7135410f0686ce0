//! One foreign key of a table: which of its columns name which row of which table.

use table::{IndexId, TableId};

use crate::constraint_definition::ConstraintKind;
use crate::constraint_id::ConstraintId;
use crate::table_definition::TableDefinition;

/// A foreign key, by the ids of what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    pub(crate) constraint: ConstraintId,
    /// The index of its table.
    pub(crate) index: IndexId,
    pub(crate) target: TableId,
    pub(crate) target_index: IndexId,
}

impl TableDefinition {
    /// The foreign keys of the table.
    pub(crate) fn foreign_keys(&self) -> impl Iterator<Item = ForeignKey> {
        self.constraints().iter().filter_map(|constraint| {
            let ConstraintKind::ForeignKey {
                index,
                target,
                target_index,
            } = constraint.kind
            else {
                return None;
            };
            Some(ForeignKey {
                constraint: constraint.id,
                index,
                target,
                target_index,
            })
        })
    }

    /// The positions of the columns of an index; none if it has no index of this id.
    pub(crate) fn index_positions(&self, index: IndexId) -> Vec<usize> {
        let index = self.index_of(index);
        let columns = index.into_iter().flat_map(|index| &index.columns);
        columns.filter_map(|id| self.position_of(*id)).collect()
    }
}
