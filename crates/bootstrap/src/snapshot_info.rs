//! The snapshots in a directory, one by one, also beside a writer that makes and removes them.

use std::ops::ControlFlow;

use commitlog::TxId;
use disk::Dir;
use snapshot::{Manifest, SnapshotId, Snapshots};

use crate::database_id::DatabaseId;
use crate::error::{Error, Result};
use crate::layout;
use crate::looking_again::look_again;

/// What is known of a snapshot.
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

impl SnapshotInfo {
    /// All snapshots in a database's directory, newest first, as far as their manifests tell.
    pub(crate) fn all(dir: &dyn Dir) -> Result<Vec<SnapshotInfo>> {
        inspect(dir, |_, _| Ok(()))
    }

    /// Reads every byte of all snapshots in a database's directory again and verifies it; newest first. Writes nothing.
    ///
    /// A live writer may work beside it: one that is removed meanwhile does not appear.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Snapshot`] if the directory can not be listed. A snapshot that is no good is a value.
    pub fn read_back_all(dir: &dyn Dir) -> Result<Vec<SnapshotInfo>> {
        inspect(dir, |snapshots, manifest| {
            snapshots.read_back(manifest, &mut |_| ControlFlow::Continue(()))
        })
    }
}

fn inspect(
    dir: &dyn Dir,
    check: impl Fn(&Snapshots, &Manifest) -> snapshot::Result<()>,
) -> Result<Vec<SnapshotInfo>> {
    let Some(snapshots_dir) = layout::existing(dir, layout::SNAPSHOTS)? else {
        return Ok(Vec::new());
    };
    let options = snapshot::Options {
        read_only: true,
        ..snapshot::Options::default()
    };
    let snapshots = Snapshots::open(snapshots_dir, options)?;
    let listing = snapshots.list()?;
    let mut ids: Vec<SnapshotId> = listing.sound.iter().map(Manifest::id).collect();
    ids.extend(listing.rejected.iter().map(|rejected| rejected.id));
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    let mut all = Vec::new();
    for id in ids {
        // What was found bad may have been about to be removed: each look is a fresh one.
        let looked = look_again(dir.path(), |_| {
            let Some(manifest) = snapshots.look(id)? else {
                return Ok(None);
            };
            check(&snapshots, &manifest)?;
            Ok(Some(DatabaseId(manifest.header().log_id)))
        });
        let (database_id, rejected) = match looked {
            Ok(None) => continue,
            Ok(found) => (found, None),
            Err(Error::Snapshot(reason)) => (None, Some(reason)),
            Err(error) => return Err(error),
        };
        all.push(SnapshotInfo {
            tx: TxId(id.tx()),
            database_id,
            rejected,
        });
    }
    Ok(all)
}
