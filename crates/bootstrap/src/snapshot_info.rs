//! The snapshots in a directory, one by one, also beside a writer that makes and removes them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use commitlog::TxId;
use disk::Dir;
use snapshot::{Manifest, SnapshotId, Snapshots};

use crate::database_id::DatabaseId;
use crate::error::{Error, Result};
use crate::format::PAGES_SECTION;
use crate::held_dir::HeldDir;
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
    /// What it is made of, as far as it can be used.
    pub layout: Option<SnapshotLayout>,
    /// Why it can not be used, if so.
    pub rejected: Option<snapshot::Error>,
}

/// What a snapshot is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotLayout {
    /// Which line it is in: from 1, that of the newest snapshot. Snapshots in different lines share no byte.
    pub line: usize,
    /// How many pages the state has.
    pub page_count: u64,
    /// The length of the file that was written for it.
    pub own_bytes: u64,
    /// The lengths of the files of other snapshots that it shares pages with.
    pub shared_bytes: u64,
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
    // All that were listed may be gone, and others in their place.
    look_again(dir.path(), |doubt| inspect_once(dir, &check, doubt))
}

fn inspect_once(
    dir: &dyn Dir,
    check: impl Fn(&Snapshots, &Manifest) -> snapshot::Result<()>,
    doubt: &mut String,
) -> Result<Vec<SnapshotInfo>> {
    let Some(snapshots_dir) = layout::existing(dir, layout::SNAPSHOTS)? else {
        return Ok(Vec::new());
    };
    let held_dir = Arc::new(HeldDir::hold(Arc::clone(&snapshots_dir))?);
    let names = held_dir.names();
    let held = layout::snapshots_to_read(held_dir)?;
    let snapshots = layout::snapshots_to_read(snapshots_dir)?;
    let listing = held.list()?;
    let rejected = listing.rejected.iter().map(|rejected| (rejected.id, None));
    let mut found: BTreeMap<SnapshotId, Option<Manifest>> = rejected.collect();
    for manifest in listing.sound {
        let is_sound = check(&held, &manifest).is_ok();
        let entry = found.entry(manifest.id());
        entry.or_insert_with(|| is_sound.then_some(manifest));
    }
    let mut all = Vec::new();
    let mut lines: Vec<Vec<Manifest>> = Vec::new();
    for (id, manifest) in found.into_iter().rev() {
        // What was found bad may have been about to be removed: each look is a fresh one.
        let looked = look_again(dir.path(), |_| {
            if manifest.is_some() {
                return Ok(manifest.clone());
            }
            let Some(manifest) = snapshots.look(id)? else {
                return Ok(None);
            };
            check(&snapshots, &manifest)?;
            Ok(Some(manifest))
        });
        let (manifest, rejected) = match looked {
            Ok(None) => continue,
            Ok(found) => (found, None),
            Err(Error::Snapshot(reason)) => (None, Some(reason)),
            Err(error) => return Err(error),
        };
        all.push(SnapshotInfo {
            tx: TxId(id.tx()),
            database_id: manifest
                .as_ref()
                .map(|manifest| DatabaseId(manifest.header().log_id)),
            layout: manifest.map(|manifest| layout_of(manifest, &mut lines)),
            rejected,
        });
    }
    if all.is_empty() && !names.is_empty() {
        *doubt = format!("{names:?}");
    }
    Ok(all)
}

/// Puts a snapshot into the line of those that it shares bytes with, or into one of its own.
fn layout_of(manifest: Manifest, lines: &mut Vec<Vec<Manifest>>) -> SnapshotLayout {
    let shares = |line: &Vec<Manifest>| line.iter().any(|other| other.shares_bytes_with(&manifest));
    let place = lines.iter().position(shares).unwrap_or_else(|| {
        lines.push(Vec::new());
        lines.len() - 1
    });
    let own_bytes = manifest.own_bytes();
    let layout = SnapshotLayout {
        line: place + 1,
        page_count: manifest.blob_count(PAGES_SECTION),
        own_bytes,
        shared_bytes: manifest.pack_bytes() - own_bytes,
    };
    lines[place].push(manifest);
    layout
}
