//! A database that is only read: no lock, no write, also beside a live writer or on a read-only medium.

use std::sync::Arc;

use commitlog::{ReadOnlyLog, TxId};
use disk::Dir;
use snapshot::SnapshotId;

use crate::backup::{self, BackupSummary, OnBackup};
use crate::database_id::DatabaseId;
use crate::decision_table::Refusal;
use crate::error::{Error, Result};
use crate::info::Info;
use crate::layout;
use crate::look::{Scope, look};
use crate::looking_again::look_again;
use crate::open_report::{OpenReport, Origin, Phases, RejectedSnapshot, Rejection};
use crate::plan::{Action, Intent, plan};
use crate::read_options::ReadOptions;
use crate::records::Records;
use crate::refusal;
use crate::replay::{Replayed, replay};
use crate::snapshot_info::SnapshotInfo;
use crate::start::start;
use crate::stopwatch::Stopwatch;
use crate::view::View;

/// A database that is only read, as it was when it was opened, or as it was after an older transaction.
#[derive(Debug)]
pub struct ReadOnlyDatabase {
    dir: Arc<dyn Dir>,
    log: ReadOnlyLog,
    view: View,
}

impl ReadOnlyDatabase {
    /// Opens the database in `dir`. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// One of the refusals of `docs/RECOVERY.md`, among them [`Error::OutsideRange`]; damage; the disk's error;
    /// [`Error::Restless`] if a writer beside it was too fast for it again and again.
    pub fn open(
        dir: Arc<dyn Dir>,
        options: &ReadOptions,
    ) -> Result<(ReadOnlyDatabase, OpenReport)> {
        look_again(dir.path(), |doubt| open_once(&dir, options, doubt))
    }

    /// The state that was opened.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// The transactions of the log from `from` on, up to where it ended when it was opened.
    ///
    /// # Errors
    /// [`Error::Log`] if the log does not hold `from`.
    pub fn records(&self, from: TxId) -> Result<Records> {
        Ok(Records::of_still_log(self.log.reader(from)?))
    }

    /// A hash of the content of [`ReadOnlyDatabase::view`].
    ///
    /// # Errors
    /// [`Error::Schema`] if a page is damaged.
    pub fn digest(&self) -> Result<[u8; 32]> {
        self.view.digest()
    }

    /// Reads and checks everything that the state is made of, every page and index entry, and every record of the log. Records that a
    /// writer prunes meanwhile are passed over.
    ///
    /// # Errors
    /// [`Error::Schema`] and [`Error::Log`] where something is damaged; the disk's error.
    pub fn verify(&self) -> Result<()> {
        let checked = self.view.state().store().check();
        checked.map_err(schema::Error::Table)?;
        let (mut from, end) = (self.log.base(), self.log.next_id());
        while from < end {
            match self.verify_records(from) {
                Err(Error::Log(commitlog::Error::Pruned { oldest })) if oldest > from => {
                    from = oldest;
                }
                verified => return verified,
            }
        }
        Ok(())
    }

    fn verify_records(&self, from: TxId) -> Result<()> {
        let mut records = self.records(from)?;
        while records.next_record()?.is_some() {}
        Ok(())
    }

    /// Copies the state that was opened to a directory of its own, as [`crate::Database::backup`] does: also an older state, and also beside a writer. This is how to
    /// restore from a backup.
    ///
    /// # Errors
    /// As [`crate::Database::backup`]; [`Error::BackupAhead`] if the directory holds a later state.
    pub fn backup(&self, to: &Arc<dyn Dir>, on_progress: &OnBackup<'_>) -> Result<BackupSummary> {
        let tx = self.view.tx();
        if tx >= self.log.proven_end() {
            return Err(Error::Unproven { tx });
        }
        let lock = backup::lock(&*self.dir, &**to, &disk::this_process())?;
        let origin = backup::Origin {
            view: self.view(),
            ship: &|range, bytes| self.log.ship(range, bytes),
            chain_after: &|tx| self.log.chain_after(tx),
            known: None,
            compress: false,
        };
        backup::backup(origin, to, &lock, on_progress)
    }

    /// Which database it is.
    pub fn id(&self) -> DatabaseId {
        DatabaseId(self.view.state().database_id())
    }

    /// What there is to know about it.
    ///
    /// # Errors
    /// [`Error::Snapshot`], [`Error::Disk`].
    pub fn info(&self) -> Result<Info> {
        Ok(Info {
            database_id: self.id(),
            tx: self.view.tx(),
            applied: self.view.tx(),
            durable_through: self.log.proven_end().previous(),
            is_poisoned: false,
            log: self.log.extent(),
            snapshots: SnapshotInfo::all(&*self.dir)?,
            background_failure: None,
        })
    }
}

fn open_once(
    dir: &Arc<dyn Dir>,
    options: &ReadOptions,
    doubt: &mut String,
) -> Result<(ReadOnlyDatabase, OpenReport)> {
    let mut stopwatch = Stopwatch::start(&*options.clock);
    let mut phases = Phases::default();
    let scope = Scope {
        unproven: options.unproven,
        ignore_snapshots: options.ignore_snapshots,
    };
    let intent = Intent::Read { at: options.at };
    let mut looked = look(&**dir, scope)?;
    phases.look = stopwatch.lap();
    let (replayed, row) = loop {
        let plan = plan(&looked.sighting, intent);
        let snapshot = match plan.action {
            Action::Refuse(refusal) => {
                if let Some(log) = &looked.log
                    && refusal == Refusal::NoStart
                    && options.ignore_snapshots
                    && log.extent().missing.is_none()
                {
                    // The database may be well: it is the log alone that does not reach back.
                    let oldest = log.base();
                    return Err(commitlog::Error::Pruned { oldest }.into());
                }
                let listed = looked.snapshots_dir.as_ref().map(|dir| dir.names());
                let seen = format!("{listed:?}, {:?}", looked.sighting.snapshots);
                let error = refusal::error(refusal, looked.sighting, intent, dir.path());
                // Damage of the log stays where it is. What is said to be lacking may be there under another name by now.
                if !matches!(error, Error::Log(_)) {
                    *doubt = seen;
                }
                return Err(error);
            }
            Action::Recover {
                snapshot,
                rewrite_identity: false,
            } => snapshot,
            action => unreachable!("nothing is written by an open for reading: {action:?}"),
        };
        let start = match start(&looked, snapshot, options.loading)? {
            Ok(start) => start,
            Err(rejected) => {
                looked.reject(rejected);
                continue;
            }
        };
        phases.load += stopwatch.lap();
        let replayed = replay(start, &looked, options.at, dir.path())?;
        phases.replay += stopwatch.lap();
        match replayed {
            Ok(replayed) => break (replayed, plan.row),
            Err(rejected) => looked.reject(rejected),
        }
    };
    let Replayed {
        view,
        snapshot: last_snapshot,
        records,
        bytes,
        ..
    } = replayed;
    if let Some(at) = options.at {
        assert_eq!(view.tx(), at, "the plan has compared it with the range");
    }

    let log = looked
        .log
        .take()
        .expect("a log that can be recovered from can be read");
    let extent = log.extent();
    let was_closed = extent.closed;
    let torn = log.unfinished_tail();

    let mut snapshots_rejected = looked.into_rejected();
    retain_existing(&**dir, &mut snapshots_rejected)?;
    // One that the log does not reach back to is whole, and a writer may be about to remove it.
    let mut flawed = snapshots_rejected.iter();
    if flawed.any(|rejected| !matches!(rejected.reason, Rejection::Unreachable)) {
        *doubt = format!("{snapshots_rejected:?}");
    }
    let report = OpenReport {
        database_id: DatabaseId(view.state().database_id()),
        is_read_only: true,
        row,
        origin: last_snapshot.map_or(Origin::Genesis, |tx| Origin::Snapshot { tx }),
        tx: view.tx(),
        records_replayed: records,
        bytes_replayed: bytes,
        torn,
        segments_lost: extent.missing,
        leftovers_removed: 0,
        was_closed,
        identity_rewritten: false,
        snapshots_rejected,
        upgrade: None,
        phases,
    };
    let dir = Arc::clone(dir);
    Ok((ReadOnlyDatabase { dir, log, view }, report))
}

/// Drops the snapshots that a writer has removed by now, or was removing while they were looked at.
fn retain_existing(dir: &dyn Dir, rejected: &mut Vec<RejectedSnapshot>) -> Result<()> {
    if rejected.is_empty() {
        return Ok(());
    }
    let Some(snapshots_dir) = layout::existing(dir, layout::SNAPSHOTS)? else {
        rejected.clear();
        return Ok(());
    };
    let snapshots = layout::snapshots_to_read(snapshots_dir)?;
    rejected.retain(|rejected| !matches!(snapshots.look(SnapshotId(rejected.tx.0)), Ok(None)));
    Ok(())
}
