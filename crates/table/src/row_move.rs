//! A row goes to another page, and values of it may be other ones there.
//!
//! ```text
//!   from   | key | text | view | view | view |        under the table's layout, or an older one
//!                          |      |      +--> | value that goes | value that stays |    a spill of both: the one comes along, the spill is given back
//!                          |      +---------> | value that goes |
//!                          +--+-------------> | value that stays |                      nobody looks at it
//!                             |
//!   to     | key | text | view | ...                  what is too long now is spilled
//! ```
//!
//! So a move costs what changes, and what shares its place with that, however long the rest is. There is no other way from page to page but that of
//! compaction, which changes nothing and moves rows as they are.

use std::collections::BTreeSet;

use crate::cell::CellInput;
use crate::damaged::DamageKind;
use crate::error::Error;
use crate::long_place::LongPlace;
use crate::owned_cells::OwnedCells;
use crate::pages::Pages;
use crate::row_format::ROW_HEAP_BYTES_MAX;
use crate::row_id::RowId;
use crate::row_page::RowPageRef;
use crate::table::Table;
use crate::value_ref::ValueRef;

impl Table {
    /// Moves a row to a page of the table's own layout, with other values in some columns. Says where it stands then, which no index knows of yet, and
    /// how many bytes of long values were read, written or given back.
    pub(crate) fn move_row(
        &mut self,
        pages: &mut Pages,
        row: RowId,
        changes: &[(usize, ValueRef<'_>)],
    ) -> Result<(RowId, u64), Error> {
        let found = self.read(pages, row)?;
        let long_values = found.long_values()?;
        let mut cells = self.owned_cells(pages, row)?;
        for (column, _) in changes {
            cells.forget(*column);
        }
        let mut going: BTreeSet<LongPlace> = long_values.iter().map(|(_, place)| *place).collect();
        for place in cells.long_places() {
            going.remove(&place);
        }
        let going: BTreeSet<LongPlace> = going.into_iter().map(LongPlace::beginning).collect();
        cells.bring_in(&found, |_, place| going.contains(&place.beginning()))?;
        let new_cells = || {
            let new = changes.iter();
            new.map(|&(column, value)| (column, CellInput::from(value)))
        };
        let heap_bytes = new_cells().map(|(_, cell)| u64::from(cell.heap_bytes()));
        let heap_bytes = cells.heap_bytes() + heap_bytes.sum::<u64>();
        let is_too_long = heap_bytes > u64::from(ROW_HEAP_BYTES_MAX);
        if is_too_long {
            // A row has one spill that values share, at most.
            cells.bring_in(&found, |len, place| !place.is_alone(len))?;
        }
        let staying: BTreeSet<LongPlace> = cells.long_places().map(LongPlace::beginning).collect();
        let mut all: Vec<CellInput<'_>> = cells.iter().collect();
        new_cells().for_each(|(column, cell)| all[column] = cell);

        let is_gone = |place: &LongPlace| !staying.contains(&place.beginning());
        let gone = long_values.iter().filter(|(_, place)| is_gone(place));
        let mut long_bytes: u64 = gone.map(|(len, _)| u64::from(*len)).sum();
        if is_too_long {
            long_bytes += heap_bytes;
        }
        for place in self.rows.take_out(pages, &self.layout, row)? {
            if is_gone(&place) {
                self.rows.free(pages, self.id, place)?;
            }
        }
        let to = self
            .rows
            .insert_cells(pages, self.id, &self.layout, all.into_iter())?;
        Ok((to, long_bytes))
    }

    fn owned_cells(&self, pages: &Pages, row: RowId) -> Result<OwnedCells, Error> {
        let number = row.page();
        let damaged = |kind: DamageKind| Error::from(kind.at(number));
        let bytes = pages.get(number)?;
        let layout = self.rows.shown_layout(bytes, &self.layout);
        let page = RowPageRef::new(bytes, layout).map_err(damaged)?;
        OwnedCells::read(&page, row.slot()).map_err(damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index_id::IndexId;
    use crate::index_kind::IndexKind;
    use crate::index_spec::IndexSpec;
    use crate::layout::{Layout, LayoutColumn, LayoutNumber};
    use crate::relayout::relayout;
    use crate::scratch::Scratch;
    use crate::table_id::TableId;
    use crate::value::Value;
    use crate::{ColumnType, table_check};

    const COLUMN_COUNT: usize = 6;

    fn layout(number: u32, columns: &[ColumnType]) -> Layout {
        let columns = columns.iter().copied().map(LayoutColumn::required);
        Layout::new(LayoutNumber(number), columns.collect()).unwrap()
    }

    fn text(byte: u8, length: usize) -> Value {
        Value::Bytes(vec![byte; length])
    }

    fn row(key: u64, texts: impl IntoIterator<Item = Value>) -> Vec<Value> {
        [Value::U64(key)].into_iter().chain(texts).collect()
    }

    fn refs(row: &[Value]) -> Vec<ValueRef<'_>> {
        row.iter().map(Value::as_ref).collect()
    }

    /// A table of a number and strings of bytes, whose first row has such of these lengths, with pages that have no room.
    fn filled(is_keyed: bool, lengths: [usize; COLUMN_COUNT - 1]) -> (Table, Pages) {
        let mut columns = [ColumnType::Bytes; COLUMN_COUNT];
        columns[0] = ColumnType::U64;
        let mut table = Table::new(TableId(7), [3; 32], layout(1, &columns));
        let (mut pages, mut scratch) = (Pages::new(), Scratch::default());
        let unique = [vec![0], vec![1]].into_iter().zip(1..);
        for (columns, id) in unique {
            let spec = IndexSpec {
                id: IndexId(id),
                unique: columns == [0],
                columns,
                kind: IndexKind::Ordered,
            };
            table.create_index(&mut pages, spec).unwrap();
        }
        if is_keyed {
            table.set_primary_key(&mut pages, Some(IndexId(1))).unwrap();
        }
        let first = row(0, lengths.map(|length| text(1, length)));
        table
            .insert(&mut pages, &refs(&first), &mut scratch)
            .unwrap();
        for key in 1..40 {
            let other = row(key, [20, 5_000, 20, 20, 20].map(|length| text(2, length)));
            table
                .insert(&mut pages, &refs(&other), &mut scratch)
                .unwrap();
        }
        (table, pages)
    }

    fn places(table: &Table, pages: &Pages, row: RowId) -> Vec<LongPlace> {
        let long_values = table.read(pages, row).unwrap().long_values().unwrap();
        long_values.into_iter().map(|(_, place)| place).collect()
    }

    fn first(table: &Table, pages: &Pages) -> RowId {
        let found = table.index(IndexId(1)).unwrap();
        let mut key = Vec::new();
        crate::key::encode_key([ValueRef::U64(0)], &mut key);
        let found = found.find(table, pages, &key, |_| true);
        found.unwrap().unwrap()
    }

    #[test]
    fn what_an_update_does_not_change_stays_where_it_is_when_the_row_moves() {
        // The lengths of a row, which of them change to what, and which places of long values stay.
        type Change = (usize, usize);
        let rows: [([usize; 5], &[Change], &[usize]); 9] = [
            // A short value grows beside one, and two, that are a spill each.
            ([10, 5, 100_000, 5, 5], &[(2, 5_000)], &[0]),
            ([10, 5, 9_000, 70_000, 5], &[(2, 5_000)], &[0, 1]),
            // It becomes a spill itself, or takes another one out of the row.
            (
                [10, 5, 9_000, 70_000, 5],
                &[(2, 90_000), (5, 5_000)],
                &[0, 1],
            ),
            ([10, 5, 7_000, 70_000, 5], &[(2, 7_500)], &[0]),
            // One goes whose spill others could share, and one of two that do, beside one that does not.
            ([10, 5_000, 5_000, 9_000, 5], &[(3, 4_000)], &[1]),
            ([10, 4_500, 4_400, 4_300, 9_000], &[(3, 20)], &[2]),
            // Two share a spill, and a third one grows that still fits the row, and that does not.
            ([10, 4_500, 4_400, 4_300, 9_000], &[(4, 7_990)], &[0, 1, 2]),
            (
                [10, 4_500, 4_400, 4_300, 9_000],
                &[(1, 20), (4, 7_990)],
                &[2],
            ),
            // The key of an index changes, too.
            ([10, 5, 100_000, 70_000, 5], &[(1, 11), (2, 5_000)], &[0, 1]),
        ];
        for (number, (lengths, changes, staying)) in rows.into_iter().enumerate() {
            for is_keyed in [true, false] {
                let (mut table, mut pages) = filled(is_keyed, lengths);
                let from = first(&table, &pages);
                let before = places(&table, &pages, from);
                let mut expected = row(0, lengths.map(|length| text(1, length)));
                for &(column, length) in changes {
                    expected[column] = text(3, length);
                }
                let changes = changes.iter();
                let changes: Vec<_> = changes
                    .map(|&(column, _)| (column, expected[column].as_ref()))
                    .collect();
                let mut scratch = Scratch::default();
                let to = table
                    .update(&mut pages, from, &changes, &mut scratch)
                    .unwrap();
                assert_eq!(first(&table, &pages), to, "row {number}");
                let found = table.read(&pages, to).unwrap().values().unwrap();
                assert!(found == expected, "row {number}");
                let after = places(&table, &pages, to);
                let stayed = before.iter().enumerate();
                let stayed: Vec<usize> = stayed
                    .filter(|(_, place)| after.contains(place))
                    .map(|(at, _)| at)
                    .collect();
                assert_eq!(stayed, staying, "row {number}: {before:?}, {after:?}");
                table_check::check(&table, &pages).unwrap();
            }
        }
    }

    #[test]
    fn so_does_what_a_new_layout_shows() {
        // Two values share a spill, the third stays in the row, the fourth is a spill by itself. Of these columns some stay, in this order.
        let shows: [(&[u16], &[usize]); 6] = [
            (&[0, 1, 2, 3, 4, 5], &[0, 1, 2]),
            (&[0, 1, 5, 3, 4, 2], &[0, 1, 2]),
            (&[0, 1, 3, 2], &[0, 1]),
            (&[0, 1, 2, 4, 5], &[2]),
            (&[0, 1, 4], &[]),
            (&[0, 1, 3, 5], &[2]),
        ];
        for (shown, staying) in shows {
            let (mut table, mut pages) = filled(true, [10, 4_500, 4_400, 4_300, 9_000]);
            let from = first(&table, &pages);
            let before = places(&table, &pages, from);
            let old = table.read(&pages, from).unwrap().values().unwrap();
            let sources: Vec<_> = shown.iter().copied().map(Some).collect();
            let mut columns = vec![ColumnType::Bytes; shown.len()];
            columns[0] = ColumnType::U64;
            relayout(&mut table, &mut pages, layout(2, &columns), &sources).unwrap();
            let (to, _) = table.move_row(&mut pages, from, &[]).unwrap();
            let mut scratch = Scratch::default();
            let found = table.read(&pages, to).unwrap();
            table.encode_stored_keys(&found, &mut scratch).unwrap();
            let moved = (from, to);
            table
                .replace_entries(&mut pages, None, (&scratch, &scratch), moved)
                .unwrap();
            let found = table.read(&pages, to).unwrap().values().unwrap();
            let expected = shown.iter().map(|&column| &old[usize::from(column)]);
            assert!(found.iter().eq(expected), "{shown:?}");
            let after = places(&table, &pages, to);
            let stayed = (0..before.len()).filter(|&at| after.contains(&before[at]));
            assert_eq!(stayed.collect::<Vec<_>>(), staying, "{shown:?}");
            table_check::check(&table, &pages).unwrap();
        }
    }
}
