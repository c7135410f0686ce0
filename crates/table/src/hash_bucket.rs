//! Which bucket a key of a hash index is in: the number of a bucket, and what follows from it.
//!
//! ```text
//!   buckets of an index of five:   5 (01)   6 (10)   7 (11)   8 (000)   9 (001)
//!   in parentheses: what the bucket bits of its keys begin with; 4 (00) was split into 8 and 9
//! ```

use std::ops::Range;

use crate::hash_format::BUCKET_BITS;

/// The number of a bucket, drawn in `hash_format.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket(
    /// Invariant: at least 1, at most 2^27.
    u32,
);

impl Bucket {
    /// The bucket that keys of these bits are in, among `count` ones.
    #[inline(always)]
    pub(crate) fn of(bucket_bits: u32, count: u32) -> Bucket {
        let depth = count.ilog2();
        let half = 2 << depth | bucket_bits >> (BUCKET_BITS - 1 - depth);
        // No branch: which of both it is, nothing lets a processor foresee.
        Bucket(half >> u32::from(half / 2 >= count))
    }

    /// The bucket that is split next, and the one that the last pair becomes when `count` are left.
    pub(crate) fn next_to_split(count: u32) -> Bucket {
        Bucket(count)
    }

    /// The bucket of a place in the directory, among `count` ones.
    pub(crate) fn at_place(place: u32, count: u32) -> Bucket {
        let mut number = 2 * place + 1;
        while number < count {
            number *= 2;
        }
        Bucket(number)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// Where it stands in the directory.
    #[inline]
    pub(crate) fn place(self) -> u32 {
        self.0 >> self.0.trailing_zeros() >> 1
    }

    /// The bucket bits of its keys.
    pub(crate) fn bucket_bits(self) -> Range<u32> {
        let depth = self.0.ilog2();
        let shift = BUCKET_BITS - depth;
        let first = (self.0 - (1 << depth)) << shift;
        first..first + (1 << shift)
    }

    /// The two buckets that it is split into.
    pub(crate) fn halves(self) -> [Bucket; 2] {
        [Bucket(2 * self.0), Bucket(2 * self.0 + 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_buckets_covers_all_bits_once_and_all_places() {
        for count in 1..600 {
            let mut buckets: Vec<Bucket> = (0..count)
                .map(|place| Bucket::at_place(place, count))
                .collect();
            for (place, bucket) in (0..).zip(&buckets) {
                assert_eq!(bucket.place(), place);
                assert!((count..2 * count).contains(&bucket.number()));
            }
            buckets.sort_by_key(|bucket| bucket.bucket_bits().start);
            let mut end = 0;
            for bucket in buckets {
                let bits = bucket.bucket_bits();
                assert_eq!(bits.start, end);
                for bits in [bits.start, bits.end - 1] {
                    assert_eq!(Bucket::of(bits, count), bucket);
                }
                end = bits.end;
            }
            assert_eq!(end, 1 << BUCKET_BITS);
        }
    }

    #[test]
    fn a_split_divides_one_bucket_and_leaves_the_others_where_they_are() {
        for count in 1..600 {
            let split = Bucket::next_to_split(count);
            let [low, high] = split.halves();
            assert_eq!((low.place(), high.place()), (split.place(), count));
            assert_eq!(low.bucket_bits().start, split.bucket_bits().start);
            assert_eq!(low.bucket_bits().end, high.bucket_bits().start);
            assert_eq!(high.bucket_bits().end, split.bucket_bits().end);
            for place in (0..count).filter(|place| *place != split.place()) {
                assert_eq!(
                    Bucket::at_place(place, count + 1),
                    Bucket::at_place(place, count)
                );
            }
        }
    }
}
