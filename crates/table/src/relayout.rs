//! A table moves to a new layout: the rows are written again, new columns at their default.

use std::sync::Arc;

use crate::error::Error;
use crate::heap::Heap;
use crate::index::Index;
use crate::layout::Layout;
use crate::pages::Pages;
use crate::scratch::Scratch;
use crate::table::Table;
use crate::table_ref::TableRef;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// Rewrites `table` under `layout`, which must continue the layout in force: a higher number, the same columns in front
/// (a default may differ), and behind them only columns that are nullable or have a default.
pub(crate) fn relayout(table: &mut Table, pages: &mut Pages, layout: Layout) -> Result<(), Error> {
    let old_count = table.layout.column_count();
    let unfit = Error::UnfitLayout {
        table: table.id,
        current: table.layout.number(),
        found: layout.number(),
    };
    let same_front = table
        .layout
        .columns()
        .iter()
        .zip(layout.columns())
        .all(|(old, new)| old.column_type == new.column_type && old.nullable == new.nullable);
    if layout.number() <= table.layout.number() || layout.column_count() < old_count || !same_front
    {
        return Err(unfit);
    }
    let added: Vec<Value> = layout.columns()[old_count..]
        .iter()
        .map(|column| column.default.clone().unwrap_or(Value::Null))
        .collect();
    let fillable = layout.columns()[old_count..]
        .iter()
        .all(|column| column.nullable || column.default.is_some());
    if !fillable {
        return Err(unfit);
    }
    if layout.column_count() == old_count {
        table.layout = Arc::new(layout);
        return Ok(());
    }
    let rows: Vec<Vec<Value>> = TableRef::new(table, pages)
        .scan()
        .map(|row| row?.values())
        .collect::<Result<_, _>>()?;
    table.clear(pages)?;
    table.layout = Arc::new(layout);
    table.heap = Heap::default();
    for index in &mut table.indexes {
        *index = Index::new(Arc::clone(&index.spec));
    }
    let mut scratch = Scratch::default();
    for row in &rows {
        let values: Vec<ValueRef<'_>> = row.iter().chain(&added).map(Value::as_ref).collect();
        table.insert(pages, &values, &mut scratch)?;
    }
    Ok(())
}
