//! Where the buckets of a hash index are: the directory pages.
//!
//! ```text
//!   1 bucket           up to 8176 buckets            more
//!   root: bucket       root: directory               root: directory of level 1
//!                       |      |      |               |           |
//!                      bucket bucket bucket          directory   directory
//!                                                     |    |      |    |
//!                                                    buckets ...
//! ```

use crate::damaged::{DamageKind, Damaged};
use crate::hash_format::{LINK_COUNT, link_at, quick_link_at, set_link_at};
use crate::hash_index::HashIndex;
use crate::page::PageBuf;
use crate::page_error::PageError;
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::table_id::TableId;

impl HashIndex {
    /// The page of the bucket at a place of the directory, or of the directory itself where `level` is above 0.
    #[inline(always)]
    pub(crate) fn page_at(&self, pages: &Pages, place: u32) -> Result<PageNumber, Damaged> {
        let root = self.root.ok_or(EMPTY)?;
        match self.levels() {
            0 => Ok(root),
            1 => linked(pages, root, 0, place as usize),
            _ => {
                let (high, low) = split(place);
                linked(pages, linked(pages, root, 1, high)?, 0, low)
            }
        }
    }

    /// The levels of directories above the buckets.
    #[inline]
    pub(crate) fn levels(&self) -> u8 {
        u8::from(self.bucket_count > 1) + u8::from(self.bucket_count as usize > LINK_COUNT)
    }

    /// The pages of the directory.
    pub(crate) fn directory_count(&self) -> u64 {
        match self.levels() {
            0 => 0,
            1 => 1,
            _ => 1 + u64::from(self.bucket_count).div_ceil(LINK_COUNT as u64),
        }
    }

    /// Adds a page at the end, as that of one more bucket.
    pub(crate) fn push_page(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        page: PageNumber,
    ) -> Result<(), PageError> {
        let (place, before) = (self.bucket_count, self.levels());
        self.bucket_count += 1;
        let Some(root) = self.root else {
            self.root = Some(page);
            return Ok(());
        };
        if self.levels() > before {
            self.root = Some(directory(pages, owner, before, root)?);
        }
        let (high, low) = split(place);
        let root = self.root.ok_or(EMPTY)?;
        if self.levels() == 1 {
            set_link_at(open_mut(pages, root, 0)?, low, Some(page));
        } else if low == 0 {
            let below = directory(pages, owner, 0, page)?;
            set_link_at(open_mut(pages, root, 1)?, high, Some(below));
        } else {
            let below = link_at(open(pages, root, 1)?, root, high)?;
            set_link_at(open_mut(pages, below, 0)?, low, Some(page));
        }
        Ok(())
    }

    /// Takes the last bucket out of the directory; its page is not freed.
    pub(crate) fn pop_page(&mut self, pages: &mut Pages) -> Result<(), Damaged> {
        let root = self.root.ok_or(EMPTY)?;
        let (place, before) = (self.bucket_count - 1, self.levels());
        let (high, low) = split(place);
        if before == 2 {
            let below = link_at(open(pages, root, 1)?, root, high)?;
            set_link_at(open_mut(pages, below, 0)?, low, None);
            if low == 0 {
                set_link_at(open_mut(pages, root, 1)?, high, None);
                pages.free(below)?;
            }
        } else if before == 1 {
            set_link_at(open_mut(pages, root, 0)?, low, None);
        }
        self.bucket_count = place;
        if place == 0 {
            self.root = None;
        } else if self.levels() < before {
            self.root = Some(link_at(open(pages, root, before - 1)?, root, 0)?);
            pages.free(root)?;
        }
        Ok(())
    }

    /// The numbers of all directory pages: the root last.
    pub(crate) fn directory_pages(&self, pages: &Pages) -> Result<Vec<PageNumber>, Damaged> {
        let mut found = Vec::new();
        let Some(root) = self.root.filter(|_| self.levels() > 0) else {
            return Ok(found);
        };
        if self.levels() == 2 {
            let page = open(pages, root, 1)?;
            for high in 0..(self.bucket_count as usize).div_ceil(LINK_COUNT) {
                found.push(link_at(page, root, high)?);
            }
        }
        found.push(root);
        Ok(found)
    }
}

const EMPTY: Damaged =
    DamageKind::Structure("a hash index without buckets is asked for one").at(PageNumber::MIN);

/// The links that lead to the bucket at a place: in a directory of level 1, and in one of level 0.
#[inline]
fn split(place: u32) -> (usize, usize) {
    let place = place as usize;
    (place / LINK_COUNT, place % LINK_COUNT)
}

/// The page that the directory `number` names at `index`.
#[inline(always)]
fn linked(
    pages: &Pages,
    number: PageNumber,
    level: u8,
    index: usize,
) -> Result<PageNumber, Damaged> {
    if let Ok(page) = pages.get(number)
        && page.is_of_level(PageKind::HashDirectory, level)
        && let Some(found) = quick_link_at(page, index)
    {
        return Ok(found);
    }
    linked_closely(pages, number, level, index)
}

/// [`linked`] where it is not plain.
#[cold]
#[inline(never)]
fn linked_closely(
    pages: &Pages,
    number: PageNumber,
    level: u8,
    index: usize,
) -> Result<PageNumber, Damaged> {
    link_at(open(pages, number, level)?, number, index)
}

/// The directory in the page `number`.
pub(crate) fn open(pages: &Pages, number: PageNumber, level: u8) -> Result<&PageBuf, Damaged> {
    let page = pages.get(number)?;
    page.expect_kind(PageKind::HashDirectory)
        .map_err(|kind| kind.at(number))?;
    if page.level() == level {
        return Ok(page);
    }
    Err(DamageKind::Structure("a directory of a hash index stands at another level").at(number))
}

fn open_mut(pages: &mut Pages, number: PageNumber, level: u8) -> Result<&mut PageBuf, Damaged> {
    open(pages, number, level)?;
    pages.get_mut(number)
}

/// A new directory with one link.
fn directory(
    pages: &mut Pages,
    owner: TableId,
    level: u8,
    first: PageNumber,
) -> Result<PageNumber, PageError> {
    let number = pages.allocate(PageKind::HashDirectory, owner)?;
    let page = pages.get_mut(number)?;
    page.set_level(level);
    set_link_at(page, 0, Some(first));
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash_bucket::Bucket;

    const OWNER: TableId = TableId(7);

    /// That every bucket is found in the page of its number; all places, or those around the end of a directory.
    fn check(index: &HashIndex, pages: &Pages) {
        let count = index.bucket_count;
        let all: Vec<u32> = (0..count.min(9))
            .chain(
                (count.max(9) - 9..count)
                    .chain(8_170..8_190)
                    .filter(|place| *place < count),
            )
            .collect();
        for place in all {
            let number = index.page_at(pages, place).unwrap();
            let bucket = pages.get(number).unwrap().bucket();
            // The number of a bucket that was never split since: what is left without low zero bits is its own.
            assert_eq!(
                Bucket::at_place(place, 1).number(),
                bucket >> bucket.trailing_zeros()
            );
        }
        let directories = index.directory_pages(pages).unwrap();
        assert_eq!(directories.len() as u64, index.directory_count());
        assert_eq!(index.page_count(pages).unwrap(), pages.page_count());
    }

    #[test]
    fn the_directory_grows_to_two_levels_and_back() {
        let (mut pages, mut index) = (Pages::new(), HashIndex::new());
        while index.bucket_count < 2 * 8_176 + 3 {
            index.add_bucket(&mut pages, OWNER).unwrap();
            if index.bucket_count < 20 || (8_170..8_182).contains(&index.bucket_count) {
                check(&index, &pages);
            }
        }
        check(&index, &pages);
        assert_eq!((index.levels(), index.directory_count()), (2, 4));
        while index.bucket_count > 0 {
            let last = index.page_at(&pages, index.bucket_count - 1).unwrap();
            index.pop_page(&mut pages).unwrap();
            pages.free(last).unwrap();
            if index.bucket_count < 20 || (8_170..8_182).contains(&index.bucket_count) {
                check(&index, &pages);
            }
        }
        assert_eq!(pages.page_count(), 0);
        assert!(index.page_at(&pages, 0).is_err());
    }
}
