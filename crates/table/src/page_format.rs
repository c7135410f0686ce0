//! The header of every page, and the layout of a long-value page.
//!
//! ```text
//!          0      1      2      3      4      5      6      7
//!      +------+------+------+------+------+------+------+------+
//!    0 | kind | vers | level| flags|      owner table id       |
//!      +------+------+------+------+------+------+------+------+
//!    8 |           next            |         previous          |
//!      +------+------+------+------+------+------+------+------+
//!   16 |       next with room      |     previous with room    |
//!      +------+------+------+------+------+------+------+------+
//!   24 |  capacity   |  live count |  heap start |  heap dead  |
//!      +------+------+------+------+------+------+------+------+
//!   32 |   word at 32 (by kind)    | half at 36  | half at 38  |
//!      +------+------+------+------+------+------+------+------+
//!   40 |                       zero                            |
//!      |                      24 bytes                         |
//!      +------+------+------+------+------+------+------+------+
//!   64 |  what the kind says                                   |
//! ```
//!
//! All numbers are little-endian. A link to another page is the page's number plus one; zero is no link.
//! What a kind does not use is zero.
//!
//! | field | row page (1) | index leaf (2) | index inner node (3) | long-value page (4) |
//! |---|---|---|---|---|
//! | level | - | 0 | levels above the leaves | - |
//! | flags | bit 0: in a list of pages with room; above it the list's number | - | - | - |
//! | next, previous | list of the table's row pages | - | - | next page of the value, in a chain |
//! | next, previous with room | that list of pages with room | - | - | - |
//! | capacity | slots | - | - | - |
//! | live count | rows | entries | entries | - |
//! | heap start | first byte of the heap | the same | the same | - |
//! | heap dead | zero bytes inside the heap | the same | the same | - |
//! | word at 32 | layout number | - | leftmost child (a link) | position in the value, from 0 |
//! | half at 36 | - | common prefix, bytes | common prefix, bytes | bytes of the value here |
//!
//! A bucket of a hash index (5) has its number in the word at 32, a directory of buckets (6) its level in the field of
//! that name; they use no other field.
//!
//! Pages of pieces of long values (7) are as row pages are, in lists of their own; layout number 0.
//!
//! A long-value page holds bytes of a value from byte 64 on. Those of a spill (spill_format.rs) are full, and have no next page. Older builds wrote
//! every long value to a chain of such pages, of which all but the last are full, and what the last does not use is zero.

use crate::damaged::DamageKind;
use crate::page::PAGE_BYTES;
use crate::page_number::PageNumber;
use crate::table_id::TableId;

/// The size of the header of every page, in bytes.
pub(crate) const PAGE_HEADER_BYTES: usize = 64;
/// The bytes of a value that one long-value page holds.
pub(crate) const LONG_VALUE_PAGE_BYTES: usize = PAGE_BYTES - PAGE_HEADER_BYTES;

/// The version of all kinds of pages that this build writes and reads.
const VERSION: u8 = 1;

const KIND: usize = 0;
const VERSION_AT: usize = 1;
const LEVEL: usize = 2;
const FLAGS: usize = 3;
const OWNER: usize = 4;
const NEXT: usize = OWNER + 4;
const PREVIOUS: usize = NEXT + 4;
const ROOM_NEXT: usize = PREVIOUS + 4;
const ROOM_PREVIOUS: usize = ROOM_NEXT + 4;
const CAPACITY: usize = ROOM_PREVIOUS + 4;
const LIVE_COUNT: usize = CAPACITY + 2;
const HEAP_START: usize = LIVE_COUNT + 2;
const HEAP_DEAD: usize = HEAP_START + 2;
const WORD: usize = HEAP_DEAD + 2;
const HALF: usize = WORD + 4;
const HALF_AFTER: usize = HALF + 2;
const ZERO: usize = HALF_AFTER + 2;

const _: () = assert!(ZERO == 40);
const _: () = assert!(PAGE_HEADER_BYTES - ZERO == 24);
// Every byte offset in a page, its end included, fits in 16 bits.
const _: () = assert!(PAGE_BYTES <= u16::MAX as usize);

const FLAG_IN_ROOM_LIST: u8 = 1;
/// The list of pages with room that a page stands in, above that flag.
const ROOM_LIST_SHIFT: u32 = 1;

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageKind {
    /// Rows of a table.
    Row = 1,
    /// The lowest nodes of an ordered index: keys and rows.
    IndexLeaf = 2,
    /// The nodes above: keys and pages.
    IndexInner = 3,
    /// As many bytes as fit of a value that is too large for a row page.
    LongValue = 4,
    /// Entries of a hash index, line by line, as they were stored before tags stood apart.
    InterleavedBucket = 5,
    /// Where the buckets of a hash index are.
    HashDirectory = 6,
    /// Pieces of values that are too large for row pages.
    Pieces = 7,
    /// Entries of a hash index.
    HashBucket = 8,
}

impl PageKind {
    /// The byte that stands for it in a page.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind that `code` stands for.
    pub fn from_code(code: u8) -> Option<PageKind> {
        [
            Self::Row,
            Self::IndexLeaf,
            Self::IndexInner,
            Self::LongValue,
            Self::InterleavedBucket,
            Self::HashDirectory,
            Self::Pieces,
            Self::HashBucket,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
    }
}

/// The header of a page: its first 64 bytes.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct PageHeader {
    bytes: [u8; PAGE_HEADER_BYTES],
}

/// Nothing is believed here but what fits its field: ranges and sums are checked by those who know the kind.
impl PageHeader {
    /// Makes a page of zeros an empty page of `kind` that belongs to `owner`.
    pub(crate) fn begin(&mut self, kind: PageKind, owner: TableId) {
        let bytes = &mut self.bytes;
        bytes[KIND] = kind.code();
        bytes[VERSION_AT] = VERSION;
        bytes[OWNER..][..4].copy_from_slice(&owner.0.to_le_bytes());
    }

    /// Checks that the page is of `kind`, in a version that this build reads.
    #[inline]
    pub(crate) fn expect_kind(&self, kind: PageKind) -> Result<(), DamageKind> {
        let (expected, found) = (kind.code(), self.bytes[KIND]);
        if expected != found {
            return Err(DamageKind::Kind { expected, found });
        }
        match self.bytes[VERSION_AT] {
            VERSION => Ok(()),
            found => Err(DamageKind::Version { found }),
        }
    }

    /// Whether the page is of `kind` and stands at `level`, in a version that this build reads.
    #[inline]
    pub(crate) fn is_of_level(&self, kind: PageKind, level: u8) -> bool {
        self.bytes[..FLAGS] == [kind.code(), VERSION, level]
    }

    /// Whether the page is of `kind`, in a version that this build reads.
    #[inline]
    pub(crate) fn is_readable(&self, kind: PageKind) -> bool {
        self.bytes[..LEVEL] == [kind.code(), VERSION]
    }

    /// The kind of the page, or nothing where the code is unknown.
    pub fn kind(&self) -> Option<PageKind> {
        PageKind::from_code(self.bytes[KIND])
    }

    /// Whether the page is of `kind`.
    #[inline]
    pub(crate) fn is_of(&self, kind: PageKind) -> bool {
        self.bytes[KIND] == kind.code()
    }

    /// The table that the page belongs to.
    #[inline]
    pub fn owner(&self) -> TableId {
        TableId(self.u32_at(OWNER))
    }

    #[inline]
    pub(crate) fn level(&self) -> u8 {
        self.bytes[LEVEL]
    }

    pub(crate) fn set_level(&mut self, level: u8) {
        self.bytes[LEVEL] = level;
    }

    pub(crate) fn flags(&self) -> u8 {
        self.bytes[FLAGS]
    }

    /// The number of the list of pages with room that the page stands in.
    #[inline]
    pub(crate) fn room_list(&self) -> Option<u8> {
        let flags = self.flags();
        (flags & FLAG_IN_ROOM_LIST != 0).then_some(flags >> ROOM_LIST_SHIFT)
    }

    pub(crate) fn set_room_list(&mut self, list: Option<u8>) {
        self.bytes[FLAGS] = list.map_or(0, |list| list << ROOM_LIST_SHIFT | FLAG_IN_ROOM_LIST);
    }

    #[inline]
    pub(crate) fn next(&self) -> Result<Option<PageNumber>, DamageKind> {
        self.link_at(NEXT)
    }

    pub(crate) fn set_next(&mut self, page: Option<PageNumber>) {
        self.set_link_at(NEXT, page);
    }

    pub(crate) fn previous(&self) -> Result<Option<PageNumber>, DamageKind> {
        self.link_at(PREVIOUS)
    }

    pub(crate) fn set_previous(&mut self, page: Option<PageNumber>) {
        self.set_link_at(PREVIOUS, page);
    }

    #[inline]
    pub(crate) fn room_next(&self) -> Result<Option<PageNumber>, DamageKind> {
        self.link_at(ROOM_NEXT)
    }

    pub(crate) fn set_room_next(&mut self, page: Option<PageNumber>) {
        self.set_link_at(ROOM_NEXT, page);
    }

    pub(crate) fn room_previous(&self) -> Result<Option<PageNumber>, DamageKind> {
        self.link_at(ROOM_PREVIOUS)
    }

    pub(crate) fn set_room_previous(&mut self, page: Option<PageNumber>) {
        self.set_link_at(ROOM_PREVIOUS, page);
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u16 {
        self.u16_at(CAPACITY)
    }

    pub(crate) fn set_capacity(&mut self, slots: u16) {
        self.set_u16_at(CAPACITY, slots);
    }

    /// Live rows, or entries of an index node.
    #[inline]
    pub(crate) fn live_count(&self) -> u16 {
        self.u16_at(LIVE_COUNT)
    }

    pub(crate) fn set_live_count(&mut self, count: u16) {
        self.set_u16_at(LIVE_COUNT, count);
    }

    /// The byte offset in the page where the heap begins; it ends with the page.
    #[inline]
    pub(crate) fn heap_start(&self) -> u16 {
        self.u16_at(HEAP_START)
    }

    pub(crate) fn set_heap_start(&mut self, byte_offset: u16) {
        self.set_u16_at(HEAP_START, byte_offset);
    }

    /// The bytes inside the heap that nothing uses.
    #[inline]
    pub(crate) fn heap_dead(&self) -> u16 {
        self.u16_at(HEAP_DEAD)
    }

    pub(crate) fn set_heap_dead(&mut self, bytes: u16) {
        self.set_u16_at(HEAP_DEAD, bytes);
    }

    /// The layout number of a row page.
    #[inline]
    pub(crate) fn layout_number(&self) -> u32 {
        self.u32_at(WORD)
    }

    pub(crate) fn set_layout_number(&mut self, number: u32) {
        self.set_u32_at(WORD, number);
    }

    /// The child of an inner node that stands before its first entry.
    pub(crate) fn leftmost_child(&self) -> Result<Option<PageNumber>, DamageKind> {
        self.link_at(WORD)
    }

    pub(crate) fn set_leftmost_child(&mut self, page: Option<PageNumber>) {
        self.set_link_at(WORD, page);
    }

    /// The number of a bucket of a hash index.
    #[inline]
    pub(crate) fn bucket(&self) -> u32 {
        self.u32_at(WORD)
    }

    pub(crate) fn set_bucket(&mut self, number: u32) {
        self.set_u32_at(WORD, number);
    }

    /// The bytes that all keys of an index node begin with, or fewer.
    pub(crate) fn common_prefix_bytes(&self) -> u16 {
        self.u16_at(HALF)
    }

    pub(crate) fn set_common_prefix_bytes(&mut self, bytes: u16) {
        self.set_u16_at(HALF, bytes);
    }

    /// The position of a long-value page in its chain, from 0.
    pub(crate) fn chain_position(&self) -> u32 {
        self.u32_at(WORD)
    }

    pub(crate) fn set_chain_position(&mut self, position: u32) {
        self.set_u32_at(WORD, position);
    }

    /// The bytes of its value that a long-value page holds.
    pub(crate) fn chain_bytes(&self) -> u16 {
        self.u16_at(HALF)
    }

    pub(crate) fn set_chain_bytes(&mut self, bytes: u16) {
        self.set_u16_at(HALF, bytes);
    }

    /// Whether a header says nothing but kind, version, level, owner and the word at 32.
    pub(crate) fn header_says_little(&self) -> bool {
        let bytes = &self.bytes;
        bytes[FLAGS] == 0
            && bytes[NEXT..WORD].iter().all(|byte| *byte == 0)
            && bytes[HALF..PAGE_HEADER_BYTES].iter().all(|byte| *byte == 0)
    }

    /// Whether the bytes of the header that no kind uses are zero.
    pub(crate) fn header_rest_is_zero(&self) -> bool {
        self.bytes[HALF_AFTER..PAGE_HEADER_BYTES]
            .iter()
            .all(|byte| *byte == 0)
    }

    #[inline]
    fn link_at(&self, byte_offset: usize) -> Result<Option<PageNumber>, DamageKind> {
        decode_link(self.u32_at(byte_offset))
    }

    fn set_link_at(&mut self, byte_offset: usize, page: Option<PageNumber>) {
        self.set_u32_at(byte_offset, encode_link(page));
    }

    #[inline]
    fn u16_at(&self, byte_offset: usize) -> u16 {
        let bytes = &self.bytes;
        u16::from_le_bytes([bytes[byte_offset], bytes[byte_offset + 1]])
    }

    fn set_u16_at(&mut self, byte_offset: usize, value: u16) {
        self.bytes[byte_offset..][..2].copy_from_slice(&value.to_le_bytes());
    }

    #[inline]
    fn u32_at(&self, byte_offset: usize) -> u32 {
        let bytes = &self.bytes;
        u32::from_le_bytes([
            bytes[byte_offset],
            bytes[byte_offset + 1],
            bytes[byte_offset + 2],
            bytes[byte_offset + 3],
        ])
    }

    fn set_u32_at(&mut self, byte_offset: usize, value: u32) {
        self.bytes[byte_offset..][..4].copy_from_slice(&value.to_le_bytes());
    }
}

/// A link as it stands in a page: the number plus one, or zero.
pub(crate) fn encode_link(page: Option<PageNumber>) -> u32 {
    page.map_or(0, |page| page.get() + 1)
}

/// The page that a link leads to.
#[inline]
pub(crate) fn decode_link(link: u32) -> Result<Option<PageNumber>, DamageKind> {
    match link.checked_sub(1) {
        None => Ok(None),
        Some(number) => PageNumber::new(number)
            .map(Some)
            .ok_or(DamageKind::Structure("a link has more than 28 bits")),
    }
}
