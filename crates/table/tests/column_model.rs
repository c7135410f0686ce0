//! Folds over the columns of churned tables against plain vectors of the same values.
#![allow(clippy::unwrap_used)]

#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Debug;

use rows::{Random, layout_of_all_types, random_row, random_value};
use seeds::seeds;
use table::{
    ColumnType, Error, FixedValue, Layout, LayoutColumn, LayoutNumber, PageKind, RowId, Store,
    Summable, TableId, Value, ValueRef, WriteTransaction, check_row_page,
};

const TABLE: TableId = TableId(5);

/// What stands in the table.
type Rows = BTreeMap<RowId, Vec<Value>>;

/// A table after random inserts, deletes and updates, with pages from full to nearly empty.
fn churn(random: &mut Random, layout: &Layout, steps: usize) -> (Store, Rows) {
    let mut store = Store::new([0; 32]);
    store.create_table(TABLE, layout.clone()).unwrap();
    let mut rows = Rows::new();
    for step in 0..steps {
        // Deletes outweigh inserts for a while, so that some pages are left with few rows and some with none.
        let deletes = if step / 200 % 3 == 2 { 4 } else { 1 };
        match random.below(3 + deletes) {
            0 | 1 => {
                let values = random_row(random, layout, 30);
                rows.insert(store.insert(TABLE, &values).unwrap(), values);
            }
            _ if rows.is_empty() => {}
            2 => {
                let row = any(random, &rows);
                let column = random.below(layout.column_count());
                let value = random_value(random, &layout.columns()[column], 30);
                let mut values = rows.remove(&row).unwrap();
                values[column] = value.clone();
                let moved = store.update(TABLE, row, &[(column, value)]).unwrap();
                rows.insert(moved, values);
            }
            _ => {
                let row = any(random, &rows);
                store.delete(TABLE, row).unwrap();
                rows.remove(&row);
            }
        }
    }
    store.check().unwrap();
    for (_, page) in store.pages().iter() {
        let page = page.bytes().unwrap();
        if page.kind() == Some(PageKind::Row) {
            check_row_page(page, layout).unwrap();
        }
    }
    (store, rows)
}

fn any(random: &mut Random, rows: &Rows) -> RowId {
    *rows.keys().nth(random.below(rows.len())).unwrap()
}

/// The values of a column that are not null, in the order of their places.
fn values<T>(rows: &Rows, column: usize, value_of: impl Fn(ValueRef<'_>) -> T) -> Vec<(RowId, T)> {
    let values = rows.iter().map(|(row, values)| (*row, &values[column]));
    values
        .filter(|(_, value)| !value.is_null())
        .map(|(row, value)| (row, value_of(value.as_ref())))
        .collect()
}

/// All folds but the sum, for any type.
fn check_folds<T: FixedValue + Debug>(
    store: &Store,
    column: usize,
    expected: &[(RowId, T)],
    order: impl Fn(&T, &T) -> Ordering,
    random: &mut Random,
) {
    let table = store.table(TABLE).unwrap();
    let folds = table.column::<T>(column).unwrap();
    let bytes = |value: Option<T>| value.map(|value| bytemuck::bytes_of(&value).to_vec());
    let all = || expected.iter().map(|(_, value)| *value);
    assert_eq!(folds.count().unwrap(), expected.len() as u64);
    let least = bytes(all().min_by(&order));
    assert_eq!(bytes(folds.min().unwrap()), least, "least of {column}");
    let greatest = bytes(all().max_by(&order));
    assert_eq!(
        bytes(folds.max().unwrap()),
        greatest,
        "greatest of {column}"
    );

    let pivots = [
        Some(T::zeroed()),
        all().nth(random.below(expected.len().max(1))),
    ];
    for pivot in pivots.into_iter().flatten() {
        for wanted in [Ordering::Less, Ordering::Equal, Ordering::Greater] {
            let holds = |value: T| order(&value, &pivot) == wanted;
            let found: Vec<RowId> = folds
                .filter(holds)
                .map(|row| row.unwrap().row_id())
                .collect();
            let rows = expected.iter().filter(|(_, value)| holds(*value));
            let rows: Vec<RowId> = rows.map(|(row, _)| *row).collect();
            assert_eq!(folds.count_if(holds).unwrap(), rows.len() as u64);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, rows, "filter of {column}");
            // In the order of the scan.
            let scan = table.scan().map(|row| row.unwrap().row_id());
            let scan: Vec<RowId> = scan.filter(|row| rows.contains(row)).collect();
            assert_eq!(found, scan);
        }
    }
}

#[test]
fn folds_agree_with_vectors_for_every_type() {
    for seed in seeds("column_model", 6) {
        for nullable in [false, true] {
            let mut random = Random(seed);
            let layout = layout_of_all_types(nullable);
            let (store, rows) = churn(&mut random, &layout, 900);
            for (column, definition) in layout.columns().iter().enumerate() {
                check_column(&store, &rows, column, definition.column_type, &mut random);
            }
        }
    }
}

fn check_column(
    store: &Store,
    rows: &Rows,
    column: usize,
    column_type: ColumnType,
    random: &mut Random,
) {
    macro_rules! check {
        ($variant:ident, $rust:ty, $order:expr) => {{
            let expected: Vec<(RowId, $rust)> = values(rows, column, |value| match value {
                ValueRef::$variant(value) => value,
                other => panic!("{other:?} in column {column}"),
            });
            check_folds::<$rust>(store, column, &expected, $order, random);
            expected
        }};
    }
    macro_rules! check_integers {
        ($variant:ident, $rust:ty) => {{
            let expected = check!($variant, $rust, Ord::cmp);
            let mut all = expected.iter().map(|(_, value)| *value);
            let sum = all.try_fold(0, |sum: <$rust as Summable>::Sum, value| {
                sum.checked_add(value.into())
            });
            let folds = store.table(TABLE).unwrap().column::<$rust>(column);
            let found = folds.unwrap().sum();
            // Where the plain sum overflows on its way, the total may fit all the same.
            match sum {
                Some(sum) => assert_eq!(found, Ok(sum)),
                None => assert_eq!(<$rust>::BITS, 128),
            }
        }};
    }
    match column_type {
        ColumnType::I8 => check_integers!(I8, i8),
        ColumnType::I16 => check_integers!(I16, i16),
        ColumnType::I32 => check_integers!(I32, i32),
        ColumnType::I64 => check_integers!(I64, i64),
        ColumnType::Timestamp => check_integers!(Timestamp, i64),
        ColumnType::I128 => check_integers!(I128, i128),
        ColumnType::U8 => check_integers!(U8, u8),
        ColumnType::U16 => check_integers!(U16, u16),
        ColumnType::U32 => check_integers!(U32, u32),
        ColumnType::U64 => check_integers!(U64, u64),
        ColumnType::U128 => check_integers!(U128, u128),
        ColumnType::F32 => {
            check!(F32, f32, f32::total_cmp);
        }
        ColumnType::F64 => {
            check!(F64, f64, f64::total_cmp);
        }
        ColumnType::Uuid => {
            check!(Uuid, [u8; 16], Ord::cmp);
        }
        ColumnType::Bool | ColumnType::String | ColumnType::Bytes => {
            assert!(store.table(TABLE).unwrap().column::<i64>(column).is_none());
        }
    }
}

/// The sum of these values of one column, however they are spread over pages.
fn sum_of<T: Summable>(values: &[T]) -> Result<T::Sum, Error>
where
    Value: From<T>,
{
    let column_type = ColumnType::ALL
        .into_iter()
        .find(|&it| T::reads(it))
        .unwrap();
    let columns = vec![LayoutColumn::required(column_type)];
    let mut store = Store::new([0; 32]);
    let layout = Layout::new(LayoutNumber(1), columns).unwrap();
    store.create_table(TABLE, layout).unwrap();
    for &value in values {
        store.insert(TABLE, &[value.into()]).unwrap();
    }
    store.table(TABLE).unwrap().column::<T>(0).unwrap().sum()
}

#[test]
fn integers_are_summed_exactly() {
    assert_eq!(sum_of::<i64>(&[]), Ok(0));
    assert_eq!(sum_of(&[i64::MAX; 3]), Ok(3 * i128::from(i64::MAX)));
    assert_eq!(sum_of(&[i64::MIN; 5000]), Ok(5000 * i128::from(i64::MIN)));
    assert_eq!(sum_of(&[i64::MIN, i64::MAX, 1]), Ok(0));
    // Around the size up to which a page is summed in 64 bits.
    for near in [(1_i64 << 50) - 1, 1 << 50, (1 << 50) + 1, (1 << 51) + 1] {
        for value in [near, -near] {
            assert_eq!(sum_of(&[value; 4095]), Ok(4095 * i128::from(value)));
            assert_eq!(
                sum_of(&[value.cast_unsigned(); 4095]),
                Ok(4095 * u128::from(value.cast_unsigned()))
            );
        }
    }
    assert_eq!(sum_of(&[u64::MAX; 2]), Ok(2 * u128::from(u64::MAX)));
    assert_eq!(sum_of(&[i32::MIN; 5000]), Ok(5000 * i128::from(i32::MIN)));
    assert_eq!(sum_of(&[u8::MAX; 40_000]), Ok(40_000 * 255));
}

#[test]
fn a_sum_of_128_bits_overflows_only_if_the_total_does() {
    let overflow = Error::SumOverflow {
        table: TABLE,
        column: 0,
    };
    assert_eq!(sum_of(&[i128::MAX, 1, -1]), Ok(i128::MAX));
    assert_eq!(sum_of(&[i128::MIN, -1, 1]), Ok(i128::MIN));
    assert_eq!(sum_of(&[i128::MAX, 1]), Err(overflow.clone()));
    assert_eq!(sum_of(&[i128::MIN, -1]), Err(overflow.clone()));
    assert_eq!(sum_of(&[u128::MAX, 0]), Ok(u128::MAX));
    assert_eq!(sum_of(&[u128::MAX, 1]), Err(overflow));
}

#[test]
fn floats_are_summed_in_f64() {
    assert_eq!(sum_of::<f64>(&[]), Ok(0.0));
    assert_eq!(sum_of(&[0.5_f64; 10_001]), Ok(5000.5));
    assert_eq!(sum_of(&[f32::MAX; 2]), Ok(2.0 * f64::from(f32::MAX)));
    assert_eq!(sum_of(&[f64::MAX; 2]), Ok(f64::INFINITY));
    assert!(sum_of(&[1.0, f64::NAN]).unwrap().is_nan());
}

#[test]
fn folds_in_a_transaction_see_its_own_writes() {
    let columns = vec![LayoutColumn::required(ColumnType::I64)];
    let mut store = Store::new([0; 32]);
    let layout = Layout::new(LayoutNumber(1), columns).unwrap();
    store.create_table(TABLE, layout).unwrap();
    let rows: Vec<RowId> = (1..=1000_i64)
        .map(|number| store.insert(TABLE, &[number.into()]).unwrap())
        .collect();
    let mut transaction = WriteTransaction::new(&store);
    for row in &rows[..10] {
        transaction.delete(TABLE, *row).unwrap();
    }
    transaction.insert(TABLE, &[5000_i64.into()]).unwrap();
    transaction
        .update(TABLE, rows[999], &[(0, (-7_i64).into())])
        .unwrap();
    let table = transaction.table(TABLE).unwrap();
    assert!(table.pages().is_none());
    let folds = table.column::<i64>(0).unwrap();
    assert_eq!(folds.count().unwrap(), 991);
    // 1 to 1000 is 500500; 1 to 10 is 55.
    assert_eq!(folds.sum().unwrap(), 500_500 - 55 - 1000 + 5000 - 7);
    assert_eq!(folds.min().unwrap(), Some(-7));
    assert_eq!(folds.max().unwrap(), Some(5000));
    assert_eq!(folds.count_if(|value| value <= 10).unwrap(), 1);
    assert_eq!(folds.count_if(|value| value == 5000).unwrap(), 1);
    let found = folds.filter(|value| value > 998);
    let found: Vec<Value> = found.map(|row| row.unwrap().value(0).unwrap()).collect();
    assert_eq!(found, [999_i64.into(), 5000_i64.into()]);
}
