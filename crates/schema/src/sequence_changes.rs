//! Changes of sequences in a write transaction.

use table::Value;

use crate::catalog_rows;
use crate::counters::Counters;
use crate::definition_changes::{first_name, require_valid};
use crate::error::Error;
use crate::integer;
use crate::new_sequence::NewSequence;
use crate::row_values::require_position;
use crate::sequence_definition::SequenceDefinition;
use crate::sequence_id::SequenceId;
use crate::system_tables::{SEQUENCE_IDS, SystemTableName};
use crate::table_key::TableKey;
use crate::write_transaction::WriteTransaction;

impl WriteTransaction {
    /// Lets an integer column count by itself from now on. It begins behind the numbers that rows have, as if they had named them.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`]; [`Error::InvalidDefinition`] if the column counts already, is no integer, is nullable or has a default, or
    /// the bounds do not fit.
    pub fn create_sequence<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
        sequence: NewSequence,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let position = require_position(&table, column)?;
        let column = &table.columns()[position];
        // The column that another one fills may have been called as this one is.
        let name = first_name(&column.name, |name| {
            let mut others = table.sequences().iter();
            others.all(|other| other.name != name)
        });
        let definition = |id: u32| {
            let id = SequenceId(id);
            sequence.of_column(id, column.id, &name, column.column_type)
        };
        // No sequence of the table has this id: it is a system object's.
        let mut parts = table.to_parts();
        parts.sequences.push(definition(0));
        require_valid(parts)?;
        let mut next = Some(definition(0).start);
        for row in self.table(table.id())?.scan() {
            let value = row
                .and_then(|row| row.value(position))
                .map_err(Error::Table)?;
            if let Some(named) = integer::number(&value) {
                next = Counters::after(&definition(0), next, named);
            }
        }
        self.change_catalog(|change| {
            let definition: SequenceDefinition = definition(change.take_ids(SEQUENCE_IDS, 1)?);
            let mut cells = catalog_rows::of_sequence(&table, &definition);
            for (column, value) in &mut cells {
                if *column == "next_value" {
                    *value = Value::from(next);
                }
            }
            change.insert(SystemTableName::Sequence, cells)
        })
    }

    /// Lets a column count by itself no longer: rows have to name it.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`]; [`Error::NoSequence`] if it does not count.
    pub fn drop_sequence<'k>(
        &mut self,
        table: impl Into<TableKey<'k>>,
        column: &str,
    ) -> Result<(), Error> {
        let table = self.writable(table)?;
        let column = &table.columns()[require_position(&table, column)?];
        let mut sequences = table.sequences().iter();
        let sequence = sequences.find(|sequence| sequence.column == column.id);
        let sequence = sequence.ok_or_else(|| Error::NoSequence {
            table: table.name().to_owned(),
            column: column.name.clone(),
        })?;
        let of_sequence = [("sequence_id", Value::U32(sequence.id.0))];
        self.change_catalog(|change| change.delete(SystemTableName::Sequence, &of_sequence))
    }
}
