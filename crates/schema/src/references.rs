//! Whether foreign keys hold when a transaction ends.
//!
//! While groups are applied, keys are noted that may come to name nothing: those of rows that came, if there is nothing to name at that
//! moment, and those of rows that went, if some row names them. All else goes on naming what it named. When all groups are
//! applied only these are looked at again, so a cycle may be closed in any order, and a change costs two look-ups for each row.

use std::collections::BTreeSet;

use table::{Group, Operation, Row, Store, TableId, UpdateRow, Value, ValueRef};

use crate::catalog::Catalog;
use crate::constraint_id::ConstraintId;
use crate::error::Error;
use crate::foreign_key::ForeignKey;
use crate::foreign_key_violation::ForeignKeyViolation;
use crate::limits::OFFENDERS_MAX;
use crate::table_definition::TableDefinition;

/// What is to be looked at when the transaction ends.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Keys that may name nothing: the table, its foreign key, the values.
    keys: BTreeSet<(TableId, ConstraintId, Vec<Value>)>,
    /// Foreign keys that came in this transaction: all rows are to be looked at.
    new: BTreeSet<(TableId, ConstraintId)>,
}

/// The value of a row in the column at a position.
type Cells<'c> = &'c dyn Fn(usize) -> Result<Value, Error>;

impl References {
    /// Notes what a group on a user's table may leave without a row to name. Called before it is applied.
    pub(crate) fn note(
        &mut self,
        store: &Store,
        catalog: &Catalog,
        group: &Group<'_>,
    ) -> Result<(), Error> {
        if !catalog.has_foreign_keys() {
            return Ok(());
        }
        let Some(definition) = catalog.table(group.table) else {
            return Ok(());
        };
        let own: Vec<ForeignKey> = definition.foreign_keys().collect();
        let others: Vec<(&TableDefinition, ForeignKey)> = referring(catalog, group.table).collect();
        if own.is_empty() && others.is_empty() {
            return Ok(());
        }
        let look = Look {
            store,
            catalog,
            definition,
            own: &own,
            others: &others,
        };
        let table = store.table(group.table).map_err(Error::Table)?;
        let key_columns = table.primary_key().map(|key| key.columns.as_slice());
        let key_columns = key_columns.unwrap_or_default();
        let mut rows = group.reader();
        let mut values: Vec<ValueRef<'_>> = Vec::new();
        match group.operation {
            Operation::Insert => {
                while rows.row(table.layout(), &mut values)? {
                    look.row(
                        self,
                        None,
                        Some(&|position| Ok(values[position].to_value())),
                    )?;
                }
            }
            Operation::DeleteRow => {
                while rows.row(table.layout(), &mut values)? {
                    look.row(
                        self,
                        Some(&|position| Ok(values[position].to_value())),
                        None,
                    )?;
                }
            }
            Operation::DeleteByKey => {
                while rows.key(table.layout(), key_columns, &mut values)? {
                    if let Some(old) = look.stored(&values)? {
                        look.row(self, Some(&|position| value_of(old, position)), None)?;
                    }
                }
            }
            Operation::Update => {
                let mut update = UpdateRow::default();
                let linked = look.columns();
                while rows.update(table.layout(), key_columns, &mut update)? {
                    if !update
                        .changes
                        .iter()
                        .any(|(column, _)| linked.contains(column))
                    {
                        continue;
                    }
                    let Some(old) = look.stored(&update.key)? else {
                        continue;
                    };
                    let new = |position: usize| {
                        let mut changes = update.changes.iter();
                        match changes.find(|(column, _)| *column == position) {
                            Some((_, value)) => Ok(value.to_value()),
                            None => value_of(old, position),
                        }
                    };
                    look.row(self, Some(&|position| value_of(old, position)), Some(&new))?;
                }
            }
        }
        Ok(())
    }

    /// Notes foreign keys that a table has not had before.
    pub(crate) fn note_new(&mut self, before: Option<&TableDefinition>, next: &TableDefinition) {
        let had = |key: &ForeignKey| {
            before.is_some_and(|before| before.foreign_keys().any(|known| known == *key))
        };
        let new = next.foreign_keys().filter(|key| !had(key));
        self.new.extend(new.map(|key| (next.id(), key.constraint)));
    }

    /// Refuses if a row names nothing.
    pub(crate) fn check(&self, store: &Store, catalog: &Catalog) -> Result<(), Error> {
        for (table, constraint) in &self.new {
            let Some((definition, key)) = find(catalog, *table, *constraint) else {
                continue;
            };
            check_rows(store, catalog, definition, key)?;
        }
        for (table, constraint, values) in &self.keys {
            let Some((definition, key)) = find(catalog, *table, *constraint) else {
                continue;
            };
            if !is_there(store, catalog, key, values)? && names(store, definition, key, values)? {
                return Err(violation(catalog, definition, key, 1, vec![values.clone()]));
            }
        }
        Ok(())
    }
}

/// Refuses a foreign key of the table, or one to it, that refers to nothing that names a row: the other table is there, with the unique index, over
/// columns of the same types.
pub(crate) fn check_targets(catalog: &Catalog, id: TableId) -> Result<(), Error> {
    let definition = catalog.table(id).map(|definition| &**definition);
    let own = definition
        .into_iter()
        .flat_map(|definition| definition.foreign_keys().map(move |key| (definition, key)));
    for (definition, key) in own.chain(referring(catalog, id)) {
        let types = |table: &TableDefinition, index| -> Vec<table::ColumnType> {
            let positions = table.index_positions(index);
            let columns = positions.iter().map(|&position| &table.columns()[position]);
            columns.map(|column| column.column_type).collect()
        };
        let fits = catalog.table(key.target).is_some_and(|target| {
            let unique = target.index_of(key.target_index);
            !target.is_system()
                && unique.is_some_and(|index| index.unique)
                && types(target, key.target_index) == types(definition, key.index)
        });
        if !fits {
            return Err(Error::ForeignKeyTarget {
                table: definition.name().to_owned(),
                constraint: constraint_name(definition, key),
                target: target_name(catalog, key),
            });
        }
    }
    Ok(())
}

/// A table whose rows come and go, and the foreign keys that have to do with it.
struct Look<'a> {
    store: &'a Store,
    catalog: &'a Catalog,
    definition: &'a TableDefinition,
    own: &'a [ForeignKey],
    others: &'a [(&'a TableDefinition, ForeignKey)],
}

impl Look<'_> {
    /// The row of a primary key as it stands; one that is not there is refused when the group is applied.
    fn stored(&self, key: &[ValueRef<'_>]) -> Result<Option<Row<'_>>, Error> {
        let table = self
            .store
            .table(self.definition.id())
            .map_err(Error::Table)?;
        let Some(primary_key) = table.primary_key() else {
            return Ok(None);
        };
        let key: Vec<Value> = key.iter().map(|value| value.to_value()).collect();
        table.find(primary_key.id, &key).map_err(Error::Table)
    }

    /// The positions of the columns that a foreign key names rows by, or is named by.
    fn columns(&self) -> BTreeSet<usize> {
        let own = self.own.iter().map(|key| key.index);
        let others = self.others.iter().map(|(_, key)| key.target_index);
        own.chain(others)
            .flat_map(|index| self.definition.index_positions(index))
            .collect()
    }

    /// One row before and after.
    fn row(
        &self,
        noted: &mut References,
        old: Option<Cells<'_>>,
        new: Option<Cells<'_>>,
    ) -> Result<(), Error> {
        for key in self.own {
            let positions = self.definition.index_positions(key.index);
            // What a row names in its own table may go by a later update of the same group.
            let may_go = key.target == self.definition.id() && old.is_some();
            if let Some(values) = changed(&positions, new, old)?
                && (may_go || !is_there(self.store, self.catalog, *key, &values)?)
            {
                noted
                    .keys
                    .insert((self.definition.id(), key.constraint, values));
            }
        }
        for (referrer, key) in self.others {
            let positions = self.definition.index_positions(key.target_index);
            if let Some(values) = changed(&positions, old, new)?
                && names(self.store, referrer, *key, &values)?
            {
                noted.keys.insert((referrer.id(), key.constraint, values));
            }
        }
        Ok(())
    }
}

/// The values that a row has at these positions, if the other one has not the same; a null names nothing.
fn changed(
    positions: &[usize],
    row: Option<Cells<'_>>,
    other: Option<Cells<'_>>,
) -> Result<Option<Vec<Value>>, Error> {
    let values = |cells: Cells<'_>| -> Result<Vec<Value>, Error> {
        positions.iter().map(|&position| cells(position)).collect()
    };
    let Some(row) = row.map(values).transpose()? else {
        return Ok(None);
    };
    let is_same = other
        .map(values)
        .transpose()?
        .is_some_and(|other| other == row);
    Ok((!is_same && !row.iter().any(Value::is_null)).then_some(row))
}

fn value_of(row: Row<'_>, position: usize) -> Result<Value, Error> {
    row.value(position).map_err(Error::Table)
}

/// The foreign keys of all tables that refer to one.
fn referring(
    catalog: &Catalog,
    target: TableId,
) -> impl Iterator<Item = (&TableDefinition, ForeignKey)> {
    let tables = catalog.referrers(target).filter_map(|id| catalog.table(id));
    tables.flat_map(move |table| {
        let keys = table.foreign_keys().filter(move |key| key.target == target);
        keys.map(|key| (&**table, key))
    })
}

fn find(
    catalog: &Catalog,
    table: TableId,
    constraint: ConstraintId,
) -> Option<(&TableDefinition, ForeignKey)> {
    let definition = catalog.table(table)?;
    let mut keys = definition.foreign_keys();
    let key = keys.find(|key| key.constraint == constraint)?;
    Some((definition, key))
}

/// Whether there is a row for a key to name. In the middle of a transaction the two sides may differ in types: then there is none yet.
fn is_there(
    store: &Store,
    catalog: &Catalog,
    key: ForeignKey,
    values: &[Value],
) -> Result<bool, Error> {
    let Some(target) = catalog.table(key.target) else {
        return Ok(false);
    };
    let Some(values) = widened(target, &target.index_positions(key.target_index), values) else {
        return Ok(false);
    };
    let rows = store.table(key.target).map_err(Error::Table)?;
    match rows.find(key.target_index, &values) {
        Ok(row) => Ok(row.is_some()),
        Err(table::Error::NoSuchIndex { .. }) => Ok(false),
        Err(error) => Err(Error::Table(error)),
    }
}

/// Whether a row names a key.
fn names(
    store: &Store,
    definition: &TableDefinition,
    key: ForeignKey,
    values: &[Value],
) -> Result<bool, Error> {
    // What does not fit the types of the moment may do so at the end.
    let Some(values) = widened(definition, &definition.index_positions(key.index), values) else {
        return Ok(true);
    };
    let rows = store.table(definition.id()).map_err(Error::Table)?;
    let found = rows
        .find_all(key.index, &values)
        .map_err(Error::Table)?
        .next();
    found
        .transpose()
        .map_err(Error::Table)
        .map(|row| row.is_some())
}

/// The values in the types of the columns at these positions.
fn widened(table: &TableDefinition, positions: &[usize], values: &[Value]) -> Option<Vec<Value>> {
    let columns = positions.iter().map(|&position| &table.columns()[position]);
    let values = values.iter().zip(columns);
    values
        .map(|(value, column)| value.widened(column.column_type))
        .collect()
}

fn check_rows(
    store: &Store,
    catalog: &Catalog,
    definition: &TableDefinition,
    key: ForeignKey,
) -> Result<(), Error> {
    let positions = definition.index_positions(key.index);
    let (mut count, mut first) = (0, Vec::new());
    for row in store.table(definition.id()).map_err(Error::Table)?.scan() {
        let row = row.map_err(Error::Table)?;
        let values = positions.iter().map(|&position| value_of(row, position));
        let values: Vec<Value> = values.collect::<Result<_, _>>()?;
        if values.iter().any(Value::is_null) || is_there(store, catalog, key, &values)? {
            continue;
        }
        count += 1;
        if first.len() < OFFENDERS_MAX {
            first.push(values);
        }
    }
    if count == 0 {
        return Ok(());
    }
    Err(violation(catalog, definition, key, count, first))
}

fn violation(
    catalog: &Catalog,
    definition: &TableDefinition,
    key: ForeignKey,
    count: u64,
    first: Vec<Vec<Value>>,
) -> Error {
    let positions = definition.index_positions(key.index);
    let columns = positions
        .iter()
        .map(|&position| definition.columns()[position].name.clone());
    Error::ForeignKeyViolation(Box::new(ForeignKeyViolation {
        table: definition.name().to_owned(),
        constraint: constraint_name(definition, key),
        target: target_name(catalog, key).unwrap_or_default(),
        columns: columns.collect(),
        count,
        first,
    }))
}

fn constraint_name(definition: &TableDefinition, key: ForeignKey) -> String {
    let mut constraints = definition.constraints().iter();
    let constraint = constraints.find(|constraint| constraint.id == key.constraint);
    constraint.map_or_else(String::new, |constraint| constraint.name.clone())
}

fn target_name(catalog: &Catalog, key: ForeignKey) -> Option<String> {
    catalog
        .table(key.target)
        .map(|target| target.name().to_owned())
}
