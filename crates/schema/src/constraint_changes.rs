//! Changes of constraints in a write transaction. Not null is a property of a column: `column_changes.rs`.

use table::{ColumnType, IndexId, IndexKind, TableId, Value};

use crate::error::Error;
use crate::nearest::nearest;
use crate::new_foreign_key::NewForeignKey;
use crate::new_index::{NewIndex, NewIndexRole};
use crate::new_table::{PRIMARY_KEY, foreign_name, unique_name};
use crate::row_values::require_position;
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;
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
        let (role, kind) = (NewIndexRole::PrimaryKey, IndexKind::Ordered);
        let index = NewIndex::new(PRIMARY_KEY, columns, role, kind);
        self.add_index(table, &index).map(drop)
    }

    /// Demands from now on that no two rows agree in these columns: the table gets a unique index and a constraint, both named
    /// `unique_` and the columns, with a number behind if that is the name of one over columns that were renamed.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes; [`Error::UniqueViolation`] if rows agree in these columns.
    pub fn add_unique<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        columns: &[&str],
    ) -> Result<(), Error> {
        let (role, kind) = (NewIndexRole::Unique, IndexKind::Ordered);
        let index = NewIndex::new(&unique_name(columns), columns, role, kind);
        self.add_index(table, &index).map(drop)
    }

    /// Demands from now on that each row without null in these columns names a row of `target`, which may be the same table: one that has the same
    /// values in `target_columns`, which a primary key, a unique constraint or a unique index is over, in this order. The table gets an
    /// ordered index and a constraint, both named `foreign_` and the columns, with a number behind if that is taken: the same columns may refer to several
    /// tables. It is looked at when the transaction ends, so that rows
    /// may come and go in any order inside it. Builds of format 1 can read the database from then on, and not write to it.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes; [`Error::NoSuchTable`], [`Error::NoSuchColumn`]; [`Error::SystemTable`]; [`Error::NotAKey`] if nothing unique
    /// is over the columns; [`Error::ForeignKeyTypes`]. When the transaction ends: [`Error::ForeignKeyViolation`] if rows name nothing,
    /// [`Error::ForeignKeyTarget`] if what they name rows by is gone.
    pub fn add_foreign_key<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        columns: &[&str],
        target: &str,
        target_columns: &[&str],
    ) -> Result<(), Error> {
        // Rows of the catalog come and go in other ways, which look at no foreign keys.
        let target = self.writable(target)?;
        let target_index = require_key(&target, target_columns)?;
        let table = self.writable(table)?;
        require_same_types(&table, columns, &target, target_columns)?;
        let role = NewIndexRole::ForeignKey {
            target: target.id(),
            target_index,
        };
        let name = foreign_name(columns);
        let index = NewIndex::new(&name, columns, role, IndexKind::Ordered);
        self.add_index(table.id(), &index).map(drop)
    }

    pub(crate) fn add_new_foreign_key(
        &mut self,
        table: TableId,
        key: &NewForeignKey,
    ) -> Result<(), Error> {
        let columns: Vec<&str> = key.columns.iter().map(String::as_str).collect();
        let target_columns: Vec<&str> = key.target_columns.iter().map(String::as_str).collect();
        self.add_foreign_key(table, &columns, &key.target, &target_columns)
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

/// The unique index of a table that is over exactly these columns, in this order.
fn require_key(table: &TableDefinition, columns: &[&str]) -> Result<IndexId, Error> {
    let mut ids = Vec::new();
    for column in columns {
        ids.push(table.columns()[require_position(table, column)?].id);
    }
    let mut indexes = table.indexes().iter();
    let index = indexes.find(|index| index.unique && index.columns == ids);
    index.map(|index| index.id).ok_or_else(|| Error::NotAKey {
        table: table.name().to_owned(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
    })
}

fn require_same_types(
    table: &TableDefinition,
    columns: &[&str],
    target: &TableDefinition,
    target_columns: &[&str],
) -> Result<(), Error> {
    let types = |table: &TableDefinition, columns: &[&str]| -> Result<Vec<ColumnType>, Error> {
        let mut types = Vec::new();
        for column in columns {
            types.push(table.columns()[require_position(table, column)?].column_type);
        }
        Ok(types)
    };
    let (own, others) = (types(table, columns)?, types(target, target_columns)?);
    if own == others {
        return Ok(());
    }
    Err(Error::ForeignKeyTypes {
        table: table.name().to_owned(),
        types: own,
        target: target.name().to_owned(),
        target_types: others,
    })
}
