//! Hostile bytes through every decoder of rows: whatever they are, the answer is a value or an error, at once.

#![allow(clippy::unwrap_used)]

use table::{
    Cell, CellInput, ColumnType, Layout, LayoutColumn, LayoutNumber, Marks, Operation, PAGE_BYTES,
    PageBuf, RowPageMut, RowPageRef, TableId, Transaction, TransactionBuilder, UpdateRow, ValueRef,
    check_row_page, decode_key, decode_value, encode_key, encode_row, encode_update_row,
    encode_value, format_row_page, row_page_capacity,
};

#[path = "support/allocated.rs"]
mod allocated;
#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;
use allocated::within;
use rows::{Random, layout_of_all_types, random_layout, random_row, random_value, refs};
use seeds::{are_chosen, seeds};

/// What lists of the values of a row or of the columns of a layout take, and more.
const BYTES_MAX: usize = 16 << 10;

fn layout_of(seed: u64) -> Layout {
    match seed % 3 {
        0 => layout_of_all_types(true),
        1 => layout_of_all_types(false),
        _ => random_layout(&mut Random(seed), 12),
    }
}

/// Walks a transaction and reads each group's rows with every method. Returns how many rows were read.
fn fuzz_transaction(data: &[u8], layout: &Layout) -> usize {
    let _ = Marks::peek(data);
    let Ok(transaction) = Transaction::parse(data) else {
        return 0;
    };
    let key: Vec<u16> = if layout.column_count() > 2 {
        vec![2, 0]
    } else {
        vec![0]
    };
    let mut read = 0;
    for group in transaction.groups() {
        let (mut values, mut update) = (Vec::new(), UpdateRow::default());
        let mut reader = group.reader();
        while reader.row(layout, &mut values).unwrap_or(false) {
            assert_eq!(values.len(), layout.column_count());
            read += 1;
        }
        let mut reader = group.reader();
        while reader.key(layout, &key, &mut values).unwrap_or(false) {
            assert_eq!(values.len(), key.len());
            read += 1;
        }
        let mut reader = group.reader();
        while reader.update(layout, &key, &mut update).unwrap_or(false) {
            assert!(!update.changes.is_empty());
            read += 1;
        }
    }
    read
}

/// Reads a page through every accessor, changes it, and checks it. Returns whether it was accepted at all.
fn fuzz_row_page(data: &[u8; PAGE_BYTES], layout: &Layout, random: &mut Random) -> bool {
    let mut page = PageBuf::copied_from(data);
    let verdict = check_row_page(&page, layout);
    let Ok(rows) = RowPageRef::new(&page, layout) else {
        assert!(verdict.is_err());
        return false;
    };
    let mut damaged_cells = 0;
    for slot in rows.live_slots().take(200) {
        for column in 0..layout.column_count() {
            match rows.cell(slot, column) {
                Ok(Cell::Value(ValueRef::String(text))) => drop(text.to_owned()),
                Ok(Cell::Value(ValueRef::Bytes(bytes))) => assert!(bytes.len() <= PAGE_BYTES),
                Ok(_) => {}
                Err(_) => damaged_cells += 1,
            }
        }
    }
    assert!(
        damaged_cells == 0 || verdict.is_err(),
        "a damaged cell that check does not see"
    );
    for column in 0..layout.column_count() {
        let capacity = usize::from(rows.capacity());
        assert!(
            rows.fixed_column::<i64>(column)
                .is_none_or(|values| values.len() == capacity)
        );
        assert!(
            rows.fixed_column::<[u8; 16]>(column)
                .is_none_or(|values| values.len() == capacity)
        );
        assert!(
            rows.views(column)
                .is_none_or(|views| views.len() == capacity)
        );
        let _ = (rows.bool_column(column), rows.validity(column));
    }
    for _ in 0..20 {
        let mut rows = RowPageMut::new(&mut page, layout).unwrap();
        let slot = u16::try_from(random.below(usize::from(rows.as_ref().capacity()) + 1)).unwrap();
        let column = random.below(layout.column_count());
        let row = random_row(random, layout, 400);
        let result = match random.below(3) {
            0 => {
                let cells: Vec<CellInput<'_>> =
                    refs(&row).into_iter().map(CellInput::from).collect();
                rows.insert(&cells).map(drop)
            }
            1 => rows
                .update(slot, column, &CellInput::from(row[column].as_ref()))
                .map(drop),
            _ => rows.remove(slot),
        };
        // A sound page stays sound; a damaged one is dropped by whoever holds it at the first error.
        if verdict.is_ok() {
            check_row_page(&page, layout).unwrap();
        } else if result.is_err() || RowPageRef::new(&page, layout).is_err() {
            break;
        }
    }
    verdict.is_ok()
}

fn fuzz_value(data: &[u8]) {
    if let Ok(value) = decode_value(data) {
        assert_eq!(encode_value(value), data);
    }
}

fn fuzz_key(data: &[u8], layout: &Layout) {
    let types: Vec<_> = layout
        .columns()
        .iter()
        .map(|column| column.column_type)
        .collect();
    if let Ok(values) = decode_key(&types, data) {
        let mut again = Vec::new();
        encode_key(refs(&values), &mut again);
        assert_eq!(again, data);
    }
}

fn valid_transaction(random: &mut Random, layout: &Layout) -> Vec<u8> {
    let mut builder = TransactionBuilder::new(0);
    for _ in 0..1 + random.below(3) {
        let operation = Operation::ALL[random.below(4)];
        let mut group = builder.group(TableId(1), layout.number(), operation);
        for _ in 0..1 + random.below(4) {
            let row = random_row(random, layout, 60);
            group.push_with(|bytes| match operation {
                Operation::Update => {
                    let key = refs(&row)[..1].to_vec();
                    let changes = vec![(0, row[0].as_ref())];
                    encode_update_row(layout, &[0], &UpdateRow { key, changes }, bytes);
                }
                _ => encode_row(layout, &refs(&row), bytes),
            });
        }
    }
    builder.finish()
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..1 + random.below(4) {
        let at = random
            .below(bytes.len().max(1))
            .min(bytes.len().saturating_sub(1));
        match random.below(5) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = [0, 0xff, 0x7f, 0x80][random.below(4)],
            2 if bytes.len() - at >= 8 => bytes[at..at + 8].fill(0xff),
            3 => bytes.truncate(at),
            _ => bytes.insert(at, random.next().to_le_bytes()[0]),
        }
    }
}

#[test]
fn hostile_transactions_are_refused_or_read() {
    let mut read = 0;
    for seed in seeds("row_fuzz", 6000) {
        let mut random = Random(seed);
        let layout = layout_of(seed);
        let mut bytes = if random.one_in(6) {
            let length = random.below(200);
            random.bytes(length)
        } else {
            valid_transaction(&mut random, &layout)
        };
        if !random.one_in(10) {
            mutate(&mut random, &mut bytes);
        }
        let justified = BYTES_MAX + 16 * bytes.len();
        read += within(justified, || fuzz_transaction(&bytes, &layout));
    }
    assert!(
        read > 1000 || are_chosen(),
        "the mutations leave nothing to read"
    );
}

#[test]
fn lengths_beyond_the_payload_are_refused_without_reading() {
    let layout = layout_of_all_types(true);
    let valid = valid_transaction(&mut Random(1), &layout);
    for length in [
        valid.len() as u64,
        1 << 32,
        u64::MAX,
        u64::MAX - 31,
        1 << 63,
    ] {
        let mut bytes = valid.clone();
        bytes[24..32].copy_from_slice(&length.to_le_bytes());
        assert!(Transaction::parse(&bytes).is_err());
    }
    for row_count in [0, 1 << 20, u32::MAX] {
        let mut bytes = valid.clone();
        bytes[20..24].copy_from_slice(&u32::to_le_bytes(row_count));
        assert!(Transaction::parse(&bytes).is_err());
    }
}

#[test]
fn hostile_keys_and_values_are_refused_or_canonical() {
    for seed in seeds("row_fuzz", 20_000) {
        let mut random = Random(seed);
        let layout = random_layout(&mut random, 3);
        let row = random_row(&mut random, &layout, 20);
        let mut key = Vec::new();
        encode_key(refs(&row), &mut key);
        mutate(&mut random, &mut key);
        within(BYTES_MAX, || fuzz_key(&key, &layout));
        let mut value = encode_value(random_value(&mut random, &layout.columns()[0], 20).as_ref());
        mutate(&mut random, &mut value);
        within(BYTES_MAX, || fuzz_value(&value));
        let noise = random.bytes(18);
        fuzz_value(&noise);
        fuzz_key(&noise, &layout);
    }
}

fn valid_page(random: &mut Random, layout: &Layout) -> Box<PageBuf> {
    let average = u32::try_from(random.below(600)).unwrap();
    let mut page = PageBuf::zeroed();
    format_row_page(
        &mut page,
        layout,
        row_page_capacity(layout, average),
        TableId(1),
    );
    let mut rows = RowPageMut::new(&mut page, layout).unwrap();
    for _ in 0..random.below(60) {
        let row = random_row(random, layout, 300);
        let cells: Vec<CellInput<'_>> = refs(&row).into_iter().map(CellInput::from).collect();
        if rows.insert(&cells).unwrap().is_none() {
            let live: Vec<u16> = rows.as_ref().live_slots().collect();
            if live.is_empty() {
                break;
            }
            rows.remove(live[random.below(live.len())]).unwrap();
        }
    }
    page
}

#[test]
fn hostile_pages_are_refused_or_read() {
    let (mut sound, mut refused) = (0, 0);
    for seed in seeds("row_fuzz", 400) {
        let mut random = Random(seed);
        let layout = layout_of(seed);
        let mut page = valid_page(&mut random, &layout);
        let bytes = page.as_bytes_mut();
        match seed % 8 {
            0 => {}
            // The header, where a byte says most.
            1 | 2 => {
                let at = random.below(40);
                bytes[at] = random.next().to_le_bytes()[0];
            }
            3 => {
                let noise = random.bytes(PAGE_BYTES - 64);
                bytes[64..].copy_from_slice(&noise);
            }
            4 => {
                let noise = random.bytes(PAGE_BYTES);
                bytes.copy_from_slice(&noise);
                bytes[0] = 1;
                bytes[1] = 1;
            }
            _ => {
                for _ in 0..1 + random.below(30) {
                    let end = if random.one_in(2) {
                        2000
                    } else {
                        PAGE_BYTES - 64
                    };
                    let at = 64 + random.below(end);
                    bytes[at] ^= 1 << random.below(8);
                }
            }
        }
        let data = *page.as_bytes();
        let mut fuzz = || fuzz_row_page(&data, &layout, &mut random);
        if within(BYTES_MAX + 4 * PAGE_BYTES, &mut fuzz) {
            sound += 1
        } else {
            refused += 1
        }
    }
    assert!(sound >= 50 || are_chosen());
    assert!(refused >= 200 || are_chosen());
}

/// A page of one nullable string and one bool with four slots: two long texts, a short one, and a free slot.
///
/// Its views begin at byte 80, the strings' validity at 144, the bools at 152; the texts stand at 32748 and 32728.
fn page_of_texts(layout: &Layout) -> Box<PageBuf> {
    let mut page = PageBuf::zeroed();
    format_row_page(&mut page, layout, 4, TableId(1));
    let mut rows = RowPageMut::new(&mut page, layout).unwrap();
    for text in ["twenty bytes of text", "twenty more of bytes", "short"] {
        let cells = [ValueRef::String(text), ValueRef::Bool(true)].map(CellInput::from);
        rows.insert(&cells).unwrap().unwrap();
    }
    page
}

#[test]
fn each_rule_of_a_row_page_is_checked() {
    let columns = vec![
        LayoutColumn::nullable(ColumnType::String),
        LayoutColumn::required(ColumnType::Bool),
    ];
    let layout = Layout::new(LayoutNumber(7), columns).unwrap();
    check_row_page(&page_of_texts(&layout), &layout).unwrap();
    type Change = fn(&mut [u8]);
    let rows: &[(&str, Change)] = &[
        ("its kind is 2, expected 1", |page| page[0] = 2),
        ("its version is 2, which this build does not know", |page| {
            page[1] = 2
        }),
        ("a row page has a newer layout than its table", |page| {
            page[32] = 8
        }),
        ("a row page's slot counts are impossible", |page| {
            page[24] = 0
        }),
        ("a row page's slot counts are impossible", |page| {
            page[25] = 0x10
        }),
        ("a row page's slot counts are impossible", |page| {
            page[26] = 5
        }),
        ("a row page's heap begins at an impossible place", |page| {
            page[28..30].copy_from_slice(&[0x9f, 0])
        }),
        ("a row page's heap begins at an impossible place", |page| {
            page[29] = 0x81
        }),
        ("a row page's heap has more holes than bytes", |page| {
            page[30] = 41
        }),
        ("a slot beyond the capacity is live", |page| {
            page[64] |= 1 << 4
        }),
        ("a row page's header has bytes of no meaning", |page| {
            page[63] = 1
        }),
        ("a row page's header has bytes of no meaning", |page| {
            page[36] = 1
        }),
        ("a row page's header has bytes of no meaning", |page| {
            page[2] = 1
        }),
        ("a row page's live count is wrong", |page| page[26] = 2),
        ("a row page has bytes that nothing refers to", |page| {
            page[79] = 1
        }),
        ("a row page has bytes that nothing refers to", |page| {
            page[80 + 3 * 16] = 1
        }),
        ("a row page has bytes that nothing refers to", |page| {
            page[1000] = 1
        }),
        ("a free slot has a validity bit", |page| page[144] |= 1 << 3),
        ("a free slot has a validity bit", |page| page[151] |= 1 << 7),
        ("a free slot or a null is true", |page| page[152] |= 1 << 3),
        ("a short value is followed by stale bytes", |page| {
            page[80 + 2 * 16 + 15] = 1
        }),
        ("a string is not utf-8", |page| page[80 + 2 * 16 + 4] = 0xff),
        ("a string is not utf-8", |page| page[32767] = 0xff),
        ("a view's prefix is wrong", |page| page[80 + 4] = b'T'),
        ("a view leaves the heap", |page| page[80 + 13] = 0x7e),
        ("a view leaves the heap", |page| page[80] = 21),
        ("a view leaves the heap", |page| page[80 + 3] = 0xff),
        ("a view names a buffer that does not exist", |page| {
            page[80 + 8] = 1
        }),
        ("a view's page number has more than 28 bits", |page| {
            page[80 + 8..80 + 12].fill(0xff);
            page[80 + 15] = 0x10;
        }),
        ("a row page's heap does not add up", |page| page[80] = 19),
        // A null whose view and text stay: the text is a hole that is not counted.
        ("a row page's heap does not add up", |page| page[144] &= !1),
        // The second text's view points to the first; its own bytes are zero and counted as a hole.
        ("two values share bytes of the heap", |page| {
            page.copy_within(80..96, 96);
            page[32728..32748].fill(0);
            page[30] = 20;
        }),
        // A hole that is counted and not zero.
        ("a row page has bytes that nothing refers to", |page| {
            page[96..112].fill(0);
            page[30] = 20;
        }),
    ];
    for (message, change) in rows {
        let mut page = page_of_texts(&layout);
        change(page.as_bytes_mut());
        let verdict = check_row_page(&page, &layout);
        assert_eq!(
            verdict.map_err(|kind| kind.to_string()),
            Err((*message).to_owned())
        );
    }
}

/// Every bit of a page that is flipped is found by the check, or stands in a value and changes it.
#[test]
fn every_flipped_bit_of_a_small_page_is_found_or_is_a_value() {
    let layout = layout_of_all_types(true);
    let mut random = Random(3);
    let mut page = PageBuf::zeroed();
    format_row_page(&mut page, &layout, 4, TableId(1));
    let mut rows = RowPageMut::new(&mut page, &layout).unwrap();
    for _ in 0..3 {
        let row = random_row(&mut random, &layout, 40);
        let cells: Vec<CellInput<'_>> = refs(&row).into_iter().map(CellInput::from).collect();
        rows.insert(&cells).unwrap().unwrap();
    }
    let cells_of = |page: &PageBuf| -> Vec<String> {
        let rows = RowPageRef::new(page, &layout).unwrap();
        rows.live_slots()
            .flat_map(|slot| (0..layout.column_count()).map(move |column| (slot, column)))
            .map(|(slot, column)| format!("{:?}", rows.cell(slot, column)))
            .collect()
    };
    let before = cells_of(&page);
    let sound = *page.as_bytes();
    let mut values_changed = 0;
    // The links of the page's lists and its flags belong to the heap of the table, not to the page.
    let outside = |at: usize| at == 3 || (4..24).contains(&at) || (32..36).contains(&at);
    for at in (0..PAGE_BYTES).filter(|at| !outside(*at)) {
        for bit in 0..8 {
            let bytes = page.as_bytes_mut();
            bytes[at] ^= 1 << bit;
            if check_row_page(&page, &layout).is_ok() {
                assert_ne!(cells_of(&page), before, "byte {at}, bit {bit}");
                values_changed += 1;
            }
            page.as_bytes_mut()[at] ^= 1 << bit;
            // A whole pass over the free middle of the page would only repeat itself.
            if (2000..30_000).contains(&at) && !at.is_multiple_of(97) {
                break;
            }
        }
    }
    assert_eq!(*page.as_bytes(), sound);
    assert!(values_changed > 500);
}
