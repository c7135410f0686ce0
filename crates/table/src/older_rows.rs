//! Rows that a table keeps as they were under a layout before its own.
//!
//! ```text
//!   own      a i32 | b string | c bool                       what the pages hold
//!   sources  [c, a, nothing]
//!   shown    c bool | a i32 | d i64, 7 in every row          the columns of the table, where they stand in these pages
//! ```
//!
//! They are a heap of their own, which nothing is ever added to: rows go, one by one, and with the last one all of this is forgotten. How the
//! columns are mapped follows every later change of the table's layout, so a reader goes from a page to the newest columns at once.

use std::sync::Arc;

use crate::heap::Heap;
use crate::layout::{Layout, LayoutColumn, check_default};
use crate::value::Value;
use crate::value_ref::ValueRef;

/// The rows, and how they are read.
#[derive(Debug, Clone)]
pub(crate) struct OlderRows {
    pub(crate) heap: Heap,
    /// The layout of the pages.
    pub(crate) own: Arc<Layout>,
    /// The columns of the table as these pages show them: `own` under `sources`. The default of a column without a source is what all rows have there.
    shown: Arc<Layout>,
    /// For each column of the table, which one of the pages it is.
    sources: Vec<Option<u16>>,
}

impl OlderRows {
    /// The rows of a table that is about to have another layout than this one.
    pub(crate) fn new(heap: Heap, own: Arc<Layout>) -> Self {
        OlderRows {
            heap,
            shown: Arc::clone(&own),
            sources: (0u16..).take(own.column_count()).map(Some).collect(),
            own,
        }
    }

    /// Puts together what [`OlderRows::columns`] gave, under a table's columns; `None` if they do not fit each other.
    pub(crate) fn restored(
        heap: Heap,
        own: Layout,
        current: &Layout,
        shown: Vec<Result<u16, Option<Value>>>,
    ) -> Option<Self> {
        if shown.len() != current.column_count() {
            return None;
        }
        let mut columns = current.columns().to_vec();
        let mut sources = Vec::with_capacity(shown.len());
        for (column, shown) in columns.iter_mut().zip(shown) {
            match shown {
                Ok(source) => {
                    let stored = own.columns().get(usize::from(source))?;
                    if stored.column_type != column.column_type {
                        return None;
                    }
                    sources.push(Some(source));
                }
                Err(constant) => {
                    column.default = constant;
                    let is_value = column.nullable || column.default.is_some();
                    if !is_value || check_default(0, column).is_err() {
                        return None;
                    }
                    sources.push(None);
                }
            }
        }
        Some(OlderRows {
            heap,
            shown: Arc::new(own.shown_as(columns, &sources)),
            sources,
            own: Arc::new(own),
        })
    }

    /// The columns of the table as the pages show them.
    pub(crate) fn shown(&self) -> &Layout {
        &self.shown
    }

    /// For each column of the table its place in these pages, or what all rows have there.
    pub(crate) fn columns(&self) -> impl Iterator<Item = Result<u16, Option<&Value>>> {
        let columns = self.sources.iter().zip(self.shown.columns());
        columns.map(|(source, column)| source.ok_or(column.default.as_ref()))
    }

    /// Whether all columns of the pages are the first of the table, in their order.
    pub(crate) fn are_first(&self) -> bool {
        stay_first(self.own.column_count(), &self.sources)
    }

    /// What stands in the pages of a row with these values, if it can be there: its first columns, where the rest has what all rows have. [`OlderRows::are_first`] must
    /// hold.
    pub(crate) fn stored_part<'v, 'a>(
        &self,
        values: &'v [ValueRef<'a>],
    ) -> Option<&'v [ValueRef<'a>]> {
        let (stored, added) = values.split_at_checked(self.own.column_count())?;
        let mut in_pages = stored.iter().zip(self.own.columns());
        let mut in_all = added.iter().zip(&self.shown.columns()[stored.len()..]);
        let is_constant = |(value, column): (&ValueRef<'_>, &LayoutColumn)| {
            let default = column.default.as_ref();
            *value == default.map_or(ValueRef::Null, Value::as_ref)
        };
        let can_be_there = in_pages.all(|(value, column)| column.nullable || !value.is_null())
            && in_all.all(is_constant);
        can_be_there.then_some(stored)
    }

    /// Goes on under the next layout of the table, each of whose columns was at its source before or is new.
    pub(crate) fn follow(&mut self, next: &Layout, sources: &[Option<u16>]) {
        let of_before = |source: &Option<u16>| self.sources[usize::from((*source)?)];
        let columns = next.columns().iter().zip(sources);
        let columns = columns.map(|(column, source)| LayoutColumn {
            default: match source {
                Some(source) => self.shown.columns()[usize::from(*source)].default.clone(),
                None => column.default.clone(),
            },
            ..column.clone()
        });
        let columns = columns.collect();
        self.sources = sources.iter().map(of_before).collect();
        self.shown = Arc::new(self.own.shown_as(columns, &self.sources));
    }
}

/// Whether so many columns are the first under these sources, in their order: so what stands for a row in the index of contents stays the same.
pub(crate) fn stay_first(column_count: usize, sources: &[Option<u16>]) -> bool {
    let (first, added) = sources.split_at(column_count.min(sources.len()));
    first.len() == column_count
        && (0u16..).zip(first).all(|(at, source)| *source == Some(at))
        && added.iter().all(Option::is_none)
}
