//! Foreign keys: looked at when a transaction ends, and only then.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;
#[path = "support/random.rs"]
mod random;
#[path = "support/raw.rs"]
mod raw;
#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;

use database::Database;
use random::Random;
use raw::{Raw, RawTable, RawUpdate};
use schema::{Declaration, Error, LiveState, NewTable, WriteTransaction};
use seeds::for_each_seed;
use table::{ColumnType, Value};

fn text(value: &str) -> Value {
    Value::from(value)
}

/// Airlines, and planes of them; the first may be null.
fn tables() -> [NewTable; 2] {
    let airlines = NewTable::new("airlines")
        .column("carrier", ColumnType::String)
        .column("number", ColumnType::U32)
        .primary_key(&["carrier"])
        .unique(&["number"]);
    let planes = NewTable::new("planes")
        .column("id", ColumnType::U32)
        .nullable("airline", ColumnType::String)
        .primary_key(&["id"])
        .foreign_key(&["airline"], "airlines", &["carrier"]);
    [airlines, planes]
}

fn airline(tx: &mut WriteTransaction, carrier: &str, number: u32) -> Result<(), Error> {
    let row = vec![text(carrier), Value::U32(number)];
    tx.insert_row("airlines", row).map(drop)
}

fn plane(tx: &mut WriteTransaction, id: u32, airline: Option<&str>) -> Result<(), Error> {
    let row = vec![Value::U32(id), Value::from(airline)];
    tx.insert_row("planes", row).map(drop)
}

/// Airlines UA and DL, planes 1 of UA and 2 of none.
fn fleet() -> Database {
    let mut database = Database::new();
    database
        .write(|tx| {
            for table in tables() {
                tx.create_table(&table)?;
            }
            plane(tx, 1, Some("UA"))?;
            plane(tx, 2, None)?;
            airline(tx, "UA", 1)?;
            airline(tx, "DL", 2)
        })
        .unwrap();
    database
}

#[test]
fn what_leaves_a_row_that_names_nothing_is_refused_when_the_transaction_ends() {
    type Change = fn(&mut WriteTransaction) -> Result<(), Error>;
    let violation = |key: &str| {
        format!(
            r#"1 rows of table "planes" name no row of "airlines", as "foreign_airline" demands, the first: (airline = {key})"#
        )
    };
    let cases: [(&str, Change, Option<String>); 12] = [
        (
            "a row of nothing",
            |tx| plane(tx, 3, Some("AA")),
            Some(violation("AA")),
        ),
        ("a row of null", |tx| plane(tx, 3, None), None),
        ("a row of something", |tx| plane(tx, 3, Some("DL")), None),
        (
            "an update to nothing",
            |tx| {
                tx.update("planes", &[Value::U32(2)], &[("airline", text("AA"))])
                    .map(drop)
            },
            Some(violation("AA")),
        ),
        (
            "an update of another column",
            |tx| {
                tx.update("planes", &[Value::U32(1)], &[("id", Value::U32(9))])
                    .map(drop)
            },
            None,
        ),
        (
            "what is named goes",
            |tx| tx.delete("airlines", &[text("UA")]),
            Some(violation("UA")),
        ),
        (
            "what is not named goes",
            |tx| tx.delete("airlines", &[text("DL")]),
            None,
        ),
        (
            "what is named goes and comes",
            |tx| {
                tx.delete("airlines", &[text("UA")])?;
                tx.create_table(&NewTable::new("between").column("x", ColumnType::I8))?;
                airline(tx, "UA", 7)
            },
            None,
        ),
        (
            "both go",
            |tx| {
                tx.delete("airlines", &[text("UA")])?;
                tx.delete("planes", &[Value::U32(1)])
            },
            None,
        ),
        (
            "what is named gets another name",
            |tx| {
                tx.update("airlines", &[text("UA")], &[("carrier", text("AA"))])
                    .map(drop)
            },
            Some(violation("UA")),
        ),
        (
            "what is named gets another number",
            |tx| {
                tx.update("airlines", &[text("UA")], &[("number", Value::U32(5))])
                    .map(drop)
            },
            None,
        ),
        (
            "both get another name",
            |tx| {
                tx.update("airlines", &[text("UA")], &[("carrier", text("AA"))])?;
                tx.update("planes", &[Value::U32(1)], &[("airline", text("AA"))])
                    .map(drop)
            },
            None,
        ),
    ];
    for (name, change, expected) in cases {
        let mut database = fleet();
        let result = database.write(change);
        let message = result.err().map(|error| error.to_string());
        assert_eq!(message, expected, "{name}");
        database.verify();
    }
}

#[test]
fn a_definition_that_something_refers_to_stays() {
    type Change = fn(&mut WriteTransaction) -> Result<(), Error>;
    let gone = r#"foreign key "foreign_airline" of table "planes" refers to a table that is gone: drop it, or give both the same types"#;
    let unfit = r#"foreign key "foreign_airline" of table "planes" refers to columns of "airlines" that are not unique or of other types: drop it, or give both the same types"#;
    let cases: [(Change, Option<&str>); 7] = [
        (|tx| tx.drop_table("airlines"), Some(gone)),
        (|tx| tx.drop_table("planes"), None),
        (
            |tx| {
                tx.drop_table("airlines")?;
                tx.drop_table("planes")
            },
            None,
        ),
        (
            |tx| tx.drop_constraint("airlines", "primary_key"),
            Some(unfit),
        ),
        (|tx| tx.drop_constraint("airlines", "unique_number"), None),
        (
            |tx| {
                tx.drop_constraint("airlines", "primary_key")?;
                tx.drop_constraint("planes", "foreign_airline")
            },
            None,
        ),
        (
            |tx| {
                tx.rename_table("airlines", "carriers")?;
                tx.rename_column("carriers", "carrier", "code")
            },
            None,
        ),
    ];
    for (place, (change, expected)) in cases.into_iter().enumerate() {
        let mut database = fleet();
        let result = database.write(change);
        let message = result.err().map(|error| error.to_string());
        assert_eq!(message.as_deref(), expected, "{place}");
        database.verify();
    }
    let mut database = fleet();
    for (result, expected) in [
        (
            database.write(|tx| tx.drop_column("planes", "airline")),
            r#"column "airline" of table "planes" is in constraint "foreign_airline": drop that first"#,
        ),
        (
            database.write(|tx| tx.drop_index("planes", "foreign_airline")),
            r#"index "foreign_airline" of table "planes" keeps constraint "foreign_airline""#,
        ),
    ] {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_foreign_key_is_added_to_rows_that_name_something() {
    let mut database = fleet();
    database
        .write(|tx| tx.drop_constraint("planes", "foreign_airline"))
        .unwrap();
    database
        .write(|tx| {
            for id in 10..18 {
                plane(tx, id, Some(&format!("X{id}")))?;
            }
            Ok(())
        })
        .unwrap();
    let add = |tx: &mut WriteTransaction| {
        tx.add_foreign_key("planes", &["airline"], "airlines", &["carrier"])
    };
    let Err(Error::ForeignKeyViolation(violation)) = database.write(add) else {
        panic!("it was added");
    };
    assert_eq!(violation.count, 8);
    let first = ["X10", "X11", "X12", "X13", "X14"].map(|key| vec![text(key)]);
    assert_eq!(violation.first, first);
    database
        .write(|tx| {
            add(tx)?;
            for id in 10..18 {
                tx.update("planes", &[Value::U32(id)], &[("airline", text("DL"))])?;
            }
            Ok(())
        })
        .unwrap();
    database.verify();

    let cases: [(&[&str], &str, &[&str], &str); 6] = [
        (
            &["airline"],
            "st_table",
            &["table_name"],
            r#""st_table" is a system table: it is changed by changing definitions"#,
        ),
        (
            &["airline"],
            "airlines",
            &["number"],
            r#"the columns of table "planes" are (string), those of "airlines" are (u32)"#,
        ),
        (
            &["airline"],
            "airlines",
            &["carrier", "number"],
            r#"no primary key, unique constraint or unique index of table "airlines" is over (carrier, number)"#,
        ),
        (
            &["airlin"],
            "airlines",
            &["carrier"],
            r#"table "planes" has no column "airlin"; did you mean "airline"?"#,
        ),
        (
            &["airline"],
            "airline",
            &["carrier"],
            r#"there is no table "airline"; did you mean "airlines"?"#,
        ),
        (
            &["airline"],
            "airlines",
            &["carrier"],
            r#"table "planes" breaks the rules: two index definitions are named "foreign_airline"; two constraint definitions are named "foreign_airline""#,
        ),
    ];
    for (columns, target, target_columns, expected) in cases {
        let result =
            database.write(|tx| tx.add_foreign_key("planes", columns, target, target_columns));
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_table_may_refer_to_itself_and_two_to_each_other() {
    let mut database = Database::new();
    let person = NewTable::new("person")
        .column("id", ColumnType::U32)
        .nullable("boss", ColumnType::U32)
        .nullable("team", ColumnType::U32)
        .primary_key(&["id"])
        .foreign_key(&["boss"], "person", &["id"]);
    let team = NewTable::new("team")
        .column("id", ColumnType::U32)
        .column("head", ColumnType::U32)
        .primary_key(&["id"])
        .foreign_key(&["head"], "person", &["id"]);
    let numbers = |numbers: &[u32]| numbers.iter().map(|&number| Value::U32(number)).collect();
    database
        .write(|tx| {
            tx.create_table(&person)?;
            tx.create_table(&team)?;
            tx.add_foreign_key("person", &["team"], "team", &["id"])?;
            tx.insert_row("team", numbers(&[7, 1]))?;
            tx.insert_row("person", numbers(&[1, 1, 7]))?;
            tx.insert_row("person", numbers(&[2, 1, 7])).map(drop)
        })
        .unwrap();
    let result = database.write(|tx| tx.delete("person", &[Value::U32(1)]));
    assert!(
        matches!(result, Err(Error::ForeignKeyViolation(_))),
        "{result:?}"
    );
    // A table that cannot be made leaves nothing of itself.
    let result = database.write(|tx| {
        let broken = NewTable::new("broken")
            .column("x", ColumnType::I8)
            .foreign_key(&["x"], "person", &["id"]);
        let result = tx.create_table(&broken);
        assert!(
            matches!(result, Err(Error::ForeignKeyTypes { .. })),
            "{result:?}"
        );
        assert!(tx.table("broken").is_err());
        tx.delete("person", &[Value::U32(2)])
    });
    result.unwrap();
    database
        .write(|tx| {
            tx.delete("person", &[Value::U32(1)])?;
            tx.delete("team", &[Value::U32(7)])
        })
        .unwrap();
    database
        .write(|tx| {
            tx.drop_table("team")?;
            tx.drop_table("person")
        })
        .unwrap();
    database.verify();
}

#[test]
fn both_sides_are_widened_in_one_transaction() {
    let mut database = Database::new();
    let parent = NewTable::new("parent")
        .column("id", ColumnType::U16)
        .primary_key(&["id"]);
    let child = NewTable::new("child")
        .column("parent", ColumnType::U16)
        .foreign_key(&["parent"], "parent", &["id"]);
    database
        .write(|tx| {
            tx.create_table(&parent)?;
            tx.create_table(&child)?;
            tx.insert_row("parent", vec![Value::U16(1)])?;
            tx.insert_row("child", vec![Value::U16(1)]).map(drop)
        })
        .unwrap();
    for table in [("parent", "id"), ("child", "parent")] {
        let result = database.write(|tx| tx.widen_column(table.0, table.1, ColumnType::U64));
        assert!(
            matches!(result, Err(Error::ForeignKeyTarget { .. })),
            "{result:?}"
        );
    }
    for (parent, is_there) in [(2, true), (3, false)] {
        let mut copy = database.clone();
        let result = copy.write(|tx| {
            tx.insert_row("child", vec![Value::U16(parent)])?;
            tx.widen_column("child", "parent", ColumnType::U64)?;
            tx.insert_row("child", vec![Value::U64(1)])?;
            tx.insert_row("parent", vec![Value::U16(2)])?;
            tx.delete("parent", &[Value::U16(1)])?;
            tx.widen_column("parent", "id", ColumnType::U64)?;
            tx.insert_row("parent", vec![Value::U64(1)]).map(drop)
        });
        assert_eq!(result.is_ok(), is_there, "{result:?}");
        copy.verify();
    }
}

#[test]
fn what_is_named_may_not_go_by_an_update_of_the_same_group() {
    let mut database = Database::new();
    let node = NewTable::new("node")
        .column("id", ColumnType::U32)
        .column("code", ColumnType::U32)
        .column("next", ColumnType::U32)
        .primary_key(&["id"])
        .unique(&["code"])
        .foreign_key(&["next"], "node", &["code"]);
    database
        .write(|tx| {
            tx.create_table(&node)?;
            tx.insert_row("node", [1, 1, 1].map(Value::U32).to_vec())?;
            tx.insert_row("node", [2, 2, 1].map(Value::U32).to_vec())
                .map(drop)
        })
        .unwrap();
    let node = RawTable::of(&database.state, "node");
    for (code, is_fine) in [(2, true), (3, false)] {
        let rows: [RawUpdate<'_>; 2] = [
            (&[Value::U32(1)], &[(2, Value::U32(2))]),
            (
                &[Value::U32(2)],
                &[(1, Value::U32(code)), (2, Value::U32(code))],
            ),
        ];
        let bytes = Raw::with_marks(1, 2).update_all(&node, &rows).finish();
        let mut tx = WriteTransaction::new(&database.state).unwrap();
        for (key, cells) in rows {
            let names = ["id", "code", "next"];
            let cells = cells.iter();
            let cells: Vec<_> = cells
                .map(|(column, value)| (names[*column], value.clone()))
                .collect();
            tx.update("node", key, &cells).unwrap();
        }
        let live = tx.finish().unwrap().unwrap();
        for bytes in [bytes, live] {
            let result = database.state.check(&bytes);
            assert_eq!(result.is_ok(), is_fine, "{:?}", result.err());
        }
    }
}

/// Only columns by which rows are named or name others are looked at when a row is updated.
#[test]
fn what_a_row_of_another_table_names_may_not_go_by_an_update() {
    let mut database = fleet();
    let seats = NewTable::new("seats")
        .column("id", ColumnType::U32)
        .column("number", ColumnType::U32)
        .primary_key(&["id"])
        .foreign_key(&["number"], "airlines", &["number"]);
    database
        .write(|tx| {
            tx.create_table(&seats)?;
            tx.insert_row("seats", vec![Value::U32(1), Value::U32(2)])
                .map(drop)
        })
        .unwrap();
    let airlines = RawTable::of(&database.state, "airlines");
    for (carrier, is_fine) in [("UA", true), ("DL", false)] {
        let rows: [RawUpdate<'_>; 1] = [(&[text(carrier)], &[(1, Value::U32(3))])];
        let bytes = Raw::with_marks(1, 2).update_all(&airlines, &rows).finish();
        let result = database.state.check(&bytes);
        assert_eq!(result.is_ok(), is_fine, "{:?}", result.err());
    }
}

/// What names a row, what it names in its own table, and what in the other one.
type Named = [Option<u32>; 3];

/// Two tables that name each other and themselves, without a primary key or with one; what is named is that key or another one.
fn history(seed: u64) {
    let mut random = Random(seed);
    let mut database = Database::new();
    let (keyed, by_code) = (random.one_in(2), random.one_in(2));
    let named = if by_code { "code" } else { "id" };
    let table = |name: &str| {
        let table = NewTable::new(name)
            .column("id", ColumnType::U32)
            .nullable("code", ColumnType::U32)
            .nullable("own", ColumnType::U32)
            .nullable("other", ColumnType::U32)
            .unique(&["id"])
            .unique(&["code"]);
        if keyed {
            table.primary_key(&["id"])
        } else {
            table
        }
    };
    database
        .write(|tx| {
            for name in ["a", "b"] {
                tx.create_table(&table(name))?;
            }
            for (name, other) in [("a", "b"), ("b", "a")] {
                tx.add_foreign_key(name, &["own"], name, &[named])?;
                tx.add_foreign_key(name, &["other"], other, &[named])?;
            }
            Ok(())
        })
        .unwrap();
    let mut live = LiveState::new(database.state.clone());
    let names = ["a", "b"];
    let mut model: [BTreeMap<u32, Named>; 2] = Default::default();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..120 {
        let mut after = model.clone();
        let mut tx = WriteTransaction::new(&database.state).unwrap();
        for _ in 0..1 + random.below(6) {
            let side = random.below(2);
            let mut number = |below: usize| {
                let number = u32::try_from(random.below(below)).unwrap();
                (number < 8).then_some(number)
            };
            let id = number(8).unwrap();
            let cells: Named = [number(10), number(24), number(24)];
            let changes = [
                ("code", Value::from(cells[0])),
                ("own", Value::from(cells[1])),
                ("other", Value::from(cells[2])),
            ];
            let taken = cells[0].is_some()
                && after[side]
                    .iter()
                    .any(|(other, row)| *other != id && row[0] == cells[0]);
            let place = |tx: &WriteTransaction, id: u32| {
                let table = tx.table(names[side]).unwrap();
                let mut rows = table.scan().map(|row| row.unwrap());
                let found = rows.find(|row| row.value(0).unwrap() == Value::U32(id));
                found.map(|row| row.row_id())
            };
            match place(&tx, id) {
                Some(at) if random.one_in(2) => {
                    tx.delete_row(names[side], at).unwrap();
                    after[side].remove(&id);
                }
                _ if taken => {}
                None => {
                    let id = [("id", Value::U32(id))];
                    tx.insert(names[side], &[&id[..], &changes].concat())
                        .unwrap();
                    let Value::U32(id) = id[0].1 else { panic!() };
                    after[side].insert(id, cells);
                }
                Some(at) => {
                    tx.update_row(names[side], at, &changes).unwrap();
                    after[side].insert(id, cells);
                }
            }
            if random.one_in(6) {
                let name = format!("column{}", random.below(1_000_000));
                tx.rename_column(names[side], "other", &name).unwrap();
                tx.rename_column(names[side], &name, "other").unwrap();
            }
        }
        let is_there = |side: usize, name: Option<u32>| {
            let Some(name) = name else { return true };
            let mut rows = after[side].iter();
            rows.any(|(id, row)| {
                if by_code {
                    row[0] == Some(name)
                } else {
                    *id == name
                }
            })
        };
        let holds = (0..2).all(|side| {
            let mut rows = after[side].values();
            rows.all(|row| is_there(side, row[1]) && is_there(1 - side, row[2]))
        });
        let Some(bytes) = tx.finish().unwrap() else {
            continue;
        };
        let (checked, tried) = (database.state.check(&bytes), live.check(&bytes));
        assert_eq!(checked.is_ok(), holds, "{:?}", checked.err());
        assert_eq!(tried.is_ok(), holds, "{:?}", tried.err());
        if let (Ok(checked), Ok(tried)) = (checked, tried) {
            database.state.apply(checked);
            drop(live.apply(&bytes, tried));
            database.log.push(bytes);
            model = after;
            accepted += 1;
        } else {
            refused += 1;
        }
    }
    assert!(accepted > 10 && refused > 10, "{accepted} {refused}");
    database.verify();
}

#[test]
fn a_transaction_is_accepted_when_every_row_names_something() {
    for_each_seed("foreign_keys", 24, history);
}

#[test]
fn the_same_columns_may_refer_to_several_tables() {
    let target = |name: &str| {
        NewTable::new(name)
            .column("id", ColumnType::I32)
            .column("code", ColumnType::I32)
            .primary_key(&["id"])
            .unique(&["code"])
    };
    let of = |name: &str| {
        let table = NewTable::new(name).nullable("a", ColumnType::I32);
        let to = |table: NewTable, target: &str, column: &str| {
            table.foreign_key(&["a"], target, &[column])
        };
        to(to(to(table, "x", "id"), "y", "id"), "y", "code")
    };
    let mut database = Database::new();
    database
        .write(|tx| {
            tx.create_table(&target("x"))?;
            tx.create_table(&target("y"))?;
            tx.create_table(&of("t"))?;
            tx.create_table(&NewTable::new("u").nullable("a", ColumnType::I32))
        })
        .unwrap();
    let wanted = Declaration::new()
        .table(of("t"))
        .table(of("u"))
        .table(of("v").foreign_key(&["a"], "x", &["id"]));
    let plan = database.write(|tx| tx.migrate(&wanted)).unwrap();
    assert_eq!(
        plan.to_string(),
        "create table v of 1 columns\n\
         add foreign key (a) to u, to x (id)\n\
         add foreign key (a) to u, to y (id)\n\
         add foreign key (a) to u, to y (code)\n\
         add foreign key (a) to v, to x (id)\n\
         add foreign key (a) to v, to y (id)\n\
         add foreign key (a) to v, to y (code)"
    );
    assert!(database.state.plan_migration(&wanted).unwrap().is_empty());
    database.verify();

    for table in ["t", "u", "v"] {
        let names = ["foreign_a", "foreign_a_2", "foreign_a_3"];
        let definition = database.state.definition(table).unwrap();
        let constraints = definition.constraints().iter();
        assert!(constraints.map(|it| it.name.as_str()).eq(names), "{table}");
        for (target, column) in [("x", "id"), ("y", "id"), ("y", "code")] {
            let add =
                |tx: &mut WriteTransaction| tx.add_foreign_key(table, &["a"], target, &[column]);
            let again = database.write(add).unwrap_err();
            assert!(again.to_string().contains("are named"), "{again}");
        }
    }
    // Each is looked at.
    let row = |tx: &mut WriteTransaction, target: &str, id: i32, code: i32| {
        let row = vec![Value::I32(id), Value::I32(code)];
        tx.insert_row(target, row).map(drop)
    };
    let names = |tx: &mut WriteTransaction| tx.insert_row("t", vec![Value::I32(1)]).map(drop);
    for (to_x, to_y, code, expected) in [
        (false, true, 1, Some("foreign_a")),
        (true, false, 1, Some("foreign_a_2")),
        (true, true, 2, Some("foreign_a_3")),
        (true, true, 1, None),
    ] {
        let mut database = database.clone();
        let result = database.write(|tx| {
            names(tx)?;
            if to_x {
                row(tx, "x", 1, 7)?;
            }
            row(tx, "y", if to_y { 1 } else { 2 }, code)
        });
        let violated = match result {
            Err(Error::ForeignKeyViolation(violation)) => Some(violation.constraint.clone()),
            other => other.map(|()| None).unwrap(),
        };
        assert_eq!(violated.as_deref(), expected);
    }
    // One goes, the others stay.
    let without = NewTable::new("t")
        .nullable("a", ColumnType::I32)
        .foreign_key(&["a"], "x", &["id"])
        .foreign_key(&["a"], "y", &["code"]);
    let wanted = Declaration::new().table(without);
    let plan = database.write(|tx| tx.migrate(&wanted)).unwrap();
    assert_eq!(plan.to_string(), "drop constraint foreign_a_2 of t");
    database.verify();
}
