//! The next numbers of the sequences that a write transaction has taken numbers from.
//!
//! They are counted here and written to their rows when the transaction's groups are: one update for each sequence,
//! however many rows took a number.

use std::collections::BTreeMap;

use table::{Store, Value};

use crate::catalog::Catalog;
use crate::error::Error;
use crate::integer;
use crate::sequence_definition::SequenceDefinition;
use crate::sequence_id::SequenceId;
use crate::sequence_row;
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;

/// Next numbers by sequence; `None` when a sequence has none left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    next: BTreeMap<SequenceId, Option<i128>>,
}

impl Counters {
    /// Fills the columns that count by themselves where the row is null there, and moves counters behind numbers that
    /// the row names.
    pub(crate) fn fill(
        &mut self,
        store: &Store,
        catalog: &Catalog,
        table: &TableDefinition,
        row: &mut [Value],
    ) -> Result<(), Error> {
        for sequence in table.sequences() {
            let Some(position) = table.position_of(sequence.column) else {
                continue;
            };
            let next = self.next_of(store, catalog, sequence)?;
            if row[position].is_null() {
                let number = next.ok_or_else(|| Error::SequenceExhausted {
                    table: table.name().to_owned(),
                    column: table.columns()[position].name.clone(),
                })?;
                // The bounds lie inside the column's type, so every number is a value of it.
                row[position] = integer::value(table.columns()[position].column_type, number)
                    .unwrap_or(Value::Null);
                self.next.insert(sequence.id, sequence.after(number));
            } else if let Some(named) = integer::number(&row[position]) {
                self.pass(sequence, next, named);
            }
        }
        Ok(())
    }

    /// Moves counters behind numbers that an update writes into columns that count by themselves.
    pub(crate) fn pass_changes(
        &mut self,
        store: &Store,
        catalog: &Catalog,
        table: &TableDefinition,
        changes: &[(usize, Value)],
    ) -> Result<(), Error> {
        for sequence in table.sequences() {
            let position = table.position_of(sequence.column);
            let change = changes
                .iter()
                .find(|(changed, _)| Some(*changed) == position);
            if let Some(named) = change.and_then(|(_, value)| integer::number(value)) {
                let next = self.next_of(store, catalog, sequence)?;
                self.pass(sequence, next, named);
            }
        }
        Ok(())
    }

    /// The counters that have moved, as the cells of their rows.
    pub(crate) fn moved(&self) -> impl Iterator<Item = (SequenceId, Value)> {
        self.next.iter().map(|(&id, &next)| (id, Value::from(next)))
    }

    /// A row named a number: no later row gets it, or one before it.
    fn pass(&mut self, sequence: &SequenceDefinition, next: Option<i128>, named: i128) {
        let after = Counters::after(sequence, next, named);
        if after != next {
            self.next.insert(sequence.id, after);
        }
    }

    /// The next number of a sequence once a row has named one.
    pub(crate) fn after(
        sequence: &SequenceDefinition,
        next: Option<i128>,
        named: i128,
    ) -> Option<i128> {
        let ahead = next.filter(|next| {
            let is_ahead = if sequence.step > 0 {
                named >= *next
            } else {
                named <= *next
            };
            is_ahead && (sequence.minimum..=sequence.maximum).contains(&named)
        });
        match ahead {
            Some(_) => sequence.after(named),
            None => next,
        }
    }

    fn next_of(
        &self,
        store: &Store,
        catalog: &Catalog,
        sequence: &SequenceDefinition,
    ) -> Result<Option<i128>, Error> {
        if let Some(next) = self.next.get(&sequence.id) {
            return Ok(*next);
        }
        let known = catalog.require(SystemTableName::Sequence)?;
        let Some(row) = sequence_row::find(store, catalog, sequence.id)? else {
            return Ok(None);
        };
        Ok(integer::number(&known.cell(&row, "next_value")?))
    }
}
