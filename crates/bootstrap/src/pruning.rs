//! What may go: pure functions of what is there.

use commitlog::TxId;

/// The transaction up to which the log is not needed any more: the last one of the oldest snapshot that is kept. `good` are the
/// snapshots that have been read back, newest first.
///
/// `None` with fewer than two: one bad byte in the only snapshot would then take rows for good.
pub(crate) fn floor(good: &[TxId], keep: usize) -> Option<TxId> {
    if good.len() < 2 {
        return None;
    }
    good.get(..keep.max(2)).unwrap_or(good).last().copied()
}

/// The snapshots that are older than all that are kept. `all` and `good` newest first.
pub(crate) fn superfluous(all: &[TxId], good: &[TxId], keep: usize) -> Vec<TxId> {
    if good.len() < keep.max(2) {
        return Vec::new();
    }
    let Some(floor) = floor(good, keep) else {
        return Vec::new();
    };
    all.iter().copied().filter(|tx| *tx < floor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u64]) -> Vec<TxId> {
        numbers.iter().copied().map(TxId).collect()
    }

    #[test]
    fn two_good_snapshots_are_never_given_up() {
        let rows: [(&[u64], usize, Option<u64>); 7] = [
            (&[], 2, None),
            (&[9], 2, None),
            (&[9, 5], 2, Some(5)),
            (&[9, 5, 1], 2, Some(5)),
            (&[9, 5, 1], 3, Some(1)),
            (&[9, 5], 3, Some(5)),
            (&[9, 5], 0, Some(5)),
        ];
        for (good, keep, expected) in rows {
            assert_eq!(
                floor(&ids(good), keep),
                expected.map(TxId),
                "{good:?}, keep {keep}"
            );
        }
    }

    #[test]
    fn only_what_is_older_than_enough_good_ones_goes() {
        type Row = (&'static [u64], &'static [u64], usize, &'static [u64]);
        let rows: [Row; 5] = [
            (&[9, 5], &[9, 5], 2, &[]),
            (&[9, 5, 3, 1], &[9, 5], 2, &[3, 1]),
            // 5 turned out to be bad: it is not counted, and 3 is kept in its place.
            (&[9, 5, 3, 1], &[9, 3], 2, &[1]),
            (&[9, 5, 3], &[9], 2, &[]),
            (&[9, 5, 3], &[9, 5], 3, &[]),
        ];
        for (all, good, keep, expected) in rows {
            assert_eq!(superfluous(&ids(all), &ids(good), keep), ids(expected));
        }
    }
}
