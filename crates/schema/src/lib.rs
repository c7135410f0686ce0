//! The catalog is rows like any other.
//!
//! What tables there are, of what columns, with what keys and indexes, stands in tables: `st_table`, `st_column`,
//! `st_index`, `st_constraint`, `st_sequence`, `st_database`. A change of a definition is a change of rows, logged and
//! replayed like every other, by the one function that applies a transaction; it costs what changes, never the catalog. Which
//! changes there are, and what each costs, is on the page `docs/SCHEMA.md`.
//! Compiled in are only the two seeds, `st_table` and `st_column` as they were first: every other layout, a later one of
//! the seeds too, comes from the log.
//!
//! This crate does not know files, durability or time. What it makes of a program's changes are the bytes of a
//! transaction; who appends them, and when, is not its business.
//!
//! ```text
//!                          ┌────────────── State ───────────────┐
//!   bytes ── replay ─────> │  Store            Catalog          │ ── clone: a view, O(1)
//!         ── check, apply  │  pages of rows ─> what they define │
//!            (LiveState)   └────────┬───────────────────────────┘
//!                                   │ view
//!   program ── create_table, ──> WriteTransaction ── finish ──> bytes
//!              insert, ...
//!              Declaration ── migrate: the steps from what there is
//! ```
//!
//! ```
//! use schema::{LiveState, NewTable, State, WriteTransaction};
//! use table::{ColumnType, Value};
//!
//! # fn main() -> Result<(), schema::Error> {
//! // The genesis: the system tables, and what the initialiser wants.
//! let id = [7; 16];
//! let mut genesis = WriteTransaction::genesis(id)?;
//! genesis.create_table(
//!     &NewTable::new("airlines")
//!         .column("carrier", ColumnType::String)
//!         .column("name", ColumnType::String)
//!         .primary_key(&["carrier"]),
//! )?;
//! let genesis = genesis.finish()?.unwrap_or_default();
//!
//! let mut state = State::empty(id);
//! state.replay(&genesis)?;
//!
//! // A transaction: made beside a view, checked, applied.
//! let mut live = LiveState::new(state);
//! let mut transaction = WriteTransaction::new(&live.view())?;
//! let cells = [("carrier", Value::from("UA")), ("name", Value::from("United Air Lines Inc."))];
//! transaction.insert("airlines", &cells)?;
//! if let Some(bytes) = transaction.finish()? {
//!     let checked = live.check(&bytes)?; // everything that can refuse refuses here, and nobody sees it
//!     live.apply(&bytes, checked);
//! }
//! let state = live.view();
//! assert_eq!(state.table("airlines")?.row_count(), 1);
//! assert_eq!(state.table("st_table")?.row_count(), 7);
//!
//! let error = state.table("airlins").unwrap_err();
//! assert_eq!(error.to_string(), r#"there is no table "airlins"; did you mean "airlines"?"#);
//! # Ok(())
//! # }
//! ```

// What a definition is.
mod column_definition;
mod column_id;
mod constraint_definition;
mod constraint_id;
mod foreign_key;
mod index_definition;
mod limits;
mod sequence_definition;
mod sequence_id;
mod table_definition;
// How a definition is asked for and judged.
mod integer;
mod mistake;
mod nearest;
mod new_column;
mod new_foreign_key;
mod new_index;
mod new_sequence;
mod new_table;
mod new_table_text;
mod validation;
// The system tables: the list, the frozen part of it, and what a log makes of it.
mod catalog_rows;
mod database_row;
mod format;
mod known_table;
mod seed;
mod sequence_row;
mod system_tables;
// From rows to definitions: the one function that applies.
mod affected;
mod apply;
mod catalog;
mod contradiction;
mod description;
mod digest;
mod follow;
mod live_state;
mod references;
mod restore;
mod state;
// From a program to rows.
mod applied_groups;
mod catalog_change;
mod counters;
mod error;
mod foreign_key_violation;
mod genesis;
mod refusal;
mod row_values;
mod table_key;
mod upgrade;
mod write_transaction;
// Changes of definitions, one by one.
mod column_changes;
mod constraint_changes;
mod definition_changes;
mod sequence_changes;
// From the tables that are there to those that a program declares.
mod declaration;
mod declared_table;
mod migration;
mod migration_plan;
mod migration_step;
mod renames;

pub use catalog::Catalog;
pub use column_definition::ColumnDefinition;
pub use column_id::ColumnId;
pub use constraint_definition::{ConstraintDefinition, ConstraintKind};
pub use constraint_id::ConstraintId;
pub use contradiction::{Contradiction, ContradictionKind};
pub use declaration::Declaration;
pub use error::{Access, Error};
pub use foreign_key_violation::ForeignKeyViolation;
pub use format::{READER_VERSION, WRITER_VERSION};
pub use index_definition::IndexDefinition;
pub use limits::{
    COLUMNS_MAX, DEFAULT_BYTES_MAX, INDEX_COLUMNS_MAX, INDEXES_MAX, NAME_BYTES_MAX, RESERVED,
    SYSTEM_PREFIX,
};
pub use live_state::{CheckedLive, LiveState};
pub use migration::{Migration, Obstacle};
pub use migration_step::MigrationStep;
pub use mistake::{Mistake, Object};
pub use nearest::nearest;
pub use new_column::NewColumn;
pub use new_sequence::NewSequence;
pub use new_table::NewTable;
pub use sequence_definition::SequenceDefinition;
pub use sequence_id::SequenceId;
pub use state::{Checked, State};
pub use table_definition::TableDefinition;
pub use table_key::TableKey;
pub use upgrade::Upgrade;
pub use write_transaction::{Savepoint, WriteTransaction};
