//! A database in a directory, open for reading only.

use std::path::Path;
use std::sync::Arc;

use bootstrap::{BackupSummary, DatabaseId, Info, OnBackup, OpenReport, ReadOptions, Records};
use disk::{Dir, OsDir};

use crate::TxId;
use crate::error::Error;
use crate::view::View;

/// A database as it was when it was opened, or after an older transaction ([`ReadOptions::at`]). Takes no lock, writes
/// nothing, works beside a live writer and on a read-only medium.
#[derive(Debug)]
pub struct ReadOnlyDatabase {
    inner: bootstrap::ReadOnlyDatabase,
    report: OpenReport,
}

impl ReadOnlyDatabase {
    /// Opens the newest state.
    ///
    /// # Errors
    /// No database there, damage, or the disk's error.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, &ReadOptions::default())
    }

    /// Opens the state that the options name.
    ///
    /// # Errors
    /// As [`ReadOnlyDatabase::open`], and if that state can not be rebuilt.
    pub fn open_with(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, Error> {
        let dir = OsDir::open(path).map_err(bootstrap::Error::from)?;
        Self::open_on(dir, options)
    }

    /// As [`ReadOnlyDatabase::open_with`], on any disk.
    ///
    /// # Errors
    /// As [`ReadOnlyDatabase::open_with`].
    pub fn open_on(dir: Arc<dyn Dir>, options: &ReadOptions) -> Result<Self, Error> {
        let (inner, report) = bootstrap::ReadOnlyDatabase::open(dir, options)?;
        Ok(ReadOnlyDatabase { inner, report })
    }

    /// What opening found.
    pub fn report(&self) -> &OpenReport {
        &self.report
    }

    /// The state that was opened. O(1).
    pub fn view(&self) -> View {
        View::new(self.inner.view())
    }

    /// The transactions of the log from `from` on, up to where it ended when it was opened.
    ///
    /// # Errors
    /// If the log does not hold `from`.
    pub fn records(&self, from: TxId) -> Result<Records, Error> {
        Ok(self.inner.records(from)?)
    }

    /// Reads and checks every page and index entry of the state and every record of the log. Records that a writer prunes meanwhile are
    /// passed over.
    ///
    /// # Errors
    /// What is damaged; the disk's error.
    pub fn verify(&self) -> Result<(), Error> {
        Ok(self.inner.verify()?)
    }

    /// Copies the state that was opened to a directory, as [`Database::backup`](crate::Database::backup) does: also an older one, and also beside a writer. This is how
    /// to restore from a backup.
    ///
    /// # Errors
    /// As [`Database::backup`](crate::Database::backup).
    pub fn backup(
        &self,
        to: impl AsRef<Path>,
        on_progress: &OnBackup<'_>,
    ) -> Result<BackupSummary, Error> {
        let to = OsDir::create(to).map_err(bootstrap::Error::from)?;
        Ok(self.inner.backup(&to, on_progress)?)
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
}
