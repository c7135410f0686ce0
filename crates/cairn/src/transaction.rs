//! Changes that happen together or not at all.

use schema::{
    Declaration, Migration, NewColumn, NewSequence, NewTable, TableDefinition, WriteTransaction,
};
use table::{ColumnType, RowId, Value};

use crate::error::Error;
use crate::record::Record;
use crate::table_view::TableView;

/// A write transaction: it sees its own changes, nobody else does until it is committed.
///
/// A statement that is refused changes nothing; the transaction goes on, and may be committed without it.
#[derive(Debug)]
pub struct Transaction<'t>(&'t mut WriteTransaction);

/// A state of one [`Transaction`] to come back to.
#[derive(Debug, Clone)]
pub struct Savepoint(schema::Savepoint);

impl<'t> Transaction<'t> {
    pub(crate) fn new(inner: &'t mut WriteTransaction) -> Self {
        Transaction(inner)
    }

    /// Makes a table.
    ///
    /// # Errors
    /// All mistakes of the definition at once; a table of that name.
    pub fn create_table(&mut self, table: &NewTable) -> Result<(), Error> {
        self.0.create_table(table)?;
        Ok(())
    }

    /// Removes a table with its rows.
    ///
    /// # Errors
    /// No table of that name, or a system table.
    pub fn drop_table(&mut self, table: &str) -> Result<(), Error> {
        Ok(self.0.drop_table(table)?)
    }

    /// Gives a table another name.
    ///
    /// # Errors
    /// No table of that name, or one that has the new name.
    pub fn rename_table(&mut self, table: &str, name: &str) -> Result<(), Error> {
        Ok(self.0.rename_table(table, name)?)
    }

    /// Appends a column. Rows that are there show its default, or null.
    ///
    /// # Errors
    /// All mistakes of the definition at once; a column that rows must name, in a table that has rows.
    pub fn add_column(&mut self, table: &str, column: NewColumn) -> Result<(), Error> {
        self.0.add_column(table, column)?;
        Ok(())
    }

    /// Gives a column another name.
    ///
    /// # Errors
    /// No column of that name, or one that has the new name.
    pub fn rename_column(&mut self, table: &str, column: &str, name: &str) -> Result<(), Error> {
        Ok(self.0.rename_column(table, column, name)?)
    }

    /// Drops a column with its values. Builds of format 2 and older can not open the database from then on.
    ///
    /// # Errors
    /// No column of that name; an index or a constraint over it; the only column.
    pub fn drop_column(&mut self, table: &str, column: &str) -> Result<(), Error> {
        Ok(self.0.drop_column(table, column)?)
    }

    /// Gives a column a type that holds all values of the one it has: integers to wider ones, f32 to f64 (the whole list is at
    /// [`ColumnType::widens_to`]). Builds of format 2 and older can not open the database from then on.
    ///
    /// # Errors
    /// No column of that name; a type that is not wider.
    pub fn widen_column(
        &mut self,
        table: &str,
        column: &str,
        column_type: ColumnType,
    ) -> Result<(), Error> {
        Ok(self.0.widen_column(table, column, column_type)?)
    }

    /// Lets a column hold null. Builds of format 2 and older can not open the database from then on.
    ///
    /// # Errors
    /// No column of that name; one of the primary key, or one that counts by itself.
    pub fn drop_not_null(&mut self, table: &str, column: &str) -> Result<(), Error> {
        Ok(self.0.drop_not_null(table, column)?)
    }

    /// Lets a column hold null no longer. Builds of format 2 and older can not open the database from then on.
    ///
    /// # Errors
    /// No column of that name; rows with null in it, of which the first are shown.
    pub fn set_not_null(&mut self, table: &str, column: &str) -> Result<(), Error> {
        Ok(self.0.set_not_null(table, column)?)
    }

    /// Changes what rows to come get that do not name the column.
    ///
    /// # Errors
    /// No column of that name; a value of another type; a column that counts by itself.
    pub fn set_default(
        &mut self,
        table: &str,
        column: &str,
        default: Option<Value>,
    ) -> Result<(), Error> {
        Ok(self.0.set_default(table, column, default)?)
    }

    /// Lets an integer column count by itself from now on, behind the numbers that rows have.
    ///
    /// # Errors
    /// No column of that name; one that counts already, is no integer, may be null or has a default; bounds that do not fit.
    pub fn create_sequence(
        &mut self,
        table: &str,
        column: &str,
        sequence: NewSequence,
    ) -> Result<(), Error> {
        Ok(self.0.create_sequence(table, column, sequence)?)
    }

    /// Lets a column count by itself no longer.
    ///
    /// # Errors
    /// No column of that name, or one that does not count.
    pub fn drop_sequence(&mut self, table: &str, column: &str) -> Result<(), Error> {
        Ok(self.0.drop_sequence(table, column)?)
    }

    /// Names rows by these columns from now on, in a table that has no primary key.
    ///
    /// # Errors
    /// Names that do not fit, columns that may be null, rows that agree.
    pub fn add_primary_key(&mut self, table: &str, columns: &[&str]) -> Result<(), Error> {
        Ok(self.0.add_primary_key(table, columns)?)
    }

    /// Demands from now on that no two rows agree in these columns.
    ///
    /// # Errors
    /// Names that do not fit, rows that agree.
    pub fn add_unique(&mut self, table: &str, columns: &[&str]) -> Result<(), Error> {
        Ok(self.0.add_unique(table, columns)?)
    }

    /// Demands from now on that each row without null in these columns names a row of `target`, which may be the same table, by the
    /// columns of its primary key or of something unique. It is looked at at the commit, so rows may come and go in any order
    /// before. Builds of format 1 can read the database from then on, and not write to it.
    ///
    /// # Errors
    /// Names and types that do not fit. At the commit: rows that name nothing, of which the first are shown.
    pub fn add_foreign_key(
        &mut self,
        table: &str,
        columns: &[&str],
        target: &str,
        target_columns: &[&str],
    ) -> Result<(), Error> {
        Ok(self
            .0
            .add_foreign_key(table, columns, target, target_columns)?)
    }

    /// Drops a constraint by name, the primary key (`primary_key`) too, with its index.
    ///
    /// # Errors
    /// No constraint of that name.
    pub fn drop_constraint(&mut self, table: &str, constraint: &str) -> Result<(), Error> {
        Ok(self.0.drop_constraint(table, constraint)?)
    }

    /// Adds an ordered index over some columns and fills it from the rows.
    ///
    /// # Errors
    /// Names that do not fit.
    pub fn create_index(
        &mut self,
        table: &str,
        index: &str,
        columns: &[&str],
    ) -> Result<(), Error> {
        self.0.create_index(table, index, columns, false)?;
        Ok(())
    }

    /// Adds an ordered index in whose columns no two rows may agree.
    ///
    /// # Errors
    /// Names that do not fit, or rows that agree.
    pub fn create_unique_index(
        &mut self,
        table: &str,
        index: &str,
        columns: &[&str],
    ) -> Result<(), Error> {
        self.0.create_index(table, index, columns, true)?;
        Ok(())
    }

    /// Adds a hash index over some columns and fills it from the rows: it finds rows by values of all of them, and nothing
    /// else. Builds of format 1 can not open the database from then on.
    ///
    /// # Errors
    /// Names that do not fit.
    pub fn create_hash_index(
        &mut self,
        table: &str,
        index: &str,
        columns: &[&str],
    ) -> Result<(), Error> {
        self.0.create_hash_index(table, index, columns, false)?;
        Ok(())
    }

    /// [`Transaction::create_hash_index`] in whose columns no two rows may agree.
    ///
    /// # Errors
    /// Names that do not fit, or rows that agree.
    pub fn create_unique_hash_index(
        &mut self,
        table: &str,
        index: &str,
        columns: &[&str],
    ) -> Result<(), Error> {
        self.0.create_hash_index(table, index, columns, true)?;
        Ok(())
    }

    /// Removes an index.
    ///
    /// # Errors
    /// No index of that name, or one that keeps a constraint.
    pub fn drop_index(&mut self, table: &str, index: &str) -> Result<(), Error> {
        Ok(self.0.drop_index(table, index)?)
    }

    /// Compares the tables with those declared, and changes nothing.
    ///
    /// # Errors
    /// All mistakes of a declared table.
    pub fn plan_migration(&self, wanted: &Declaration) -> Result<Migration, Error> {
        Ok(self.0.plan_migration(wanted)?)
    }

    /// Makes the tables as declared; yields what it did. If anything refuses, nothing has changed.
    ///
    /// # Errors
    /// All mistakes of a declared table; all that can not be done without losing something that was not asked for; rows that do not
    /// allow a step.
    pub fn migrate(&mut self, wanted: &Declaration) -> Result<Migration, Error> {
        Ok(self.0.migrate(wanted)?)
    }

    /// Adds a row by the names of its columns. What is not named gets its default, null, or its next number.
    ///
    /// # Errors
    /// A refusal that names table and column, or index and key.
    pub fn insert(&mut self, table: &str, cells: &[(&str, Value)]) -> Result<RowId, Error> {
        Ok(self.0.insert(table, cells)?)
    }

    /// Adds a row by all its values, in the order of the columns.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    pub fn insert_row(&mut self, table: &str, values: Vec<Value>) -> Result<RowId, Error> {
        Ok(self.0.insert_row(table, values)?)
    }

    /// Adds a row from a Rust type.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    pub fn insert_record<T: Record>(&mut self, record: &T) -> Result<RowId, Error> {
        self.insert(T::TABLE, &record.cells())
    }

    /// Changes cells of the row with this primary key.
    ///
    /// # Errors
    /// No such row, no primary key, or as [`Transaction::insert`].
    pub fn update(
        &mut self,
        table: &str,
        key: &[Value],
        cells: &[(&str, Value)],
    ) -> Result<RowId, Error> {
        Ok(self.0.update(table, key, cells)?)
    }

    /// Changes cells of a row that was found in this transaction; returns where it stands now.
    ///
    /// # Errors
    /// As [`Transaction::update`].
    pub fn update_row(
        &mut self,
        table: &str,
        row: RowId,
        cells: &[(&str, Value)],
    ) -> Result<RowId, Error> {
        Ok(self.0.update_row(table, row, cells)?)
    }

    /// Removes the row with this primary key.
    ///
    /// # Errors
    /// No such row, no primary key.
    pub fn delete(&mut self, table: &str, key: &[Value]) -> Result<(), Error> {
        Ok(self.0.delete(table, key)?)
    }

    /// Removes a row that was found in this transaction.
    ///
    /// # Errors
    /// No such row.
    pub fn delete_row(&mut self, table: &str, row: RowId) -> Result<(), Error> {
        Ok(self.0.delete_row(table, row)?)
    }

    /// A table as this transaction sees it.
    ///
    /// # Errors
    /// No table of that name; the error knows the nearest one.
    pub fn table(&self, name: &str) -> Result<TableView<'_>, Error> {
        let definition = self.0.definition(name)?;
        Ok(TableView::new(definition, self.0.table(definition.id())?))
    }

    /// The definitions of all tables, the system's included, ascending by id.
    pub fn tables(&self) -> impl Iterator<Item = &TableDefinition> {
        self.0.catalog().tables().map(|definition| &**definition)
    }

    /// Remembers this state; O(1).
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.0.savepoint())
    }

    /// Goes back to a remembered state. It stays good for going back again.
    ///
    /// # Panics
    /// If the savepoint is one of another transaction: what that one did would be done again.
    pub fn roll_back_to(&mut self, savepoint: &Savepoint) {
        self.0.roll_back_to(&savepoint.0);
    }

    /// The transaction of the schema layer, for what this layer does not offer.
    pub fn inner(&mut self) -> &mut WriteTransaction {
        self.0
    }
}
