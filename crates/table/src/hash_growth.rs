//! How a hash index grows and shrinks: a bucket at a time, by its number of entries alone.
//!
//! ```text
//!   entries a bucket, on the whole     1920 - 1000 / n              2080 + 1000 / n          3577
//!                                      |-- merge the last pair      |-- split the next one   | all slots
//! ```
//!
//! - The curve in the hash (`hash_format.rs`) keeps the bucket that is split next at 1.42 to 1.5 times of what is in a
//!   bucket on the whole, so at most at 87 % of its slots, however many buckets there are; after the split its halves
//!   are the emptiest ones. So the whole is never below 1920 of 3577, or 17.1 bytes an entry, and never much above
//!   2080, 15.8 bytes. Without the curve (plain linear hashing) the buckets that wait for their split would be twice
//!   as full as the others, and either they would overflow or all would be less than half full.
//! - Few buckets are less uneven, for a part of the curve bends less than the whole: the summand of 1000 lets them
//!   hold more, so that the first bucket is split at 3080 entries.
//! - At 87 % an entry in 100,000 finds its 16 lines full. What does stands in a tree, and so do entries of a key with more
//!   than 112 rows; the tree does not count towards splits, or one key with many rows would split without end.
//! - A split moves entries by bits that stand in them. So does a merge. Neither reads a row.

use crate::damaged::{DamageKind, Damaged};
use crate::hash_bucket::Bucket;
use crate::hash_format::{BUCKET_COUNT_MAX, ENTRY_COUNT_MAX, lines};
use crate::hash_index::HashIndex;
use crate::hash_lines;
use crate::page::PageBuf;
use crate::page_error::PageError;
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::table_id::TableId;

const SPLIT_ENTRIES: u64 = 2_080;
const MERGE_ENTRIES: u64 = 1_920;
const FEW_BUCKETS_ENTRIES: u64 = 1_000;

const _: () = {
    let slots = ENTRY_COUNT_MAX;
    // The fullest bucket, half as full again as the whole, has room.
    assert!(SPLIT_ENTRIES * 3 / 2 * 10 < slots * 9);
    // A whole page for an entry, the directory included, is at most 18 bytes.
    assert!((crate::page::PAGE_BYTES as u64 + 5) < MERGE_ENTRIES * 18);
    // What was merged is not split again at once.
    assert!(MERGE_ENTRIES * 2 - FEW_BUCKETS_ENTRIES < SPLIT_ENTRIES + FEW_BUCKETS_ENTRIES);
};

/// How many buckets so many entries need, of which there is one at least.
pub(crate) fn bucket_count_for(entry_count: u64) -> u32 {
    let count = entry_count
        .saturating_sub(FEW_BUCKETS_ENTRIES)
        .div_ceil(SPLIT_ENTRIES);
    u32::try_from(count).map_or(BUCKET_COUNT_MAX, |count| count.clamp(1, BUCKET_COUNT_MAX))
}

impl HashIndex {
    /// Adds an empty bucket: the second half of one that was split, or the only one.
    pub(crate) fn add_bucket(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
    ) -> Result<PageNumber, PageError> {
        let number = pages.allocate(PageKind::HashBucket, owner)?;
        self.push_page(pages, owner, number)?;
        let last = 2 * self.bucket_count - 1;
        pages.get_mut(number)?.set_bucket(last);
        Ok(number)
    }

    /// Splits the next bucket, if there are more entries than the buckets should hold.
    #[inline]
    pub(crate) fn grow_if_full(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
    ) -> Result<(), PageError> {
        let limit = u64::from(self.bucket_count) * SPLIT_ENTRIES + FEW_BUCKETS_ENTRIES;
        if self.line_entry_count <= limit || self.bucket_count == BUCKET_COUNT_MAX {
            return Ok(());
        }
        self.split(pages, owner)
    }

    /// Merges the last two buckets, if there are fewer entries than the buckets should hold; an index without entries
    /// gives up its pages.
    #[inline]
    pub(crate) fn shrink_if_empty(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
    ) -> Result<(), PageError> {
        if self.line_entry_count == 0 && self.spilled.is_empty() {
            return Ok(self.clear(pages)?);
        }
        let limit = u64::from(self.bucket_count) * MERGE_ENTRIES;
        if self.bucket_count < 2 || self.line_entry_count + FEW_BUCKETS_ENTRIES >= limit {
            return Ok(());
        }
        self.merge(pages, owner)
    }

    #[cold]
    fn split(&mut self, pages: &mut Pages, owner: TableId) -> Result<(), PageError> {
        let bucket = Bucket::next_to_split(self.bucket_count);
        let number = self.page_at(pages, bucket.place())?;
        let old = [self.take(pages, number, bucket)?];
        let [low, high] = bucket.halves();
        pages
            .renew(number, PageKind::HashBucket, owner)?
            .set_bucket(low.number());
        let added = self.add_bucket(pages, owner)?;
        self.put_again(pages, owner, &old, low, number)?;
        self.put_again(pages, owner, &old, high, added)
    }

    #[cold]
    fn merge(&mut self, pages: &mut Pages, owner: TableId) -> Result<(), PageError> {
        let bucket = Bucket::next_to_split(self.bucket_count - 1);
        let [low, high] = bucket.halves();
        let number = self.page_at(pages, low.place())?;
        let last = self.page_at(pages, high.place())?;
        let old = [
            self.take(pages, number, low)?,
            self.take(pages, last, high)?,
        ];
        pages.free(last)?;
        self.pop_page(pages)?;
        pages
            .renew(number, PageKind::HashBucket, owner)?
            .set_bucket(bucket.number());
        self.put_again(pages, owner, &old, bucket, number)
    }

    /// The bucket as it was, whose entries count no more.
    fn take(
        &mut self,
        pages: &Pages,
        number: PageNumber,
        bucket: Bucket,
    ) -> Result<Box<PageBuf>, Damaged> {
        let lines = hash_lines::open(pages, number)?;
        let bits = bucket.bucket_bits();
        let mut count = 0;
        for (hash, _) in hash_lines::entries(lines) {
            if !bits.contains(&hash.bucket_bits) {
                return Err(
                    DamageKind::Structure("an entry of a hash index is in another bucket")
                        .at(number),
                );
            }
            count += 1;
        }
        self.line_entry_count = self.line_entry_count.checked_sub(count).ok_or_else(|| {
            DamageKind::Structure("a hash index has more entries than it counts").at(number)
        })?;
        pages.page(number)
    }

    /// Puts those entries of `old` buckets into the page `number` that belong to `bucket`, which it is now.
    fn put_again(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        old: &[Box<PageBuf>],
        bucket: Bucket,
        number: PageNumber,
    ) -> Result<(), PageError> {
        let bits = bucket.bucket_bits();
        let entries = old.iter().flat_map(|page| hash_lines::entries(lines(page)));
        let entries = entries.filter(|(hash, _)| bits.contains(&hash.bucket_bits));
        self.fill(pages, owner, number, entries)?;
        // What stood in the tree before stays there; the home lines must go on to say so.
        for home in old
            .iter()
            .flat_map(|page| hash_lines::spilled_homes(lines(page)))
        {
            if self.has_spilled(pages, home, bucket)? {
                let mut bucket = hash_lines::open_mut(pages, number)?;
                hash_lines::set_spilled(&mut bucket, home, true);
            }
        }
        Ok(())
    }
}
