//! The catalog of a store that came from a snapshot: read once, from all rows, and compared with the pages.

use std::sync::Arc;

use table::{IndexId, Store, TableId, Value};

use crate::catalog::Catalog;
use crate::contradiction::ContradictionKind;
use crate::description::{Description, describe, first_orphan};
use crate::error::Error;
use crate::follow::{agrees, agrees_in_layout, refuse};
use crate::references::check_targets;
use crate::seed::{self, SEEDS};
use crate::sequence_id::SequenceId;
use crate::sequence_row;
use crate::system_tables::{SystemTableName, TABLE_NAME_INDEX_ID};

/// Reads the catalog. Every definition is checked as replay checks it, every table's layout, indexes and key against
/// its pages.
pub(crate) fn catalog(store: &Store) -> Result<Catalog, Error> {
    let mut catalog = Catalog::new();
    // The seeds are read before anything says what they are, so their pages must have the frozen columns.
    if let Some(seed) = SEEDS.iter().find(|seed| !seed::begins_in(store, **seed)) {
        return Err(refuse(
            TableId(seed.declaration().id),
            ContradictionKind::SeedChanged,
        ));
    }
    read_system_tables(store, &mut catalog)?;
    for id in ids(store, &catalog, SystemTableName::Table, "table_id")? {
        let id = TableId(id);
        let Description::Whole(definition) = describe(store, &catalog, id)? else {
            return Err(refuse(id, ContradictionKind::NoColumns));
        };
        if !seed::keeps_columns(&definition) || !seed::keeps_indexes(&definition) {
            return Err(refuse(id, ContradictionKind::SeedChanged));
        }
        if !agrees(store, &definition) {
            return Err(refuse(id, ContradictionKind::PagesDiffer));
        }
        catalog.put(Arc::new(definition))?;
    }
    for table in store.tables() {
        if catalog.table(table.id()).is_none() {
            return Err(refuse(table.id(), ContradictionKind::PagesDiffer));
        }
    }
    for definition in catalog.tables() {
        check_targets(&catalog, definition.id())?;
    }
    check_orphans(store, &catalog)?;
    for id in ids(store, &catalog, SystemTableName::Sequence, "sequence_id")? {
        sequence_row::check(store, &catalog, SequenceId(id))?;
    }
    Ok(catalog)
}

/// The system tables of this build's list first, so that what they say of all tables, themselves included, can be read.
fn read_system_tables(store: &Store, catalog: &mut Catalog) -> Result<(), Error> {
    for name in SystemTableName::ALL {
        let tables = catalog.require(SystemTableName::Table)?;
        let rows = store.table(tables.id()).map_err(Error::Table)?;
        let key = [Value::from(name.declaration().name)];
        let row = rows
            .find(IndexId(TABLE_NAME_INDEX_ID), &key)
            .map_err(Error::Table)?;
        let id = match row {
            Some(row) => tables.cell(&row, "table_id")?,
            None => {
                return Err(tables.contradiction(key.to_vec(), ContradictionKind::SystemTableGone));
            }
        };
        let Value::U32(id) = id else { continue };
        if let Description::Whole(definition) = describe(store, catalog, TableId(id))? {
            if !agrees_in_layout(store, &definition) {
                return Err(refuse(TableId(id), ContradictionKind::PagesDiffer));
            }
            catalog.put(Arc::new(definition))?;
        }
    }
    for name in SystemTableName::ALL {
        catalog.require(name)?;
    }
    Ok(())
}

/// Each row of the describing tables belongs to a table: the ids they name, each once.
fn check_orphans(store: &Store, catalog: &Catalog) -> Result<(), Error> {
    for name in [
        SystemTableName::Column,
        SystemTableName::Index,
        SystemTableName::Constraint,
        SystemTableName::Sequence,
    ] {
        for id in ids(store, catalog, name, "table_id")? {
            if catalog.table(TableId(id)).is_none() {
                return first_orphan(store, catalog, TableId(id))?.map_or(Ok(()), Err);
            }
        }
    }
    Ok(())
}

/// The distinct ids in a column of a system table, ascending; nulls left out.
fn ids(
    store: &Store,
    catalog: &Catalog,
    name: SystemTableName,
    column: &'static str,
) -> Result<Vec<u32>, Error> {
    let known = catalog.require(name)?;
    let mut ids = std::collections::BTreeSet::new();
    for row in store.table(known.id()).map_err(Error::Table)?.scan() {
        if let Value::U32(id) = known.cell(&row.map_err(Error::Table)?, column)? {
            ids.insert(id);
        }
    }
    Ok(ids.into_iter().collect())
}
