//! Looking at a directory: reads, decides nothing, changes nothing.

use std::cmp::Reverse;
use std::sync::Arc;

use commitlog::{DamageKind, Extent, Log, Proof, ReadOnlyLog, ReadOnlyOptions, TxId};
use disk::Dir;
use schema::READER_VERSION;
use snapshot::Manifest;

use crate::database_id::DatabaseId;
use crate::error::{Error, Result};
use crate::held_dir::HeldDir;
use crate::identity;
use crate::layout;
use crate::open_report::{RejectedSnapshot, Rejection};
use crate::refusal;
use crate::sighting::{
    LogChain, LogExtent, LogSighting, Sighting, SnapshotSighting, SnapshotState, SnapshotSummary,
    Standing,
};
use crate::start::RejectedStart;

/// What was found, and the handles to go on with.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) sighting: Sighting,
    /// The manifests of the sighting's snapshots, in the same order; `None` for those that can not be read.
    pub(crate) manifests: Vec<Option<Manifest>>,
    /// The log, if it can be read.
    pub(crate) log: Option<ReadOnlyLog>,
    /// The directory of the snapshots.
    pub(crate) snapshots_dir: Option<Arc<HeldDir>>,
}

impl Looked {
    /// The database that a plan other than a creation is about.
    pub(crate) fn database_id(&self) -> DatabaseId {
        let id = self.sighting.database_id();
        id.expect("something names the database, or it would be created or refused")
    }

    /// Takes note that a snapshot turned out to be no good, for the plan to be made again.
    pub(crate) fn reject(&mut self, rejected: RejectedStart) {
        let RejectedStart { snapshot, reason } = rejected;
        tracing::warn!(%reason, "a snapshot was rejected");
        self.sighting.snapshots[snapshot].state = SnapshotState::Rejected(reason);
    }

    /// Why snapshots were not used, newest first. Consumes what was found, whose errors the reasons are.
    pub(crate) fn into_rejected(self) -> Vec<RejectedSnapshot> {
        let standings: Vec<Standing> = self
            .sighting
            .snapshots
            .iter()
            .map(|snapshot| self.sighting.standing(snapshot))
            .collect();
        let mut rejected = Vec::new();
        for (snapshot, standing) in self.sighting.snapshots.into_iter().zip(standings) {
            let reason = match snapshot.state {
                SnapshotState::Rejected(reason) => Some(reason),
                SnapshotState::Sound(SnapshotSummary {
                    log_chain: LogChain::Damaged(error),
                    ..
                }) => Some(Rejection::LogDamaged(error)),
                SnapshotState::Sound(_) => refusal::rejection(standing),
            };
            if let Some(reason) = reason {
                rejected.push(RejectedSnapshot {
                    tx: snapshot.tx,
                    reason,
                });
            }
        }
        rejected
    }
}

/// No log gets as far as this: a snapshot that says so was not written by this program.
const SNAPSHOT_TX_END: u64 = 1 << 62;

/// How much is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    /// Count records that nothing proves to be durable. A writer does: it will make them durable.
    pub(crate) unproven: bool,
    /// Act as if there were no snapshots, except that they still prove how far the log was synced.
    pub(crate) ignore_snapshots: bool,
}

/// Looks at everything that the plan depends on.
///
/// Snapshots are listed before the log: a writer that goes on in between can only make the log longer than they say. All files are opened before any is read, so that a
/// writer that goes on later can take nothing away.
pub(crate) fn look(dir: &dyn Dir, scope: Scope) -> Result<Looked> {
    let identity = identity::read(dir)?;
    let log_dir = layout::existing(dir, layout::LOG)?;
    // Whose log it is stays the same.
    let inspected = log_dir.as_deref().map(Log::inspect);
    let snapshots_dir = held(layout::existing(dir, layout::SNAPSHOTS)?)?;
    let log_dir = held(log_dir)?;
    let (mut snapshots, mut manifests) = match &snapshots_dir {
        Some(snapshots_dir) => list_snapshots(Arc::clone(snapshots_dir))?,
        None => (Vec::new(), Vec::new()),
    };
    let (log, handle) = match log_dir.zip(inspected) {
        Some((log_dir, inspected)) => look_at_log(log_dir, inspected, scope, &manifests)?,
        None => (LogSighting::Absent, None),
    };
    if let (LogSighting::Sound(extent), Some(handle)) = (&log, &handle) {
        for snapshot in &mut snapshots {
            compare(snapshot, extent, handle)?;
        }
    }
    if scope.ignore_snapshots && handle.is_some() {
        snapshots.clear();
        manifests.clear();
    }
    Ok(Looked {
        sighting: Sighting {
            identity,
            log,
            snapshots,
        },
        manifests,
        log: handle,
        snapshots_dir,
    })
}

fn held(dir: Option<Arc<dyn Dir>>) -> Result<Option<Arc<HeldDir>>> {
    let held = dir.map(HeldDir::hold).transpose()?;
    Ok(held.map(Arc::new))
}

fn list_snapshots(dir: Arc<HeldDir>) -> Result<(Vec<SnapshotSighting>, Vec<Option<Manifest>>)> {
    let listing = layout::snapshots_to_read(dir)?.list()?;
    let mut found: Vec<(SnapshotSighting, Option<Manifest>)> = Vec::new();
    for manifest in listing.sound {
        let header = manifest.header();
        let tx = TxId(header.tx);
        let rejection = if header.tx >= SNAPSHOT_TX_END {
            Some(Rejection::Misnumbered)
        } else if header.minimum_reader > READER_VERSION {
            Some(Rejection::NewerFormat {
                needed: header.minimum_reader,
                supported: READER_VERSION,
            })
        } else {
            None
        };
        let summary = SnapshotSummary {
            log_id: commitlog::LogId(header.log_id),
            chain: commitlog::Chain(header.chain),
            log_chain: LogChain::NotHeld,
        };
        let state = rejection.map_or(SnapshotState::Sound(summary), SnapshotState::Rejected);
        let manifest = (header.tx < SNAPSHOT_TX_END).then_some(manifest);
        let header = manifest.as_ref().map(Manifest::header);
        let proves = header.map(|header| commitlog::LogId(header.log_id));
        found.push((SnapshotSighting { tx, proves, state }, manifest));
    }
    for rejected in listing.rejected {
        // The disk failing is no verdict about the snapshot, and leaving it out might change the plan.
        let reason = match rejected.reason {
            snapshot::Error::Io(error) => return Err(error.into()),
            reason => Rejection::Unreadable(reason),
        };
        let state = SnapshotState::Rejected(reason);
        found.push((
            SnapshotSighting {
                tx: TxId(rejected.id.tx()),
                proves: None,
                state,
            },
            None,
        ));
    }
    found.sort_by_key(|(snapshot, _)| Reverse(snapshot.tx));
    Ok(found.into_iter().unzip())
}

fn look_at_log(
    log_dir: Arc<HeldDir>,
    inspected: commitlog::Result<Extent>,
    scope: Scope,
    manifests: &[Option<Manifest>],
) -> Result<(LogSighting, Option<ReadOnlyLog>)> {
    let extent = match inspected {
        Ok(extent) => extent,
        Err(error) => return Ok((unreadable(error)?, None)),
    };
    let proofs = proofs(manifests, extent.log_id);
    let options = ReadOnlyOptions {
        show_unproven: scope.unproven,
        reader: READER_VERSION,
    };
    match ReadOnlyLog::open(log_dir.clone(), options, &proofs) {
        Ok(log) => {
            let extent = LogExtent {
                log_id: log.log_id(),
                base: log.base(),
                lost_from: log.extent().missing.map(|missing| missing.start),
                end: log.next_id(),
            };
            if extent.end > TxId(0) {
                return Ok((LogSighting::Sound(extent), Some(log)));
            }
            // A segment gets its name after the genesis in it was synced. One that is not proved yet is about to be; one
            // that is not there is lost.
            if log.sound_end() > extent.end {
                return Ok((LogSighting::Absent, None));
            }
            let file = log_dir.path().join(&log.extent().segments[0].file);
            Ok((LogSighting::Damaged(Error::NoGenesis { file }), None))
        }
        // Nothing in the log is wrong but that it ends too early: the plan has a row of its own for that.
        Err(commitlog::Error::Damaged {
            kind: DamageKind::BehindProof { end, .. },
            ..
        }) => {
            let extent = LogExtent {
                log_id: extent.log_id,
                base: extent.base,
                lost_from: extent.missing.map(|missing| missing.start),
                end,
            };
            Ok((LogSighting::Sound(extent), None))
        }
        Err(error) => Ok((unreadable(error)?, None)),
    }
}

/// What the sound snapshots of a log prove about it.
pub(crate) fn proofs(manifests: &[Option<Manifest>], log_id: commitlog::LogId) -> Vec<Proof> {
    let headers = manifests.iter().flatten().map(Manifest::header);
    let ours = headers.filter(|header| header.log_id == log_id.0);
    ours.map(|header| Proof {
        through: TxId(header.tx),
        chain: commitlog::Chain(header.chain),
    })
    .collect()
}

fn unreadable(error: commitlog::Error) -> Result<LogSighting> {
    match error {
        commitlog::Error::NoLog { .. } => Ok(LogSighting::Absent),
        commitlog::Error::Damaged { .. } => Ok(LogSighting::Damaged(Error::Log(error))),
        commitlog::Error::NewerFormat { .. } => Ok(LogSighting::Newer(Error::Log(error))),
        error => Err(error.into()),
    }
}

/// Notes the log's chain after the last transaction of a snapshot, where the log holds that point.
fn compare(snapshot: &mut SnapshotSighting, extent: &LogExtent, log: &ReadOnlyLog) -> Result<()> {
    let held = snapshot.tx < extent.end && snapshot.tx.next() >= extent.base;
    let SnapshotState::Sound(summary) = &mut snapshot.state else {
        return Ok(());
    };
    if !held || summary.log_id != extent.log_id {
        return Ok(());
    }
    summary.log_chain = match log.chain_after(snapshot.tx) {
        Ok(chain) => LogChain::Value(chain),
        Err(error @ commitlog::Error::Damaged { .. }) => LogChain::Damaged(error),
        Err(error) => return Err(error.into()),
    };
    Ok(())
}
