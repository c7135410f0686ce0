//! How a database is opened for writing.

use std::sync::Arc;

use commitlog::{SyncPolicy, TxId};
use schema::READER_VERSION;

use crate::clock::{Clock, SystemClock};
use crate::database_id::DatabaseId;
use crate::snapshot_policy::SnapshotPolicy;

/// Options of [`crate::Database::open`]. They may differ from one opening to the next.
#[derive(Debug, Clone)]
pub struct Options {
    /// Make the database if the directory holds none and no trace of one. Default: yes.
    pub create: bool,
    /// If the log is lost, damaged or behind the newest sound snapshot, go on from that snapshot and give up what came after it.
    /// The segments are moved aside, not removed. Default: no.
    pub restore_from_snapshots: bool,
    /// When a commit is acknowledged. Default: after a sync. An interval is kept by the thread in the background, or by a program that calls
    /// [`crate::Database::maintain`] itself, often enough.
    pub sync_policy: SyncPolicy,
    /// The length in bytes at which a segment of the log is continued in a new one. Default: 64 MiB.
    pub segment_bytes_max: u64,
    /// The longest transaction that is accepted, in bytes. Default: 256 MiB.
    pub transaction_bytes_max: u32,
    /// When snapshots are written, and what is kept.
    pub snapshots: SnapshotPolicy,
    /// Where an older program began the log: add what this one knows of system tables and the log lacks, in one transaction when the database is
    /// opened. Older programs keep it, and can go on as before. Without it the log stays as it is, and what needs the addition says so.
    /// Default: yes.
    pub upgrade: bool,
    /// Do what the snapshot policy and an interval of syncs ask for on a thread of the database's own. Without it the program calls
    /// [`crate::Database::maintain`]. Default: yes.
    pub background: bool,
    /// How snapshots are read.
    pub loading: SnapshotLoading,
    /// Where time comes from. Default: the operating system.
    pub clock: Arc<dyn Clock>,
    /// What the lock file says about the holder. Default: [`disk::this_process`].
    pub holder: String,
    /// The id of a database that is to be created. `None`, the default, draws it at random; a fixed one makes a
    /// test's files reproducible.
    pub database_id: Option<DatabaseId>,
    /// Fixes the random part of the names of packs, for tests and simulations. Default: drawn at random.
    pub pack_nonce: Option<u64>,
    /// Something that goes wrong on purpose, to test what follows.
    #[doc(hidden)]
    pub mistake: Option<Mistake>,
}

/// What may be made to go wrong in a test.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// This transaction panics when its record is in the log and its effect is not in the state.
    PanicWhileApplying(TxId),
}

/// How much of a snapshot is read and checked before the database opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SnapshotLoading {
    /// Files are mapped for reading, and everything is read there once and its hashes are checked, so that a damaged snapshot is noticed while an
    /// older one can still take its place. Nothing is copied: a page is when it is first written.
    #[default]
    Checked,
    /// Files are mapped for reading, and each page is looked for and checked when it is first used; if it, or what says where it is, is damaged, that is an error
    /// then, or, as long as the log is being replayed, another snapshot takes its place. Opens in no time, however large the database is, unless its snapshots are [compressed](crate::SnapshotPolicy::compress): what is compressed is unpacked,
    /// and its checksums are checked, before. The rest is checked in the background, or by [`crate::Database::maintain`], which tells of what is damaged.
    Mapped,
    /// As [`SnapshotLoading::Checked`], but everything is copied into memory. An I/O error, or somebody else who cuts a file,
    /// can do no harm afterwards; under a map either ends the process (SIGBUS), and a page that the system has let go is read again unchecked.
    Copied,
}

impl Default for Options {
    fn default() -> Self {
        let log = commitlog::Options::default();
        Options {
            create: true,
            restore_from_snapshots: false,
            sync_policy: SyncPolicy::EveryCommit,
            segment_bytes_max: log.segment_bytes_max,
            transaction_bytes_max: log.payload_bytes_max,
            snapshots: SnapshotPolicy::default(),
            upgrade: true,
            background: true,
            loading: SnapshotLoading::default(),
            clock: Arc::new(SystemClock::default()),
            holder: disk::this_process(),
            database_id: None,
            pack_nonce: None,
            mistake: None,
        }
    }
}

impl Options {
    pub(crate) fn log_options(&self) -> commitlog::Options {
        commitlog::Options {
            segment_bytes_max: self.segment_bytes_max,
            payload_bytes_max: self.transaction_bytes_max,
            sync_policy: self.sync_policy,
            reader: READER_VERSION,
            ..commitlog::Options::default()
        }
    }

    pub(crate) fn snapshot_options(&self) -> snapshot::Options {
        snapshot::Options {
            nonce: self.pack_nonce,
            compress: self.snapshots.compress,
            ..snapshot::Options::default()
        }
    }
}

impl SnapshotLoading {
    /// How a snapshot is loaded, unless it is only mapped.
    pub(crate) fn load_options(self) -> snapshot::LoadOptions {
        use snapshot::{LoadMode, Verify};
        let (mode, verify) = match self {
            SnapshotLoading::Checked => (LoadMode::Map, Verify::All),
            SnapshotLoading::Copied => (LoadMode::Copy, Verify::All),
            SnapshotLoading::Mapped => (LoadMode::Map, Verify::Checksums),
        };
        snapshot::LoadOptions { mode, verify }
    }
}
