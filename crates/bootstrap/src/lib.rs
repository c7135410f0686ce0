//! Open, commit, snapshot, close: the state machine that joins log, snapshots and tables.
//!
//! A program opens a directory and gets back exactly the database that was acknowledged, wherever the last run was cut off.
//! This crate is where the durable side, which does not know rows, and the memory side, which does not know files, meet. It
//! does not know any byte layout but that of the identity file and the numbers of a snapshot's sections, and no SQL.
//!
//! ```text
//!            look ─────────> plan ─────────> create | recover | restore      open
//!            files           pure            or refuse, and change nothing
//!
//!   write ── view ── check ── append ── apply ── sync ── show ── acknowledge  commit
//!                              log      state            view
//!
//!            view ── log synced ── one file ── published ── read back        snapshot
//! ```
//!
//! ```
//! use std::sync::Arc;
//! use bootstrap::{Database, Options};
//! use schema::{NewTable, WriteTransaction};
//! use table::{ColumnType, Value};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temporary = tempfile::tempdir()?;
//! # let path = temporary.path();
//! let dir: Arc<dyn disk::Dir> = disk::OsDir::open(path)?;
//! // Runs once, inside the first transaction: if it fails there is no database.
//! let initialise = |tx: &mut WriteTransaction| {
//!     let airlines = NewTable::new("airlines")
//!         .column("carrier", ColumnType::String)
//!         .column("name", ColumnType::String)
//!         .primary_key(&["carrier"]);
//!     tx.create_table(&airlines).map(drop)
//! };
//! let (database, _) = Database::open(Arc::clone(&dir), Options::default(), initialise)?;
//! database.write(|tx| {
//!     tx.insert("airlines", &[("carrier", Value::from("UA")), ("name", Value::from("United Air Lines Inc."))])
//! })?; // durable when it returns
//! let digest = database.digest()?;
//! drop(database); // a crash, as far as the files are concerned
//!
//! let (database, report) = Database::open(dir, Options::default(), initialise)?;
//! println!("{report}");
//! assert_eq!(database.digest()?, digest);
//! assert_eq!(database.view().state().table("airlines")?.row_count(), 1);
//! database.close()?;
//! # Ok(())
//! # }
//! ```

// What a program sees.
mod backup;
mod clock;
mod database;
mod database_id;
mod error;
mod info;
mod open_error;
mod open_report;
mod options;
mod read_only_database;
mod read_options;
mod records;
mod scrub;
mod snapshot_info;
mod snapshot_policy;
mod snapshot_summary;
mod view;
mod write_error;
// Look, plan: what is there, and what follows from it.
mod decision_table;
mod format;
mod held_dir;
mod identity;
mod known;
mod layout;
mod look;
mod looking_again;
mod plan;
mod refusal;
mod sighting;
mod situation;
// Carry out.
mod creation;
mod mapped_pages;
mod opening;
mod pace;
mod replay;
mod restoring;
mod sections;
mod start;
mod stopwatch;
// While it is open.
mod fair_lock;
mod growth;
mod heads;
mod known_snapshots;
mod ours;
mod pruning;
mod snapshot_keeper;
mod turn;
mod upkeep;
mod verification;
mod worker;
mod writer;

pub use backup::{BackupProgress, BackupSummary, OnBackup};
pub use clock::{Clock, SystemClock};
pub use commitlog::{BadFrame, Chain, Extent, Record, SegmentExtent, SyncPolicy, TornTail, TxId};
pub use database::Database;
pub use database_id::DatabaseId;
pub use error::{Error, ErrorClass, Result};
pub use format::IdentityFlaw;
pub use info::Info;
pub use open_error::OpenError;
pub use open_report::{OpenReport, Origin, Phases, RejectedSnapshot, Rejection};
pub use options::{Options, SnapshotLoading};
pub use read_only_database::ReadOnlyDatabase;
pub use read_options::ReadOptions;
pub use records::Records;
pub use scrub::{OnScrub, scrub};
pub use snapshot::{Finding, Mending, ScrubProgress, ScrubReport, SoundCopy};
pub use snapshot_info::{SnapshotInfo, SnapshotLayout};
pub use snapshot_policy::SnapshotPolicy;
pub use snapshot_summary::{Maintenance, PruneSummary, SnapshotSummary};
pub use view::View;
pub use write_error::{Committed, WriteError};

#[doc(hidden)]
pub use options::Mistake;
