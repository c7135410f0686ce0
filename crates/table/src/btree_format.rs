//! The nodes of an ordered index: leaves and inner nodes.
//!
//! ```text
//!   byte 64                       heap start                    byte 32768
//!   | directory -->  |    zero        |  heap: entries, dead bytes (zero) |
//!
//!   directory, one per entry, in order      leaf entry in the heap
//!      0      1      2      3      4      5       0      1      2              7
//!   +------+------+------+------+------+------+  +------+------+---- - - ------+---- - - ----+
//!   |          head             | byte offset |  | key bytes   | row id (5)    | key         |
//!   +------+------+------+------+------+------+  +------+------+---- - - ------+---- - - ----+
//!
//!                                           inner entry in the heap
//!                                              0      1      2              7             11
//!                                           +------+------+---- - - ------+---- - - ----+---- - - ---+
//!                                           | key bytes   | row id (5)    | child (link) | key        |
//!                                           +------+------+---- - - ------+---- - - ----+---- - - ---+
//! ```
//!
//! The head is a number: the first four bytes of the key behind the prefix that all keys of the node
//! have in common (its length stands in the page header), read big-endian and filled up with zeros. It
//! is stored little-endian like every number; the row id alone is big-endian. The byte offset is that of
//! the entry in the page.
//!
//! Entries are in ascending order of (key, row id), no two equal. The children of an inner node are the
//! leftmost one of its header and one per entry; an entry is not above anything in its child, and above
//! everything in the child before.

use crate::page::PAGE_BYTES;
use crate::page_format::PAGE_HEADER_BYTES;

/// The greatest length of a key, in bytes.
pub const KEY_BYTES_MAX: usize = 4096;

/// Where the directory begins.
pub(crate) const DIRECTORY: usize = PAGE_HEADER_BYTES;
/// The room that a node has for entries, their places in the directory included.
pub(crate) const NODE_BYTES: usize = PAGE_BYTES - DIRECTORY;

pub(crate) const HEAD_BYTES: usize = 4;
/// What an entry takes in the directory.
pub(crate) const PLACE_BYTES: usize = HEAD_BYTES + 2;

pub(crate) const ENTRY_ROW: usize = 2;
pub(crate) const ENTRY_CHILD: usize = ENTRY_ROW + 5;
/// Where the key begins in a leaf entry.
pub(crate) const LEAF_ENTRY_KEY: usize = ENTRY_CHILD;
/// Where the key begins in an inner entry.
pub(crate) const INNER_ENTRY_KEY: usize = ENTRY_CHILD + 4;

/// What the largest entry takes of a node.
pub(crate) const ENTRY_BYTES_MAX: usize = PLACE_BYTES + INNER_ENTRY_KEY + KEY_BYTES_MAX;

const _: () = assert!(LEAF_ENTRY_KEY == 7);
const _: () = assert!(INNER_ENTRY_KEY == 11);
const _: () = assert!(NODE_BYTES == 32_704);
const _: () = assert!(ENTRY_BYTES_MAX == 4_113);

/// A place in the directory.
pub(crate) fn encode_place(head: u32, byte_offset: u16) -> [u8; PLACE_BYTES] {
    let [a, b, c, d] = head.to_le_bytes();
    let [e, f] = byte_offset.to_le_bytes();
    [a, b, c, d, e, f]
}

/// The head in a place of the directory.
pub(crate) fn place_head([a, b, c, d, _, _]: [u8; PLACE_BYTES]) -> u32 {
    u32::from_le_bytes([a, b, c, d])
}

/// The byte offset in a place of the directory.
pub(crate) fn place_byte_offset([_, _, _, _, e, f]: [u8; PLACE_BYTES]) -> usize {
    usize::from(u16::from_le_bytes([e, f]))
}

/// The head of a key, given what follows the common prefix.
pub(crate) fn head_of(rest: &[u8]) -> u32 {
    match rest.first_chunk() {
        Some(head) => u32::from_be_bytes(*head),
        // Byte by byte: to call for a copy of so few takes longer.
        None => (0..HEAD_BYTES).fold(0, |head, index| {
            head << 8 | u32::from(rest.get(index).copied().unwrap_or(0))
        }),
    }
}
