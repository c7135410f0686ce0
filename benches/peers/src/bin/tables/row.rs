//! The row that everybody holds.

/// Bytes of a row where an engine keeps it as a value: i64, f64, then the text.
pub(crate) const PACKED_BYTES: usize = 8 + 8 + TEXT_BYTES;
const TEXT_BYTES: usize = 32;

/// A row: a key, two numbers, and a text of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) key: u64,
    pub(crate) count: i64,
    pub(crate) ratio: f64,
    pub(crate) text: &'a str,
}

impl Row<'_> {
    /// A number that follows from every column, so that all of them have to be read.
    pub(crate) fn digest(&self) -> u64 {
        let text = self.text.as_bytes();
        let ends = text.first_chunk::<8>().zip(text.last_chunk::<8>());
        let (first, last) = ends.expect("the text has 32 bytes");
        self.key
            .wrapping_mul(3)
            .wrapping_add(self.count.cast_unsigned())
            .wrapping_add(self.ratio.to_bits())
            .wrapping_add(u64::from_le_bytes(*first))
            .wrapping_add(u64::from_le_bytes(*last))
    }

    /// All but the key as bytes.
    pub(crate) fn packed(&self) -> [u8; PACKED_BYTES] {
        let mut bytes = [0; PACKED_BYTES];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ratio.to_le_bytes());
        bytes[16..].copy_from_slice(self.text.as_bytes());
        bytes
    }
}

/// The row that [`Row::packed`] made bytes of.
pub(crate) fn unpacked(key: u64, bytes: &[u8]) -> Row<'_> {
    let number = |at: usize| *bytes[at..].first_chunk().expect("a packed row is longer");
    Row {
        key,
        count: i64::from_le_bytes(number(0)),
        ratio: f64::from_le_bytes(number(8)),
        text: std::str::from_utf8(&bytes[16..]).expect("the text is one"),
    }
}

/// The texts of rows, made anew as they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Texts(String);

impl Texts {
    /// The row number `place`. Keys are spread over all of u64 and stand in no order.
    pub(crate) fn row(&mut self, place: u64) -> Row<'_> {
        use std::fmt::Write;
        let key = key(place);
        self.0.clear();
        write!(self.0, "{key:020} of {TEXT_BYTES} byte").expect("writing to a string");
        self.0.truncate(TEXT_BYTES);
        while self.0.len() < TEXT_BYTES {
            self.0.push('s');
        }
        Row {
            key,
            count: place.cast_signed() - 1000,
            ratio: f64::from_bits(0x3ff0_0000_0000_0000 | place),
            text: &self.0,
        }
    }
}

/// The key of row number `place`: another one for each.
pub(crate) fn key(place: u64) -> u64 {
    place.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
