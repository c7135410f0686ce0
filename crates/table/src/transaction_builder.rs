//! A transaction written to bytes.

use crate::TableId;
use crate::group::Operation;
use crate::layout::LayoutNumber;
use crate::transaction::{Marks, Transaction};
use crate::transaction_format::{TRANSACTION_VERSION, group, header};

/// Collects groups of encoded rows into the bytes of one transaction.
#[derive(Debug, Clone)]
pub struct TransactionBuilder {
    bytes: Vec<u8>,
}

impl TransactionBuilder {
    /// A transaction that only builds from `minimum_reader` on understand, and any of them may continue.
    pub fn new(minimum_reader: u16) -> TransactionBuilder {
        TransactionBuilder::with_marks(Marks {
            minimum_reader,
            minimum_writer: 0,
        })
    }

    /// A transaction with these marks.
    pub fn with_marks(marks: Marks) -> TransactionBuilder {
        // Most transactions are of a row or two: room for those, so that the buffer need not grow.
        let mut bytes = Vec::with_capacity(256);
        bytes.resize(header::BYTES, 0);
        bytes[header::VERSION] = TRANSACTION_VERSION;
        let mut transaction = TransactionBuilder { bytes };
        transaction.set_marks(marks);
        transaction
    }

    /// Gives the transaction other marks.
    pub fn set_marks(&mut self, marks: Marks) {
        let (reader, writer) = (marks.minimum_reader, marks.minimum_writer);
        put(
            &mut self.bytes,
            header::MINIMUM_READER,
            reader.to_le_bytes(),
        );
        put(
            &mut self.bytes,
            header::MINIMUM_WRITER,
            writer.to_le_bytes(),
        );
    }

    /// Begins a group; it exists from its first row on.
    pub fn group(
        &mut self,
        table: TableId,
        layout: LayoutNumber,
        operation: Operation,
    ) -> GroupWriter<'_> {
        let start = self.bytes.len();
        GroupWriter {
            bytes: &mut self.bytes,
            start,
            row_count: 0,
            table,
            layout,
            operation,
        }
    }

    /// Adds all groups of another transaction behind those that are there. Its marks are not looked at.
    pub fn append(&mut self, transaction: &Transaction<'_>) {
        self.bytes
            .extend_from_slice(&transaction.as_bytes()[header::BYTES..]);
    }

    /// Lets the groups that begin at `start` change places with those behind them, which begin at `middle`.
    pub(crate) fn put_behind(&mut self, start: usize, middle: usize) {
        self.bytes[start..].rotate_left(middle - start);
    }

    /// Whether there is no row yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == header::BYTES
    }

    /// The length in bytes so far.
    pub fn byte_length(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of the transaction.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Adds rows to one group of a [`TransactionBuilder`]. The group's header is right after every row.
#[derive(Debug)]
pub struct GroupWriter<'a> {
    bytes: &'a mut Vec<u8>,
    /// Where the group's header begins.
    start: usize,
    row_count: u32,
    table: TableId,
    layout: LayoutNumber,
    operation: Operation,
}

impl GroupWriter<'_> {
    /// Adds an encoded row.
    ///
    /// # Panics
    /// As [`GroupWriter::push_with`].
    pub fn push(&mut self, row: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(row));
    }

    /// Adds the row that `encode` appends.
    ///
    /// # Panics
    /// If `encode` appends nothing (every row takes a byte), or the group has 2^32 - 1 rows already.
    pub fn push_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.row_count == 0 {
            self.open();
        }
        let before = self.bytes.len();
        encode(self.bytes);
        assert!(
            self.bytes.len() > before,
            "an encoded row takes at least one byte"
        );
        self.row_count = self
            .row_count
            .checked_add(1)
            .expect("fewer rows than a group can count");
        let byte_length = (self.bytes.len() - self.start - group::BYTES) as u64;
        put(
            self.bytes,
            self.start + group::ROW_COUNT,
            self.row_count.to_le_bytes(),
        );
        put(
            self.bytes,
            self.start + group::BYTE_LENGTH,
            byte_length.to_le_bytes(),
        );
    }

    /// How many rows were added.
    pub fn row_count(&self) -> u32 {
        self.row_count
    }

    fn open(&mut self) {
        self.bytes.resize(self.start + group::BYTES, 0);
        put(
            self.bytes,
            self.start + group::TABLE,
            self.table.0.to_le_bytes(),
        );
        put(
            self.bytes,
            self.start + group::LAYOUT,
            self.layout.0.to_le_bytes(),
        );
        self.bytes[self.start + group::OPERATION] = self.operation.code();
    }
}

fn put<const N: usize>(bytes: &mut [u8], start: usize, value: [u8; N]) {
    bytes[start..start + N].copy_from_slice(&value);
}
