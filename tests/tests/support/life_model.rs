//! What a database holds in a long life, as plain collections, and random changes of both.
#![allow(clippy::unwrap_used, unreachable_pub)]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use cairn::{ColumnType, Error, NewColumn, NewTable, Transaction, Value, View};
use cairn_tests::Random;

/// The rows of a table by key, each the values behind it; the columns of these; and whether the first is indexed.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub rows: BTreeMap<u64, Vec<Value>>,
    pub columns: Vec<Column>,
    pub is_indexed: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    column_type: ColumnType,
    nullable: bool,
}

impl Table {
    pub fn new() -> Table {
        let text = Column {
            name: "text".to_owned(),
            column_type: ColumnType::String,
            nullable: true,
        };
        Table {
            rows: BTreeMap::new(),
            columns: vec![text],
            is_indexed: false,
        }
    }
}

pub type Model = BTreeMap<String, Table>;

fn create(name: &str) -> NewTable {
    NewTable::new(name)
        .column("id", ColumnType::U64)
        .nullable("text", ColumnType::String)
        .primary_key(&["id"])
}

pub fn initialise(tx: &mut Transaction<'_>) -> Result<(), Error> {
    tx.create_table(&create("table 0"))
}

/// Reads everything that the model knows, through each index.
#[track_caller]
pub fn check_content(view: &View, model: &Model) {
    let names = view.tables().map(|table| table.name().to_owned());
    let names: Vec<String> = names.filter(|name| !name.starts_with("st_")).collect();
    let mut known: Vec<&String> = model.keys().collect();
    known.sort_by_key(|name| names.iter().position(|found| found == *name));
    assert_eq!(names.iter().collect::<Vec<_>>(), known);
    for (name, expected) in model {
        let table = view.table(name).unwrap();
        let columns = table.definition().columns().iter().skip(1);
        let columns: Vec<Column> = columns
            .map(|column| Column {
                name: column.name.clone(),
                column_type: column.column_type,
                nullable: column.nullable,
            })
            .collect();
        assert_eq!(columns, expected.columns, "table {name}");
        let row = |row: Result<cairn::Row<'_>, Error>| -> (u64, Vec<Value>) {
            let row = row.unwrap();
            let mut values = row.values().unwrap();
            values.remove(0);
            (row.get("id").unwrap(), values)
        };
        let rows: BTreeMap<_, _> = table.scan().map(row).collect();
        assert_eq!(rows, expected.rows, "table {name}");
        assert_eq!(
            table.row_count(),
            expected.rows.len() as u64,
            "table {name}"
        );
        assert_eq!(
            table.definition().index("by_text").is_some(),
            expected.is_indexed
        );
        for (id, values) in &expected.rows {
            let found = table.get(&[Value::from(*id)]).unwrap();
            assert_eq!(row(Ok(found.expect("it is there"))).1, *values);
        }
        if expected.is_indexed {
            let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
            let mut rows: Vec<_> = table
                .range("by_text", all.0, all.1)
                .unwrap()
                .map(row)
                .collect();
            assert!(
                rows.is_sorted_by(|left, right| left.1[0] <= right.1[0]),
                "table {name}"
            );
            rows.sort_by_key(|row| row.0);
            assert!(rows.into_iter().eq(expected.rows.clone()), "table {name}");
        }
    }
}

/// Changes one thing, in the database and in the model.
pub fn change(
    random: &mut Random,
    tx: &mut Transaction<'_>,
    model: &mut Model,
) -> Result<(), Error> {
    let names: Vec<String> = model.keys().cloned().collect();
    let name = names.get(usize::try_from(random.below(names.len().max(1) as u64)).unwrap());
    let Some(name) = name.filter(|_| !random.one_in(24)) else {
        let name = format!("table {}", random.below(6));
        if let Entry::Vacant(place) = model.entry(name) {
            tx.create_table(&create(place.key()))?;
            place.insert(Table::new());
        }
        return Ok(());
    };
    if random.one_in(40) {
        model.remove(name);
        return tx.drop_table(name);
    }
    if random.one_in(12) {
        return change_columns(random, tx, name, model);
    }
    let table = model.get_mut(name).unwrap();
    let is_long = |row: &Vec<Value>| matches!(&row[0], Value::String(text) if text.len() > 1000);
    if random.one_in(20) && !table.rows.values().any(is_long) {
        table.is_indexed = !table.is_indexed;
        return match table.is_indexed {
            true => tx.create_index(name, "by_text", &["text"]),
            false => tx.drop_index(name, "by_text"),
        };
    }
    let id = random.below(60);
    let Some(row) = table.rows.get(&id) else {
        let row: Vec<Value> = (0..table.columns.len())
            .map(|place| random_value(random, table, place))
            .collect();
        let cells = table.columns.iter().zip(&row);
        let cells = cells.map(|(column, value)| (column.name.as_str(), value.clone()));
        let cells: Vec<_> = cells.chain([("id", id.into())]).collect();
        tx.insert(name, &cells)?;
        table.rows.insert(id, row);
        return Ok(());
    };
    if random.one_in(2) {
        let mut row = row.clone();
        let place = usize::try_from(random.below(row.len() as u64)).unwrap();
        row[place] = random_value(random, table, place);
        let cell = (table.columns[place].name.as_str(), row[place].clone());
        tx.update(name, &[id.into()], &[cell])?;
        table.rows.insert(id, row);
    } else {
        table.rows.remove(&id);
        tx.delete(name, &[id.into()])?;
    }
    Ok(())
}

fn random_value(random: &mut Random, table: &Table, place: usize) -> Value {
    let column = &table.columns[place];
    if column.nullable && random.one_in(5) {
        return Value::Null;
    }
    let number = random.below(128);
    match column.column_type {
        ColumnType::String => {
            let length = if random.one_in(30) && !table.is_indexed {
                40_000
            } else {
                random.below(80)
            };
            Value::from("abcdefgh".repeat(usize::try_from(length / 8 + 1).unwrap()))
        }
        ColumnType::F32 => Value::F32(0.5),
        // A narrower number that is as wide as it has become.
        wider => {
            let number = u8::try_from(number).unwrap();
            let narrow = match Value::U8(number).widened(wider) {
                Some(number) => return number,
                None => Value::F32(f32::from(number)),
            };
            narrow.widened(wider).unwrap()
        }
    }
}

/// Changes the columns of a table behind its key, or their names, or its own.
fn change_columns(
    random: &mut Random,
    tx: &mut Transaction<'_>,
    name: &str,
    model: &mut Model,
) -> Result<(), Error> {
    let table = model.get_mut(name).unwrap();
    // The first one is the text that the index is over: it stays.
    let place = usize::try_from(random.below(table.columns.len() as u64)).unwrap();
    let later = (place > 0).then_some(place);
    match (random.below(6), later) {
        (0 | 1, _) => {
            let column_type = [
                ColumnType::U8,
                ColumnType::F32,
                ColumnType::String,
                ColumnType::I16,
            ][usize::try_from(random.below(4)).unwrap()];
            let column = Column {
                name: format!("column {}", random.below(9)),
                column_type,
                nullable: random.one_in(2),
            };
            if table.columns.iter().any(|other| other.name == column.name) {
                return Ok(());
            }
            table.columns.push(column.clone());
            let place = table.columns.len() - 1;
            let mut default = random_value(random, table, place);
            if let Value::String(text) = &mut default {
                text.truncate(schema::DEFAULT_BYTES_MAX);
            }
            let mut new = NewColumn::new(&column.name, column_type);
            if column.nullable {
                new = new.nullable();
            }
            if !default.is_null() {
                new = new.default(default.clone());
            }
            tx.add_column(name, new)?;
            let rows = table.rows.values_mut();
            rows.for_each(|row| row.push(default.clone()));
        }
        (2, Some(place)) => {
            tx.drop_column(name, &table.columns.remove(place).name)?;
            let rows = table.rows.values_mut();
            rows.for_each(|row| drop(row.remove(place)));
        }
        (3, Some(place)) => {
            let column = &mut table.columns[place];
            let wider = ColumnType::ALL
                .into_iter()
                .filter(|wider| column.column_type.widens_to(*wider));
            let wider: Vec<ColumnType> = wider.collect();
            let Some(wider) = wider.get(usize::try_from(random.below(4)).unwrap()) else {
                return Ok(());
            };
            column.column_type = *wider;
            tx.widen_column(name, &column.name, *wider)?;
            let rows = table.rows.values_mut();
            rows.for_each(|row| row[place] = row[place].widened(*wider).unwrap());
        }
        (4, Some(place)) => {
            let column = &mut table.columns[place];
            let has_nulls = table.rows.values().any(|row| row[place].is_null());
            if !column.nullable {
                tx.drop_not_null(name, &column.name)?;
                column.nullable = true;
            } else if !has_nulls {
                tx.set_not_null(name, &column.name)?;
                column.nullable = false;
            }
        }
        (5, _) => {
            let other = format!("table {}", random.below(6));
            if !model.contains_key(&other) {
                tx.rename_table(name, &other)?;
                let table = model.remove(name).unwrap();
                model.insert(other, table);
            }
        }
        _ => {}
    }
    Ok(())
}
