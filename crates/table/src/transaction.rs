//! A transaction read from its bytes.

use crate::TableId;
use crate::group::{Group, Operation};
use crate::layout::LayoutNumber;
use crate::malformed::{Malformed, MalformedKind};
use crate::transaction_format::{TRANSACTION_VERSION, group, header};

/// A transaction whose header and group headers are sound; the rows inside are checked as they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction<'a> {
    marks: Marks,
    /// Invariant: whole groups with sound headers, to the end.
    bytes: &'a [u8],
}

/// Which builds may read and write a database from this transaction on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Marks {
    /// The lowest build that understands the log.
    pub minimum_reader: u16,
    /// The lowest build that may add to the log.
    pub minimum_writer: u16,
}

impl Marks {
    /// Reads the marks of a transaction of any version, whether or not this build reads the rest.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are shorter than a header.
    pub fn peek(bytes: &[u8]) -> Result<Marks, Malformed> {
        Ok(Marks {
            minimum_reader: u16::from_le_bytes(array_at(bytes, header::MINIMUM_READER)?),
            minimum_writer: u16::from_le_bytes(array_at(bytes, header::MINIMUM_WRITER)?),
        })
    }
}

impl<'a> Transaction<'a> {
    /// Walks the headers of a transaction; allocates nothing.
    ///
    /// # Errors
    /// [`Malformed`] if a header is not what a [`TransactionBuilder`](crate::TransactionBuilder) writes, or a
    /// group does not end where the next begins.
    pub fn parse(bytes: &'a [u8]) -> Result<Transaction<'a>, Malformed> {
        let [found] = array_at(bytes, header::VERSION)?;
        if found != TRANSACTION_VERSION {
            let expected = TRANSACTION_VERSION;
            return Err(MalformedKind::Version { expected, found }.at(header::VERSION));
        }
        let marks = Marks::peek(bytes)?;
        zeros_at::<1>(bytes, header::RESERVED_A)?;
        zeros_at::<2>(bytes, header::RESERVED_B)?;
        let mut position = header::BYTES;
        while position < bytes.len() {
            let found = parse_group(bytes, position)?;
            position = found.rows_offset + found.rows.len();
        }
        Ok(Transaction { marks, bytes })
    }

    /// The marks.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// The lowest build that understands the log from here on.
    pub fn minimum_reader(&self) -> u16 {
        self.marks.minimum_reader
    }

    /// The groups, in the order they apply.
    pub fn groups(&self) -> Groups<'a> {
        Groups {
            bytes: self.bytes,
            position: header::BYTES,
        }
    }

    /// The whole transaction's bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The groups of a [`Transaction`], in the order they apply.
#[derive(Debug, Clone)]
pub struct Groups<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Groups<'a> {
    type Item = Group<'a>;

    fn next(&mut self) -> Option<Group<'a>> {
        if self.position >= self.bytes.len() {
            return None;
        }
        // `Transaction::parse` has walked here before.
        let found = parse_group(self.bytes, self.position).ok()?;
        self.position = found.rows_offset + found.rows.len();
        Some(found)
    }
}

fn parse_group(bytes: &[u8], start: usize) -> Result<Group<'_>, Malformed> {
    let header: [u8; group::BYTES] = array_at(bytes, start)?;
    let [code] = field(&header, group::OPERATION);
    let operation = Operation::from_code(code)
        .ok_or(MalformedKind::Operation { code }.at(start + group::OPERATION))?;
    if field(&header, group::RESERVED) != [0; 3] {
        return Err(MalformedKind::Reserved.at(start + group::RESERVED));
    }
    let row_count = u32::from_le_bytes(field(&header, group::ROW_COUNT));
    let byte_length = u64::from_le_bytes(field(&header, group::BYTE_LENGTH));
    let rows_offset = start + group::BYTES;
    let rows = usize::try_from(byte_length)
        .ok()
        .and_then(|length| bytes[rows_offset..].get(..length))
        .ok_or(MalformedKind::Truncated.at(bytes.len()))?;
    // Every row takes a byte or more, so the count that callers loop by is bounded by the bytes there are.
    if row_count == 0 || u64::from(row_count) > byte_length {
        let kind = MalformedKind::RowCount {
            row_count,
            byte_length,
        };
        return Err(kind.at(start + group::ROW_COUNT));
    }
    Ok(Group {
        table: TableId(u32::from_le_bytes(field(&header, group::TABLE))),
        layout: LayoutNumber(u32::from_le_bytes(field(&header, group::LAYOUT))),
        operation,
        row_count,
        rows,
        rows_offset,
    })
}

/// The bytes of a field of a group's header.
#[inline]
fn field<const N: usize>(header: &[u8; group::BYTES], start: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[start..start + N]);
    bytes
}

fn array_at<const N: usize>(bytes: &[u8], start: usize) -> Result<[u8; N], Malformed> {
    let found = bytes.get(start..).and_then(|rest| rest.first_chunk::<N>());
    found
        .copied()
        .ok_or(MalformedKind::Truncated.at(bytes.len()))
}

fn zeros_at<const N: usize>(bytes: &[u8], start: usize) -> Result<(), Malformed> {
    let found: [u8; N] = array_at(bytes, start)?;
    found
        .iter()
        .all(|byte| *byte == 0)
        .then_some(())
        .ok_or(MalformedKind::Reserved.at(start))
}
