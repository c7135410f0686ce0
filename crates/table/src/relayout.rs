//! A table moves to a new layout: every row is written again, and every index made anew behind it.
//!
//! ```text
//!  before   a i32 | b string | c bool           sources = [c, a, nothing]
//!  after    c bool | a i64 | d string?          (b is gone, a is wider, d is at its default)
//! ```

use std::sync::Arc;

use crate::error::Error;
use crate::index_spec::IndexSpec;
use crate::layout::{Layout, LayoutColumn};
use crate::pages::Pages;
use crate::row::ReadValue;
use crate::table::Table;
use crate::table_ref::TableRef;
use crate::value_ref::ValueRef;

/// Rewrites `table` under `layout`, whose number must be higher. Each column shows the one at the position in `sources`, in its own
/// type or a wider one, or, with `None`, its default, and null without one. After an error the table is half changed.
pub(crate) fn relayout(
    table: &mut Table,
    pages: &mut Pages,
    layout: Layout,
    sources: &[Option<u16>],
) -> Result<(), Error> {
    let specs = moved_specs(table, sources);
    let (true, Some(specs)) = (fits(table, &layout, sources), specs) else {
        return Err(Error::UnfitLayout {
            table: table.id,
            current: table.layout.number(),
            found: layout.number(),
        });
    };
    if keeps_rows(table.layout.columns(), layout.columns(), sources) {
        table.layout = Arc::new(layout);
        return Ok(());
    }
    let (old, old_pages) = (table.clone(), pages.clone());
    // The old rows are read from the copy; their page numbers are free for the new ones.
    table.clear(pages)?;
    table.indexes.clear();
    table.layout = Arc::new(layout);
    let layout = Arc::clone(&table.layout);
    for row in TableRef::new(&old, &old_pages).scan() {
        let old_values = row?.read_all()?;
        let values = values(&layout, sources, &old_values);
        table.check_values(&values)?;
        table.rows.insert(pages, table.id, &layout, &values)?;
    }
    for spec in specs {
        table.create_index(pages, spec)?;
    }
    if table.primary_key.is_none() {
        table.content = table.build_content(pages)?;
    }
    Ok(())
}

/// Whether every column of `layout` has its source, or something to be filled with.
fn fits(table: &Table, layout: &Layout, sources: &[Option<u16>]) -> bool {
    let old = table.layout.columns();
    let fits = |column: &LayoutColumn, source: &Option<u16>| match *source {
        Some(source) => old
            .get(usize::from(source))
            .is_some_and(|old| old.column_type.widens_to(column.column_type)),
        None => column.nullable || column.default.is_some(),
    };
    layout.number() > table.layout.number()
        && layout.column_count() == sources.len()
        && layout
            .columns()
            .iter()
            .zip(sources)
            .all(|(column, source)| fits(column, source))
}

/// What the indexes are over after the move; `None` if one is over a column that goes.
fn moved_specs(table: &Table, sources: &[Option<u16>]) -> Option<Vec<IndexSpec>> {
    let moved = |old: &u16| -> Option<u16> {
        let position = sources.iter().position(|source| *source == Some(*old))?;
        u16::try_from(position).ok()
    };
    let specs = table.indexes.iter().map(|index| {
        let spec = &*index.spec;
        Some(IndexSpec {
            columns: spec.columns.iter().map(moved).collect::<Option<_>>()?,
            ..spec.clone()
        })
    });
    specs.collect()
}

/// Whether rows are the same bytes under both: only defaults differ.
fn keeps_rows(old: &[LayoutColumn], new: &[LayoutColumn], sources: &[Option<u16>]) -> bool {
    let in_place = (0u16..)
        .zip(sources)
        .all(|(position, source)| *source == Some(position));
    let same = |(old, new): (&LayoutColumn, &LayoutColumn)| {
        old.column_type == new.column_type && old.nullable == new.nullable
    };
    in_place && old.len() == new.len() && old.iter().zip(new).all(same)
}

fn values<'v>(
    layout: &'v Layout,
    sources: &[Option<u16>],
    old: &'v [ReadValue<'_>],
) -> Vec<ValueRef<'v>> {
    let value = |(column, source): (&'v LayoutColumn, &Option<u16>)| match *source {
        Some(source) => {
            let widened = old[usize::from(source)]
                .as_ref()
                .widened(column.column_type);
            widened.expect("the types fit, and so do the values of a sound page")
        }
        None => column
            .default
            .as_ref()
            .map_or(ValueRef::Null, |default| default.as_ref()),
    };
    layout.columns().iter().zip(sources).map(value).collect()
}
