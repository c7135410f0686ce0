//! The complete check of a hash index: every rule of its lines and of its directory.

use crate::damaged::{DamageKind, Damaged};
use crate::hash_bucket::Bucket;
use crate::hash_directory;
use crate::hash_format::{
    LINE_COUNT, LINK_COUNT, Lines, SLOT_COUNT, decode_spilled_key, first_slot, home_of, line_at,
    links_are_zero_from,
};
use crate::hash_index::HashIndex;
use crate::hash_lines;
use crate::page_number::PageNumber;
use crate::pages::Pages;

impl HashIndex {
    /// Checks every bucket: that each entry is where its hash says and its tag agrees, what passed each line, which
    /// entries stand in the tree, that all else is zero; the directory; and the counts.
    ///
    /// # Errors
    /// The first page that breaks a rule.
    pub fn check(&self, pages: &Pages) -> Result<(), Damaged> {
        self.spilled.check(pages)?;
        let Some(root) = self.root else { return Ok(()) };
        let directories = self.directory_pages(pages)?;
        for (position, &number) in directories.iter().enumerate() {
            self.check_directory(pages, number, position, directories.len())?;
        }
        let mut entry_count = 0;
        let mut spilled_home_count: u64 = 0;
        for place in 0..self.bucket_count {
            let number = self.page_at(pages, place)?;
            let bucket = Bucket::at_place(place, self.bucket_count);
            let page = pages.get(number)?;
            let lines = hash_lines::open(pages, number)?;
            let broken = |rule| Err(DamageKind::Structure(rule).at(number));
            if page.bucket() != bucket.number() || page.level() != 0 || !page.header_says_little() {
                return broken("a bucket of a hash index has another header than it must");
            }
            entry_count += check_lines(lines, bucket).map_err(|kind| kind.at(number))?;
            for home in hash_lines::spilled_homes(lines) {
                spilled_home_count += 1;
                if !self.has_spilled(pages, home, bucket)? {
                    return broken("a line of a hash index misses entries in the tree");
                }
            }
        }
        if entry_count != self.line_entry_count {
            return Err(
                DamageKind::Structure("a hash index counts other entries than it has").at(root),
            );
        }
        self.check_spilled(pages, spilled_home_count)
    }

    /// Each home line that has entries in the tree says so.
    fn check_spilled(&self, pages: &Pages, home_count: u64) -> Result<(), Damaged> {
        let Some(root) = self.spilled.root else {
            return Ok(());
        };
        let mut found = 0;
        let mut before = None;
        for entry in self.spilled.range(
            pages,
            std::ops::Bound::Unbounded,
            std::ops::Bound::Unbounded,
        ) {
            let (key, _) = entry?;
            let Some((home, bucket_bits)) = decode_spilled_key(key) else {
                return Err(
                    DamageKind::Structure("a key in the tree of a hash index is none").at(root),
                );
            };
            // Entries of one line and bucket stand side by side.
            let line = (home, Bucket::of(bucket_bits, self.bucket_count));
            if before != Some(line) {
                found += 1;
                before = Some(line);
                let number = self.page_at(pages, line.1.place())?;
                let lines = hash_lines::open(pages, number)?;
                if !lines.line(usize::from(home)).tags.has_spilled() {
                    return Err(DamageKind::Structure(
                        "a line of a hash index hides entries in the tree",
                    )
                    .at(number));
                }
            }
        }
        if found == home_count {
            return Ok(());
        }
        Err(DamageKind::Structure(
            "a hash index marks other lines than those with entries in the tree",
        )
        .at(root))
    }

    fn check_directory(
        &self,
        pages: &Pages,
        number: PageNumber,
        position: usize,
        count: usize,
    ) -> Result<(), Damaged> {
        let is_high = self.levels() == 2 && position + 1 == count;
        let page = hash_directory::open(pages, number, u8::from(is_high))?;
        let links = if is_high {
            count - 1
        } else {
            (self.bucket_count as usize - position * LINK_COUNT).min(LINK_COUNT)
        };
        if links_are_zero_from(page, links) && page.bucket() == 0 && page.header_says_little() {
            return Ok(());
        }
        Err(
            DamageKind::Structure("a directory of a hash index holds bytes that belong to nothing")
                .at(number),
        )
    }
}

/// How many entries the lines of a bucket hold.
fn check_lines(lines: &Lines, bucket: Bucket) -> Result<u64, DamageKind> {
    let bits = bucket.bucket_bits();
    let mut passed = [0_u64; LINE_COUNT];
    let mut count = 0;
    for (number, line) in lines.iter().enumerate() {
        if !(0..SLOT_COUNT).all(|slot| line.slot_is_sound(slot)) {
            return Err(DamageKind::Structure(
                "a line of a hash index holds bytes that belong to nothing",
            ));
        }
        let mut slots = line.tags.slots_in_use();
        while slots != 0 {
            let slot = first_slot(slots);
            slots &= slots - 1;
            let (bucket_bits, displacement, _) = line.entry(slot);
            if !bits.contains(&bucket_bits) {
                return Err(DamageKind::Structure(
                    "an entry of a hash index is in another bucket",
                ));
            }
            let home = home_of(number, bucket_bits, displacement);
            for step in 0..displacement {
                passed[line_at(home, bucket_bits, step)] += 1;
            }
            count += 1;
        }
    }
    if lines
        .iter()
        .zip(passed)
        .any(|(line, passed)| line.tags.passed() != passed)
    {
        return Err(DamageKind::Structure(
            "a line of a hash index counts wrongly what passed it",
        ));
    }
    Ok(count)
}
