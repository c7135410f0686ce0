//! Random changes of columns and keys, in a transaction and in the model; both do them or both refuse.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use schema::{Error, WriteTransaction};
use table::{ColumnType, Value};

use crate::model::{ModelTable, random_value};
use crate::random::Random;

/// Whether a column is in an index or the key.
fn is_in_use(table: &ModelTable, place: usize) -> bool {
    let indexes = table.indexes.iter().map(|index| &index.1);
    indexes
        .chain(&table.primary_key)
        .any(|columns| columns.contains(&place))
}

pub fn drop_column(
    random: &mut Random,
    tx: &mut WriteTransaction,
    name: &str,
    table: &mut ModelTable,
) {
    let place = random.below(table.columns.len());
    let result = tx.drop_column(name, &table.columns[place].name);
    if is_in_use(table, place) {
        assert!(
            matches!(result, Err(Error::ColumnInUse { .. })),
            "{result:?}"
        );
        return;
    }
    if table.columns.len() == 1 {
        assert!(
            matches!(result, Err(Error::InvalidDefinition { .. })),
            "{result:?}"
        );
        return;
    }
    result.unwrap();
    table.columns.remove(place);
    table
        .rows
        .iter_mut()
        .for_each(|row| drop(row.remove(place)));
    let moved = |column: &mut usize| *column -= usize::from(*column > place);
    table
        .indexes
        .iter_mut()
        .for_each(|index| index.1.iter_mut().for_each(moved));
    table
        .primary_key
        .iter_mut()
        .for_each(|key| key.iter_mut().for_each(moved));
    table.counter = table.counter.filter(|(counting, _)| *counting != place);
    table
        .counter
        .iter_mut()
        .for_each(|(counting, _)| moved(counting));
}

pub fn widen(random: &mut Random, tx: &mut WriteTransaction, name: &str, table: &mut ModelTable) {
    let place = random.below(table.columns.len());
    let column = &mut table.columns[place];
    let wider = *random.pick(&ColumnType::ALL).unwrap();
    let result = tx.widen_column(name, &column.name, wider);
    assert_eq!(
        result.is_ok(),
        column.column_type.widens_to(wider),
        "{result:?}"
    );
    if result.is_err() {
        return;
    }
    column.column_type = wider;
    let widened = |value: &Value| value.widened(wider).unwrap();
    column.default = column.default.as_ref().map(widened);
    table
        .rows
        .iter_mut()
        .for_each(|row| row[place] = widened(&row[place]));
}

pub fn nullable(
    random: &mut Random,
    tx: &mut WriteTransaction,
    name: &str,
    table: &mut ModelTable,
) {
    let place = random.below(table.columns.len());
    let column = &mut table.columns[place];
    let counts = table.counter.is_some_and(|(counting, _)| counting == place);
    let is_key = table.primary_key.iter().any(|key| key.contains(&place));
    if random.one_in(2) {
        let result = tx.drop_not_null(name, &column.name);
        assert_eq!(result.is_ok(), !(counts || is_key), "{result:?}");
        column.nullable |= result.is_ok();
        return;
    }
    let nulls = table.rows.iter().filter(|row| row[place].is_null()).count() as u64;
    match tx.set_not_null(name, &column.name) {
        Ok(()) => {
            assert_eq!(nulls, 0);
            column.nullable = false;
        }
        Err(Error::NullsInColumn { count, first, .. }) => {
            assert_eq!(count, nulls);
            assert_eq!(first.len() as u64, nulls.min(5));
            assert!(first.iter().all(|row| table.rows.contains(row)));
        }
        Err(error) => panic!("{error}"),
    }
}

pub fn default(random: &mut Random, tx: &mut WriteTransaction, name: &str, table: &mut ModelTable) {
    let place = random.below(table.columns.len());
    let column = &mut table.columns[place];
    let counts = table.counter.is_some_and(|(counting, _)| counting == place);
    let default = random
        .one_in(2)
        .then(|| random_value(random, column.column_type));
    let result = tx.set_default(name, &column.name, default.clone());
    assert_eq!(result.is_ok(), !counts || default.is_none(), "{result:?}");
    if result.is_ok() {
        column.default = default;
    }
}

/// The primary key goes, or comes.
pub fn key(random: &mut Random, tx: &mut WriteTransaction, name: &str, table: &mut ModelTable) {
    if table.primary_key.is_some() {
        tx.drop_constraint(name, "primary_key").unwrap();
        table.primary_key = None;
        return;
    }
    let columns = vec![random.below(table.columns.len())];
    let mut with = table.clone();
    with.primary_key = Some(columns.clone());
    let fits = (0..with.rows.len()).all(|place| !with.conflicts(&with.rows[place], Some(place)));
    let column = &table.columns[columns[0]];
    match tx.add_primary_key(name, &[&column.name]) {
        Ok(()) => {
            assert!(fits && !column.nullable);
            *table = with;
        }
        Err(Error::InvalidDefinition { .. }) => assert!(column.nullable),
        Err(Error::UniqueViolation { .. }) => assert!(!fits),
        // A string that is longer than a key can be.
        Err(Error::KeyTooLong { .. } | Error::Table(table::Error::KeyTooLong { .. })) => {}
        Err(error) => panic!("{error}"),
    }
}
