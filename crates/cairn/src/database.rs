//! A database in a directory, open for writing.

use std::path::Path;
use std::sync::Arc;

use bootstrap::{
    BackupSummary, Committed, DatabaseId, Info, Maintenance, OnBackup, OnScrub, OpenError,
    OpenReport, Options, PruneSummary, Records, ScrubReport, SnapshotSummary, WriteError,
};
use disk::{Dir, OsDir};
use schema::{Declaration, Migration};

use crate::TxId;
use crate::error::Error;
use crate::transaction::Transaction;
use crate::view::View;

/// A database that is open for writing. Threads may share it: every call takes `&self`.
///
/// One program at a time can write; any number can read beside it ([`crate::ReadOnlyDatabase`]). Dropping it without
/// [`Database::close`] loses nothing that was acknowledged.
#[derive(Debug)]
pub struct Database {
    inner: bootstrap::Database,
    report: OpenReport,
}

impl Database {
    /// Opens the database in a directory, or makes an empty one there, with the default [`Options`].
    ///
    /// # Errors
    /// [`Error::Database`]: locked, damaged, or the disk's error. Nothing on disk has changed then.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, Options::default(), |_| Ok::<(), Error>(())).map_err(|error| {
            match error {
                OpenError::Initialiser(error) => error,
                OpenError::Database(error) => error.into(),
            }
        })
    }

    /// Opens the database in a directory, or makes one: then `initialiser` runs inside the first transaction, and if it
    /// fails there is no database.
    ///
    /// # Errors
    /// [`OpenError`]. Nothing on disk has changed then, but for directories that were made.
    pub fn open_with<E>(
        path: impl AsRef<Path>,
        options: Options,
        initialiser: impl FnOnce(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<Self, OpenError<E>> {
        let dir = if options.create {
            OsDir::create(path)
        } else {
            OsDir::open(path)
        };
        let dir = dir.map_err(|error| OpenError::Database(error.into()))?;
        Self::open_on(dir, options, initialiser)
    }

    /// As [`Database::open_with`], on any disk: the simulated one of the `disk` crate, say.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_on<E>(
        dir: Arc<dyn Dir>,
        options: Options,
        initialiser: impl FnOnce(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<Self, OpenError<E>> {
        let (inner, report) = bootstrap::Database::open(dir, options, |inner| {
            initialiser(&mut Transaction::new(inner))
        })?;
        Ok(Database { inner, report })
    }

    /// Opens the database in a directory, or makes one, and makes its tables as declared, in one transaction; yields what that took. For a new
    /// database it is the first transaction. [`View::plan_migration`] shows
    /// the plan before.
    ///
    /// # Errors
    /// [`OpenError::Initialiser`] if the tables can not be made as declared: all that is in the way, or rows that do not allow it. Then a database that is
    /// there stays as it is, and one that is not is not made.
    pub fn open_declared(
        path: impl AsRef<Path>,
        options: Options,
        wanted: &Declaration,
    ) -> Result<(Self, Migration), OpenError<Error>> {
        let mut first = None;
        let database = Self::open_with(path, options, |tx| {
            first = Some(tx.migrate(wanted)?);
            Ok(())
        })?;
        let migration = match first {
            Some(migration) => migration,
            None => {
                let migrated = database.write(|tx| tx.migrate(wanted));
                migrated.map_err(|error| match error {
                    WriteError::RolledBack(error) => OpenError::Initialiser(error),
                    WriteError::Refused(error) | WriteError::Unknown { source: error, .. } => {
                        OpenError::Database(error)
                    }
                })?
            }
        };
        Ok((database, migration))
    }

    /// What opening found and did: fresh or restored, what was replayed, what was cut and why.
    pub fn report(&self) -> &OpenReport {
        &self.report
    }

    /// Runs a transaction and commits it. It happens whole or not at all; if `body` fails or panics, nothing has
    /// happened. Under the default policy it is durable when this returns.
    ///
    /// One transaction runs at a time; while one waits for its sync others run, and one sync serves all that wait.
    ///
    /// Everything else of the database can be called from inside `body`, and sees nothing of what it changes. Another `write`
    /// there is refused ([`bootstrap::Error::AlreadyWriting`]); on another thread it waits, so `body` must not wait for that thread.
    ///
    /// # Errors
    /// [`WriteError`] says whether the transaction was refused or may yet appear.
    pub fn write<T, E>(
        &self,
        body: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, WriteError<E>> {
        self.write_numbered(body).map(|(value, _)| value)
    }

    /// [`Database::write`], and the number that the transaction got.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub fn write_numbered<T, E>(
        &self,
        body: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Committed), WriteError<E>> {
        self.inner.write(|inner| body(&mut Transaction::new(inner)))
    }

    /// The newest state: the newest durable one under the default policy, else the newest applied one. O(1).
    pub fn view(&self) -> View {
        View::new(self.inner.view())
    }

    /// The newest applied state, which may hold transactions that are not acknowledged yet. O(1).
    pub fn view_latest(&self) -> View {
        View::new(self.inner.view_latest())
    }

    /// The last transaction that is known to be durable.
    pub fn durable_through(&self) -> Option<TxId> {
        self.inner.durable_through()
    }

    /// Waits until a transaction is durable, under every policy.
    ///
    /// # Errors
    /// No such transaction, or a failed sync.
    pub fn wait_durable(&self, tx: TxId) -> Result<(), Error> {
        Ok(self.inner.wait_durable(tx)?)
    }

    /// Writes a snapshot of the newest state, durably, while commits go on, and reads it back.
    ///
    /// # Errors
    /// No snapshot was made; the database goes on.
    pub fn snapshot(&self) -> Result<SnapshotSummary, Error> {
        Ok(self.inner.snapshot()?)
    }

    /// Copies the newest state, once it is durable, to a directory, which is made if there is none, while commits go on; or brings an earlier backup there up
    /// to date, for which only what has changed is written. A backup is a database: open it, also at each transaction from the first backup to the last
    /// ([`ReadOptions::at`](crate::ReadOptions::at)).
    ///
    /// # Errors
    /// The directory holds something else; the transactions since the last backup are pruned; `on_progress` broke; the disks'. What the backup
    /// covered before, it does.
    pub fn backup(
        &self,
        to: impl AsRef<Path>,
        on_progress: &OnBackup<'_>,
    ) -> Result<BackupSummary, Error> {
        let to = OsDir::create(to).map_err(bootstrap::Error::from)?;
        Ok(self.inner.backup(&to, on_progress)?)
    }

    /// Reads all snapshots again while commits go on, and rewrites what is damaged and of which there is a sound copy: in another file, or in memory. By itself it is done
    /// as often as [`SnapshotPolicy::scrub_every`](crate::SnapshotPolicy::scrub_every) says.
    ///
    /// # Errors
    /// `on_progress` broke; the disk's. Damage is a value in the report.
    pub fn scrub(&self, on_progress: &OnScrub<'_>) -> Result<ScrubReport, Error> {
        Ok(self.inner.scrub(on_progress)?)
    }

    /// Removes what two good snapshots make unneeded of the log, and snapshots older than those that are kept.
    ///
    /// # Errors
    /// The disk's.
    pub fn prune(&self) -> Result<PruneSummary, Error> {
        Ok(self.inner.prune()?)
    }

    /// Does one step of what the snapshot policy asks for, for programs that turned the background thread off.
    ///
    /// # Errors
    /// As [`Database::snapshot`] and [`Database::prune`].
    pub fn maintain(&self) -> Result<Maintenance, Error> {
        Ok(self.inner.maintain()?)
    }

    /// The transactions of the log from `from` on, none beyond what is durable.
    ///
    /// # Errors
    /// If the log does not hold `from`.
    pub fn records(&self, from: TxId) -> Result<Records, Error> {
        Ok(self.inner.records(from)?)
    }

    /// Which database it is.
    pub fn id(&self) -> DatabaseId {
        self.inner.id()
    }

    /// What there is to know about it: its log, its snapshots, its state.
    ///
    /// # Errors
    /// The disk's.
    pub fn info(&self) -> Result<Info, Error> {
        Ok(self.inner.info()?)
    }

    /// Makes everything durable, under every policy, and marks the log as closed. Views live on.
    ///
    /// # Errors
    /// The disk's; then the next open looks closer.
    pub fn close(self) -> Result<(), Error> {
        Ok(self.inner.close()?)
    }
}
