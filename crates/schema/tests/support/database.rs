//! A database without files for tests: a state, and the log that made it.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use schema::{Error, NewTable, State, WriteTransaction};
use table::{ColumnType, Value};

/// The id of every test's database.
pub const ID: [u8; 16] = [7; 16];

/// A state and the transactions that made it, the genesis first.
#[derive(Debug, Clone)]
pub struct Database {
    pub state: State,
    pub log: Vec<Vec<u8>>,
}

impl Database {
    /// A database with nothing but the system tables.
    pub fn new() -> Database {
        let genesis = WriteTransaction::genesis(ID)
            .unwrap()
            .finish()
            .unwrap()
            .unwrap();
        Database::open(vec![genesis])
    }

    /// The database that a log makes.
    pub fn open(log: Vec<Vec<u8>>) -> Database {
        let mut state = State::empty(ID);
        for transaction in &log {
            state.replay(transaction).unwrap();
        }
        Database { state, log }
    }

    /// Runs one transaction and applies it, or nothing of it.
    pub fn write<T>(
        &mut self,
        run: impl FnOnce(&mut WriteTransaction) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut transaction = WriteTransaction::new(&self.state)?;
        let result = run(&mut transaction)?;
        if let Some(bytes) = transaction.finish()? {
            let checked = self.state.check(&bytes)?;
            self.state.apply(checked);
            self.log.push(bytes);
        }
        Ok(result)
    }

    /// Whether the state is what its log makes, what its rows say, and sound to the last page.
    pub fn verify(&self) {
        let replayed = Database::open(self.log.clone()).state;
        assert!(replayed.catalog() == self.state.catalog());
        assert_eq!(replayed.digest().unwrap(), self.state.digest().unwrap());
        self.state.store().check().unwrap();
        let restored = State::from_store(ID, self.state.store().clone()).unwrap();
        assert!(restored.catalog() == self.state.catalog());
        assert_eq!(restored.digest().unwrap(), self.state.digest().unwrap());
        assert_eq!(restored.marks(), self.state.marks());
    }

    /// All rows of a table, sorted.
    pub fn rows(&self, table: &str) -> Vec<Vec<Value>> {
        rows(&self.state, table)
    }
}

/// All rows of a table, sorted.
pub fn rows(state: &State, table: &str) -> Vec<Vec<Value>> {
    let table = state.table(table).unwrap();
    let mut rows: Vec<Vec<Value>> = table
        .scan()
        .map(|row| row.unwrap().values().unwrap())
        .collect();
    rows.sort();
    rows
}

/// A table with a key, an index, a default and a column that counts.
pub fn planes() -> NewTable {
    NewTable::new("planes")
        .column("id", ColumnType::U32)
        .column("tailnum", ColumnType::String)
        .nullable("year", ColumnType::I32)
        .column_with(schema::NewColumn::new("seats", ColumnType::U16).default(100u16))
        .primary_key(&["id"])
        .unique(&["tailnum"])
        .index("by_year", &["year"])
        .auto_increment("id")
}
