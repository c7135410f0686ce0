//! A node of a B+tree, to be written.
//!
//! An insert moves the directory behind its place by one and puts the entry below the heap; a removal
//! leaves a hole of zeros in the heap. Nothing else moves. The holes are closed when the node is written
//! anew, which is when its room has run out.

use crate::btree_format::{
    DIRECTORY, ENTRY_CHILD, ENTRY_ROW, NODE_BYTES, PLACE_BYTES, encode_place, head_of,
};
use crate::btree_node::{Entry, Node, common_prefix, kind_of_level};
use crate::damaged::{DamageKind, Damaged};
use crate::page::PAGE_BYTES;
use crate::page_format::encode_link;
use crate::page_mut::PageMut;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::table_id::TableId;

const OUT_OF_ORDER: DamageKind =
    DamageKind::Structure("the entries of an index node are out of order");

/// A node that is changed in place.
#[derive(Debug)]
pub(crate) struct NodeMut<'a> {
    page: PageMut<'a>,
    number: PageNumber,
    level: u8,
}

impl<'a> NodeMut<'a> {
    /// The node `number`, which must stand `level` levels above the leaves.
    pub(crate) fn open(
        pages: &'a mut Pages,
        number: PageNumber,
        level: u8,
    ) -> Result<NodeMut<'a>, Damaged> {
        let page = pages.write(number)?;
        Node::new(&page, number, level)?;
        Ok(NodeMut {
            page,
            number,
            level,
        })
    }

    /// Writes the page `number` anew as a node with these entries, which must be in order.
    ///
    /// # Errors
    /// When they do not fit: only what was read from a damaged node can be so large.
    pub(crate) fn build(
        pages: &'a mut Pages,
        number: PageNumber,
        owner: TableId,
        level: u8,
        leftmost: Option<PageNumber>,
        entries: &[Entry<'_>],
    ) -> Result<(), Damaged> {
        let heap_bytes: usize = entries.iter().map(Entry::heap_bytes).sum();
        if heap_bytes + entries.len() * PLACE_BYTES > NODE_BYTES {
            return Err(DamageKind::Structure("the entries of an index node overlap").at(number));
        }
        let page = pages.renew(number, kind_of_level(level), owner)?;
        page.set_level(level);
        page.set_leftmost_child(leftmost);
        let prefix = match entries {
            [] => 0,
            [only] => only.key.len(),
            [first, .., last] => common_prefix(first.key, last.key),
        };
        page.set_common_prefix_bytes(in_page(prefix));
        page.set_live_count(in_page(entries.len()));
        page.set_heap_start(in_page(PAGE_BYTES - heap_bytes));
        // From the end of the page down, as if they had come one by one.
        let mut start = PAGE_BYTES;
        for (index, entry) in entries.iter().enumerate() {
            // Keys out of order, in a damaged node, need not share what the first and the last do.
            let rest = entry.key.get(prefix..).ok_or(OUT_OF_ORDER.at(number))?;
            start -= entry.heap_bytes();
            write_entry(
                &mut page.as_bytes_mut()[start..][..entry.heap_bytes()],
                entry,
            );
            let place = encode_place(head_of(rest), in_page(start));
            page.as_bytes_mut()[DIRECTORY + index * PLACE_BYTES..][..PLACE_BYTES]
                .copy_from_slice(&place);
        }
        Ok(())
    }

    pub(crate) fn node(&self) -> Result<Node<'_>, Damaged> {
        Node::new(&self.page, self.number, self.level)
    }

    /// Puts `entry` at `index`; `false`, and nothing happens, where the free room below the heap is too
    /// small.
    ///
    /// # Panics
    /// When `index` is above the number of entries.
    pub(crate) fn insert(&mut self, index: usize, entry: &Entry<'_>) -> Result<bool, Damaged> {
        let node = self.node()?;
        let len = node.len();
        assert!(index <= len);
        let directory_end = DIRECTORY + len * PLACE_BYTES;
        let heap_start = usize::from(self.page.heap_start());
        if heap_start - directory_end < entry.bytes() {
            return Ok(false);
        }
        let known = node.prefix()?;
        let prefix = if len == 0 {
            entry.key.len()
        } else {
            common_prefix(known, entry.key)
        };
        if len != 0 && prefix < known.len() {
            self.write_heads(prefix)?;
        }
        let start = heap_start - entry.heap_bytes();
        write_entry(self.page.bytes_mut(start..heap_start), entry);
        let place = DIRECTORY + index * PLACE_BYTES;
        self.page
            .move_within(place..directory_end, place + PLACE_BYTES);
        let target = self.page.bytes_mut(place..place + PLACE_BYTES);
        target.copy_from_slice(&encode_place(head_of(&entry.key[prefix..]), in_page(start)));
        let header = self.page.header_mut();
        header.set_common_prefix_bytes(in_page(prefix));
        header.set_heap_start(in_page(start));
        header.set_live_count(in_page(len + 1));
        Ok(true)
    }

    /// Takes the entry at `index` away and leaves zeros.
    ///
    /// # Panics
    /// When `index` is not below the number of entries.
    pub(crate) fn remove(&mut self, index: usize) -> Result<(), Damaged> {
        let node = self.node()?;
        let len = node.len();
        let entry = node.entry_range(index)?;
        let heap_start = usize::from(self.page.heap_start());
        let dead = usize::from(self.page.heap_dead());
        let (heap_start, dead) = if len == 1 {
            (PAGE_BYTES, 0)
        } else if entry.start == heap_start {
            (entry.end, dead)
        } else {
            (heap_start, dead + entry.len())
        };
        if entry.start < DIRECTORY + len * PLACE_BYTES || dead > PAGE_BYTES - heap_start {
            return Err(node.broken("the entries of an index node overlap"));
        }
        let place = DIRECTORY + index * PLACE_BYTES;
        let directory_end = DIRECTORY + len * PLACE_BYTES;
        self.page.bytes_mut(entry).fill(0);
        self.page
            .move_within(place + PLACE_BYTES..directory_end, place);
        let last_place = directory_end - PLACE_BYTES;
        self.page.bytes_mut(last_place..directory_end).fill(0);
        let header = self.page.header_mut();
        header.set_heap_start(in_page(heap_start));
        header.set_heap_dead(in_page(dead));
        header.set_live_count(in_page(len - 1));
        if len == 1 {
            header.set_common_prefix_bytes(0);
        }
        Ok(())
    }

    /// Gives the entry at `index` another row, with which it must stand in the same place.
    ///
    /// # Panics
    /// When `index` is not below the number of entries.
    pub(crate) fn set_row(&mut self, index: usize, row: RowId) -> Result<(), Damaged> {
        let start = self.node()?.entry_range(index)?.start;
        let target = self.page.bytes_mut(start + ENTRY_ROW..start + ENTRY_CHILD);
        target.copy_from_slice(&row.to_bytes());
        Ok(())
    }

    /// Writes every head for a common prefix of `prefix` bytes.
    fn write_heads(&mut self, prefix: usize) -> Result<(), Damaged> {
        for index in 0..self.node()?.len() {
            let node = self.node()?;
            let key = node.entry(index)?.key;
            let rest = key.get(prefix..).ok_or_else(|| {
                node.broken("the keys of an index node are shorter than their prefix")
            })?;
            let start = node.entry_range(index)?.start;
            let place = encode_place(head_of(rest), in_page(start));
            let position = DIRECTORY + index * PLACE_BYTES;
            let target = self.page.bytes_mut(position..position + PLACE_BYTES);
            target.copy_from_slice(&place);
        }
        Ok(())
    }
}

/// Writes an entry over as many zeros.
fn write_entry(bytes: &mut [u8], entry: &Entry<'_>) {
    bytes[..ENTRY_ROW].copy_from_slice(&in_page(entry.key.len()).to_le_bytes());
    bytes[ENTRY_ROW..ENTRY_CHILD].copy_from_slice(&entry.row.to_bytes());
    if entry.child.is_some() {
        bytes[ENTRY_CHILD..][..4].copy_from_slice(&encode_link(entry.child).to_le_bytes());
    }
    let key_start = bytes.len() - entry.key.len();
    bytes[key_start..].copy_from_slice(entry.key);
}

/// A count or byte offset inside a page.
fn in_page(number: usize) -> u16 {
    u16::try_from(number).expect("nothing in a page is counted beyond 16 bits")
}
