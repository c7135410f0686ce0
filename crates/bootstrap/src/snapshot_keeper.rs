//! The snapshots of an open database: writing them, reading them back, letting old ones go.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commitlog::{Log, TxId};
use disk::Dir;
use snapshot::{Header, Manifest, SnapshotId, Snapshots};

use crate::error::{Error, Result};
use crate::layout;
use crate::pruning::{floor, superfluous};
use crate::sections::with_sections;
use crate::snapshot_summary::{PruneSummary, SnapshotSummary};
use crate::view::View;

/// The snapshots of an open database.
#[derive(Debug)]
pub(crate) struct SnapshotKeeper {
    dir: Arc<dyn Dir>,
    options: snapshot::Options,
    keep: usize,
    inner: Mutex<Inner>,
}

/// Held while snapshots are written, verified or removed.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    /// Opened when it is first needed.
    snapshots: Option<Arc<Snapshots>>,
    /// The name of their directory is known to be durable.
    is_durable: bool,
    /// The snapshots that this process has read back from the medium and found good.
    good: BTreeSet<TxId>,
}

impl SnapshotKeeper {
    /// Removes what interrupted snapshots left, and not only when the next one is written. A log that was closed does not say that there is
    /// nothing: a snapshot may have failed before, and its parts with it.
    pub(crate) fn new(dir: Arc<dyn Dir>, options: snapshot::Options, keep: usize) -> Result<Self> {
        let keeper = SnapshotKeeper {
            dir,
            options,
            keep,
            inner: Mutex::default(),
        };
        keeper.existing(&mut keeper.lock())?;
        Ok(keeper)
    }

    /// Waits until no other snapshot is being written, and keeps others waiting.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // What it guards is only what has been found good so far; a panic leaves nothing half-done in it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the state of `view`, which must be durable in the log, and reads it back. `is_cancelled` is asked after every
    /// few pages.
    pub(crate) fn write(
        &self,
        inner: &mut Inner,
        view: &View,
        log: &Log,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<SnapshotSummary> {
        assert!(
            view.tx() < log.durable_end(),
            "a snapshot never exceeds what is durable"
        );
        let snapshots = self.existing_or_new(inner)?;
        let mut written = write(&snapshots, view, is_cancelled)?;
        let mut replaced = false;
        if let Err(error) = read_back(&snapshots, &written.manifest, is_cancelled) {
            let is_verdict = match error {
                snapshot::Error::Cancelled => false,
                // The disk failing is none about a snapshot that others may rest on.
                snapshot::Error::Io(_) => !written.already_there,
                _ => true,
            };
            if !is_verdict {
                return Err(error.into());
            }
            snapshots.remove(written.manifest.id())?;
            if !written.already_there {
                return Err(error.into());
            }
            // An old one of the same transaction has gone bad: write it anew.
            written = write(&snapshots, view, is_cancelled)?;
            replaced = true;
            match read_back(&snapshots, &written.manifest, is_cancelled) {
                Ok(()) => {}
                Err(error @ snapshot::Error::Cancelled) => return Err(error.into()),
                Err(error) => {
                    snapshots.remove(written.manifest.id())?;
                    return Err(error.into());
                }
            }
        }
        inner.good.insert(view.tx());
        let removed = self.let_go(inner, &snapshots, log, is_cancelled)?;
        Ok(SnapshotSummary {
            tx: view.tx(),
            already_there: written.already_there && !replaced,
            page_count: view.state().store().pages().page_count(),
            content_bytes: written.progress.bytes,
            file_bytes: written.file_bytes,
            removed,
        })
    }

    /// Cuts the log before what two good snapshots hold, then removes the snapshots that are not needed any more. `is_cancelled` is
    /// asked after every few pages that are read back, and before each snapshot is removed.
    pub(crate) fn prune(
        &self,
        inner: &mut Inner,
        log: &Log,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<PruneSummary> {
        let mut summary = PruneSummary {
            floor: None,
            segments_removed: 0,
            base: log.base(),
            snapshots_removed: Vec::new(),
            snapshots_bad: Vec::new(),
        };
        let Some(snapshots) = self.existing(inner)? else {
            return Ok(summary);
        };
        let good = self.good(
            inner,
            &snapshots,
            log,
            &mut summary.snapshots_bad,
            is_cancelled,
        )?;
        let Some(floor) = floor(&good, self.keep) else {
            return Ok(summary);
        };
        // Crash before this: nothing happened. Crash after it: snapshots that are not needed stay until the next time.
        let pruned = log.prune_before(floor.next())?;
        assert!(
            pruned.base <= floor.next(),
            "the log still continues the floor"
        );
        summary.floor = Some(floor);
        summary.segments_removed = pruned.segments_removed;
        summary.base = pruned.base;
        summary.snapshots_removed = self.let_go(inner, &snapshots, log, is_cancelled)?;
        Ok(summary)
    }

    /// The directory of snapshots, opened for writing; `None` if there is none.
    fn existing(&self, inner: &mut Inner) -> Result<Option<Arc<Snapshots>>> {
        if inner.snapshots.is_none()
            && let Some(dir) = layout::existing(&*self.dir, layout::SNAPSHOTS)?
        {
            inner.snapshots = Some(Arc::new(Snapshots::open(dir, self.options.clone())?));
        }
        Ok(inner.snapshots.clone())
    }

    /// The directory of snapshots, opened for writing, and made with the first snapshot.
    fn existing_or_new(&self, inner: &mut Inner) -> Result<Arc<Snapshots>> {
        if !inner.is_durable {
            // A handle from before may be one on a directory that is made anew here.
            inner.snapshots = None;
            layout::existing_or_new(&*self.dir, layout::SNAPSHOTS)?;
            inner.is_durable = true;
        }
        let snapshots = self.existing(inner)?;
        Ok(snapshots.expect("the directory has just been made"))
    }

    /// The newest snapshots that the log continues, as many as are to be kept, each read back; newest first.
    fn good(
        &self,
        inner: &mut Inner,
        snapshots: &Snapshots,
        log: &Log,
        bad: &mut Vec<TxId>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<TxId>> {
        let mut good = Vec::new();
        for manifest in ours(snapshots, log)?.continued {
            if good.len() == self.keep {
                break;
            }
            let tx = TxId(manifest.header().tx);
            if !inner.good.contains(&tx) {
                match read_back(snapshots, &manifest, is_cancelled) {
                    Ok(()) => inner.good.insert(tx),
                    Err(error @ (snapshot::Error::Io(_) | snapshot::Error::Cancelled)) => {
                        return Err(error.into());
                    }
                    Err(_) => {
                        bad.push(tx);
                        continue;
                    }
                };
            }
            good.push(tx);
        }
        Ok(good)
    }

    /// Removes the snapshots of this history beyond those that are kept, if those are known to be good.
    fn let_go(
        &self,
        inner: &mut Inner,
        snapshots: &Snapshots,
        log: &Log,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<TxId>> {
        let Ours {
            continued,
            stranded,
        } = ours(snapshots, log)?;
        let continued = continued.iter().map(|manifest| TxId(manifest.header().tx));
        let all: Vec<TxId> = continued.chain(stranded).collect();
        if all.len() <= self.keep {
            return Ok(Vec::new());
        }
        let mut bad = Vec::new();
        let good = self.good(inner, snapshots, log, &mut bad, is_cancelled)?;
        let removed = superfluous(&all, &good, self.keep);
        for tx in &removed {
            if is_cancelled() {
                return Err(snapshot::Error::Cancelled.into());
            }
            snapshots.remove(SnapshotId(tx.0))?;
            inner.good.remove(tx);
        }
        Ok(removed)
    }
}

fn write(
    snapshots: &Snapshots,
    view: &View,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<snapshot::Written> {
    let header = Header {
        log_id: view.state().database_id(),
        tx: view.tx().0,
        chain: view.chain().0,
        minimum_reader: view.state().marks().minimum_reader,
        metadata: Vec::new(),
    };
    let written = with_sections(view.state(), |sections| {
        snapshots.write(&header, sections, &mut |_| go_on(is_cancelled))
    });
    written.map_err(Error::Snapshot)
}

fn read_back(
    snapshots: &Snapshots,
    manifest: &Manifest,
    is_cancelled: &dyn Fn() -> bool,
) -> snapshot::Result<()> {
    snapshots.read_back(manifest, &mut |_| go_on(is_cancelled))
}

fn go_on(is_cancelled: &dyn Fn() -> bool) -> ControlFlow<()> {
    if is_cancelled() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// The sound snapshots of a log, newest first.
#[derive(Default)]
struct Ours {
    /// Those of this very history that the log continues.
    continued: Vec<Manifest>,
    /// Those that end before the log begins: a prune has cut off what came after them, and they were to go next.
    stranded: Vec<TxId>,
}

fn ours(snapshots: &Snapshots, log: &Log) -> Result<Ours> {
    let (id, base, end) = (log.log_id(), log.base(), log.durable_end());
    let mut ours = Ours::default();
    for manifest in snapshots.list()?.sound {
        let header = manifest.header();
        let tx = TxId(header.tx);
        if header.log_id != id.0 || tx >= end {
            continue;
        }
        if tx.next() < base {
            ours.stranded.push(tx);
            continue;
        }
        match log.chain_after(tx) {
            Ok(chain) if chain.0 == header.chain => ours.continued.push(manifest),
            Ok(_) | Err(commitlog::Error::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ours)
}
