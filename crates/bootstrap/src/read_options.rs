//! How a database is opened for reading only.

use std::sync::Arc;

use commitlog::TxId;

use crate::clock::{Clock, SystemClock};
use crate::options::SnapshotLoading;

/// Options of [`crate::ReadOnlyDatabase::open`].
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// The state to show: the one after this transaction. `None`, the default, shows the newest.
    pub at: Option<TxId>,
    /// Show transactions too that nothing proves to be durable: beside a live writer they may vanish. Default: no.
    pub unproven: bool,
    /// Start from the genesis even if there are snapshots. Default: no.
    pub ignore_snapshots: bool,
    /// How snapshots are read.
    pub loading: SnapshotLoading,
    /// Where time comes from, for the report. Default: the operating system.
    pub clock: Arc<dyn Clock>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            at: None,
            unproven: false,
            ignore_snapshots: false,
            loading: SnapshotLoading::default(),
            clock: Arc::new(SystemClock::default()),
        }
    }
}
