//! A node of a B+tree, to be read.
//!
//! Bytes that come from a file are not trusted: every place that is followed is checked against the page
//! first, and what leaves it is damage.

use std::cmp::Ordering;

use crate::btree_format::{
    DIRECTORY, ENTRY_CHILD, ENTRY_ROW, INNER_ENTRY_KEY, LEAF_ENTRY_KEY, PLACE_BYTES, head_of,
    place_byte_offset, place_head,
};
use crate::damaged::{DamageKind, Damaged};
use crate::frames::fetch;
use crate::page::{PAGE_BYTES, PageBuf};
use crate::page_format::{PageKind, decode_link};
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;

/// One beyond the greatest row id: with a key, a place behind all entries of that key.
pub(crate) const ROW_AFTER_ALL: u64 = RowId::MAX.to_u64() + 1;

/// Of so many places a look at one brings most of the others along.
const PLACES_TOGETHER: usize = 16;

/// A leaf or an inner node whose header is sound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    page: &'a PageBuf,
    number: PageNumber,
    places: &'a [[u8; PLACE_BYTES]],
    is_leaf: bool,
}

/// What stands in a node: a key, a row and, in an inner node, the child whose entries are not below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) row: RowId,
    pub(crate) child: Option<PageNumber>,
}

/// The kind of the nodes of a level; leaves are level 0.
pub(crate) fn kind_of_level(level: u8) -> PageKind {
    if level == 0 {
        PageKind::IndexLeaf
    } else {
        PageKind::IndexInner
    }
}

/// The length of what both begin with.
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Entry<'_> {
    /// Where the entry stands relative to (`key`, `row`).
    pub(crate) fn cmp_with(&self, key: &[u8], row: u64) -> Ordering {
        self.key.cmp(key).then(self.row.to_u64().cmp(&row))
    }

    /// What the entry takes of the heap, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.key.len()
            + if self.child.is_some() {
                INNER_ENTRY_KEY
            } else {
                LEAF_ENTRY_KEY
            }
    }

    /// What the entry takes of a node, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        PLACE_BYTES + self.heap_bytes()
    }
}

impl<'a> Node<'a> {
    /// The node `number`, which must stand `level` levels above the leaves.
    #[inline]
    pub(crate) fn open(
        pages: &'a Pages,
        number: PageNumber,
        level: u8,
    ) -> Result<Node<'a>, Damaged> {
        Node::new(pages.get(number)?, number, level)
    }

    /// The node in `page`.
    pub(crate) fn new(
        page: &'a PageBuf,
        number: PageNumber,
        level: u8,
    ) -> Result<Node<'a>, Damaged> {
        let damaged = |kind: DamageKind| kind.at(number);
        page.expect_kind(kind_of_level(level)).map_err(damaged)?;
        if page.level() != level {
            return Err(damaged(DamageKind::Structure(
                "an index node stands at another level",
            )));
        }
        let len = usize::from(page.live_count());
        let directory_end = DIRECTORY + len * PLACE_BYTES;
        let (heap_start, dead) = (
            usize::from(page.heap_start()),
            usize::from(page.heap_dead()),
        );
        if heap_start > PAGE_BYTES || directory_end > heap_start || dead > PAGE_BYTES - heap_start {
            return Err(damaged(DamageKind::Structure(
                "the heap of an index node overlaps something",
            )));
        }
        let places = bytemuck::cast_slice(&page.as_bytes()[DIRECTORY..directory_end]);
        Ok(Node {
            page,
            number,
            places,
            is_leaf: level == 0,
        })
    }

    pub(crate) fn number(&self) -> PageNumber {
        self.number
    }

    /// How many entries it has; an inner node has one child more.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The bytes that its entries take.
    pub(crate) fn used_bytes(&self) -> usize {
        let heap = PAGE_BYTES - usize::from(self.page.heap_start());
        self.places.len() * PLACE_BYTES + heap - usize::from(self.page.heap_dead())
    }

    /// The entry at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Node::len`].
    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Result<Entry<'a>, Damaged> {
        let start = place_byte_offset(self.places[index]);
        self.entry_at(start)
            .ok_or_else(|| self.broken("an index entry leaves its page"))
    }

    /// Asks for the entry at `index`, which is looked at soon.
    #[inline]
    pub(crate) fn fetch_entry(&self, index: usize) {
        fetch(self.page, place_byte_offset(self.places[index]));
    }

    #[inline]
    fn entry_at(&self, start: usize) -> Option<Entry<'a>> {
        let bytes = self.page.as_bytes().get(start..)?;
        let key_bytes = usize::from(u16::from_le_bytes(*bytes.first_chunk()?));
        let row = RowId::from_bytes(*bytes.get(ENTRY_ROW..)?.first_chunk()?);
        let (child, key_start) = if self.is_leaf {
            (None, LEAF_ENTRY_KEY)
        } else {
            let link = u32::from_le_bytes(*bytes.get(ENTRY_CHILD..)?.first_chunk()?);
            (Some(decode_link(link).ok()??), INNER_ENTRY_KEY)
        };
        let key = bytes.get(key_start..)?.get(..key_bytes)?;
        Some(Entry { key, row, child })
    }

    /// The byte offsets in the page that the entry at `index` takes.
    pub(crate) fn entry_range(&self, index: usize) -> Result<std::ops::Range<usize>, Damaged> {
        let start = place_byte_offset(self.places[index]);
        Ok(start..start + self.entry(index)?.heap_bytes())
    }

    /// The head of the entry at `index`.
    pub(crate) fn head(&self, index: usize) -> u32 {
        place_head(self.places[index])
    }

    /// All entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, Damaged>> {
        let node = *self;
        (0..node.len()).map(move |index| node.entry(index))
    }

    /// The last entry, if there is one.
    pub(crate) fn last(&self) -> Result<Option<Entry<'a>>, Damaged> {
        self.len()
            .checked_sub(1)
            .map(|index| self.entry(index))
            .transpose()
    }

    /// The child at `index`, from 0 to [`Node::len`].
    #[inline]
    pub(crate) fn child(&self, index: usize) -> Result<PageNumber, Damaged> {
        let child = match index.checked_sub(1) {
            Some(entry) => self.entry(entry)?.child,
            None => self
                .page
                .leftmost_child()
                .map_err(|kind| kind.at(self.number))?,
        };
        child.ok_or_else(|| self.broken("an inner index node lacks a child"))
    }

    /// What all keys begin with.
    pub(crate) fn prefix(&self) -> Result<&'a [u8], Damaged> {
        let bytes = usize::from(self.page.common_prefix_bytes());
        if bytes == 0 || self.places.is_empty() {
            return Ok(&[]);
        }
        let first = self.entry(0)?;
        first
            .key
            .get(..bytes)
            .ok_or_else(|| self.broken("the keys of an index node are shorter than their prefix"))
    }

    /// How many entries are below (`key`, `row`).
    pub(crate) fn position(&self, key: &[u8], row: u64) -> Result<usize, Damaged> {
        let prefix = self.prefix()?;
        let Some(rest) = key.strip_prefix(prefix) else {
            return Ok(if key < prefix { 0 } else { self.len() });
        };
        let head = head_of(rest);
        let mut low = self.first_with_head(head);
        let has_head = |place: &[u8; PLACE_BYTES]| place_head(*place) == head;
        let mut high = low
            + match &self.places[low..] {
                [first, second, ..] if has_head(first) && has_head(second) => {
                    self.places[low..].partition_point(has_head)
                }
                [first, ..] => usize::from(has_head(first)),
                [] => 0,
            };
        // Equal heads say nothing: keys may go on, and a short key was filled up with zeros.
        while low < high {
            let middle = low.midpoint(high);
            if self.entry(middle)?.cmp_with(key, row).is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The index of the first entry whose head is not below `head`.
    ///
    /// No branch depends on what is read: nothing lets a processor foresee it, so it would guess wrong at every other step. What the next
    /// two steps may read is asked for instead.
    #[inline]
    fn first_with_head(&self, head: u32) -> usize {
        let (mut base, mut size) = (0, self.len());
        let ask = |index: usize| fetch(self.page, DIRECTORY + index * PLACE_BYTES);
        ask(size / 4);
        ask(size / 4 * 3);
        while size > 1 {
            let half = size / 2;
            if half > PLACES_TOGETHER {
                for eighth in [1, 3, 5, 7] {
                    ask(base + size / 8 * eighth);
                }
            }
            let middle = base + half;
            let is_below = place_head(self.places[middle - 1]) < head;
            base = std::hint::select_unpredictable(is_below, middle, base);
            size -= half;
        }
        base + usize::from(size == 1 && place_head(self.places[base]) < head)
    }

    /// Where (`key`, `row`) stands, if it does.
    pub(crate) fn find(&self, key: &[u8], row: RowId) -> Result<Result<usize, usize>, Damaged> {
        let position = self.position(key, row.to_u64())?;
        let found =
            position < self.len() && self.entry(position)?.cmp_with(key, row.to_u64()).is_eq();
        Ok(if found { Ok(position) } else { Err(position) })
    }

    /// The index of the child whose entries may include (`key`, `row`), and the entries not below it.
    pub(crate) fn child_for(&self, key: &[u8], row: u64) -> Result<usize, Damaged> {
        self.position(key, row + 1)
    }

    pub(crate) fn broken(&self, rule: &'static str) -> Damaged {
        DamageKind::Structure(rule).at(self.number)
    }
}
