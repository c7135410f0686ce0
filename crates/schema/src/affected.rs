//! Which definitions the rows of a group change, found before they are applied.

use std::collections::BTreeSet;

use table::{Group, Operation, Store, TableId, TableRef, UpdateRow, Value, ValueRef};

use crate::error::Error;
use crate::known_table::KnownTable;
use crate::references::References;
use crate::sequence_id::SequenceId;
use crate::system_tables::SystemTableName;

/// What a transaction has changed so far in the catalog.
#[derive(Debug, Default)]
pub(crate) struct Affected {
    /// Tables whose description changed.
    pub(crate) tables: BTreeSet<TableId>,
    /// Those of them whose columns had a gap in their positions at the end of a group.
    pub(crate) gapped: BTreeSet<TableId>,
    /// Sequences whose row changed.
    pub(crate) sequences: BTreeSet<SequenceId>,
    /// What may have come to name nothing.
    pub(crate) references: References,
    /// Whether the database row changed.
    pub(crate) database: bool,
}

impl Affected {
    /// Notes what a group on the system table `known` will change.
    pub(crate) fn note(
        &mut self,
        store: &Store,
        known: &KnownTable,
        group: &Group<'_>,
    ) -> Result<(), Error> {
        if known.name == SystemTableName::Database {
            self.database = true;
            return Ok(());
        }
        let table = store.table(known.id()).map_err(Error::Table)?;
        let key_columns = table
            .primary_key()
            .map(|key| key.columns.as_slice())
            .unwrap_or_default();
        let mut rows = group.reader();
        match group.operation {
            Operation::Insert | Operation::DeleteRow => {
                let mut values = Vec::new();
                while rows.row(table.layout(), &mut values)? {
                    self.note_row(known, &|position| values[position].to_value());
                }
            }
            Operation::DeleteByKey => {
                let mut key = Vec::new();
                while rows.key(table.layout(), key_columns, &mut key)? {
                    self.note_stored(known, table, &key, &[])?;
                }
            }
            Operation::Update => {
                let mut update = UpdateRow::default();
                while rows.update(table.layout(), key_columns, &mut update)? {
                    self.note_stored(known, table, &update.key, &update.changes)?;
                }
            }
        }
        Ok(())
    }

    /// Adds what another part of the transaction has changed.
    pub(crate) fn merge(&mut self, other: Affected) {
        self.gapped.extend(other.gapped);
        self.tables.extend(other.tables);
        self.sequences.extend(other.sequences);
        self.database |= other.database;
    }

    /// Notes the row of a key, as it stands and as it will stand.
    fn note_stored(
        &mut self,
        known: &KnownTable,
        table: TableRef<'_>,
        key: &[ValueRef<'_>],
        changes: &[(usize, ValueRef<'_>)],
    ) -> Result<(), Error> {
        let Some(primary_key) = table.primary_key() else {
            return Ok(());
        };
        let key: Vec<Value> = key.iter().map(|value| value.to_value()).collect();
        // A key that is not there is refused when the group is applied.
        let Some(row) = table.find(primary_key.id, &key).map_err(Error::Table)? else {
            return Ok(());
        };
        let old = row.values().map_err(Error::Table)?;
        if known.name == SystemTableName::Sequence && only_counts(known, changes) {
            self.note_sequence(&old[known.position("sequence_id")]);
            return Ok(());
        }
        self.note_row(known, &|position| old[position].clone());
        if !changes.is_empty() {
            let new = |position: usize| {
                let change = changes.iter().find(|(column, _)| *column == position);
                change.map_or_else(|| old[position].clone(), |(_, value)| value.to_value())
            };
            self.note_row(known, &new);
        }
        Ok(())
    }

    fn note_row(&mut self, known: &KnownTable, value: &dyn Fn(usize) -> Value) {
        if let Value::U32(table) = value(known.position("table_id")) {
            self.tables.insert(TableId(table));
        }
        if known.name == SystemTableName::Sequence {
            self.note_sequence(&value(known.position("sequence_id")));
        }
    }

    fn note_sequence(&mut self, id: &Value) {
        if let Value::U32(id) = id {
            self.sequences.insert(SequenceId(*id));
        }
    }
}

/// Whether an update of a sequence's row only moves its next number, as each insert that takes one does: then no
/// definition changes.
fn only_counts(known: &KnownTable, changes: &[(usize, ValueRef<'_>)]) -> bool {
    let next = known.position("next_value");
    !changes.is_empty() && changes.iter().all(|(column, _)| *column == next)
}
