//! An embedded, in-memory, durable relational store.
//!
//! A program opens a directory and gets back exactly the database that was acknowledged, the catalog included: tables,
//! columns and indexes are rows of system tables (`st_table`, `st_column`, ...), and those rows live in the same log as
//! everything else, from its first record on.
//!
//! This crate does not know any byte layout. It gives names to what `bootstrap` (open, commit, snapshot), `schema`
//! (definitions) and `table` (rows in pages) do.
//!
//! ```text
//!   Database ── write(|tx| ...) ──> Transaction ── create_table, insert, update, delete, savepoint
//!       │                                └── table("flights") ──┐   own writes included
//!       └── view() ──> View ── table("flights") ────────────────┴─> TableView ── scan, get, find, range ──> Row
//! ```
//!
//! ```
//! use cairn::{ColumnType, Database, NewTable};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temporary = tempfile::tempdir()?;
//! # let path = temporary.path();
//! let db = Database::open(path)?;
//! db.write(|tx| {
//!     tx.create_table(&NewTable::new("planes").column("tailnum", ColumnType::String).primary_key(&["tailnum"]))?;
//!     tx.insert("planes", &[("tailnum", "N14228".into())])
//! })?; // durable when it returns
//! drop(db); // a crash would do
//!
//! let db = Database::open(path)?;
//! for row in db.view().table("planes")?.scan() {
//!     assert_eq!(row?.get::<String>("tailnum")?, "N14228");
//! }
//! # Ok(())
//! # }
//! ```

// A database, and how it is changed and read.
mod database;
mod read_only_database;
mod transaction;
mod view;
// What a view holds.
mod table_view;
mod row;
mod from_value;
mod record;
mod timestamp;
// What can go wrong.
mod error;

pub use bootstrap::{
    BackupProgress, BackupSummary, Clock, Committed, DatabaseId, ErrorClass, Finding, Info,
    Maintenance, Mending, OnBackup, OnScrub, OpenError, OpenReport, Options, Origin, PruneSummary,
    ReadOptions, Records, ScrubProgress, ScrubReport, SnapshotLoading, SnapshotPolicy,
    SnapshotSummary, SoundCopy, SyncPolicy, TxId, WriteError,
};
pub use database::Database;
pub use error::Error;
pub use from_value::FromValue;
pub use read_only_database::ReadOnlyDatabase;
pub use record::Record;
pub use row::Row;
pub use schema::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, Declaration, IndexDefinition,
    Migration, MigrationStep, Mistake, NewColumn, NewSequence, NewTable, Obstacle,
    SequenceDefinition, TableDefinition,
};
pub use table::{ColumnType, IndexKind, MemoryUse, RowId, Value};
pub use table_view::{Rows, TableView};
pub use timestamp::Timestamp;
pub use transaction::{Savepoint, Transaction};
pub use view::View;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// So is that of the page on schemas.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/SCHEMA.md")]
struct Schema;
