//! Long random histories of trials, beside a twin that never tries: what is taken back leaves every page and head byte for byte
//! as it was, what is kept leaves what the twin has, and views see neither.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/seeds.rs"]
mod seeds;

use seeds::seeds;
use table::{
    ColumnType, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber, Operation,
    PageBuf, PageNumber, RowId, Store, TableId, Transaction, TransactionBuilder, Value, encode_row,
};

/// Named by its key, in an index of either kind.
const KEYED: TableId = TableId(7);
/// Named by the content of its rows.
const BAG: TableId = TableId(9);
const TABLES: [TableId; 2] = [KEYED, BAG];

/// A small generator, so that a seed names a history for good.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }
}

fn layout() -> Layout {
    let columns = vec![
        LayoutColumn::required(ColumnType::U64),
        LayoutColumn::nullable(ColumnType::I32),
        LayoutColumn::nullable(ColumnType::String),
        LayoutColumn::required(ColumnType::Bool),
    ];
    Layout::new(LayoutNumber(1), columns).unwrap()
}

fn empty_store(of_key: IndexKind) -> Store {
    let mut store = Store::new([3; 32]);
    for table in TABLES {
        store.create_table(table, layout()).unwrap();
        // No index of the bag is in the way of values that are too long to be keys.
        let second = if table == KEYED { vec![1, 2] } else { vec![1] };
        for (id, columns, unique, kind) in [
            (1, vec![0], table == KEYED, of_key),
            (2, second, false, IndexKind::Ordered),
            (3, vec![1], false, IndexKind::Hash),
        ] {
            let spec = IndexSpec {
                id: IndexId(id),
                columns,
                unique,
                kind,
            };
            store.create_index(table, spec).unwrap();
        }
    }
    store.set_primary_key(KEYED, Some(IndexId(1))).unwrap();
    store
}

fn random_row(random: &mut Random, keys: u64) -> Vec<Value> {
    let group = match random.next(4) {
        0 => Value::Null,
        _ => Value::I32(random.next(7) as i32 - 3),
    };
    let name = match random.next(30) {
        0..3 => Value::Null,
        // In pages of its own, unless an index refuses it.
        3 => Value::String("x".repeat(5000 + random.next(40_000) as usize)),
        4..8 => Value::String("y".repeat(random.next(3000) as usize)),
        _ => Value::String(format!("name {}", random.next(keys))),
    };
    let flag = random.next(2) == 0;
    vec![
        Value::U64(random.next(keys)),
        group,
        name,
        Value::Bool(flag),
    ]
}

/// Something to be done, by the place of a row among all where it needs one.
#[derive(Clone, Debug)]
enum Step {
    Insert(TableId, Vec<Value>),
    Update(TableId, u64, Vec<(usize, Value)>),
    Delete(TableId, u64),
    /// Rows that a transaction brings. Where one of them is refused, those before it are there.
    Group(TableId, Vec<Vec<Value>>),
    AddTable(u32),
    DropTable(u32),
}

fn random_step(random: &mut Random, keys: u64) -> Step {
    let table = TABLES[random.next(2) as usize];
    match random.next(40) {
        0..14 => Step::Insert(table, random_row(random, keys)),
        14..24 => {
            let row = random_row(random, keys);
            let mask = random.next(16);
            let changes = row.into_iter().enumerate();
            let changes = changes.filter(|(column, _)| mask >> column & 1 == 1);
            Step::Update(table, random.next(1 << 30), changes.collect())
        }
        24..34 => Step::Delete(table, random.next(1 << 30)),
        34..38 => {
            let count = random.next(20);
            Step::Group(
                table,
                (0..count).map(|_| random_row(random, keys)).collect(),
            )
        }
        38 => Step::AddTable(20 + random.next(3) as u32),
        _ => Step::DropTable(20 + random.next(3) as u32),
    }
}

fn place_of(store: &Store, table: TableId, place: u64) -> Option<RowId> {
    let table = store.table(table).unwrap();
    let count = table.row_count();
    let nth = usize::try_from(place.checked_rem(count)?).unwrap();
    table.scan().nth(nth).map(|row| row.unwrap().row_id())
}

/// Whether nothing was refused.
fn take(store: &mut Store, step: &Step) -> bool {
    match step {
        Step::Insert(table, row) => store.insert(*table, row).is_ok(),
        Step::Update(table, place, changes) => match place_of(store, *table, *place) {
            Some(row) => store.update(*table, row, changes).is_ok(),
            None => true,
        },
        Step::Delete(table, place) => match place_of(store, *table, *place) {
            Some(row) => store.delete(*table, row).is_ok(),
            None => true,
        },
        Step::Group(table, rows) => {
            let mut builder = TransactionBuilder::new(0);
            let mut group = builder.group(*table, LayoutNumber(1), Operation::Insert);
            for row in rows {
                let values: Vec<_> = row.iter().map(Value::as_ref).collect();
                group.push_with(|out| encode_row(&layout(), &values, out));
            }
            let bytes = builder.finish();
            let transaction = Transaction::parse(&bytes).unwrap();
            transaction
                .groups()
                .all(|group| store.apply_group(&group).is_ok())
        }
        Step::AddTable(table) => store.create_table(TableId(*table), layout()).is_ok(),
        Step::DropTable(table) => store.drop_table(TableId(*table)).is_ok(),
    }
}

/// Everything there is.
struct Bytes {
    pages: Vec<(PageNumber, Box<PageBuf>)>,
    heads: Vec<(TableId, Vec<u8>)>,
}

fn bytes(store: &Store) -> Bytes {
    let pages = store.pages().iter();
    let pages = pages.map(|(number, page)| {
        let bytes = page.bytes().unwrap().as_bytes();
        (number, PageBuf::copied_from(bytes))
    });
    Bytes {
        pages: pages.collect(),
        heads: store.heads().collect(),
    }
}

fn check_same(found: &Bytes, expected: &Bytes, what: &str) {
    assert_eq!(found.heads, expected.heads, "{what}: heads");
    let numbers = |bytes: &Bytes| -> Vec<PageNumber> {
        bytes.pages.iter().map(|(number, _)| *number).collect()
    };
    assert_eq!(numbers(found), numbers(expected), "{what}: page numbers");
    for ((number, page), (_, other)) in found.pages.iter().zip(&expected.pages) {
        let differing = (0..table::PAGE_BYTES)
            .filter(|&at| page.as_bytes()[at] != other.as_bytes()[at])
            .collect::<Vec<_>>();
        let kind = page.kind();
        assert!(
            differing.is_empty(),
            "{what}: page {number:?}, a {kind:?}, at {differing:?}"
        );
    }
}

fn history(seed: u64, keys: u64, trials: u64) {
    let mut random = Random(seed);
    let of_key = match random.next(2) {
        0 => IndexKind::Ordered,
        _ => IndexKind::Hash,
    };
    let mut store = empty_store(of_key);
    let mut twin = empty_store(of_key);
    let mut views: Vec<(Store, Bytes)> = Vec::new();
    for _ in 0..trials {
        match random.next(6) {
            0 => views.push((store.clone(), bytes(&store))),
            1 if !views.is_empty() => {
                let place = random.next(views.len() as u64) as usize;
                let (view, expected) = views.swap_remove(place);
                check_same(&bytes(&view), &expected, "a view");
            }
            _ => {}
        }
        let count = 1 + random.next(8);
        let steps: Vec<Step> = (0..count).map(|_| random_step(&mut random, keys)).collect();
        let before = bytes(&store);
        store.begin_trial();
        let is_whole = steps.iter().all(|step| take(&mut store, step));
        if !is_whole || random.next(3) == 0 {
            store.take_back_trial();
            check_same(&bytes(&store), &before, "taken back");
        } else {
            store.keep_trial();
            steps.iter().for_each(|step| assert!(take(&mut twin, step)));
            check_same(&bytes(&store), &bytes(&twin), "kept");
        }
        if random.next(20) == 0 {
            store.check().unwrap();
        }
    }
    for (view, expected) in views {
        check_same(&bytes(&view), &expected, "a view");
    }
    store.check().unwrap();
    // What it holds is what it has, and nothing for what was tried.
    let fresh = Store::restore(
        [3; 32],
        store
            .pages()
            .iter()
            .map(|(number, page)| (number, page.to_page().unwrap())),
        store
            .heads()
            .map(|(_, head)| head)
            .collect::<Vec<_>>()
            .iter()
            .map(|head| &head[..]),
    );
    check_same(&bytes(&fresh.unwrap()), &bytes(&store), "restored");
}

#[test]
fn what_is_taken_back_leaves_no_trace_and_what_is_kept_is_as_if_never_tried() {
    seeds("trial_model", 12).for_each(|seed| {
        history(seed, 40, 150);
        history(seed, 4000, 150);
    });
}

#[test]
fn a_trial_that_is_dropped_with_its_store_harms_no_view() {
    let mut random = Random(5);
    let mut store = empty_store(IndexKind::Ordered);
    let mut some = |store: &mut Store, count: u32| {
        for _ in 0..count {
            take(store, &random_step(&mut random, 400));
        }
    };
    some(&mut store, 300);
    let (view, expected) = (store.clone(), bytes(&store));
    for _ in 0..2 {
        some(&mut store, 10);
        store.begin_trial();
        some(&mut store, 10);
        store = view.clone();
        check_same(&bytes(&view), &expected, "the view");
    }
}

#[test]
#[should_panic(expected = "what is only tried is not to be seen")]
fn what_is_only_tried_can_not_be_seen() {
    let mut store = empty_store(IndexKind::Ordered);
    store.begin_trial();
    drop(store.clone());
}
