//! Changes of columns in a write transaction.
//!
//! Columns come and go without a look at the rows, which stay as they are and move as the table is written to. A wider type makes every row be
//! written again, in the transaction that asks for it and wherever that is replayed, and so does what takes a column from a table without a
//! primary key; views go on meanwhile, other transactions wait. Names and defaults cost nothing.

use table::{ColumnType, Marks, Value, encode_value};

use crate::catalog_change::CatalogChange;
use crate::catalog_rows;
use crate::column_definition::ColumnDefinition;
use crate::column_id::ColumnId;
use crate::definition_changes::{invalid, require_valid};
use crate::error::Error;
use crate::format::{READER_OF_COLUMN_CHANGES, marks_of_reader};
use crate::limits::OFFENDERS_MAX;
use crate::mistake::Object;
use crate::new_column::NewColumn;
use crate::new_sequence::NewSequence;
use crate::row_values::require_position;
use crate::sequence_definition::SequenceDefinition;
use crate::system_tables::{COLUMN_IDS, SystemTableName};
use crate::table_definition::TableDefinition;
use crate::table_key::TableKey;
use crate::validation::check_default_length;
use crate::write_transaction::WriteTransaction;

/// What changes that older builds can not follow ask for.
const MARKS: Marks = marks_of_reader(READER_OF_COLUMN_CHANGES);

impl WriteTransaction {
    /// Appends a column to a table. Rows that are there show its default, or null.
    ///
    /// # Errors
    /// [`Error::InvalidDefinition`] with all mistakes; [`Error::MissingValue`] if the table has rows and the column is
    /// neither nullable nor has a default.
    pub fn add_column<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: NewColumn,
    ) -> Result<ColumnId, Error> {
        let table = self.writable(table)?;
        let extended = |id: u32| {
            let mut parts = table.to_parts();
            parts.columns.push(column.with_id(ColumnId(id)));
            parts
        };
        // No column of the table has this id: it is a system column's.
        let definition = require_valid(extended(0))?;
        require_short(&table, &column.name, column.default.as_ref())?;
        let added = definition
            .columns()
            .last()
            .and_then(|added| added.missing_value());
        let has_rows = self.table(table.id())?.row_count() > 0;
        if added.is_none() && has_rows {
            return Err(Error::MissingValue {
                table: table.name().to_owned(),
                column: column.name,
            });
        }
        self.change_catalog(|change| {
            let id = change.take_ids(COLUMN_IDS, 1)?;
            let definition = require_valid(extended(id))?;
            if let Some(cells) = catalog_rows::of_columns(&definition).last() {
                change.insert(SystemTableName::Column, cells)?;
            }
            Ok(ColumnId(id))
        })
    }

    /// Gives a column another name.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`], [`Error::InvalidDefinition`].
    pub fn rename_column<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
        name: &str,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let mut parts = table.to_parts();
        let position = require_position(&table, column)?;
        parts.columns[position].name = name.to_owned();
        require_valid(parts)?;
        let of_column = of_column(&table, table.columns()[position].id);
        self.change_catalog(|change| {
            change.update(
                SystemTableName::Column,
                &of_column,
                &[("column_name", Value::from(name))],
            )
        })
    }

    /// Drops a column with its values, and with the sequence that fills it. Builds of format 2 and older can not open the database from
    /// then on.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`]; [`Error::ColumnInUse`] while an index or a constraint is over it; [`Error::InvalidDefinition`] if it is
    /// the only one.
    pub fn drop_column<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let position = require_position(&table, column)?;
        let id = table.columns()[position].id;
        require_unused(&table, id)?;
        let mut parts = table.to_parts();
        parts.columns.remove(position);
        require_valid(parts)?;
        self.change_catalog_for(MARKS, |change| {
            for sequence in sequences_of(&table, id) {
                let of_sequence = [("sequence_id", Value::U32(sequence.id.0))];
                change.delete(SystemTableName::Sequence, &of_sequence)?;
            }
            change.delete(SystemTableName::Column, &of_column(&table, id))?;
            for (position, column) in (0u16..).zip(table.columns()).skip(position + 1) {
                let moved = [("position", Value::U16(position - 1))];
                change.update(
                    SystemTableName::Column,
                    &of_column(&table, column.id),
                    &moved,
                )?;
            }
            Ok(())
        })
    }

    /// Gives a column a type that holds all values of the one it has ([`ColumnType::widens_to`]). A column that counts by itself counts
    /// on to the end of the new type if the old one's end was its bound. Builds of format 2 and older can not open the database from
    /// then on.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`], [`Error::NotWider`]; [`Error::KeyTooLong`] if a row's key in an index would be by the wider column.
    pub fn widen_column<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
        column_type: ColumnType,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let column = &table.columns()[require_position(&table, column)?];
        if column.column_type == column_type {
            return Ok(());
        }
        if !column.column_type.widens_to(column_type) {
            return Err(Error::NotWider {
                table: table.name().to_owned(),
                column: column.name.clone(),
                from: column.column_type,
                to: column_type,
            });
        }
        self.change_catalog_for(MARKS, |change| {
            let mut cells = vec![("type_code", Value::U8(column_type.code()))];
            if let Some(default) = &column.default {
                let default = default.widened(column_type);
                cells.push(("default_value", default_cell(default.as_ref())));
            }
            change.update(
                SystemTableName::Column,
                &of_column(&table, column.id),
                &cells,
            )?;
            for sequence in sequences_of(&table, column.id) {
                widen_sequence(change, column.column_type, column_type, sequence)?;
            }
            Ok(())
        })
    }

    /// Lets a column hold null. Builds of format 2 and older can not open the database from then on.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`]; [`Error::InvalidDefinition`] if it is in the primary key or counts by itself; [`Error::KeyTooLong`] if a row's
    /// key in an index would be.
    pub fn drop_not_null<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
    ) -> Result<(), Error> {
        self.change_nullable(table, column, true)
    }

    /// Lets a column hold null no longer. Builds of format 2 and older can not open the database from then on.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`]; [`Error::NullsInColumn`], which shows the first rows with null in it.
    pub fn set_not_null<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
    ) -> Result<(), Error> {
        self.change_nullable(table, column, false)
    }

    /// Changes what a row gets that does not name the column; `None` and null are no default. Rows that are there stay as they are.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`]; [`Error::InvalidDefinition`] if the value is of another type or too long
    /// ([`DEFAULT_BYTES_MAX`](crate::DEFAULT_BYTES_MAX)), or the column counts by itself.
    pub fn set_default<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
        default: Option<Value>,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let position = require_position(&table, column)?;
        let mut parts = table.to_parts();
        let default = default.filter(|value| !value.is_null());
        parts.columns[position].default = default.clone();
        require_valid(parts)?;
        let column = &table.columns()[position];
        if column.default == default {
            return Ok(());
        }
        require_short(&table, &column.name, default.as_ref())?;
        let cells = [("default_value", default_cell(default.as_ref()))];
        self.change_catalog(|change| {
            change.update(
                SystemTableName::Column,
                &of_column(&table, column.id),
                &cells,
            )
        })
    }

    fn change_nullable<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
        nullable: bool,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let position = require_position(&table, column)?;
        if table.columns()[position].nullable == nullable {
            return Ok(());
        }
        let mut parts = table.to_parts();
        parts.columns[position].nullable = nullable;
        require_valid(parts)?;
        if !nullable {
            self.require_no_nulls(&table, position)?;
        }
        let of_column = of_column(&table, table.columns()[position].id);
        let cells = [("nullable", Value::Bool(nullable))];
        self.change_catalog_for(MARKS, |change| {
            change.update(SystemTableName::Column, &of_column, &cells)
        })
    }

    fn require_no_nulls(&self, table: &TableDefinition, position: usize) -> Result<(), Error> {
        let (mut count, mut first) = (0, Vec::new());
        for row in self.table(table.id())?.scan() {
            let row = row.map_err(Error::Table)?;
            if !row.value(position).map_err(Error::Table)?.is_null() {
                continue;
            }
            count += 1;
            if first.len() < OFFENDERS_MAX {
                first.push(row.values().map_err(Error::Table)?);
            }
        }
        if count == 0 {
            return Ok(());
        }
        let names = table.columns().iter().map(|column| column.name.clone());
        Err(Error::NullsInColumn {
            table: table.name().to_owned(),
            column: table.columns()[position].name.clone(),
            count,
            columns: names.collect(),
            first,
        })
    }
}

/// What names the row of a column.
fn of_column(table: &TableDefinition, column: ColumnId) -> [(&'static str, Value); 2] {
    [
        ("table_id", Value::U32(table.id().0)),
        ("column_id", Value::U32(column.0)),
    ]
}

/// Refuses a new default that is too long.
fn require_short(
    table: &TableDefinition,
    column: &str,
    default: Option<&Value>,
) -> Result<(), Error> {
    let mut mistakes = Vec::new();
    check_default_length(column, default, &mut mistakes);
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(invalid(table.name(), mistakes)),
    }
}

fn default_cell(default: Option<&Value>) -> Value {
    Value::from(default.map(|value| encode_value(value.as_ref())))
}

fn sequences_of(
    table: &TableDefinition,
    column: ColumnId,
) -> impl Iterator<Item = &SequenceDefinition> {
    let sequences = table.sequences().iter();
    sequences.filter(move |sequence| sequence.column == column)
}

/// Refuses a column that an index is over, in the name of the constraint that it keeps if there is one.
fn require_unused(table: &TableDefinition, column: ColumnId) -> Result<(), Error> {
    let mut indexes = table.indexes().iter();
    let Some(index) = indexes.find(|index| index.columns.contains(&column)) else {
        return Ok(());
    };
    let mut constraints = table.constraints().iter();
    let kept = constraints.find(|constraint| constraint.kind.index() == Some(index.id));
    let (object, name) = match kept {
        Some(constraint) => (Object::Constraint, &constraint.name),
        None => (Object::Index, &index.name),
    };
    let column = table.columns().iter().find(|known| known.id == column);
    Err(Error::ColumnInUse {
        table: table.name().to_owned(),
        column: column.map_or_else(String::new, |column: &ColumnDefinition| column.name.clone()),
        object,
        name: name.clone(),
    })
}

/// Moves the end of a sequence from that of one type to that of a wider one.
fn widen_sequence(
    change: &mut CatalogChange<'_>,
    from: ColumnType,
    to: ColumnType,
    sequence: &SequenceDefinition,
) -> Result<(), Error> {
    let widened = NewSequence::of(sequence).widened(from, to);
    let widened = widened.of_column(sequence.id, sequence.column, &sequence.name, to);
    if widened == *sequence {
        return Ok(());
    }
    change.prolong(sequence, &widened)
}
