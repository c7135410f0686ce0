//! What a database says about itself.

use std::cmp::Reverse;

use commitlog::{Extent, TxId};
use disk::Dir;
use snapshot::Snapshots;

use crate::database_id::DatabaseId;
use crate::error::Result;
use crate::layout;
use crate::looking_again::look_again;

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

/// A snapshot, as far as its manifest tells.
#[derive(Debug)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// The last transaction in it.
    pub tx: TxId,
    /// The database that it belongs to; `None` if it can not be read.
    pub database_id: Option<DatabaseId>,
    /// Why it can not be used, if so.
    pub rejected: Option<snapshot::Error>,
}

/// All snapshots in a database's directory, newest first. A writer may go on meanwhile.
pub(crate) fn snapshots(dir: &dyn Dir) -> Result<Vec<SnapshotInfo>> {
    look_again(dir.path(), |doubt| {
        let snapshots = list(dir)?;
        let rejected = snapshots.iter().filter_map(|it| it.rejected.as_ref());
        rejected.for_each(|reason| doubt.push_str(&reason.to_string()));
        Ok(snapshots)
    })
}

fn list(dir: &dyn Dir) -> Result<Vec<SnapshotInfo>> {
    let Some(snapshots_dir) = layout::existing(dir, layout::SNAPSHOTS)? else {
        return Ok(Vec::new());
    };
    let options = snapshot::Options {
        read_only: true,
        ..snapshot::Options::default()
    };
    let listing = Snapshots::open(snapshots_dir, options)?.list()?;
    let sound = listing.sound.iter().map(|manifest| SnapshotInfo {
        tx: TxId(manifest.header().tx),
        database_id: Some(DatabaseId(manifest.header().log_id)),
        rejected: None,
    });
    let mut all: Vec<SnapshotInfo> = sound.collect();
    all.extend(listing.rejected.into_iter().map(|rejected| SnapshotInfo {
        tx: TxId(rejected.id.tx()),
        database_id: None,
        rejected: Some(rejected.reason),
    }));
    all.sort_by_key(|snapshot| Reverse(snapshot.tx));
    Ok(all)
}
