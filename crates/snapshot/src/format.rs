//! The bytes of packs, manifests and tree nodes. All integers are little-endian; reserved fields are zero.
//!
//! # Pack, `<tx, 20 digits>-<pack id, 16 hex digits>.pack`
//!
//! A snapshot is one pack: the blobs and nodes that it does not share with others, and behind them its manifest.
//!
//! ```text
//!  byte  0        8                                    16
//!      0 | "CAIRNPCK"| version u16 | 0 u16 | body length u32 |
//!     16 | log id, 16 bytes                                  |
//!     32 | pack id u64           | tx u64                    |
//!     48 | chain u64             | body offset u64           |
//!     64 | blake3 of the body, 32 bytes                      |
//!     96 | zero to 496                                       |
//!    496 | 0 u64   | state u8 | 0 u24 | crc32c of 0..504 u32 |
//!    512 | zero to 4096
//!   4096 | pages (32768 bytes each, aligned to 4096) and regions (65536 bytes, aligned to 4096, filled with
//!        | smaller blobs back to back), in any order; every byte that belongs to no blob is zero
//!   body | manifest, from the end of the last blob to the end of the file
//! offset |
//! ```
//!
//! State 0 is published: the file is a snapshot. State 255 is withdrawn: the snapshot was removed, or never came to exist. A withdrawn pack
//! is kept only while published snapshots name it. The state is written in place, so it is outside of the checksum. Any other state is damage.
//!
//! The body is [postcard](https://postcard.jamesmunns.com/wire-format): log id (16 bytes), tx u64, chain u64,
//! minimum reader u16, metadata (bytes), other packs that blobs are shared with (sequence of: snapshot it was written for u64, less
//! than tx, pack id u64, length u64), sections (sequence of: blob count u64, height u8, optional root reference). A reference there is: blake3
//! (32 bytes), pack id u64, offset u64, length u32, stored length u32, crc32c u32, encoding u8.
//!
//! # Version 1: manifest, `<tx, 20 digits>.manifest`
//!
//! Version 2, described above, is the only one that is written. In version 1 the manifest was a file of its own, and the state was the manifest's.
//!
//! ```text
//!  byte  0        8                                    16
//!      0 | "CAIRNMFT"| version u16 | 0 u16 | body length u32 |
//!     16 | blake3 of the body, 32 bytes                      |
//!     48 | 0 u64    | state u8 | 0 u24 | crc32c of 0..56 u32 |
//!     64 | body ... to the end of the file                   |
//! ```
//!
//! The body is as above, but its packs are all packs of the snapshot.
//!
//! # Version 1: pack, `<tx, 20 digits>-<pack id, 16 hex digits>.pack`
//!
//! ```text
//!  byte  0        8                                    16
//!      0 | "CAIRNPCK"| version u16 | 0 u16 | 0 u32           |
//!     16 | log id, 16 bytes                                  |
//!     32 | pack id u64           | tx u64                    |
//!     48 | chain u64 | 0 u32     | crc32c of bytes 0..56 u32 |
//!     64 | zero to 4096                                      |
//!   4096 | pages and regions, to the end of the file
//! ```
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
//!     48 | crc32c of the content u32| pack u8 | encoding u8 | 0 u16 |
//! ```
//!
//! `pack` counts in the node's table of pack ids. Encoding 0 is plain: stored length = length. The blake3 of a blob
//! is over its content. The blake3 of a node is, with the key derived from `cairn snapshot tree node v1`, over its
//! height (u8), its present bits (u64) and its children's hashes: where things are stored is not part of it, so equal
//! sections have equal root hashes, and a blob can move to another pack without a new name. The crc32c of a node
//! covers all its bytes. Inside one snapshot no node is referred to twice, and stored blobs and nodes do not overlap.
//!
//! # Temporary names
//!
//! A pack is made under its name with `.tmp` behind. So was a manifest of version 1: a whole `.manifest.tmp` says that the packs that
//! it names are to be removed, but for those that a published manifest names: their snapshot was not published.

use crate::damage::DamageKind;

/// The longest blob, and the length of a page: only blobs of exactly this length are aligned.
pub const BLOB_BYTES_MAX: usize = 32768;
/// The alignment of pages in a pack and in memory, in bytes.
pub const PAGE_ALIGNMENT: usize = 4096;
/// The longest manifest.
pub const MANIFEST_BYTES_MAX: usize = 16 << 20;

/// The version of packs that this program writes, and the newest it reads.
const VERSION: u16 = 2;
/// The version of packs without a manifest, and the only one of manifests in files of their own.
const VERSION_1: u16 = 1;

const MANIFEST_MAGIC: [u8; 8] = *b"CAIRNMFT";
const PACK_MAGIC: [u8; 8] = *b"CAIRNPCK";
const NODE_MAGIC: [u8; 4] = *b"node";

/// Key derivation context of node hashes.
pub(crate) const NODE_CONTEXT: &str = "cairn snapshot tree node v1";

const VERSION_AT: usize = 8;
const RESERVED_AT: usize = 10;
const BODY_LENGTH_AT: usize = 12;

const PACK_LOG_ID_AT: usize = 16;
const PACK_ID_AT: usize = 32;
const PACK_TX_AT: usize = 40;
const PACK_CHAIN_AT: usize = 48;
const PACK_BODY_AT: usize = 56;
const PACK_BODY_HASH_AT: usize = 64;

const MANIFEST_BODY_HASH_AT: usize = 16;
const MANIFEST_ZERO_AT: usize = 48;

/// The header of a pack: a sector, which is written in one piece or not at all.
pub(crate) const HEADER_BYTES: usize = 512;
/// The header of a manifest or pack of version 1.
pub(crate) const HEADER_1_BYTES: usize = 64;
/// What ends every header, counted from its end: the state, which the checksum does not cover, three zeros, and the checksum.
const STATE_FROM_END: usize = 8;
const CRC_FROM_END: usize = 4;

const STATE_PUBLISHED: u8 = 0;
const STATE_WITHDRAWN: u8 = 255;
/// Where the first blob of a pack may stand.
pub(crate) const PACK_BLOBS_AT: usize = PAGE_ALIGNMENT;
/// The room that is set aside for small blobs at a time.
pub(crate) const REGION_BYTES: usize = 2 * BLOB_BYTES_MAX;

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

const _: () = assert!(PACK_BODY_AT + 8 == PACK_BODY_HASH_AT);
const _: () = assert!(PACK_BODY_HASH_AT + 32 <= HEADER_BYTES - STATE_FROM_END);
const _: () = assert!(PACK_CHAIN_AT + 8 == HEADER_1_BYTES - STATE_FROM_END);
const _: () = assert!(MANIFEST_BODY_HASH_AT + 32 == MANIFEST_ZERO_AT);
const _: () = assert!(MANIFEST_ZERO_AT + 8 == HEADER_1_BYTES - STATE_FROM_END);
const _: () = assert!(HEADER_BYTES <= PACK_BLOBS_AT);
const _: () = assert!(REFERENCE_RESERVED_AT + 2 == REFERENCE_BYTES);
const _: () = assert!(NODE_BYTES_MAX == 4112);
const _: () = assert!(NODE_BYTES_MAX < BLOB_BYTES_MAX);
const _: () = assert!(BLOB_BYTES_MAX.is_multiple_of(PAGE_ALIGNMENT));
const _: () = assert!(REGION_BYTES.is_multiple_of(PAGE_ALIGNMENT));
const _: () = assert!(HEIGHT_MAX as u32 * FAN_OUT_BITS >= u64::BITS);
const _: () = assert!((HEIGHT_MAX as u32 - 1) * FAN_OUT_BITS < u64::BITS);

/// Where in a file something is wrong, and what.
pub(crate) type Flaw = (usize, DamageKind);

/// Why a header is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderFlaw {
    Damaged(Flaw),
    Newer { found: u16, supported: u16 },
}

/// What a header says about the manifest behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announcement {
    /// Where the body stands in the file.
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) hash: [u8; 32],
    pub(crate) is_withdrawn: bool,
}

impl Announcement {
    /// Where the body ends; `None` if that is nowhere.
    pub(crate) fn end(&self) -> Option<u64> {
        self.offset.checked_add(u64::from(self.length))
    }

    /// Reads the header of a manifest that is a file of its own.
    pub(crate) fn decode_manifest(bytes: &[u8]) -> Result<Self, HeaderFlaw> {
        let bytes = front(bytes, HEADER_1_BYTES)?;
        require_magic(bytes, &MANIFEST_MAGIC)?;
        require_seal(bytes)?;
        require_version(bytes, VERSION_1)?;
        require_zero(bytes, MANIFEST_ZERO_AT, 8)?;
        Ok(Announcement {
            offset: HEADER_1_BYTES as u64,
            length: u32_at(bytes, BODY_LENGTH_AT),
            hash: array_at(bytes, MANIFEST_BODY_HASH_AT),
            is_withdrawn: is_withdrawn(bytes)?,
        })
    }
}

/// Where the state of a header of so many bytes stands.
pub(crate) fn state_at(header_bytes: usize) -> u64 {
    (header_bytes - STATE_FROM_END) as u64
}

/// The byte that says whether the snapshot is withdrawn.
pub(crate) fn state(is_withdrawn: bool) -> u8 {
    if is_withdrawn {
        STATE_WITHDRAWN
    } else {
        STATE_PUBLISHED
    }
}

/// The front of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackHeader {
    pub(crate) log_id: [u8; 16],
    pub(crate) id: u64,
    pub(crate) tx: u64,
    pub(crate) chain: u64,
    /// The manifest at the end; none in version 1.
    pub(crate) manifest: Option<Announcement>,
}

impl PackHeader {
    /// The header of a pack that has a manifest.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let manifest = self.manifest.expect("packs without one are of the past");
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&PACK_MAGIC);
        put(&mut bytes, VERSION_AT, &VERSION.to_le_bytes());
        put(&mut bytes, BODY_LENGTH_AT, &manifest.length.to_le_bytes());
        put(&mut bytes, PACK_LOG_ID_AT, &self.log_id);
        put(&mut bytes, PACK_ID_AT, &self.id.to_le_bytes());
        put(&mut bytes, PACK_TX_AT, &self.tx.to_le_bytes());
        put(&mut bytes, PACK_CHAIN_AT, &self.chain.to_le_bytes());
        put(&mut bytes, PACK_BODY_AT, &manifest.offset.to_le_bytes());
        put(&mut bytes, PACK_BODY_HASH_AT, &manifest.hash);
        bytes[HEADER_BYTES - STATE_FROM_END] = state(manifest.is_withdrawn);
        let crc = crc32c::crc32c(&bytes[..HEADER_BYTES - STATE_FROM_END]);
        put(&mut bytes, HEADER_BYTES - CRC_FROM_END, &crc.to_le_bytes());
        bytes
    }

    /// Reads the header that stands at the front of `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFlaw> {
        let version_1 = front(bytes, HEADER_1_BYTES)?;
        require_magic(version_1, &PACK_MAGIC)?;
        // The version says where the checksum is that covers it; a version that was flipped has the wrong one.
        let is_version_1 = version_at(bytes) == VERSION_1;
        let bytes = if is_version_1 {
            version_1
        } else {
            front(bytes, HEADER_BYTES)?
        };
        require_seal(bytes)?;
        let manifest = if is_version_1 {
            require_zero(bytes, RESERVED_AT, PACK_LOG_ID_AT - RESERVED_AT)?;
            require_zero(bytes, HEADER_1_BYTES - STATE_FROM_END, 1)?;
            None
        } else {
            require_version(bytes, VERSION)?;
            let zero_at = PACK_BODY_HASH_AT + 32;
            require_zero(bytes, zero_at, HEADER_BYTES - STATE_FROM_END - zero_at)?;
            Some(Announcement {
                offset: u64_at(bytes, PACK_BODY_AT),
                length: u32_at(bytes, BODY_LENGTH_AT),
                hash: array_at(bytes, PACK_BODY_HASH_AT),
                is_withdrawn: is_withdrawn(bytes)?,
            })
        };
        Ok(PackHeader {
            log_id: array_at(bytes, PACK_LOG_ID_AT),
            id: u64_at(bytes, PACK_ID_AT),
            tx: u64_at(bytes, PACK_TX_AT),
            chain: u64_at(bytes, PACK_CHAIN_AT),
            manifest,
        })
    }

    /// How long the header is in the file.
    pub(crate) fn bytes(&self) -> usize {
        match self.manifest {
            Some(_) => HEADER_BYTES,
            None => HEADER_1_BYTES,
        }
    }
}

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

fn front(bytes: &[u8], length: usize) -> Result<&[u8], HeaderFlaw> {
    let short = HeaderFlaw::Damaged((bytes.len(), DamageKind::Short));
    bytes.get(..length).ok_or(short)
}

fn require_magic(bytes: &[u8], magic: &[u8; 8]) -> Result<(), HeaderFlaw> {
    if bytes[..8] == *magic {
        return Ok(());
    }
    Err(HeaderFlaw::Damaged((0, DamageKind::Magic)))
}

/// Checks what ends every header, but for the state.
fn require_seal(bytes: &[u8]) -> Result<(), HeaderFlaw> {
    let state_at = bytes.len() - STATE_FROM_END;
    let crc_at = bytes.len() - CRC_FROM_END;
    if crc32c::crc32c(&bytes[..state_at]) != u32_at(bytes, crc_at) {
        return Err(HeaderFlaw::Damaged((crc_at, DamageKind::HeaderChecksum)));
    }
    require_zero(bytes, state_at + 1, crc_at - state_at - 1)
}

/// Checks the version, and what is reserved next to it, of a header whose checksum is right.
fn require_version(bytes: &[u8], supported: u16) -> Result<(), HeaderFlaw> {
    match version_at(bytes) {
        0 => Err(HeaderFlaw::Damaged((VERSION_AT, DamageKind::Reserved))),
        found if found > supported => Err(HeaderFlaw::Newer { found, supported }),
        _ => require_zero(bytes, RESERVED_AT, 2),
    }
}

fn is_withdrawn(bytes: &[u8]) -> Result<bool, HeaderFlaw> {
    let at = bytes.len() - STATE_FROM_END;
    match bytes[at] {
        STATE_PUBLISHED => Ok(false),
        STATE_WITHDRAWN => Ok(true),
        _ => Err(HeaderFlaw::Damaged((at, DamageKind::State))),
    }
}

fn require_zero(bytes: &[u8], at: usize, len: usize) -> Result<(), HeaderFlaw> {
    match bytes[at..at + len].iter().position(|byte| *byte != 0) {
        None => Ok(()),
        Some(ahead) => Err(HeaderFlaw::Damaged((at + ahead, DamageKind::Reserved))),
    }
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

fn small(value: usize) -> u8 {
    u8::try_from(value).expect("at most 64")
}

fn version_at(bytes: &[u8]) -> u16 {
    u16::from_le_bytes(array_at(bytes, VERSION_AT))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the length is N")
}
