//! Which bytes of a file went into the new log, and why the others did not.
//!
//! ```text
//! searched     |---------------------- NoFrame -------------------------|
//! passed                    |-- Payload --|     |-- Repeated --|
//! kept         |============|      |============|
//! skipped                   | Payl |            | Repeated     | NoFr. |
//! ```
//!
//! What is skipped is what was searched and not kept. So no byte is forgotten, and none is listed that was kept; what is known about a byte only says why.

use std::iter::Peekable;
use std::ops::Range;
use std::slice;

use crate::salvage_report::SkipReason;

/// Why bytes are passed. Of several reasons for a byte the last one here says most.
const REASONS: [SkipReason; 6] = [
    SkipReason::Leftover,
    SkipReason::Payload,
    SkipReason::Contradicted,
    SkipReason::Repeated,
    SkipReason::NotOpened,
    SkipReason::Unreadable,
];

/// The account of one file.
#[derive(Debug, Default)]
pub(crate) struct FileAccount {
    /// Listed as they are.
    noted: Vec<(Range<u64>, SkipReason)>,
    searched: Option<(Range<u64>, SkipReason)>,
    /// For each of [`REASONS`].
    passed: [Vec<Range<u64>>; REASONS.len()],
    kept: Vec<Range<u64>>,
}

impl FileAccount {
    /// Lists this, whatever else is known.
    pub(crate) fn note(&mut self, bytes: Range<u64>, reason: SkipReason) {
        self.noted.push((bytes, reason));
    }

    /// These were searched; `reason` is why those of them are skipped of which no more is known.
    pub(crate) fn search(&mut self, bytes: Range<u64>, reason: SkipReason) {
        self.searched = Some((bytes, reason));
    }

    /// These are skipped for one of [`REASONS`], unless they are kept as others.
    pub(crate) fn pass(&mut self, bytes: Range<u64>, reason: SkipReason) {
        let place = REASONS.iter().position(|known| *known == reason);
        add(&mut self.passed[place.expect("it is one of them")], bytes);
    }

    /// These are kept.
    pub(crate) fn keep(&mut self, bytes: Range<u64>) {
        add(&mut self.kept, bytes);
    }

    /// Hands out what was skipped, in order.
    pub(crate) fn skipped(mut self, mut skip: impl FnMut(Range<u64>, SkipReason)) {
        for (bytes, reason) in self.noted {
            skip(bytes, reason);
        }
        let mut passed = self.passed.each_mut().map(|ranges| Cover::of(ranges));
        let mut kept = Cover::of(&mut self.kept);
        let (searched, gap) = self.searched.unwrap_or((0..0, SkipReason::NoFrame));
        let mut searched = [searched];
        let mut searched = Cover::of(&mut searched);
        let mut at = 0;
        loop {
            let covers = passed.iter_mut().chain([&mut kept, &mut searched]);
            let Some(next) = covers.filter_map(|cover| cover.next_change(at)).min() else {
                return;
            };
            let passed_for = passed.iter().rposition(|cover| cover.end > at);
            let reason = passed_for.map(|place| REASONS[place]);
            let reason = reason.or((searched.end > at).then_some(gap));
            if let Some(reason) = reason.filter(|_| kept.end <= at) {
                skip(at..next, reason);
            }
            at = next;
        }
    }
}

/// What ranges cover, from their beginning on.
struct Cover<'a> {
    ranges: Peekable<slice::Iter<'a, Range<u64>>>,
    /// Where all of those end that have begun.
    end: u64,
}

impl<'a> Cover<'a> {
    fn of(ranges: &'a mut [Range<u64>]) -> Self {
        ranges.sort_unstable_by_key(|range| range.start);
        let ranges = ranges.iter().peekable();
        Cover { ranges, end: 0 }
    }

    /// Begins what begins up to here. Yields where something begins or may end next.
    fn next_change(&mut self, at: u64) -> Option<u64> {
        while let Some(begun) = self.ranges.next_if(|range| range.start <= at) {
            self.end = self.end.max(begun.end);
        }
        let begins = self.ranges.peek().map(|range| range.start);
        let ends = (self.end > at).then_some(self.end);
        begins.into_iter().chain(ends).min()
    }
}

/// Adds a range, to the last one if it continues that.
fn add(ranges: &mut Vec<Range<u64>>, more: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == more.start => last.end = more.end,
        _ => ranges.push(more),
    }
}
