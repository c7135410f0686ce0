//! Values as bytes that sort like them: the keys of ordered indexes.
//! `key_format.rs` draws them.
//!
//! Comparing two keys of the same column types byte by byte gives the order of their values
//! ([`ValueRef`]'s), null first. No key is a prefix of another, so whatever follows a key (a row id) never
//! decides between two different ones, and the keys that begin with the same first columns are exactly those
//! from their common prefix to [`prefix_end`].

use crate::key_buffer::KeyBytes;
use crate::key_format::{
    ESCAPE, ESCAPED_ZERO, NULL_TAG, PREFIX_END, SIGN_BIT, TERMINATOR, VALUE_TAG,
};
use crate::malformed::{Malformed, MalformedKind};
use crate::value_codec::value_of_bytes;
use crate::{ColumnType, Value, ValueRef};

/// Appends the key of these values to `out`; the first columns of a key give its prefix.
pub fn encode_key<'a>(values: impl IntoIterator<Item = ValueRef<'a>>, out: &mut Vec<u8>) {
    encode_key_to(values, out);
}

/// [`encode_key`] for whatever takes the bytes.
#[inline]
pub(crate) fn encode_key_to<'a>(
    values: impl IntoIterator<Item = ValueRef<'a>>,
    out: &mut impl KeyBytes,
) {
    for value in values {
        encode_column(value, out);
    }
}

/// Turns a key prefix into the least bytes that sort after every key that begins with it.
pub fn prefix_end(prefix: &mut Vec<u8>) {
    prefix.push(PREFIX_END);
}

/// Decodes the columns of a key; for messages and checks, not for hot paths.
///
/// # Errors
/// [`Malformed`] unless the bytes are exactly what [`encode_key`] writes for values of these types.
pub fn decode_key(types: &[ColumnType], bytes: &[u8]) -> Result<Vec<Value>, Malformed> {
    let mut values = Vec::with_capacity(types.len());
    let mut position = 0;
    for &column_type in types {
        let (value, end) = decode_column(column_type, bytes, position)?;
        values.push(value);
        position = end;
    }
    match bytes.len() - position {
        0 => Ok(values),
        count => Err(MalformedKind::Trailing { count }.at(position)),
    }
}

#[inline(always)]
pub(crate) fn encode_column(value: ValueRef<'_>, out: &mut impl KeyBytes) {
    match value {
        ValueRef::Null => out.put(&[NULL_TAG]),
        ValueRef::Bool(value) => put(u8::from(value).to_be_bytes(), out),
        ValueRef::U8(value) => put(value.to_be_bytes(), out),
        ValueRef::U16(value) => put(value.to_be_bytes(), out),
        ValueRef::U32(value) => put(value.to_be_bytes(), out),
        ValueRef::U64(value) => put(value.to_be_bytes(), out),
        ValueRef::U128(value) => put(value.to_be_bytes(), out),
        ValueRef::I8(value) => put_signed(value.to_be_bytes(), out),
        ValueRef::I16(value) => put_signed(value.to_be_bytes(), out),
        ValueRef::I32(value) => put_signed(value.to_be_bytes(), out),
        ValueRef::I64(value) | ValueRef::Timestamp(value) => put_signed(value.to_be_bytes(), out),
        ValueRef::I128(value) => put_signed(value.to_be_bytes(), out),
        ValueRef::F32(value) => put_float(value.to_be_bytes(), out),
        ValueRef::F64(value) => put_float(value.to_be_bytes(), out),
        ValueRef::Uuid(value) => put(value, out),
        ValueRef::String(value) => put_escaped(value.as_bytes(), out),
        ValueRef::Bytes(value) => put_escaped(value, out),
    }
}

#[inline(always)]
fn put<const N: usize>(bytes: [u8; N], out: &mut impl KeyBytes) {
    out.put_tagged(VALUE_TAG, bytes);
}

#[inline(always)]
fn put_signed<const N: usize>(mut bytes: [u8; N], out: &mut impl KeyBytes) {
    bytes[0] ^= SIGN_BIT;
    put(bytes, out);
}

#[inline(always)]
fn put_float<const N: usize>(mut bytes: [u8; N], out: &mut impl KeyBytes) {
    if bytes[0] & SIGN_BIT == 0 {
        bytes[0] ^= SIGN_BIT;
    } else {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    put(bytes, out);
}

fn put_escaped(bytes: &[u8], out: &mut impl KeyBytes) {
    out.put(&[VALUE_TAG]);
    // Runs without a zero byte, which is nearly every string, are copied whole.
    let mut runs = bytes.split(|byte| *byte == ESCAPE);
    out.put(runs.next().unwrap_or_default());
    for run in runs {
        out.put(&[ESCAPE, ESCAPED_ZERO]);
        out.put(run);
    }
    out.put(&[ESCAPE, TERMINATOR]);
}

/// The value of the column that begins at `start`, and where it ends.
fn decode_column(
    column_type: ColumnType,
    bytes: &[u8],
    start: usize,
) -> Result<(Value, usize), Malformed> {
    match bytes.get(start) {
        None => return Err(MalformedKind::Truncated.at(start)),
        Some(&NULL_TAG) => return Ok((Value::Null, start + 1)),
        Some(&VALUE_TAG) => {}
        Some(&found) => return Err(MalformedKind::KeyByte { found }.at(start)),
    }
    let start = start + 1;
    let (body, end) = match column_type.fixed_width() {
        Some(width) => {
            let body = bytes.get(start..start + width);
            let body = body.ok_or(MalformedKind::Truncated.at(bytes.len()))?;
            (little_endian_of_key(column_type, body), start + width)
        }
        None => unescape(bytes, start)?,
    };
    let value = value_of_bytes(column_type, &body).map_err(|kind| kind.at(start))?;
    Ok((value.to_value(), end))
}

/// Undoes the order-preserving transformation of a fixed-width value.
fn little_endian_of_key(column_type: ColumnType, body: &[u8]) -> Vec<u8> {
    let mut bytes = body.to_vec();
    match column_type {
        ColumnType::I8
        | ColumnType::I16
        | ColumnType::I32
        | ColumnType::I64
        | ColumnType::I128
        | ColumnType::Timestamp => bytes[0] ^= SIGN_BIT,
        ColumnType::F32 | ColumnType::F64 if bytes[0] & SIGN_BIT != 0 => bytes[0] ^= SIGN_BIT,
        ColumnType::F32 | ColumnType::F64 => bytes.iter_mut().for_each(|byte| *byte = !*byte),
        ColumnType::Uuid => return bytes,
        _ => {}
    }
    bytes.reverse();
    bytes
}

fn unescape(bytes: &[u8], start: usize) -> Result<(Vec<u8>, usize), Malformed> {
    let mut body = Vec::new();
    let mut position = start;
    loop {
        let rest = bytes.get(position..).unwrap_or_default();
        let run = rest.iter().position(|byte| *byte == ESCAPE);
        let run = run.ok_or(MalformedKind::Truncated.at(bytes.len()))?;
        body.extend_from_slice(&rest[..run]);
        let escaped_at = position + run + 1;
        match rest.get(run + 1) {
            None => return Err(MalformedKind::Truncated.at(bytes.len())),
            Some(&TERMINATOR) => return Ok((body, escaped_at + 1)),
            Some(&ESCAPED_ZERO) => body.push(ESCAPE),
            Some(&found) => return Err(MalformedKind::KeyByte { found }.at(escaped_at)),
        }
        position = escaped_at + 1;
    }
}
