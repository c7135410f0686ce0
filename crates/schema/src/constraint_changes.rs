//! Changes of constraints in a write transaction. Not null is a property of a column: `column_changes.rs`.

use table::{IndexKind, Value};

use crate::constraint_definition::ConstraintKind;
use crate::definition_changes::WantedIndex;
use crate::error::Error;
use crate::nearest::nearest;
use crate::new_table::{PRIMARY_KEY, unique_name};
use crate::system_tables::SystemTableName;
use crate::table_key::TableKey;
use crate::write_transaction::WriteTransaction;

impl WriteTransaction {
    /// Names the rows of a table by these columns from now on: it gets a unique index and a constraint, both named `primary_key`.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes, a key that is there already and columns that may be null among them;
    /// [`Error::UniqueViolation`] if rows agree in these columns.
    pub fn add_primary_key<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        columns: &[&str],
    ) -> Result<(), Error> {
        let index = WantedIndex {
            name: PRIMARY_KEY,
            columns,
            unique: true,
            kind: IndexKind::Ordered,
            keeps: Some(|index| ConstraintKind::PrimaryKey { index }),
        };
        self.add_index(table, &index).map(drop)
    }

    /// Demands from now on that no two rows agree in these columns: the table gets a unique index and a constraint, both named
    /// `unique_` and the columns.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes; [`Error::UniqueViolation`] if rows agree in these columns.
    pub fn add_unique<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        columns: &[&str],
    ) -> Result<(), Error> {
        let index = WantedIndex {
            name: &unique_name(columns),
            columns,
            unique: true,
            kind: IndexKind::Ordered,
            keeps: Some(|index| ConstraintKind::Unique { index }),
        };
        self.add_index(table, &index).map(drop)
    }

    /// Drops a constraint, the primary key too, with the index that keeps it. Without a primary key rows are named by their whole content.
    ///
    /// # Errors
    /// [`Error::NoSuchConstraint`], which knows the nearest name.
    pub fn drop_constraint<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        name: &str,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let names = || table.constraints().iter().map(|known| known.name.as_str());
        let mut constraints = table.constraints().iter();
        let constraint = constraints.find(|constraint| constraint.name == name);
        let constraint = constraint.ok_or_else(|| Error::NoSuchConstraint {
            table: table.name().to_owned(),
            name: name.to_owned(),
            nearest: nearest(name, names()),
        })?;
        let of = |column, id| {
            [
                ("table_id", Value::U32(table.id().0)),
                (column, Value::U32(id)),
            ]
        };
        self.change_catalog(|change| {
            let of_constraint = of("constraint_id", constraint.id.0);
            change.delete(SystemTableName::Constraint, &of_constraint)?;
            match constraint.kind.index() {
                Some(index) => change.delete(SystemTableName::Index, &of("index_id", index.0)),
                None => Ok(()),
            }
        })
    }
}
