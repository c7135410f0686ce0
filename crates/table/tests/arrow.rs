//! The Arrow claim: the columns of row pages become Arrow arrays where they lie, and compare equal.
#![allow(clippy::unwrap_used)]

#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;

use arrow_array::types::*;
use arrow_array::{
    Array, ArrowPrimitiveType, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray,
    StringViewArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use bytes::Bytes;
use rows::{Random, layout_of_all_types, random_row};
use seeds::seeds;
use table::{
    ColumnType, FixedValue, Layout, LayoutColumn, PageKind, PageNumber, RowId, RowPageRef, Store,
    TableId, Value, ValueRef,
};

const TABLE: TableId = TableId(5);

/// What keeps a page where it is for as long as an Arrow array refers to it: no later commit changes these bytes.
struct Owner(Store, PageNumber);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0.pages().get(self.1).unwrap().as_bytes()
    }
}

/// A row page and the Arrow buffer over its bytes.
struct ArrowPage<'a> {
    rows: RowPageRef<'a>,
    buffer: Buffer,
}

impl<'a> ArrowPage<'a> {
    fn new(store: &'a Store, number: PageNumber) -> ArrowPage<'a> {
        let mut pages = store.table(TABLE).unwrap().pages().unwrap();
        let page = pages.find_map(|page| page.ok().filter(|page| page.number == number));
        let page = ArrowPage {
            rows: page.unwrap().rows,
            buffer: Buffer::from(Bytes::from_owner(Owner(store.clone(), number))),
        };
        assert_eq!(page.buffer.as_ptr(), page.rows.page().as_bytes().as_ptr());
        page
    }

    /// The part of the buffer that a slice of the page is.
    fn part<T: bytemuck::Pod>(&self, slice: &[T]) -> Buffer {
        let bytes: &[u8] = bytemuck::cast_slice(slice);
        let start = bytes.as_ptr().addr() - self.buffer.as_ptr().addr();
        let part = self.buffer.slice_with_length(start, bytes.len());
        assert_eq!(part.as_ptr(), bytes.as_ptr());
        part
    }

    fn bits(&self, bitmap: &[u8]) -> BooleanBuffer {
        BooleanBuffer::new(self.part(bitmap), 0, usize::from(self.rows.capacity()))
    }

    fn nulls(&self, column: usize) -> Option<NullBuffer> {
        let validity = self.rows.validity(column)?;
        Some(NullBuffer::new(self.bits(validity)))
    }

    fn numbers<A>(&self, column: usize) -> PrimitiveArray<A>
    where
        A: ArrowPrimitiveType,
        A::Native: FixedValue,
    {
        let values = self.rows.fixed_column::<A::Native>(column).unwrap();
        let array = PrimitiveArray::new(ScalarBuffer::from(self.part(values)), self.nulls(column));
        assert_eq!(array.values().as_ptr(), values.as_ptr());
        array
    }

    /// Values of 16 bytes for which Arrow has no number of its own.
    fn sixteen_bytes<T: FixedValue>(&self, column: usize) -> FixedSizeBinaryArray {
        let values = self.rows.fixed_column::<T>(column).unwrap();
        FixedSizeBinaryArray::new(16, self.part(values), self.nulls(column))
    }

    fn views(&self, column: usize) -> ScalarBuffer<u128> {
        ScalarBuffer::from(self.part(self.rows.views(column).unwrap()))
    }

    /// Nothing where Arrow refuses the views.
    fn strings(&self, column: usize) -> Option<StringViewArray> {
        let page = vec![self.buffer.clone()];
        StringViewArray::try_new(self.views(column), page, self.nulls(column)).ok()
    }

    fn bytes(&self, column: usize) -> BinaryViewArray {
        let page = vec![self.buffer.clone()];
        BinaryViewArray::try_new(self.views(column), page, self.nulls(column)).unwrap()
    }
}

/// A table of the layout after random inserts and deletes, and what stands in it.
fn churned(random: &mut Random, layout: Layout, length_max: usize) -> (Store, Rows) {
    let mut store = Store::new([0; 32]);
    store.create_table(TABLE, layout.clone()).unwrap();
    let mut rows = Rows::new();
    for step in 0..600 {
        if step % 3 == 2 {
            let place = random.below(rows.len());
            let row = *rows.keys().nth(place).unwrap();
            store.delete(TABLE, row).unwrap();
            rows.remove(&row);
        } else {
            let values = random_row(random, &layout, length_max);
            rows.insert(store.insert(TABLE, &values).unwrap(), values);
        }
    }
    (store, rows)
}

type Rows = BTreeMap<RowId, Vec<Value>>;

fn row_pages(store: &Store) -> impl Iterator<Item = PageNumber> {
    let pages = store.pages().iter();
    pages
        .filter(|(_, page)| page.bytes().unwrap().kind() == Some(PageKind::Row))
        .map(|(number, _)| number)
}

/// What a column holds, a value for each slot; a free slot is null, or zero where no value may be null.
fn expected<'r, T: Default>(
    page: &ArrowPage<'_>,
    number: PageNumber,
    rows: &'r Rows,
    column: usize,
    value_of: impl Fn(ValueRef<'r>) -> T,
) -> Vec<Option<T>> {
    let nullable = page.rows.validity(column).is_some();
    let slots = (0..page.rows.capacity()).map(|slot| {
        match rows.get(&RowId::new(number, slot)).map(|row| &row[column]) {
            None if nullable => None,
            None => Some(T::default()),
            Some(Value::Null) => None,
            Some(value) => Some(value_of(value.as_ref())),
        }
    });
    slots.collect()
}

#[test]
fn the_columns_of_every_type_are_arrow_arrays_where_they_lie() {
    let mut compared = 0;
    for seed in seeds("arrow", 4) {
        for nullable in [false, true] {
            let mut random = Random(seed);
            let (store, rows) = churned(&mut random, layout_of_all_types(nullable), 40);
            for number in row_pages(&store) {
                let page = ArrowPage::new(&store, number);
                for column in 0..ColumnType::ALL.len() {
                    compare(&page, number, &rows, column);
                    compared += 1;
                }
                // The live rows go out as a selection, which lies in the page too.
                let selection = page.bits(page.rows.live_bitmap());
                let selected: Vec<RowId> = selection
                    .set_indices()
                    .map(|slot| RowId::new(number, u16::try_from(slot).unwrap()))
                    .collect();
                let live = rows.keys().filter(|row| row.page() == number);
                assert_eq!(selected, live.copied().collect::<Vec<_>>());
            }
        }
    }
    println!("{compared} columns compared");
    assert!(compared > 100 || seeds::are_chosen());
}

/// Rows stay where they are when columns come: their pages lend what they have, and say what all rows have of the rest.
#[test]
fn columns_of_pages_of_older_layouts_are_arrow_arrays_too() {
    for nullable in [false, true] {
        let mut random = Random(9);
        let layout = layout_of_all_types(nullable);
        let (mut store, mut rows) = churned(&mut random, layout.clone(), 40);
        let mut columns = layout.columns().to_vec();
        // What is never null may be from now on.
        columns.iter_mut().for_each(|column| column.nullable = true);
        let mut sources: Vec<Option<u16>> = (0..).map(Some).take(columns.len()).collect();
        let added = [
            Value::I64(7),
            Value::from("longer than a view holds"),
            Value::Null,
        ];
        for default in &added {
            columns.push(LayoutColumn {
                column_type: default.column_type().unwrap_or(ColumnType::U8),
                nullable: true,
                default: Some(default.clone()),
            });
            sources.push(None);
        }
        let next = Layout::new(table::LayoutNumber(9), columns).unwrap();
        store.change_layout(TABLE, next.clone(), &sources).unwrap();
        for row in rows.values_mut() {
            row.extend(added.clone());
        }
        for _ in 0..100 {
            let values = random_row(&mut random, &next, 40);
            rows.insert(store.insert(TABLE, &values).unwrap(), values);
        }
        let mut older_count = 0;
        for number in row_pages(&store) {
            let page = ArrowPage::new(&store, number);
            let is_older = page.rows.constant(next.column_count() - 1).is_some();
            older_count += usize::from(is_older);
            for column in 0..next.column_count() {
                match column.checked_sub(layout.column_count()) {
                    Some(place) if is_older => {
                        let constant = page.rows.constant(column).unwrap();
                        assert_eq!(constant, added[place].as_ref());
                        assert!(page.rows.fixed_column::<i64>(column).is_none());
                        assert!(page.rows.views(column).is_none());
                        assert!(page.rows.validity(column).is_none());
                    }
                    _ => compare(&page, number, &rows, column),
                }
            }
        }
        assert!(older_count > 0 && older_count < row_pages(&store).count());
    }
}

/// Compares one column with the array that Arrow makes of the same values, and has Arrow validate it.
fn compare(page: &ArrowPage<'_>, number: PageNumber, rows: &Rows, column: usize) {
    macro_rules! equal {
        ($found:expr, $variant:ident, $expected:ident => $array:expr) => {
            equal!($found, $variant, |value| value, $expected => $array)
        };
        ($found:expr, $variant:ident, |$value:ident| $convert:expr, $expected:ident => $array:expr) => {{
            let found = $found;
            let $expected = expected(page, number, rows, column, |value| match value {
                ValueRef::$variant($value) => $convert,
                other => panic!("{other:?} in column {column}"),
            });
            assert_eq!(found, $array, "column {column}");
            assert_eq!(found.null_count(), $expected.iter().filter(|value| value.is_none()).count());
            found.to_data().validate_full().unwrap();
        }};
    }
    macro_rules! numbers {
        ($variant:ident, $arrow:ty) => {
            equal!(page.numbers::<$arrow>(column), $variant,
                expected => PrimitiveArray::<$arrow>::from_iter(expected.clone()))
        };
    }
    macro_rules! sixteen_bytes {
        ($variant:ident, $rust:ty, |$value:ident| $convert:expr) => {
            equal!(page.sixteen_bytes::<$rust>(column), $variant, |$value| $convert,
                expected => FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                    expected.iter().copied(), 16).unwrap())
        };
    }
    match page.rows.layout().columns()[column].column_type {
        ColumnType::Bool => {
            let bits = page.bits(page.rows.bool_column(column).unwrap());
            equal!(BooleanArray::new(bits, page.nulls(column)), Bool,
                expected => BooleanArray::from(expected.clone()));
        }
        ColumnType::I8 => numbers!(I8, Int8Type),
        ColumnType::I16 => numbers!(I16, Int16Type),
        ColumnType::I32 => numbers!(I32, Int32Type),
        ColumnType::I64 => numbers!(I64, Int64Type),
        ColumnType::U8 => numbers!(U8, UInt8Type),
        ColumnType::U16 => numbers!(U16, UInt16Type),
        ColumnType::U32 => numbers!(U32, UInt32Type),
        ColumnType::U64 => numbers!(U64, UInt64Type),
        ColumnType::F32 => numbers!(F32, Float32Type),
        ColumnType::F64 => numbers!(F64, Float64Type),
        ColumnType::Timestamp => numbers!(Timestamp, TimestampNanosecondType),
        ColumnType::I128 => sixteen_bytes!(I128, i128, |value| value.to_le_bytes()),
        ColumnType::U128 => sixteen_bytes!(U128, u128, |value| value.to_le_bytes()),
        ColumnType::Uuid => sixteen_bytes!(Uuid, [u8; 16], |value| value),
        ColumnType::String => equal!(page.strings(column).unwrap(), String,
            expected => StringViewArray::from_iter(expected.clone())),
        ColumnType::Bytes => equal!(page.bytes(column), Bytes,
            expected => BinaryViewArray::from_iter(expected.clone())),
    }
}

#[test]
fn arrays_outlive_what_a_later_change_does_to_their_page() {
    let layout = layout_of_all_types(false);
    let column = ColumnType::ALL.iter().position(|&it| it == ColumnType::I64);
    let column = column.unwrap();
    let (mut store, rows) = churned(&mut Random(3), layout, 40);
    let number = row_pages(&store).next().unwrap();
    let (array, expected) = {
        let page = ArrowPage::new(&store, number);
        let array = page.numbers::<Int64Type>(column);
        let values: Vec<i64> = array.values().to_vec();
        (array, values)
    };
    for &row in rows.keys().filter(|row| row.page() == number) {
        store.delete(TABLE, row).unwrap();
    }
    assert_eq!(array.values().to_vec(), expected);
    assert!(expected.iter().any(|&value| value != 0));
}

#[test]
fn arrow_refuses_the_view_of_a_value_in_pages_of_its_own() {
    let columns = vec![LayoutColumn::required(ColumnType::String)];
    let layout = Layout::new(table::LayoutNumber(1), columns).unwrap();
    for (bytes, refused) in [(12, false), (13, false), (8000, false), (8001, true)] {
        let mut store = Store::new([0; 32]);
        store.create_table(TABLE, layout.clone()).unwrap();
        let text = "x".repeat(bytes);
        let row = store.insert(TABLE, &[Value::from(&*text)]).unwrap();
        let page = ArrowPage::new(&store, row.page());
        match page.strings(0) {
            Some(array) => {
                assert!(!refused, "{bytes} bytes");
                assert_eq!(array.value(usize::from(row.slot())), text);
            }
            None => assert!(refused, "{bytes} bytes"),
        }
    }
}
