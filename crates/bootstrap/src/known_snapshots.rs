//! What the process remembers of the snapshots of an open database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use commitlog::TxId;
use snapshot::{Manifest, Mending, Outline, ScrubReport, Snapshots};

use crate::known::{Known, KnownOutline};

/// Held while snapshots are written, verified or removed.
#[derive(Debug, Default)]
pub(crate) struct KnownSnapshots {
    /// Opened when it is first needed.
    pub(crate) snapshots: Option<Arc<Snapshots>>,
    /// The name of their directory is known to be durable.
    pub(crate) is_durable: bool,
    /// The snapshots that this process has read back from the medium and found good; and how many before it, each written on the next, were read back
    /// only as far as they were written, since one of them was read back whole.
    pub(crate) good: BTreeMap<TxId, u32>,
    /// Writing them failed, and they may be there nevertheless, and gone after a power cut.
    pub(crate) doubtful: BTreeSet<TxId>,
    /// Those that it has found bad: nothing is written on them.
    pub(crate) bad: BTreeSet<TxId>,
    /// What has changed in the pages is counted from here.
    pub(crate) known: Option<Known>,
    /// Of the snapshots that are kept, as far as that has been read or written.
    pub(crate) outlines: BTreeMap<TxId, Outline>,
}

impl KnownSnapshots {
    /// Reads what is left to read of the tree of hashes of the snapshot that is known, if it was only mapped; yields what is damaged of it. What is known is as good
    /// as nothing then.
    pub(crate) fn read_known(&mut self) -> Option<snapshot::Error> {
        let known = self.known.as_mut()?;
        let KnownOutline::Mapped(pages) = &known.outline else {
            return None;
        };
        match pages.outline() {
            Ok(outline) => {
                self.outlines.insert(tx_of(&outline), outline.clone());
                known.outline = KnownOutline::Read(outline);
                None
            }
            Err(error) => {
                self.known = None;
                Some(error)
            }
        }
    }

    /// Before a snapshot is removed. A removal that fails may have taken place: were the snapshot still remembered, a scrub would miss its file for
    /// ever. That it is bad or in doubt holds until it is gone, since nothing may rest on it if it is not.
    pub(crate) fn forget(&mut self, tx: TxId) {
        // What is read of it later would be remembered.
        self.read_known();
        self.good.remove(&tx);
        self.outlines.remove(&tx);
    }

    /// Takes over what a scrub says of the snapshots that there are.
    pub(crate) fn learn(&mut self, report: &ScrubReport, there: &[Manifest]) {
        let left = report.findings.iter().filter(|it| !it.is_mended());
        for finding in left {
            for id in &finding.snapshots {
                if report.sound.iter().any(|sound| sound.id() == *id) {
                    continue;
                }
                let tx = TxId(id.tx());
                // Read back again before it counts.
                self.good.remove(&tx);
                if finding.reason.is_damage() {
                    self.bad.insert(tx);
                }
                if matches!(finding.mending, Mending::Unsure { .. }) {
                    self.doubtful.insert(tx);
                }
            }
        }
        // One that was removed meanwhile, and written anew, is another one.
        for sound in report.sound.iter().filter(|sound| there.contains(sound)) {
            let tx = TxId(sound.header().tx);
            self.good.insert(tx, 0);
            self.bad.remove(&tx);
        }
        if !report.set_aside.is_empty() {
            self.outlines
                .retain(|_, outline| there.contains(outline.manifest()));
        }
    }
}

/// The transaction of a snapshot.
pub(crate) fn tx_of(outline: &Outline) -> TxId {
    TxId(outline.manifest().header().tx)
}
