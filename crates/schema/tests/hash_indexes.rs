//! Hash indexes in the catalog: their kind, the mark that they raise, tables whose key is one.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/database.rs"]
mod database;

use database::{Database, planes};
use schema::NewTable;
use table::{ColumnType, Value};

fn text(value: &str) -> Value {
    Value::from(value)
}

fn hashed_planes() -> NewTable {
    NewTable::new("hashed")
        .column("id", ColumnType::U64)
        .nullable("maker", ColumnType::String)
        .hash_primary_key(&["id"])
        .hash_index("by_maker", &["maker"])
}

#[test]
fn a_hash_index_raises_the_minimum_reader_with_its_transaction_and_not_before() {
    let mut database = Database::new();
    database.write(|tx| tx.create_table(&planes())).unwrap();
    assert_eq!(database.state.marks().minimum_reader, 1);
    // What is rolled back raises nothing.
    database
        .write(|tx| {
            let savepoint = tx.savepoint();
            tx.create_hash_index("planes", "by_seats", &["seats"], false)?;
            tx.roll_back_to(&savepoint);
            tx.insert("planes", &[("tailnum", text("a"))])
        })
        .unwrap();
    assert_eq!(database.state.marks().minimum_reader, 1);
    database
        .write(|tx| tx.create_hash_index("planes", "by_seats", &["seats"], false))
        .unwrap();
    assert_eq!(database.state.marks().minimum_reader, 2);
    assert_eq!(database.rows("st_database")[0][1], Value::U16(2));
    database
        .write(|tx| tx.create_table(&hashed_planes()))
        .unwrap();
    // Once raised it stays: the log has groups that older builds do not know.
    database
        .write(|tx| {
            tx.drop_index("planes", "by_seats")?;
            tx.drop_table("hashed")
        })
        .unwrap();
    assert_eq!(database.state.marks().minimum_reader, 2);
    database.verify();
}

#[test]
fn a_table_with_a_hash_index_as_its_key_is_like_any_other() {
    let mut database = Database::new();
    let row = |id: u64, maker: &str| [("id", Value::U64(id)), ("maker", text(maker))];
    database
        .write(|tx| {
            tx.create_table(&hashed_planes())?;
            for id in 0..50 {
                tx.insert("hashed", &row(id, ["A", "B"][id as usize % 2]))?;
            }
            tx.update("hashed", &[Value::U64(3)], &[("maker", text("C"))])?;
            tx.delete("hashed", &[Value::U64(4)])
        })
        .unwrap();
    let refused = database.write(|tx| tx.insert("hashed", &row(7, "D")));
    assert_eq!(
        refused.unwrap_err().to_string(),
        r#"table "hashed" has a row with id = 7 already ("primary_key" is unique)"#
    );
    let table = database.state.table("hashed").unwrap();
    let definition = database.state.definition("hashed").unwrap();
    assert_eq!(
        definition.primary_key().unwrap().kind,
        table::IndexKind::Hash
    );
    let by_maker = definition.index("by_maker").unwrap().id;
    let count = |maker: &str| table.find_all(by_maker, &[text(maker)]).unwrap().count();
    assert_eq!(
        [count("A"), count("B"), count("C"), count("D")],
        [24, 24, 1, 0]
    );
    database.verify();

    // The digest is of the rows in the order of the key, and of the kind of the index.
    let digest = database.state.digest().unwrap();
    let mut other = Database::new();
    other
        .write(|tx| {
            tx.create_table(&hashed_planes())?;
            for id in (0..50).rev().filter(|id| *id != 4) {
                let maker = if id == 3 {
                    "C"
                } else {
                    ["A", "B"][id as usize % 2]
                };
                tx.insert("hashed", &row(id, maker))?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(other.state.digest().unwrap(), digest);
    let ordered = NewTable::new("hashed")
        .column("id", ColumnType::U64)
        .nullable("maker", ColumnType::String)
        .primary_key(&["id"])
        .hash_index("by_maker", &["maker"]);
    let (mut one, mut two) = (Database::new(), Database::new());
    one.write(|tx| tx.create_table(&ordered)).unwrap();
    two.write(|tx| tx.create_table(&hashed_planes())).unwrap();
    assert_ne!(one.state.digest().unwrap(), two.state.digest().unwrap());
}
