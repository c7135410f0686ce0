//! Rows as bytes, drawn in `transaction_format.rs`: how a transaction and a content hash see them.
//!
//! Decoding borrows: strings and bytes point into the transaction, and the list of values is the caller's to
//! reuse, so a row costs no allocation. Exactly one encoding of each row is accepted.

use crate::key::encode_column;
use crate::key_buffer::{KeyBuffer, RowBytes};
use crate::layout::{Layout, LayoutColumn};
use crate::malformed::{Malformed, MalformedKind};
use crate::value_codec::{value_of_bytes, with_fixed_bytes};
use crate::{VALUE_BYTES_MAX, ValueRef};

const OURS: &str = "the row was encoded in this process";

/// Appends the values of all columns.
///
/// # Panics
/// If the values do not fit the layout: rows are checked before they are encoded.
pub fn encode_row(layout: &Layout, values: &[ValueRef<'_>], out: &mut Vec<u8>) {
    assert_eq!(values.len(), layout.column_count());
    let columns = layout.columns();
    encode_columns(
        columns.iter().zip(values.iter().copied()),
        layout.nullable_count(),
        out,
    );
}

/// Decodes the values of all columns from the front of `bytes` into `values`, which is cleared first.
/// Returns how many bytes they took.
///
/// # Errors
/// [`Malformed`] unless the front of the bytes is what [`encode_row`] writes.
pub fn decode_row<'a>(
    layout: &Layout,
    bytes: &'a [u8],
    values: &mut Vec<ValueRef<'a>>,
) -> Result<usize, Malformed> {
    values.clear();
    let columns = layout.columns().iter().enumerate();
    decode_columns(columns, layout.nullable_count(), bytes, |(_, value)| {
        values.push(value);
    })
}

/// The values of a row that [`encode_row`] wrote, one column after the other, as they stand there: the bytes of each, or `None` where it is
/// null. Values of a column are equal if and only if their bytes are.
///
/// # Panics
/// If the bytes are not such a row.
pub(crate) fn encoded_values<'l, 'a>(
    layout: &'l Layout,
    bytes: &'a [u8],
) -> impl Iterator<Item = Option<&'a [u8]>> + use<'l, 'a> {
    let mut walk = CellWalk::new(bytes, layout.nullable_count()).expect(OURS);
    let columns = layout.columns().iter();
    columns.map(move |column| walk.next(column).expect(OURS))
}

/// Whether an update says of a column that it changes. The bytes are those behind the key.
pub(crate) fn changes_column(bytes: &[u8], column: usize) -> bool {
    bytes[column / 8] >> (column % 8) & 1 == 1
}

/// [`encoded_values`] of the columns that an update changes, and which they are. The bytes are those behind the key.
pub(crate) fn encoded_changes<'l, 'a>(
    layout: &'l Layout,
    bytes: &'a [u8],
) -> impl Iterator<Item = (usize, Option<&'a [u8]>)> + use<'l, 'a> {
    let (bitmap, values) = bytes.split_at(layout.column_count().div_ceil(8));
    let columns = set_bits(bitmap).map(|column| (column, &layout.columns()[column]));
    let nullable_count = nullable_count_of(layout, columns.clone());
    let mut walk = CellWalk::new(values, nullable_count).expect(OURS);
    columns.map(move |(place, column)| (place, walk.next(column).expect(OURS)))
}

/// Appends the values of a key's columns, in the key's order.
///
/// # Panics
/// If the values do not fit the columns, or a column is not in the layout.
pub fn encode_key_row(
    layout: &Layout,
    key_columns: &[u16],
    values: &[ValueRef<'_>],
    out: &mut Vec<u8>,
) {
    assert_eq!(values.len(), key_columns.len());
    let mut cells = CellEncoder::of_key(layout, key_columns, out);
    for (&column, value) in key_columns.iter().zip(values) {
        cells.put(&layout.columns()[usize::from(column)], *value);
    }
}

/// Decodes the values of a key's columns from the front of `bytes` into `values`, which is cleared first.
/// Returns how many bytes they took.
///
/// # Errors
/// [`Malformed`] unless the front of the bytes is what [`encode_key_row`] writes.
///
/// # Panics
/// If a column is not in the layout.
pub fn decode_key_row<'a>(
    layout: &Layout,
    key_columns: &[u16],
    bytes: &'a [u8],
    values: &mut Vec<ValueRef<'a>>,
) -> Result<usize, Malformed> {
    values.clear();
    decode_key_with(layout, key_columns, bytes, |value| values.push(value))
}

/// [`decode_key_row`], which makes the key that an index has of the values.
pub(crate) fn decode_index_key(
    layout: &Layout,
    key_columns: &[u16],
    bytes: &[u8],
    key: &mut KeyBuffer,
) -> Result<usize, Malformed> {
    key.truncate(0);
    decode_key_with(layout, key_columns, bytes, |value| {
        encode_column(value, key);
    })
}

#[inline]
fn decode_key_with<'a>(
    layout: &Layout,
    key_columns: &[u16],
    bytes: &'a [u8],
    mut put: impl FnMut(ValueRef<'a>),
) -> Result<usize, Malformed> {
    let columns = key_columns.iter().map(|&column| usize::from(column));
    let columns = columns.map(|column| (column, &layout.columns()[column]));
    let nullable_count = nullable_count_of(layout, columns.clone());
    decode_columns(columns, nullable_count, bytes, |(_, value)| put(value))
}

/// An update of some columns of the row with a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateRow<'a> {
    /// The values of the key's columns, in the key's order: the row to change.
    pub key: Vec<ValueRef<'a>>,
    /// Position and new value of each column that changes, ascending by position, at least one.
    pub changes: Vec<(usize, ValueRef<'a>)>,
}

/// Appends an update.
///
/// # Panics
/// If there is no change, the changes do not ascend strictly, or a value does not fit its column.
pub fn encode_update_row(
    layout: &Layout,
    key_columns: &[u16],
    update: &UpdateRow<'_>,
    out: &mut Vec<u8>,
) {
    encode_key_row(layout, key_columns, &update.key, out);
    let changes = &update.changes;
    assert!(!changes.is_empty());
    assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let changed = changes.iter().map(|(column, _)| *column);
    let mut cells = CellEncoder::of_changes(layout, changed, out);
    for (column, value) in changes {
        cells.put(&layout.columns()[*column], *value);
    }
}

/// Decodes an update from the front of `bytes` into `update`, whose lists are cleared first.
/// Returns how many bytes it took.
///
/// # Errors
/// [`Malformed`] unless the front of the bytes is what [`encode_update_row`] writes.
///
/// # Panics
/// If a key column is not in the layout.
pub fn decode_update_row<'a>(
    layout: &Layout,
    key_columns: &[u16],
    bytes: &'a [u8],
    update: &mut UpdateRow<'a>,
) -> Result<usize, Malformed> {
    let values_start = decode_key_row(layout, key_columns, bytes, &mut update.key)?;
    decode_changes(layout, bytes, values_start, &mut update.changes)
}

/// Decodes what an update says behind the key, from `bitmap_start` on, into `changes`, which is cleared first. Returns where it ends.
pub(crate) fn decode_changes<'a>(
    layout: &Layout,
    bytes: &'a [u8],
    bitmap_start: usize,
    changes: &mut Vec<(usize, ValueRef<'a>)>,
) -> Result<usize, Malformed> {
    let column_count = layout.column_count();
    let bitmap = bitmap_at(bytes, bitmap_start, column_count)?;
    if bitmap.iter().all(|byte| *byte == 0) {
        return Err(MalformedKind::NoColumn.at(bitmap_start));
    }
    changes.clear();
    let columns = set_bits(bitmap).map(|column| (column, &layout.columns()[column]));
    let nullable_count = nullable_count_of(layout, columns.clone());
    let values_start = bitmap_start + bitmap.len();
    let rest = &bytes[values_start..];
    let taken = decode_columns(columns, nullable_count, rest, |change| {
        changes.push(change);
    });
    let taken = taken.map_err(|malformed| malformed.within(values_start))?;
    Ok(values_start + taken)
}

/// How many of some columns may be null.
fn nullable_count_of<'l>(
    layout: &Layout,
    columns: impl Iterator<Item = (usize, &'l LayoutColumn)>,
) -> usize {
    match layout.nullable_count() {
        0 => 0,
        _ => columns.filter(|(_, column)| column.nullable).count(),
    }
}

/// The bits of a bitmap that are set, ascending.
pub(crate) fn set_bits(bitmap: &[u8]) -> impl Iterator<Item = usize> + Clone {
    let bits_of = |byte: u8| {
        std::iter::successors(Some(byte), |rest| Some(rest & rest.wrapping_sub(1)))
            .take_while(|rest| *rest != 0)
            .map(|rest| rest.trailing_zeros() as usize)
    };
    let bytes = bitmap.iter().enumerate();
    bytes.flat_map(move |(place, byte)| bits_of(*byte).map(move |bit| place * 8 + bit))
}

fn encode_columns<'l, 'v>(
    columns: impl Iterator<Item = (&'l LayoutColumn, ValueRef<'v>)>,
    nullable_count: usize,
    out: &mut Vec<u8>,
) {
    let mut cells = CellEncoder::new(nullable_count, out);
    for (column, value) in columns {
        cells.put(column, value);
    }
}

/// Appends values one by one, and in front of them which are null.
pub(crate) struct CellEncoder<'o, B> {
    out: &'o mut B,
    bitmap_start: usize,
    /// How many columns came by that may be null.
    bit: usize,
}

impl<'o, B: RowBytes> CellEncoder<'o, B> {
    /// Begins with so many columns to come that may be null.
    #[inline]
    pub(crate) fn new(nullable_count: usize, out: &'o mut B) -> Self {
        let bitmap_start = out.length();
        put_bitmap(nullable_count, out);
        CellEncoder {
            out,
            bitmap_start,
            bit: 0,
        }
    }

    /// Begins with the columns of a key to come, in the key's order.
    #[inline]
    pub(crate) fn of_key(layout: &Layout, key_columns: &[u16], out: &'o mut B) -> Self {
        let columns = key_columns.iter().map(|&column| usize::from(column));
        let columns = columns.map(|column| (column, &layout.columns()[column]));
        CellEncoder::new(nullable_count_of(layout, columns), out)
    }

    /// Says which columns change, and begins with their values to come, ascending.
    #[inline]
    pub(crate) fn of_changes(
        layout: &Layout,
        changed: impl Iterator<Item = usize> + Clone,
        out: &'o mut B,
    ) -> Self {
        let bitmap_start = out.length();
        put_bitmap(layout.column_count(), out);
        for column in changed.clone() {
            out.bytes_mut()[bitmap_start + column / 8] |= 1 << (column % 8);
        }
        let columns = changed.map(|column| (column, &layout.columns()[column]));
        CellEncoder::new(nullable_count_of(layout, columns), out)
    }

    /// The value of the next column.
    #[inline(always)]
    pub(crate) fn put(&mut self, column: &LayoutColumn, value: ValueRef<'_>) {
        assert!(
            column.nullable || !value.is_null(),
            "a null where none may be"
        );
        self.pass(column, value.is_null());
        if value.is_null() {
            return;
        }
        assert!(
            value.code() == column.column_type.code(),
            "a value of another type"
        );
        match value.variable_bytes() {
            Some(bytes) => {
                put_length(bytes.len(), self.out);
                self.out.put(bytes);
            }
            None => with_fixed_bytes(value, |bytes| self.out.put(bytes)),
        }
    }

    /// The value of the next column, as [`encoded_values`] gives it.
    #[inline]
    pub(crate) fn put_encoded(&mut self, column: &LayoutColumn, value: Option<&[u8]>) {
        self.pass(column, value.is_none());
        let Some(bytes) = value else {
            return;
        };
        if column.column_type.fixed_width().is_none() {
            put_length(bytes.len(), self.out);
        }
        self.out.put(bytes);
    }

    /// Says whether the next column is null, if it may be.
    #[inline]
    fn pass(&mut self, column: &LayoutColumn, is_null: bool) {
        if column.nullable {
            let byte = &mut self.out.bytes_mut()[self.bitmap_start + self.bit / 8];
            *byte |= u8::from(is_null) << (self.bit % 8);
            self.bit += 1;
        }
    }
}

fn put_bitmap(bit_count: usize, out: &mut impl RowBytes) {
    (0..bit_count.div_ceil(8)).for_each(|_| out.put(&[0]));
}

/// Hands on the values with the positions of their columns; returns how many bytes they took.
#[inline]
fn decode_columns<'l, 'a>(
    columns: impl Iterator<Item = (usize, &'l LayoutColumn)>,
    nullable_count: usize,
    bytes: &'a [u8],
    mut put: impl FnMut((usize, ValueRef<'a>)),
) -> Result<usize, Malformed> {
    let mut walk = CellWalk::new(bytes, nullable_count)?;
    for (place, column) in columns {
        let Some(body) = walk.next(column)? else {
            put((place, ValueRef::Null));
            continue;
        };
        let value = value_of_bytes(column.column_type, body);
        put((
            place,
            value.map_err(|kind| kind.at(walk.position - body.len()))?,
        ));
    }
    Ok(walk.position)
}

/// Goes over encoded values without looking into them.
struct CellWalk<'a> {
    bytes: &'a [u8],
    bitmap: &'a [u8],
    /// How many columns came by that may be null.
    bit: usize,
    /// Where the next value begins.
    position: usize,
}

impl<'a> CellWalk<'a> {
    #[inline]
    fn new(bytes: &'a [u8], nullable_count: usize) -> Result<Self, Malformed> {
        let bitmap = bitmap_at(bytes, 0, nullable_count)?;
        Ok(CellWalk {
            bytes,
            bitmap,
            bit: 0,
            position: bitmap.len(),
        })
    }

    /// The bytes of the value of the next column; `None` if it is null.
    #[inline]
    fn next(&mut self, column: &LayoutColumn) -> Result<Option<&'a [u8]>, Malformed> {
        if column.nullable {
            let is_null = self.bitmap[self.bit / 8] >> (self.bit % 8) & 1 == 1;
            self.bit += 1;
            if is_null {
                return Ok(None);
            }
        }
        let width = match column.column_type.fixed_width() {
            Some(width) => width,
            None => {
                let (length, end) = length_at(self.bytes, self.position)?;
                self.position = end;
                length
            }
        };
        let end = self.position + width;
        let body = self.bytes.get(self.position..end);
        let body = body.ok_or(MalformedKind::Truncated.at(self.bytes.len()))?;
        self.position = end;
        Ok(Some(body))
    }
}

/// The bitmap of `bit_count` bits that begins at `start`; its padding must be zero.
fn bitmap_at(bytes: &[u8], start: usize, bit_count: usize) -> Result<&[u8], Malformed> {
    let end = start + bit_count.div_ceil(8);
    let bitmap = bytes
        .get(start..end)
        .ok_or(MalformedKind::Truncated.at(bytes.len()))?;
    match bitmap.last() {
        Some(last) if !bit_count.is_multiple_of(8) && last >> (bit_count % 8) != 0 => {
            Err(MalformedKind::Reserved.at(end - 1))
        }
        _ => Ok(bitmap),
    }
}

fn put_length(length: usize, out: &mut impl RowBytes) {
    assert!(
        length <= VALUE_BYTES_MAX,
        "a value longer than the format can say"
    );
    let mut rest = length;
    while rest >= 0x80 {
        out.put(&[rest.to_le_bytes()[0] | 0x80]);
        rest >>= 7;
    }
    out.put(&[rest.to_le_bytes()[0]]);
}

/// The length that begins at `start`, and where it ends.
#[inline]
fn length_at(bytes: &[u8], start: usize) -> Result<(usize, usize), Malformed> {
    let mut length = 0_usize;
    for (index, shift) in (0..5).map(|index| (index, 7 * index)) {
        let position = start + index;
        let &byte = bytes
            .get(position)
            .ok_or(MalformedKind::Truncated.at(bytes.len()))?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if (byte == 0 && index > 0) || length > VALUE_BYTES_MAX {
                break;
            }
            return Ok((length, position + 1));
        }
    }
    Err(MalformedKind::Length.at(start))
}
