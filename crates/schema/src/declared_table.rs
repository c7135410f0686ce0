//! A table that is there, as a program would declare it.

use crate::catalog::Catalog;
use crate::constraint_definition::ConstraintKind;
use crate::index_definition::IndexDefinition;
use crate::new_column::NewColumn;
use crate::new_foreign_key::NewForeignKey;
use crate::new_index::{NewIndex, NewIndexRole};
use crate::new_sequence::NewSequence;
use crate::new_table::NewTable;
use crate::table_definition::TableDefinition;

impl NewTable {
    /// What a table would be made by to be as it is.
    pub fn of(definition: &TableDefinition, catalog: &Catalog) -> NewTable {
        let column = |column: &crate::ColumnDefinition| NewColumn {
            name: column.name.clone(),
            column_type: column.column_type,
            nullable: column.nullable,
            default: column.default.clone(),
        };
        let sequences = definition.sequences().iter().filter_map(|sequence| {
            let column = &definition.columns()[definition.position_of(sequence.column)?];
            Some((column.name.clone(), NewSequence::of(sequence)))
        });
        let indexes = definition.indexes().iter();
        NewTable {
            name: definition.name().to_owned(),
            columns: definition.columns().iter().map(column).collect(),
            indexes: indexes
                .filter_map(|index| new_index(definition, index))
                .collect(),
            sequences: sequences.collect(),
            foreign_keys: foreign_keys(definition, catalog),
        }
    }
}

/// `None` for one that comes with a foreign key.
fn new_index(definition: &TableDefinition, index: &IndexDefinition) -> Option<NewIndex> {
    let mut constraints = definition.constraints().iter();
    let keeps = constraints.find(|constraint| constraint.kind.index() == Some(index.id));
    let role = match keeps.map(|constraint| constraint.kind) {
        Some(ConstraintKind::PrimaryKey { .. }) => NewIndexRole::PrimaryKey,
        Some(ConstraintKind::Unique { .. }) => NewIndexRole::Unique,
        Some(_) => return None,
        None if index.unique => NewIndexRole::PlainUnique,
        None => NewIndexRole::Plain,
    };
    Some(NewIndex {
        name: index.name.clone(),
        columns: names(definition, index),
        role,
        kind: index.kind,
    })
}

fn foreign_keys(definition: &TableDefinition, catalog: &Catalog) -> Vec<NewForeignKey> {
    let keys = definition.foreign_keys().filter_map(|key| {
        let mut constraints = definition.constraints().iter();
        let constraint = constraints.find(|constraint| constraint.id == key.constraint)?;
        let target = catalog.table(key.target)?;
        Some(NewForeignKey {
            name: constraint.name.clone(),
            columns: names(definition, definition.index_of(key.index)?),
            target: target.name().to_owned(),
            target_columns: names(target, target.index_of(key.target_index)?),
        })
    });
    keys.collect()
}

fn names(table: &TableDefinition, index: &IndexDefinition) -> Vec<String> {
    let positions = table.index_positions(index.id).into_iter();
    positions
        .map(|position| table.columns()[position].name.clone())
        .collect()
}
