//! The store follows the catalog: after the rows of a group, the tables that they describe.

use std::sync::Arc;

use table::{Layout, LayoutNumber, Marks, Store, TableId, Value};

use crate::catalog::Catalog;
use crate::column_definition::ColumnDefinition;
use crate::contradiction::{Contradiction, ContradictionKind};
use crate::description::{Description, describe};
use crate::error::Error;
use crate::format::{FIRST_LAYOUT, READER_OF_COLUMN_CHANGES};
use crate::seed;
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;
use crate::validation;

/// Brings one table's pages and definition to what its rows say. Does nothing where they say it already.
///
/// `false` if the positions of its columns have a gap: the group that closes it is still to come, and until then the table stays as
/// it was. So a column can go by two groups, and the rows are written again once.
pub(crate) fn follow(
    store: &mut Store,
    catalog: &mut Catalog,
    id: TableId,
    marks: Marks,
) -> Result<bool, Error> {
    let description = match describe(store, catalog, id) {
        Err(Error::Contradiction(contradiction)) if contradiction.kind.is_gap() => {
            return Ok(false);
        }
        described => described?,
    };
    follow_description(store, catalog, id, description, marks).map(|()| true)
}

fn follow_description(
    store: &mut Store,
    catalog: &mut Catalog,
    id: TableId,
    description: Description,
    marks: Marks,
) -> Result<(), Error> {
    match description {
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
            follow_layout(store, catalog, &definition, marks)?;
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

fn follow_layout(
    store: &mut Store,
    catalog: &Catalog,
    definition: &TableDefinition,
    marks: Marks,
) -> Result<(), Error> {
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
        minimum_reader: marks.minimum_reader,
    };
    let next = layout(current.number().0.checked_add(1).ok_or_else(unsupported)?)?;
    if table.row_count() == 0 {
        // Nothing has to be carried over, so any change will do; indexes and key are made anew behind it.
        store.drop_table(id).map_err(Error::Table)?;
        return store.create_table(id, next).map_err(Error::Table);
    }
    let sources = sources(catalog, definition);
    // What older builds can not follow must keep them away.
    if marks.minimum_reader < READER_OF_COLUMN_CHANGES && !continues(current, &next, &sources) {
        return Err(unsupported());
    }
    store
        .change_layout(id, next, &sources)
        .map_err(|error| match error {
            table::Error::UnfitLayout { .. } => unsupported(),
            error => Error::of_definition(error, definition),
        })?;
    if definition.is_system() {
        // Snapshots of what an upgrade has added to are then read by builds that are older than it.
        store.renew_rows(id).map_err(Error::Table)?;
    }
    Ok(())
}

/// Whether a layout has the columns of the one before it, and more behind them at most: what every build can follow.
fn continues(before: &Layout, next: &Layout, sources: &[Option<u16>]) -> bool {
    let same_front = before
        .columns()
        .iter()
        .zip(next.columns())
        .all(|(old, new)| old.column_type == new.column_type && old.nullable == new.nullable);
    let in_place = |(position, source): (u16, &Option<u16>)| {
        source.map_or(usize::from(position) >= before.column_count(), |source| {
            source == position
        })
    };
    same_front
        && next.column_count() >= before.column_count()
        && (0u16..).zip(sources).all(in_place)
}

/// Where the columns of a definition stand in the rows that are there: a column keeps its id through all changes.
fn sources(catalog: &Catalog, definition: &TableDefinition) -> Vec<Option<u16>> {
    // A seed has rows before its definition is read from them.
    let (before, seed) = (
        catalog.table(definition.id()),
        seed::frozen(definition.id()),
    );
    let before = before.map(|before| &**before).or(seed.as_ref());
    let source = |column: &ColumnDefinition| {
        let position = before?.position_of(column.id)?;
        u16::try_from(position).ok()
    };
    definition.columns().iter().map(source).collect()
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
