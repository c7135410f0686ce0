//! The bytes of all that is taken.
//!
//! ```text
//! file 1  |   ====     ===  ==  |        what was added, from right to left: one run
//!         | ==      ==          |        what begins behind the last one of it begins the next run
//! ```
//!
//! What is taken is added from the end of a file to its beginning, with few exceptions. So a few runs in order hold it, in a third of the memory of a tree.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes by the numbers of their files. None is added twice.
#[derive(Debug, Default)]
pub(crate) struct TakenBytes {
    /// The runs of each file, each from the end to the beginning.
    runs: BTreeMap<usize, Vec<Vec<Range<u64>>>>,
}

impl TakenBytes {
    /// Whether some of these bytes are taken.
    pub(crate) fn overlap(&self, file: usize, bytes: &Range<u64>) -> bool {
        let overlaps = |run: &Vec<Range<u64>>| {
            let last_before = run.partition_point(|taken| taken.start >= bytes.end);
            run.get(last_before)
                .is_some_and(|taken| taken.end > bytes.start)
        };
        let runs = self.runs.get(&file);
        !bytes.is_empty() && runs.is_some_and(|runs| runs.iter().any(overlaps))
    }

    /// Takes these, of which none is taken.
    pub(crate) fn add(&mut self, file: usize, bytes: Range<u64>) {
        if bytes.is_empty() {
            return;
        }
        let runs = self.runs.entry(file).or_default();
        if let Some(run) = runs.last_mut()
            && let Some(last) = run.last_mut()
            && bytes.end <= last.start
        {
            match bytes.end == last.start {
                true => last.start = bytes.start,
                false => run.push(bytes),
            }
            return;
        }
        runs.push(vec![bytes]);
    }
}
