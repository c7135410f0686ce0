//! A table moves to a new layout. Where a column keeps its type, its rows stay as they are, and are read as what they are now; else every row is
//! written again, and every index made anew behind it.
//!
//! ```text
//!  before   a i32 | b string | c bool           sources = [c, a, nothing]
//!  after    c bool | a i32 | d string?          rows stay: b is passed over, d is at its default in all of them
//!           c bool | a i64 | d string?          rows are written again: a is wider
//! ```
//!
//! Rows that stay are `OlderRows` from then on, and move as the table is written to.

use std::mem::take;
use std::sync::Arc;

use crate::error::Error;
use crate::index_spec::IndexSpec;
use crate::layout::{Layout, LayoutColumn, LayoutNumber};
use crate::older_rows::{OlderRows, stay_first};
use crate::pages::Pages;
use crate::renewal::renew_all_of;
use crate::row_pages::RowPages;
use crate::scratch::Scratch;
use crate::table::Table;
use crate::table_ref::TableRef;
use crate::value_ref::ValueRef;

/// How many older layouts a table has rows of at most.
const OLDER_MAX: usize = 8;

/// Continues `table` under `layout`, whose number must be higher. Each column shows the one at the position in `sources`, in its own
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
    let can_stay = keeps_types(table.layout.columns(), &layout, sources)
        && (table.primary_key.is_some() || stay_first(table.layout.column_count(), sources));
    if !can_stay {
        return rewrite(table, pages, layout, sources, specs);
    }
    check_nulls(table, pages, &layout, sources)?;
    let keeps_pages = keeps_rows(table.layout.columns(), layout.columns(), sources);
    let since = match keeps_pages {
        true => table.layout.first_number(),
        false => LayoutNumber(table.layout.number().0 + 1),
    };
    let rows = &mut table.rows;
    if !keeps_pages && rows.heap.first_page().is_some() {
        let own = Arc::clone(&table.layout);
        rows.older.push(OlderRows::new(take(&mut rows.heap), own));
    }
    for older in &mut rows.older {
        older.follow(&layout, sources);
    }
    for (index, spec) in table.indexes.iter_mut().zip(specs) {
        index.spec = Arc::new(spec);
    }
    table.layout = Arc::new(layout.since(since));
    renew_fewest(table, pages)
}

/// Writes every row again.
fn rewrite(
    table: &mut Table,
    pages: &mut Pages,
    layout: Layout,
    sources: &[Option<u16>],
    specs: Vec<IndexSpec>,
) -> Result<(), Error> {
    let (old, old_pages) = (table.clone(), pages.clone());
    // The old rows are read from the copy; their page numbers are free for the new ones.
    table.clear(pages)?;
    table.indexes.clear();
    table.layout = Arc::new(layout);
    let layout = Arc::clone(&table.layout);
    for row in TableRef::new(&old, &old_pages).scan() {
        let mut copied = Vec::new();
        let old_values = row?.read_all(&mut copied)?;
        let values = values(&layout, sources, &old_values);
        table.check_values(values.iter().copied())?;
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

/// Keeps the number of older layouts small: of one too many, the rows of that with the fewest move at once. Most of them came since the layout
/// last changed.
fn renew_fewest(table: &mut Table, pages: &mut Pages) -> Result<(), Error> {
    let mut scratch = Scratch::default();
    while table.rows.older.len() > OLDER_MAX {
        let older = table.rows.older.iter().enumerate();
        let fewest = older.min_by_key(|(_, older)| older.heap.row_count());
        let Some((fewest, _)) = fewest else { break };
        renew_all_of(table, pages, fewest, &mut scratch)?;
    }
    Ok(())
}

/// Refuses nulls in columns that may have none from now on. Looks at their bitmaps only.
fn check_nulls(
    table: &Table,
    pages: &Pages,
    layout: &Layout,
    sources: &[Option<u16>],
) -> Result<(), Error> {
    let before = table.layout.columns();
    let columns = layout.columns().iter().zip(sources).enumerate();
    let demanded: Vec<(usize, usize)> = columns
        .filter_map(|(column, (definition, source))| {
            let source = usize::from((*source)?);
            (before[source].nullable && !definition.nullable).then_some((column, source))
        })
        .collect();
    if demanded.is_empty() {
        return Ok(());
    }
    for page in RowPages::new(table, pages) {
        let rows = page?.rows;
        for &(column, source) in &demanded {
            if rows.has_null(source) {
                let table = table.id;
                return Err(Error::NullViolation { table, column });
            }
        }
    }
    Ok(())
}

/// Whether every column of `layout` has a source of its own, or something to be filled with, and those of the primary key are never null.
fn fits(table: &Table, layout: &Layout, sources: &[Option<u16>]) -> bool {
    let old = table.layout.columns();
    let fits = |column: &LayoutColumn, source: &Option<u16>| match *source {
        Some(source) => old
            .get(usize::from(source))
            .is_some_and(|old| old.column_type.widens_to(column.column_type)),
        None => column.nullable || column.default.is_some(),
    };
    let mut known: Vec<u16> = sources.iter().copied().flatten().collect();
    known.sort_unstable();
    let key = table.key_columns();
    let may_be_null = |(column, source): (&LayoutColumn, &Option<u16>)| {
        column.nullable && source.is_some_and(|source| key.contains(&source))
    };
    let columns = || layout.columns().iter().zip(sources);
    layout.number() > table.layout.number()
        && layout.column_count() == sources.len()
        && known.is_sorted_by(|a, b| a < b)
        && columns().all(|(column, source)| fits(column, source))
        && !columns().any(may_be_null)
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

/// Whether every column keeps the type of its source.
fn keeps_types(old: &[LayoutColumn], new: &Layout, sources: &[Option<u16>]) -> bool {
    let keeps = |(column, source): (&LayoutColumn, &Option<u16>)| {
        source.is_none_or(|source| old[usize::from(source)].column_type == column.column_type)
    };
    new.columns().iter().zip(sources).all(keeps)
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
    old: &[ValueRef<'v>],
) -> Vec<ValueRef<'v>> {
    let value = |(column, source): (&'v LayoutColumn, &Option<u16>)| match *source {
        Some(source) => {
            let widened = old[usize::from(source)].widened(column.column_type);
            widened.expect("the types fit, and so do the values of a sound page")
        }
        None => column
            .default
            .as_ref()
            .map_or(ValueRef::Null, |default| default.as_ref()),
    };
    layout.columns().iter().zip(sources).map(value).collect()
}
