//! The one function that applies a transaction: genesis, live commit, replay and the fork of a write transaction.
//!
//! ```text
//!   for each group, left to right:
//!     rows of a user's table  ── store                       (the layout it names is in force, or it is damage)
//!     rows of a system table  ── store ── whose definition?  ── for each: read its rows, then
//!                                          layout, indexes and key of its pages follow, then the catalog
//!   at the end: what was touched is whole, no row belongs to a table that is not there
//! ```

use table::{Group, Marks, Operation, Store, TableId, Transaction, Value};

use crate::affected::Affected;
use crate::catalog::Catalog;
use crate::constraint_definition::ConstraintKind;
use crate::contradiction::ContradictionKind;
use crate::database_row::DatabaseRow;
use crate::description::{Description, describe, first_orphan};
use crate::error::Error;
use crate::follow::{follow, refuse};
use crate::format::{WRITER_OF_FOREIGN_KEYS, WRITER_VERSION, reader_of_kind};
use crate::references::check_targets;
use crate::seed::{self, SEEDS};
use crate::sequence_row;
use crate::system_tables::{ST_COLUMN_ID, ST_TABLE_ID, SystemTableName};
use crate::table_definition::TableDefinition;

/// Applies all groups of a transaction. On an error the store and the catalog are half changed and must be dropped.
pub(crate) fn apply_groups(
    store: &mut Store,
    catalog: &mut Catalog,
    transaction: &Transaction<'_>,
) -> Result<Affected, Error> {
    let is_genesis = catalog.is_empty();
    let mut affected = Affected::default();
    for (place, group) in transaction.groups().enumerate() {
        if is_genesis {
            check_genesis_group(catalog, place, &group)?;
        }
        apply_group(store, catalog, &group, transaction.marks(), &mut affected)?;
    }
    if is_genesis {
        require_genesis(catalog)?;
    }
    Ok(affected)
}

/// Refuses what a transaction has left contradictory under its marks. Gives the database row if it was written.
pub(crate) fn finish(
    store: &Store,
    catalog: &Catalog,
    affected: &Affected,
    marks: Marks,
) -> Result<Option<DatabaseRow>, Error> {
    for &id in &affected.gapped {
        // Says where the gap is, if it is still there.
        describe(store, catalog, id)?;
    }
    for &id in &affected.tables {
        check_whole(store, catalog, id)?;
        if let Some(definition) = catalog.table(id) {
            check_kinds(catalog, definition, marks)?;
        }
        check_targets(catalog, id)?;
    }
    affected.references.check(store, catalog)?;
    for &id in &affected.sequences {
        sequence_row::check(store, catalog, id)?;
    }
    if affected.database {
        DatabaseRow::read(store, catalog).map(Some)
    } else {
        Ok(None)
    }
}

/// Refuses an index of a kind that the mark for readers does not allow, and a constraint of an unknown kind, unless a newer
/// build has added it and said so in the mark for writers.
pub(crate) fn check_kinds(
    catalog: &Catalog,
    definition: &TableDefinition,
    marks: Marks,
) -> Result<(), Error> {
    for index in definition.indexes() {
        if marks.minimum_reader < reader_of_kind(index.kind) {
            let known = catalog.require(SystemTableName::Index)?;
            let key = vec![Value::U32(definition.id().0), Value::U32(index.id.0)];
            let kind = index.kind.code();
            return Err(known.contradiction(key, ContradictionKind::UnknownIndexKind { kind }));
        }
    }
    if marks.minimum_writer > WRITER_VERSION {
        return Ok(());
    }
    for constraint in definition.constraints() {
        let is_unmarked = match constraint.kind {
            ConstraintKind::Unknown { .. } => true,
            ConstraintKind::ForeignKey { .. } => marks.minimum_writer < WRITER_OF_FOREIGN_KEYS,
            _ => false,
        };
        if is_unmarked {
            let kind = constraint.kind.code();
            let known = catalog.require(SystemTableName::Constraint)?;
            let key = vec![Value::U32(definition.id().0), Value::U32(constraint.id.0)];
            return Err(known.contradiction(key, ContradictionKind::UnknownConstraintKind { kind }));
        }
    }
    Ok(())
}

fn apply_group(
    store: &mut Store,
    catalog: &mut Catalog,
    group: &Group<'_>,
    marks: Marks,
    affected: &mut Affected,
) -> Result<(), Error> {
    let Some(known) = catalog.known_of(group.table) else {
        affected.references.note(store, catalog, group)?;
        return store
            .apply_group(group)
            .map_err(|error| Error::of_table(error, catalog));
    };
    let layout = store
        .table(group.table)
        .map_err(Error::Table)?
        .layout()
        .number();
    if group.layout != layout {
        let (current, found) = (layout, group.layout);
        return Err(Error::Table(table::Error::WrongLayout {
            table: group.table,
            current,
            found,
        }));
    }
    let mut of_group = Affected::default();
    of_group.note(store, known, group)?;
    store
        .apply_group(group)
        .map_err(|error| Error::of_table(error, catalog))?;
    for &id in &of_group.tables {
        let before = catalog.table(id).cloned();
        if !follow(store, catalog, id, marks)? {
            of_group.gapped.insert(id);
        }
        if let Some(next) = catalog.table(id) {
            affected.references.note_new(before.as_deref(), next);
        }
    }
    affected.merge(of_group);
    Ok(())
}

/// The first two groups are the rows of the seeds and their columns; nothing else can be read yet.
fn check_genesis_group(catalog: &Catalog, place: usize, group: &Group<'_>) -> Result<(), Error> {
    let refused = || Err(refuse(group.table, ContradictionKind::NotAGenesis));
    let expected = match place {
        0 => ST_TABLE_ID,
        1 => ST_COLUMN_ID,
        // The columns stand; indexes come when `st_index` does.
        2 if SEEDS
            .iter()
            .any(|seed| catalog.table(TableId(seed.declaration().id)).is_none()) =>
        {
            return refused();
        }
        _ => return Ok(()),
    };
    if group.table != TableId(expected) || group.operation != Operation::Insert {
        return refused();
    }
    Ok(())
}

/// What every log has declared when its genesis ends.
fn require_genesis(catalog: &Catalog) -> Result<(), Error> {
    for name in SystemTableName::ALL {
        let known = catalog.require(name)?;
        if catalog.table(known.id()).is_none() {
            return Err(refuse(known.id(), ContradictionKind::NotAGenesis));
        }
    }
    Ok(())
}

fn check_whole(store: &Store, catalog: &Catalog, id: TableId) -> Result<(), Error> {
    match catalog.table(id) {
        Some(definition) if seed::keeps_indexes(definition) => Ok(()),
        Some(_) => Err(refuse(id, ContradictionKind::SeedChanged)),
        None => match describe(store, catalog, id)? {
            Description::Absent => first_orphan(store, catalog, id)?.map_or(Ok(()), Err),
            _ => Err(refuse(id, ContradictionKind::NoColumns)),
        },
    }
}
