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

use std::ops::Range;

use crate::salvage_report::SkipReason;

/// The account of one file.
#[derive(Debug, Default)]
pub(crate) struct FileAccount {
    /// Listed as they are.
    noted: Vec<(Range<u64>, SkipReason)>,
    searched: Option<(Range<u64>, SkipReason)>,
    passed: Vec<(Range<u64>, SkipReason)>,
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

    /// These are skipped, unless they are kept as others.
    pub(crate) fn pass(&mut self, bytes: Range<u64>, reason: SkipReason) {
        self.passed.push((bytes, reason));
    }

    /// These are kept.
    pub(crate) fn keep(&mut self, bytes: Range<u64>) {
        match self.kept.last_mut() {
            Some(last) if last.end == bytes.start => last.end = bytes.end,
            _ => self.kept.push(bytes),
        }
    }

    /// What was skipped, in order.
    pub(crate) fn skipped(self) -> Vec<(Range<u64>, SkipReason)> {
        let mut reasons = Vec::new();
        // A byte, what begins or ends there (nothing if it is what was kept), and by how much that becomes more.
        let mut changes: Vec<(u64, Option<usize>, i64)> = Vec::new();
        for (bytes, reason) in self.passed.into_iter().chain(self.searched) {
            let number = reasons.iter().position(|known| *known == reason);
            let number = number.unwrap_or_else(|| {
                reasons.push(reason);
                reasons.len() - 1
            });
            changes.push((bytes.start, Some(number), 1));
            changes.push((bytes.end, Some(number), -1));
        }
        for bytes in self.kept {
            changes.push((bytes.start, None, 1));
            changes.push((bytes.end, None, -1));
        }
        changes.sort_unstable();
        let mut skipped = self.noted;
        let first = skipped.len();
        let (mut kept, mut counts) = (0, vec![0; reasons.len()]);
        let mut from = 0;
        for (at, number, more) in changes {
            let here = (0..reasons.len()).filter(|number| counts[*number] > 0);
            let reason = here
                .map(|number| reasons[number])
                .max_by_key(|reason| says(*reason));
            if let Some(reason) = reason
                && kept == 0
                && from < at
            {
                match skipped[first..].last_mut() {
                    Some((last, same)) if *same == reason && last.end == from => last.end = at,
                    _ => skipped.push((from..at, reason)),
                }
            }
            from = at;
            match number {
                Some(number) => counts[number] += more,
                None => kept += more,
            }
        }
        skipped.sort_by_key(|(bytes, _)| bytes.start);
        skipped
    }
}

/// How much a reason says, if there are several for a byte.
fn says(reason: SkipReason) -> u8 {
    match reason {
        SkipReason::Unreadable | SkipReason::NotOpened => 4,
        SkipReason::Repeated => 3,
        SkipReason::Contradicted => 2,
        SkipReason::Payload => 1,
        _ => 0,
    }
}
