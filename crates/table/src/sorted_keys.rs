//! The keys of many rows, in order.
//!
//! Sorting compares each key with some twenty others. Were they all behind pointers, nearly every comparison would wait for memory, so each entry
//! has the first 16 bytes of its key with it, which decide mostly.

use std::cmp::Ordering;

use crate::row_id::RowId;

/// Encoded keys with their rows. Sorted once they are all there.
#[derive(Debug, Default)]
pub(crate) struct SortedKeys {
    bytes: Vec<u8>,
    entries: Vec<KeyEntry>,
}

#[derive(Debug, Clone, Copy)]
struct KeyEntry {
    /// The first 16 bytes of the key, big-endian, zeros behind it: never in another order than the keys, and equal only where they begin alike.
    head: [u64; 2],
    row: RowId,
    start: usize,
    length: u32,
    has_null: bool,
}

/// A key of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SortedKey<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) row: RowId,
    /// Whether one of its columns is null.
    pub(crate) has_null: bool,
}

impl SortedKeys {
    /// None yet, and room for so many.
    pub(crate) fn with_room_for(count: usize) -> SortedKeys {
        SortedKeys {
            bytes: Vec::new(),
            entries: Vec::with_capacity(count),
        }
    }

    /// Adds the key that `encode` appends, if it does; it says whether a column is null.
    pub(crate) fn push<E>(
        &mut self,
        row: RowId,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        let has_null = encode(&mut self.bytes)?;
        let key = &self.bytes[start..];
        self.entries.push(KeyEntry {
            head: head_of(key),
            row,
            start,
            length: u32::try_from(key.len()).expect("a key has at most a few thousand bytes"),
            has_null,
        });
        Ok(())
    }

    /// Puts them in order, those of one key by their rows.
    pub(crate) fn sort(&mut self) {
        let SortedKeys { bytes, entries } = self;
        entries.sort_unstable_by(|a, b| compare(bytes, a, bytes, b));
    }

    fn get(&self, index: usize) -> Option<SortedKey<'_>> {
        let entry = self.entries.get(index)?;
        Some(SortedKey {
            key: entry.key(&self.bytes),
            row: entry.row,
            has_null: entry.has_null,
        })
    }
}

impl KeyEntry {
    fn key<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..][..self.length as usize]
    }
}

fn compare(a_bytes: &[u8], a: &KeyEntry, b_bytes: &[u8], b: &KeyEntry) -> Ordering {
    a.head
        .cmp(&b.head)
        .then_with(|| a.key(a_bytes).cmp(b.key(b_bytes)))
        .then(a.row.cmp(&b.row))
}

fn head_of(key: &[u8]) -> [u64; 2] {
    let mut head = [0; 16];
    let length = key.len().min(head.len());
    head[..length].copy_from_slice(&key[..length]);
    let [low, high] = [0, 8].map(|at| head[at..].first_chunk().expect("16 bytes"));
    [u64::from_be_bytes(*low), u64::from_be_bytes(*high)]
}

/// All keys of some sorted parts, in order.
pub(crate) fn merged(parts: &[SortedKeys]) -> impl Iterator<Item = SortedKey<'_>> {
    let mut at = vec![0; parts.len()];
    std::iter::from_fn(move || {
        let ahead = parts.iter().zip(&at).enumerate();
        let ahead = ahead.filter_map(|(part, (keys, &index))| {
            Some((part, &keys.bytes, keys.entries.get(index)?))
        });
        let (part, ..) = ahead.min_by(|a, b| compare(a.1, a.2, b.1, b.2))?;
        let next = parts[part].get(at[part]);
        at[part] += 1;
        next
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_several_parts_come_in_the_order_of_their_bytes_and_rows() {
        let long = |last: u8| [&[7; 20][..], &[last]].concat();
        let keys = [
            vec![],
            vec![0],
            vec![0, 0],
            vec![1, 2, 3],
            long(0),
            long(1),
            long(1),
            [0xFF; 16].to_vec(),
            [0xFF; 17].to_vec(),
        ];
        let mut expected: Vec<(Vec<u8>, RowId)> = Vec::new();
        for (number, key) in (0..).zip(keys) {
            expected.push((key, RowId::from_u64(number)));
        }
        for part_count in 1..=4 {
            let mut parts: Vec<SortedKeys> = Vec::new();
            parts.resize_with(part_count, SortedKeys::default);
            for (number, (key, row)) in expected.iter().rev().enumerate() {
                let pushed: Result<(), ()> = parts[number % part_count].push(*row, |bytes| {
                    bytes.extend_from_slice(key);
                    Ok(key.is_empty())
                });
                pushed.expect("it is put there");
            }
            parts.iter_mut().for_each(SortedKeys::sort);
            let found: Vec<_> = merged(&parts)
                .map(|found| {
                    assert_eq!(found.has_null, found.key.is_empty());
                    (found.key.to_vec(), found.row)
                })
                .collect();
            assert_eq!(found, expected, "{part_count} parts");
        }
    }
}
