//! What the headers and marks that are left say: which files are read, which records can stand in each, and the chain at some ids.
//!
//! ```text
//! base 0, epoch 0      marks: 8                  read: its mark leads to the next segment of the history
//! base 8, epoch 0      marks: 14, 18             not read: a copy from before the truncation
//! base 8, epoch 1      marks: 11, 14             read; no record of the one before it has the id 8 or a higher one
//! (no header)                                    read: any id is possible
//! ```
//!
//! Only a valid header tells what a file is. A name is good for sorting, and for telling what a file without a header may have begun with.
//!
//! A truncation gives up records that are still proved in copies made before it. So a segment proves something only if it has the highest epoch, or a mark of it
//! is what a later segment of the history says. All others are read as well, and what the chain then joins to the history is proven by that.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::chain::Chain;
use crate::format::{BODY_BLOCKS, SegmentHeader, VERSION, VERSION_WITH_FLOOR};
use crate::log_id::LogId;
use crate::salvage_report::SkipReason;
use crate::segment_remains::{Remains, RemainsKind};
use crate::tx_id::TxId;

/// What headers and marks say. Files are meant by their number.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) source: Option<LogId>,
    /// Those that are read.
    pub(crate) used: Vec<usize>,
    pub(crate) unused: Vec<(usize, SkipReason)>,
    /// The chain before some ids.
    pub(crate) anchors: BTreeMap<TxId, Chain>,
    /// What stands in its place in one of these is a record of the history.
    pub(crate) vouching: BTreeSet<usize>,
    /// The bases of the segments that are read and have a header.
    bases: BTreeSet<TxId>,
    /// The log keeps nothing before this.
    pub(crate) pruned: TxId,
    /// The first id that the log keeps, if the marks can be trusted to say so.
    floor: Option<TxId>,
}

/// The order in which files are looked at: of the same base, the youngest history first.
pub(crate) fn order(remains: &Remains) -> (TxId, Reverse<u32>, TxId) {
    let epoch = remains.header.map_or(0, |header| header.epoch);
    (remains.base(), Reverse(epoch), remains.named)
}

impl Evidence {
    /// What these say, which are in order.
    pub(crate) fn of(remains: &[Remains]) -> Self {
        let mut evidence = Evidence {
            source: most_frequent(remains),
            ..Evidence::default()
        };
        evidence.choose_segments(remains);
        evidence.leave_pruned(remains);
        let headers = evidence.headers(remains);
        evidence.bases = headers.map(|(_, header)| header.base).collect();
        evidence.find_anchors(remains);
        evidence
    }

    /// The headers of the files that are read.
    pub(crate) fn headers<'a>(
        &'a self,
        remains: &'a [Remains],
    ) -> impl DoubleEndedIterator<Item = (usize, SegmentHeader)> + 'a {
        let used = self.used.iter();
        used.filter_map(|file| Some((*file, remains[*file].header?)))
    }

    /// Where the records of the next segment begin: none of this one stands there.
    pub(crate) fn bound(&self, base: TxId) -> TxId {
        let behind = self.bases.range(base.next()..).next();
        behind.copied().unwrap_or(TxId(u64::MAX))
    }

    /// The first id that the log kept, if the marks can be trusted to say so.
    pub(crate) fn trusted_first(&self) -> Option<TxId> {
        let floor = self.floor?;
        Some(
            self.bases
                .first()
                .map_or(floor, |oldest| floor.min(*oldest)),
        )
    }

    /// The first id that the log kept, as far as it is there: `headless` is the least that a file without a header seems to begin with.
    pub(crate) fn seeming_first(&self, headless: Option<TxId>) -> Option<TxId> {
        let bases = self.bases.first().copied().into_iter();
        Some(bases.chain(headless).min()?.max(self.pruned))
    }

    fn choose_segments(&mut self, remains: &[Remains]) {
        let mut epoch = 0;
        for (file, remains) in remains.iter().enumerate() {
            let reason = match (remains.kind, remains.header) {
                (RemainsKind::NotAFile, _) => SkipReason::NotAFile,
                (RemainsKind::NotOpened, _) => SkipReason::NotOpened,
                (RemainsKind::File(_), Some(header)) if Some(header.log_id) != self.source => {
                    let found = header.log_id;
                    SkipReason::Foreign { found }
                }
                (RemainsKind::File(_), Some(header))
                    if header.version > VERSION || header.body > BODY_BLOCKS =>
                {
                    SkipReason::NewerFormat
                }
                (RemainsKind::File(_), Some(header)) if header.epoch < epoch => {
                    SkipReason::Leftover
                }
                (RemainsKind::File(_), header) => {
                    epoch = header.map_or(epoch, |header| header.epoch);
                    self.used.push(file);
                    continue;
                }
            };
            self.unused.push((file, reason));
        }
    }

    /// Leaves the segments that lie wholly below the floor, as when the log is opened: a prune may come undone in a power cut.
    fn leave_pruned(&mut self, remains: &[Remains]) {
        let marks = |file: usize| remains[file].marks.iter();
        let floors = self.headers(remains).flat_map(|(file, _)| marks(file));
        let floor = floors.map(|mark| mark.floor).max().unwrap_or_default();
        let bases: Vec<TxId> = self.headers(remains).map(|(_, one)| one.base).collect();
        let is_pruned = |file: &usize| {
            let Some(header) = remains[*file].header else {
                return false;
            };
            bases
                .iter()
                .any(|base| header.base < *base && *base <= floor)
        };
        let (pruned, used) = self.used.iter().partition(|file| is_pruned(file));
        self.used = used;
        let pruned: Vec<usize> = pruned;
        let pruned = pruned.iter().map(|file| (*file, SkipReason::Leftover));
        self.unused.extend(pruned);
        let Some((_, oldest)) = self.headers(remains).next() else {
            return;
        };
        // An old log had no floor, and a bad mark may have named a higher one.
        let has_bad_mark = |(file, _): (usize, SegmentHeader)| remains[file].has_bad_mark;
        let is_trusted =
            oldest.version >= VERSION_WITH_FLOOR && !self.headers(remains).any(has_bad_mark);
        self.floor = is_trusted.then_some(floor);
        self.pruned = floor.min(oldest.base);
    }

    fn find_anchors(&mut self, remains: &[Remains]) {
        let headers: Vec<(usize, SegmentHeader)> = self.headers(remains).rev().collect();
        let newest = headers.first().map(|(_, newest)| newest.epoch);
        for (file, header) in headers {
            let marks = || remains[file].marks.iter();
            let is_later_said =
                || marks().any(|mark| self.anchors.get(&mark.through) == Some(&mark.chain));
            if newest == Some(header.epoch) || is_later_said() {
                self.vouching.insert(file);
                for mark in marks() {
                    self.anchors.entry(mark.through).or_insert(mark.chain);
                }
                // The header is what its successors were made to continue.
                self.anchors.insert(header.base, header.chain_before);
            }
        }
    }
}

fn most_frequent(remains: &[Remains]) -> Option<LogId> {
    let ids: Vec<LogId> = remains
        .iter()
        .filter_map(|remains| Some(remains.header?.log_id))
        .collect();
    let mut counts = BTreeMap::new();
    for id in &ids {
        *counts.entry(id.0).or_insert(0_u64) += 1;
    }
    // The oldest of those that are as frequent.
    ids.iter().rev().max_by_key(|id| counts[&id.0]).copied()
}
