//! The bytes of the identity file, and how a state is laid out in the sections of a snapshot. All integers are little-endian.
//!
//! `DIR/identity` says which database a directory holds, so that a directory whose log was lost is never taken for an empty one. It is
//! written under the name `identity.tmp`, synced and renamed; after that it never changes.
//!
//! ```text
//!  0  magic "cairn id"
//!  8  version u16 | reserved u16 | reserved u32
//! 16  database id, 16 bytes
//! 32  reserved u32 | checksum u32 over bytes 0..36     (CRC-32C)
//! ```
//!
//! `DIR/lock` has no format: it holds a line of text that says who holds the lock, for messages. Nothing else is read from it.
//!
//! The file `identity` is exactly 40 bytes long; reserved fields are zero. Every version keeps magic, version and the place of the checksum.
//!
//! A snapshot of a state has two sections:
//!
//! ```text
//! section 0   the pages, each under its page number
//! section 1   the table heads; part p of the head of table t under the number t << 16 | p, each part but the last 32 KiB long
//! ```

use crate::database_id::DatabaseId;

/// The newest version that this build reads, and the one that it writes.
pub(crate) const VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"cairn id";
const VERSION_BYTE: usize = MAGIC.len();
const ID_BYTE: usize = VERSION_BYTE + 8;
const CHECKSUM_BYTE: usize = ID_BYTE + 16 + 4;
/// The length of the file.
pub(crate) const IDENTITY_BYTES: usize = CHECKSUM_BYTE + 4;
const _: () = assert!(IDENTITY_BYTES == 40);

/// The section of a snapshot that holds the pages.
pub(crate) const PAGES_SECTION: usize = 0;
/// The section of a snapshot that holds the table heads.
pub(crate) const HEADS_SECTION: usize = 1;
/// The longest part of a table head.
pub(crate) const HEAD_PART_BYTES: usize = 32 * 1024;
const HEAD_PART_BITS: u32 = 16;
/// The longest table head: as many parts as there are numbers for.
pub(crate) const HEAD_BYTES_MAX: usize = HEAD_PART_BYTES << HEAD_PART_BITS;

/// The number of a part of the head of a table.
pub(crate) fn head_part_number(table: u32, part: u16) -> u64 {
    u64::from(table) << HEAD_PART_BITS | u64::from(part)
}

/// The table and the part that a number stands for; `None` if no table has such a number.
pub(crate) fn parse_head_part_number(number: u64) -> Option<(u32, u16)> {
    let table = u32::try_from(number >> HEAD_PART_BITS).ok()?;
    let part = u16::try_from(number & ((1 << HEAD_PART_BITS) - 1)).ok()?;
    Some((table, part))
}

/// Why bytes are not an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityFlaw {
    /// The file has another length.
    #[error("the file has {bytes} bytes instead of {IDENTITY_BYTES}")]
    Length {
        /// The length found; longer files are not read further than one byte too many.
        bytes: u64,
    },
    /// The file does not begin as an identity does.
    #[error("the file does not begin as an identity does")]
    Magic,
    /// The checksum does not match the bytes.
    #[error("the checksum does not match")]
    Checksum,
    /// The checksum holds but a field that must be zero is not.
    #[error("a reserved field is not zero")]
    Reserved,
}

/// What the bytes of an identity file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoded {
    Sound(DatabaseId),
    /// The checksum holds but the version is higher than [`VERSION`].
    Newer(u16),
    Flawed(IdentityFlaw),
}

pub(crate) fn encode(id: DatabaseId) -> [u8; IDENTITY_BYTES] {
    let mut bytes = [0; IDENTITY_BYTES];
    bytes[..VERSION_BYTE].copy_from_slice(&MAGIC);
    bytes[VERSION_BYTE..VERSION_BYTE + 2].copy_from_slice(&VERSION.to_le_bytes());
    bytes[ID_BYTE..ID_BYTE + 16].copy_from_slice(&id.0);
    let checksum = crc32c::crc32c(&bytes[..CHECKSUM_BYTE]);
    bytes[CHECKSUM_BYTE..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let Ok(bytes) = <&[u8; IDENTITY_BYTES]>::try_from(bytes) else {
        return Decoded::Flawed(IdentityFlaw::Length {
            bytes: bytes.len() as u64,
        });
    };
    if bytes[..VERSION_BYTE] != MAGIC {
        return Decoded::Flawed(IdentityFlaw::Magic);
    }
    if crc32c::crc32c(&bytes[..CHECKSUM_BYTE]).to_le_bytes() != bytes[CHECKSUM_BYTE..] {
        return Decoded::Flawed(IdentityFlaw::Checksum);
    }
    let version = u16::from_le_bytes([bytes[VERSION_BYTE], bytes[VERSION_BYTE + 1]]);
    if version > VERSION {
        return Decoded::Newer(version);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[ID_BYTE..ID_BYTE + 16]);
    // Whatever is sound is exactly what this build would write: no byte goes unchecked.
    if encode(DatabaseId(id)) != *bytes {
        return Decoded::Flawed(IdentityFlaw::Reserved);
    }
    Decoded::Sound(DatabaseId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: DatabaseId = DatabaseId(*b"0123456789abcdef");

    /// Written out by hand; changing it needs a new version.
    const GOLDEN: [u8; IDENTITY_BYTES] = [
        b'c', b'a', b'i', b'r', b'n', b' ', b'i', b'd', //
        1, 0, 0, 0, 0, 0, 0, 0, //
        b'0', b'1', b'2', b'3', b'4', b'5', b'6', b'7', //
        b'8', b'9', b'a', b'b', b'c', b'd', b'e', b'f', //
        0, 0, 0, 0, 0x78, 0x86, 0x33, 0x42,
    ];

    #[test]
    fn golden_bytes() {
        assert_eq!(encode(ID), GOLDEN);
        assert_eq!(decode(&encode(ID)), Decoded::Sound(ID));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let sound = encode(ID);
        for bit in 0..IDENTITY_BYTES * 8 {
            let mut bytes = sound;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&bytes), Decoded::Flawed(_)), "bit {bit}");
        }
    }

    #[test]
    fn every_other_length_is_found() {
        let mut bytes = encode(ID).to_vec();
        bytes.push(0);
        for length in (0..IDENTITY_BYTES).chain([IDENTITY_BYTES + 1]) {
            let flaw = IdentityFlaw::Length {
                bytes: length as u64,
            };
            assert_eq!(decode(&bytes[..length]), Decoded::Flawed(flaw));
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = encode(ID);
        bytes[VERSION_BYTE] = 2;
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_BYTE]);
        bytes[CHECKSUM_BYTE..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(decode(&bytes), Decoded::Newer(2));
    }
}
