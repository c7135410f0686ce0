//! From the tables that are there to those that are declared: the plan, what it refuses, and what is left when it is done.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;
#[path = "support/random.rs"]
mod random;
#[path = "support/seeds.rs"]
mod seeds;

use database::Database;
use random::Random;
use schema::{Declaration, Error, NewColumn, NewSequence, NewTable, WriteTransaction};
use seeds::for_each_seed;
use table::{ColumnType, Value};

fn text(value: &str) -> Value {
    Value::from(value)
}

fn airlines() -> NewTable {
    NewTable::new("airlines")
        .column("carrier", ColumnType::String)
        .nullable("name", ColumnType::String)
        .primary_key(&["carrier"])
}

fn planes() -> NewTable {
    NewTable::new("planes")
        .column("id", ColumnType::U32)
        .column("airline", ColumnType::String)
        .nullable("year", ColumnType::I16)
        .column_with(NewColumn::new("seats", ColumnType::U16).default(100u16))
        .primary_key(&["id"])
        .auto_increment("id")
        .index("by_year", &["year"])
        .foreign_key(&["airline"], "airlines", &["carrier"])
}

/// Both tables, the one that refers to the other declared first, and a row of each.
fn fleet() -> Database {
    let mut database = Database::new();
    let wanted = Declaration::new().table(planes()).table(airlines());
    database
        .write(|tx| {
            let migration = tx.migrate(&wanted)?;
            assert_eq!(migration.steps().len(), 3);
            tx.insert("airlines", &[("carrier", text("UA"))])?;
            tx.insert("planes", &[("airline", text("UA"))]).map(drop)
        })
        .unwrap();
    assert!(plan(&database, &wanted).is_empty());
    database
}

fn plan(database: &Database, wanted: &Declaration) -> schema::Migration {
    let transaction = WriteTransaction::new(&database.state).unwrap();
    let migration = transaction.plan_migration(wanted).unwrap();
    assert_eq!(transaction.finish().unwrap(), None);
    migration
}

#[test]
fn a_plan_says_each_step_and_the_transaction_takes_them_all() {
    let mut database = fleet();
    let wanted = Declaration::new()
        .table(
            NewTable::new("aircraft")
                .column("carrier", ColumnType::String)
                .column("id", ColumnType::U64)
                .column("built", ColumnType::I32)
                .column_with(NewColumn::new("seats", ColumnType::U16).default(150u16))
                .column_with(NewColumn::new("engines", ColumnType::U8).default(2u8))
                .nullable("maker", ColumnType::String)
                .primary_key(&["id"])
                .auto_increment("id")
                .unique(&["carrier", "built"])
                .foreign_key(&["carrier"], "carriers", &["code"]),
        )
        .table(
            NewTable::new("carriers")
                .column("code", ColumnType::String)
                .primary_key(&["code"]),
        )
        .table(NewTable::new("notes").column("text", ColumnType::String))
        .renamed_table("planes", "aircraft")
        .renamed_table("airlines", "carriers")
        .renamed_column("aircraft", "airline", "carrier")
        .renamed_column("aircraft", "year", "built")
        .renamed_column("carriers", "carrier", "code")
        .dropped_column("carriers", "name")
        .dropped_table("no such table");
    let migration = plan(&database, &wanted);
    assert_eq!(
        migration.to_string(),
        "rename table planes to aircraft\n\
         rename table airlines to carriers\n\
         rename column airline of aircraft to carrier\n\
         rename column year of aircraft to built\n\
         rename column carrier of carriers to code\n\
         drop index by_year of aircraft\n\
         widen column id of aircraft from u32 to u64\n\
         widen column built of aircraft from i16 to i32\n\
         demand that column built of aircraft is not null\n\
         default column seats of aircraft to 150\n\
         add column engines u8 to aircraft, 2 in rows that are there\n\
         add column maker string to aircraft, null in rows that are there\n\
         drop column name of carriers with its values\n\
         add unique constraint unique_carrier_built (carrier, built) to aircraft\n\
         create table notes of 1 columns"
    );
    assert_eq!(
        migration.steps().iter().filter(|step| step.loses()).count(),
        1
    );

    // A row is in the way: nothing has happened.
    let before = database.state.digest().unwrap();
    let result = database.write(|tx| {
        let result = tx.migrate(&wanted);
        assert!(tx.table("planes").is_ok());
        result
    });
    assert!(
        matches!(result, Err(Error::NullsInColumn { .. })),
        "{result:?}"
    );
    assert_eq!(database.state.digest().unwrap(), before);

    database
        .write(|tx| {
            tx.update("planes", &[Value::U32(1)], &[("year", Value::I16(1999))])?;
            assert_eq!(tx.migrate(&wanted)?, migration);
            tx.insert(
                "aircraft",
                &[("carrier", text("UA")), ("built", Value::I32(5))],
            )
        })
        .unwrap();
    database.verify();
    assert_eq!(plan(&database, &wanted).to_string(), "nothing to do");
    // Columns stay where they were, new ones stand behind them.
    let row = |id, built, seats| {
        vec![
            Value::U64(id),
            text("UA"),
            Value::I32(built),
            Value::U16(seats),
            Value::U8(2),
            Value::Null,
        ]
    };
    assert_eq!(
        database.rows("aircraft"),
        [row(1, 1999, 100), row(2, 5, 150)]
    );
    assert_eq!(database.rows("carriers"), [[text("UA")]]);
}

#[test]
fn what_would_be_lost_is_refused_unless_it_is_asked_for() {
    let planes = |more: fn(NewTable) -> NewTable| {
        let table = NewTable::new("planes")
            .column("id", ColumnType::U32)
            .column("airline", ColumnType::String)
            .primary_key(&["id"]);
        Declaration::new().table(more(table))
    };
    let counting = |table: NewTable| table.auto_increment("id");
    let rest = |table: NewTable| {
        table
            .auto_increment("id")
            .nullable("year", ColumnType::I16)
            .column("seats", ColumnType::U16)
    };
    let undeclared = |column: &str| {
        format!(
            r#"column "{column}" of table "planes" is not declared: declare it, rename it, or ask for it to be dropped with its values"#
        )
    };
    let other_sequence = r#"column "id" of table "planes" counts by itself in another way than declared: ask for its sequence to be restarted"#;
    let rows: [(Declaration, Vec<String>); 7] = [
        (planes(counting), vec![undeclared("year"), undeclared("seats")]),
        (
            planes(counting)
                .dropped_column("planes", "year")
                .dropped_column("planes", "seats"),
            vec![],
        ),
        (
            planes(|table| table.nullable("year", ColumnType::I8).column("seats", ColumnType::U16).auto_increment("id")),
            vec![r#"column "year" of table "planes" is i16, which does not widen to the declared i8"#.into()],
        ),
        (
            planes(|table| {
                table
                    .nullable("year", ColumnType::I16)
                    .column("seats", ColumnType::U16)
                    .column("more", ColumnType::U16)
                    .auto_increment("id")
            }),
            vec![r#"table "planes" has rows, and the declared column "more" has no default and may not be null"#.into()],
        ),
        (
            planes(|table| {
                let sequence = NewSequence::new().step(2);
                table.nullable("year", ColumnType::I16).column("seats", ColumnType::U16).sequence("id", sequence)
            }),
            vec![other_sequence.into()],
        ),
        (
            planes(|table| table.nullable("year", ColumnType::I16).column("seats", ColumnType::U16)),
            vec![other_sequence.into()],
        ),
        (planes(rest), vec![]),
    ];
    for (place, (wanted, expected)) in rows.into_iter().enumerate() {
        let mut database = fleet();
        let migration = plan(&database, &wanted);
        let obstacles: Vec<String> = migration
            .obstacles()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(obstacles, expected, "{place}");
        let result = database.write(|tx| tx.migrate(&wanted).map(drop));
        match result {
            Ok(()) => {
                assert!(expected.is_empty(), "{place}");
                assert!(plan(&database, &wanted).is_empty(), "{place}");
            }
            Err(Error::MigrationRefused { obstacles }) => {
                assert_eq!(obstacles, migration.obstacles(), "{place}");
                assert!(!expected.is_empty());
            }
            Err(error) => panic!("{place}: {error}"),
        }
        database.verify();
    }

    let mut database = fleet();
    let restarted = planes(|table| {
        let sequence = NewSequence::new().step(10);
        table
            .nullable("year", ColumnType::I16)
            .column("seats", ColumnType::U16)
            .sequence("id", sequence)
    });
    let restarted = restarted.restarted_sequence("planes", "id");
    database.write(|tx| tx.migrate(&restarted)).unwrap();
    database
        .write(|tx| {
            let cells = [("airline", text("UA")), ("seats", Value::U16(1))];
            tx.insert("planes", &cells)
        })
        .unwrap();
    assert_eq!(database.rows("planes")[1][0], Value::U32(11));

    let mistaken = Declaration::new().table(NewTable::new("st_x"));
    let error = database.write(|tx| tx.migrate(&mistaken)).unwrap_err();
    assert!(matches!(error, Error::InvalidDefinition { .. }), "{error}");
    let emptied = Declaration::new()
        .dropped_table("planes")
        .dropped_table("airlines");
    assert_eq!(
        plan(&database, &emptied).to_string(),
        "drop table planes with its rows\ndrop table airlines with its rows"
    );
    database.write(|tx| tx.migrate(&emptied)).unwrap();
    assert_eq!(database.state.catalog().tables().count(), 6);
    database.verify();
}

/// Each is done at once, and asks for nothing when the program starts again, and again.
#[test]
fn what_a_program_kept_of_its_past_is_done_once() {
    let of = |name: &str, columns: &[&str]| {
        let columns = columns.iter();
        columns.fold(
            NewTable::new(name).column("id", ColumnType::U8),
            |table, column| table.nullable(column, ColumnType::U8),
        )
    };
    let first = Declaration::new()
        .table(
            of("a", &["x", "y"])
                .unique(&["x"])
                .foreign_key(&["y"], "b", &["id"]),
        )
        .table(of("b", &["z"]).unique(&["id"]));
    let rows: [(Declaration, &str); 4] = [
        // Every column is another one.
        (
            Declaration::new()
                .table(NewTable::new("a").nullable("new", ColumnType::I64))
                .dropped_column("a", "id")
                .dropped_column("a", "x")
                .dropped_column("a", "y"),
            "(null)",
        ),
        // Names move on in a row.
        (
            Declaration::new()
                .table(of("a", &["y", "w"]))
                .renamed_column("a", "x", "y")
                .renamed_column("a", "y", "w"),
            "(1, 2, 3)",
        ),
        // A column that once was another one, and is gone.
        (
            Declaration::new()
                .table(of("a", &["x", "y"]))
                .renamed_column("a", "x", "v")
                .dropped_column("a", "v"),
            "(1, 2, 3)",
        ),
        (
            Declaration::new()
                .table(of("c", &["x", "y"]))
                .renamed_table("b", "d")
                .renamed_table("a", "c")
                .dropped_table("d"),
            "(1, 2, 3)",
        ),
    ];
    for (place, (wanted, expected)) in rows.into_iter().enumerate() {
        let mut database = Database::new();
        database.write(|tx| tx.migrate(&first)).unwrap();
        database
            .write(|tx| {
                tx.insert_row("b", vec![Value::U8(3), Value::Null])?;
                tx.insert_row("a", [1, 2, 3].map(Value::U8).to_vec())
            })
            .unwrap();
        database.write(|tx| tx.migrate(&wanted)).unwrap();
        for _ in 0..2 {
            assert_eq!(
                plan(&database, &wanted).to_string(),
                "nothing to do",
                "{place}"
            );
            database.verify();
        }
        let name = if place == 3 { "c" } else { "a" };
        let row: Vec<String> = database.rows(name)[0]
            .iter()
            .map(Value::to_string)
            .collect();
        let row = format!("({})", row.join(", "));
        assert_eq!(row, expected, "{place}");
    }

    // A name that is used again at once is not to be told from one that was never given away.
    let mut database = Database::new();
    database.write(|tx| tx.migrate(&first)).unwrap();
    let again = Declaration::new()
        .table(of("a", &["x", "w", "y"]))
        .renamed_column("a", "x", "w");
    let error = database
        .write(|tx| tx.migrate(&again))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(r#"column "x" of table "a" can not be renamed to "w""#),
        "{error}"
    );

    // Named after columns that have other names by now: the next one of the name gets a number.
    let mut database = Database::new();
    database
        .write(|tx| {
            tx.create_table(&of("a", &["x"]).unique(&["x"]))?;
            tx.rename_column("a", "x", "w")
        })
        .unwrap();
    let wanted = Declaration::new().table(of("a", &["w", "x"]).unique(&["w"]).unique(&["x"]));
    database.write(|tx| tx.migrate(&wanted)).unwrap();
    assert_eq!(plan(&database, &wanted).to_string(), "nothing to do");
    let definition = database.state.definition("a").unwrap();
    let names: Vec<&str> = definition
        .indexes()
        .iter()
        .map(|index| index.name.as_str())
        .collect();
    assert_eq!(names, ["unique_x", "unique_x_2"]);
}

const TYPES: [ColumnType; 5] = [
    ColumnType::U8,
    ColumnType::U32,
    ColumnType::I64,
    ColumnType::F32,
    ColumnType::F64,
];

/// A table of columns `c0` to `c5`, some of them, in any order, with whatever else fits.
fn random_table(random: &mut Random, name: &str) -> NewTable {
    let mut table = NewTable::new(name).column("id", ColumnType::U32);
    let mut columns = Vec::new();
    for place in 0..6 {
        if random.one_in(3) {
            continue;
        }
        let mut column = NewColumn::new(&format!("c{place}"), *random.pick(&TYPES).unwrap());
        if random.one_in(2) {
            column = column.nullable();
        }
        columns.push(format!("c{place}"));
        table = table.column_with(column);
    }
    if random.one_in(2) {
        table = table.auto_increment("id");
    }
    table = match random.below(3) {
        0 => table.primary_key(&["id"]),
        1 => table.hash_primary_key(&["id"]),
        _ => table.unique(&["id"]),
    };
    for number in 0..2 {
        if let Some(column) = random.pick(&columns) {
            let name = format!("i{number}");
            table = match random.below(3) {
                0 => table.index(&name, &[column]),
                1 => table.hash_index(&name, &[column, "id"]),
                _ => table,
            };
        }
    }
    if random.one_in(2) {
        table = table.foreign_key(&["id"], &format!("t{}", random.below(2)), &["id"]);
    }
    table
}

fn history(seed: u64) {
    let mut random = Random(seed);
    let mut database = Database::new();
    let (mut done, mut refused) = (0, 0);
    for _ in 0..12 {
        let mut wanted = Declaration::new();
        for name in ["t0", "t1"] {
            wanted = wanted.table(random_table(&mut random, name));
            if random.one_in(8) {
                wanted = wanted.dropped_table(name);
            }
            if random.one_in(2) {
                wanted = wanted.restarted_sequence(name, "id");
            }
            for place in 0..6 {
                if !random.one_in(4) {
                    wanted = wanted.dropped_column(name, &format!("c{place}"));
                }
            }
        }
        let (before, migration) = (database.state.digest().unwrap(), plan(&database, &wanted));
        match database.write(|tx| tx.migrate(&wanted)) {
            Ok(taken) => {
                assert!(taken == migration && taken.obstacles().is_empty());
                let again = plan(&database, &wanted).to_string();
                assert_eq!(again, "nothing to do");
                // What there is, declared, is what there is.
                let is = Declaration::of(database.state.catalog());
                assert_eq!(plan(&database, &is).to_string(), "nothing to do");
                done += 1;
            }
            Err(Error::MigrationRefused { obstacles }) => {
                assert_eq!(obstacles, migration.obstacles());
                refused += 1;
            }
            // Rows that are in the way.
            Err(
                Error::NullsInColumn { .. } | Error::ForeignKeyViolation(_) | Error::NotAKey { .. },
            ) => {
                assert_eq!(database.state.digest().unwrap(), before);
            }
            Err(error) => panic!("{error}\n{migration}"),
        }
        for number in 0..random.below(4) {
            let name = format!("t{}", random.below(2));
            let Ok(definition) = database.state.definition(&name).cloned() else {
                continue;
            };
            let cells: Vec<(&str, Value)> = definition
                .columns()
                .iter()
                .filter(|column| !column.nullable)
                .map(|column| {
                    let value = u8::try_from(number + random.below(100)).unwrap();
                    let value = Value::U8(value);
                    let value = match column.column_type {
                        ColumnType::F32 => Value::F32(1.5),
                        ColumnType::F64 => Value::F64(2.5),
                        wider => value.widened(wider).unwrap(),
                    };
                    (column.name.as_str(), value)
                })
                .collect();
            // A number that is there, or names nothing, is refused.
            let _ = database.write(|tx| tx.insert(&name, &cells));
        }
        database.verify();
    }
    assert!(done > 0, "{done} {refused}");
}

#[test]
fn a_migration_leads_to_what_was_declared_or_changes_nothing() {
    for_each_seed("migrations", 24, history);
}

#[test]
fn columns_that_go_make_room_for_those_that_come() {
    let wide = |names: std::ops::Range<usize>| {
        names.fold(NewTable::new("t"), |table, place| {
            table.nullable(&format!("c{place}"), ColumnType::I8)
        })
    };
    let most = schema::COLUMNS_MAX;
    for (most, first) in [(most, 1), (most, 3), (3, 3), (1, 1)] {
        let mut database = Database::new();
        database
            .write(|tx| tx.create_table(&wide(0..most)))
            .unwrap();
        let row = vec![Value::I8(1); most];
        database.write(|tx| tx.insert_row("t", row)).unwrap();
        let declared = Declaration::new().table(wide(first..most + first));
        let wanted = (0..first).fold(declared, |wanted, place| {
            wanted.dropped_column("t", &format!("c{place}"))
        });
        let plan = database.write(|tx| tx.migrate(&wanted)).unwrap();
        assert_eq!(plan.steps().len(), 2 * first);
        let values = (first..most + first).map(|place| match place < most {
            true => Value::I8(1),
            false => Value::Null,
        });
        assert_eq!(database.rows("t"), [values.collect::<Vec<Value>>()]);
        assert!(database.state.plan_migration(&wanted).unwrap().is_empty());
        database.verify();
    }
}
