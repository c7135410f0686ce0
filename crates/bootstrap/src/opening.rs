//! Opening for writing: look, plan, carry out.

use std::sync::Arc;

use commitlog::{Log, TxId};
use disk::{Dir, Lock};
use schema::WriteTransaction;
use snapshot::Snapshots;

use crate::creation;
use crate::database_id::DatabaseId;
use crate::error::Result;
use crate::identity;
use crate::known::{Known, KnownOutline};
use crate::layout;
use crate::look::{Looked, Scope, look, proofs};
use crate::open_error::OpenError;
use crate::open_report::{OpenReport, Origin, Phases};
use crate::options::{Options, SnapshotLoading};
use crate::plan::{Action, Intent, plan};
use crate::refusal;
use crate::replay::{Replayed, replay};
use crate::restoring;
use crate::start::start;
use crate::stopwatch::Stopwatch;
use crate::verification::Verification;
use crate::view::View;

/// Everything that an open database begins with.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) lock: Lock,
    pub(crate) log: Log,
    pub(crate) view: View,
    /// The snapshot that is closest to the state, if there is one.
    pub(crate) last_snapshot: Option<TxId>,
    /// What it tells of the pages.
    pub(crate) known: Option<Known>,
    /// What is left to verify of it.
    pub(crate) verification: Option<Verification>,
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
                assert!(
                    opening.restored.is_none(),
                    "a restored log fits the snapshot it continues"
                );
                // It is read whole before the log is given up for it.
                let loading = SnapshotLoading::Copied;
                if let Err(rejected) = start(&looked, Some(snapshot), loading)? {
                    looked.reject(rejected);
                    continue;
                }
                opening.phases.load += opening.stopwatch.lap();
                opening.restore(&looked, snapshot)?;
                looked = look(&**dir, scope)?;
                opening.phases.look += opening.stopwatch.lap();
            }
            Action::Recover {
                snapshot,
                rewrite_identity,
            } => {
                let start = match start(&looked, snapshot, options.loading)? {
                    Ok(start) => start,
                    Err(rejected) => {
                        looked.reject(rejected);
                        continue;
                    }
                };
                opening.phases.load += opening.stopwatch.lap();
                // Before anything is written: whatever can refuse has refused by then.
                let replayed = replay(start, &looked, None, dir.path())?;
                opening.phases.replay += opening.stopwatch.lap();
                match replayed {
                    Ok(replayed) => {
                        let row = plan.row;
                        return Ok(opening.recover(
                            lock,
                            looked,
                            replayed,
                            rewrite_identity,
                            row,
                        )?);
                    }
                    Err(rejected) => looked.reject(rejected),
                }
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

impl Opening<'_> {
    fn created(self, lock: Lock, log: Log, view: View, row: u8) -> Opened {
        let report = OpenReport {
            database_id: DatabaseId(view.state().database_id()),
            is_read_only: false,
            row,
            origin: Origin::Created,
            tx: view.tx(),
            records_replayed: 0,
            bytes_replayed: 0,
            torn: None,
            segments_lost: None,
            leftovers_removed: 0,
            was_closed: true,
            identity_rewritten: false,
            snapshots_rejected: Vec::new(),
            upgrade: None,
            phases: self.phases,
        };
        Opened {
            lock,
            log,
            view,
            last_snapshot: None,
            known: None,
            verification: None,
            report,
        }
    }

    fn restore(&mut self, looked: &Looked, snapshot: usize) -> Result<()> {
        let manifest = looked.manifests[snapshot]
            .as_ref()
            .expect("a sound snapshot has a manifest");
        let log_id = manifest.header().log_id;
        let dir = layout::existing(&**self.dir, layout::SNAPSHOTS)?;
        let dir = dir.expect("a manifest was read from that directory, and the lock is held");
        let snapshots = Snapshots::open(dir, self.options.snapshot_options())?;
        // Newer ones were found to be damaged just now. Their manifests would go on claiming that the log has lost its end.
        for newer in looked.manifests[..snapshot].iter().flatten() {
            if newer.header().log_id == log_id {
                snapshots.remove(newer.id())?;
            }
        }
        snapshots.change()?.settle_one(manifest)?;
        let moved = restoring::replace_log(self.dir, self.options, manifest)?;
        self.restored = Some((TxId(manifest.header().tx), moved));
        self.phases.log += self.stopwatch.lap();
        Ok(())
    }

    /// Goes on with the log behind what was replayed.
    fn recover(
        mut self,
        lock: Lock,
        mut looked: Looked,
        replayed: Replayed,
        rewrite_identity: bool,
        row: u8,
    ) -> Result<Opened> {
        let Replayed {
            view,
            snapshot: last_snapshot,
            known,
            records,
            bytes,
        } = replayed;
        view.state().require_writable()?;
        let id = looked.database_id();
        let log_dir = layout::existing(&**self.dir, layout::LOG)?;
        let log_dir = log_dir.expect("a log was read from that directory, and the lock is held");
        let proofs = proofs(&looked.manifests, id.log_id());
        looked.log = None;
        let verification = match known.as_ref().map(|known| &known.outline) {
            Some(KnownOutline::Mapped(_)) => Some(Verification::new(view.clone())),
            _ => None,
        };

        let (log, found) = Log::open(log_dir, self.options.log_options(), &proofs)?;
        assert_eq!(
            found.log_id,
            id.log_id(),
            "the log that was looked at is the one that was opened"
        );
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
        self.phases.log += self.stopwatch.lap();

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
            is_read_only: false,
            row,
            origin,
            tx: view.tx(),
            records_replayed: records,
            bytes_replayed: bytes,
            torn: found.torn,
            segments_lost: found.missing,
            leftovers_removed: found.leftovers_removed,
            was_closed: found.was_closed,
            identity_rewritten: rewrite_identity,
            snapshots_rejected: looked.into_rejected(),
            upgrade: None,
            phases: self.phases,
        };
        Ok(Opened {
            lock,
            log,
            view,
            last_snapshot,
            known,
            verification,
            report,
        })
    }
}
