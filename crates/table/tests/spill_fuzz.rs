//! Hostile pages of tables whose rows are too long for a page: whatever they say, rows are read, changed and moved without a panic, and what is read is
//! not much more than what the pages hold.
#![allow(clippy::unwrap_used)]

#[path = "support/allocated.rs"]
mod allocated;
#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;

use allocated::within;
use rows::Random;
use seeds::seeds;
use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, PAGE_BYTES,
    Page, PageBuf, PageNumber, Store, TableId, Transaction, TransactionBuilder, Value,
    WriteTransaction,
};

const TABLE: TableId = TableId(7);
const KEY: IndexId = IndexId(1);
const STRING_COUNT: usize = 12;

/// What the store takes, copied and written to, and more.
const BYTES_MAX: usize = 4 << 20;

fn sound() -> Store {
    let mut store = Store::new([3; 32]);
    let mut columns = vec![LayoutColumn::required(ColumnType::U64)];
    columns.resize(1 + STRING_COUNT, LayoutColumn::nullable(ColumnType::String));
    let layout = Layout::new(LayoutNumber(1), columns).unwrap();
    store.create_table(TABLE, layout).unwrap();
    let spec = IndexSpec {
        id: KEY,
        columns: vec![0],
        unique: true,
        kind: IndexKind::Ordered,
    };
    store.create_index(TABLE, spec).unwrap();
    store.set_primary_key(TABLE, Some(KEY)).unwrap();
    for key in 0..24_u64 {
        store.insert(TABLE, &row(key)).unwrap();
    }
    // Holes for what comes next, and something to move together.
    for key in [3_u64, 4, 7, 8, 11] {
        let found = store.table(TABLE).unwrap().find(KEY, &[key.into()]);
        let place = found.unwrap().unwrap().row_id();
        store.delete(TABLE, place).unwrap();
    }
    store.check().unwrap();
    store
}

/// Rows with one value of pieces, of whole pages and pieces, and with many that share a spill.
fn row(key: u64) -> Vec<Value> {
    let lengths: Vec<usize> = match key % 4 {
        0 => vec![9_000],
        1 => vec![70_000, 20, 8_001],
        2 => vec![900; STRING_COUNT],
        _ => vec![20],
    };
    let mut row = vec![Value::Null; 1 + STRING_COUNT];
    row[0] = key.into();
    for (value, length) in row[1..].iter_mut().zip(lengths) {
        *value = "s".repeat(length).into();
    }
    row
}

/// Writes something where it may hurt: a field of the header, a view, a slot, an entry, or any byte.
fn spoil(random: &mut Random, page: &mut [u8], others: &[[u8; 16]]) {
    let at = match random.below(5) {
        0 => random.below(40),
        1 => 64 + random.below(40),
        2 => 80 + 16 * random.below(12),
        3 => 80 + 8 * random.below(60),
        _ => random.below(PAGE_BYTES - 16),
    };
    match random.below(6) {
        0 => page[at] ^= 1 << random.below(8),
        1 => page[at] = random.next().to_le_bytes()[0],
        2 => page[at..at + 4].fill([0, 0xff][random.below(2)]),
        // A view, or part of it, as it stands in another place.
        3 => page[at..at + 16].copy_from_slice(&others[random.below(others.len())]),
        4 => page.copy_within(at..at + 16, 80 + 16 * random.below(12)),
        _ => {
            let byte = page[at];
            page[at] = byte.wrapping_add(1);
        }
    }
}

/// Reads and changes everything; errors are as good as answers.
fn use_up(store: &Store, random: &mut Random) {
    let _ = store.check();
    let table = store.table(TABLE).unwrap();
    let _ = table.memory_use();
    let mut places = Vec::new();
    let bytes_max = 10 * PAGE_BYTES * usize::try_from(store.pages().page_count()).unwrap();
    for row in table.scan().take(100) {
        let Ok(row) = row else { continue };
        places.push(row.row_id());
        for column in 0..row.column_count() {
            if let Ok(Value::String(text)) = row.value(column) {
                assert!(text.len() <= bytes_max, "more than the pages hold");
            }
        }
    }
    for place in places {
        let mut fork = store.clone();
        let column = 1 + random.below(STRING_COUNT);
        let length = [20, 7_000, 9_000, 40_000][random.below(4)];
        let _ = fork.update(TABLE, place, &[(column, "u".repeat(length).into())]);
        let _ = store.clone().delete(TABLE, place);
    }
    let mut fork = store.clone();
    for key in 100..104 {
        let _ = fork.insert(TABLE, &row(key));
    }
    // A group, and what it moves.
    let mut transaction = WriteTransaction::new(store);
    for key in 0..24_u64 {
        let table = transaction.table(TABLE).unwrap();
        if let Ok(Some(row)) = table.find(KEY, &[key.into()]) {
            let place = row.row_id();
            let _ = transaction.delete(TABLE, place);
        }
    }
    let mut builder = TransactionBuilder::new(0);
    if transaction.flush(&mut builder).is_ok() {
        let mut fork = store.clone();
        let bytes = builder.finish();
        let transaction = Transaction::parse(&bytes).unwrap();
        let _ = transaction
            .groups()
            .try_for_each(|group| fork.apply_group(&group));
    }
    let _ = store.clone().drop_table(TABLE);
}

#[test]
fn hostile_pages_of_long_values_neither_panic_nor_cost_much() {
    let sound = sound();
    let heads: Vec<Vec<u8>> = sound.heads().map(|(_, head)| head).collect();
    let pages: Vec<(PageNumber, Vec<u8>)> = sound
        .pages()
        .iter()
        .map(|(number, page)| (number, page.bytes().unwrap().as_bytes().to_vec()))
        .collect();
    let mut others: Vec<[u8; 16]> = Vec::new();
    for (_, page) in &pages {
        others.extend((80..400).step_by(8).map(|at| {
            let bytes: [u8; 16] = page[at..at + 16].try_into().unwrap();
            bytes
        }));
    }
    for seed in seeds("spill_fuzz", 400) {
        let mut random = Random(seed);
        let mut pages = pages.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(pages.len());
            spoil(&mut random, &mut pages[at].1, &others);
        }
        let pages = pages.into_iter().map(|(number, bytes)| {
            let bytes: &[u8; PAGE_BYTES] = bytes.as_slice().try_into().unwrap();
            (number, Page::owned(PageBuf::copied_from(bytes)))
        });
        let store = Store::restore([3; 32], pages, heads.iter().map(Vec::as_slice)).unwrap();
        within(BYTES_MAX, || use_up(&store, &mut random));
    }
}
