//! The bytes of tree nodes. All integers are little-endian; reserved fields are zero.
//!
//! # Tree node, a blob like any other
//!
//! Node of height 1 holds references to blobs, of height h > 1 to nodes of height h - 1. A blob's number, cut in
//! digits of 6 bits, is the path to it. A section's root has the least height that reaches its greatest number.
//!
//! ```text
//!  byte  0                    4           5               6       8
//!      0 | "node"             | height u8 | packs p u8    | 0 u16 |
//!      8 | present u64: bit d is set if there is a child for digit d
//!     16 | p pack ids, u64 each
//!  16+8p | a reference for each child, in rising order of the digits
//! ```
//!
//! # Reference inside a node, 56 bytes
//!
//! ```text
//!  byte  0                          4                           8
//!      0 | blake3, 32 bytes                                     |
//!     32 | offset in the pack, u64                              |
//!     40 | length u32               | stored length u32         |
//!     48 | crc32c of what is stored | pack u8 | encoding u8 | 0 u16 |
//! ```
//!
//! `pack` counts in the node's table of pack ids. Encoding 0 is plain: stored length = length. Encoding 1 is an LZ4 block: only of pages, in packs of version 3, and
//! with a stored length below the length, which is that of a page. The crc32c is of what is stored. The blake3 of a blob
//! is over its content, unpacked. The blake3 of a node is, with the key derived from `cairn snapshot tree node v1`, over its
//! height (u8), its present bits (u64) and its children's hashes: where things are stored is not part of it, so equal
//! sections have equal root hashes, and a blob can move to another pack without a new name. The crc32c of a node
//! covers all its bytes. Inside one snapshot no node is referred to twice, and stored blobs and nodes do not overlap.

use crate::damage::DamageKind;
use crate::format::{BLOB_BYTES_MAX, Flaw, array_at, u32_at, u64_at};

const NODE_MAGIC: [u8; 4] = *b"node";

/// Key derivation context of node hashes.
const NODE_CONTEXT: &str = "cairn snapshot tree node v1";

/// The stored bytes are the content.
pub(crate) const ENCODING_PLAIN: u8 = 0;
/// The stored bytes are an LZ4 block that unpacks to a page.
pub(crate) const ENCODING_LZ4: u8 = 1;

const NODE_HEIGHT_AT: usize = 4;
const NODE_PACKS_AT: usize = 5;
const NODE_RESERVED_AT: usize = 6;
const NODE_PRESENT_AT: usize = 8;
const NODE_PACK_IDS_AT: usize = 16;

/// Bits of a number that one node decides.
pub(crate) const FAN_OUT_BITS: u32 = 6;
/// Children that a node can have.
pub(crate) const FAN_OUT: usize = 1 << FAN_OUT_BITS;
/// The height that reaches every u64.
pub(crate) const HEIGHT_MAX: u8 = 11;

const REFERENCE_OFFSET_AT: usize = 32;
const REFERENCE_LENGTH_AT: usize = 40;
const REFERENCE_STORED_LENGTH_AT: usize = 44;
const REFERENCE_CRC_AT: usize = 48;
const REFERENCE_PACK_AT: usize = 52;
const REFERENCE_ENCODING_AT: usize = 53;
const REFERENCE_RESERVED_AT: usize = 54;
const REFERENCE_BYTES: usize = 56;

/// The longest node: 64 children in 64 packs.
pub(crate) const NODE_BYTES_MAX: usize = NODE_PACK_IDS_AT + FAN_OUT * (8 + REFERENCE_BYTES);

const _: () = assert!(REFERENCE_RESERVED_AT + 2 == REFERENCE_BYTES);
const _: () = assert!(NODE_BYTES_MAX == 4112);
const _: () = assert!(NODE_BYTES_MAX < BLOB_BYTES_MAX);
const _: () = assert!(HEIGHT_MAX as u32 * FAN_OUT_BITS >= u64::BITS);
const _: () = assert!((HEIGHT_MAX as u32 - 1) * FAN_OUT_BITS < u64::BITS);

/// One child of a node, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeChild {
    pub(crate) digit: u8,
    pub(crate) hash: [u8; 32],
    pub(crate) pack_id: u64,
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) stored_length: u32,
    pub(crate) crc32c: u32,
    pub(crate) encoding: u8,
}

/// Writes a node. `children` rise by digit; there is at least one.
pub(crate) fn encode_node(height: u8, children: &[NodeChild]) -> Vec<u8> {
    let mut pack_ids: Vec<u64> = Vec::with_capacity(1);
    let mut present = 0u64;
    for child in children {
        assert!(present >> child.digit == 0, "digits rise");
        present |= 1 << child.digit;
        if !pack_ids.contains(&child.pack_id) {
            pack_ids.push(child.pack_id);
        }
    }
    let mut bytes = Vec::with_capacity(
        NODE_PACK_IDS_AT + pack_ids.len() * 8 + children.len() * REFERENCE_BYTES,
    );
    bytes.extend_from_slice(&NODE_MAGIC);
    bytes.push(height);
    bytes.push(small(pack_ids.len()));
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&present.to_le_bytes());
    for id in &pack_ids {
        bytes.extend_from_slice(&id.to_le_bytes());
    }
    for child in children {
        let pack = pack_ids.iter().position(|id| *id == child.pack_id);
        bytes.extend_from_slice(&child.hash);
        bytes.extend_from_slice(&child.offset.to_le_bytes());
        bytes.extend_from_slice(&child.length.to_le_bytes());
        bytes.extend_from_slice(&child.stored_length.to_le_bytes());
        bytes.extend_from_slice(&child.crc32c.to_le_bytes());
        bytes.push(small(pack.expect("collected above")));
        bytes.push(child.encoding);
        bytes.extend_from_slice(&[0; 2]);
    }
    bytes
}

/// Reads a node of the given height; says where it goes wrong otherwise.
pub(crate) fn decode_node(bytes: &[u8], height: u8) -> Result<Vec<NodeChild>, Flaw> {
    let node = DamageKind::Node;
    if bytes.len() < NODE_PACK_IDS_AT || bytes[..4] != NODE_MAGIC {
        return Err((0, node));
    }
    if bytes[NODE_HEIGHT_AT] != height {
        return Err((NODE_HEIGHT_AT, node));
    }
    if bytes[NODE_RESERVED_AT..NODE_PRESENT_AT] != [0; 2] {
        return Err((NODE_RESERVED_AT, DamageKind::Reserved));
    }
    let pack_count = usize::from(bytes[NODE_PACKS_AT]);
    let present = u64_at(bytes, NODE_PRESENT_AT);
    if present == 0 {
        return Err((NODE_PRESENT_AT, node));
    }
    let references_at = NODE_PACK_IDS_AT + 8 * pack_count;
    let count = present.count_ones() as usize;
    if pack_count > count || bytes.len() != references_at + count * REFERENCE_BYTES {
        return Err((NODE_PACKS_AT, node));
    }
    let mut children = Vec::with_capacity(count);
    let mut left = present;
    for at in (references_at..bytes.len()).step_by(REFERENCE_BYTES) {
        let reference = &bytes[at..at + REFERENCE_BYTES];
        let pack = usize::from(reference[REFERENCE_PACK_AT]);
        if pack >= pack_count {
            return Err((at + REFERENCE_PACK_AT, node));
        }
        if reference[REFERENCE_RESERVED_AT..] != [0; 2] {
            return Err((at + REFERENCE_RESERVED_AT, DamageKind::Reserved));
        }
        children.push(NodeChild {
            digit: small(left.trailing_zeros() as usize),
            hash: array_at(reference, 0),
            pack_id: u64_at(bytes, NODE_PACK_IDS_AT + 8 * pack),
            offset: u64_at(reference, REFERENCE_OFFSET_AT),
            length: u32_at(reference, REFERENCE_LENGTH_AT),
            stored_length: u32_at(reference, REFERENCE_STORED_LENGTH_AT),
            crc32c: u32_at(reference, REFERENCE_CRC_AT),
            encoding: reference[REFERENCE_ENCODING_AT],
        });
        left &= left - 1;
    }
    Ok(children)
}

/// The location-free hash of a node.
pub(crate) fn node_hash(height: u8, children: &[NodeChild]) -> [u8; 32] {
    let mut present = 0u64;
    let mut hasher = blake3::Hasher::new_derive_key(NODE_CONTEXT);
    for child in children {
        present |= 1 << child.digit;
    }
    hasher.update(&[height]);
    hasher.update(&present.to_le_bytes());
    for child in children {
        hasher.update(&child.hash);
    }
    *hasher.finalize().as_bytes()
}

fn small(value: usize) -> u8 {
    u8::try_from(value).expect("at most 64")
}
