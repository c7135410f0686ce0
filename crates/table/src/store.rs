//! The whole memory side: pages, and the heads of the tables that they belong to.
//!
//! ```text
//!   Store ── pages:  radix tree ── page ── page ── ...     rows, index nodes, long values
//!         └─ tables: radix tree ── head ── head ── ...     layout, list heads, counts, roots
//! ```
//!
//! Cloning a store copies two roots. The clone is a view that never changes, or a fork to try something on: what is
//! changed afterwards on either side is copied first, what only one side holds is changed in place.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compaction::compact;
use crate::cow_radix::CowRadix;
use crate::cow_radix_difference::difference;
use crate::damaged::DamageKind;
use crate::error::Error;
use crate::group::{Group, Operation};
use crate::heads_moment::HeadsMoment;
use crate::index::Index;
use crate::index_id::IndexId;
use crate::index_kind::IndexKind;
use crate::index_spec::IndexSpec;
use crate::key_buffer::KeyBuffer;
use crate::layout::Layout;
use crate::page::Page;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::renewal::renew;
use crate::row_id::RowId;
use crate::scratch::Scratch;
use crate::stored_pages::StoredPages;
use crate::table::Table;
use crate::table_check;
use crate::table_head_format;
use crate::table_id::TableId;
use crate::table_ref::TableRef;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// All tables of a database, by id. `Clone` takes O(1).
///
/// An operation that refuses leaves the store as it was, unless it says otherwise. One that meets a damaged page ([`Error::Damaged`]) may leave
/// it half changed: work on a clone and drop that, or in a trial ([`Store::begin_trial`]) and take that back.
#[derive(Debug, Clone)]
pub struct Store {
    hash_key: [u8; 32],
    pages: Pages,
    tables: CowRadix<Arc<Table>>,
    /// The heads that the trial has changed, as they were, ascending by id. Empty without one.
    tried: Vec<(TableId, Option<Box<Table>>)>,
    is_trying: bool,
    scratch: Scratch,
}

impl Store {
    /// A store without tables. `hash_key` seeds the hashes of keys, and of rows of tables without one; it must be a function of
    /// the database's identity, since hashes are kept in pages.
    pub fn new(hash_key: [u8; 32]) -> Self {
        Store {
            hash_key,
            pages: Pages::new(),
            tables: CowRadix::new(),
            tried: Vec::new(),
            is_trying: false,
            scratch: Scratch::default(),
        }
    }

    /// The table of this id, or [`Error::NoSuchTable`].
    #[inline]
    pub fn table(&self, table: TableId) -> Result<TableRef<'_>, Error> {
        let Some(head) = self.tables.get(u64::from(table.0)) else {
            return Err(Error::NoSuchTable { table });
        };
        Ok(TableRef::new(head, &self.pages))
    }

    /// All tables, ascending by id.
    pub fn tables(&self) -> impl Iterator<Item = TableRef<'_>> {
        self.tables
            .iter()
            .map(|(_, head)| TableRef::new(head, &self.pages))
    }

    /// Adds an empty table without indexes.
    pub fn create_table(&mut self, table: TableId, layout: Layout) -> Result<(), Error> {
        if self.tables.get(u64::from(table.0)).is_some() {
            return Err(Error::TableExists { table });
        }
        self.note_head(table);
        let head = Table::new(table, self.hash_key, layout);
        self.tables.insert(u64::from(table.0), Arc::new(head));
        Ok(())
    }

    /// Removes a table with its rows and indexes and gives back its pages.
    pub fn drop_table(&mut self, table: TableId) -> Result<(), Error> {
        let (head, pages, _) = self.parts(table)?;
        head.clear(pages)?;
        self.tables.remove(u64::from(table.0));
        Ok(())
    }

    /// Continues a table under a new layout, whose number must be higher. `sources` says for each of its columns at which position
    /// of the old layout its values stand, in its own type or in one that widens to it
    /// ([`ColumnType::widens_to`](crate::ColumnType::widens_to)); `None` is a new column, which rows show at its default, null
    /// without one. Columns that are nobody's source go; no index may be over them. None is the source of two, and those of the primary key are never null.
    ///
    /// Rows stay where they are, and move as the table is written to: it costs the number of columns, and a look at the bitmaps of those that may not be null
    /// any more. Every row and index is written again if a type is wider, and, in a table without a primary key, unless columns are only added
    /// behind the others. After an error the table is half changed and the store must be dropped.
    ///
    /// # Errors
    /// [`Error::UnfitLayout`] before anything has changed; [`Error::NullViolation`] if a column that may not be null has nulls.
    ///
    /// # Panics
    /// In a trial, if rows are written again.
    pub fn change_layout(
        &mut self,
        table: TableId,
        layout: Layout,
        sources: &[Option<u16>],
    ) -> Result<(), Error> {
        let (head, pages, _) = self.parts(table)?;
        crate::relayout::relayout(head, pages, layout, sources)
    }

    /// Moves all rows of a table that stand as they did under a layout before its own. Costs what they are; otherwise they move as the table is written
    /// to.
    pub fn renew_rows(&mut self, table: TableId) -> Result<(), Error> {
        let (head, pages, scratch) = self.parts(table)?;
        renew(head, pages, u64::MAX, scratch).map(drop)
    }

    /// Whether a table has rows that stand as they did under a layout before its own: snapshots of them need a build that knows of that.
    pub fn has_older_layouts(&self) -> bool {
        let mut heads = self.tables.iter();
        heads.any(|(_, head)| !head.rows.older.is_empty())
    }

    /// Whether a table has a hash index.
    pub fn has_hash_indexes(&self) -> bool {
        let mut heads = self.tables.iter();
        let is_hash = |index: &Index| index.spec.kind == IndexKind::Hash;
        heads.any(|(_, head)| head.indexes.iter().any(is_hash))
    }

    /// Adds an index and fills it from the rows; refused if it is unique and they are not.
    pub fn create_index(&mut self, table: TableId, spec: IndexSpec) -> Result<(), Error> {
        let (head, pages, _) = self.parts(table)?;
        head.create_index(pages, spec)
    }

    /// Removes an index; the primary key's is refused.
    pub fn drop_index(&mut self, table: TableId, index: IndexId) -> Result<(), Error> {
        let (head, pages, _) = self.parts(table)?;
        head.drop_index(pages, index)
    }

    /// Names the rows of a table by a unique index over columns that are never null, or by their whole content.
    pub fn set_primary_key(&mut self, table: TableId, index: Option<IndexId>) -> Result<(), Error> {
        let (head, pages, _) = self.parts(table)?;
        head.set_primary_key(pages, index)
    }

    /// Adds a row; values in column order.
    pub fn insert(&mut self, table: TableId, values: &[Value]) -> Result<RowId, Error> {
        let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
        let (head, pages, scratch) = self.parts(table)?;
        head.check_values(values.iter().copied())?;
        head.insert(pages, &values, scratch)
    }

    /// Removes the row at a place.
    pub fn delete(&mut self, table: TableId, row: RowId) -> Result<(), Error> {
        let (head, pages, scratch) = self.parts(table)?;
        head.delete(pages, row, scratch)
    }

    /// Changes values of the row at a place; returns where it stands now. Of a column that is named twice the last value counts.
    pub fn update(
        &mut self,
        table: TableId,
        row: RowId,
        changes: &[(usize, Value)],
    ) -> Result<RowId, Error> {
        let (head, pages, scratch) = self.parts(table)?;
        let mut last = BTreeMap::new();
        for (column, value) in changes {
            head.check_value(*column, value.as_ref())?;
            last.insert(*column, value.as_ref());
        }
        let changes: Vec<(usize, ValueRef<'_>)> = last.into_iter().collect();
        head.update(pages, row, &changes, scratch)
    }

    /// Applies one group of a transaction: the only way in which logged rows reach a table. After an error the rows before the one that was refused are
    /// there.
    pub fn apply_group(&mut self, group: &Group<'_>) -> Result<(), Error> {
        let table = group.table;
        let (head, pages, scratch) = self.parts(table)?;
        if group.layout != head.layout.number() {
            return Err(Error::WrongLayout {
                table,
                current: head.layout.number(),
                found: group.layout,
            });
        }
        let mut rows = group.reader();
        match (group.operation, head.primary_key) {
            (Operation::Insert, _) => {
                let mut values = Vec::with_capacity(head.layout.column_count());
                while rows.row(&head.layout, &mut values)? {
                    head.insert(pages, &values, scratch)?;
                }
            }
            (Operation::DeleteByKey, Some(_)) => {
                let mut key = KeyBuffer::new();
                while rows.index_key(&head.layout, head.key_columns(), &mut key)? {
                    let row = head.find_by_key(pages, key.bytes())?;
                    head.delete(pages, row, scratch)?;
                }
            }
            (Operation::DeleteRow, None) => {
                let mut values = Vec::with_capacity(head.layout.column_count());
                while rows.row(&head.layout, &mut values)? {
                    let row = head.find_by_content(pages, &values, scratch)?;
                    head.delete(pages, row, scratch)?;
                }
            }
            (Operation::Update, Some(_)) => {
                let mut key = KeyBuffer::new();
                let mut changes = Vec::with_capacity(head.layout.column_count());
                while rows.index_key_with_changes(
                    &head.layout,
                    head.key_columns(),
                    &mut key,
                    &mut changes,
                )? {
                    let row = head.find_by_key(pages, key.bytes())?;
                    head.update(pages, row, &changes, scratch)?;
                }
            }
            (operation, _) => return Err(Error::WrongOperation { table, operation }),
        }
        let row_count = u64::from(group.row_count);
        let moved_count = renew(head, pages, row_count, scratch)?;
        // What only comes leaves nothing behind; what moves leaves the long values of dropped columns.
        if group.operation == Operation::Insert && moved_count == 0 {
            return Ok(());
        }
        compact(head, pages, row_count, scratch)
    }

    /// Begins to change what can be taken back as long as it is not kept: in place, where no clone sees it, and as fast as without
    /// a trial. Meanwhile the store is not to be cloned.
    ///
    /// # Panics
    /// In a trial.
    pub fn begin_trial(&mut self) {
        self.pages.begin_trial();
        self.is_trying = true;
    }

    /// Keeps what was changed since the trial began, and ends it.
    ///
    /// # Panics
    /// Without a trial.
    pub fn keep_trial(&mut self) {
        self.pages.keep_trial();
        let last = self.tried.pop();
        self.scratch.head = last.and_then(|(_, head)| head);
        self.tried.clear();
        self.is_trying = false;
    }

    /// Takes back what was changed since the trial began, and ends it. Good after an error, too.
    ///
    /// # Panics
    /// Without a trial.
    pub fn take_back_trial(&mut self) {
        self.pages.take_back_trial();
        self.is_trying = false;
        for (table, head) in self.tried.drain(..) {
            match head {
                Some(head) => self.tables.insert(u64::from(table.0), Arc::new(*head)),
                None => self.tables.remove(u64::from(table.0)),
            };
        }
    }

    /// Checks everything that can be checked: every page of every table, every entry of every index, and that no page
    /// belongs to nobody.
    pub fn check(&self) -> Result<(), Error> {
        let mut page_count = 0;
        for (_, head) in self.tables.iter() {
            page_count += table_check::check(head, &self.pages)?;
        }
        if page_count == self.pages.page_count() {
            return Ok(());
        }
        let last = self
            .pages
            .iter()
            .last()
            .map_or(PageNumber::MIN, |(number, _)| number);
        Err(
            DamageKind::Structure("there are more or fewer pages than the tables have")
                .at(last)
                .into(),
        )
    }

    /// The pages, by number.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The heads of the tables as bytes for a snapshot, ascending by table id.
    pub fn heads(&self) -> impl Iterator<Item = (TableId, Vec<u8>)> {
        self.tables
            .iter()
            .map(|(_, head)| (head.id, table_head_format::encode(head)))
    }

    /// The first head from a table id on, as bytes for a snapshot.
    pub fn head_from(&self, table: TableId) -> Option<(TableId, Vec<u8>)> {
        let (_, head) = self.tables.iter_from(u64::from(table.0)).next()?;
        Some((head.id, table_head_format::encode(head)))
    }

    /// Remembers the heads of the tables as they are.
    pub fn heads_moment(&self) -> HeadsMoment {
        HeadsMoment(self.tables.clone())
    }

    /// The tables whose heads may not be what they were at the moment, ascending, those among them that are gone. Costs what has changed, if this
    /// store or that one came from the other. A head that changed and is equal again counts as changed.
    pub fn heads_changed_after(&self, moment: &HeadsMoment) -> Vec<TableId> {
        let keys = difference(&self.tables, &moment.0, Arc::ptr_eq);
        let ids = keys.into_iter().map(u32::try_from);
        ids.map(|id| TableId(id.expect("keys are table ids")))
            .collect()
    }

    /// Puts a store together from what [`Store::pages`] and [`Store::heads`] gave. Pages may be borrowed from a map; they
    /// are verified when first used.
    ///
    /// # Errors
    /// Of a head that can not be one, or is the second one of its table ([`Error::TableExists`]).
    pub fn restore<'a>(
        hash_key: [u8; 32],
        pages: impl IntoIterator<Item = (PageNumber, Page)>,
        heads: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Error> {
        let mut restored = Pages::new();
        for (number, page) in pages {
            restored.restore(number, page);
        }
        Store::with(hash_key, restored, heads)
    }

    /// As [`Store::restore`], but pages are found where they are stored, each when it is first used: this takes the same time however many there are.
    pub fn map<'a>(
        hash_key: [u8; 32],
        pages: Arc<dyn StoredPages>,
        heads: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Error> {
        Store::with(hash_key, Pages::map(pages), heads)
    }

    fn with<'a>(
        hash_key: [u8; 32],
        pages: Pages,
        heads: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Error> {
        let mut store = Store::new(hash_key);
        store.pages = pages;
        for bytes in heads {
            let table = table_head_format::decode(bytes, &store.hash_key, &mut store.pages)?;
            let table_id = table.id;
            let head = Arc::new(table);
            if store.tables.insert(u64::from(table_id.0), head).is_some() {
                return Err(Error::TableExists { table: table_id });
            }
        }
        Ok(store)
    }

    fn note_head(&mut self, table: TableId) {
        if !self.is_trying {
            return;
        }
        // Transactions name tables in ascending order mostly: then it goes to the end.
        let place = self.tried.binary_search_by_key(&table, |(other, _)| *other);
        if let Err(place) = place {
            let head = self.tables.get(u64::from(table.0));
            let head = head.map(|head| self.scratch.copy_of(head));
            self.tried.insert(place, (table, head));
        }
    }

    /// The head of a table, the pages, and buffers, to change the table with.
    fn parts(&mut self, table: TableId) -> Result<(&mut Table, &mut Pages, &mut Scratch), Error> {
        self.note_head(table);
        let Some(head) = self.tables.get_mut(u64::from(table.0)) else {
            return Err(Error::NoSuchTable { table });
        };
        self.scratch.shrink();
        Ok((Arc::make_mut(head), &mut self.pages, &mut self.scratch))
    }
}
