//! Rows as bytes, drawn in `transaction_format.rs`: how a transaction and a content hash see them.
//!
//! Decoding borrows: strings and bytes point into the transaction, and the list of values is the caller's to
//! reuse, so a row costs no allocation. Exactly one encoding of each row is accepted.

use crate::layout::{Layout, LayoutColumn};
use crate::malformed::{Malformed, MalformedKind};
use crate::value_codec::{put_fixed, value_of_bytes};
use crate::{VALUE_BYTES_MAX, ValueRef};

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
    decode_cells(layout, bytes, |(_, value)| values.push(value))
}

/// [`decode_row`], which hands on every value with the position of its column.
#[inline]
pub(crate) fn decode_cells<'a>(
    layout: &Layout,
    bytes: &'a [u8],
    put: impl FnMut((usize, ValueRef<'a>)),
) -> Result<usize, Malformed> {
    let columns = layout.columns().iter().enumerate();
    decode_columns(columns, layout.nullable_count(), bytes, put)
}

/// The value of one column of a row that [`encode_row`] wrote: what stands in front of it is passed over.
///
/// # Panics
/// If the bytes are not such a row, or there is no such column.
pub(crate) fn decode_cell<'a>(layout: &Layout, bytes: &'a [u8], column: usize) -> ValueRef<'a> {
    let decode = || {
        let mut position = layout.nullable_count().div_ceil(8);
        let mut bit = 0;
        for (place, definition) in layout.columns().iter().enumerate() {
            let is_null = definition.nullable && bytes[bit / 8] >> (bit % 8) & 1 == 1;
            bit += usize::from(definition.nullable);
            let width = match definition.column_type.fixed_width() {
                _ if is_null => 0,
                Some(width) => width,
                None => {
                    let (length, end) = length_at(bytes, position)?;
                    position = end;
                    length
                }
            };
            if place < column {
                position += width;
            } else if is_null {
                return Ok(ValueRef::Null);
            } else {
                let body = &bytes[position..position + width];
                return value_of_bytes(definition.column_type, body)
                    .map_err(|kind| kind.at(position));
            }
        }
        panic!("there is no column {column}");
    };
    let value: Result<_, Malformed> = decode();
    value.expect("the row was encoded in this process")
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
    encode_key_columns(layout, key_columns, values.iter().copied(), out);
}

/// [`encode_key_row`] of as many values as there are columns, from wherever they come.
pub(crate) fn encode_key_columns<'v>(
    layout: &Layout,
    key_columns: &[u16],
    values: impl Iterator<Item = ValueRef<'v>>,
    out: &mut Vec<u8>,
) {
    let columns = key_columns
        .iter()
        .map(|&column| &layout.columns()[usize::from(column)]);
    let mut cells = CellEncoder::of_key(layout, key_columns, out);
    for (column, value) in columns.zip(values) {
        cells.put(column, value);
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
    let columns = key_columns.iter().map(|&column| usize::from(column));
    let columns = columns.map(|column| (column, &layout.columns()[column]));
    let nullable_count = nullable_count(columns.clone().map(|(_, column)| column));
    decode_columns(columns, nullable_count, bytes, |(_, value)| {
        values.push(value);
    })
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
    encode_changes(layout, &update.changes, out);
}

/// Appends what [`encode_update_row`] writes behind the key.
pub(crate) fn encode_changes(
    layout: &Layout,
    changes: &[(usize, ValueRef<'_>)],
    out: &mut Vec<u8>,
) {
    assert!(!changes.is_empty());
    assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let bitmap_start = out.len();
    out.resize(bitmap_start + layout.column_count().div_ceil(8), 0);
    for (column, _) in changes {
        out[bitmap_start + column / 8] |= 1 << (column % 8);
    }
    let columns = changes
        .iter()
        .map(|(column, value)| (&layout.columns()[*column], *value));
    let nullable_count = nullable_count(columns.clone().map(|(column, _)| column));
    encode_columns(columns, nullable_count, out);
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
    let bitmap_start = decode_key_row(layout, key_columns, bytes, &mut update.key)?;
    let column_count = layout.column_count();
    let bitmap = bitmap_at(bytes, bitmap_start, column_count)?;
    if bitmap.iter().all(|byte| *byte == 0) {
        return Err(MalformedKind::NoColumn.at(bitmap_start));
    }
    let changes = &mut update.changes;
    changes.clear();
    let is_set = |column: usize| bitmap[column / 8] >> (column % 8) & 1 == 1;
    let columns = layout.columns().iter().enumerate();
    let columns = columns.filter(|(column, _)| is_set(*column));
    let nullable_count = match layout.nullable_count() {
        0 => 0,
        _ => nullable_count(columns.clone().map(|(_, column)| column)),
    };
    let values_start = bitmap_start + bitmap.len();
    let rest = &bytes[values_start..];
    let taken = decode_columns(columns, nullable_count, rest, |change| {
        changes.push(change);
    });
    let taken = taken.map_err(|malformed| malformed.within(values_start))?;
    Ok(values_start + taken)
}

/// How many of some columns may be null.
fn nullable_count<'l>(columns: impl Iterator<Item = &'l LayoutColumn>) -> usize {
    columns.filter(|column| column.nullable).count()
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
pub(crate) struct CellEncoder<'o> {
    out: &'o mut Vec<u8>,
    bitmap_start: usize,
    /// How many columns came by that may be null.
    bit: usize,
}

impl<'o> CellEncoder<'o> {
    /// Begins with so many columns to come that may be null.
    #[inline]
    fn new(nullable_count: usize, out: &'o mut Vec<u8>) -> Self {
        let bitmap_start = out.len();
        out.resize(bitmap_start + nullable_count.div_ceil(8), 0);
        CellEncoder {
            out,
            bitmap_start,
            bit: 0,
        }
    }

    /// Begins with the columns of a key to come, in the key's order.
    #[inline]
    pub(crate) fn of_key(layout: &Layout, key_columns: &[u16], out: &'o mut Vec<u8>) -> Self {
        let columns = key_columns.iter();
        let columns = columns.map(|&column| &layout.columns()[usize::from(column)]);
        CellEncoder::new(nullable_count(columns), out)
    }

    /// The value of the next column.
    #[inline]
    pub(crate) fn put(&mut self, column: &LayoutColumn, value: ValueRef<'_>) {
        assert!(
            column.nullable || !value.is_null(),
            "a null where none may be"
        );
        if column.nullable {
            self.out[self.bitmap_start + self.bit / 8] |=
                u8::from(value.is_null()) << (self.bit % 8);
            self.bit += 1;
        }
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
                self.out.extend_from_slice(bytes);
            }
            None => put_fixed(value, self.out),
        }
    }
}

/// Hands on the values with the positions of their columns; returns how many bytes they took.
#[inline]
fn decode_columns<'l, 'a>(
    columns: impl Iterator<Item = (usize, &'l LayoutColumn)>,
    nullable_count: usize,
    bytes: &'a [u8],
    mut put: impl FnMut((usize, ValueRef<'a>)),
) -> Result<usize, Malformed> {
    let bitmap = bitmap_at(bytes, 0, nullable_count)?;
    let mut position = bitmap.len();
    let mut bit = 0;
    for (place, column) in columns {
        if column.nullable {
            let is_null = bitmap[bit / 8] >> (bit % 8) & 1 == 1;
            bit += 1;
            if is_null {
                put((place, ValueRef::Null));
                continue;
            }
        }
        let width = match column.column_type.fixed_width() {
            Some(width) => width,
            None => {
                let (length, end) = length_at(bytes, position)?;
                position = end;
                length
            }
        };
        let body = bytes.get(position..position + width);
        let body = body.ok_or(MalformedKind::Truncated.at(bytes.len()))?;
        let value = value_of_bytes(column.column_type, body);
        put((place, value.map_err(|kind| kind.at(position))?));
        position += width;
    }
    Ok(position)
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

fn put_length(length: usize, out: &mut Vec<u8>) {
    assert!(
        length <= VALUE_BYTES_MAX,
        "a value longer than the format can say"
    );
    let mut rest = length;
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
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
