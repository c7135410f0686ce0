//! A key that fits two registers.
//!
//! A lookup encodes the key that is asked for and the one of the row that was found. Both are short mostly (nine bytes for a
//! `u64`); through memory they would be written in pieces of one size and read in pieces of another, for which a processor
//! has to wait each time.

use crate::key::encode_column;
use crate::key_buffer::KeyBytes;
use crate::row_page_ref::RowPageRef;
use crate::value_ref::{TakeValue, ValueRef};
use crate::{ColumnType, Value};

/// An encoded key of at most [`ShortKey::BYTES_MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShortKey {
    /// The first byte lowest. Invariant: zero behind the last one.
    word: u128,
    /// In bytes. Above [`ShortKey::BYTES_MAX`] while a key is put together that is not short; the word is good for nothing then.
    length: usize,
}

impl ShortKey {
    pub(crate) const BYTES_MAX: usize = size_of::<u128>();

    pub(crate) const EMPTY: ShortKey = ShortKey { word: 0, length: 0 };

    /// The key of these values, if it is short and they are of these types, or null.
    #[inline(always)]
    pub(crate) fn of_values(
        values: &[Value],
        mut types: impl Iterator<Item = ColumnType>,
    ) -> Option<ShortKey> {
        let Some((first, more)) = values.split_first() else {
            return Some(ShortKey::EMPTY);
        };
        let mut of_type = |key| AddOfType(key, types.next());
        // By itself: nothing is shifted to the place of the first column, and most keys have no other.
        let mut key = first.give_to(of_type(ShortKey::EMPTY));
        for value in more {
            key = value.give_to(of_type(key));
        }
        key.is_short().then_some(key)
    }

    /// The key that has these bytes, if it is short.
    #[inline]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<ShortKey> {
        let length = bytes.len();
        let word = match (bytes.first_chunk(), bytes.last_chunk()) {
            _ if length > Self::BYTES_MAX => return None,
            // The two may overlap, in the same bytes. A copy of any length would be a call.
            (Some(first), Some(last)) => {
                let [first, last] = [first, last].map(|half| u128::from(u64::from_le_bytes(*half)));
                first | last << (8 * (length - size_of::<u64>()))
            }
            _ => bytes
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u128::from(byte)),
        };
        Some(ShortKey { word, length })
    }

    /// Whether the key is short; it is good for nothing otherwise.
    #[inline(always)]
    fn is_short(&self) -> bool {
        self.length <= Self::BYTES_MAX
    }

    /// The key with one more column, if it is short then.
    #[inline(always)]
    fn with(mut self, value: ValueRef<'_>) -> ShortKey {
        if value
            .variable_bytes()
            .is_some_and(|bytes| bytes.len() > Self::BYTES_MAX)
        {
            self.length = usize::MAX;
            return self;
        }
        encode_column(value, &mut self);
        self
    }

    /// Whether a live row of a page has exactly this key in some columns, all of which stand in the page.
    #[inline(always)]
    pub(crate) fn is_of_live(self, page: &RowPageRef<'_>, slot: u16, columns: &[u16]) -> bool {
        let [column] = columns else {
            return self.is_of_all(page, slot, columns);
        };
        // By itself, as where a key is made of values.
        let found = page.give_cell_of_live(slot, usize::from(*column), AddTo(ShortKey::EMPTY));
        matches!(found, Ok(Some(found)) if found == self)
    }

    /// [`ShortKey::is_of_live`] of any number of columns.
    #[inline(never)]
    fn is_of_all(self, page: &RowPageRef<'_>, slot: u16, columns: &[u16]) -> bool {
        let mut found = ShortKey::EMPTY;
        for &column in columns {
            match page.give_cell_of_live(slot, usize::from(column), AddTo(found)) {
                Ok(Some(longer)) => found = longer,
                _ => return false,
            }
        }
        found == self
    }

    /// Adds the bytes of a word, which is zero behind them.
    #[inline(always)]
    fn put_word(&mut self, word: u128, length: usize) {
        self.word |= word << (8 * (self.length % Self::BYTES_MAX));
        self.length = self.length.saturating_add(length);
    }

    /// The length in bytes.
    #[inline(always)]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The bytes as a number, the first one lowest.
    #[inline(always)]
    pub(crate) fn word(&self) -> u128 {
        self.word
    }

    /// The bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &bytemuck::bytes_of(&self.word)[..self.length]
    }
}

/// Adds a value to a key.
pub(crate) struct AddTo(pub(crate) ShortKey);

impl<'a> TakeValue<'a> for AddTo {
    type Taken = ShortKey;

    #[inline(always)]
    fn take(self, value: ValueRef<'a>) -> ShortKey {
        self.0.with(value)
    }
}

/// Adds a value to a key, if it is of a type or null; what comes of others is not short.
struct AddOfType(ShortKey, Option<ColumnType>);

impl<'a> TakeValue<'a> for AddOfType {
    type Taken = ShortKey;

    #[inline(always)]
    fn take(self, value: ValueRef<'a>) -> ShortKey {
        let AddOfType(mut key, column_type) = self;
        if !value.is_null() && value.column_type() != column_type {
            key.length = usize::MAX;
            return key;
        }
        key.with(value)
    }
}

impl KeyBytes for ShortKey {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() <= Self::BYTES_MAX {
            let mut word = [0; Self::BYTES_MAX];
            word[..bytes.len()].copy_from_slice(bytes);
            self.put_word(u128::from_le_bytes(word), bytes.len());
        } else {
            self.length = usize::MAX;
        }
    }

    #[inline(always)]
    fn put_tagged<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) {
        if N < Self::BYTES_MAX {
            let mut word = [0; Self::BYTES_MAX];
            word[..N].copy_from_slice(&bytes);
            self.put_word(u128::from_le_bytes(word) << 8 | u128::from(tag), N + 1);
        } else {
            self.length = usize::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_up_to_sixteen_bytes_are_short() {
        let text: Vec<u8> = (1..=20).collect();
        for length in 0..=20 {
            let short = ShortKey::of_bytes(&text[..length]);
            let expected = (length <= 16).then_some(&text[..length]);
            assert_eq!(short.as_ref().map(ShortKey::bytes), expected);
        }
    }

    #[test]
    fn a_key_of_values_has_the_bytes_that_are_encoded() {
        let text = |length: usize| Value::String("x".repeat(length));
        for (values, is_short) in [
            (vec![], true),
            (vec![Value::Null], true),
            (vec![Value::U64(7)], true),
            (vec![Value::I32(-7), Value::Bool(true), Value::Null], true),
            (vec![Value::F64(-0.5), Value::F32(1.0)], true),
            (vec![Value::F64(-0.5), Value::F32(1.0), Value::U8(1)], true),
            (vec![Value::U64(1), Value::U64(2)], false),
            (vec![Value::Uuid([9; 16])], false),
            (vec![Value::Uuid([9; 16]), Value::U8(1)], false),
            (vec![Value::U64(1), Value::U64(2), Value::U64(3)], false),
            (vec![text(17), Value::U64(1), text(3)], false),
            (vec![text(0)], true),
            (vec![text(13)], true),
            (vec![text(14)], false),
            (vec![text(17)], false),
            (vec![Value::Bytes(vec![0; 6])], true),
            (vec![Value::Bytes(vec![0; 7])], false),
        ] {
            let mut bytes = Vec::new();
            crate::encode_key(values.iter().map(Value::as_ref), &mut bytes);
            let types = values.iter().map(Value::column_type);
            let short = ShortKey::of_values(&values, types.map(|of| of.unwrap_or(ColumnType::U8)));
            let expected = is_short.then_some(&bytes[..]);
            assert_eq!(short.as_ref().map(ShortKey::bytes), expected, "{values:?}");
        }
    }
}
