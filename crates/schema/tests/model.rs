//! Random histories of definitions and rows against a model of plain collections.
//!
//! After each transaction the state equals the model; at the end the log replays to the same state, and the catalog
//! read back from rows equals the one that wrote them.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;
#[path = "support/changes.rs"]
mod changes;
#[path = "support/model.rs"]
mod model;
#[path = "support/random.rs"]
mod random;
#[path = "support/seeds.rs"]
mod seeds;

use database::Database;
use model::{
    Model, ModelColumn, ModelTable, TYPES, number, random_cell, random_table, random_value,
};
use random::Random;
use schema::{Error, LiveState, NewColumn, Savepoint, WriteTransaction};
use seeds::for_each_seed;
use table::Value;

/// One step, in the transaction and in the model; both do it or both refuse.
fn step(random: &mut Random, tx: &mut WriteTransaction, model: &mut Model) {
    let names: Vec<String> = model.keys().cloned().collect();
    let name = random.pick(&names).cloned();
    match (random.below(25), name) {
        (0, _) | (_, None) => {
            let name = format!("t{}", random.below(12));
            let (table, made) = random_table(random, &name);
            let result = tx.create_table(&table);
            assert_eq!(result.is_ok(), !model.contains_key(&name), "{result:?}");
            model.entry(name).or_insert(made);
        }
        (1, Some(name)) if random.one_in(3) => {
            tx.drop_table(&name).unwrap();
            model.remove(&name);
        }
        (2, Some(name)) => create_index(random, tx, &name, model.get_mut(&name).unwrap()),
        (3, Some(name)) => {
            let table = model.get_mut(&name).unwrap();
            if let Some(place) = (0..table.indexes.len()).next() {
                let (index, ..) = table.indexes.remove(place);
                tx.drop_index(&name, &index).unwrap();
            }
        }
        (4, Some(name)) => {
            let to = format!("t{}", random.below(12));
            let result = tx.rename_table(&name, &to);
            assert_eq!(
                result.is_ok(),
                name == to || !model.contains_key(&to),
                "{result:?}"
            );
            if result.is_ok() {
                let table = model.remove(&name).unwrap();
                model.insert(to, table);
            }
        }
        (5, Some(name)) => add_column(random, tx, &name, model.get_mut(&name).unwrap()),
        (6, Some(name)) => {
            let table = model.get_mut(&name).unwrap();
            let place = random.below(table.columns.len());
            let to = format!("d{}", random.below(1000));
            let mut others = table
                .columns
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != place);
            let is_free = others.all(|(_, column)| column.name != to);
            assert_eq!(
                tx.rename_column(&name, &table.columns[place].name, &to)
                    .is_ok(),
                is_free
            );
            if is_free {
                table.columns[place].name = to;
            }
        }
        (20, Some(name)) => changes::drop_column(random, tx, &name, model.get_mut(&name).unwrap()),
        (21, Some(name)) => changes::widen(random, tx, &name, model.get_mut(&name).unwrap()),
        (22, Some(name)) => changes::nullable(random, tx, &name, model.get_mut(&name).unwrap()),
        (23, Some(name)) => changes::default(random, tx, &name, model.get_mut(&name).unwrap()),
        (24, Some(name)) => changes::key(random, tx, &name, model.get_mut(&name).unwrap()),
        (7..=9, Some(name)) => delete(random, tx, &name, model.get_mut(&name).unwrap()),
        (10..=12, Some(name)) => update(random, tx, &name, model.get_mut(&name).unwrap()),
        (_, Some(name)) => {
            for _ in 0..1 + random.below(12) {
                insert(random, tx, &name, model.get_mut(&name).unwrap());
            }
        }
    }
}

fn create_index(
    random: &mut Random,
    tx: &mut WriteTransaction,
    name: &str,
    table: &mut ModelTable,
) {
    let first = random.below(table.columns.len());
    let mut columns = vec![first];
    let second = random.below(table.columns.len());
    if second != first {
        columns.push(second);
    }
    let unique = random.one_in(3);
    let index = format!("i{}", random.below(4));
    let names: Vec<&str> = columns
        .iter()
        .map(|&place| table.columns[place].name.as_str())
        .collect();
    let mut with = table.clone();
    with.indexes.push((index.clone(), columns, unique));
    let is_new = table.indexes.iter().all(|other| other.0 != index);
    let fits = (0..with.rows.len()).all(|place| !with.conflicts(&with.rows[place], Some(place)));
    match tx.create_index(name, &index, &names, unique) {
        Ok(_) => {
            assert!(is_new && fits);
            *table = with;
        }
        Err(Error::InvalidDefinition { .. }) => assert!(!is_new),
        Err(Error::UniqueViolation { .. }) => assert!(is_new && !fits),
        // A string that is longer than a key can be.
        Err(Error::KeyTooLong { .. } | Error::Table(table::Error::KeyTooLong { .. })) => {}
        Err(error) => panic!("{error}"),
    }
}

fn add_column(random: &mut Random, tx: &mut WriteTransaction, name: &str, table: &mut ModelTable) {
    let column_type = *random.pick(&TYPES).unwrap();
    let nullable = random.one_in(2);
    let default = random.one_in(2).then(|| random_value(random, column_type));
    let column = ModelColumn {
        name: format!("a{}", random.below(1000)),
        column_type,
        nullable,
        default,
    };
    let mut new = NewColumn::new(&column.name, column_type);
    if nullable {
        new = new.nullable();
    }
    if let Some(default) = &column.default {
        new = new.default(default.clone());
    }
    let is_free = table.columns.iter().all(|other| other.name != column.name);
    let fills = column.nullable || column.default.is_some() || table.rows.is_empty();
    let result = tx.add_column(name, new);
    assert_eq!(result.is_ok(), is_free && fills, "{result:?}");
    if result.is_ok() {
        let value = column.default.clone().unwrap_or(Value::Null);
        table
            .rows
            .iter_mut()
            .for_each(|row| row.push(value.clone()));
        table.columns.push(column);
    }
}

fn insert(random: &mut Random, tx: &mut WriteTransaction, name: &str, table: &mut ModelTable) {
    let mut cells: Vec<(&str, Value)> = Vec::new();
    let mut row = Vec::new();
    let mut counter = table.counter;
    for (place, column) in table.columns.iter().enumerate() {
        if let Some((counting, next)) = &mut counter
            && *counting == place
        {
            if random.one_in(5) {
                let named = *next + random.below(3) as u64;
                cells.push((&column.name, number(column.column_type, named)));
                row.push(number(column.column_type, named));
                *next = named + 1;
            } else {
                row.push(number(column.column_type, *next));
                *next += 1;
            }
            continue;
        }
        let default = column
            .default
            .clone()
            .or(column.nullable.then_some(Value::Null));
        match default {
            Some(default) if random.one_in(3) => row.push(default),
            _ => {
                row.push(random_cell(random, column));
                cells.push((&column.name, row[place].clone()));
            }
        }
    }
    match tx.insert(name, &cells) {
        Ok(_) => {
            assert!(!table.conflicts(&row, None));
            table.rows.push(row);
            table.counter = counter;
        }
        Err(Error::UniqueViolation { .. }) => assert!(table.conflicts(&row, None)),
        Err(Error::KeyTooLong { .. } | Error::Table(table::Error::KeyTooLong { .. })) => {}
        Err(error) => panic!("{error}"),
    }
}

/// The row of the transaction that equals a row of the model.
fn place_of(tx: &WriteTransaction, name: &str, row: &[Value]) -> table::RowId {
    let table = tx.table(name).unwrap();
    let found = table
        .scan()
        .map(|found| found.unwrap())
        .find(|found| found.values().unwrap() == row);
    found.unwrap().row_id()
}

fn update(random: &mut Random, tx: &mut WriteTransaction, name: &str, table: &mut ModelTable) {
    if table.rows.is_empty() {
        return;
    }
    let place = random.below(table.rows.len());
    let column = random.below(table.columns.len());
    let counter = table.counter.filter(|(counting, _)| *counting == column);
    let mut row = table.rows[place].clone();
    row[column] = match counter {
        // Around the number that would be next: behind it, it, ahead of it.
        Some((_, next)) => number(
            table.columns[column].column_type,
            (next + random.below(4) as u64).saturating_sub(2),
        ),
        None => random_cell(random, &table.columns[column]),
    };
    let cells = [(table.columns[column].name.as_str(), row[column].clone())];
    let result = match &table.primary_key {
        Some(key) if random.one_in(2) => {
            let key: Vec<Value> = key
                .iter()
                .map(|&column| table.rows[place][column].clone())
                .collect();
            tx.update(name, &key, &cells)
        }
        _ => tx.update_row(name, place_of(tx, name, &table.rows[place]), &cells),
    };
    match result {
        Ok(_) => {
            assert!(!table.conflicts(&row, Some(place)));
            if let Some((counting, next)) = counter {
                let named: u64 = row[column].to_string().parse().unwrap();
                table.counter = Some((counting, next.max(named + 1)));
            }
            table.rows[place] = row;
        }
        Err(Error::UniqueViolation { .. }) => assert!(table.conflicts(&row, Some(place))),
        Err(Error::KeyTooLong { .. } | Error::Table(table::Error::KeyTooLong { .. })) => {}
        Err(error) => panic!("{error}"),
    }
}

fn delete(random: &mut Random, tx: &mut WriteTransaction, name: &str, table: &mut ModelTable) {
    if table.rows.is_empty() {
        return;
    }
    let row = table.rows.swap_remove(random.below(table.rows.len()));
    match &table.primary_key {
        Some(key) if random.one_in(2) => {
            let key: Vec<Value> = key.iter().map(|&column| row[column].clone()).collect();
            tx.delete(name, &key).unwrap();
        }
        _ => tx.delete_row(name, place_of(tx, name, &row)).unwrap(),
    }
}

fn assert_equal(database: &Database, model: &Model) {
    let names: Vec<&str> = database
        .state
        .catalog()
        .tables()
        .filter(|t| !t.is_system())
        .map(|t| t.name())
        .collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, model.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, table) in model {
        let definition = database.state.definition(name).unwrap();
        let columns = definition
            .columns()
            .iter()
            .map(|column| column.name.as_str());
        assert!(columns.eq(table.columns.iter().map(|column| column.name.as_str())));
        let indexes = definition
            .indexes()
            .iter()
            .filter(|index| index.name != "primary_key");
        let mut found: Vec<(&str, bool)> = indexes
            .map(|index| (index.name.as_str(), index.unique))
            .collect();
        let mut wanted: Vec<(&str, bool)> = table
            .indexes
            .iter()
            .map(|index| (index.0.as_str(), index.2))
            .collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        let mut rows = table.rows.clone();
        rows.sort();
        assert!(database.rows(name) == rows, "the rows of {name} differ");
    }
}

fn history(seed: u64) {
    let mut random = Random(seed);
    let mut database = Database::new();
    // The same life, in place where that is done.
    let mut live = LiveState::new(database.state.clone());
    let mut model = Model::new();
    for transaction in 0..60 {
        let mut tx = WriteTransaction::new(&database.state).unwrap();
        let mut after = model.clone();
        let mut savepoint: Option<(Savepoint, Model)> = None;
        for _ in 0..1 + random.below(8) {
            step(&mut random, &mut tx, &mut after);
            match savepoint.take() {
                Some((savepoint, before)) if random.one_in(2) => {
                    tx.roll_back_to(&savepoint);
                    after = before;
                }
                kept => savepoint = kept,
            }
            if random.one_in(5) {
                savepoint = Some((tx.savepoint(), after.clone()));
            }
        }
        if random.one_in(5) {
            continue;
        }
        if let Some(bytes) = tx.finish().unwrap() {
            let before = database.state.clone();
            let digest = before.digest().unwrap();
            let checked = database.state.check(&bytes).unwrap();
            database.state.apply(checked);
            assert_eq!(before.digest().unwrap(), digest, "a view moved");

            // Checked for nothing, and looked at in between: neither leaves a trace.
            while random.one_in(3) {
                live.check(&bytes).unwrap();
            }
            let checked = live.check(&bytes).unwrap();
            if random.one_in(2) {
                assert_eq!(live.view().digest().unwrap(), digest, "only checked");
            }
            assert!(live.check(&bytes[..bytes.len() - 1]).is_err());
            drop(live.apply(&bytes, checked));
            let view = live.view();
            let digest = database.state.digest().unwrap();
            assert_eq!(view.digest().unwrap(), digest, "applied in place");
            assert!(view.catalog() == database.state.catalog());
            database.log.push(bytes);
        }
        model = after;
        assert_equal(&database, &model);
        if transaction % 20 == 19 {
            database.verify();
        }
    }
    database.verify();
}

#[test]
fn histories_of_definitions_and_rows_equal_the_model() {
    for_each_seed("model", 24, history);
}
