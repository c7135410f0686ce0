//! Long random histories inside one write transaction: after every statement each way to read is held against plain lists
//! of the base's rows and the transaction's own, and in the end the groups against the net effect worked out from those.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/seeds.rs"]
mod seeds;

use std::ops::Bound;

use seeds::seeds;
use table::{
    ColumnType, Error, IndexId, IndexKind, IndexSpec, Layout, LayoutColumn, LayoutNumber,
    Operation, Row, RowId, Savepoint, Store, TableId, TableRef, Transaction, TransactionBuilder,
    UpdateRow, Value, WriteTransaction, encode_key_row, encode_row,
};

/// Named by its key.
const KEYED: TableId = TableId(7);
/// Named by the content of its rows; two may be equal.
const BAG: TableId = TableId(300);
/// Named by two of its columns.
const PAIRED: TableId = TableId(9);
const TABLES: [TableId; 3] = [KEYED, BAG, PAIRED];

const KEY: u16 = 0;
const GROUP: u16 = 1;
const NAME: u16 = 2;
const FLAG: u16 = 3;
const BLOB: u16 = 4;

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

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let count = items.len() as u64;
        (count > 0).then(|| &items[self.next(count) as usize])
    }
}

fn layout() -> Layout {
    let columns = vec![
        LayoutColumn::required(ColumnType::U64),
        LayoutColumn::nullable(ColumnType::I32),
        LayoutColumn::nullable(ColumnType::String),
        LayoutColumn::required(ColumnType::Bool),
        LayoutColumn::nullable(ColumnType::Bytes),
    ];
    Layout::new(LayoutNumber(1), columns).unwrap()
}

fn indexes(table: TableId) -> Vec<IndexSpec> {
    let index = |kind, id, columns: &[u16], unique| IndexSpec {
        id: IndexId(id),
        columns: columns.to_vec(),
        unique,
        kind,
    };
    let ordered = |id, columns, unique| index(IndexKind::Ordered, id, columns, unique);
    let hash = |id, columns, unique| index(IndexKind::Hash, id, columns, unique);
    match table {
        KEYED => vec![
            hash(1, &[KEY], true),
            ordered(2, &[GROUP], false),
            ordered(3, &[NAME], true),
            ordered(4, &[KEY], true),
            ordered(5, &[GROUP, NAME, FLAG], false),
            hash(6, &[GROUP], false),
            hash(7, &[NAME], true),
            hash(8, &[GROUP, BLOB], true),
        ],
        PAIRED => vec![
            hash(1, &[KEY, FLAG], true),
            ordered(2, &[FLAG, NAME], true),
            ordered(3, &[FLAG, GROUP], false),
        ],
        _ => vec![
            ordered(1, &[NAME, KEY], false),
            hash(2, &[GROUP, FLAG], true),
            hash(4, &[NAME, KEY], false),
            hash(6, &[BLOB], false),
        ],
    }
}

/// The columns that name a row of a table that has a primary key.
fn key_columns(table: TableId) -> Vec<u16> {
    indexes(table).swap_remove(0).columns
}

fn key_of(columns: &[u16], row: &[Value]) -> Vec<Value> {
    let columns = columns.iter().map(|&column| usize::from(column));
    columns.map(|column| row[column].clone()).collect()
}

fn empty_store() -> Store {
    let mut store = Store::new([3; 32]);
    for table in TABLES {
        store.create_table(table, layout()).unwrap();
        for spec in indexes(table) {
            store.create_index(table, spec).unwrap();
        }
    }
    for table in [KEYED, PAIRED] {
        store.set_primary_key(table, Some(IndexId(1))).unwrap();
    }
    store
}

type Rows = Vec<(RowId, Vec<Value>)>;

/// One table as it must look.
#[derive(Clone, Default, Debug)]
struct Expected {
    /// Rows of the base that are not gone, in the order of its scan.
    base: Rows,
    gone: Rows,
    /// The transaction's own, in the order in which they were first written.
    own: Rows,
    /// Places that find nothing.
    dead: Vec<RowId>,
}

impl Expected {
    fn all(&self) -> impl DoubleEndedIterator<Item = &(RowId, Vec<Value>)> + Clone {
        self.base.iter().chain(&self.own)
    }

    fn values(&self, row: RowId) -> &[Value] {
        &self.all().find(|(place, _)| *place == row).unwrap().1
    }

    fn remove(&mut self, row: RowId) {
        self.dead.push(row);
        match self.base.iter().position(|(place, _)| *place == row) {
            Some(found) => {
                let removed = self.base.remove(found);
                self.gone.push(removed);
            }
            None => self.own.retain(|(place, _)| *place != row),
        }
    }

    fn insert(&mut self, row: RowId, values: Vec<Value>) {
        // An id comes back after a rollback only, and then nothing is known of it here.
        assert!(!self.dead.contains(&row), "{row} was another row");
        self.own.push((row, values));
    }

    /// What must refuse a row, if anything.
    fn refusal(&self, table: TableId, row: &[Value], except: Option<RowId>) -> Option<Error> {
        let ordered = |spec: &IndexSpec| spec.kind == IndexKind::Ordered;
        for spec in indexes(table).into_iter().filter(ordered) {
            let mut bytes = Vec::new();
            let (index, key) = (spec.id, key_of(&spec.columns, row));
            table::encode_key(key.iter().map(Value::as_ref), &mut bytes);
            let (bytes, max) = (bytes.len(), 4096);
            if bytes > max {
                return Some(Error::KeyTooLong {
                    table,
                    index,
                    bytes,
                    max,
                });
            }
        }
        for spec in indexes(table) {
            let key = key_of(&spec.columns, row);
            let has_null = key.iter().any(Value::is_null);
            let taken = self
                .all()
                .any(|(place, held)| Some(*place) != except && key_of(&spec.columns, held) == key);
            if spec.unique && !has_null && taken {
                let index = spec.id;
                return Some(Error::UniqueViolation { table, index, key });
            }
        }
        None
    }
}

fn seen(row: Result<Row<'_>, Error>) -> (RowId, Vec<Value>) {
    let row = row.unwrap();
    let values = row.values().unwrap();
    // Column by column as much as whole, and without a copy where that is possible.
    for (column, value) in values.iter().enumerate() {
        assert_eq!(row.value(column).unwrap(), *value);
        if let Some(borrowed) = row.value_ref(column).unwrap() {
            assert_eq!(borrowed, value.as_ref());
        }
    }
    (row.row_id(), values)
}

fn sorted_by(expected: &Expected, columns: &[u16]) -> Vec<(Vec<Value>, RowId, Vec<Value>)> {
    let keyed = expected
        .all()
        .map(|(row, values)| (key_of(columns, values), *row, values.clone()));
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort();
    keyed
}

/// Every way to read, everything there is.
fn check_all(table: TableRef<'_>, expected: &Expected, random: &mut Random) {
    assert_eq!(table.row_count(), expected.all().count() as u64);
    let scanned: Rows = table.scan().map(seen).collect();
    assert!(expected.all().eq(&scanned), "scan");
    for (row, values) in expected.all() {
        assert_eq!(seen(table.get(*row)), (*row, values.clone()));
    }
    for row in &expected.dead {
        assert!(
            matches!(table.get(*row), Err(Error::NoSuchRow { .. })),
            "{row}"
        );
    }
    for spec in indexes(table.id()) {
        let (index, columns) = (spec.id, &spec.columns);
        let sorted = sorted_by(expected, columns);
        let in_order: Rows = table.in_key_order(index).unwrap().map(seen).collect();
        let rows = sorted.iter().map(|(_, row, values)| (*row, values.clone()));
        assert!(rows.eq(in_order), "in the order of {index}");
        if spec.kind == IndexKind::Ordered {
            check_range(
                table,
                index,
                &sorted,
                Bound::Unbounded,
                Bound::Unbounded,
                random,
            );
        }
        // Keys that are there, and that were there, and bounds of fewer columns.
        let mut keys: Vec<Vec<Value>> = Vec::new();
        for _ in 0..3 {
            let rows = [&expected.base, &expected.own, &expected.gone];
            let rows = rows[random.next(3) as usize];
            let Some((_, values)) = random.pick(rows) else {
                continue;
            };
            let length = 1 + random.next(columns.len() as u64) as usize;
            keys.push(key_of(&columns[..length], values));
        }
        if spec.kind == IndexKind::Hash {
            keys.iter()
                .for_each(|key| check_whole_key(table, &spec, &sorted, key));
            continue;
        }
        for key in &keys {
            let first = sorted.iter().find(|(other, ..)| other.starts_with(key));
            let found = table.find(index, key).unwrap();
            assert_eq!(
                found.map(|row| seen(Ok(row))),
                first.map(|(_, row, values)| (*row, values.clone())),
            );
            let key = Bound::Included(&key[..]);
            check_range(table, index, &sorted, key, key, random);
        }
        if let [lower, upper, ..] = &keys[..] {
            let mut bound = |key: &'_ [Value]| -> Bound<Vec<Value>> {
                match random.next(3) {
                    0 => Bound::Included(key.to_vec()),
                    1 => Bound::Excluded(key.to_vec()),
                    _ => Bound::Unbounded,
                }
            };
            let (lower, upper) = (bound(lower), bound(upper));
            let (lower, upper) = (
                lower.as_ref().map(Vec::as_slice),
                upper.as_ref().map(Vec::as_slice),
            );
            check_range(table, index, &sorted, lower, upper, random);
        }
    }
}

/// What a hash index finds for a key, and refuses for fewer columns.
fn check_whole_key(
    table: TableRef<'_>,
    spec: &IndexSpec,
    sorted: &[(Vec<Value>, RowId, Vec<Value>)],
    key: &[Value],
) {
    let refused = |error: Error| {
        let expected = Error::WholeKeyOnly {
            table: table.id(),
            index: spec.id,
        };
        assert_eq!(error, expected);
    };
    refused(table.index_prefix(spec.id, key).unwrap_err());
    if key.len() < spec.columns.len() {
        refused(table.find(spec.id, key).unwrap_err());
        refused(table.find_all(spec.id, key).unwrap_err());
        return;
    }
    let expected: Rows = sorted
        .iter()
        .filter(|(other, ..)| other == key)
        .map(|(_, row, values)| (*row, values.clone()))
        .collect();
    let mut all: Rows = table.find_all(spec.id, key).unwrap().map(seen).collect();
    all.sort();
    assert_eq!(all, expected, "{key:?}");
    match table.find(spec.id, key).unwrap() {
        Some(row) => assert!(expected.contains(&seen(Ok(row))), "{key:?}"),
        None => assert!(expected.is_empty(), "{key:?}"),
    }
}

/// One range, read forwards, backwards, and from both ends in turns.
fn check_range(
    table: TableRef<'_>,
    index: IndexId,
    sorted: &[(Vec<Value>, RowId, Vec<Value>)],
    lower: Bound<&[Value]>,
    upper: Bound<&[Value]>,
    random: &mut Random,
) {
    let is_in = |key: &[Value]| {
        let above = match lower {
            Bound::Included(lower) => key >= lower,
            Bound::Excluded(lower) => key > lower && !key.starts_with(lower),
            Bound::Unbounded => true,
        };
        let below = match upper {
            Bound::Included(upper) => key <= upper || key.starts_with(upper),
            Bound::Excluded(upper) => key < upper,
            Bound::Unbounded => true,
        };
        above && below
    };
    let expected: Rows = sorted
        .iter()
        .filter(|(key, ..)| is_in(key))
        .map(|(_, row, values)| (*row, values.clone()))
        .collect();
    let range = || table.index_range(index, lower, upper).unwrap();
    let forwards: Rows = range().map(seen).collect();
    assert_eq!(forwards, expected, "{lower:?} {upper:?}");
    let mut backwards: Rows = range().rev().map(seen).collect();
    backwards.reverse();
    assert_eq!(backwards, expected, "{lower:?} {upper:?} from the back");
    let (mut range, mut left) = (range(), &expected[..]);
    let mut turns = random.next(u64::from(u32::MAX));
    loop {
        turns = turns.rotate_right(1);
        let (got, wanted);
        if turns & 1 == 0 {
            got = range.next();
            wanted = left.split_off_first();
        } else {
            got = range.next_back();
            wanted = left.split_off_last();
        }
        assert_eq!(got.map(seen).as_ref(), wanted, "from both ends");
        if wanted.is_none() {
            break;
        }
    }
    assert!(range.next().is_none() && range.next_back().is_none());
}

fn random_value(random: &mut Random, column: u16, keys: u64) -> Value {
    match column {
        KEY => Value::U64(random.next(keys)),
        GROUP => match random.next(4) {
            0 => Value::Null,
            _ => Value::I32(random.next(9) as i32 - 4),
        },
        NAME => match random.next(40) {
            0..8 => Value::Null,
            8..12 => Value::String(String::new()),
            12..16 => Value::String("same\0same".into()),
            16 => Value::String("y".repeat(4050 + random.next(80) as usize)),
            _ => Value::String(format!("name {}", random.next(2 * keys))),
        },
        FLAG => Value::Bool(random.next(2) == 0),
        _ => match random.next(12) {
            0..6 => Value::Null,
            6..10 => Value::Bytes(vec![7; random.next(30) as usize]),
            10 => Value::Bytes(vec![8; random.next(8000) as usize]),
            // Pages of its own, once it is applied.
            _ => Value::Bytes(vec![9; 30_000 + random.next(60_000) as usize]),
        },
    }
}

fn random_row(random: &mut Random, table: TableId, keys: u64) -> Vec<Value> {
    // Few different rows in the bag, so that equal ones come together; one blob in nine.
    let keys = if table == BAG { 3 } else { keys };
    let mut row: Vec<Value> = (KEY..=BLOB)
        .map(|column| random_value(random, column, keys))
        .collect();
    if table == BAG && random.next(3) > 0 {
        row[usize::from(GROUP)] = Value::Null;
    }
    if random.next(3) > 0 {
        row[usize::from(BLOB)] = Value::Null;
    }
    row
}

struct History {
    random: Random,
    transaction: WriteTransaction,
    tables: [Expected; 3],
    savepoints: Vec<(Savepoint, [Expected; 3])>,
    keys: u64,
}

impl History {
    fn begin(store: &Store, random: Random, keys: u64) -> History {
        let mut history = History {
            random,
            transaction: WriteTransaction::new(store),
            tables: Default::default(),
            savepoints: Vec::new(),
            keys,
        };
        history.tables = history.stored();
        history
    }

    /// The rows of the base.
    fn stored(&self) -> [Expected; 3] {
        TABLES.map(|table| Expected {
            base: self
                .transaction
                .base()
                .table(table)
                .unwrap()
                .scan()
                .map(seen)
                .collect(),
            ..Expected::default()
        })
    }

    /// A row that is there, rather one of the transaction's own.
    fn some_row(&mut self, which: usize) -> Option<RowId> {
        let table = &self.tables[which];
        let rows = if self.random.next(5) < 2 {
            &table.base
        } else {
            &table.own
        };
        self.random.pick(rows).map(|(row, _)| *row)
    }

    fn insert(&mut self, which: usize, row: Vec<Value>) {
        let (table, expected) = (TABLES[which], &mut self.tables[which]);
        match (
            self.transaction.insert(table, &row),
            expected.refusal(table, &row, None),
        ) {
            (Ok(place), None) => expected.insert(place, row),
            (Err(found), Some(wanted)) => assert_eq!(found, wanted),
            (found, wanted) => panic!("{found:?}, but {wanted:?}"),
        }
    }

    fn delete(&mut self, which: usize, row: RowId) {
        self.transaction.delete(TABLES[which], row).unwrap();
        self.tables[which].remove(row);
    }

    fn update(&mut self, which: usize, row: RowId, changes: &[(usize, Value)]) {
        let (table, expected) = (TABLES[which], &mut self.tables[which]);
        let mut new = expected.values(row).to_vec();
        for (column, value) in changes {
            new[*column] = value.clone();
        }
        match (
            self.transaction.update(table, row, changes),
            expected.refusal(table, &new, Some(row)),
        ) {
            (Ok(place), None) if place == row => {
                let own = expected.own.iter_mut().find(|(own, _)| *own == row);
                own.unwrap().1 = new;
            }
            (Ok(place), None) => {
                assert!(expected.base.iter().any(|(base, _)| *base == row));
                expected.remove(row);
                expected.insert(place, new);
            }
            (Err(found), Some(wanted)) => assert_eq!(found, wanted),
            (found, wanted) => panic!("{found:?}, but {wanted:?}"),
        }
    }

    fn step(&mut self) {
        let which = self.random.next(3) as usize;
        match self.random.next(21) {
            0..7 => {
                let row = random_row(&mut self.random, TABLES[which], self.keys);
                self.insert(which, row);
            }
            7..10 => {
                if let Some(row) = self.some_row(which) {
                    self.delete(which, row);
                }
            }
            10..15 => {
                let Some(row) = self.some_row(which) else {
                    return;
                };
                let new = random_row(&mut self.random, TABLES[which], self.keys);
                let mask = self.random.next(1 << (BLOB + 1));
                let changes = new.into_iter().enumerate();
                let changes: Vec<_> = changes.filter(|(c, _)| mask >> c & 1 == 1).collect();
                self.update(which, row, &changes);
            }
            // A row that was there before comes back, as it was or nearly.
            15 => {
                let gone = &self.tables[which].gone;
                if let Some((_, row)) = self.random.pick(gone).cloned() {
                    self.insert(which, row);
                }
            }
            // An update that changes nothing.
            16 => {
                if let Some(row) = self.some_row(which) {
                    let flag = self.tables[which].values(row)[usize::from(FLAG)].clone();
                    self.update(which, row, &[(usize::from(FLAG), flag)]);
                }
            }
            17 => self.rotate(),
            18 => self.take_over(),
            19 => {
                self.savepoints
                    .push((self.transaction.savepoint(), self.tables.clone()));
            }
            // Back to any savepoint, also to one that lies after the one that it went back to before.
            _ => {
                if let Some((savepoint, tables)) = self.random.pick(&self.savepoints) {
                    self.transaction.roll_back_to(savepoint);
                    self.tables.clone_from(tables);
                }
            }
        }
    }

    /// Some rows take over unique names, each that of the one before. The first one lets its name go before that, and takes any other one, or in
    /// the end that of the last: of two rows that is a swap.
    fn rotate(&mut self) {
        let count = 2 + self.random.next(3);
        let rows: Vec<RowId> = (0..count).filter_map(|_| self.some_row(0)).collect();
        if (1..rows.len()).any(|at| rows[..at].contains(&rows[at])) {
            return;
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return;
        };
        let name = usize::from(NAME);
        let of = |row: &RowId| self.tables[0].values(*row).to_vec();
        let (first, last) = (of(first), of(last));
        let before = self.transaction.savepoint();
        let tables = self.tables.clone();
        let place = |history: &History, key: &Value| {
            let table = history.transaction.table(KEYED).unwrap();
            let found = table.find(IndexId(1), std::slice::from_ref(key)).unwrap();
            found.unwrap().row_id()
        };
        let mut steps = vec![(first[0].clone(), Value::from("between"))];
        steps.extend(rows.windows(2).map(|pair| {
            let [one, other] = [of(&pair[0]), of(&pair[1])];
            (other[0].clone(), one[name].clone())
        }));
        let end = match self.random.next(3) {
            0 => random_value(&mut self.random, NAME, self.keys),
            _ => last[name].clone(),
        };
        steps.push((first[0].clone(), end));
        for (key, value) in steps {
            let row = place(self, &key);
            self.update(0, row, &[(name, value)]);
        }
        if self.random.next(4) == 0 {
            self.transaction.roll_back_to(&before);
            self.tables = tables;
        }
    }

    /// A row takes a name that a row of the base had.
    fn take_over(&mut self) {
        let gone = self.random.pick(&self.tables[0].gone);
        let name = gone.map(|(_, values)| values[usize::from(NAME)].clone());
        if let (Some(name), Some(row)) = (name, self.some_row(0)) {
            self.update(0, row, &[(usize::from(NAME), name)]);
        }
    }

    fn check(&mut self) {
        for (table, expected) in TABLES.into_iter().zip(&self.tables) {
            let table = self.transaction.table(table).unwrap();
            check_all(table, expected, &mut self.random);
        }
    }

    /// The bytes of the net effect, held against what it must be.
    fn bytes(&self) -> Vec<u8> {
        let mut builder = TransactionBuilder::new(0);
        self.transaction.flush(&mut builder).unwrap();
        let bytes = builder.finish();
        let mut expected = TransactionBuilder::new(0);
        net_effect_of_keyed(KEYED, &self.tables[0], &mut expected);
        net_effect_of_keyed(PAIRED, &self.tables[2], &mut expected);
        net_effect_of_bag(&self.tables[1], &mut expected);
        assert_eq!(bytes, expected.finish());
        bytes
    }

    /// Applies what is pending to a copy of the base: it must give what was seen before, but elsewhere.
    fn applied(&self) -> Store {
        let mut store = self.transaction.base().clone();
        for group in Transaction::parse(&self.bytes()).unwrap().groups() {
            store.apply_group(&group).unwrap();
        }
        store.check().unwrap();
        for (table, expected) in TABLES.into_iter().zip(&self.tables) {
            let rows = store.table(table).unwrap().scan();
            let mut rows: Vec<Vec<Value>> = rows.map(|row| seen(row).1).collect();
            let mut wanted: Vec<Vec<Value>> = expected.all().map(|(_, row)| row.clone()).collect();
            rows.sort();
            wanted.sort();
            assert_eq!(rows, wanted);
        }
        store
    }

    fn rebase(&mut self) {
        self.transaction.rebase(self.applied());
        let own = self.tables.iter().flat_map(|table| &table.own);
        let dead: Vec<RowId> = own.map(|(row, _)| *row).collect();
        self.tables = self.stored();
        for table in &mut self.tables {
            table.dead.clone_from(&dead);
        }
    }
}

fn net_effect_of_keyed(table: TableId, expected: &Expected, builder: &mut TransactionBuilder) {
    let layout = layout();
    let key_columns = key_columns(table);
    let key = |row: &[Value]| key_of(&key_columns, row);
    let key_bytes = |row: &[Value]| {
        let key = key(row);
        let key: Vec<_> = key.iter().map(Value::as_ref).collect();
        let mut bytes = Vec::new();
        encode_key_row(&layout, &key_columns, &key, &mut bytes);
        bytes
    };
    let unique = indexes(table).into_iter().filter(|index| index.unique);
    let unique: Vec<IndexSpec> = unique.collect();
    let mut deletes: Vec<Vec<u8>> = expected
        .gone
        .iter()
        .map(|(_, row)| key_bytes(row))
        .collect();
    let (mut updates, mut inserts) = (Vec::new(), Vec::new());
    for (at, (_, new)) in expected.own.iter().enumerate() {
        // A key that a row of the base has that is changed later is still that row's when this one takes it.
        let later = expected.own[at + 1..].iter();
        let later: Vec<Vec<Value>> = later.map(|(_, row)| key(row)).collect();
        let is_late = |(_, other): &(RowId, Vec<Value>)| {
            let takes_from = |index: &IndexSpec| {
                let taken = key_of(&index.columns, new);
                taken == key_of(&index.columns, other) && !taken.contains(&Value::Null)
            };
            later.contains(&key(other)) && unique.iter().any(takes_from)
        };
        let is_late = expected.gone.iter().any(is_late);
        let old = expected.gone.iter().find(|(_, old)| key(old) == key(new));
        let Some((_, old)) = old.filter(|_| !is_late) else {
            inserts.push(new);
            continue;
        };
        deletes.retain(|key| *key != key_bytes(new));
        let changes = (0..new.len()).filter(|&column| old[column] != new[column]);
        let changes: Vec<_> = changes
            .map(|column| (column, new[column].as_ref()))
            .collect();
        if !changes.is_empty() {
            updates.push((key(new), changes));
        }
    }
    deletes.sort();
    let mut group = builder.group(table, layout.number(), Operation::DeleteByKey);
    deletes.iter().for_each(|key| group.push(key));
    let mut group = builder.group(table, layout.number(), Operation::Update);
    for (key, changes) in updates {
        let key = key.iter().map(Value::as_ref).collect();
        let update = UpdateRow { key, changes };
        group.push_with(|out| table::encode_update_row(&layout, &key_columns, &update, out));
    }
    push_rows(table, Operation::Insert, &inserts, builder);
}

fn net_effect_of_bag(expected: &Expected, builder: &mut TransactionBuilder) {
    let mut gone: Vec<&Vec<Value>> = expected.gone.iter().map(|(_, row)| row).collect();
    let mut inserts = Vec::new();
    for (_, row) in &expected.own {
        match gone.iter().position(|gone| *gone == row) {
            Some(same) => drop(gone.remove(same)),
            None => inserts.push(row),
        }
    }
    let encoded = |row: &Vec<Value>| {
        let values: Vec<_> = row.iter().map(Value::as_ref).collect();
        let mut bytes = Vec::new();
        encode_row(&layout(), &values, &mut bytes);
        bytes
    };
    gone.sort_by_key(|row| encoded(row));
    push_rows(BAG, Operation::DeleteRow, &gone, builder);
    push_rows(BAG, Operation::Insert, &inserts, builder);
}

fn push_rows(
    table: TableId,
    operation: Operation,
    rows: &[&Vec<Value>],
    builder: &mut TransactionBuilder,
) {
    let layout = layout();
    let mut group = builder.group(table, layout.number(), operation);
    for row in rows {
        let values: Vec<_> = row.iter().map(Value::as_ref).collect();
        group.push_with(|out| encode_row(&layout, &values, out));
    }
}

/// A store with rows of its own, put there by transactions like the ones that are tried on it.
fn filled(random: &mut Random, keys: u64, rows: u64) -> Store {
    let mut store = empty_store();
    for which in TABLES {
        for _ in 0..rows {
            let row = random_row(random, which, keys);
            drop(store.insert(which, &row));
        }
    }
    // Holes, so that places are not in the order in which rows came.
    for which in TABLES {
        let rows: Vec<RowId> = store
            .table(which)
            .unwrap()
            .scan()
            .map(|row| row.unwrap().row_id())
            .collect();
        for row in rows {
            if random.next(5) == 0 {
                store.delete(which, row).unwrap();
            }
        }
    }
    store
}

fn history(seed: u64, keys: u64, base_rows: u64, steps: u64, steps_per_check: u64) {
    let mut random = Random(seed);
    let store = filled(&mut random, keys, base_rows);
    let moment = store.pages().moment();
    let mut history = History::begin(&store, random, keys);
    history.check();
    for step in 0..steps {
        history.step();
        if step % steps_per_check == 0 {
            history.check();
        }
        if history.random.next(steps) == 0 {
            history.rebase();
            history.check();
        }
    }
    history.check();
    history.applied();
    // The base is what it was, page by page.
    let changed: Vec<_> = store.pages().changed_after(&moment).unwrap().collect();
    let too_high = changed.first().unwrap().start();
    assert_eq!((changed.len(), changed[0].end()), (1, &u32::MAX));
    assert!(
        store
            .pages()
            .iter()
            .all(|(number, _)| number.get() < *too_high)
    );
    store.check().unwrap();
}

#[test]
fn every_read_sees_the_base_and_the_own_writes_as_one() {
    seeds("transaction_model", 16).for_each(|seed| {
        history(seed, 12, 10, 150, 1);
        history(seed, 40, 40, 150, 1);
    });
}

#[test]
fn so_it_does_with_many_rows() {
    seeds("transaction_model", 2).for_each(|seed| {
        history(seed, 3000, 2500, 6000, 400);
    });
}
