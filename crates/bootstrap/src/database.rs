//! An open database.

use std::sync::Arc;

use commitlog::{Log, SyncPolicy, TxId};
use disk::{Dir, Lock};
use schema::{Upgrade, WriteTransaction};
use snapshot::ScrubReport;

use crate::backup::{BackupSummary, OnBackup};
use crate::database_id::DatabaseId;
use crate::error::{Error, Result};
use crate::growth::Growth;
use crate::info::Info;
use crate::layout;
use crate::looking_again::look_again;
use crate::open_error::OpenError;
use crate::open_report::OpenReport;
use crate::opening::{self, Opened};
use crate::options::Options;
use crate::records::Records;
use crate::scrub::OnScrub;
use crate::snapshot_info::SnapshotInfo;
use crate::snapshot_summary::{Maintenance, PruneSummary, SnapshotSummary};
use crate::upkeep::Upkeep;
use crate::view::View;
use crate::worker::{Signal, Worker};
use crate::write_error::{Committed, WriteError};
use crate::writer::Writer;

/// A database that is open for writing. All calls take `&self`; threads may share it.
///
/// One writable database per directory, in all processes; any number of [`crate::ReadOnlyDatabase`] beside it. Dropping it without
/// [`Database::close`] is what a crash is: nothing that was acknowledged is lost.
#[derive(Debug)]
pub struct Database {
    id: DatabaseId,
    dir: Arc<dyn Dir>,
    writer: Arc<Writer>,
    upkeep: Arc<Upkeep>,
    /// Ends before what it uses.
    worker: Option<Worker>,
    /// Freed last.
    lock: Lock,
}

impl Database {
    /// Opens the database in `dir`, or creates it: then `initialiser` runs inside the first transaction, and if it
    /// fails there is no database.
    ///
    /// # Errors
    /// [`OpenError::Initialiser`]; else [`OpenError::Database`] with one of the refusals of `docs/RECOVERY.md`, damage, or the
    /// disk's error. A refusal and damage leave every file but the lock as it was; after the disk's error, opening again is safe.
    pub fn open<E>(
        dir: Arc<dyn Dir>,
        options: Options,
        initialiser: impl FnOnce(&mut WriteTransaction) -> std::result::Result<(), E>,
    ) -> std::result::Result<(Database, OpenReport), OpenError<E>> {
        let opened = opening::open(&dir, &options, initialiser)?;
        Ok(Database::start(dir, options, opened)?)
    }

    fn start(
        dir: Arc<dyn Dir>,
        options: Options,
        opened: Opened,
    ) -> Result<(Database, OpenReport)> {
        let Opened {
            lock,
            log,
            view,
            last_snapshot,
            known,
            verification,
            mut report,
        } = opened;
        let id = DatabaseId(view.state().database_id());
        let since = last_snapshot.map_or(TxId(0), TxId::next);
        let growth = Growth::new(since, view.tx().next(), report.bytes_replayed);
        let is_verifying = verification.is_some();
        let signal = Arc::new(Signal::default());
        let writer = Arc::new(Writer::new(log, view, growth, &options));
        let upkeep = Arc::new(Upkeep::new(
            Arc::clone(&dir),
            Arc::clone(&writer),
            Arc::clone(&signal),
            &options,
            known,
            verification,
        )?);
        if options.upgrade {
            report.upgrade = upgrade(&writer)?;
            report.tx = writer.heads().applied().tx();
        }
        let has_interval = matches!(options.sync_policy, SyncPolicy::Interval(_));
        let policy = &options.snapshots;
        let has_policy = policy.is_automatic() || policy.scrub_every.is_some();
        let has_work = has_policy || has_interval || is_verifying;
        let worker = if options.background && has_work {
            let inside = Arc::clone(&upkeep);
            Some(Worker::start(signal, move || inside.run_until_idle())?)
        } else {
            None
        };
        let database = Database {
            id,
            dir,
            writer,
            upkeep,
            worker,
            lock,
        };
        Ok((database, report))
    }

    /// Runs a transaction and commits it, as the sync policy says. One runs at a time; while one waits for its
    /// sync, others run, and one sync serves all that wait.
    ///
    /// What `body` changes is seen by it at once and by nobody else before the commit. If it fails or panics, nothing has
    /// happened. A transaction that changes nothing is not logged.
    ///
    /// Everything else of the database can be called from inside `body`, and sees nothing of what it changes. Another `write`
    /// there is refused; on another thread it waits, so `body` must not wait for that thread.
    ///
    /// # Errors
    /// See [`WriteError`]; [`Error::AlreadyWriting`] from inside another transaction of the same thread.
    pub fn write<T, E>(
        &self,
        body: impl FnOnce(&mut WriteTransaction) -> std::result::Result<T, E>,
    ) -> std::result::Result<(T, Committed), WriteError<E>> {
        let written = self.writer.write(body);
        if self.worker.is_some() && self.upkeep.is_due() {
            self.upkeep.nudge();
        }
        written
    }

    /// The newest state: under [`SyncPolicy::EveryCommit`] the newest durable one, else the newest applied one.
    pub fn view(&self) -> View {
        self.writer.shown()
    }

    /// The newest applied state. Under [`SyncPolicy::EveryCommit`] it may hold transactions that are not durable yet and have not
    /// been acknowledged. Once the database is poisoned, the same as [`Database::view`].
    pub fn view_latest(&self) -> View {
        if self.writer.is_poisoned() {
            self.view()
        } else {
            self.writer.heads().applied()
        }
    }

    /// The last transaction that is known to be durable.
    pub fn durable_through(&self) -> Option<TxId> {
        self.writer.log().durable_through()
    }

    /// Waits until a transaction is durable, under every policy. One sync serves all that wait.
    ///
    /// # Errors
    /// [`Error::Log`] if there is no such transaction or a sync failed; [`Error::Poisoned`], but not for a transaction that was known to be
    /// durable before.
    pub fn wait_durable(&self, tx: TxId) -> Result<()> {
        self.writer.wait_durable(tx)
    }

    /// Writes a snapshot of the newest state, durably, while commits go on, and reads it back. Under [`SyncPolicy::Interval`] the syncs that
    /// become due meanwhile are done in between, however long it takes.
    ///
    /// # Errors
    /// [`Error::Snapshot`]: no snapshot was made, the database goes on. [`Error::Log`], [`Error::Poisoned`].
    pub fn snapshot(&self) -> Result<SnapshotSummary> {
        self.upkeep.snapshot()
    }

    /// Copies the newest state, once it is durable, to a directory of its own while commits go on, or brings an earlier backup there up to date: then only
    /// what has changed is written. What is made is a database, which covers each state from the first backup to the last, to be opened as any other, for
    /// reading at an older transaction, too, or backed up on.
    ///
    /// # Errors
    /// [`Error::ForeignBackup`], [`Error::BackupInside`]; [`Error::Log`] with `Pruned` if transactions since the last backup are pruned: begin another. [`Error::Snapshot`] with
    /// `Cancelled` if `on_progress` broke. What the backup covered before, it does.
    pub fn backup(&self, to: &Arc<dyn Dir>, on_progress: &OnBackup<'_>) -> Result<BackupSummary> {
        let holder = disk::this_process();
        self.upkeep.backup(&*self.dir, to, &holder, on_progress)
    }

    /// Reads all snapshots again while commits and snapshots go on, and rewrites what is damaged from a sound copy: from the other line of snapshots, from any
    /// other pack, or from memory, if the state still has the page, not mapped, or this process has written or read the snapshot. A file that is damaged so that nothing can be done about
    /// it, and in which no other snapshot lies, is set aside, since it keeps others from being removed. A snapshot that stays damaged counts for nothing, and the next
    /// one on its line stores everything anew; if snapshots are written by policy one is due at once. If the state may be mapped from what was damaged,
    /// the report says so, mended or not: open the database again.
    ///
    /// # Errors
    /// [`Error::Snapshot`], with `Cancelled` if `on_progress` broke: then each file is as it was, or mended. [`Error::Poisoned`]. Damage is a value in the report.
    pub fn scrub(&self, on_progress: &OnScrub<'_>) -> Result<ScrubReport> {
        self.upkeep.scrub(on_progress)
    }

    /// Removes segments of the log that two good snapshots make unneeded, and snapshots older than those that are kept. Snapshots that
    /// were not read back since the database was opened are read back first, with syncs in between as in [`Database::snapshot`].
    ///
    /// # Errors
    /// [`Error::Log`], [`Error::Snapshot`], [`Error::Poisoned`].
    pub fn prune(&self) -> Result<PruneSummary> {
        self.upkeep.prune()
    }

    /// Does one step of what the snapshot policy asks for, verifies some pages of a snapshot that was only mapped, or reads some megabytes of
    /// snapshots again. Not needed if the database has a thread of its own.
    ///
    /// # Errors
    /// As [`Database::snapshot`] and [`Database::prune`].
    pub fn maintain(&self) -> Result<Maintenance> {
        self.upkeep.step()
    }

    /// The transactions of the log from `from` on, none beyond what is durable.
    ///
    /// # Errors
    /// [`Error::Log`] if the log does not hold `from`.
    pub fn records(&self, from: TxId) -> Result<Records> {
        Records::of_live_log(Arc::clone(self.writer.log()), from)
    }

    /// A hash of the content of [`Database::view`]: of tables, definitions and rows, and of nothing else.
    ///
    /// # Errors
    /// [`Error::Schema`] if a page is damaged.
    pub fn digest(&self) -> Result<[u8; 32]> {
        self.view().digest()
    }

    /// Which database it is.
    pub fn id(&self) -> DatabaseId {
        self.id
    }

    /// When a commit is acknowledged.
    pub fn sync_policy(&self) -> SyncPolicy {
        self.writer.sync_policy()
    }

    /// What there is to know about it.
    ///
    /// # Errors
    /// [`Error::Log`], [`Error::Snapshot`], [`Error::Disk`].
    pub fn info(&self) -> Result<Info> {
        let log_dir = layout::existing(&*self.dir, layout::LOG)?;
        let log_dir = log_dir.ok_or_else(|| Error::NoDatabase {
            path: self.dir.path().to_path_buf(),
        })?;
        Ok(Info {
            database_id: self.id,
            tx: self.view().tx(),
            applied: self.writer.heads().applied_tx(),
            durable_through: self.durable_through(),
            is_poisoned: self.writer.is_poisoned(),
            // Commits go on, and may begin a new segment meanwhile.
            log: look_again(log_dir.path(), |_| Ok(Log::inspect(&*log_dir)?))?,
            snapshots: SnapshotInfo::all(&*self.dir)?,
            background_failure: self.upkeep.last_failure(),
        })
    }

    /// Makes everything durable, under every policy, and marks the log as closed. Views live on.
    ///
    /// # Errors
    /// [`Error::Log`] or [`Error::Poisoned`]: then the next open looks closer.
    pub fn close(self) -> Result<()> {
        let Database {
            writer,
            worker,
            lock,
            ..
        } = self;
        drop(worker);
        // A log that is marked as closed would say that nothing is in doubt.
        writer.require_sound()?;
        let closed = writer.log().close().map_err(|error| writer.failure(error));
        drop(lock);
        closed
    }
}

/// Adds what the log lacks of this build's system tables. It is one more transaction; a refusal leaves the database as it is.
fn upgrade(writer: &Writer) -> Result<Option<Result<Upgrade>>> {
    match writer.write(WriteTransaction::upgrade) {
        Ok((added, _)) => Ok((!added.is_empty()).then_some(Ok(added))),
        Err(WriteError::RolledBack(error)) => Ok(Some(Err(Error::Schema(error)))),
        Err(WriteError::Refused(error)) => Ok(Some(Err(error))),
        Err(WriteError::Unknown { source, .. }) => Err(source),
    }
}
