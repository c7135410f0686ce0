//! Buckets of a hash index that were stored line by line, before tags stood apart from entries.
//!
//! ```text
//!   kind 5:   header | tags, entries of line 0 | tags, entries of line 1 | ...
//!   kind 8:   header | tags of line 0, of line 1, ... | entries of line 0, of line 1, ...
//! ```
//!
//! Nothing else differs, so an index is put in order bucket by bucket, and no row is read.

use crate::damaged::Damaged;
use crate::hash_format::{LINE_COUNT, SLOT_COUNT};
use crate::hash_index::HashIndex;
use crate::page::{PAGE_BYTES, PageBuf};
use crate::page_format::{PAGE_HEADER_BYTES, PageKind};
use crate::pages::Pages;

type Words = [u64; PAGE_BYTES / 8];

const HEADER: usize = PAGE_HEADER_BYTES / 8;
const ENTRIES: usize = HEADER + LINE_COUNT;

/// Puts all buckets of an index in order.
///
/// # Errors
/// When a page is damaged or no such bucket; a page that is met again is none any more.
pub(crate) fn put_in_order(index: &HashIndex, pages: &mut Pages) -> Result<(), Damaged> {
    let kinds = (PageKind::InterleavedBucket, PageKind::HashBucket);
    rearrange(index, pages, kinds, |interleaved, apart| {
        (interleaved, apart)
    })
}

/// Makes buckets of one kind ones of another. `places` says from where each word goes where, of its places in kind 5 and in kind 8.
fn rearrange(
    index: &HashIndex,
    pages: &mut Pages,
    (from_kind, to_kind): (PageKind, PageKind),
    places: impl Fn(usize, usize) -> (usize, usize),
) -> Result<(), Damaged> {
    for place in 0..index.bucket_count {
        let number = index.page_at(pages, place)?;
        let old = pages.page(number)?;
        old.expect_kind(from_kind).map_err(|kind| kind.at(number))?;
        let new = pages.renew(number, to_kind, old.owner())?;
        new.set_bucket(old.bucket());
        let (old, new): (&Words, &mut Words) = (words(&old), bytemuck::cast_mut(new));
        for (interleaved, apart) in word_places() {
            let (from, to) = places(interleaved, apart);
            new[to] = old[from];
        }
    }
    Ok(())
}

fn words(page: &PageBuf) -> &Words {
    bytemuck::cast_ref(page)
}

/// Where each word of the lines stands in a bucket of kind 5, and where in one of kind 8.
fn word_places() -> impl Iterator<Item = (usize, usize)> {
    (0..LINE_COUNT).flat_map(|line| {
        let (start, entries) = (
            HEADER + (1 + SLOT_COUNT) * line,
            ENTRIES + SLOT_COUNT * line,
        );
        let tags = (start, HEADER + line);
        let entries = (0..SLOT_COUNT).map(move |slot| (start + 1 + slot, entries + slot));
        std::iter::once(tags).chain(entries)
    })
}

/// Puts the buckets of an index as they were stored before.
#[cfg(test)]
pub(crate) fn interleave(index: &HashIndex, pages: &mut Pages) {
    let kinds = (PageKind::HashBucket, PageKind::InterleavedBucket);
    let done = rearrange(index, pages, kinds, |interleaved, apart| {
        (apart, interleaved)
    });
    done.unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damaged::DamageKind;
    use crate::key_hash::KeyHash;
    use crate::page_number::PageNumber;
    use crate::row_id::RowId;
    use crate::table_id::TableId;

    fn index() -> (HashIndex, Pages) {
        let (mut index, mut pages) = (HashIndex::new(), Pages::new());
        for number in 0..20_000_u32 {
            let hash = KeyHash::new(&[1; 32], &(number / 2).to_le_bytes());
            let row = RowId::new(PageNumber::new(number).unwrap(), 0);
            index.insert(&mut pages, TableId(7), hash, row).unwrap();
        }
        (index, pages)
    }

    #[test]
    fn an_index_that_was_stored_line_by_line_is_the_same_one_in_order() {
        let (index, mut pages) = index();
        let numbers = 0..index.bucket_count;
        let numbers: Vec<PageNumber> = numbers
            .map(|place| index.page_at(&pages, place).unwrap())
            .collect();
        let all = |pages: &Pages| -> Vec<Vec<u8>> {
            let bytes = |at: &PageNumber| pages.get(*at).unwrap().as_bytes().to_vec();
            numbers.iter().map(bytes).collect()
        };
        let before = all(&pages);
        interleave(&index, &mut pages);
        // The first line, written out.
        let interleaved = &all(&pages)[0];
        assert_eq!(interleaved[64..72], before[0][64..72]);
        assert_eq!(interleaved[72..128], before[0][4152..4208]);
        assert_eq!(interleaved[128..136], before[0][72..80]);
        assert!(index.check(&pages).is_err());
        put_in_order(&index, &mut pages).unwrap();
        index.check(&pages).unwrap();
        assert!(all(&pages) == before);
    }

    #[test]
    fn what_is_no_such_bucket_is_refused() {
        let (index, mut pages) = index();
        let first = index.page_at(&pages, 0).unwrap();
        let (expected, found) = (5, 8);
        let wrong = DamageKind::Kind { expected, found }.at(first);
        assert_eq!(put_in_order(&index, &mut pages), Err(wrong));
    }
}
