//! The heap of a row page without its holes.
//!
//! ```text
//!   page     ... | c | hole | b | a |      values as they come: a, b, c
//!   packed   ... 0 0 0 0 | c | b | a |      each in front of the one before
//! ```
//!
//! Values that come one in front of the other already, which most do, are copied together.

use std::ops::Range;

use crate::damaged::DamageKind;
use crate::page::PAGE_BYTES;

/// Values of one page, put together from the page's end downwards.
#[derive(Debug)]
pub(crate) struct PackedHeap<'a> {
    page: &'a [u8],
    /// Where the heap of the page begins.
    old_start: usize,
    /// What the page is to hold from there on.
    packed: Vec<u8>,
    /// Where the last value begins. Invariant: not in front of `old_start`.
    start: usize,
    /// The values that came last and stand together in the page. They are still to be copied, to where the last value begins.
    run: Range<usize>,
}

impl<'a> PackedHeap<'a> {
    /// No values yet, of a page whose heap begins at `old_start`.
    pub(crate) fn new(page: &'a [u8], old_start: usize) -> PackedHeap<'a> {
        PackedHeap {
            page,
            old_start,
            packed: vec![0; PAGE_BYTES - old_start],
            start: PAGE_BYTES,
            run: PAGE_BYTES..PAGE_BYTES,
        }
    }

    /// Puts the value that stands in a range of the page in front of the others, and says where it begins.
    ///
    /// # Errors
    /// When the values are more than the heap: some share bytes.
    #[inline]
    pub(crate) fn put(&mut self, value: Range<usize>) -> Result<usize, DamageKind> {
        let start = self.start.checked_sub(value.len());
        let start = start.filter(|start| *start >= self.old_start);
        let start = start.ok_or(DamageKind::Structure("a row page's heap does not add up"))?;
        if value.end != self.run.start {
            self.copy_run();
            self.run.end = value.end;
        }
        self.run.start = value.start;
        self.start = start;
        Ok(start)
    }

    /// Where the values begin, and the heap with zeros in front of them.
    pub(crate) fn finish(mut self) -> (usize, Vec<u8>) {
        self.copy_run();
        (self.start, self.packed)
    }

    fn copy_run(&mut self) {
        let target = &mut self.packed[self.start - self.old_start..][..self.run.len()];
        target.copy_from_slice(&self.page[self.run.clone()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_together_in_the_order_of_their_coming() {
        let page: Vec<u8> = (0..PAGE_BYTES)
            .map(|at| (at % 251).to_le_bytes()[0])
            .collect();
        let old_start = PAGE_BYTES - 100;
        let at = |from_end: Range<usize>| PAGE_BYTES - from_end.end..PAGE_BYTES - from_end.start;
        // As they stood, from the page's end; and how far in front of it each goes.
        let rows: [&[(Range<usize>, usize)]; 5] = [
            &[],
            &[(0..20, 20), (20..33, 33), (33..100, 100)],
            &[(0..20, 20), (40..60, 40), (60..75, 55), (80..100, 75)],
            &[(80..100, 20), (0..13, 33), (13..40, 60)],
            &[(20..40, 20), (0..20, 40), (40..60, 60)],
        ];
        for values in rows {
            let mut heap = PackedHeap::new(&page, old_start);
            let mut expected = vec![0; 100];
            for (value, to) in values {
                let value = at(value.clone());
                assert_eq!(heap.put(value.clone()), Ok(PAGE_BYTES - to));
                expected[100 - to..][..value.len()].copy_from_slice(&page[value]);
            }
            let start = PAGE_BYTES - values.last().map_or(0, |(_, to)| *to);
            assert_eq!(heap.finish(), (start, expected));
        }
    }

    #[test]
    fn values_that_share_bytes_are_damage_once_they_are_too_many() {
        let page = vec![1; PAGE_BYTES];
        let mut heap = PackedHeap::new(&page, PAGE_BYTES - 30);
        let value = PAGE_BYTES - 20..PAGE_BYTES;
        assert_eq!(heap.put(value.clone()), Ok(PAGE_BYTES - 20));
        assert!(heap.put(value).is_err());
    }
}
