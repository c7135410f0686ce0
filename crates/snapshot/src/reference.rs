//! A reference: where a blob is stored, and what its bytes must be.

use serde::{Deserialize, Serialize};

use crate::damage::DamageKind;
use crate::format::{BLOB_BYTES_MAX, NodeChild, PACK_BLOBS_AT, PAGE_ALIGNMENT};
use crate::hash::Hash;

/// The stored bytes are the content.
pub(crate) const ENCODING_PLAIN: u8 = 0;

/// Names a blob or a node, says where to find it and how to check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) hash: Hash,
    pub(crate) pack_id: u64,
    /// In the pack, in bytes.
    pub(crate) offset: u64,
    /// Of the content, in bytes.
    pub(crate) length: u32,
    /// Of what is in the pack, in bytes.
    pub(crate) stored_length: u32,
    /// Of the content.
    pub(crate) crc32c: u32,
    pub(crate) encoding: u8,
}

impl Reference {
    /// Checks all that can be checked without the bytes: that they lie inside of a pack of `pack_length` bytes.
    pub(crate) fn check_shape(&self, pack_length: u64) -> Result<(), DamageKind> {
        if self.encoding != ENCODING_PLAIN {
            return Err(DamageKind::Encoding {
                found: self.encoding,
            });
        }
        let is_page = self.length as usize == BLOB_BYTES_MAX;
        if self.length == 0
            || self.length as usize > BLOB_BYTES_MAX
            || self.length != self.stored_length
            || (is_page && !self.offset.is_multiple_of(PAGE_ALIGNMENT as u64))
        {
            return Err(DamageKind::ReferenceShape);
        }
        let end = self.offset.checked_add(u64::from(self.stored_length));
        if self.offset < PACK_BLOBS_AT as u64 || end.is_none_or(|end| end > pack_length) {
            return Err(DamageKind::ReferenceBounds);
        }
        Ok(())
    }

    /// Pack id and offset.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.pack_id, self.offset)
    }

    /// The first byte behind what is stored. Only after [`Reference::check_shape`].
    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.stored_length)
    }

    /// Checks the crc32c.
    pub(crate) fn check_crc(&self, content: &[u8]) -> Result<(), DamageKind> {
        let found = crc32c::crc32c(content);
        if found == self.crc32c {
            return Ok(());
        }
        Err(DamageKind::Checksum {
            expected: self.crc32c,
            found,
        })
    }

    /// Checks the crc32c and the blake3 hash of a blob (not of a node, whose hash is another).
    pub(crate) fn check_blob(&self, content: &[u8]) -> Result<(), DamageKind> {
        self.check_crc(content)?;
        if Hash::of(content) == self.hash {
            return Ok(());
        }
        Err(DamageKind::ContentHash {
            expected: self.hash,
        })
    }

    /// The content, out of what is stored; checked.
    pub(crate) fn content(&self, stored: Vec<u8>) -> Result<Vec<u8>, DamageKind> {
        self.check_blob(&stored)?;
        Ok(stored)
    }

    /// What is to be stored for this content; `None` if it is not what the reference says.
    pub(crate) fn stored_form(&self, content: &[u8]) -> Option<Vec<u8>> {
        self.check_blob(content).is_ok().then(|| content.to_vec())
    }

    pub(crate) fn child(&self, digit: u8) -> NodeChild {
        NodeChild {
            digit,
            hash: self.hash.0,
            pack_id: self.pack_id,
            offset: self.offset,
            length: self.length,
            stored_length: self.stored_length,
            crc32c: self.crc32c,
            encoding: self.encoding,
        }
    }
}

impl From<NodeChild> for Reference {
    fn from(child: NodeChild) -> Self {
        Reference {
            hash: Hash(child.hash),
            pack_id: child.pack_id,
            offset: child.offset,
            length: child.length,
            stored_length: child.stored_length,
            crc32c: child.crc32c,
            encoding: child.encoding,
        }
    }
}
