//! Where a replay begins: the empty state, or a snapshot.

use std::sync::Arc;

use commitlog::{Chain, TxId};
use schema::State;
use snapshot::{Manifest, Snapshots};

use crate::database_id::DatabaseId;
use crate::error::Result;
use crate::format::HEADS_SECTION;
use crate::known::{Known, KnownOutline};
use crate::layout;
use crate::look::Looked;
use crate::mapped_pages::MappedPages;
use crate::open_report::Rejection;
use crate::options::SnapshotLoading;
use crate::sections::{self, Unfit};

/// A state, and the place in the log that it stands for.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) state: State,
    /// The last transaction that is part of it; `None` for the empty state.
    pub(crate) after: Option<(TxId, Chain)>,
    /// The place of the snapshot in what was looked at, if it is one.
    pub(crate) from: Option<usize>,
    /// What the snapshot tells of the pages.
    pub(crate) known: Option<Known>,
}

impl Start {
    /// The last transaction of the snapshot, if it is one.
    pub(crate) fn snapshot(&self) -> Option<TxId> {
        self.after.map(|(tx, _)| tx)
    }

    /// The first record to apply.
    pub(crate) fn next(&self) -> TxId {
        self.snapshot().map_or(TxId(0), TxId::next)
    }
}

/// A snapshot that turned out to be no good while it was loaded, or when a record that is to be applied to it met damage.
#[derive(Debug)]
pub(crate) struct RejectedStart {
    /// Its place in what was looked at.
    pub(crate) snapshot: usize,
    pub(crate) reason: Rejection,
}

/// Loads the snapshot of this place in what was looked at, or begins empty.
pub(crate) fn start(
    looked: &Looked,
    snapshot: Option<usize>,
    loading: SnapshotLoading,
) -> Result<std::result::Result<Start, RejectedStart>> {
    let id = looked.database_id();
    let Some(snapshot) = snapshot else {
        let state = State::empty(id.0);
        return Ok(Ok(Start {
            state,
            after: None,
            from: None,
            known: None,
        }));
    };
    let manifest = looked.manifests[snapshot]
        .as_ref()
        .expect("the plan names a snapshot with a manifest");
    let snapshots_dir = looked.snapshots_dir.clone();
    let snapshots_dir = snapshots_dir.expect("the manifest was read there");
    let snapshots = layout::snapshots_to_read(snapshots_dir)?;
    let reason = match state(&snapshots, id, manifest, loading) {
        Ok((state, outline)) => {
            let header = manifest.header();
            let moment = state.store().pages().moment();
            return Ok(Ok(Start {
                state,
                after: Some((TxId(header.tx), Chain(header.chain))),
                from: Some(snapshot),
                known: Some(Known {
                    outline,
                    moment,
                    heads: None,
                }),
            }));
        }
        Err(Unusable::Snapshot(snapshot::Error::Io(error))) => return Err(error.into()),
        Err(Unusable::Snapshot(error)) => Rejection::Unreadable(error),
        Err(Unusable::State(Unfit::Numbers)) => Rejection::Misnumbered,
        Err(Unusable::State(Unfit::Blob(error))) => Rejection::Unreadable(error),
        Err(Unusable::State(Unfit::State(error))) => Rejection::Unfit(error),
    };
    Ok(Err(RejectedStart { snapshot, reason }))
}

/// Why there is no state.
enum Unusable {
    Snapshot(snapshot::Error),
    State(Unfit),
}

/// The state of a snapshot, and what the next one can be written on.
fn state(
    snapshots: &Snapshots,
    id: DatabaseId,
    manifest: &Manifest,
    loading: SnapshotLoading,
) -> std::result::Result<(State, KnownOutline), Unusable> {
    if loading == SnapshotLoading::Mapped
        && let Some(mapped) = snapshots.map(manifest)?
    {
        let pages = Arc::new(MappedPages::new(mapped)?.ok_or(Unfit::Numbers)?);
        let heads = pages.section(HEADS_SECTION)?;
        let state = sections::mapped_state(id, &pages, &heads)?;
        return Ok((state, KnownOutline::Mapped(pages)));
    }
    let loaded = snapshots.load(manifest, loading.load_options())?;
    let state = sections::loaded_state(id, &loaded)?;
    Ok((state, KnownOutline::Read(loaded.outline().clone())))
}

impl From<snapshot::Error> for Unusable {
    fn from(error: snapshot::Error) -> Self {
        Unusable::Snapshot(error)
    }
}

impl From<Unfit> for Unusable {
    fn from(unfit: Unfit) -> Self {
        Unusable::State(unfit)
    }
}
