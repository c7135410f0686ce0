//! The database as it was after one transaction.

use schema::{Declaration, Migration, TableDefinition};

use crate::TxId;
use crate::error::Error;
use crate::table_view::TableView;

/// A consistent view: nothing later changes it, and it holds nobody up. Taking and cloning one costs O(1); pages that
/// have changed since stay in memory as long as a view holds them.
#[derive(Debug, Clone)]
pub struct View(bootstrap::View);

impl View {
    pub(crate) fn new(inner: bootstrap::View) -> Self {
        View(inner)
    }

    /// The last transaction that is part of it.
    pub fn tx(&self) -> TxId {
        self.0.tx()
    }

    /// A table by name, the system tables included.
    ///
    /// # Errors
    /// No table of that name; the error knows the nearest one.
    pub fn table(&self, name: &str) -> Result<TableView<'_>, Error> {
        let state = self.0.state();
        let definition = state.definition(name)?;
        Ok(TableView::new(definition, state.rows(definition.id())?))
    }

    /// The definitions of all tables, the system's included, ascending by id.
    pub fn tables(&self) -> impl Iterator<Item = &TableDefinition> {
        self.0
            .state()
            .catalog()
            .tables()
            .map(|definition| &**definition)
    }

    /// What a program would declare to get the tables that there are, the system's left out.
    pub fn declaration(&self) -> Declaration {
        Declaration::of(self.0.state().catalog())
    }

    /// What it would take to make the tables as declared ([`Database::open_declared`](crate::Database::open_declared)).
    ///
    /// # Errors
    /// All mistakes of a declared table.
    pub fn plan_migration(&self, wanted: &Declaration) -> Result<Migration, Error> {
        Ok(self.0.state().plan_migration(wanted)?)
    }

    /// The memory set aside for pages in the whole database, in bytes: of all tables, of older views, and free to be used again. Pages read in place
    /// from a snapshot's file are not counted. [`TableView::memory_use`] tells what one table takes.
    pub fn memory_bytes(&self) -> usize {
        self.0.state().store().pages().memory_bytes()
    }

    /// A hash of the content, 32 bytes: each table's definition and rows, and nothing else. Equal content gives equal
    /// digests on every machine, however it came to be.
    ///
    /// # Errors
    /// Damage.
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        Ok(self.0.digest()?)
    }

    /// The view of the layer below.
    pub fn inner(&self) -> &bootstrap::View {
        &self.0
    }
}
