//! The rules that every definition keeps, whether a program asks for it or the log declares it: written here alone.

use std::collections::HashSet;

use table::{Layout, LayoutColumn, LayoutNumber, Value};

use crate::column_definition::ColumnDefinition;
use crate::constraint_definition::ConstraintKind;
use crate::index_definition::IndexDefinition;
use crate::integer;
use crate::limits::{
    COLUMNS_MAX, DEFAULT_BYTES_MAX, INDEX_COLUMNS_MAX, INDEXES_MAX, NAME_BYTES_MAX, RESERVED,
    SYSTEM_PREFIX,
};
use crate::mistake::{Mistake, Object};
use crate::table_definition::TableParts;

/// Every mistake of a table, in the order of its parts. Ids that name nothing are the business of who resolved them.
pub(crate) fn mistakes(table: &TableParts) -> Vec<Mistake> {
    let mut found = Vec::new();
    let is_system = RESERVED.contains(&table.id.0);
    check_name(Object::Table, &table.name, &mut found);
    check_prefix(Object::Table, &table.name, is_system, &mut found);
    check_columns(&table.columns, &mut found);
    check_indexes(table, &mut found);
    check_constraints(table, &mut found);
    check_sequences(table, &mut found);
    if found.is_empty() && layout(LayoutNumber(0), &table.columns).is_none() {
        found.push(Mistake::RowTooWide);
    }
    found
}

/// The mistakes of one name.
pub(crate) fn check_name(object: Object, name: &str, found: &mut Vec<Mistake>) {
    if name.is_empty() {
        found.push(Mistake::EmptyName { object });
    }
    if name.len() > NAME_BYTES_MAX {
        found.push(Mistake::NameTooLong {
            object,
            name: name.to_owned(),
        });
    }
    if name.chars().any(char::is_control) {
        found.push(Mistake::ControlCharacter {
            object,
            name: name.to_owned(),
        });
    }
}

/// Names that are unique in the whole database: the system's own begin with its prefix, and no other does.
pub(crate) fn check_prefix(object: Object, name: &str, is_system: bool, found: &mut Vec<Mistake>) {
    match (name.starts_with(SYSTEM_PREFIX), is_system) {
        (true, false) => found.push(Mistake::ReservedName {
            object,
            name: name.to_owned(),
        }),
        (false, true) => found.push(Mistake::SystemNameWithoutPrefix {
            object,
            name: name.to_owned(),
        }),
        _ => {}
    }
}

/// Defaults that are given from now on are short. This is asked of programs alone: what a log declares may be from before there was a limit.
pub(crate) fn check_default_length(
    column: &str,
    default: Option<&Value>,
    found: &mut Vec<Mistake>,
) {
    let bytes = default.and_then(|default| default.as_ref().variable_bytes());
    let bytes = bytes.map_or(0, <[u8]>::len);
    if bytes > DEFAULT_BYTES_MAX {
        found.push(Mistake::DefaultTooLong {
            column: column.to_owned(),
            bytes,
        });
    }
}

/// The layout of these columns; `None` if a row of them does not fit a page.
pub(crate) fn layout(number: LayoutNumber, columns: &[ColumnDefinition]) -> Option<Layout> {
    let columns = columns
        .iter()
        .map(|column| LayoutColumn {
            column_type: column.column_type,
            nullable: column.nullable,
            default: column.default.clone(),
        })
        .collect();
    Layout::new(number, columns).ok()
}

fn check_columns(columns: &[ColumnDefinition], found: &mut Vec<Mistake>) {
    if columns.is_empty() {
        found.push(Mistake::NoColumns);
    }
    if columns.len() > COLUMNS_MAX {
        found.push(Mistake::TooManyColumns {
            count: columns.len(),
        });
    }
    for column in columns {
        check_name(Object::Column, &column.name, found);
        let Some(default) = &column.default else {
            continue;
        };
        match default.column_type() {
            None if column.nullable => {}
            None => found.push(Mistake::NullDefault {
                column: column.name.clone(),
            }),
            Some(of_default) if of_default != column.column_type => {
                found.push(Mistake::WrongDefault {
                    column: column.name.clone(),
                    expected: column.column_type,
                    found: of_default,
                })
            }
            Some(_) => {}
        }
    }
    check_duplicates(
        Object::Column,
        columns.iter().map(|column| column.name.as_str()),
        found,
    );
}

fn check_indexes(table: &TableParts, found: &mut Vec<Mistake>) {
    if table.indexes.len() > INDEXES_MAX {
        found.push(Mistake::TooManyIndexes {
            count: table.indexes.len(),
        });
    }
    for index in &table.indexes {
        check_name(Object::Index, &index.name, found);
        check_index_columns(table, index, found);
    }
    check_duplicates(
        Object::Index,
        table.indexes.iter().map(|index| index.name.as_str()),
        found,
    );
}

fn check_index_columns(table: &TableParts, index: &IndexDefinition, found: &mut Vec<Mistake>) {
    if index.columns.is_empty() {
        found.push(Mistake::NoColumnsInIndex {
            index: index.name.clone(),
        });
    }
    if index.columns.len() > INDEX_COLUMNS_MAX {
        found.push(Mistake::TooManyColumnsInIndex {
            index: index.name.clone(),
            count: index.columns.len(),
        });
    }
    let mut seen = HashSet::new();
    for id in &index.columns {
        if seen.insert(id) {
            continue;
        }
        if let Some(column) = table.columns.iter().find(|column| column.id == *id) {
            found.push(Mistake::DuplicateColumnInIndex {
                index: index.name.clone(),
                column: column.name.clone(),
            });
        }
    }
}

fn check_constraints(table: &TableParts, found: &mut Vec<Mistake>) {
    let mut primary_keys = 0;
    for constraint in &table.constraints {
        check_name(Object::Constraint, &constraint.name, found);
        let Some(index) = table
            .indexes
            .iter()
            .find(|index| Some(index.id) == constraint.kind.index())
        else {
            continue;
        };
        let is_foreign = matches!(constraint.kind, ConstraintKind::ForeignKey { .. });
        if !index.unique && !is_foreign {
            found.push(Mistake::ConstraintOnPlainIndex {
                constraint: constraint.name.clone(),
                index: index.name.clone(),
            });
        }
        if let ConstraintKind::PrimaryKey { .. } = constraint.kind {
            primary_keys += 1;
            let of_index = |column: &&ColumnDefinition| index.columns.contains(&column.id);
            for column in table
                .columns
                .iter()
                .filter(of_index)
                .filter(|column| column.nullable)
            {
                found.push(Mistake::NullablePrimaryKey {
                    column: column.name.clone(),
                });
            }
        }
    }
    if primary_keys > 1 {
        found.push(Mistake::TwoPrimaryKeys);
    }
    let names = table
        .constraints
        .iter()
        .map(|constraint| constraint.name.as_str());
    check_duplicates(Object::Constraint, names, found);
}

fn check_sequences(table: &TableParts, found: &mut Vec<Mistake>) {
    let mut filled = HashSet::new();
    for sequence in &table.sequences {
        check_name(Object::Sequence, &sequence.name, found);
        let Some(column) = table
            .columns
            .iter()
            .find(|column| column.id == sequence.column)
        else {
            continue;
        };
        let name = || column.name.clone();
        if column.nullable {
            found.push(Mistake::AutoIncrementNullable { column: name() });
        }
        if column.default.is_some() {
            found.push(Mistake::AutoIncrementDefault { column: name() });
        }
        if !filled.insert(column.id) {
            found.push(Mistake::AutoIncrementTwice { column: name() });
        }
        let Some((least, greatest)) = integer::bounds(column.column_type) else {
            found.push(Mistake::AutoIncrementNotInteger {
                column: name(),
                found: column.column_type,
            });
            continue;
        };
        let in_type = least <= sequence.minimum && sequence.maximum <= greatest;
        let in_bounds = (sequence.minimum..=sequence.maximum).contains(&sequence.start);
        if sequence.step == 0 || !in_type || !in_bounds {
            found.push(Mistake::SequenceBounds {
                sequence: sequence.name.clone(),
            });
        }
    }
    let names = table
        .sequences
        .iter()
        .map(|sequence| sequence.name.as_str());
    check_duplicates(Object::Sequence, names, found);
}

fn check_duplicates<'a>(
    object: Object,
    names: impl Iterator<Item = &'a str>,
    found: &mut Vec<Mistake>,
) {
    let mut seen = HashSet::new();
    let mut told = HashSet::new();
    for name in names {
        if !seen.insert(name) && told.insert(name) {
            found.push(Mistake::DuplicateName {
                object,
                name: name.to_owned(),
            });
        }
    }
}
