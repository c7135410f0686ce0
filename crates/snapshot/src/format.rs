//! The bytes of packs and manifests. All integers are little-endian; reserved fields are zero.
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
//! Version 2 has no compressed pages. Version 3 is the same but that it has: each is an LZ4 block without a length in front, stands among the smaller blobs, and so
//! does each page that is not compressed, aligned; a region of it has 262144 bytes. A snapshot of either version may share with packs of either.
//!
//! # Version 1: manifest, `<tx, 20 digits>.manifest`
//!
//! Versions 2 and 3, described above, are those that are written. In version 1 the manifest was a file of its own, and the state was the manifest's.
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

/// The newest version of packs, of those with compressed pages.
const VERSION_COMPRESSED: u16 = 3;
/// The version of packs without.
const VERSION: u16 = 2;
/// The version of packs without a manifest, and the only one of manifests in files of their own.
const VERSION_1: u16 = 1;

const MANIFEST_MAGIC: [u8; 8] = *b"CAIRNMFT";
const PACK_MAGIC: [u8; 8] = *b"CAIRNPCK";

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
/// The same in a pack of compressed pages, which are smaller blobs, and several of which are to fill one.
pub(crate) const COMPRESSED_REGION_BYTES: usize = 8 * BLOB_BYTES_MAX;

const _: () = assert!(PACK_BODY_AT + 8 == PACK_BODY_HASH_AT);
const _: () = assert!(PACK_BODY_HASH_AT + 32 <= HEADER_BYTES - STATE_FROM_END);
const _: () = assert!(PACK_CHAIN_AT + 8 == HEADER_1_BYTES - STATE_FROM_END);
const _: () = assert!(MANIFEST_BODY_HASH_AT + 32 == MANIFEST_ZERO_AT);
const _: () = assert!(MANIFEST_ZERO_AT + 8 == HEADER_1_BYTES - STATE_FROM_END);
const _: () = assert!(HEADER_BYTES <= PACK_BLOBS_AT);
const _: () = assert!(BLOB_BYTES_MAX.is_multiple_of(PAGE_ALIGNMENT));
const _: () = assert!(REGION_BYTES.is_multiple_of(PAGE_ALIGNMENT));
const _: () = assert!(COMPRESSED_REGION_BYTES.is_multiple_of(PAGE_ALIGNMENT));

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
    /// Whether it may hold compressed pages.
    pub(crate) is_compressed: bool,
    /// The manifest at the end; none in version 1.
    pub(crate) manifest: Option<Announcement>,
}

impl PackHeader {
    /// The same of a snapshot that is not published.
    pub(crate) fn withdrawn(mut self) -> PackHeader {
        if let Some(manifest) = &mut self.manifest {
            manifest.is_withdrawn = true;
        }
        self
    }

    /// The header of a pack that has a manifest.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let manifest = self.manifest.expect("packs without one are of the past");
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&PACK_MAGIC);
        let version = if self.is_compressed {
            VERSION_COMPRESSED
        } else {
            VERSION
        };
        put(&mut bytes, VERSION_AT, &version.to_le_bytes());
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
            require_version(bytes, VERSION_COMPRESSED)?;
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
            is_compressed: version_at(bytes) == VERSION_COMPRESSED,
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

fn version_at(bytes: &[u8]) -> u16 {
    u16::from_le_bytes(array_at(bytes, VERSION_AT))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the length is N")
}
