//! What may go: pure functions of what is there.

use commitlog::TxId;

/// How many of the good snapshots, newest first, are kept: as many as asked for, two at least, and so many more that two of them share no bytes.
/// `shares` says whether the snapshots in two places do.
///
/// `None` without two that share none: one bad byte would then take rows for good.
pub(crate) fn kept(
    good: &[TxId],
    keep: usize,
    shares: impl Fn(usize, usize) -> bool,
) -> Option<usize> {
    let apart = (1..good.len()).find(|older| (0..*older).any(|newer| !shares(newer, *older)))?;
    Some((apart + 1).max(keep.min(good.len())))
}

/// The transaction up to which the log is not needed any more: the last one of the oldest snapshot that is kept.
pub(crate) fn floor(kept: &[TxId]) -> Option<TxId> {
    kept.last().copied()
}

/// The snapshots that are older than all that are kept, if that are as many as asked for. `all` and `kept` newest first.
pub(crate) fn superfluous(all: &[TxId], kept: &[TxId], keep: usize) -> Vec<TxId> {
    match floor(kept) {
        Some(floor) if kept.len() >= keep => all.iter().copied().filter(|tx| *tx < floor).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u64]) -> Vec<TxId> {
        numbers.iter().copied().map(TxId).collect()
    }

    #[test]
    fn two_good_snapshots_without_a_common_byte_are_never_given_up() {
        let even = |number: u64| number.is_multiple_of(2);
        // Those with an even number share bytes, and those with an odd one.
        let rows: [(&[u64], usize, Option<usize>); 11] = [
            (&[], 2, None),
            (&[9], 2, None),
            (&[9, 4], 2, Some(2)),
            (&[9, 4, 1], 2, Some(2)),
            (&[9, 4, 1], 3, Some(3)),
            (&[9, 4], 3, Some(2)),
            (&[9, 4], 0, Some(2)),
            (&[9, 5], 2, None),
            (&[9, 5, 3], 3, None),
            (&[9, 5, 4, 3], 2, Some(3)),
            (&[9, 8, 7, 6], 3, Some(3)),
        ];
        for (good, keep, expected) in rows {
            let shares = |a: usize, b: usize| even(good[a]) == even(good[b]);
            assert_eq!(kept(&ids(good), keep, shares), expected, "{good:?}, {keep}");
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
            (&[9, 5, 3], &[], 2, &[]),
            (&[9, 5, 3], &[9, 5], 3, &[]),
        ];
        for (all, kept, keep, expected) in rows {
            assert_eq!(superfluous(&ids(all), &ids(kept), keep), ids(expected));
        }
    }
}
