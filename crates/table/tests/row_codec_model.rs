//! Encoded rows and transactions: they read back, and each row has exactly one encoding.

#![allow(clippy::unwrap_used)]

use table::{
    Layout, LayoutColumn, LayoutNumber, Marks, Operation, TableId, Transaction, TransactionBuilder,
    UpdateRow, Value, ValueRef, decode_key_row, decode_row, decode_update_row, encode_key_row,
    encode_row, encode_update_row,
};

#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeds.rs"]
mod seeds;
use rows::{Random, layout_of_all_types, random_layout, random_row, random_value, refs};
use seeds::{are_chosen, seeds};

fn layout_of(random: &mut Random, seed: u64) -> Layout {
    if seed.is_multiple_of(5) {
        layout_of_all_types(seed.is_multiple_of(2))
    } else {
        random_layout(random, 20)
    }
}

fn random_key(random: &mut Random, layout: &Layout) -> Vec<u16> {
    let count = 1 + random.below(3);
    (0..count)
        .map(|_| u16::try_from(random.below(layout.column_count())).unwrap())
        .collect()
}

fn column(layout: &Layout, position: u16) -> &LayoutColumn {
    &layout.columns()[usize::from(position)]
}

fn random_update(
    random: &mut Random,
    layout: &Layout,
    key: &[u16],
) -> (Vec<Value>, Vec<(usize, Value)>) {
    let key_values = key
        .iter()
        .map(|position| random_value(random, column(layout, *position), 40))
        .collect();
    let always = random.below(layout.column_count());
    let mut changes = Vec::new();
    for (position, definition) in layout.columns().iter().enumerate() {
        if position == always || random.one_in(3) {
            changes.push((position, random_value(random, definition, 300)));
        }
    }
    (key_values, changes)
}

fn update_of<'a>(key: &'a [Value], changes: &'a [(usize, Value)]) -> UpdateRow<'a> {
    let changes = changes
        .iter()
        .map(|(position, value)| (*position, value.as_ref()))
        .collect();
    UpdateRow {
        key: refs(key),
        changes,
    }
}

#[test]
fn rows_keys_and_updates_read_back() {
    for seed in seeds("row_codec_model", 1500) {
        let mut random = Random(seed);
        let layout = layout_of(&mut random, seed);
        let row = random_row(&mut random, &layout, 300);
        let mut bytes = Vec::new();
        encode_row(&layout, &refs(&row), &mut bytes);
        let length = bytes.len();
        bytes.extend_from_slice(b"what follows");
        let mut values = vec![ValueRef::Null];
        assert_eq!(
            decode_row(&layout, &bytes, &mut values).unwrap(),
            length,
            "seed {seed}"
        );
        assert_eq!(values, refs(&row), "seed {seed}");

        let key = random_key(&mut random, &layout);
        let (key_values, changes) = random_update(&mut random, &layout, &key);
        let mut bytes = Vec::new();
        encode_key_row(&layout, &key, &refs(&key_values), &mut bytes);
        assert_eq!(
            decode_key_row(&layout, &key, &bytes, &mut values).unwrap(),
            bytes.len()
        );
        assert_eq!(values, refs(&key_values), "seed {seed}");

        let update = update_of(&key_values, &changes);
        let mut bytes = Vec::new();
        encode_update_row(&layout, &key, &update, &mut bytes);
        let mut found = UpdateRow::default();
        assert_eq!(
            decode_update_row(&layout, &key, &bytes, &mut found).unwrap(),
            bytes.len()
        );
        assert_eq!(found, update, "seed {seed}");
    }
}

/// Each one-byte change of an encoding either fails or is the encoding of another row.
#[test]
fn every_changed_byte_is_refused_or_another_row() {
    let mut accepted = 0;
    let mut refused = 0;
    for seed in seeds("row_codec_model", 60) {
        let mut random = Random(seed);
        let layout = layout_of(&mut random, seed);
        let row = random_row(&mut random, &layout, 30);
        let mut original = Vec::new();
        encode_row(&layout, &refs(&row), &mut original);
        let mut again = Vec::new();
        for at in 0..original.len() {
            for flip in 1..=255 {
                let mut bytes = original.clone();
                bytes[at] ^= flip;
                let mut values = Vec::new();
                let Ok(taken) = decode_row(&layout, &bytes, &mut values) else {
                    refused += 1;
                    continue;
                };
                again.clear();
                encode_row(&layout, &values, &mut again);
                assert_eq!(again, bytes[..taken], "seed {seed}, byte {at}, flip {flip}");
                assert_ne!(values, refs(&row), "seed {seed}: two encodings of one row");
                accepted += 1;
            }
        }
        for length in 0..original.len() {
            assert!(decode_row(&layout, &original[..length], &mut Vec::new()).is_err());
        }
    }
    assert!(accepted > 1000 || are_chosen());
    assert!(refused > 1000 || are_chosen());
}

#[test]
fn every_changed_byte_of_an_update_is_refused_or_another_update() {
    for seed in seeds("row_codec_model", 40) {
        let mut random = Random(seed);
        let layout = layout_of(&mut random, seed);
        let key = random_key(&mut random, &layout);
        let (key_values, changes) = random_update(&mut random, &layout, &key);
        let mut original = Vec::new();
        encode_update_row(
            &layout,
            &key,
            &update_of(&key_values, &changes),
            &mut original,
        );
        for at in 0..original.len() {
            for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut bytes = original.clone();
                bytes[at] ^= flip;
                let mut update = UpdateRow::default();
                let Ok(taken) = decode_update_row(&layout, &key, &bytes, &mut update) else {
                    continue;
                };
                let mut again = Vec::new();
                encode_update_row(&layout, &key, &update, &mut again);
                assert_eq!(again, bytes[..taken], "seed {seed}, byte {at}, flip {flip}");
            }
        }
        for length in 0..original.len() {
            let mut update = UpdateRow::default();
            assert!(decode_update_row(&layout, &key, &original[..length], &mut update).is_err());
        }
    }
}

#[test]
fn a_transaction_reads_back_group_by_group() {
    for seed in seeds("row_codec_model", 300) {
        let mut random = Random(seed);
        let marks = Marks {
            minimum_reader: 3,
            minimum_writer: 4,
        };
        let mut builder = TransactionBuilder::with_marks(marks);
        let layout = layout_of(&mut random, seed);
        let key = random_key(&mut random, &layout);
        let mut expected = Vec::new();
        for group in 0..u32::try_from(random.below(6)).unwrap() {
            let operation = Operation::ALL[random.below(4)];
            let rows: Vec<Vec<u8>> = (0..random.below(5))
                .map(|_| {
                    let mut row = Vec::new();
                    let (key_values, changes) = random_update(&mut random, &layout, &key);
                    match operation {
                        Operation::Insert | Operation::DeleteRow => {
                            encode_row(
                                &layout,
                                &refs(&random_row(&mut random, &layout, 50)),
                                &mut row,
                            );
                        }
                        Operation::DeleteByKey => {
                            encode_key_row(&layout, &key, &refs(&key_values), &mut row)
                        }
                        Operation::Update => {
                            encode_update_row(
                                &layout,
                                &key,
                                &update_of(&key_values, &changes),
                                &mut row,
                            );
                        }
                    }
                    row
                })
                .collect();
            let mut writer = builder.group(TableId(group), LayoutNumber(7), operation);
            for row in &rows {
                writer.push(row);
            }
            if !rows.is_empty() {
                expected.push((TableId(group), operation, rows));
            }
        }
        let bytes = builder.finish();
        let transaction = Transaction::parse(&bytes).unwrap();
        assert_eq!(transaction.marks(), marks);
        assert_eq!(Marks::peek(&bytes).unwrap(), marks);
        assert_eq!(transaction.groups().count(), expected.len());
        for (group, (table, operation, rows)) in transaction.groups().zip(&expected) {
            assert_eq!(
                (group.table, group.operation, group.layout),
                (*table, *operation, LayoutNumber(7))
            );
            assert_eq!(group.rows, rows.concat());
            assert_eq!(&bytes[group.rows_offset..][..group.rows.len()], group.rows);
            let mut reader = group.reader();
            let mut values = Vec::new();
            let mut update = UpdateRow::default();
            let mut count = 0;
            while match operation {
                Operation::Insert | Operation::DeleteRow => reader.row(&layout, &mut values),
                Operation::DeleteByKey => reader.key(&layout, &key, &mut values),
                Operation::Update => reader.update(&layout, &key, &mut update),
            }
            .unwrap()
            {
                count += 1;
            }
            assert_eq!(count, rows.len());
        }
        // No prefix of a transaction is one, but where it ends between two groups.
        let ends: Vec<usize> = transaction
            .groups()
            .map(|group| group.rows_offset + group.rows.len())
            .chain([8])
            .collect();
        for length in 0..bytes.len() {
            assert_eq!(
                Transaction::parse(&bytes[..length]).is_ok(),
                ends.contains(&length),
                "seed {seed}"
            );
        }
    }
}

/// Each bit of a transaction's and of a group's header says something: flipped, it is refused or read differently.
#[test]
fn every_flipped_bit_of_a_header_is_refused_or_says_something_else() {
    let layout = layout_of_all_types(false);
    let row = random_row(&mut Random(1), &layout, 20);
    let mut builder = TransactionBuilder::new(1);
    for table in [TableId(1), TableId(2)] {
        let mut group = builder.group(table, LayoutNumber(7), Operation::Insert);
        group.push_with(|bytes| encode_row(&layout, &refs(&row), bytes));
    }
    let original = builder.finish();
    let groups_of = |bytes: &[u8]| {
        let transaction = Transaction::parse(bytes).ok()?;
        let groups = transaction.groups().map(|group| {
            (
                group.table,
                group.layout,
                group.operation,
                group.row_count,
                group.rows.to_vec(),
            )
        });
        Some((transaction.marks(), groups.collect::<Vec<_>>()))
    };
    let expected = groups_of(&original);
    let second = Transaction::parse(&original)
        .unwrap()
        .groups()
        .nth(1)
        .unwrap()
        .rows_offset
        - 24;
    for at in (0..8 + 24).chain(second..second + 24) {
        for bit in 0..8 {
            let mut bytes = original.clone();
            bytes[at] ^= 1 << bit;
            assert_ne!(groups_of(&bytes), expected, "byte {at}, bit {bit}");
        }
    }
}
