//! Rows alone: their bytes, and the pages they stand in, each beside what memory allows.
//!
//! The bounds, sketched before measuring, for rows of (u64, i64, f64, 32-byte string) on a machine that copies 17 GB/s and
//! reads 10 GB/s in order:
//!
//! - a row is 57 bytes encoded: copying it takes 3 ns, checking its UTF-8 about as long; decoding should stay below
//!   25 ns, so that two million rows a second leave 475 ns for the page and the indexes;
//! - into a page go 72 bytes in five places: 15 ns beyond the decoding;
//! - a sum over one column reads 8 bytes a row: 0.8 ns, as over a `Vec<i64>`. Columns come in runs of 3.6 KiB, one a page,
//!   where the hardware's prefetcher starts anew.
//!
//! The `bound` rows measure the plain copy and the plain sum in the same run.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use table::{
    Cell, CellInput, ColumnType, Layout, LayoutColumn, LayoutNumber, PageBuf, RowPageMut,
    RowPageRef, TableId, ValueRef, decode_row, encode_row, format_row_page, row_page_capacity,
};

const OWNER: TableId = TableId(4097);
const TEXT: &str = "thirty-two bytes of text, almost";
const ROWS: u64 = 1_000_000;

fn layout() -> Layout {
    let types = [
        ColumnType::U64,
        ColumnType::I64,
        ColumnType::F64,
        ColumnType::String,
    ];
    Layout::new(LayoutNumber(1), types.map(LayoutColumn::required).to_vec()).expect("valid")
}

#[expect(clippy::cast_precision_loss, reason = "any float serves")]
fn row(number: u64) -> [ValueRef<'static>; 4] {
    let signed = i64::try_from(number).expect("small");
    [
        ValueRef::U64(number),
        ValueRef::I64(signed),
        ValueRef::F64(number as f64),
        ValueRef::String(TEXT),
    ]
}

fn empty_page(layout: &Layout) -> Box<PageBuf> {
    let mut page = PageBuf::zeroed();
    format_row_page(&mut page, layout, row_page_capacity(layout, 32), OWNER);
    page
}

fn pages_of(layout: &Layout, rows: u64) -> Vec<Box<PageBuf>> {
    let mut pages = vec![empty_page(layout)];
    for number in 0..rows {
        let cells = row(number).map(CellInput::from);
        let last = pages.last_mut().expect("one at least");
        let slot = RowPageMut::new(last, layout).and_then(|mut rows| rows.insert(&cells));
        if slot.expect("sound").is_none() {
            let mut page = empty_page(layout);
            RowPageMut::new(&mut page, layout)
                .and_then(|mut rows| rows.insert(&cells))
                .expect("sound");
            pages.push(page);
        }
    }
    pages
}

fn codec(c: &mut Criterion) {
    let layout = layout();
    let rows = 1000;
    let mut encoded = Vec::new();
    for number in 0..rows {
        encode_row(&layout, &row(number), &mut encoded);
    }
    let mut group = c.benchmark_group("1000 rows");
    group.throughput(Throughput::Elements(rows));
    let mut out = Vec::with_capacity(encoded.len());
    group.bench_function("bound: copy the bytes", |b| {
        b.iter(|| {
            out.clear();
            for row in encoded.chunks(57) {
                out.extend_from_slice(black_box(row));
            }
            out.len()
        });
    });
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            for number in 0..rows {
                encode_row(&layout, black_box(&row(number)), &mut out);
            }
            out.len()
        });
    });
    group.bench_function("decode", |b| {
        let mut values = Vec::new();
        b.iter(|| {
            let mut position = 0;
            while position < encoded.len() {
                position += decode_row(&layout, &encoded[position..], &mut values).expect("sound");
                black_box(&values);
            }
        });
    });
    group.bench_function("decode into pages", |b| {
        let empty = empty_page(&layout);
        let mut page = empty.clone();
        let mut values = Vec::new();
        let mut cells = Vec::new();
        b.iter(|| {
            let mut position = 0;
            page.as_bytes_mut().copy_from_slice(empty.as_bytes());
            while position < encoded.len() {
                position += decode_row(&layout, &encoded[position..], &mut values).expect("sound");
                cells.clear();
                cells.extend(values.iter().map(|value| CellInput::from(*value)));
                let slot =
                    RowPageMut::new(&mut page, &layout).and_then(|mut rows| rows.insert(&cells));
                if slot.expect("sound").is_none() {
                    page.as_bytes_mut().copy_from_slice(empty.as_bytes());
                }
            }
        });
    });
    group.finish();
}

fn page(c: &mut Criterion) {
    let layout = layout();
    let pages = pages_of(&layout, ROWS);
    println!(
        "bytes a row of 56 bytes: {:.1}",
        (pages.len() * 32_768) as f64 / ROWS as f64
    );
    let column: Vec<i64> = (0..ROWS)
        .map(|number| i64::try_from(number).expect("small"))
        .collect();

    let mut group = c.benchmark_group("sum of an i64 column of a million rows");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("bound: Vec<i64>", |b| {
        b.iter(|| black_box(&column).iter().sum::<i64>());
    });
    group.bench_function("bound: the same runs of slices", |b| {
        let runs: Vec<Vec<i64>> = column.chunks(453).map(<[i64]>::to_vec).collect();
        b.iter(|| runs.iter().map(|run| run.iter().sum::<i64>()).sum::<i64>());
    });
    group.bench_function("row pages", |b| {
        b.iter(|| {
            let sums = pages.iter().map(|page| {
                let rows = RowPageRef::new(page, &layout).expect("sound");
                rows.fixed_column::<i64>(1)
                    .expect("i64")
                    .iter()
                    .sum::<i64>()
            });
            sums.sum::<i64>()
        });
    });
    group.bench_function("row pages, cell by cell", |b| {
        b.iter(|| {
            let mut sum = 0;
            for page in &pages {
                let rows = RowPageRef::new(page, &layout).expect("sound");
                for slot in rows.live_slots() {
                    if let Ok(Cell::Value(ValueRef::I64(value))) = rows.cell(slot, 1) {
                        sum += value;
                    }
                }
            }
            sum
        });
    });
    group.finish();

    let mut group = c.benchmark_group("every column of a scattered row");
    let capacity = u64::from(row_page_capacity(&layout, 32));
    let boxed: Vec<(u64, i64, f64, String)> = (0..ROWS)
        .map(|number| match row(number) {
            [
                ValueRef::U64(a),
                ValueRef::I64(b),
                ValueRef::F64(c),
                ValueRef::String(d),
            ] => (a, b, c, d.to_owned()),
            _ => unreachable!("the row has these types"),
        })
        .collect();
    let mut number = 0;
    let mut next = move || {
        number = (number + 7_919_777) % ROWS;
        number
    };
    group.bench_function("bound: Vec of tuples", |b| {
        b.iter(|| {
            let row = &boxed[usize::try_from(next()).expect("small")];
            row.0
                + row.1.unsigned_abs()
                + row.2.to_bits()
                + row.3.bytes().map(u64::from).sum::<u64>()
        });
    });
    group.bench_function("row page", |b| {
        b.iter(|| {
            let number = next();
            let page = &pages[usize::try_from(number / capacity).expect("small")];
            let slot = u16::try_from(number % capacity).expect("small");
            let rows = RowPageRef::new(page, &layout).expect("sound");
            (0..4)
                .map(|column| sum_of(rows.cell(slot, column).expect("sound")))
                .sum::<u64>()
        });
    });
    group.finish();
}

fn sum_of(cell: Cell<'_>) -> u64 {
    match cell {
        Cell::Value(ValueRef::U64(value)) => value,
        Cell::Value(ValueRef::I64(value)) => value.unsigned_abs(),
        Cell::Value(ValueRef::F64(value)) => value.to_bits(),
        Cell::Value(ValueRef::String(value)) => value.bytes().map(u64::from).sum(),
        _ => 0,
    }
}

fn churn(c: &mut Criterion) {
    let layout = layout();
    let mut page = pages_of(&layout, 453).remove(0);
    let mut group = c.benchmark_group("a full page");
    let mut slot = 0;
    let texts = [
        "thirty-two bytes of text, almost",
        "twenty bytes of text",
        "forty bytes of text are longer than most",
    ];
    let mut turn = 0;
    group.bench_function("remove and insert", |b| {
        b.iter(|| {
            slot = (slot + 101) % 453;
            turn += 1;
            let mut cells = row(turn).map(CellInput::from);
            cells[3] = CellInput::from(ValueRef::String(
                texts[usize::try_from(turn % 3).expect("small")],
            ));
            let mut rows = RowPageMut::new(&mut page, &layout).expect("sound");
            if rows.as_ref().is_live(slot) {
                rows.remove(slot).expect("sound");
            }
            rows.insert(&cells).expect("sound")
        });
    });
    group.bench_function("update a number", |b| {
        b.iter(|| {
            turn += 1;
            let mut rows = RowPageMut::new(&mut page, &layout).expect("sound");
            let slot = rows
                .as_ref()
                .next_live_slot(slot)
                .expect("one row at least");
            rows.update(slot, 0, &CellInput::from(ValueRef::U64(turn)))
                .expect("sound")
        });
    });
    group.finish();
}

criterion_group!(benches, codec, page, churn);
criterion_main!(benches);
