//! Rows of one table with one operation: what a transaction is a list of.

use serde::{Deserialize, Serialize};

use crate::key_buffer::KeyBuffer;
use crate::layout::{Layout, LayoutNumber};
use crate::malformed::{Malformed, MalformedKind};
use crate::row_codec::{
    UpdateRow, decode_changes, decode_index_key, decode_key_row, decode_row, decode_update_row,
};
use crate::{TableId, ValueRef};

/// What a group does with its rows; its discriminant is its code on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Operation {
    /// Adds rows.
    Insert = 1,
    /// Removes the rows with these keys.
    DeleteByKey = 2,
    /// Removes, for each row given whole, one that equals it: the lowest.
    DeleteRow = 3,
    /// Changes some columns of the rows with these keys.
    Update = 4,
}

impl Operation {
    /// Every operation, in the order of the codes.
    pub const ALL: [Operation; 4] = [
        Operation::Insert,
        Operation::DeleteByKey,
        Operation::DeleteRow,
        Operation::Update,
    ];

    /// The code that stands for this operation on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The operation of a code, if this build knows it.
    pub fn from_code(code: u8) -> Option<Operation> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.code() == code)
    }
}

/// One group of a transaction. Its header is checked; its rows are checked as they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<'a> {
    /// The table.
    pub table: TableId,
    /// The layout the rows are written in: the one in force at the group's start.
    pub layout: LayoutNumber,
    /// What to do with the rows.
    pub operation: Operation,
    /// How many rows there are, at least one.
    pub row_count: u32,
    /// The rows, one after the other.
    pub rows: &'a [u8],
    /// Where the rows begin, in bytes from the start of the transaction.
    pub rows_offset: usize,
}

impl<'a> Group<'a> {
    /// Reads the rows, first to last.
    pub fn reader(&self) -> RowReader<'a> {
        RowReader {
            rows: self.rows,
            position: 0,
            base: self.rows_offset,
            remaining: self.row_count,
        }
    }
}

/// Reads the rows of a group, first to last, with the method that fits the group's operation.
///
/// Each method returns `false` once all rows are read, and an error if then bytes are left over.
#[derive(Debug, Clone)]
pub struct RowReader<'a> {
    rows: &'a [u8],
    position: usize,
    base: usize,
    remaining: u32,
}

impl<'a> RowReader<'a> {
    /// How many rows are still to be read.
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Reads a whole row (insert, delete row) into `values`.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are not such a row.
    pub fn row(
        &mut self,
        layout: &Layout,
        values: &mut Vec<ValueRef<'a>>,
    ) -> Result<bool, Malformed> {
        self.advance(|bytes| decode_row(layout, bytes, values))
    }

    /// Reads a key (delete by key) into `values`.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are not such a key.
    pub fn key(
        &mut self,
        layout: &Layout,
        key_columns: &[u16],
        values: &mut Vec<ValueRef<'a>>,
    ) -> Result<bool, Malformed> {
        self.advance(|bytes| decode_key_row(layout, key_columns, bytes, values))
    }

    /// Reads an update into `update`.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are not such an update.
    pub fn update(
        &mut self,
        layout: &Layout,
        key_columns: &[u16],
        update: &mut UpdateRow<'a>,
    ) -> Result<bool, Malformed> {
        self.advance(|bytes| decode_update_row(layout, key_columns, bytes, update))
    }

    /// Reads a key (delete by key), and makes the key that an index has of it.
    pub(crate) fn index_key(
        &mut self,
        layout: &Layout,
        key_columns: &[u16],
        key: &mut KeyBuffer,
    ) -> Result<bool, Malformed> {
        self.advance(|bytes| decode_index_key(layout, key_columns, bytes, key))
    }

    /// Reads an update: its key as [`RowReader::index_key`], and what it changes.
    pub(crate) fn index_key_with_changes(
        &mut self,
        layout: &Layout,
        key_columns: &[u16],
        key: &mut KeyBuffer,
        changes: &mut Vec<(usize, ValueRef<'a>)>,
    ) -> Result<bool, Malformed> {
        self.advance(|bytes| {
            let key_end = decode_index_key(layout, key_columns, bytes, key)?;
            decode_changes(layout, bytes, key_end, changes)
        })
    }

    fn advance(
        &mut self,
        decode: impl FnOnce(&'a [u8]) -> Result<usize, Malformed>,
    ) -> Result<bool, Malformed> {
        let here = self.base + self.position;
        let rest = &self.rows[self.position..];
        if self.remaining == 0 {
            return match rest.len() {
                0 => Ok(false),
                count => Err(MalformedKind::Trailing { count }.at(here)),
            };
        }
        let taken = decode(rest).map_err(|malformed| malformed.within(here))?;
        self.position += taken;
        self.remaining -= 1;
        Ok(true)
    }
}
