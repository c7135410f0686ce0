//! Whole tables beside std's collections: insert, replay, find, scan, single-row transactions.
//!
//! The reference row is (u64 key, i64, f64, 32-byte string): 56 bytes. Bounds: a scan of one i64 column can not beat the sum
//! of a `Vec<i64>`; finding a row can not beat a `HashMap<u64, Vec<u8>>` of encoded rows. Each is measured in the same run and
//! the ratio printed, bound over store (1.00 is the bound itself, higher is better). A million rows, or as many as an argument says:
//! `cargo bench -p table --bench store -- 10000000`.
//!
//! Churned means that half of the rows, scattered over all pages, were deleted one by one and others inserted. Pages of the sums are
//! far apart, so their bound is the same sum where the processor can fetch ahead without a break.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, Page, PageBuf,
    PageBytes, Store, TableId, Transaction, TransactionBuilder, Value, WriteTransaction,
};

const TABLE: TableId = TableId(1);
const KEY: IndexId = IndexId(1);
const ROUNDS: usize = 5;

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let rows: u64 = if std::env::args().any(|argument| argument == "--test") {
        1_000
    } else {
        asked.unwrap_or(1_000_000)
    };
    println!(
        "{rows} rows of (u64 key, i64, f64, 32-byte string) with a primary key; median of {ROUNDS} rounds"
    );
    let bytes = transaction(&empty(), 0..rows);
    let (store, replay) = median(|| {
        let mut store = empty();
        apply(&mut store, &bytes);
        store
    });
    let (map, fill) = median(|| {
        (0..rows)
            .map(|key| (key, encoded(key)))
            .collect::<HashMap<u64, Vec<u8>>>()
    });
    line(
        "replay of one transaction",
        rows,
        replay,
        "HashMap insert",
        fill,
    );

    let keys: Vec<u64> = (0..rows)
        .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % rows)
        .collect();
    let find_all = |store: &Store| {
        let found = keys.iter().map(|&key| read(store, key));
        found.fold(0, u64::wrapping_add)
    };
    let (_, find) = median(|| find_all(&store));
    let (_, get) = median(|| {
        keys.iter()
            .map(|key| map[key].iter().map(|&byte| u64::from(byte)).sum::<u64>())
            .fold(0, u64::wrapping_add)
    });
    line("find by key, every column", rows, find, "HashMap get", get);

    let numbers: Vec<i64> = (0..rows).map(|key| key as i64).collect();
    let table = store.table(TABLE).expect("it is there");
    let (_, scan) = median(|| {
        table.scan().fold(0_i64, |sum, row| {
            match row.and_then(|row| row.value_ref(1)) {
                Ok(Some(table::ValueRef::I64(value))) => sum.wrapping_add(value),
                _ => sum,
            }
        })
    });
    let (_, sum) = median(|| black_box(&numbers).iter().sum::<i64>());
    line(
        "scan, row by row, one column",
        rows,
        scan,
        "Vec<i64> sum",
        sum,
    );

    sums(&store, "fresh", &numbers);
    sums(&churned(&store, rows), "churned", &numbers);
    // As pages of a read-only map are: elsewhere, and each verified when it is first used.
    let elsewhere = borrowed(&store);
    let start = Instant::now();
    black_box(find_all(&elsewhere));
    line(
        "find by key, borrowed, first use",
        rows,
        start.elapsed(),
        "HashMap get",
        get,
    );
    let (_, find) = median(|| find_all(&elsewhere));
    line(
        "find by key, borrowed, verified",
        rows,
        find,
        "HashMap get",
        get,
    );
    sums(&elsewhere, "borrowed", &numbers);
    drop((elsewhere, numbers));

    let singles = rows.min(20_000);
    let payloads: Vec<Vec<u8>> = (0..singles)
        .map(|key| transaction(&empty(), key..key + 1))
        .collect();
    let (_, replays) = median(|| {
        let mut store = empty();
        payloads.iter().for_each(|bytes| apply(&mut store, bytes));
        store
    });
    line(
        "replay of single-row transactions",
        singles,
        replays,
        "HashMap insert",
        fill.mul_f64(singles as f64 / rows as f64),
    );
    let new_rows: Vec<[Value; 4]> = (rows..rows + singles).map(row).collect();
    let (_, pending) = median(|| {
        let bytes = new_rows.iter().map(|row| of_one(&store, row).len());
        bytes.sum::<usize>()
    });
    let (_, encode) = median(|| {
        let bytes = (rows..rows + singles).zip(&keys).map(|(key, other)| {
            let row = encoded(key);
            row.len() + map[other].len()
        });
        bytes.sum::<usize>()
    });
    line(
        "single row up to its bytes",
        singles,
        pending,
        "encoding, HashMap get",
        encode,
    );
    // From here on nobody else holds the store: its pages are written in place.
    let mut store = store;
    let mut key = rows;
    let (_, commits) = median(|| {
        for _ in 0..singles {
            let bytes = transaction(&store, key..key + 1);
            store.begin_trial();
            apply(&mut store, &bytes);
            store.keep_trial();
            key += 1;
        }
    });
    let copied = 4 * table::PAGE_BYTES;
    let buffer = vec![1_u8; copied];
    let (_, copies) = median(|| {
        (0..singles)
            .map(|_| black_box(buffer.clone()).len())
            .sum::<usize>()
    });
    line(
        "single-row transactions",
        singles,
        commits,
        "copying 4 pages each",
        copies,
    );
    println!(
        "memory: {} pages, {:.1} B a row",
        store.pages().page_count(),
        (store.pages().page_count() * table::PAGE_BYTES as u64) as f64 / key as f64
    );
}

/// Folds over one column, beside the sum of a vector.
fn sums(store: &Store, state: &str, numbers: &[i64]) {
    let column = store.table(TABLE).expect("it is there").column::<i64>(1);
    let column = column.expect("it is one of i64");
    let rows = numbers.len() as u64;
    let (_, bound) = median(|| black_box(numbers).iter().sum::<i64>());
    let (_, sum) = median(|| column.sum().expect("nothing is damaged"));
    line(
        &format!("sum, {state} pages"),
        rows,
        sum,
        "Vec<i64> sum",
        bound,
    );
    let (_, count) = median(|| {
        column
            .count_if(|value| value > 1000)
            .expect("nothing is damaged")
    });
    let (_, bound) = median(|| {
        black_box(numbers)
            .iter()
            .filter(|&&value| value > 1000)
            .count()
    });
    line(
        &format!("count of a half, {state} pages"),
        rows,
        count,
        "Vec<i64> count",
        bound,
    );
    let (_, least) = median(|| column.min().expect("nothing is damaged"));
    let (_, bound) = median(|| black_box(numbers).iter().min().copied());
    line(
        &format!("least, {state} pages"),
        rows,
        least,
        "Vec<i64> min",
        bound,
    );
}

/// A page that is not a store's own.
struct Elsewhere(Box<PageBuf>);

impl PageBytes for Elsewhere {
    fn page_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The same store over pages that stand elsewhere.
fn borrowed(store: &Store) -> Store {
    let pages = store.pages();
    let pages = pages.iter().map(|(number, page)| {
        let bytes = page.bytes().expect("nothing is damaged").as_bytes();
        let copy = PageBuf::copied_from(bytes);
        let checksum = copy.checksum();
        (number, Page::borrowed(Arc::new(Elsewhere(copy)), checksum))
    });
    let heads: Vec<Vec<u8>> = store.heads().map(|(_, head)| head).collect();
    let heads = heads.iter().map(Vec::as_slice);
    Store::restore([0; 32], pages, heads).expect("nothing is damaged")
}

/// The store after half of its rows, scattered, were deleted one by one and others inserted.
fn churned(store: &Store, rows: u64) -> Store {
    let mut store = store.clone();
    let mut next_key = rows;
    for batch in 0..rows.div_ceil(2000) {
        let mut gone = 0;
        for n in batch * 1000..(batch + 1) * 1000 {
            let key = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % rows;
            let table = store.table(TABLE).expect("it is there");
            let found = table.find(KEY, &[key.into()]).expect("nothing is damaged");
            if let Some(place) = found.map(|row| row.row_id()) {
                store.delete(TABLE, place).expect("it is there");
                gone += 1;
            }
        }
        for key in next_key..next_key + gone {
            store.insert(TABLE, &row(key)).expect("the key is new");
        }
        next_key += gone;
    }
    store
}

fn empty() -> Store {
    let columns = [
        ColumnType::U64,
        ColumnType::I64,
        ColumnType::F64,
        ColumnType::String,
    ];
    let layout = Layout::new(
        LayoutNumber(1),
        columns.map(LayoutColumn::required).to_vec(),
    );
    let mut store = Store::new([0; 32]);
    store
        .create_table(TABLE, layout.expect("it is sound"))
        .expect("it is new");
    store
        .create_index(
            TABLE,
            IndexSpec {
                id: KEY,
                columns: vec![0],
                unique: true,
                kind: IndexKind::Ordered,
            },
        )
        .expect("it fits");
    store.set_primary_key(TABLE, Some(KEY)).expect("it fits");
    store
}

fn row(key: u64) -> [Value; 4] {
    [
        key.into(),
        (key as i64).into(),
        (key as f64).into(),
        format!("{key:032}").into(),
    ]
}

fn encoded(key: u64) -> Vec<u8> {
    let mut bytes = key.to_le_bytes().to_vec();
    bytes.extend((key as i64).to_le_bytes());
    bytes.extend((key as f64).to_le_bytes());
    bytes.extend(format!("{key:032}").as_bytes());
    bytes
}

fn transaction(store: &Store, keys: std::ops::Range<u64>) -> Vec<u8> {
    let mut transaction = WriteTransaction::new(store);
    for key in keys {
        transaction
            .insert(TABLE, &row(key))
            .expect("the key is new");
    }
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).expect("nothing is damaged");
    builder.finish()
}

fn of_one(store: &Store, row: &[Value; 4]) -> Vec<u8> {
    let mut transaction = WriteTransaction::new(store);
    transaction.insert(TABLE, row).expect("the key is new");
    let mut builder = TransactionBuilder::new(0);
    transaction.flush(&mut builder).expect("nothing is damaged");
    builder.finish()
}

fn apply(store: &mut Store, bytes: &[u8]) {
    for group in Transaction::parse(bytes)
        .expect("it was just built")
        .groups()
    {
        store.apply_group(&group).expect("it fits");
    }
}

fn read(store: &Store, key: u64) -> u64 {
    let row = store
        .table(TABLE)
        .and_then(|table| table.find(KEY, &[key.into()]));
    let row = row.expect("nothing is damaged").expect("it is there");
    let mut sum = 0_u64;
    for column in 0..4 {
        match row.value_ref(column).expect("nothing is damaged") {
            Some(table::ValueRef::U64(value)) => sum = sum.wrapping_add(value),
            Some(table::ValueRef::I64(value)) => sum = sum.wrapping_add(value as u64),
            Some(table::ValueRef::F64(value)) => sum = sum.wrapping_add(value.to_bits()),
            Some(table::ValueRef::String(text)) => {
                sum = sum.wrapping_add(text.bytes().map(u64::from).sum())
            }
            _ => {}
        }
    }
    sum
}

/// Runs a piece of work a few times; its last result and the median time.
fn median<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    let mut times = Vec::new();
    let mut result = None;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        result = Some(black_box(work()));
        times.push(start.elapsed());
    }
    times.sort();
    (
        result.expect("there is at least one round"),
        times[ROUNDS / 2],
    )
}

fn line(what: &str, count: u64, time: Duration, bound: &str, bound_time: Duration) {
    let each = |time: Duration| time.as_nanos() as f64 / count as f64;
    println!(
        "{what:32} {:9.1} ns each   {bound:22} {:9.1} ns each   ratio {:.2}",
        each(time),
        each(bound_time),
        bound_time.as_secs_f64() / time.as_secs_f64()
    );
}
