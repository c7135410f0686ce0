//! A database as memory holds it: the rows, and the catalog that some of them are.

use std::sync::Arc;

use table::{Marks, Store, TableId, TableRef, Transaction, Value};

use crate::apply::{apply_groups, check_kinds, finish};
use crate::catalog::Catalog;
use crate::contradiction::ContradictionKind;
use crate::database_row::DatabaseRow;
use crate::error::{Access, Error};
use crate::format::{
    FIRST_READER, READER_OF_OLDER_LAYOUTS, READER_OF_TAGS_APART, READER_VERSION, WRITER_VERSION,
};
use crate::nearest::nearest;
use crate::seed;
use crate::system_tables::{SystemTableName, TABLE_NAME_INDEX_ID};
use crate::table_definition::TableDefinition;

/// What hashes of rows are keyed by is derived from the database's id under this name.
const HASH_KEY_CONTEXT: &str = "cairn 2026 hash key of rows without a primary key";

/// All tables of one database, with the catalog. `Clone` takes O(1) and is a view that never changes, or a fork.
#[derive(Debug, Clone)]
pub struct State {
    database_id: [u8; 16],
    store: Store,
    catalog: Catalog,
    /// The greatest marks of any transaction so far.
    marks: Marks,
}

/// A transaction that has been applied to a fork of a state and cannot fail any more.
#[derive(Debug)]
pub struct Checked {
    after: State,
}

impl Checked {
    /// The state as it will be.
    pub fn state(&self) -> &State {
        &self.after
    }

    pub(crate) fn into_state(self) -> State {
        self.after
    }
}

impl State {
    /// The state of a database before its genesis: nothing but the two empty seed tables.
    pub fn empty(database_id: [u8; 16]) -> Self {
        State {
            database_id,
            store: seed::store(State::hash_key(database_id)),
            catalog: Catalog::new(),
            marks: Marks::default(),
        }
    }

    /// The key that a [`Store`] of this database is made or restored with.
    pub fn hash_key(database_id: [u8; 16]) -> [u8; 32] {
        blake3::derive_key(HASH_KEY_CONTEXT, &database_id)
    }

    /// The state that a restored store holds. Reads the catalog's rows, and compares what they say with the pages.
    ///
    /// # Errors
    /// [`Error::Contradiction`] if the rows contradict each other, or the pages or the id; [`Error::NewerFormat`].
    pub fn from_store(database_id: [u8; 16], store: Store) -> Result<Self, Error> {
        let catalog = crate::restore::catalog(&store)?;
        let row = DatabaseRow::read(&store, &catalog)?;
        let marks = Marks {
            minimum_reader: row.minimum_reader,
            minimum_writer: row.minimum_writer,
        };
        check_reader(marks)?;
        for definition in catalog.tables() {
            check_kinds(&catalog, definition, marks)?;
        }
        let state = State {
            database_id,
            store,
            catalog,
            marks,
        };
        state.check_database(row)?;
        Ok(state)
    }

    /// Applies a transaction to a fork; everything that can refuse refuses here. The state stays as it is. What is applied to one state after
    /// the other is faster through a [`LiveState`](crate::LiveState).
    ///
    /// # Errors
    /// Any [`Error`]: of a live transaction it is a refusal, of a logged one it is damage.
    pub fn check(&self, transaction: &[u8]) -> Result<Checked, Error> {
        let mut after = self.clone();
        after.replay(transaction)?;
        Ok(Checked { after })
    }

    /// Takes over a checked transaction. It must have been checked against this very state.
    pub fn apply(&mut self, checked: Checked) {
        *self = checked.after;
    }

    /// Applies a transaction in place: the same function without the fork. After an error the state is half changed
    /// and must be dropped.
    ///
    /// # Errors
    /// As [`State::check`].
    pub fn replay(&mut self, transaction: &[u8]) -> Result<(), Error> {
        check_reader(Marks::peek(transaction)?)?;
        let transaction = Transaction::parse(transaction)?;
        let marks = self.raised_marks(transaction.marks())?;
        let is_genesis = self.is_empty();
        let affected = apply_groups(&mut self.store, &mut self.catalog, &transaction)?;
        let mut row = finish(&self.store, &self.catalog, &affected, marks)?;
        if row.is_none() && (is_genesis || marks != self.marks) {
            row = Some(DatabaseRow::read(&self.store, &self.catalog)?);
        }
        self.marks = marks;
        row.map_or(Ok(()), |row| self.check_database(row))
    }

    /// Whether there is no genesis yet.
    pub fn is_empty(&self) -> bool {
        self.catalog.is_empty()
    }

    /// The database's id.
    pub fn database_id(&self) -> [u8; 16] {
        self.database_id
    }

    /// The tables by id.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The definitions.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Which builds may read and write the log from here on.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// Which builds may read a snapshot of it: of pages that a table has kept from before its columns changed, fewer than of the log.
    pub fn minimum_reader_of_pages(&self) -> u16 {
        let of_pages = if self.store.has_hash_indexes() {
            READER_OF_TAGS_APART
        } else if self.store.has_older_layouts() {
            READER_OF_OLDER_LAYOUTS
        } else {
            FIRST_READER
        };
        self.marks.minimum_reader.max(of_pages)
    }

    /// Refuses if the log asks for a newer build to write to it.
    ///
    /// # Errors
    /// [`Error::NewerFormat`].
    pub fn require_writable(&self) -> Result<(), Error> {
        let needed = self.marks.minimum_writer;
        if needed > WRITER_VERSION {
            return Err(Error::NewerFormat {
                access: Access::Write,
                needed,
                build: WRITER_VERSION,
            });
        }
        Ok(())
    }

    /// The definition of the table of this name; `None` if there is none. Costs one look-up in the index of names.
    ///
    /// # Errors
    /// Damage only.
    pub fn find_definition(&self, name: &str) -> Result<Option<&Arc<TableDefinition>>, Error> {
        find_definition(&self.store, &self.catalog, name)
    }

    /// The definition of the table of this name.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], which knows the nearest name.
    pub fn definition(&self, name: &str) -> Result<&Arc<TableDefinition>, Error> {
        require_definition(&self.store, &self.catalog, name)
    }

    /// The rows of the table of this name, the system's own included.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], which knows the nearest name.
    pub fn table(&self, name: &str) -> Result<TableRef<'_>, Error> {
        self.rows(self.definition(name)?.id())
    }

    /// The rows of the table of this id.
    ///
    /// # Errors
    /// The table layer's `NoSuchTable`.
    pub fn rows(&self, id: TableId) -> Result<TableRef<'_>, Error> {
        self.store.table(id).map_err(Error::Table)
    }

    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Ends a trial of the store, and goes back to the catalog and marks from before it.
    pub(crate) fn take_back(&mut self, catalog: Catalog, marks: Marks) {
        self.store.take_back_trial();
        (self.catalog, self.marks) = (catalog, marks);
    }

    pub(crate) fn into_parts(self) -> (Store, Catalog) {
        (self.store, self.catalog)
    }

    fn raised_marks(&self, found: Marks) -> Result<Marks, Error> {
        // The marks are a running maximum: one that sinks was not written by a build that had read the log.
        if found.minimum_reader < self.marks.minimum_reader
            || found.minimum_writer < self.marks.minimum_writer
        {
            let known = self.catalog.require(SystemTableName::Database)?;
            let kind = ContradictionKind::Marks {
                expected: self.marks,
                found,
            };
            return Err(known.contradiction(vec![Value::Uuid(self.database_id)], kind));
        }
        Ok(found)
    }

    fn check_database(&self, row: DatabaseRow) -> Result<(), Error> {
        let known = self.catalog.require(SystemTableName::Database)?;
        let key = vec![Value::Uuid(row.id)];
        if row.id != self.database_id {
            return Err(known.contradiction(key, ContradictionKind::DatabaseId));
        }
        let of_row = Marks {
            minimum_reader: row.minimum_reader,
            minimum_writer: row.minimum_writer,
        };
        if of_row != self.marks {
            let kind = ContradictionKind::Marks {
                expected: of_row,
                found: self.marks,
            };
            return Err(known.contradiction(key, kind));
        }
        Ok(())
    }
}

fn check_reader(marks: Marks) -> Result<(), Error> {
    let needed = marks.minimum_reader;
    if needed > READER_VERSION {
        return Err(Error::NewerFormat {
            access: Access::Read,
            needed,
            build: READER_VERSION,
        });
    }
    Ok(())
}

/// The definition of the table of a name, through the unique index of names.
pub(crate) fn find_definition<'a>(
    store: &Store,
    catalog: &'a Catalog,
    name: &str,
) -> Result<Option<&'a Arc<TableDefinition>>, Error> {
    let tables = catalog.require(SystemTableName::Table)?;
    let rows = store.table(tables.id()).map_err(Error::Table)?;
    let found = rows
        .find(table::IndexId(TABLE_NAME_INDEX_ID), &[Value::from(name)])
        .map_err(Error::Table)?;
    let Some(row) = found else { return Ok(None) };
    Ok(match tables.cell(&row, "table_id")? {
        Value::U32(id) => catalog.table(TableId(id)),
        _ => None,
    })
}

/// The definition of the table of a name, or an error that knows what may have been meant.
pub(crate) fn require_definition<'a>(
    store: &Store,
    catalog: &'a Catalog,
    name: &str,
) -> Result<&'a Arc<TableDefinition>, Error> {
    find_definition(store, catalog, name)?.ok_or_else(|| Error::NoSuchTable {
        name: name.to_owned(),
        nearest: nearest(name, catalog.tables().map(|table| table.name())),
    })
}
