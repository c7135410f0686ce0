//! A copy of a database in another directory, while commits go on: a database itself, to be opened or restored from.
//!
//! ```text
//!  1  an empty log that goes on after the state, and the identity       into a directory that holds no backup yet
//!  2  the transactions since the last backup, up to the state           their frames are verified on the way
//!  3  the log closed and synced
//!  4  a snapshot of the state, which shares with the earlier ones there what has not changed; read back
//! ```
//!
//! Crash before 4: what was covered before is; a first backup can not be opened (its log begins with no snapshot), and the next attempt goes on with
//! it. A backup covers each state from its first snapshot to its last transaction, since nothing is ever removed from it.

use std::ops::ControlFlow;
use std::sync::Arc;

use commitlog::{Chain, Log, ReadOnlyLog, ReadOnlyOptions, Shipment, Start, TxId};
use disk::{Dir, Lock};
use snapshot::Progress;

use crate::database_id::DatabaseId;
use crate::error::{Error, Result};
use crate::format::VERSION;
use crate::identity;
use crate::known::Known;
use crate::layout;
use crate::look::proofs;
use crate::sighting::IdentitySighting;
use crate::snapshot_keeper::SnapshotKeeper;
use crate::snapshot_summary::SnapshotSummary;
use crate::view::View;

/// Bytes of records that are copied at a time.
const SHIPMENT_BYTES: u64 = 4 << 20;

/// How far a backup has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupProgress {
    /// Transactions are being copied.
    Records {
        /// Those that are there.
        done: u64,
        /// Those that there will be.
        all: u64,
    },
    /// A snapshot is being written, or read back.
    Snapshot {
        /// Bytes so far.
        bytes: u64,
    },
}

/// Hears of every few megabytes of a backup, and may break to give it up.
pub type OnBackup<'a> = dyn Fn(BackupProgress) -> ControlFlow<()> + 'a;

/// What a backup did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupSummary {
    /// The last transaction in it.
    pub tx: TxId,
    /// How many transactions were copied; a first backup has none but those in its snapshot.
    pub records: u64,
    /// The snapshot of the state at its end.
    pub snapshot: SnapshotSummary,
}

/// What is backed up: a state, and the log that leads to it and holds nothing of it that is not durable.
pub(crate) struct Origin<'a> {
    pub(crate) view: View,
    pub(crate) ship: &'a dyn Fn(std::ops::Range<TxId>, u64) -> commitlog::Result<Shipment>,
    pub(crate) chain_after: &'a dyn Fn(TxId) -> commitlog::Result<Chain>,
    pub(crate) known: Option<Known>,
    /// Store the pages compressed.
    pub(crate) compress: bool,
}

/// Takes the directory `to` for a backup of the database in `dir`. A state that is newer than what is there is one that is read behind this.
pub(crate) fn lock(dir: &dyn Dir, to: &dyn Dir, holder: &str) -> Result<Lock> {
    require_apart(dir, to)?;
    Ok(to.lock(layout::LOCK, holder)?)
}

/// Backs up into a directory that holds a backup of the same database, or nothing of ours, and that is locked.
pub(crate) fn backup(
    origin: Origin<'_>,
    to: &Arc<dyn Dir>,
    _: &Lock,
    on_progress: &OnBackup<'_>,
) -> Result<BackupSummary> {
    let view = origin.view.clone();
    let id = DatabaseId(view.state().database_id());
    let log = open_or_begin(&origin, id, to)?;
    let first = log.next_id();
    let end = view.tx().next();
    let go_on = |progress| match on_progress(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(snapshot::Error::Cancelled),
    };
    while log.next_id() < end {
        let shipment = (origin.ship)(log.next_id()..end, SHIPMENT_BYTES)?;
        log.append_shipment(shipment.as_bytes())?;
        go_on(BackupProgress::Records {
            done: log.next_id().0 - first.0,
            all: end.0 - first.0,
        })?;
    }
    log.sync()?;
    let keeper = SnapshotKeeper::new(
        Arc::clone(to),
        snapshot::Options {
            compress: origin.compress,
            ..snapshot::Options::default()
        },
        usize::MAX,
        origin.known,
    )?;
    // It covers what they hold, too.
    keeper.settle()?;
    let tell = |progress: Progress| {
        on_progress(BackupProgress::Snapshot {
            bytes: progress.bytes,
        })
    };
    let written = keeper.write(&mut keeper.lock(), &view, &log, &tell)?;
    log.close()?;
    Ok(BackupSummary {
        tx: view.tx(),
        records: end.0 - first.0,
        snapshot: written,
    })
}

/// Refuses a directory that is the database's own: nothing would be copied to anywhere, or among its files.
fn require_apart(dir: &dyn Dir, to: &dyn Dir) -> Result<()> {
    let (Some(own), Some(other)) = (dir.resolved_path(), to.resolved_path()) else {
        return Ok(());
    };
    let mut parts = [layout::LOG, layout::SNAPSHOTS].iter();
    if other == own || parts.any(|part| other.starts_with(own.join(part))) {
        let path = to.path().to_path_buf();
        return Err(Error::BackupInside { path });
    }
    Ok(())
}

/// The log of a backup. The log of a new one begins behind the state. What refuses has written nothing.
fn open_or_begin(origin: &Origin<'_>, id: DatabaseId, to: &Arc<dyn Dir>) -> Result<Log> {
    let view = &origin.view;
    let options = commitlog::Options {
        minimum_reader: view.state().marks().minimum_reader,
        ..commitlog::Options::default()
    };
    let foreign = || Error::ForeignBackup {
        path: to.path().to_path_buf(),
    };
    let mut has_identity = false;
    match identity::read(&**to)? {
        IdentitySighting::Sound(found) if found == id => has_identity = true,
        IdentitySighting::Absent => {}
        IdentitySighting::Sound(_) => return Err(foreign()),
        IdentitySighting::Damaged(flaw) => {
            let file = to.path().join(identity::NAME);
            return Err(Error::IdentityDamaged { file, flaw });
        }
        IdentitySighting::Newer(found) => {
            return Err(Error::NewerIdentity {
                file: to.path().join(identity::NAME),
                found,
                supported: VERSION,
            });
        }
    }
    if let Some(dir) = layout::existing(&**to, layout::LOG)?
        && !dir.list()?.is_empty()
    {
        // Nothing is written where something else lies.
        match Log::inspect(&*dir) {
            Ok(extent) if extent.log_id != id.log_id() => return Err(foreign()),
            Err(commitlog::Error::Io(error)) => return Err(error.into()),
            _ => {}
        }
        let mut manifests = Vec::new();
        if let Some(dir) = layout::existing(&**to, layout::SNAPSHOTS)? {
            let snapshots = layout::snapshots_to_read(dir)?;
            manifests.extend(snapshots.list()?.sound.into_iter().map(Some));
        }
        let proofs = proofs(&manifests, id.log_id());
        let reading = ReadOnlyOptions {
            show_unproven: true,
            ..ReadOnlyOptions::default()
        };
        // Opened for writing it would be marked anew, and its end be synced.
        match ReadOnlyLog::open(Arc::clone(&dir), reading, &proofs) {
            Ok(still) => require_same_history(&still, origin, to)?,
            Err(commitlog::Error::NoLog { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match Log::open(dir, options.clone(), &proofs) {
            Ok((log, _)) => {
                if !has_identity {
                    identity::write(&**to, id)?;
                }
                return Ok(log);
            }
            // What an attempt left that was cut off as it began.
            Err(commitlog::Error::NoLog { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if has_identity || layout::existing(&**to, layout::SNAPSHOTS)?.is_some() {
        return Err(foreign());
    }
    let dir = layout::existing_or_new(&**to, layout::LOG)?;
    let start = Start {
        base: view.tx().next(),
        chain: view.chain(),
        epoch: 0,
    };
    let log = Log::create_at(dir, id.log_id(), options, start, &[])?;
    identity::write(&**to, id)?;
    Ok(log)
}

/// Refuses a backup that holds other transactions than these, or more.
fn require_same_history(log: &ReadOnlyLog, origin: &Origin<'_>, to: &Arc<dyn Dir>) -> Result<()> {
    let (tx, chain) = (origin.view.tx(), origin.view.chain());
    let path = || to.path().to_path_buf();
    match log.next_id().previous() {
        Some(last) if last == tx && log.chain_after(last)? == chain => Ok(()),
        Some(last) if last < tx && log.chain_after(last)? == (origin.chain_after)(last)? => Ok(()),
        Some(last) if last > tx && tx.next() >= log.base() && log.chain_after(tx)? == chain => {
            let path = path();
            Err(Error::BackupAhead { path, tx, last })
        }
        _ => Err(Error::ForeignBackup { path: path() }),
    }
}
