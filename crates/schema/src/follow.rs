//! The store follows the catalog: after the rows of a group, the tables that they describe.

use std::sync::Arc;

use table::{Layout, LayoutNumber, Store, TableId, Value};

use crate::catalog::Catalog;
use crate::contradiction::{Contradiction, ContradictionKind};
use crate::description::{Description, describe};
use crate::error::Error;
use crate::format::FIRST_LAYOUT;
use crate::seed;
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;
use crate::validation;

/// Brings one table's pages and definition to what its rows say. Does nothing where they say it already.
pub(crate) fn follow(store: &mut Store, catalog: &mut Catalog, id: TableId) -> Result<(), Error> {
    match describe(store, catalog, id)? {
        Description::Absent => forget(store, catalog, id),
        // The seeds stand before their own columns do.
        Description::Named if catalog.table(id).is_none() => Ok(()),
        Description::Named => Err(refuse(id, ContradictionKind::NoColumns)),
        Description::Whole(definition) => {
            if !seed::keeps_columns(&definition) {
                return Err(refuse(id, ContradictionKind::SeedChanged));
            }
            if catalog.table(id).is_some_and(|known| **known == definition) {
                return Ok(());
            }
            follow_layout(store, &definition)?;
            follow_indexes(store, &definition)?;
            catalog.put(Arc::new(definition))?;
            Ok(())
        }
    }
}

/// Whether a table's rows have the columns that its definition says, in their places.
pub(crate) fn agrees_in_layout(store: &Store, definition: &TableDefinition) -> bool {
    store.table(definition.id()).is_ok_and(|table| {
        let wanted = validation::layout(table.layout().number(), definition.columns());
        wanted.is_some_and(|wanted| wanted == *table.layout())
    })
}

/// Whether a table's pages are what its definition says.
pub(crate) fn agrees(store: &Store, definition: &TableDefinition) -> bool {
    let Ok(table) = store.table(definition.id()) else {
        return false;
    };
    let indexes = definition
        .indexes()
        .iter()
        .map(|index| seed::index_spec(definition, index));
    agrees_in_layout(store, definition)
        && indexes.eq(table.indexes().cloned())
        && table.primary_key().map(|key| key.id) == definition.primary_key().map(|key| key.id)
}

fn forget(store: &mut Store, catalog: &mut Catalog, id: TableId) -> Result<(), Error> {
    if seed::is_seed(id) {
        return Err(refuse(id, ContradictionKind::SeedChanged));
    }
    if catalog.table(id).is_some() {
        catalog.remove(id)?;
        store.drop_table(id).map_err(Error::Table)?;
    }
    Ok(())
}

fn follow_layout(store: &mut Store, definition: &TableDefinition) -> Result<(), Error> {
    let id = definition.id();
    let layout = |number| -> Result<Layout, Error> {
        let layout = validation::layout(LayoutNumber(number), definition.columns());
        layout.ok_or_else(|| {
            refuse(
                id,
                ContradictionKind::Invalid(vec![crate::mistake::Mistake::RowTooWide]),
            )
        })
    };
    let Ok(table) = store.table(id) else {
        return store
            .create_table(id, layout(FIRST_LAYOUT)?)
            .map_err(Error::Table);
    };
    let current = table.layout();
    let wanted = layout(current.number().0)?;
    if wanted == *current {
        return Ok(());
    }
    let unsupported = || Error::UnsupportedChange {
        table: definition.name().to_owned(),
    };
    let next = layout(current.number().0.checked_add(1).ok_or_else(unsupported)?)?;
    if table.row_count() == 0 {
        // Nothing has to be carried over, so any change will do; indexes and key are made anew behind it.
        store.drop_table(id).map_err(Error::Table)?;
        return store.create_table(id, next).map_err(Error::Table);
    }
    store.change_layout(id, next).map_err(|error| match error {
        table::Error::UnfitLayout { .. } => unsupported(),
        error => Error::Table(error),
    })
}

/// New indexes first, then the key, then indexes that went: a key always rests on an index that is there.
fn follow_indexes(store: &mut Store, definition: &TableDefinition) -> Result<(), Error> {
    let id = definition.id();
    let table = store.table(id).map_err(Error::Table)?;
    let present: Vec<_> = table.indexes().cloned().collect();
    let key = table.primary_key().map(|key| key.id);
    for index in definition.indexes() {
        let wanted = seed::index_spec(definition, index);
        match present.iter().find(|spec| spec.id == index.id) {
            None => store.create_index(id, wanted).map_err(Error::Table)?,
            Some(spec) if *spec == wanted => {}
            Some(_) => return Err(refuse(id, ContradictionKind::IndexChanged)),
        }
    }
    let wanted = definition.primary_key().map(|index| index.id);
    // A seed has its key before the rows that say so.
    if wanted != key && !(seed::is_seed(id) && wanted.is_none()) {
        store.set_primary_key(id, wanted).map_err(Error::Table)?;
    }
    for spec in present {
        if definition.index_of(spec.id).is_none() && !seed::is_frozen_index(id, spec.id) {
            store.drop_index(id, spec.id).map_err(Error::Table)?;
        }
    }
    Ok(())
}

/// A complaint about the row of a table in `st_table`.
pub(crate) fn refuse(id: TableId, kind: ContradictionKind) -> Error {
    Error::Contradiction(Contradiction {
        system_table: SystemTableName::Table.declaration().name.to_owned(),
        key: vec![Value::U32(id.0)],
        kind,
    })
}
