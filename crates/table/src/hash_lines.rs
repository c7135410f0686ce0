//! Entries of one bucket: looked for in its lines, put there, taken away.
//!
//! ```text
//!   home line:  7 entries, 2 passed ── a step ──> 7 entries, 1 passed ── a step ──> room
//! ```
//!
//! An entry stands in the first line with room, from its home on; every line that it passed counts it. A search ends at
//! a line that nothing passed, so a miss reads the tags of one line mostly, and what is removed leaves no trace.

use crate::damaged::{DamageKind, Damaged};
use crate::hash_format::{
    DISPLACEMENT_MAX, Line, Lines, encode_entry, entry_head, entry_mut, first_slot, home_of,
    line_at, lines, tags_mut,
};
use crate::key_hash::KeyHash;
use crate::page_format::PageKind;
use crate::page_mut::PageMut;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;

/// The lines of the bucket in the page `number`, to be looked into. Its header is not: it stands in another piece of memory
/// than the line that is wanted, and a look-up would wait for both. In a page of another kind whatever is taken for an entry
/// is refuted by its row.
#[inline(always)]
pub(crate) fn peek(pages: &Pages, number: PageNumber) -> Result<&Lines, Damaged> {
    Ok(lines(pages.get(number)?))
}

/// The lines of the bucket in the page `number`, whose header is sound.
pub(crate) fn open(pages: &Pages, number: PageNumber) -> Result<&Lines, Damaged> {
    let page = pages.get(number)?;
    page.expect_kind(PageKind::HashBucket)
        .map_err(|kind| kind.at(number))?;
    Ok(lines(page))
}

/// The bucket in the page `number`, whose lines are to be written one by one.
#[inline]
pub(crate) fn open_mut(pages: &mut Pages, number: PageNumber) -> Result<PageMut<'_>, Damaged> {
    let page = pages.write(number)?;
    page.expect_kind(PageKind::HashBucket)
        .map_err(|kind| kind.at(number))?;
    Ok(page)
}

/// Says of a line, by its number, whether entries of it stand in the tree.
pub(crate) fn set_spilled(bucket: &mut PageMut<'_>, home: u16, spilled: bool) {
    tags_mut(bucket, usize::from(home)).set_spilled(spilled);
}

/// All entries, with what their places say of their hashes.
pub(crate) fn entries(lines: &Lines) -> impl Iterator<Item = (KeyHash, RowId)> {
    lines.iter().enumerate().flat_map(|(number, line)| {
        let mut slots = line.tags.slots_in_use();
        std::iter::from_fn(move || {
            let slot = (slots != 0).then(|| first_slot(slots))?;
            slots &= slots - 1;
            let (bucket_bits, displacement, row) = line.entry(slot);
            let home = home_of(number, bucket_bits, displacement);
            Some((KeyHash { bucket_bits, home }, row))
        })
    })
}

/// The home lines that say that entries of theirs stand in the tree.
pub(crate) fn spilled_homes(lines: &Lines) -> impl Iterator<Item = u16> {
    (0..)
        .zip(lines.iter())
        .filter(|(_, line)| line.tags.has_spilled())
        .map(|(home, _)| home)
}

/// Puts an entry into the first line with room; false, and nothing happens, if all that it may stand in are full.
#[inline]
pub(crate) fn put(bucket: &mut PageMut<'_>, hash: KeyHash, row: RowId) -> bool {
    let KeyHash { bucket_bits, home } = hash;
    lines(bucket).fetch(usize::from(home));
    for displacement in 0..=DISPLACEMENT_MAX {
        let line = line_at(home, bucket_bits, displacement);
        let tags = lines(bucket).line(line).tags;
        if let Some(slot) = tags.free_slot() {
            tags_mut(bucket, line).put(slot, bucket_bits);
            *entry_mut(bucket, line, slot) = encode_entry(bucket_bits, displacement, row);
            for passed in 0..displacement {
                tags_mut(bucket, line_at(home, bucket_bits, passed)).add_passed();
            }
            return true;
        }
        if !tags.may_be_passed() {
            return false;
        }
    }
    false
}

/// The rows whose entries have all bits of a hash, as far as they stand in lines.
#[derive(Clone, Debug)]
pub(crate) struct Matches<'a> {
    lines: &'a Lines,
    hash: KeyHash,
    displacement: usize,
    /// The line of this displacement.
    line: Line<'a>,
    /// What is left of its slots whose tags fit.
    slots: u64,
}

#[inline]
pub(crate) fn matches(lines: &Lines, hash: KeyHash) -> Matches<'_> {
    let line = home(lines, hash);
    Matches {
        lines,
        hash,
        displacement: 0,
        line,
        slots: line.tags.slots_like(hash.bucket_bits),
    }
}

impl Matches<'_> {
    /// The same but those that stand in the line it is at.
    pub(crate) fn behind_home(self) -> Self {
        Matches { slots: 0, ..self }
    }
}

impl Iterator for Matches<'_> {
    type Item = RowId;

    #[inline(always)]
    fn next(&mut self) -> Option<RowId> {
        let KeyHash { bucket_bits, home } = self.hash;
        loop {
            while self.slots != 0 {
                let slot = first_slot(self.slots);
                self.slots &= self.slots - 1;
                let head = entry_head(bucket_bits, self.displacement);
                if let Some(row) = self.line.row_with_head(slot, head) {
                    return Some(row);
                }
            }
            if self.line.tags.passed() == 0 || self.displacement == DISPLACEMENT_MAX {
                return None;
            }
            self.displacement += 1;
            self.line = self
                .lines
                .line(line_at(home, bucket_bits, self.displacement));
            self.slots = self.line.tags.slots_like(bucket_bits);
        }
    }
}

/// The first row of a line whose entry has all bits of a hash, if it is its home line.
#[inline(always)]
pub(crate) fn first_at_home(home: Line<'_>, hash: KeyHash) -> Option<RowId> {
    let mut slots = home.tags.slots_like(hash.bucket_bits);
    while slots != 0 {
        let slot = first_slot(slots);
        slots &= slots - 1;
        let row = home.row_with_head(slot, entry_head(hash.bucket_bits, 0));
        if row.is_some() {
            return row;
        }
    }
    None
}

/// The home line of a hash. Its entries are asked for with its tags, which are there sooner mostly.
#[inline]
pub(crate) fn home(lines: &Lines, hash: KeyHash) -> Line<'_> {
    lines.fetch(usize::from(hash.home));
    lines.line(usize::from(hash.home))
}

/// The displacement and slot of an entry, if it is in the lines.
#[inline]
pub(crate) fn find(lines: &Lines, hash: KeyHash, row: RowId) -> Option<(usize, usize)> {
    lines.fetch(usize::from(hash.home));
    for displacement in 0..=DISPLACEMENT_MAX {
        let line = lines.line(line_at(hash.home, hash.bucket_bits, displacement));
        let entry = encode_entry(hash.bucket_bits, displacement, row);
        let mut slots = line.tags.slots_like(hash.bucket_bits);
        while slots != 0 {
            let slot = first_slot(slots);
            if line.holds(slot, entry) {
                return Some((displacement, slot));
            }
            slots &= slots - 1;
        }
        if line.tags.passed() == 0 {
            return None;
        }
    }
    None
}

/// Gives the entry that [`find`] found another row.
pub(crate) fn set_row(
    bucket: &mut PageMut<'_>,
    hash: KeyHash,
    (displacement, slot): (usize, usize),
    row: RowId,
) {
    let line = line_at(hash.home, hash.bucket_bits, displacement);
    *entry_mut(bucket, line, slot) = encode_entry(hash.bucket_bits, displacement, row);
}

/// Takes away the entry that [`find`] found.
pub(crate) fn take(
    bucket: &mut PageMut<'_>,
    hash: KeyHash,
    (displacement, slot): (usize, usize),
) -> Result<(), DamageKind> {
    let line = |displacement| line_at(hash.home, hash.bucket_bits, displacement);
    tags_mut(bucket, line(displacement)).take(slot);
    *entry_mut(bucket, line(displacement), slot) = 0;
    let counted = |passed| tags_mut(bucket, line(passed)).remove_passed();
    if (0..displacement).all(counted) {
        return Ok(());
    }
    Err(DamageKind::Structure(
        "a line of a hash index counts wrongly what passed it",
    ))
}
