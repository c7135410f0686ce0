//! What stands between two neighbours of a B+tree.

use crate::btree_node::{Entry, common_prefix};
use crate::page_number::PageNumber;
use crate::row_id::RowId;

/// The least that separates two neighbours: not above the right one, and above the left one.
#[derive(Debug)]
pub(crate) struct Separator {
    pub(crate) key: Vec<u8>,
    pub(crate) row: RowId,
}

impl Separator {
    /// Cut as short as it can be: separators are what the upper levels consist of.
    pub(crate) fn between(left: &Entry<'_>, right: &Entry<'_>) -> Separator {
        if left.key == right.key {
            return Separator {
                key: right.key.to_vec(),
                row: right.row,
            };
        }
        let shared = common_prefix(left.key, right.key);
        let key = right.key.get(..=shared).unwrap_or(right.key);
        Separator {
            key: key.to_vec(),
            row: RowId::MIN,
        }
    }

    /// The entry of an inner node that has `child` behind this.
    pub(crate) fn before(&self, child: PageNumber) -> Entry<'_> {
        Entry {
            key: &self.key,
            row: self.row,
            child: Some(child),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_as_short_as_can_be() {
        let row = RowId::MAX;
        let rows = [
            (["abc", "abd", "abd"], RowId::MIN),
            (["abc", "b123", "b"], RowId::MIN),
            (["ab", "ab\0\0", "ab\0"], RowId::MIN),
            (["ab", "ab", "ab"], row),
        ];
        for (keys, expected_row) in rows {
            let [left, right, expected] = keys.map(str::as_bytes);
            let left = Entry {
                key: left,
                row: RowId::MIN,
                child: None,
            };
            let right = Entry {
                key: right,
                row,
                child: None,
            };
            let separator = Separator::between(&left, &right);
            assert_eq!(
                (separator.key.as_slice(), separator.row),
                (expected, expected_row)
            );
        }
    }
}
