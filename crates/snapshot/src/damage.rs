//! What can be wrong with bytes that were read back.

use crate::hash::Hash;

/// Why a snapshot, or the file that holds it, is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamageKind {
    /// The file does not begin with the magic of its kind.
    Magic,
    /// The file is shorter than its header.
    Short,
    /// The checksum of the header does not match the header.
    HeaderChecksum,
    /// A field that must be zero is not.
    Reserved,
    /// The state of a snapshot is neither published nor withdrawn.
    State,
    /// The file's length differs from what the header or the manifest says.
    Length {
        /// Bytes announced.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The hash of the manifest's body does not match the body.
    BodyHash,
    /// The manifest's body can not be decoded although its hash is right.
    BodyEncoding,
    /// The manifest contradicts itself, its header or the file's name.
    BodyContent,
    /// Something that is not a regular file has the name of one: a directory, a link, a pipe. Move it away.
    NotAFile,
    /// A pack that the manifest names does not exist.
    MissingPack,
    /// The file under a pack's name is another pack.
    WrongPack,
    /// A reference points outside of its pack, into its header, or into a pack the manifest does not name.
    ReferenceBounds,
    /// A reference has an impossible length, or a page that is not aligned.
    ReferenceShape,
    /// A blob is stored in an encoding that this version does not know.
    Encoding {
        /// The code found.
        found: u8,
    },
    /// A compressed page does not unpack to a page.
    Unpacking,
    /// The bytes of a tree node are not those of a node, or not of the height expected here.
    Node,
    /// The tree holds more nodes than its packs have room for.
    TreeTooLarge,
    /// The tree holds another number of blobs than the manifest says.
    Count {
        /// Blobs announced.
        expected: u64,
        /// Blobs found.
        found: u64,
    },
    /// Two blobs share some bytes but not all.
    Overlap,
    /// The crc32c of a blob or node does not match its bytes, as they are stored.
    Checksum {
        /// The checksum in the reference.
        expected: u32,
        /// The checksum of the bytes.
        found: u32,
    },
    /// The blake3 hash of a blob or node does not match its bytes.
    ContentHash {
        /// The hash in the reference.
        expected: Hash,
    },
    /// Bytes between blobs that must be zero are not.
    Padding,
    /// The file differs from the manifest that is held in memory.
    Changed,
    /// Another file with a name before this one holds a snapshot of the same transaction: one of them was copied here. This one is not used.
    Duplicate,
}
