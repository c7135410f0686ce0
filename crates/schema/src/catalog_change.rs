//! Rows of system tables to be written: a change of the catalog on its way into a transaction.
//!
//! The rows are tried on a fork of the store, where they are rows and nothing more. What follows from them happens when
//! their groups are applied, by the same function that replays them.
//!
//! The groups say what was asked for and are no net effect: a table that is renamed is updated. Were its row deleted and
//! inserted again, it would be dropped in between, and its rows with it.

use table::{
    Operation, RowId, Store, TableId, TransactionBuilder, UpdateRow, Value, encode_key_row,
    encode_row, encode_update_row,
};

use crate::catalog::Catalog;
use crate::catalog_rows::{self, Cells};
use crate::error::Error;
use crate::known_table::KnownTable;
use crate::sequence_definition::SequenceDefinition;
use crate::sequence_row;
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;

/// A change of the catalog. Rows of one table with one operation that follow each other make one group.
#[derive(Debug)]
pub(crate) struct CatalogChange<'a> {
    catalog: &'a Catalog,
    fork: Store,
    groups: TransactionBuilder,
    /// The group that is being collected.
    open: Option<OpenGroup>,
}

#[derive(Debug)]
struct OpenGroup {
    table: TableId,
    operation: Operation,
    rows: Vec<Vec<u8>>,
}

impl<'a> CatalogChange<'a> {
    /// A change of the catalog that stands in `store`.
    pub(crate) fn new(store: &Store, catalog: &'a Catalog, groups: TransactionBuilder) -> Self {
        CatalogChange {
            catalog,
            fork: store.clone(),
            groups,
            open: None,
        }
    }

    /// Adds a row.
    pub(crate) fn insert(&mut self, name: SystemTableName, cells: Cells) -> Result<(), Error> {
        let known = self.catalog.require(name)?;
        let values = known.row(cells)?;
        let inserted = self.fork.insert(known.id(), &values);
        inserted.map_err(|error| Error::of_table(error, self.catalog))?;
        let refs: Vec<_> = values.iter().map(Value::as_ref).collect();
        let mut row = Vec::new();
        encode_row(
            self.fork.table(known.id()).map_err(Error::Table)?.layout(),
            &refs,
            &mut row,
        );
        self.push(known.id(), Operation::Insert, row)
    }

    /// Adds all rows of a table.
    pub(crate) fn insert_table(&mut self, definition: &TableDefinition) -> Result<(), Error> {
        self.insert(SystemTableName::Table, catalog_rows::of_table(definition))?;
        for cells in catalog_rows::of_columns(definition) {
            self.insert(SystemTableName::Column, cells)?;
        }
        for index in definition.indexes() {
            self.insert(
                SystemTableName::Index,
                catalog_rows::of_index(definition, index),
            )?;
        }
        for constraint in definition.constraints() {
            self.insert(
                SystemTableName::Constraint,
                catalog_rows::of_constraint(definition, constraint),
            )?;
        }
        for sequence in definition.sequences() {
            self.insert(
                SystemTableName::Sequence,
                catalog_rows::of_sequence(definition, sequence),
            )?;
        }
        Ok(())
    }

    /// Removes the rows that hold these values.
    pub(crate) fn delete(
        &mut self,
        name: SystemTableName,
        cells: &[(&'static str, Value)],
    ) -> Result<(), Error> {
        let known = self.catalog.require(name)?;
        for (place, key) in self.find(known, cells)? {
            let table = self.fork.table(known.id()).map_err(Error::Table)?;
            let refs: Vec<_> = key.iter().map(Value::as_ref).collect();
            let mut row = Vec::new();
            encode_key_row(table.layout(), &key_columns(known, table)?, &refs, &mut row);
            self.fork.delete(known.id(), place).map_err(Error::Table)?;
            self.push(known.id(), Operation::DeleteByKey, row)?;
        }
        Ok(())
    }

    /// Replaces cells of the rows that hold these values; the cells that this build does not know stay as they are.
    pub(crate) fn update(
        &mut self,
        name: SystemTableName,
        cells: &[(&'static str, Value)],
        changes: &[(&'static str, Value)],
    ) -> Result<(), Error> {
        let known = self.catalog.require(name)?;
        let mut changes: Vec<(usize, Value)> = changes
            .iter()
            .map(|(column, value)| (known.position(column), value.clone()))
            .collect();
        changes.sort_by_key(|(position, _)| *position);
        for (place, key) in self.find(known, cells)? {
            // Refused here if a value does not fit, and encoded only then.
            let updated = self.fork.update(known.id(), place, &changes);
            updated.map_err(|error| Error::of_table(error, self.catalog))?;
            let table = self.fork.table(known.id()).map_err(Error::Table)?;
            let update = UpdateRow {
                key: key.iter().map(Value::as_ref).collect(),
                changes: changes
                    .iter()
                    .map(|(position, value)| (*position, value.as_ref()))
                    .collect(),
            };
            let mut row = Vec::new();
            encode_update_row(
                table.layout(),
                &key_columns(known, table)?,
                &update,
                &mut row,
            );
            self.push(known.id(), Operation::Update, row)?;
        }
        Ok(())
    }

    /// Takes `count` ids from one of the sequences that ids come from; returns the first (0 if none is wanted).
    pub(crate) fn take_ids(&mut self, sequence: &'static str, count: usize) -> Result<u32, Error> {
        if count == 0 {
            return Ok(0);
        }
        let exhausted = || Error::SequenceExhausted {
            table: SystemTableName::Sequence.declaration().name.to_owned(),
            column: sequence.to_owned(),
        };
        let known = self.catalog.require(SystemTableName::Sequence)?;
        let row = sequence_row::find_by_name(&self.fork, self.catalog, sequence)?
            .ok_or_else(exhausted)?;
        let id = known.cell(&row, "sequence_id")?;
        let cells = [
            known.cell(&row, "next_value")?,
            known.cell(&row, "maximum")?,
        ];
        let [Value::I128(first), Value::I128(maximum)] = cells else {
            return Err(exhausted());
        };
        let count = i128::try_from(count).map_err(|_| exhausted())?;
        let last = first
            .checked_add(count - 1)
            .filter(|last| *last <= maximum)
            .ok_or_else(exhausted)?;
        let next = if last < maximum {
            Value::I128(last + 1)
        } else {
            Value::Null
        };
        self.update(
            SystemTableName::Sequence,
            &[("sequence_id", id)],
            &[("next_value", next)],
        )?;
        u32::try_from(first).map_err(|_| exhausted())
    }

    /// Gives a sequence wider bounds. If it had come to its end, it goes on with the first of its numbers behind that.
    pub(crate) fn prolong(
        &mut self,
        sequence: &SequenceDefinition,
        wider: &SequenceDefinition,
    ) -> Result<(), Error> {
        let known = self.catalog.require(SystemTableName::Sequence)?;
        let mut cells = vec![
            ("minimum", Value::I128(wider.minimum)),
            ("maximum", Value::I128(wider.maximum)),
        ];
        if let Some(row) = sequence_row::find(&self.fork, self.catalog, sequence.id)?
            && known.cell(&row, "next_value")?.is_null()
        {
            cells.push(("next_value", Value::from(wider.first_behind(sequence))));
        }
        let of_sequence = [("sequence_id", Value::U32(sequence.id.0))];
        self.update(SystemTableName::Sequence, &of_sequence, &cells)
    }

    /// The bytes of the change, as a transaction of its own.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.close()?;
        Ok(self.groups.finish())
    }

    /// Where the rows stand that hold these values, and their keys.
    fn find(
        &self,
        known: &KnownTable,
        cells: &[(&'static str, Value)],
    ) -> Result<Vec<(RowId, Vec<Value>)>, Error> {
        let key_columns = key_columns(known, self.fork.table(known.id()).map_err(Error::Table)?)?;
        let mut found = Vec::new();
        for row in known.rows_where(&self.fork, cells)? {
            let key = key_columns
                .iter()
                .map(|&column| row.value(usize::from(column)));
            found.push((
                row.row_id(),
                key.collect::<Result<_, _>>().map_err(Error::Table)?,
            ));
        }
        Ok(found)
    }

    fn push(&mut self, table: TableId, operation: Operation, row: Vec<u8>) -> Result<(), Error> {
        if let Some(open) = &mut self.open
            && open.table == table
            && open.operation == operation
        {
            open.rows.push(row);
            return Ok(());
        }
        self.close()?;
        self.open = Some(OpenGroup {
            table,
            operation,
            rows: vec![row],
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        // The fork's layouts do not change: what follows from these rows happens when they are applied.
        let layout = self
            .fork
            .table(open.table)
            .map_err(Error::Table)?
            .layout()
            .number();
        let mut group = self.groups.group(open.table, layout, open.operation);
        open.rows.iter().for_each(|row| group.push(row));
        Ok(())
    }
}

fn key_columns(known: &KnownTable, table: table::TableRef<'_>) -> Result<Vec<u16>, Error> {
    let key = table.primary_key();
    let key = key.ok_or_else(|| Error::NoPrimaryKey {
        table: known.definition.name().to_owned(),
    })?;
    Ok(key.columns.clone())
}
