//! Where a replay begins: the empty state, or a snapshot.

use commitlog::{Chain, TxId};
use disk::Dir;
use schema::State;
use snapshot::{LoadOptions, Snapshots, Verify};

use crate::error::{Error, Result};
use crate::known::Known;
use crate::layout;
use crate::look::Looked;
use crate::open_report::Rejection;
use crate::sections::{self, Unfit};

/// A state, and the place in the log that it stands for.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) state: State,
    /// The last transaction that is part of it; `None` for the empty state.
    pub(crate) after: Option<(TxId, Chain)>,
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

/// A snapshot that turned out to be no good while it was loaded.
#[derive(Debug)]
pub(crate) struct RejectedStart {
    /// Its place in what was looked at.
    pub(crate) snapshot: usize,
    pub(crate) reason: Rejection,
}

/// Loads the snapshot of this place in what was looked at, or begins empty.
pub(crate) fn start(
    dir: &dyn Dir,
    looked: &Looked,
    snapshot: Option<usize>,
    options: LoadOptions,
) -> Result<std::result::Result<Start, RejectedStart>> {
    let id = looked.database_id();
    let Some(snapshot) = snapshot else {
        let state = State::empty(id.0);
        return Ok(Ok(Start {
            state,
            after: None,
            known: None,
        }));
    };
    let manifest = looked.manifests[snapshot]
        .as_ref()
        .expect("the plan names a snapshot with a manifest");
    let Some(snapshots_dir) = layout::existing(dir, layout::SNAPSHOTS)? else {
        return Err(Error::Restless {
            path: dir.path().to_path_buf(),
        });
    };
    let reading = snapshot::Options {
        read_only: true,
        ..snapshot::Options::default()
    };
    let loaded = match Snapshots::open(snapshots_dir, reading)?.load(manifest, options) {
        Ok(loaded) => loaded,
        Err(snapshot::Error::Io(error)) => return Err(error.into()),
        Err(error) => {
            let reason = Rejection::Unreadable(error);
            return Ok(Err(RejectedStart { snapshot, reason }));
        }
    };
    let header = manifest.header();
    let after = Some((TxId(header.tx), Chain(header.chain)));
    Ok(
        match sections::state(id, &loaded, options.verify != Verify::Lazy) {
            Ok(state) => {
                let known = Some(Known {
                    outline: loaded.outline().clone(),
                    moment: state.store().pages().moment(),
                });
                Ok(Start {
                    state,
                    after,
                    known,
                })
            }
            Err(Unfit::Numbers) => Err(RejectedStart {
                snapshot,
                reason: Rejection::Misnumbered,
            }),
            Err(Unfit::State(error)) => Err(RejectedStart {
                snapshot,
                reason: Rejection::Unfit(error),
            }),
        },
    )
}
