//! A hash index made of entries that come in the order of their hashes: each bucket is filled as a whole, and nothing is ever split.

use crate::hash_bucket::Bucket;
use crate::hash_growth::bucket_count_for;
use crate::hash_index::HashIndex;
use crate::hash_lines;
use crate::key_hash::KeyHash;
use crate::page_error::PageError;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::table_id::TableId;

impl HashIndex {
    /// An index of these entries, no two of them equal. Fast where they come in the order of their hashes.
    ///
    /// # Errors
    /// When no page number is vacant.
    pub fn bulk_build(
        pages: &mut Pages,
        owner: TableId,
        entries: &[(KeyHash, RowId)],
    ) -> Result<HashIndex, PageError> {
        let mut index = HashIndex::new();
        if entries.is_empty() {
            return Ok(index);
        }
        let bucket_count = bucket_count_for(entries.len() as u64);
        for _ in 0..bucket_count {
            index.add_bucket(pages, owner)?;
        }
        for place in 0..bucket_count {
            let number = index.page_at(pages, place)?;
            let bucket = Bucket::at_place(place, bucket_count);
            pages.get_mut(number)?.set_bucket(bucket.number());
        }
        let bucket_of = |hash: KeyHash| Bucket::of(hash.bucket_bits, bucket_count);
        for of_one in entries.chunk_by(|a, b| bucket_of(a.0) == bucket_of(b.0)) {
            let number = index.page_at(pages, bucket_of(of_one[0].0).place())?;
            index.fill(pages, owner, number, of_one.iter().copied())?;
        }
        Ok(index)
    }

    /// Puts entries into the bucket that they belong to, which stands in the page `number`; those that find no room go to the tree.
    pub(crate) fn fill(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        number: PageNumber,
        entries: impl Iterator<Item = (KeyHash, RowId)>,
    ) -> Result<(), PageError> {
        let mut left_over = Vec::new();
        let mut bucket = hash_lines::open_mut(pages, number)?;
        for (hash, row) in entries {
            if hash_lines::put(&mut bucket, hash, row) {
                self.line_entry_count += 1;
            } else {
                hash_lines::set_spilled(&mut bucket, hash.home, true);
                left_over.push((hash, row));
            }
        }
        for (hash, row) in left_over {
            self.spill(pages, owner, hash, row)?;
        }
        Ok(())
    }
}
