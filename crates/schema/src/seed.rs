//! The two tables that everything else is read by: compiled in, frozen.

use table::{IndexId, IndexKind, IndexSpec, LayoutNumber, Store, TableId};

use crate::column_definition::ColumnDefinition;
use crate::column_id::ColumnId;
use crate::constraint_definition::{ConstraintDefinition, ConstraintKind};
use crate::constraint_id::ConstraintId;
use crate::format::FIRST_LAYOUT;
use crate::index_definition::IndexDefinition;
use crate::system_tables::{SystemIndexKind, SystemTable, SystemTableName};
use crate::table_definition::{TableDefinition, TableParts};
use crate::validation;

/// The tables that a store has before its genesis.
pub(crate) const SEEDS: [SystemTableName; 2] = [SystemTableName::Table, SystemTableName::Column];

/// Whether a table is one of the seeds.
pub(crate) fn is_seed(table: TableId) -> bool {
    SEEDS.iter().any(|seed| seed.declaration().id == table.0)
}

/// Whether a definition keeps what is frozen of the seed table of its id: the first columns, to the bit, and the name.
pub(crate) fn keeps_columns(definition: &TableDefinition) -> bool {
    let Some(frozen) = frozen(definition.id()) else {
        return true;
    };
    definition.name() == frozen.name()
        && definition.columns().len() >= frozen.columns().len()
        && definition
            .columns()
            .iter()
            .zip(frozen.columns())
            .all(|(column, frozen)| column == frozen)
}

/// Whether a definition keeps the frozen indexes and the key of the seed table of its id.
pub(crate) fn keeps_indexes(definition: &TableDefinition) -> bool {
    let Some(frozen) = frozen(definition.id()) else {
        return true;
    };
    frozen
        .indexes()
        .iter()
        .all(|index| definition.index_of(index.id) == Some(index))
        && definition.primary_key() == frozen.primary_key()
}

/// Whether the pages of a seed table begin with the frozen columns.
pub(crate) fn begins_in(store: &Store, seed: SystemTableName) -> bool {
    let frozen = seed.declaration().columns;
    store
        .table(TableId(seed.declaration().id))
        .is_ok_and(|table| {
            let found = table.layout().columns();
            found.len() >= frozen.len()
                && found.iter().zip(frozen).all(|(found, frozen)| {
                    found.column_type == frozen.column_type && found.nullable == frozen.nullable
                })
        })
}

/// Whether an index is frozen: never made or dropped by rows.
pub(crate) fn is_frozen_index(table: TableId, index: IndexId) -> bool {
    frozen(table).is_some_and(|frozen| frozen.index_of(index).is_some())
}

/// A store with the two empty seed tables.
///
/// # Panics
/// Never: the seeds are constants, and a test makes this store.
pub(crate) fn store(hash_key: [u8; 32]) -> Store {
    let mut store = Store::new(hash_key);
    for seed in SEEDS {
        create(&mut store, &declared(seed.declaration())).expect("the seeds are sound");
    }
    store
}

/// The definition that a declaration of this build's list stands for, under the list's ids.
///
/// # Panics
/// If the list is unsound; a test goes through it.
pub(crate) fn declared(table: &SystemTable) -> TableDefinition {
    let column_id = |name: &str| {
        let column = table.columns.iter().find(|column| column.name == name);
        ColumnId(
            column
                .expect("an index of the list names columns of its table")
                .id,
        )
    };
    let mut constraints = Vec::new();
    for index in table.indexes {
        if let SystemIndexKind::PrimaryKey { constraint } = index.kind {
            constraints.push(ConstraintDefinition {
                id: ConstraintId(constraint),
                name: index.name.to_owned(),
                kind: ConstraintKind::PrimaryKey {
                    index: IndexId(index.id),
                },
            });
        }
    }
    let indexes = table.indexes.iter().map(|index| IndexDefinition {
        id: IndexId(index.id),
        name: index.name.to_owned(),
        unique: index.kind != SystemIndexKind::Plain,
        kind: IndexKind::Ordered,
        columns: index.columns.iter().map(|name| column_id(name)).collect(),
    });
    let columns = table.columns.iter().map(|column| ColumnDefinition {
        id: ColumnId(column.id),
        name: column.name.to_owned(),
        column_type: column.column_type,
        nullable: column.nullable,
        default: column.default.clone(),
    });
    TableDefinition::new(TableParts {
        id: TableId(table.id),
        name: table.name.to_owned(),
        columns: columns.collect(),
        indexes: indexes.collect(),
        constraints,
        sequences: Vec::new(),
    })
    .expect("the list keeps the rules")
}

/// The positions of an index's columns, as the pages know it.
pub(crate) fn index_spec(definition: &TableDefinition, index: &IndexDefinition) -> IndexSpec {
    let position = |column: &ColumnId| {
        let position = definition
            .position_of(*column)
            .expect("a definition's indexes name its columns");
        u16::try_from(position).expect("a table has at most COLUMNS_MAX columns")
    };
    IndexSpec {
        id: index.id,
        columns: index.columns.iter().map(position).collect(),
        unique: index.unique,
        kind: index.kind,
    }
}

/// What is frozen of the seed table of this id.
pub(crate) fn frozen(table: TableId) -> Option<TableDefinition> {
    let seed = SEEDS
        .into_iter()
        .find(|seed| seed.declaration().id == table.0)?;
    Some(declared(seed.declaration()))
}

fn create(store: &mut Store, definition: &TableDefinition) -> Result<(), table::Error> {
    let layout = validation::layout(LayoutNumber(FIRST_LAYOUT), definition.columns());
    store.create_table(definition.id(), layout.expect("a seed's rows fit a page"))?;
    for index in definition.indexes() {
        store.create_index(definition.id(), index_spec(definition, index))?;
    }
    store.set_primary_key(
        definition.id(),
        definition.primary_key().map(|index| index.id),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declaration_of_the_list_is_sound() {
        for name in SystemTableName::ALL {
            let definition = declared(name.declaration());
            assert!(definition.is_system());
            assert!(definition.primary_key().is_some());
        }
        assert_eq!(store([0; 32]).tables().count(), SEEDS.len());
    }
}
