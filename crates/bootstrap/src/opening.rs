//! Opening for writing: look, plan, carry out.

use std::sync::Arc;

use commitlog::{Chain, Log, TxId};
use disk::{Dir, Lock};
use schema::{State, WriteTransaction};
use snapshot::Snapshots;

use crate::creation;
use crate::database_id::DatabaseId;
use crate::error::Result;
use crate::identity;
use crate::layout;
use crate::look::{Looked, Scope, look, proofs};
use crate::open_error::OpenError;
use crate::open_report::{OpenReport, Origin, Phases, RejectedSnapshot, Rejection};
use crate::options::Options;
use crate::plan::{Action, Intent, plan};
use crate::refusal;
use crate::replay::{Replayed, Segments, Start, load, replay};
use crate::restoring;
use crate::sighting::{LogChain, SnapshotState};
use crate::stopwatch::Stopwatch;
use crate::view::View;

/// Everything that an open database begins with.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) lock: Lock,
    pub(crate) log: Log,
    pub(crate) view: View,
    /// The snapshot that is closest to the state, if there is one.
    pub(crate) last_snapshot: Option<TxId>,
    pub(crate) report: OpenReport,
}

/// Opens the database in `dir` for writing, or creates it.
pub(crate) fn open<E>(
    dir: &Arc<dyn Dir>,
    options: &Options,
    initialiser: impl FnOnce(&mut WriteTransaction) -> std::result::Result<(), E>,
) -> std::result::Result<Opened, OpenError<E>> {
    let lock = dir.lock(layout::LOCK, &options.holder)?;
    let scope = Scope {
        unproven: true,
        ignore_snapshots: false,
    };
    let intent = Intent::Write {
        create: options.create,
        restore: options.restore_from_snapshots,
    };
    let mut opening = Opening {
        dir,
        options,
        stopwatch: Stopwatch::start(&*options.clock),
        phases: Phases::default(),
        restored: None,
    };
    let mut looked = look(&**dir, scope)?;
    opening.phases.look += opening.stopwatch.lap();
    loop {
        let plan = plan(&looked.sighting, intent);
        tracing::debug!(row = plan.row, action = ?plan.action, "planned");
        match plan.action {
            Action::Refuse(refusal) => {
                return Err(refusal::error(refusal, looked.sighting, intent, dir.path()).into());
            }
            Action::Create => {
                let (log, view) = creation::create(dir, options, initialiser)?;
                opening.phases.replay = opening.stopwatch.lap();
                return Ok(opening.created(lock, log, view, plan.row));
            }
            Action::Restore { snapshot } => {
                if let Some(rejection) = opening.check_for_restore(&looked, snapshot)? {
                    looked.sighting.snapshots[snapshot].state = SnapshotState::Rejected(rejection);
                    continue;
                }
                opening.restore(&looked, snapshot)?;
                looked = look(&**dir, scope)?;
                opening.phases.look += opening.stopwatch.lap();
            }
            Action::Recover {
                snapshot,
                rewrite_identity,
            } => {
                let start = match opening.start(&looked, snapshot)? {
                    Ok(start) => start,
                    Err((index, rejection)) => {
                        tracing::warn!(%rejection, "a snapshot was rejected");
                        looked.sighting.snapshots[index].state = SnapshotState::Rejected(rejection);
                        continue;
                    }
                };
                return Ok(opening.recover(lock, looked, start, rewrite_identity, plan.row)?);
            }
        }
    }
}

struct Opening<'a> {
    dir: &'a Arc<dyn Dir>,
    options: &'a Options,
    stopwatch: Stopwatch<'a>,
    phases: Phases,
    /// Set by a restore: the snapshot, and how many segments were moved aside.
    restored: Option<(TxId, usize)>,
}

/// Why a snapshot can not be started from, and which.
type RejectedStart = (usize, Rejection);

impl Opening<'_> {
    fn created(self, lock: Lock, log: Log, view: View, row: u8) -> Opened {
        let report = OpenReport {
            database_id: DatabaseId(view.state().database_id()),
            row,
            origin: Origin::Created,
            tx: view.tx(),
            records_replayed: 0,
            bytes_replayed: 0,
            torn: None,
            was_closed: true,
            identity_rewritten: false,
            snapshots_rejected: Vec::new(),
            phases: self.phases,
        };
        Opened {
            lock,
            log,
            view,
            last_snapshot: None,
            report,
        }
    }

    fn snapshots(&self) -> Result<Snapshots> {
        let dir = layout::existing(&**self.dir, layout::SNAPSHOTS)?;
        let dir = dir.expect("a manifest was read from that directory, and the lock is held");
        Ok(Snapshots::open(dir, self.options.snapshot_options())?)
    }

    /// The state to replay from.
    fn start(
        &mut self,
        looked: &Looked,
        snapshot: Option<usize>,
    ) -> Result<std::result::Result<Start, RejectedStart>> {
        let id = database_id(looked);
        let Some(index) = snapshot else {
            let state = State::empty(id.0);
            return Ok(Ok(Start { state, after: None }));
        };
        let manifest = looked.manifests[index]
            .as_ref()
            .expect("a usable snapshot has a manifest");
        let loaded = load(
            &self.snapshots()?,
            manifest,
            id,
            self.options.loading.load_options(),
        )?;
        self.phases.load += self.stopwatch.lap();
        let header = manifest.header();
        Ok(match loaded {
            Ok(state) => Ok(Start {
                state,
                after: Some((TxId(header.tx), Chain(header.chain))),
            }),
            Err(rejection) => Err((index, rejection)),
        })
    }

    /// Reads a snapshot whole before the log is given up for it.
    fn check_for_restore(&mut self, looked: &Looked, snapshot: usize) -> Result<Option<Rejection>> {
        let manifest = looked.manifests[snapshot]
            .as_ref()
            .expect("a sound snapshot has a manifest");
        let loaded = load(
            &self.snapshots()?,
            manifest,
            database_id(looked),
            snapshot::LoadOptions::default(),
        )?;
        self.phases.load += self.stopwatch.lap();
        Ok(loaded.err())
    }

    fn restore(&mut self, looked: &Looked, snapshot: usize) -> Result<()> {
        let manifest = looked.manifests[snapshot]
            .as_ref()
            .expect("a sound snapshot has a manifest");
        let log_id = manifest.header().log_id;
        let snapshots = self.snapshots()?;
        // Newer ones were found to be damaged just now. Their manifests would go on claiming that the log has lost its end.
        for newer in looked.manifests[..snapshot].iter().flatten() {
            if newer.header().log_id == log_id {
                snapshots.remove(newer.id())?;
            }
        }
        let moved = restoring::replace_log(self.dir, self.options, manifest)?;
        self.restored = Some((TxId(manifest.header().tx), moved));
        self.phases.log += self.stopwatch.lap();
        Ok(())
    }

    fn recover(
        mut self,
        lock: Lock,
        looked: Looked,
        start: Start,
        rewrite_identity: bool,
        row: u8,
    ) -> Result<Opened> {
        let id = database_id(&looked);
        let log_dir = layout::existing(&**self.dir, layout::LOG)?;
        let log_dir = log_dir.expect("a log was read from that directory, and the lock is held");
        let proofs = proofs(&looked.manifests, id.log_id());
        let (log, found) = Log::open(Arc::clone(&log_dir), self.options.log_options(), &proofs)?;
        assert_eq!(
            found.log_id,
            id.log_id(),
            "the log that was looked at is the one that was opened"
        );
        self.phases.log += self.stopwatch.lap();

        let last_snapshot = start.after.map(|(tx, _)| tx);
        let from = last_snapshot.map_or(TxId(0), TxId::next);
        if let Some((tx, chain)) = start.after {
            assert_eq!(
                log.chain_after(tx)?,
                chain,
                "the snapshot belongs to this history"
            );
        }
        let segments = Segments::new(log_dir.path(), Log::inspect(&*log_dir)?.segments);
        let (view, Replayed { records, bytes }) =
            replay(start, &mut log.reader(from)?, None, &segments)?;
        assert_eq!(
            view.tx().next(),
            log.next_id(),
            "every record has been applied"
        );
        assert_eq!(
            view.chain(),
            log.chain_at_end(),
            "the records applied are those of the log"
        );
        self.phases.replay += self.stopwatch.lap();

        view.state().require_writable()?;
        log.raise_minimum_reader(view.state().marks().minimum_reader);
        identity::remove_leftovers(&**self.dir)?;
        if rewrite_identity {
            identity::write(&**self.dir, id)?;
        }
        let origin = match (self.restored, last_snapshot) {
            (Some((tx, segments_moved)), _) => Origin::Restored { tx, segments_moved },
            (None, Some(tx)) => Origin::Snapshot { tx },
            (None, None) => Origin::Genesis,
        };
        let report = OpenReport {
            database_id: id,
            row,
            origin,
            tx: view.tx(),
            records_replayed: records,
            bytes_replayed: bytes,
            torn: found.torn,
            was_closed: found.was_closed,
            identity_rewritten: rewrite_identity,
            snapshots_rejected: rejected(looked),
            phases: self.phases,
        };
        Ok(Opened {
            lock,
            log,
            view,
            last_snapshot,
            report,
        })
    }
}

/// The database that a plan other than a creation is about.
pub(crate) fn database_id(looked: &Looked) -> DatabaseId {
    looked
        .sighting
        .database_id()
        .expect("something names the database, or it would be created or refused")
}

/// The snapshots that could not be used, newest first.
pub(crate) fn rejected(looked: Looked) -> Vec<RejectedSnapshot> {
    let sighting = looked.sighting;
    let standings: Vec<_> = sighting
        .snapshots
        .iter()
        .map(|snapshot| sighting.standing(snapshot))
        .collect();
    let mut rejected = Vec::new();
    for (snapshot, standing) in sighting.snapshots.into_iter().zip(standings) {
        let own = match snapshot.state {
            SnapshotState::Rejected(rejection) => Some(rejection),
            SnapshotState::Sound(summary) => match summary.log_chain {
                LogChain::Damaged(error) => Some(Rejection::LogDamaged(error)),
                LogChain::NotHeld | LogChain::Value(_) => None,
            },
        };
        if let Some(reason) = own.or_else(|| refusal::rejection(standing)) {
            rejected.push(RejectedSnapshot {
                tx: snapshot.tx,
                reason,
            });
        }
    }
    rejected
}
