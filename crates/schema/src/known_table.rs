//! A system table as this build meets it in a log: its columns found by name.

use std::sync::Arc;

use table::{IndexId, IndexKind, Row, Store, TableId, TableRef, Value};

use crate::contradiction::{Contradiction, ContradictionKind};
use crate::error::Error;
use crate::row_values;
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;

/// A system table of this build's list, with the definition that the log gives it.
///
/// Invariant: it has every column of the list but for later ones, and those that it has with the list's type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KnownTable {
    pub(crate) name: SystemTableName,
    pub(crate) definition: Arc<TableDefinition>,
}

impl KnownTable {
    /// The table by its newest definition; `before` is what it was until then. A column that it has had is the same one for good: what was
    /// read from it would be read from nothing, or from another, if the rows were read again.
    pub(crate) fn new(
        name: SystemTableName,
        definition: Arc<TableDefinition>,
        before: Option<&KnownTable>,
    ) -> Result<Self, Contradiction> {
        for column in name.declaration().columns {
            let had = before.and_then(|before| before.definition.column(column.name));
            // A null where the list has none would be read by nobody.
            let fits = match definition.column(column.name) {
                Some(found) => {
                    found.column_type == column.column_type
                        && (!found.nullable || column.nullable)
                        && had.is_none_or(|had| had.id == found.id)
                }
                None => column.is_later && had.is_none(),
            };
            if !fits {
                let ids = [Some(definition.id().0), had.map(|had| had.id.0)];
                return Err(Contradiction {
                    system_table: SystemTableName::Column.declaration().name.to_owned(),
                    key: ids.into_iter().flatten().map(Value::U32).collect(),
                    kind: ContradictionKind::SystemColumnGone {
                        column: column.name,
                        column_type: column.column_type,
                    },
                });
            }
        }
        Ok(KnownTable { name, definition })
    }

    pub(crate) fn id(&self) -> TableId {
        self.definition.id()
    }

    /// The position of a column of the list that is no later one.
    pub(crate) fn position(&self, column: &'static str) -> usize {
        self.definition
            .position(column)
            .expect("a known table has the columns of the list")
    }

    /// The cell of a column of the list; null if the log has not been upgraded to have it.
    pub(crate) fn cell(&self, row: &Row<'_>, column: &'static str) -> Result<Value, Error> {
        match self.definition.position(column) {
            Some(position) => row.value(position).map_err(Error::Table),
            None => Ok(Value::Null),
        }
    }

    /// A row with these cells; columns that this build does not know get what the log says that they get. A null needs no column.
    ///
    /// # Errors
    /// [`Error::NotUpgraded`] if a cell is of a column that the log has not been upgraded to have.
    pub(crate) fn row(&self, mut cells: Vec<(&'static str, Value)>) -> Result<Vec<Value>, Error> {
        let lacks = |column: &str| self.definition.position(column).is_none();
        cells.retain(|(column, value)| !(value.is_null() && lacks(column)));
        if let Some((column, _)) = cells.iter().find(|(column, _)| lacks(column)) {
            return Err(Error::NotUpgraded {
                table: self.definition.name().to_owned(),
                column,
            });
        }
        row_values::complete(&self.definition, cells)
    }

    /// The rows that hold these values in these columns: through an index that begins with them if there is one.
    pub(crate) fn rows_where<'a>(
        &self,
        store: &'a Store,
        cells: &[(&'static str, Value)],
    ) -> Result<Vec<Row<'a>>, Error> {
        let table = store.table(self.id()).map_err(Error::Table)?;
        let positions: Vec<usize> = cells
            .iter()
            .map(|(column, _)| self.position(column))
            .collect();
        if let Some(index) = index_on(table, &positions) {
            let prefix: Vec<Value> = cells.iter().map(|(_, value)| value.clone()).collect();
            let rows = table.index_prefix(index, &prefix).map_err(Error::Table)?;
            return rows.collect::<Result<_, _>>().map_err(Error::Table);
        }
        let mut rows = Vec::new();
        for row in table.scan() {
            let row = row.map_err(Error::Table)?;
            let mut holds = true;
            for (position, (_, value)) in positions.iter().zip(cells) {
                holds &= row.value(*position).map_err(Error::Table)? == *value;
            }
            if holds {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// A complaint about one row.
    pub(crate) fn contradiction(&self, key: Vec<Value>, kind: ContradictionKind) -> Error {
        Error::Contradiction(Contradiction {
            system_table: self.definition.name().to_owned(),
            key,
            kind,
        })
    }
}

/// An ordered index of the table's pages that begins with the columns at these positions.
fn index_on(table: TableRef<'_>, positions: &[usize]) -> Option<IndexId> {
    let begins = |columns: &[u16]| {
        columns.len() >= positions.len()
            && columns
                .iter()
                .zip(positions)
                .all(|(&column, &position)| usize::from(column) == position)
    };
    table
        .indexes()
        .find(|index| index.kind == IndexKind::Ordered && begins(&index.columns))
        .map(|index| index.id)
}
