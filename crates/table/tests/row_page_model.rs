//! Row pages against a plain `Vec` of rows: long random histories, every invariant checked after each step.

#![allow(clippy::unwrap_used)]

use table::{
    Cell, CellInput, DamageKind, Layout, LayoutColumn, LongPlace, PageBuf, PageNumber, RowPageMut,
    RowPageRef, TableId, Value, check_row_page, format_row_page, row_page_capacity,
};

#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;
use rows::{Random, layout_of_all_types, random_layout, random_row, random_value};
use seeds::seeds;

/// What the model knows of a cell.
#[derive(Debug, Clone, PartialEq)]
enum ModelCell {
    Here(Value),
    Long { len: u32, place: LongPlace },
}

type ModelRow = Option<Vec<ModelCell>>;

fn random_cell(random: &mut Random, column: &LayoutColumn, length_max: usize) -> ModelCell {
    if column.column_type.fixed_width().is_none() && random.one_in(12) {
        let place = if random.one_in(2) {
            let first_page = u32::try_from(random.below(1 << 28)).unwrap();
            LongPlace::Chain(PageNumber::new(first_page).unwrap())
        } else {
            LongPlace::Spill {
                number: random.below((1 << 40) - 512) as u64,
                byte_offset: u32::try_from(random.below(1 << 23)).unwrap(),
            }
        };
        return ModelCell::Long {
            len: u32::try_from(13 + random.below(1 << 30)).unwrap(),
            place,
        };
    }
    ModelCell::Here(random_value(random, column, length_max))
}

fn input(cell: &ModelCell) -> CellInput<'_> {
    match cell {
        ModelCell::Here(value) => CellInput::Value(value.as_ref()),
        ModelCell::Long { len, place } => CellInput::Long {
            len: *len,
            prefix: *b"long",
            place: *place,
        },
    }
}

fn heap_bytes(row: &[ModelCell]) -> u32 {
    row.iter().map(|cell| input(cell).heap_bytes()).sum()
}

/// Everything the page says is what the model says, and every invariant holds.
fn assert_same(page: &PageBuf, layout: &Layout, model: &[ModelRow]) {
    check_row_page(page, layout).unwrap();
    let rows = RowPageRef::new(page, layout).unwrap();
    assert_eq!(usize::from(rows.capacity()), model.len());
    let live: Vec<u16> = (0..rows.capacity())
        .filter(|slot| model[usize::from(*slot)].is_some())
        .collect();
    assert_eq!(rows.live_slots().collect::<Vec<_>>(), live);
    assert_eq!(usize::from(rows.live_count()), live.len());
    let used: u32 = model.iter().flatten().map(|row| heap_bytes(row)).sum();
    let empty_room = rows.heap_free_bytes() + used;
    for (slot, row) in (0..rows.capacity()).zip(model) {
        assert_eq!(rows.is_live(slot), row.is_some());
        let Some(row) = row else { continue };
        for (column, cell) in row.iter().enumerate() {
            match (rows.cell(slot, column).unwrap(), cell) {
                (Cell::Value(found), ModelCell::Here(value)) => assert_eq!(found, value.as_ref()),
                (Cell::Long { len, place, .. }, cell) => {
                    assert_eq!(*cell, ModelCell::Long { len, place });
                }
                (found, cell) => panic!("slot {slot}, column {column}: {found:?} is not {cell:?}"),
            }
        }
    }
    // The heap has exactly the room that is not taken: nothing leaks.
    let mut fresh = PageBuf::zeroed();
    format_row_page(&mut fresh, layout, rows.capacity(), TableId(3));
    assert_eq!(
        RowPageRef::new(&fresh, layout).unwrap().heap_free_bytes(),
        empty_room
    );
}

fn live_history(seed: u64, layout: &Layout, length_max: usize, steps: usize) {
    let mut random = Random(seed);
    let average = u32::try_from(random.below(length_max + 1)).unwrap();
    let capacity = row_page_capacity(layout, average);
    let mut page = PageBuf::zeroed();
    format_row_page(&mut page, layout, capacity, TableId(3));
    let mut model: Vec<ModelRow> = vec![None; usize::from(capacity)];
    for step in 0..steps {
        let free_before = RowPageRef::new(&page, layout).unwrap().heap_free_bytes();
        let live: Vec<u16> = RowPageRef::new(&page, layout)
            .unwrap()
            .live_slots()
            .collect();
        let mut rows = RowPageMut::new(&mut page, layout).unwrap();
        // Phases of growth and of decline, so that pages fill, empty and fill again.
        let growing = step / 60 % 2 == 0;
        let choice = random.below(10);
        if live.is_empty() || (choice < if growing { 6 } else { 2 }) {
            let row: Vec<ModelCell> = layout
                .columns()
                .iter()
                .map(|column| random_cell(&mut random, column, length_max))
                .collect();
            let cells: Vec<CellInput<'_>> = row.iter().map(input).collect();
            let free = model.iter().position(Option::is_none);
            match rows.insert(&cells).unwrap() {
                Some(slot) => {
                    assert_eq!(Some(usize::from(slot)), free, "the lowest free slot");
                    model[usize::from(slot)] = Some(row);
                }
                None => assert!(free.is_none() || heap_bytes(&row) > free_before),
            }
        } else {
            let slot = live[random.below(live.len())];
            if choice < 8 {
                let column = random.below(layout.column_count());
                let cell = random_cell(&mut random, &layout.columns()[column], length_max);
                let row = model[usize::from(slot)].as_mut().unwrap();
                let old = input(&row[column]).heap_bytes();
                let new = input(&cell).heap_bytes();
                assert_eq!(rows.grows(slot, column, &input(&cell)).unwrap(), new > old);
                let done = rows.update(slot, column, &input(&cell)).unwrap();
                assert_eq!(done, new <= old + free_before);
                if done {
                    row[column] = cell;
                }
            } else {
                rows.remove(slot).unwrap();
                model[usize::from(slot)] = None;
            }
        }
        assert_same(&page, layout, &model);
    }
    for slot in 0..capacity {
        if model[usize::from(slot)].take().is_some() {
            RowPageMut::new(&mut page, layout)
                .unwrap()
                .remove(slot)
                .unwrap();
        }
    }
    let mut fresh = PageBuf::zeroed();
    format_row_page(&mut fresh, layout, capacity, TableId(3));
    assert_eq!(
        page.as_bytes(),
        fresh.as_bytes(),
        "an emptied page is as if new"
    );
}

#[test]
fn random_histories_match_a_vec_of_rows() {
    for seed in seeds("row_page_model", 60) {
        let mut random = Random(seed ^ 0x5eed);
        let layout = match seed % 4 {
            0 => layout_of_all_types(seed % 8 == 0),
            _ => random_layout(&mut random, 8),
        };
        // Long values make few rows a page and many compactions; short ones the other way round.
        let length_max = [24, 300, 3000, 7900][random.below(4)];
        live_history(seed, &layout, length_max, 240);
    }
}

#[test]
fn same_history_makes_the_same_bytes() {
    let layout = layout_of_all_types(true);
    let build = || {
        let mut random = Random(11);
        let mut page = PageBuf::zeroed();
        format_row_page(
            &mut page,
            &layout,
            row_page_capacity(&layout, 100),
            TableId(3),
        );
        let mut rows = RowPageMut::new(&mut page, &layout).unwrap();
        for step in 0..200 {
            let row = random_row(&mut random, &layout, 200);
            let cells: Vec<CellInput<'_>> = row
                .iter()
                .map(|value| CellInput::from(value.as_ref()))
                .collect();
            let slot = rows.insert(&cells).unwrap();
            if step % 3 == 0 || slot.is_none() {
                let live: Vec<u16> = rows.as_ref().live_slots().collect();
                rows.remove(live[random.below(live.len())]).unwrap();
            }
        }
        page
    };
    assert_eq!(build().as_bytes(), build().as_bytes());
}

#[test]
fn planned_capacity_has_heap_room_for_every_row() {
    for seed in seeds("row_page_model", 300) {
        let mut random = Random(seed);
        let column_count_max = 1 + random.below(40);
        let layout = random_layout(&mut random, column_count_max);
        for average in [0, 1, 13, 200, 4000, 8000, u32::MAX] {
            let capacity = row_page_capacity(&layout, average);
            assert!((1..=4095).contains(&capacity));
            let mut page = PageBuf::zeroed();
            format_row_page(&mut page, &layout, capacity, TableId(3));
            let room = RowPageRef::new(&page, &layout).unwrap().heap_free_bytes();
            assert!(
                room >= average.min(8000) * u32::from(capacity),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn the_widest_layout_holds_a_row_with_a_full_heap() {
    let columns = vec![LayoutColumn::nullable(table::ColumnType::String); 1024];
    let layout = Layout::new(table::LayoutNumber(0), columns).unwrap();
    let capacity = row_page_capacity(&layout, 8000);
    assert_eq!(capacity, 1);
    let mut page = PageBuf::zeroed();
    format_row_page(&mut page, &layout, capacity, TableId(3));
    let mut row = vec![Value::Null; 1024];
    row[1000] = Value::String("x".repeat(8000));
    let cells: Vec<CellInput<'_>> = row
        .iter()
        .map(|value| CellInput::from(value.as_ref()))
        .collect();
    let mut rows = RowPageMut::new(&mut page, &layout).unwrap();
    assert_eq!(rows.insert(&cells).unwrap(), Some(0));
    assert_eq!(
        rows.as_ref().cell(0, 1000).unwrap(),
        Cell::Value(row[1000].as_ref())
    );
}

#[test]
fn free_slots_and_slots_beyond_the_capacity_are_damage_to_read() {
    let layout = layout_of_all_types(true);
    let mut page = PageBuf::zeroed();
    format_row_page(&mut page, &layout, 5, TableId(3));
    let mut rows = RowPageMut::new(&mut page, &layout).unwrap();
    for slot in [0, 4, 5, 4095, u16::MAX] {
        let is_damage =
            |result: Result<(), DamageKind>| matches!(result, Err(DamageKind::Structure(_)));
        assert!(is_damage(rows.as_ref().cell(slot, 0).map(drop)));
        assert!(is_damage(rows.remove(slot)));
        assert!(is_damage(rows.update(slot, 13, &CellInput::NULL).map(drop)));
        assert_eq!(rows.as_ref().next_live_slot(slot), None);
    }
}

#[test]
fn whole_columns_read_as_slices_with_zero_where_nothing_is() {
    let layout = layout_of_all_types(true);
    let mut random = Random(5);
    let mut page = PageBuf::zeroed();
    format_row_page(
        &mut page,
        &layout,
        row_page_capacity(&layout, 60),
        TableId(3),
    );
    let mut rows = RowPageMut::new(&mut page, &layout).unwrap();
    let mut model = Vec::new();
    while let Some(slot) = {
        let row = random_row(&mut random, &layout, 40);
        let cells: Vec<CellInput<'_>> = row
            .iter()
            .map(|value| CellInput::from(value.as_ref()))
            .collect();
        let slot = rows.insert(&cells).unwrap();
        model.push(row);
        slot
    } {
        if slot % 3 == 0 && slot > 0 {
            rows.remove(slot - 1).unwrap();
        }
    }
    let rows = RowPageRef::new(&page, &layout).unwrap();
    let sum = |column: usize, of: fn(&Value) -> i128| -> i128 {
        rows.live_slots()
            .map(|slot| match rows.cell(slot, column).unwrap() {
                Cell::Value(value) => of(&value.to_value()),
                Cell::Long { .. } => 0,
            })
            .sum()
    };
    let i64_sum: i128 = rows
        .fixed_column::<i64>(4)
        .unwrap()
        .iter()
        .map(|value| i128::from(*value))
        .sum();
    assert_eq!(
        i64_sum,
        sum(4, |value| if let Value::I64(value) = value {
            (*value).into()
        } else {
            0
        })
    );
    let u16_sum: i128 = rows
        .fixed_column::<u16>(7)
        .unwrap()
        .iter()
        .map(|value| i128::from(*value))
        .sum();
    assert_eq!(
        u16_sum,
        sum(7, |value| if let Value::U16(value) = value {
            (*value).into()
        } else {
            0
        })
    );
    let time_sum: i128 = rows
        .fixed_column::<i64>(16)
        .unwrap()
        .iter()
        .map(|value| i128::from(*value))
        .sum();
    assert_eq!(
        time_sum,
        sum(16, |value| if let Value::Timestamp(value) = value {
            (*value).into()
        } else {
            0
        })
    );
    let trues: u32 = rows
        .bool_column(0)
        .unwrap()
        .iter()
        .map(|byte| byte.count_ones())
        .sum();
    assert_eq!(
        i128::from(trues),
        sum(0, |value| i128::from(*value == Value::Bool(true)))
    );
    let valid: u32 = rows
        .validity(13)
        .unwrap()
        .iter()
        .map(|byte| byte.count_ones())
        .sum();
    assert_eq!(
        i128::from(valid),
        sum(13, |value| i128::from(!value.is_null()))
    );
    assert!(rows.fixed_column::<u64>(4).is_none());
    assert!(rows.fixed_column::<u8>(0).is_none());
    assert!(rows.bool_column(1).is_none());
    assert!(rows.views(12).is_none());
    for (column, width) in [(5, 16), (4, 8), (3, 4), (2, 2)] {
        let address = match width {
            16 => rows.fixed_column::<i128>(column).unwrap().as_ptr().addr(),
            8 => rows.fixed_column::<i64>(column).unwrap().as_ptr().addr(),
            4 => rows.fixed_column::<i32>(column).unwrap().as_ptr().addr(),
            _ => rows.fixed_column::<i16>(column).unwrap().as_ptr().addr(),
        };
        assert_eq!(
            address % 8.max(width),
            0,
            "columns are aligned as Arrow asks"
        );
    }
}
