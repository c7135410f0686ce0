//! The pages of a hash index: buckets of lines, and the directory that finds them.
//!
//! ```text
//!   bucket (8)                                     directory (6)
//!   header; word at 32: number of the bucket       header; level 0 names buckets, level 1 directories
//!   byte   64: tags of 511 lines, 8 bytes each     byte 64: 8176 links of 4 bytes, unused ones zero
//!   byte 4152: 511 times 7 entries of 8 bytes
//!
//!   tags   0      1      2      3      4      5      6      7
//!       +------+------+------+------+------+------+------+------+
//!       | tag 0| tag 1| tag 2| tag 3| tag 4| tag 5| tag 6|passed|
//!       +------+------+------+------+------+------+------+------+
//!
//!   tag     bit 7: the slot is in use; bits 0 to 6: the low 7 bucket bits
//!   passed  bits 0 to 6: entries that passed this line, since it was full, to stand in a further one
//!           bit 7: entries whose home is this line stand in the tree of those without a place
//!   entry   63                     44 43           40 39                          0
//!          | the high 20 bucket bits | displacement  | row id                      |
//! ```
//!
//! The hash of a key gives 27 *bucket bits* and the number of its *home* line. With n buckets, their numbers are n to
//! 2n - 1: bucket b of k + 1 bits holds the keys whose bucket bits begin with the k low bits of b. The next bucket to
//! be split is always n, into 2n and 2n + 1, and the next pair to be merged the last one. Bucket b stands in the
//! directory at half of what is left of b without its low zero bits, rounded down: 2n takes the place of n, 2n + 1
//! a new one at the end.
//!
//! An entry stands in its home line or in one of 15 further ones; the displacement says in which. Each is one step on
//! from the one before, a step being the low 6 bucket bits plus one, and line 0 follows line 510. Where all 16 are full,
//! or one of them that 127 entries passed, the entry goes to a tree, an ordered index: the key is the home line (two bytes,
//! big-endian), then the bucket bits (four bytes, big-endian).
//!
//! The hash has 64 bits. `fold(a, b)` is the exclusive or of the halves of the product of `a` and `b`; the 32 bytes of
//! the store's hash key are four little-endian words `k0` to `k3`.
//!
//! ```text
//!   up to 16 bytes   a, b = the first and the last 8 bytes; below 8, the first and the last 4; below 4,
//!                    first + (middle << 8) + (last << 16) and 0, with the middle at half of the length; little-endian
//!                    fold(fold(a ^ k0 ^ 243F6A8885A308D3, b ^ k1 ^ 13198A2E03707344) ^ k2,
//!                         k3 ^ A4093822299F31D0 ^ length)
//!   more             SipHash-1-3 under k0 and k1
//!
//!   u (31 bits) = hash >> 33        bucket bits = u * (2^32 + u) / (3 * 2^31) >> 4
//!   w (32 bits) = hash mod 2^32     home line   = w * 511 >> 32
//! ```
//!
//! Tags stand apart from entries, so that those of an index of millions stay in the caches of a processor: a miss reads nothing else mostly. A
//! bucket of kind 5 has both in one place, line i at byte 64 + 64 i: its tags, then its entries. It is put in order when it is opened
//! (`hash_interleaved.rs`).
//!
//! The curve gives the buckets that are split first up to twice the keys of those that were split last, so whatever
//! the number of keys, the buckets are about equally full on the whole.

use crate::frames::fetch_all;
use crate::page::{PAGE_BYTES, PageBuf};
use crate::page_format::{PAGE_HEADER_BYTES, decode_link, encode_link};
use crate::page_mut::PageMut;
use crate::page_number::PageNumber;
use crate::row_id::RowId;
use crate::{DamageKind, Damaged};

/// The entries of a line.
pub(crate) const SLOT_COUNT: usize = 7;
/// What a line takes: its tags and its entries.
const LINE_BYTES: usize = 8 + 8 * SLOT_COUNT;
/// The lines of a bucket.
pub(crate) const LINE_COUNT: usize = (PAGE_BYTES - PAGE_HEADER_BYTES) / LINE_BYTES;
/// The entries of a bucket.
pub(crate) const ENTRY_COUNT_MAX: u64 = (LINE_COUNT * SLOT_COUNT) as u64;
/// The furthest that an entry stands from its home line.
pub(crate) const DISPLACEMENT_MAX: usize = (1 << DISPLACEMENT_BITS) - 1;
/// The bits of a hash that choose the bucket.
pub(crate) const BUCKET_BITS: u32 = ENTRY_HASH_BITS + TAG_BITS;
/// The links of a directory.
pub(crate) const LINK_COUNT: usize = (PAGE_BYTES - PAGE_HEADER_BYTES) / 4;
/// No index has more buckets: what two levels of directories name.
pub(crate) const BUCKET_COUNT_MAX: u32 = 8_176 * 8_176;

const TAG_BITS: u32 = 7;
const STEP_MASK: usize = (1 << 6) - 1;
const TAG_IN_USE: u8 = 1 << TAG_BITS;
const ROW_BITS: u32 = 40;
const DISPLACEMENT_BITS: u32 = 4;
const ENTRY_HASH_BITS: u32 = u64::BITS - ROW_BITS - DISPLACEMENT_BITS;
/// Where the byte `passed` begins in the tags of a line.
const PASSED: u32 = 8 * 7;
const PASSED_MAX: u64 = 0x7F;
const SPILLED: u64 = 1 << 63;

const LOW_BITS_OF_TAGS: u64 = 0x0001_0101_0101_0101;
const HIGH_BITS_OF_TAGS: u64 = LOW_BITS_OF_TAGS << TAG_BITS;

const _: () = assert!(size_of::<Lines>() == PAGE_BYTES);
const _: () = assert!(std::mem::offset_of!(Lines, entries) == 4152);
const _: () = assert!(LINE_COUNT == 511);
const _: () = assert!(BUCKET_BITS == 27);
const _: () = assert!(LINK_COUNT == 8_176);
const _: () = assert!(BUCKET_COUNT_MAX.ilog2() < BUCKET_BITS);
// No step leads back to the home line within the 16, nor twice around the bucket: 511 is 7 times 73.
const _: () = assert!(STEP_MASK < 73 && DISPLACEMENT_MAX < 73);
const _: () = assert!(DISPLACEMENT_MAX * (STEP_MASK + 1) < 2 * LINE_COUNT);

/// The lines of a bucket behind its header. A machine that is not little-endian is refused elsewhere.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Lines {
    header: [u64; PAGE_HEADER_BYTES / 8],
    tags: [Tags; LINE_COUNT],
    entries: [[u64; SLOT_COUNT]; LINE_COUNT],
}

/// The tags of a line, and what passed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub(crate) struct Tags(u64);

/// Up to seven entries, and their tags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) tags: Tags,
    entries: &'a [u64; SLOT_COUNT],
}

/// The lines of a page, whatever it holds.
#[inline]
pub(crate) fn lines(page: &PageBuf) -> &Lines {
    bytemuck::cast_ref(page)
}

/// The tags of a line, to be written.
#[inline]
pub(crate) fn tags_mut<'a>(page: &'a mut PageMut<'_>, line: usize) -> &'a mut Tags {
    let start = std::mem::offset_of!(Lines, tags) + 8 * line;
    bytemuck::from_bytes_mut(page.bytes_mut(start..start + 8))
}

/// An entry, to be written.
#[inline]
pub(crate) fn entry_mut<'a>(page: &'a mut PageMut<'_>, line: usize, slot: usize) -> &'a mut u64 {
    let start = std::mem::offset_of!(Lines, entries) + 8 * (SLOT_COUNT * line + slot);
    bytemuck::from_bytes_mut(page.bytes_mut(start..start + 8))
}

/// The line in which an entry of this displacement stands.
#[inline]
pub(crate) fn line_at(home: u16, bucket_bits: u32, displacement: usize) -> usize {
    (usize::from(home) + displacement * step(bucket_bits)) % LINE_COUNT
}

/// The home line of an entry that stands in `line`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "511 lines")]
pub(crate) fn home_of(line: usize, bucket_bits: u32, displacement: usize) -> u16 {
    let back = displacement * step(bucket_bits);
    ((line + 2 * LINE_COUNT - back) % LINE_COUNT) as u16
}

#[inline]
fn step(bucket_bits: u32) -> usize {
    1 + (bucket_bits as usize & STEP_MASK)
}

/// An entry as it stands in a line.
#[inline]
pub(crate) fn encode_entry(bucket_bits: u32, displacement: usize, row: RowId) -> u64 {
    entry_head(bucket_bits, displacement) << ROW_BITS | row.to_u64()
}

/// What an entry begins with: its hash bits and its displacement.
#[inline]
pub(crate) fn entry_head(bucket_bits: u32, displacement: usize) -> u64 {
    u64::from(bucket_bits >> TAG_BITS) << DISPLACEMENT_BITS | displacement as u64
}

impl Lines {
    /// A line by its number.
    #[inline(always)]
    pub(crate) fn line(&self, line: usize) -> Line<'_> {
        Line {
            tags: self.tags[line],
            entries: &self.entries[line],
        }
    }

    /// Asks the processor for the entries of a line, while its tags are waited for.
    #[inline(always)]
    pub(crate) fn fetch(&self, line: usize) {
        fetch_all(&self.entries[line]);
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        self.tags
            .iter()
            .zip(&self.entries)
            .map(|(&tags, entries)| Line { tags, entries })
    }
}

impl Line<'_> {
    /// The row of a slot, if its entry begins with `head`.
    #[inline]
    pub(crate) fn row_with_head(&self, slot: usize, head: u64) -> Option<RowId> {
        let entry = self.entries[slot];
        (entry >> ROW_BITS == head).then(|| RowId::from_u64(entry))
    }

    /// Whether a slot holds exactly this entry.
    #[inline]
    pub(crate) fn holds(&self, slot: usize, entry: u64) -> bool {
        self.entries[slot] == entry
    }

    /// The bucket bits, the displacement and the row of an entry.
    #[inline]
    pub(crate) fn entry(&self, slot: usize) -> (u32, usize, RowId) {
        let entry = self.entries[slot];
        let tag = self.tags.0.to_le_bytes()[slot] & !TAG_IN_USE;
        let (high, displacement) = (
            (entry >> (u64::BITS - ENTRY_HASH_BITS)) as u32,
            (entry >> ROW_BITS) as usize & DISPLACEMENT_MAX,
        );
        (
            high << TAG_BITS | u32::from(tag),
            displacement,
            RowId::from_u64(entry),
        )
    }

    /// Whether a tag and its entry are both there or both zero.
    pub(crate) fn slot_is_sound(&self, slot: usize) -> bool {
        let tag = self.tags.0.to_le_bytes()[slot];
        tag & TAG_IN_USE != 0 || (tag == 0 && self.entries[slot] == 0)
    }
}

impl Tags {
    /// The slots whose tags are those of `bucket_bits`: bit 7 of each byte.
    #[inline]
    pub(crate) fn slots_like(self, bucket_bits: u32) -> u64 {
        let difference = self.0 ^ (u64::from(tag_of(bucket_bits)) * LOW_BITS_OF_TAGS);
        // Bit 7 of each byte of the sum is set exactly where one of the low seven bits of the difference is.
        let low = (difference & !HIGH_BITS_OF_TAGS & !(0xFF << PASSED))
            + (HIGH_BITS_OF_TAGS - LOW_BITS_OF_TAGS);
        !(low | difference) & HIGH_BITS_OF_TAGS
    }

    /// The slots in use: bit 7 of each byte.
    #[inline]
    pub(crate) fn slots_in_use(self) -> u64 {
        self.0 & HIGH_BITS_OF_TAGS
    }

    /// The first slot that is free.
    #[inline]
    pub(crate) fn free_slot(self) -> Option<usize> {
        let free = !self.0 & HIGH_BITS_OF_TAGS;
        (free != 0).then(|| first_slot(free))
    }

    /// Says of a free slot that it holds an entry of these bits.
    #[inline]
    pub(crate) fn put(&mut self, slot: usize, bucket_bits: u32) {
        self.0 |= u64::from(tag_of(bucket_bits)) << (8 * slot);
    }

    /// Says of a slot that it is free.
    #[inline]
    pub(crate) fn take(&mut self, slot: usize) {
        self.0 &= !(0xFF << (8 * slot));
    }

    /// How many entries passed the line.
    #[inline]
    pub(crate) fn passed(self) -> u64 {
        self.0 >> PASSED & PASSED_MAX
    }

    /// Whether one more entry can be counted that passes.
    #[inline]
    pub(crate) fn may_be_passed(self) -> bool {
        self.passed() < PASSED_MAX
    }

    /// Counts one more entry that passes, if it may.
    #[inline]
    pub(crate) fn add_passed(&mut self) {
        self.0 += u64::from(self.may_be_passed()) << PASSED;
    }

    /// Counts one less; false, and nothing happens, if none was counted.
    #[inline]
    pub(crate) fn remove_passed(&mut self) -> bool {
        let some = self.passed() > 0;
        self.0 -= u64::from(some) << PASSED;
        some
    }

    /// Whether all entries whose home this is stand in it: none passed it, and none stand in the tree.
    #[inline]
    pub(crate) fn holds_all(self) -> bool {
        self.0 >> PASSED == 0
    }

    /// Whether entries whose home this is stand in the tree.
    #[inline]
    pub(crate) fn has_spilled(self) -> bool {
        self.0 & SPILLED != 0
    }

    pub(crate) fn set_spilled(&mut self, spilled: bool) {
        self.0 = self.0 & !SPILLED | u64::from(spilled) << 63;
    }
}

#[inline]
fn tag_of(bucket_bits: u32) -> u8 {
    let [low, _, _, _] = bucket_bits.to_le_bytes();
    low | TAG_IN_USE
}

/// The first slot of a set that has one.
#[inline]
pub(crate) fn first_slot(slots: u64) -> usize {
    slots.trailing_zeros() as usize / 8
}

/// The key under which an entry without a place in its lines stands in the tree.
pub(crate) fn spilled_key(home: u16, bucket_bits: u32) -> [u8; 6] {
    let [a, b] = home.to_be_bytes();
    let [c, d, e, f] = bucket_bits.to_be_bytes();
    [a, b, c, d, e, f]
}

/// The home line and bucket bits of such a key, if it can be one.
pub(crate) fn decode_spilled_key(key: &[u8]) -> Option<(u16, u32)> {
    let [a, b, c, d, e, f] = *key.first_chunk().filter(|_| key.len() == 6)?;
    let (home, bucket_bits) = (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]));
    (usize::from(home) < LINE_COUNT && bucket_bits < 1 << BUCKET_BITS)
        .then_some((home, bucket_bits))
}

/// The link at `index` of a directory, if there is a sound one.
#[inline(always)]
pub(crate) fn quick_link_at(page: &PageBuf, index: usize) -> Option<PageNumber> {
    let links: &[u32; PAGE_BYTES / 4] = bytemuck::cast_ref(page);
    decode_link(*links.get(PAGE_HEADER_BYTES / 4 + index)?).ok()?
}

/// The link at `index` of the directory `number`.
pub(crate) fn link_at(
    page: &PageBuf,
    number: PageNumber,
    index: usize,
) -> Result<PageNumber, Damaged> {
    let links: &[u32; PAGE_BYTES / 4] = bytemuck::cast_ref(page);
    match decode_link(links[PAGE_HEADER_BYTES / 4 + index]) {
        Ok(Some(page)) => Ok(page),
        Ok(None) => {
            Err(DamageKind::Structure("a directory of a hash index lacks a link").at(number))
        }
        Err(kind) => Err(kind.at(number)),
    }
}

/// Writes the link at `index` of a directory.
pub(crate) fn set_link_at(page: &mut PageBuf, index: usize, link: Option<PageNumber>) {
    let links: &mut [u32; PAGE_BYTES / 4] = bytemuck::cast_mut(page);
    links[PAGE_HEADER_BYTES / 4 + index] = encode_link(link);
}

/// Whether the links of a directory from `index` on are zero.
pub(crate) fn links_are_zero_from(page: &PageBuf, index: usize) -> bool {
    let links: &[u32; PAGE_BYTES / 4] = bytemuck::cast_ref(page);
    links[PAGE_HEADER_BYTES / 4 + index..]
        .iter()
        .all(|link| *link == 0)
}
