//! Moves rows from pages of older layouts to pages of their table's own.
//!
//! ```text
//!   older   [ .  .  row  row ]  [ row  row  row ]       the lowest row of the first page goes first
//!                    |
//!   own     [ row  row ]                                with every column that the table has now
//! ```
//!
//! It happens at the end of each group: as many rows as the group had, so a group costs about what it does twice over at most, and a table that
//! is written to has one layout again in the end. One that is not may keep several for good. What moves follows from the table and the
//! group alone.
//!
//! Long values stay where they are. Those of a dropped column are given back, what shares a spill with one is written again, and without a primary key all
//! are read, for the hash of the row: once that was 8,000 bytes for each row of the group, no more rows move.

use crate::error::Error;
use crate::pages::Pages;
use crate::row_format::VALUE_IN_PAGE_BYTES_MAX;
use crate::row_id::RowId;
use crate::scratch::Scratch;
use crate::table::Table;
use crate::value_ref::ValueRef;

/// How many bytes of long values are read, written or given back for each row that may move.
const LONG_BYTES_A_ROW: u64 = VALUE_IN_PAGE_BYTES_MAX as u64;

/// Moves rows of older layouts, at most so many, the oldest first. Yields how many there were.
pub(crate) fn renew(
    table: &mut Table,
    pages: &mut Pages,
    steps_max: u64,
    scratch: &mut Scratch,
) -> Result<u64, Error> {
    let long_bytes_max = steps_max.saturating_mul(LONG_BYTES_A_ROW);
    let (mut steps, mut long_bytes) = (0, 0);
    while steps < steps_max
        && long_bytes < long_bytes_max
        && let Some(row) = table.rows.older_row(pages, 0)?
    {
        long_bytes += renew_row(table, pages, row, scratch)?;
        steps += 1;
    }
    Ok(steps)
}

/// Moves all rows of the older layout at a position.
pub(crate) fn renew_all_of(
    table: &mut Table,
    pages: &mut Pages,
    position: usize,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let count = table.rows.older.len();
    while table.rows.older.len() == count
        && let Some(row) = table.rows.older_row(pages, position)?
    {
        renew_row(table, pages, row, scratch)?;
    }
    Ok(())
}

/// Moves a row. Yields how many bytes of long values were read, written or given back.
fn renew_row(
    table: &mut Table,
    pages: &mut Pages,
    row: RowId,
    scratch: &mut Scratch,
) -> Result<u64, Error> {
    let found = table.read(pages, row)?;
    table.encode_stored_keys(&found, scratch)?;
    let bytes = |value: &ValueRef<'_>| value.variable_bytes().map_or(0, <[u8]>::len) as u64;
    let (mut hashes, mut read_bytes) = (None, 0);
    if table.primary_key.is_none() {
        // What stands for a whole row in the index of contents follows from the layout it has.
        let mut copied = Vec::new();
        let values = found.read_all(&mut copied)?;
        let mut hash = |layout| table.hash_under(layout, &values, scratch);
        hashes = Some((hash(found.own_layout()), hash(&table.layout)));
        read_bytes = copied.iter().map(|(_, value)| bytes(&value.as_ref())).sum();
    }
    let (moved, moved_bytes) = table.move_row(pages, row, &[])?;
    table.replace_entries(pages, hashes, (scratch, scratch), (row, moved))?;
    Ok(read_bytes + moved_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index_id::IndexId;
    use crate::index_kind::IndexKind;
    use crate::index_spec::IndexSpec;
    use crate::layout::{Layout, LayoutColumn, LayoutNumber};
    use crate::relayout::relayout;
    use crate::table_id::TableId;
    use crate::{ColumnType, table_check};

    const LONG: usize = 20_000;

    fn layout(number: u32, columns: &[ColumnType]) -> Layout {
        let columns = columns.iter().copied().map(LayoutColumn::nullable);
        let key = [LayoutColumn::required(ColumnType::U64)];
        Layout::new(
            LayoutNumber(number),
            key.into_iter().chain(columns).collect(),
        )
        .unwrap()
    }

    /// A table of 20 rows of a number and two long values.
    fn filled(is_keyed: bool) -> (Table, Pages) {
        let columns = [ColumnType::String, ColumnType::Bytes];
        let mut table = Table::new(TableId(7), [3; 32], layout(1, &columns));
        let (mut pages, mut scratch) = (Pages::new(), Scratch::default());
        if is_keyed {
            let spec = IndexSpec {
                id: IndexId(1),
                columns: vec![0],
                unique: true,
                kind: IndexKind::Hash,
            };
            table.create_index(&mut pages, spec).unwrap();
            table.set_primary_key(&mut pages, Some(IndexId(1))).unwrap();
        }
        let (text, bytes) = ("x".repeat(LONG), vec![7; LONG]);
        for key in 0..20 {
            let row = [
                ValueRef::U64(key),
                ValueRef::String(&text),
                ValueRef::Bytes(&bytes),
            ];
            table.insert(&mut pages, &row, &mut scratch).unwrap();
        }
        (table, pages)
    }

    fn older_count(table: &Table) -> u64 {
        let older = table.rows.older.iter();
        older.map(|older| older.heap.row_count()).sum()
    }

    /// Moves rows for groups of so many rows; how many were left after each.
    fn check(table: &mut Table, pages: &mut Pages, groups: &[u64], expected: &[u64]) {
        let mut left = Vec::new();
        for group in groups {
            let before = older_count(table);
            let moved = renew(table, pages, *group, &mut Scratch::default()).unwrap();
            left.push(older_count(table));
            assert_eq!(before - left[left.len() - 1], moved);
            table_check::check(table, pages).unwrap();
        }
        assert_eq!(left, expected);
    }

    #[test]
    fn without_a_key_as_many_rows_move_as_the_bytes_of_their_long_values_allow() {
        let (mut table, mut pages) = filled(false);
        let columns = [ColumnType::String, ColumnType::Bytes, ColumnType::I64];
        let sources = [Some(0), Some(1), Some(2), None];
        relayout(&mut table, &mut pages, layout(2, &columns), &sources).unwrap();
        let spills = table.rows.spills.clone();
        // 40,000 bytes are read for each row, 8,000 are allowed for each of the group's.
        check(
            &mut table,
            &mut pages,
            &[1, 5, 6, 10, 12, 100],
            &[19, 18, 16, 14, 11, 0],
        );
        assert_eq!(table.rows.spills, spills, "a long value was written again");
    }

    #[test]
    fn with_a_key_what_counts_is_what_a_dropped_column_leaves() {
        let (mut table, mut pages) = filled(true);
        let sources = [Some(0), Some(1)];
        let next = table.rows.spills.clone().take_number(&pages).unwrap();
        relayout(
            &mut table,
            &mut pages,
            layout(2, &[ColumnType::String]),
            &sources,
        )
        .unwrap();
        check(
            &mut table,
            &mut pages,
            &[1, 5, 6, 10, 40],
            &[19, 17, 14, 10, 0],
        );
        let next_now = table.rows.spills.clone().take_number(&pages).unwrap();
        assert_eq!(next_now, next, "a long value was written again");
        // And nothing where no long value has to be looked at.
        let (mut table, mut pages) = filled(true);
        let columns = [ColumnType::String, ColumnType::Bytes, ColumnType::I64];
        let sources = [Some(0), Some(1), Some(2), None];
        relayout(&mut table, &mut pages, layout(2, &columns), &sources).unwrap();
        check(&mut table, &mut pages, &[1, 5, 10], &[19, 14, 4]);
    }
}
