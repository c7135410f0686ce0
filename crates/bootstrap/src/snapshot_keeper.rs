//! The snapshots of an open database: writing them, reading them back, letting old ones go.
//!
//! ```text
//!   line 1      1 ────── 3 ────── 5          a snapshot shares bytes with the last but one: it stores what has changed since
//!   line 2          2 ────── 4 ────── 6      and none with the last: one flipped bit harms one line, and the other is whole
//! ```

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commitlog::{Log, TxId};
use disk::Dir;
use schema::State;
use snapshot::{
    Basis, Change, Header, Manifest, Outline, Progress, Scrub, ScrubReport, SnapshotId, Snapshots,
    Source, Spare,
};

use crate::error::Result;
use crate::known::{Known, KnownOutline};
use crate::known_snapshots::{KnownSnapshots, tx_of};
use crate::layout;
use crate::ours::{Ours, ours};
use crate::pruning::{floor, kept, superfluous};
use crate::scrub::OnScrub;
use crate::sections::{with_owned_sections, with_sections};
use crate::snapshot_summary::{PruneSummary, SnapshotSummary};
use crate::view::View;

/// Hears of every few pages how far a writing or a reading has come; it may take its time, and may break.
pub(crate) type OnProgress<'a> = dyn Fn(Progress) -> ControlFlow<()> + 'a;

/// So many snapshots of a line are read back only as far as they were written, and then one is whole: so bytes that go bad are found before long.
const DEPTH_MAX: u32 = 15;

/// The snapshots of an open database.
#[derive(Debug)]
pub(crate) struct SnapshotKeeper {
    dir: Arc<dyn Dir>,
    options: snapshot::Options,
    keep: usize,
    inner: Mutex<KnownSnapshots>,
}

impl SnapshotKeeper {
    /// Removes what interrupted snapshots left, and not only when the next one is written. A log that was closed does not say that there is
    /// nothing: a snapshot may have failed before, and its parts with it.
    pub(crate) fn new(
        dir: Arc<dyn Dir>,
        options: snapshot::Options,
        keep: usize,
        known: Option<Known>,
    ) -> Result<Self> {
        let outlines = known.iter().filter_map(|known| known.outline.read());
        let outlines = outlines.map(|outline| (tx_of(outline), outline.clone()));
        let keeper = SnapshotKeeper {
            dir,
            options,
            keep,
            inner: Mutex::new(KnownSnapshots {
                outlines: outlines.collect(),
                known,
                ..KnownSnapshots::default()
            }),
        };
        keeper.existing(&mut keeper.lock())?;
        Ok(keeper)
    }

    /// Waits until no other snapshot is being written, and keeps others waiting.
    pub(crate) fn lock(&self) -> MutexGuard<'_, KnownSnapshots> {
        // What it guards is only what has been found good so far; a panic leaves nothing half-done in it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the pages; nothing while a snapshot is being written, which may take its time.
    pub(crate) fn known(&self) -> Option<Known> {
        let mut inner = self.inner.try_lock().ok()?;
        inner.read_known();
        inner.known.clone()
    }

    /// Reads what is left to read of the tree of hashes of a snapshot that is mapped; yields what is damaged of it.
    pub(crate) fn read_known(&self) -> Option<snapshot::Error> {
        self.lock().read_known()
    }

    /// Writes the state of `view`, which must be durable in the log, and reads it back. `on_progress` is asked after every
    /// few pages.
    pub(crate) fn write(
        &self,
        inner: &mut KnownSnapshots,
        view: &View,
        log: &Log,
        on_progress: &OnProgress<'_>,
    ) -> Result<SnapshotSummary> {
        assert!(
            view.tx() < log.durable_end(),
            "a snapshot never exceeds what is durable"
        );
        let snapshots = self.existing_or_new(inner)?;
        let mut change = snapshots.change()?;
        inner.read_known();
        let mut replaced = false;
        // What could not be read just now: nothing is written on it this time.
        let mut avoided = BTreeSet::new();
        let (written, depth) = loop {
            let share = share(inner, &snapshots, &mut change, log, &avoided)?;
            let share_tx = share.as_ref().map(tx_of);
            let known = inner.known.as_ref();
            inner.doubtful.insert(view.tx());
            let written = write(&mut change, view, known, share.as_ref(), on_progress)?;
            inner.doubtful.remove(&view.tx());
            // What it shares was read back with the snapshot that it shares with; but now and then all of it is again.
            let depth = match share_tx {
                Some(tx) => inner.good.get(&tx).map_or(u32::MAX, |depth| depth + 1),
                None => 0,
            };
            let (read_back, depth) = match &written.outline {
                Some(outline) if depth <= DEPTH_MAX => {
                    let tell = &mut |progress| on_progress(progress);
                    (snapshots.read_back_own(outline, tell), depth)
                }
                _ => (read_back(&snapshots, &written.manifest, on_progress), 0),
            };
            let Err(error) = read_back else {
                break (written, depth);
            };
            let is_io = matches!(error, snapshot::Error::Io(_));
            let is_verdict = match error {
                snapshot::Error::Cancelled => false,
                // The disk failing is none about a snapshot that others may rest on.
                snapshot::Error::Io(_) => !written.already_there,
                _ => true,
            };
            if is_verdict {
                inner.forget(view.tx());
                change.remove(written.manifest.id())?;
            }
            match share_tx {
                // An old one of the same transaction has gone bad: write it anew.
                _ if is_verdict && written.already_there => replaced = true,
                // It may be what is shared: write it on another one, or on none.
                Some(tx) if is_verdict && is_io => {
                    avoided.insert(tx);
                }
                Some(tx) if is_verdict => {
                    inner.good.remove(&tx);
                    inner.bad.insert(tx);
                }
                _ => return Err(error.into()),
            }
        };
        if let Some(outline) = &written.outline {
            inner.outlines.insert(view.tx(), outline.clone());
            let store = view.state().store();
            inner.known = Some(Known {
                outline: KnownOutline::Read(outline.clone()),
                moment: store.pages().moment(),
                heads: Some(store.heads_moment()),
            });
        }
        inner.bad.remove(&view.tx());
        inner.good.insert(view.tx(), depth);
        let removed = self.let_go(inner, &snapshots, &mut change, log, on_progress)?;
        Ok(SnapshotSummary {
            tx: view.tx(),
            already_there: written.already_there && !replaced,
            page_count: view.state().store().pages().page_count(),
            content_bytes: written.progress.bytes,
            file_bytes: written.file_bytes,
            removed,
        })
    }

    /// Cuts the log before what two good snapshots hold, down to `keep_log_bytes`, then removes the snapshots that are not needed any more. `on_progress` is
    /// asked after every few pages that are read back, and before each snapshot is removed.
    pub(crate) fn prune(
        &self,
        inner: &mut KnownSnapshots,
        log: &Log,
        keep_log_bytes: u64,
        on_progress: &OnProgress<'_>,
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
        let mut change = snapshots.change()?;
        let kept = self.kept(
            inner,
            &snapshots,
            &mut change,
            log,
            &mut summary.snapshots_bad,
            on_progress,
        )?;
        let Some(floor) = floor(&kept) else {
            return Ok(summary);
        };
        // Crash before this: nothing happened. Crash after it: snapshots that are not needed stay until the next time.
        let pruned = log.prune_to_bytes(keep_log_bytes, floor.next())?;
        assert!(
            pruned.base <= floor.next(),
            "the log still continues the floor"
        );
        summary.floor = Some(floor);
        summary.segments_removed = pruned.segments_removed;
        summary.base = pruned.base;
        summary.snapshots_removed =
            self.let_go(inner, &snapshots, &mut change, log, on_progress)?;
        Ok(summary)
    }

    /// Makes all snapshots that are there durable.
    pub(crate) fn settle(&self) -> Result<()> {
        let snapshots = self.existing(&mut self.lock())?;
        Ok(snapshots.map_or(Ok(()), |them| them.settle())?)
    }

    /// Begins to read all snapshots again, for which nobody waits; nothing if there is no directory of them.
    pub(crate) fn scrub(&self) -> Result<Option<Scrub>> {
        let snapshots = self.existing(&mut self.lock())?;
        Ok(snapshots.map(|them| them.scrub()).transpose()?)
    }

    /// Ends a scrub: rewrites what is damaged and has a sound copy, in a file or in `state`, and learns what became of each snapshot. If the state was
    /// mapped, only what it holds in memory of its own counts.
    pub(crate) fn mend(
        &self,
        inner: &mut KnownSnapshots,
        scrub: Scrub,
        state: &State,
        is_mapped: bool,
        on_progress: &OnScrub<'_>,
    ) -> Result<ScrubReport> {
        let Some(snapshots) = self.existing(inner)? else {
            return Ok(ScrubReport::default());
        };
        inner.read_known();
        let undoubted = inner.outlines.iter();
        let undoubted = undoubted.filter(|(tx, _)| !inner.doubtful.contains(tx));
        let outlines: Vec<Outline> = undoubted.map(|(_, outline)| outline.clone()).collect();
        let mend = |sections: &mut [&mut dyn Source]| {
            let spare = Spare {
                outlines: &outlines,
                sections,
            };
            snapshots.mend(scrub, spare, true, &mut |progress| on_progress(progress))
        };
        let mut report = match is_mapped {
            true => with_owned_sections(state, mend),
            false => with_sections(state, None, mend),
        }?;
        if !report.is_sound() {
            report.set_aside = snapshots.set_aside()?;
        }
        inner.learn(&report, &snapshots.list()?.sound);
        Ok(report)
    }

    /// The directory of snapshots, opened for writing; `None` if there is none.
    fn existing(&self, inner: &mut KnownSnapshots) -> Result<Option<Arc<Snapshots>>> {
        if inner.snapshots.is_none()
            && let Some(dir) = layout::existing(&*self.dir, layout::SNAPSHOTS)?
        {
            inner.snapshots = Some(Arc::new(Snapshots::open(dir, self.options.clone())?));
        }
        Ok(inner.snapshots.clone())
    }

    /// The directory of snapshots, opened for writing, and made with the first snapshot.
    fn existing_or_new(&self, inner: &mut KnownSnapshots) -> Result<Arc<Snapshots>> {
        if !inner.is_durable {
            // A handle from before may be one on a directory that is made anew here.
            inner.snapshots = None;
            layout::existing_or_new(&*self.dir, layout::SNAPSHOTS)?;
            inner.is_durable = true;
        }
        let snapshots = self.existing(inner)?;
        Ok(snapshots.expect("the directory has just been made"))
    }

    /// The snapshots that the log continues and that are to be kept, each read back; newest first. None without two that share no bytes.
    fn kept(
        &self,
        inner: &mut KnownSnapshots,
        snapshots: &Snapshots,
        change: &mut Change<'_>,
        log: &Log,
        bad: &mut Vec<TxId>,
        on_progress: &OnProgress<'_>,
    ) -> Result<Vec<TxId>> {
        let mut good: Vec<TxId> = Vec::new();
        let mut manifests: Vec<Manifest> = Vec::new();
        let mut count = None;
        let mut unread = None;
        // What is given up because of them must not come to rest on one that a power cut takes.
        let settled = change.settled()?.sound;
        for manifest in ours(settled, log)?.continued {
            let tx = TxId(manifest.header().tx);
            if inner.doubtful.contains(&tx) {
                continue;
            }
            if let Entry::Vacant(entry) = inner.good.entry(tx) {
                match read_back(snapshots, &manifest, on_progress) {
                    Ok(()) => entry.insert(0),
                    Err(error @ snapshot::Error::Cancelled) => return Err(error.into()),
                    // No verdict, and none of those that count.
                    Err(error @ snapshot::Error::Io(_)) => {
                        unread.get_or_insert(error);
                        continue;
                    }
                    Err(_) => {
                        inner.bad.insert(tx);
                        bad.push(tx);
                        continue;
                    }
                };
            }
            good.push(tx);
            manifests.push(manifest);
            count = kept(&good, self.keep, |a, b| {
                manifests[a].shares_bytes_with(&manifests[b])
            });
            if count.is_some() && good.len() >= self.keep {
                break;
            }
        }
        match (count, unread) {
            (None, Some(error)) => Err(error.into()),
            (count, _) => {
                good.truncate(count.unwrap_or(0));
                Ok(good)
            }
        }
    }

    /// Removes the snapshots of this history beyond those that are kept, if those are known to be good.
    fn let_go(
        &self,
        inner: &mut KnownSnapshots,
        snapshots: &Snapshots,
        change: &mut Change<'_>,
        log: &Log,
        on_progress: &OnProgress<'_>,
    ) -> Result<Vec<TxId>> {
        let Ours {
            continued,
            stranded,
        } = ours(change.sound()?, log)?;
        let continued = continued.iter().map(|manifest| TxId(manifest.header().tx));
        let all: Vec<TxId> = continued.chain(stranded).collect();
        if all.len() <= self.keep {
            return Ok(Vec::new());
        }
        let mut bad = Vec::new();
        let kept = self.kept(inner, snapshots, change, log, &mut bad, on_progress)?;
        let removed = superfluous(&all, &kept, self.keep);
        for tx in &removed {
            if on_progress(Progress::default()).is_break() {
                return Err(snapshot::Error::Cancelled.into());
            }
            inner.forget(*tx);
            change.remove(SnapshotId(tx.0))?;
            inner.bad.remove(tx);
            inner.doubtful.remove(tx);
        }
        Ok(removed)
    }
}

/// The snapshot to write the next one on: the newest that shares no bytes with the last one, so that the two newest never do.
fn share(
    inner: &mut KnownSnapshots,
    snapshots: &Snapshots,
    change: &mut Change<'_>,
    log: &Log,
    avoided: &BTreeSet<TxId>,
) -> Result<Option<Outline>> {
    let continued = ours(change.sound()?, log)?.continued;
    let Some((last, earlier)) = continued.split_first() else {
        return Ok(None);
    };
    let apart = earlier
        .iter()
        .filter(|manifest| !manifest.shares_bytes_with(last));
    for manifest in apart {
        let tx = TxId(manifest.header().tx);
        if inner.bad.contains(&tx) || inner.doubtful.contains(&tx) || avoided.contains(&tx) {
            continue;
        }
        let known = inner.outlines.get(&tx);
        if let Some(outline) = known.filter(|outline| outline.manifest() == manifest) {
            return Ok(Some(outline.clone()));
        }
        match snapshots.outline(manifest) {
            Ok(outline) => {
                inner.outlines.insert(tx, outline.clone());
                return Ok(Some(outline));
            }
            // No verdict, and nothing to write on.
            Err(snapshot::Error::Io(_)) => {}
            Err(_) => {
                inner.bad.insert(tx);
            }
        }
    }
    Ok(None)
}

fn write(
    change: &mut Change<'_>,
    view: &View,
    known: Option<&Known>,
    share: Option<&Outline>,
    on_progress: &OnProgress<'_>,
) -> Result<snapshot::Written> {
    let header = Header {
        log_id: view.state().database_id(),
        tx: view.tx().0,
        chain: view.chain().0,
        minimum_reader: view.state().minimum_reader_of_pages(),
        metadata: Vec::new(),
    };
    let basis = Basis {
        known: known.and_then(|known| known.outline.read()),
        share,
    };
    with_sections(view.state(), known, |sections| {
        change.write_on(basis, &header, sections, &mut |progress| {
            on_progress(progress)
        })
    })
}

fn read_back(
    snapshots: &Snapshots,
    manifest: &Manifest,
    on_progress: &OnProgress<'_>,
) -> snapshot::Result<()> {
    snapshots.read_back(manifest, &mut |progress| on_progress(progress))
}
