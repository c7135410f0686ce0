//! An index of a table: its columns and the tree of its entries.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::btree::{BTree, KEY_BYTES_MAX};
use crate::error::Error;
use crate::index_spec::IndexSpec;
use crate::key::{encode_key, prefix_end};
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::table_id::TableId;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// A B+tree over the encoded values of some columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) spec: IndexSpec,
    pub(crate) tree: BTree,
}

impl Index {
    pub(crate) fn new(spec: IndexSpec) -> Self {
        Index {
            spec,
            tree: BTree::default(),
        }
    }

    /// Appends the key of a row to `out`; whether one of its columns is null.
    pub(crate) fn key_of_row(
        &self,
        table: TableId,
        row: &[ValueRef<'_>],
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let start = out.len();
        let values = self
            .spec
            .columns
            .iter()
            .map(|&column| row[usize::from(column)]);
        encode_key(values.clone(), out);
        let bytes = out.len() - start;
        if bytes > KEY_BYTES_MAX {
            return Err(Error::KeyTooLong {
                table,
                index: self.spec.id,
                bytes,
                max: KEY_BYTES_MAX,
            });
        }
        Ok(values.into_iter().any(|value| value.is_null()))
    }

    /// Refuses a key that another row than `except` has already. Keys with a null never conflict.
    pub(crate) fn check_unique(
        &self,
        pages: &Pages,
        table: TableId,
        row: &[ValueRef<'_>],
        key: &[u8],
        has_null: bool,
        except: Option<RowId>,
    ) -> Result<(), Error> {
        if !self.spec.unique || has_null {
            return Ok(());
        }
        match self.first(pages, key)? {
            Some(found) if Some(found) != except => Err(self.violation(table, row)),
            _ => Ok(()),
        }
    }

    /// Whether other rows may have the key of this one: the index is not unique, or a column is null.
    pub(crate) fn exempts(&self, row: &[ValueRef<'_>]) -> bool {
        let mut columns = self.spec.columns.iter();
        !self.spec.unique || columns.any(|&column| row[usize::from(column)].is_null())
    }

    /// The refusal of a row whose key another one has.
    pub(crate) fn violation(&self, table: TableId, row: &[ValueRef<'_>]) -> Error {
        let key = self.spec.columns.iter();
        Error::UniqueViolation {
            table,
            index: self.spec.id,
            key: key
                .map(|&column| Value::from(row[usize::from(column)]))
                .collect(),
        }
    }

    /// The lowest row with exactly this key.
    pub(crate) fn first(&self, pages: &Pages, key: &[u8]) -> Result<Option<RowId>, Error> {
        Ok(self.tree.first_with_key(pages, key)?)
    }
}

/// The bounds on encoded keys that hold for all keys that begin with the given values.
pub(crate) fn encode_bounds(
    lower: Bound<&[Value]>,
    upper: Bound<&[Value]>,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let encode = |values: &[Value], behind: bool| {
        let mut key = Vec::new();
        encode_key(values.iter().map(Value::as_ref), &mut key);
        if behind {
            prefix_end(&mut key);
        }
        key
    };
    let lower = match lower {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(values) => Bound::Included(encode(values, false)),
        Bound::Excluded(values) => Bound::Included(encode(values, true)),
    };
    let upper = match upper {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(values) => Bound::Excluded(encode(values, true)),
        Bound::Excluded(values) => Bound::Excluded(encode(values, false)),
    };
    (lower, upper)
}
