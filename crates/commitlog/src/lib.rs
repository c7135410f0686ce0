//! Records in order, and an honest end: a segmented, chained write-ahead log.
//!
//! One record is one transaction. It gets a number, gapless from 0, and comes back exactly as it was appended or is reported as
//! damaged. A tail that was cut off by a crash before it was acknowledged is *torn*: it is cut and reported. Anything that had been synced and is not there is
//! *damaged*: an error that names file and byte, and nothing is changed.
//!
//! The crate does not know what a payload means, what time it is, or who else uses the directory: whoever opens a log for writing takes
//! a lock first.
//!
//! ```text
//!  append ─► frame ─► newest segment          wait_durable: one waiter syncs for all,
//!                                             then marks, then releases them
//!
//!  00000000000000000000.log   00000000000000001042.log   00000000000000002077.log
//!  ┌──────┬─┬─┬───────────┐   ┌──────┬─┬─┬───────────┐   ┌──────┬─┬─┬────────┬─────┐
//!  │header│A│B│ frames    │──►│header│A│B│ frames    │──►│header│A│B│ frames │zeros│
//!  └──────┴─┴─┴───────────┘   └──────┴─┴─┴───────────┘   └──────┴─┴─┴────────┴─────┘
//!   who I am   each frame continues the chain of           marks A, B: what is proved
//!              checksums, over segments too                to be on the medium
//! ```
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use commitlog::{Log, LogId, Options, TxId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temporary = tempfile::tempdir()?;
//! # let path = temporary.path();
//! let dir: Arc<dyn disk::Dir> = disk::OsDir::open(path)?;
//! let log = Log::create(Arc::clone(&dir), LogId(*b"an example's log"), Options::default(), &[(b"genesis", None)])?;
//! let id = log.commit(b"hello", None)?; // durable when it returns
//! assert_eq!(id, TxId(1));
//! log.close()?;
//!
//! let (log, report) = Log::open(dir, Options::default(), &[])?;
//! assert!(report.was_closed);
//! let mut reader = log.reader(TxId(0))?;
//! while let Some(record) = reader.next_record()? {
//!     println!("{}: {} bytes", record.id, record.payload.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The rest of this page is the contract: what each call and each failure means.
#![doc = include_str!("../README.md")]

mod tx_id;
mod log_id;
mod chain;
mod record;
mod options;
mod log;
mod shared_log;
mod log_state;
mod monitor;
mod writing;
mod syncing;
mod durable;
mod maintainer;
mod maintaining;
mod agenda;
mod new_record;
mod frames;
mod writer;
mod active_segment;
mod reservation;
mod reader;
mod landmark;
mod seek_cache;
mod read_only_log;
mod still_log;
mod follower;
mod tail_log;
mod shipment;
mod open_report;
mod recovery;
mod at_work;
mod retention;
mod truncation;
mod compression;
mod salvage;
mod salvage_report;
mod salvage_account;
mod segment_remains;
mod salvage_evidence;
mod kept_history;
mod history_chains;
mod taken_bytes;
mod piece;
mod pieces;
mod piece_search;
mod link;
mod remaining_bytes;
mod examine;
mod proofs;
mod verdict;
mod lineup;
mod segment_facts;
mod look;
mod frame_cursor;
mod segment_bytes;
mod packed_frames;
mod segment_name;
mod format;
mod packed_format;
mod shipment_format;
mod checksum;
mod short_checksum;
mod damage;
mod error;

pub use chain::Chain;
pub use compression::Compressed;
pub use damage::{BadFrame, BadShipment, DamageKind};
pub use durable::Durable;
pub use error::{Error, FormatPart, Result};
pub use follower::{FollowOptions, Follower};
pub use log::{Log, Pruned};
pub use log_id::LogId;
pub use look::{Extent, SegmentExtent};
pub use maintainer::Maintainer;
pub use open_report::{OpenReport, Proof, ProofVerdict, TornTail};
pub use options::{Handoff, Options, Start, SyncPolicy};
pub use read_only_log::{ReadOnlyLog, ReadOnlyOptions};
pub use reader::Reader;
pub use record::{OwnedRecord, Record};
pub use salvage::salvage;
pub use salvage_report::{KeptRecords, SalvageReport, SkipReason, SkippedBytes};
pub use shipment::Shipment;
pub use truncation::Truncated;
pub use tx_id::TxId;

#[doc(hidden)]
pub use log::SyncInProgress;
#[doc(hidden)]
pub use options::Mistake;
