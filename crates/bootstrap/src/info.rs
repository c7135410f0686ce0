//! What a database says about itself.

use commitlog::{Extent, TxId};

use crate::database_id::DatabaseId;
use crate::snapshot_info::SnapshotInfo;

/// What a database says about itself. Costs a look at headers and manifests, not at records or pages.
#[derive(Debug)]
#[non_exhaustive]
pub struct Info {
    /// Which database it is.
    pub database_id: DatabaseId,
    /// The last transaction that views show.
    pub tx: TxId,
    /// The last transaction that is applied; at a writer it may be ahead of what views show.
    pub applied: TxId,
    /// The last transaction that is known to be durable.
    pub durable_through: Option<TxId>,
    /// An earlier write or sync failed: nothing is accepted any more.
    pub is_poisoned: bool,
    /// The segments of the log.
    pub log: Extent,
    /// The snapshots, newest first.
    pub snapshots: Vec<SnapshotInfo>,
    /// Why the work in the background last failed.
    pub background_failure: Option<String>,
}
