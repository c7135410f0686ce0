//! Snapshots and pruning, by hand and by policy.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use disk::Dir;
use snapshot::{Finding, Progress, Scrub, ScrubReport};

use crate::backup::{self, BackupSummary, OnBackup, Origin};
use crate::error::{Error, Result};
use crate::known::Known;
use crate::known_snapshots::KnownSnapshots;
use crate::options::{Options, SnapshotLoading};
use crate::pace::Pace;
use crate::scrub::{self, OnScrub};
use crate::snapshot_keeper::SnapshotKeeper;
use crate::snapshot_policy::SnapshotPolicy;
use crate::snapshot_summary::{Maintenance, PruneSummary, SnapshotSummary};
use crate::verification::Verification;
use crate::view::View;
use crate::worker::Signal;
use crate::writer::Writer;

/// Who keeps a pace looks so often for what else is to be done.
const WAIT_MAX: Duration = Duration::from_millis(5);

/// What a database does besides committing.
#[derive(Debug)]
pub(crate) struct Upkeep {
    writer: Arc<Writer>,
    signal: Arc<Signal>,
    policy: SnapshotPolicy,
    keeper: SnapshotKeeper,
    /// The packs that pages of the state may be mapped from.
    mapped: Vec<String>,
    /// When the last snapshot was begun, or the database opened.
    last_begun: Mutex<Duration>,
    /// A snapshot by policy was written, and the policy asks to prune.
    is_prune_due: AtomicBool,
    /// For what a scrub has left damaged.
    replacement: Mutex<Replacement>,
    /// The scrub in the background, if one is under way.
    scrub: Mutex<Option<BackgroundScrub>>,
    /// When the last one was begun, or the database opened.
    last_scrub: Mutex<Duration>,
    /// What was mapped and not verified, as far as that is to be done.
    verification: Mutex<Option<Verification>>,
    last_failure: Mutex<Option<String>>,
}

/// Whether a scrub has left something damaged that only a new snapshot can replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacement {
    None,
    Due,
    /// It was tried, and none was written: it failed, or there was nothing new to write. Trying again at once would do the same.
    DueAfterCommit,
}

/// A scrub that goes on at its pace.
#[derive(Debug)]
struct BackgroundScrub {
    scrub: Scrub,
    pace: Pace,
}

impl Upkeep {
    pub(crate) fn new(
        dir: Arc<dyn Dir>,
        writer: Arc<Writer>,
        signal: Arc<Signal>,
        options: &Options,
        known: Option<Known>,
        verification: Option<Verification>,
    ) -> Result<Self> {
        let policy = options.snapshots;
        let is_mapped = options.loading != SnapshotLoading::Copied;
        let mapped = known.iter().filter(|_| is_mapped);
        let mapped = mapped.flat_map(|known| known.outline.manifest().pack_names());
        Ok(Upkeep {
            mapped: mapped.collect(),
            last_begun: Mutex::new(writer.clock().elapsed()),
            last_scrub: Mutex::new(writer.clock().elapsed()),
            replacement: Mutex::new(Replacement::None),
            scrub: Mutex::new(None),
            writer,
            signal,
            policy,
            keeper: SnapshotKeeper::new(dir, options.snapshot_options(), policy.kept(), known)?,
            is_prune_due: AtomicBool::new(false),
            verification: Mutex::new(verification),
            last_failure: Mutex::new(None),
        })
    }

    /// Whether a step would do something.
    pub(crate) fn is_due(&self) -> bool {
        let (records, bytes) = self.writer.growth().records_and_bytes();
        let is_replacement_due = match *held(&self.replacement) {
            Replacement::None => false,
            Replacement::Due => true,
            Replacement::DueAfterCommit => records > 0,
        };
        self.is_prune_due.load(Ordering::Acquire)
            || is_replacement_due
            || self.policy.is_due(records, bytes)
            || (records > 0 && self.time_left().is_some_and(|left| left.is_zero()))
    }

    /// How long it is until a snapshot is due by time alone.
    fn time_left(&self) -> Option<Duration> {
        let every = self.policy.every?;
        let last = held(&self.last_begun);
        Some(every.saturating_sub(self.writer.clock().elapsed().saturating_sub(*last)))
    }

    /// When to look again, if nothing is due now.
    fn look_again(&self, log: Option<Duration>) -> Option<Duration> {
        // With the time over and nothing to write, the next commit says so.
        let left = self.time_left().filter(|left| !left.is_zero());
        let all = [left, log, self.scrub_left()];
        all.into_iter().flatten().min()
    }

    /// How long it is until some more is to be read again.
    fn scrub_left(&self) -> Option<Duration> {
        let every = self.policy.scrub_every?;
        let clock = self.writer.clock();
        if let Some(under_way) = &*held(&self.scrub) {
            let bytes = under_way.scrub.progress().bytes;
            return Some(under_way.pace.wait(clock, bytes));
        }
        let last = *held(&self.last_scrub);
        Some(every.saturating_sub(clock.elapsed().saturating_sub(last)))
    }

    pub(crate) fn nudge(&self) {
        self.signal.nudge();
    }

    /// One step of what the policy asks for.
    pub(crate) fn step(&self) -> Result<Maintenance> {
        self.writer.maintain_log()?;
        if self.is_prune_due.swap(false, Ordering::AcqRel) {
            return Ok(Maintenance::Prune(self.prune()?));
        }
        if !self.is_due() {
            return match self.verify() {
                Maintenance::Idle => self.scrub_some(),
                done => Ok(done),
            };
        }
        let replace = |from, to| {
            let mut now = held(&self.replacement);
            // A scrub by hand may want another one meanwhile.
            *now = if *now == from { to } else { *now };
        };
        replace(Replacement::Due, Replacement::DueAfterCommit);
        let summary = self.snapshot()?;
        if !summary.already_there {
            replace(Replacement::DueAfterCommit, Replacement::None);
        }
        if self.policy.prune {
            self.is_prune_due.store(true, Ordering::Release);
        }
        Ok(Maintenance::Snapshot(summary))
    }

    /// All steps that are due. A failure is kept for [`Upkeep::last_failure`] and ends this round. Yields after how long the next one is due,
    /// nudged or not.
    pub(crate) fn run_until_idle(&self) -> Option<Duration> {
        while !self.signal.is_stopped() {
            let step = self.step();
            let idle = matches!(step, Ok(Maintenance::Idle));
            match step.and_then(|done| Ok((done, self.writer.maintain_log()?))) {
                Ok((_, next)) if idle => return self.look_again(next),
                Ok((Maintenance::Verifying | Maintenance::Scrubbing, _)) => {}
                Ok((done, _)) => tracing::info!(?done, "did work in the background"),
                Err(_) if self.signal.is_stopped() => return None,
                Err(error) => {
                    tracing::warn!(%error, "work in the background failed");
                    self.keep_failure(error.to_string());
                    // The log goes on without a snapshot, and so do the syncs at an interval.
                    return self.look_again(self.writer.maintain_log().ok().flatten());
                }
            }
        }
        None
    }

    /// Verifies some of what was only mapped.
    fn verify(&self) -> Maintenance {
        let mut verification = held(&self.verification);
        let Some(under_way) = verification.as_mut() else {
            return Maintenance::Idle;
        };
        let Some(damaged) = under_way.step() else {
            return Maintenance::Verifying;
        };
        *verification = None;
        drop(verification);
        let tree = self.keeper.read_known();
        let first = damaged.first().map(ToString::to_string);
        if let Some(first) = tree.map(|error| error.to_string()).or(first) {
            let failure = format!(
                "{} pages of the snapshot are damaged or can not be found, the first damage: {first}",
                damaged.len()
            );
            tracing::error!(%failure);
            self.keep_failure(failure);
        }
        Maintenance::Verified { damaged }
    }

    /// Reads some of the snapshots again, if it is time for that.
    fn scrub_some(&self) -> Result<Maintenance> {
        if !self.scrub_left().is_some_and(|left| left.is_zero()) {
            return Ok(Maintenance::Idle);
        }
        let clock = self.writer.clock();
        // Until it is over, this is not looked at. What can not even begin is not due again at once, or a thread would try without end.
        *held(&self.last_scrub) = clock.elapsed();
        let mut under_way = held(&self.scrub);
        if under_way.is_none() {
            let pace = Pace::begin(clock, self.policy.scrub_bytes_per_second);
            let begun = self.keeper.scrub()?;
            *under_way = begun.map(|scrub| BackgroundScrub { scrub, pace });
        }
        let Some(mut now) = under_way.take() else {
            return Ok(Maintenance::Idle);
        };
        if now.scrub.step()? {
            *under_way = Some(now);
            return Ok(Maintenance::Scrubbing);
        }
        drop(under_way);
        let go_on = |_| match self.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        Ok(Maintenance::Scrubbed(self.mend(now.scrub, &go_on)?))
    }

    /// Reads all snapshots again, now.
    pub(crate) fn scrub(&self, on_progress: &OnScrub<'_>) -> Result<ScrubReport> {
        self.writer.require_sound()?;
        let go_on = |progress| match self.is_cancelled() {
            true => ControlFlow::Break(()),
            false => on_progress(progress),
        };
        let Some(mut scrub) = self.keeper.scrub()? else {
            return Ok(ScrubReport::default());
        };
        let scrubbed = scrub::read_all(&mut scrub, &go_on).and_then(|()| self.mend(scrub, &go_on));
        self.unless_poisoned(scrubbed)
    }

    fn mend(&self, scrub: Scrub, on_progress: &OnScrub<'_>) -> Result<ScrubReport> {
        let mut keeper = self.keeper.lock();
        let view = self.writer.heads().applied();
        let is_mapped = !self.mapped.is_empty();
        let mut report =
            self.keeper
                .mend(&mut keeper, scrub, view.state(), is_mapped, on_progress)?;
        drop(keeper);
        for finding in &report.findings {
            tracing::error!(reason = %finding.reason, mending = ?finding.mending, "a snapshot is damaged");
        }
        let left = report.findings.iter().filter(|it| !it.is_mended());
        if let Some(first) = left.clone().next() {
            self.keep_failure(format!(
                "{} places in snapshots are damaged and could not be rewritten, the first of them: {}",
                left.count(),
                first.reason
            ));
            if self.policy.is_automatic() {
                *held(&self.replacement) = Replacement::Due;
                self.nudge();
            }
        }
        if let Some(first) = report.findings.iter().find(|it| self.is_mapped(it))
            && view
                .state()
                .store()
                .pages()
                .iter()
                .any(|(_, page)| page.is_borrowed())
        {
            report.is_state_affected = true;
            let failure = format!(
                "a snapshot was damaged from which the state in memory is mapped, so what is read may be wrong; close the database and open it again: {}",
                first.reason
            );
            tracing::error!(%failure);
            self.keep_failure(failure);
        }
        Ok(report)
    }

    fn is_mapped(&self, finding: &Finding) -> bool {
        let name = finding.file.file_name();
        self.mapped.iter().any(|pack| name == Some(pack.as_ref()))
    }

    fn keep_failure(&self, failure: String) {
        *held(&self.last_failure) = Some(failure);
    }

    pub(crate) fn last_failure(&self) -> Option<String> {
        held(&self.last_failure).clone()
    }

    pub(crate) fn snapshot(&self) -> Result<SnapshotSummary> {
        let mut keeper = self.keeper.lock();
        self.writer.require_sound()?;
        self.writer.growth().begin_again();
        if self.policy.every.is_some() {
            *held(&self.last_begun) = self.writer.clock().elapsed();
        }
        // The segment that begins here begins at or before the transaction after the snapshot: everything before it can go
        // once the snapshot is the floor.
        self.writer.rotate()?;
        self.write(&mut keeper, &self.writer.heads().applied())
    }

    /// Writes a snapshot of a state that need not be durable yet: a commit may have come in since the rotation.
    fn write(&self, keeper: &mut KnownSnapshots, view: &View) -> Result<SnapshotSummary> {
        // A published snapshot proves that the log was synced through it: see `docs/RECOVERY.md`.
        self.writer.wait_durable(view.tx())?;
        let log = self.writer.log();
        let written = self.keeper.write(keeper, view, log, &self.on_progress());
        self.unless_poisoned(written)
    }

    /// Backs up the newest applied state, once it is durable.
    pub(crate) fn backup(
        &self,
        dir: &dyn Dir,
        to: &Arc<dyn Dir>,
        holder: &str,
        on_progress: &OnBackup<'_>,
    ) -> Result<BackupSummary> {
        self.writer.require_sound()?;
        let lock = backup::lock(dir, &**to, holder)?;
        // Behind the lock: what another backup brought there meanwhile is a part of this view.
        let known = self.keeper.known();
        let view = self.writer.heads().applied();
        self.writer.wait_durable(view.tx())?;
        let log = self.writer.log();
        let origin = Origin {
            view,
            ship: &|range, bytes| log.ship(range, bytes),
            chain_after: &|tx| log.chain_after(tx),
            known,
            compress: self.policy.compress,
        };
        backup::backup(origin, to, &lock, on_progress)
    }

    pub(crate) fn prune(&self) -> Result<PruneSummary> {
        let mut keeper = self.keeper.lock();
        self.writer.require_sound()?;
        let log = self.writer.log();
        let window = self.policy.keep_log_bytes;
        let pruned = self
            .keeper
            .prune(&mut keeper, log, window, &self.on_progress());
        self.unless_poisoned(pruned)
    }

    /// Keeps the pace, and stops where something long is to end.
    fn on_progress(&self) -> impl Fn(Progress) -> ControlFlow<()> {
        let pace = Pace::begin(self.writer.clock(), self.policy.bytes_per_second);
        move |progress| {
            loop {
                let wait = pace.wait(self.writer.clock(), progress.bytes);
                if self.is_cancelled() {
                    return ControlFlow::Break(());
                }
                if wait.is_zero() {
                    return ControlFlow::Continue(());
                }
                // What is due in the log is not kept waiting for longer.
                thread::sleep(wait.min(WAIT_MAX));
            }
        }
    }

    /// What is done between two steps of something long: what is due in the log, since it may take longer than an interval of syncs.
    /// Whether to stop there.
    fn is_cancelled(&self) -> bool {
        self.signal.is_stopped() || self.writer.maintain_log().is_err()
    }

    /// Names the reason for what was cancelled, unless it was the end of the database.
    fn unless_poisoned<T>(&self, done: Result<T>) -> Result<T> {
        if matches!(done, Err(Error::Snapshot(snapshot::Error::Cancelled))) {
            self.writer.require_sound()?;
        }
        done
    }
}

/// What a mutex here guards is whole whenever somebody panics.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use commitlog::{SyncPolicy, TxId};
    use disk::{Choice, Crash, SimDisk};
    use schema::{NewTable, WriteTransaction};
    use table::ColumnType;

    use super::*;
    use crate::growth::Growth;
    use crate::opening::{self, Opened};

    fn create_table(tx: &mut WriteTransaction) -> std::result::Result<(), schema::Error> {
        let table = NewTable::new("notes").column("text", ColumnType::String);
        tx.create_table(&table).map(drop)
    }

    fn open(disk: &SimDisk, options: &Options) -> Opened {
        let opened = opening::open(&disk.root(), options, |_| Ok::<(), schema::Error>(()));
        opened.expect("nothing is wrong with the disk")
    }

    /// A snapshot is evidence of what the log holds: were it there and the log shorter, the log would have lost its end.
    #[test]
    fn a_snapshot_waits_until_the_log_is_durable_through_it() {
        let disk = SimDisk::new(1);
        let options = Options {
            sync_policy: SyncPolicy::Never,
            ..Options::default()
        };
        let Opened {
            lock, log, view, ..
        } = open(&disk, &options);
        let growth = Growth::new(TxId(0), TxId(1), 0);
        let writer = Arc::new(Writer::new(log, view, growth, &options));
        let signal = Arc::default();
        let upkeep = Upkeep::new(
            disk.root(),
            Arc::clone(&writer),
            signal,
            &options,
            None,
            None,
        );
        let upkeep = upkeep.expect("nothing is wrong with the disk");

        writer.write(create_table).expect("there is no such table");
        let view = writer.heads().applied();
        assert_eq!((view.tx(), writer.log().durable_end()), (TxId(1), TxId(1)));
        let mut keeper = upkeep.keeper.lock();
        let summary = upkeep.write(&mut keeper, &view);
        assert_eq!(summary.expect("the disk works").tx, TxId(1));
        drop(lock);
        disk.crash(Crash::Power(Choice::Old));
        assert_eq!(open(&disk, &options).report.tx, TxId(1));
    }

    #[test]
    fn a_snapshot_that_fails_stops_no_syncs_at_an_interval() {
        let disk = SimDisk::new(1);
        let mut options = Options {
            sync_policy: SyncPolicy::Interval(Duration::from_secs(1)),
            background: false,
            ..Options::default()
        };
        options.snapshots.every_records = Some(1);
        let Opened { log, view, .. } = open(&disk, &options);
        let growth = Growth::new(TxId(0), TxId(1), 0);
        let writer = Arc::new(Writer::new(log, view, growth, &options));
        let upkeep = Upkeep::new(
            disk.root(),
            Arc::clone(&writer),
            Arc::default(),
            &options,
            None,
            None,
        );
        let upkeep = upkeep.expect("nothing is wrong with the disk");

        writer.write(create_table).expect("there is no such table");
        disk.set_capacity(Some(disk.used_bytes()));
        let next = upkeep.run_until_idle();
        assert!(upkeep.last_failure().is_some());
        assert!(next.is_some(), "the interval is forgotten");
    }
}
