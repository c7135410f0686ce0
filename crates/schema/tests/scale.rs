//! A change costs what it changes: the work is counted in pages looked at and pages written, not in time.
#![allow(clippy::unwrap_used)]

#[path = "support/database.rs"]
mod database;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use database::{Database, ID};
use schema::{NewTable, State, WriteTransaction};
use table::{ColumnType, Page, PageBytes, PageMoment, PageNumber, Store, Value};

/// A page of a snapshot that counts each look at it.
struct CountedPage {
    page: Page,
    looks: Arc<AtomicU64>,
}

impl PageBytes for CountedPage {
    fn page_bytes(&self) -> &[u8] {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.page.bytes().unwrap().as_bytes()
    }
}

/// The same state with pages that count; a page counts until it is written.
fn counted(state: &State) -> (State, Arc<AtomicU64>) {
    let looks = Arc::new(AtomicU64::new(0));
    let pages = state.store().pages().iter().map(|(number, page)| {
        let counted = CountedPage {
            page: page.to_page().unwrap(),
            looks: Arc::clone(&looks),
        };
        let checksum = page.bytes().unwrap().checksum();
        (number, Page::borrowed(Arc::new(counted), checksum))
    });
    let heads: Vec<Vec<u8>> = state.store().heads().map(|(_, head)| head).collect();
    let store =
        Store::restore(State::hash_key(ID), pages, heads.iter().map(Vec::as_slice)).unwrap();
    (State::from_store(ID, store).unwrap(), looks)
}

fn table(number: usize) -> NewTable {
    let columns = (1..20).fold(
        NewTable::new(&format!("table {number}")),
        |table, column| table.nullable(&format!("column {column}"), ColumnType::I64),
    );
    columns
        .column("id", ColumnType::U64)
        .primary_key(&["id"])
        .auto_increment("id")
        .index("first", &["column 1"])
}

/// What one transaction costs: looks at pages that it does not write, and pages that it writes.
fn cost(database: &Database, run: impl FnOnce(&mut WriteTransaction)) -> (u64, usize) {
    let (state, looks) = counted(&database.state);
    let mut transaction = WriteTransaction::new(&state).unwrap();
    run(&mut transaction);
    let bytes = transaction.finish().unwrap().unwrap();
    let moment = state.store().pages().moment();
    looks.store(0, Ordering::Relaxed);
    let checked = state.check(&bytes).unwrap();
    let looks = looks.load(Ordering::Relaxed);
    (looks, written_after(&moment, checked.state()))
}

/// How many pages of a state were written after a moment.
fn written_after(moment: &PageMoment, state: &State) -> usize {
    let pages = state.store().pages();
    let changed = pages.changed_after(moment).unwrap();
    let written = changed.filter_map(|numbers| {
        let first = PageNumber::new(*numbers.start())?;
        let from = pages.iter_from(first).map(|(number, _)| number.get());
        Some(from.take_while(|number| numbers.contains(number)).count())
    });
    written.sum()
}

#[test]
fn a_change_costs_the_same_beside_few_tables_and_beside_many() {
    let mut database = Database::new();
    let mut costs = Vec::new();
    for count in [100, 200, 400, 800] {
        for number in database.log.len() - 1..count {
            database
                .write(|tx| tx.create_table(&table(number)))
                .unwrap();
        }
        let rows = [("table 7", Value::I64(1)), ("table 8", Value::I64(2))];
        let created = cost(&database, |tx| {
            tx.create_table(&table(count)).unwrap();
        });
        let dropped = cost(&database, |tx| tx.drop_table("table 50").unwrap());
        let indexed = cost(&database, |tx| {
            tx.create_index("table 51", "second", &["column 2"], false)
                .unwrap();
        });
        let renamed = cost(&database, |tx| {
            tx.rename_table("table 52", "other").unwrap()
        });
        let inserted = cost(&database, |tx| {
            for (table, value) in rows {
                tx.insert(table, &[("column 3", value)]).unwrap();
            }
        });
        eprintln!(
            "{count} tables: create {created:?} drop {dropped:?} index {indexed:?} rename {renamed:?} insert {inserted:?}"
        );
        costs.push([created, dropped, indexed, renamed, inserted]);
    }
    // Eight times the tables make some trees one node higher, no more.
    for (few, many) in costs[0].iter().zip(&costs[3]) {
        assert!(
            many.0 <= few.0 * 3 / 2 + 8,
            "looks at pages grew from {} to {}",
            few.0,
            many.0
        );
        assert!(
            many.1 <= few.1 + 8,
            "pages written grew from {} to {}",
            few.1,
            many.1
        );
    }
    database.verify();
}

#[test]
fn replaying_a_schema_writes_pages_in_proportion() {
    let mut database = Database::new();
    for number in 0..800 {
        database
            .write(|tx| tx.create_table(&table(number)))
            .unwrap();
    }
    let mut state = State::empty(ID);
    let mut written = 0;
    let mut at = Vec::new();
    for (number, transaction) in database.log.iter().enumerate() {
        let moment = state.store().pages().moment();
        state.replay(transaction).unwrap();
        written += written_after(&moment, &state);
        if [100, 200, 400, 800].contains(&number) {
            at.push(written);
        }
    }
    eprintln!("pages written while replaying 100, 200, 400, 800 tables: {at:?}");
    for pair in at.windows(2) {
        assert!(pair[1] * 10 <= pair[0] * 23, "{at:?}");
    }
    assert_eq!(state.digest().unwrap(), database.state.digest().unwrap());
}
