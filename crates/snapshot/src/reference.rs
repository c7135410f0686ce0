//! A reference: where a blob is stored, and what its bytes must be.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::compression;
use crate::damage::DamageKind;
use crate::format::{BLOB_BYTES_MAX, PACK_BLOBS_AT, PAGE_ALIGNMENT};
use crate::hash::Hash;
use crate::node_format::{ENCODING_LZ4, ENCODING_PLAIN, NodeChild};

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
    /// Of what is in the pack.
    pub(crate) crc32c: u32,
    pub(crate) encoding: u8,
}

impl Reference {
    /// Checks all that can be checked without the bytes: that they lie inside of a pack of `pack_length` bytes, which may hold compressed pages or not.
    pub(crate) fn check_shape(
        &self,
        pack_length: u64,
        may_be_compressed: bool,
    ) -> Result<(), DamageKind> {
        let is_known = match self.encoding {
            ENCODING_PLAIN => true,
            ENCODING_LZ4 => may_be_compressed,
            _ => false,
        };
        if !is_known {
            return Err(DamageKind::Encoding {
                found: self.encoding,
            });
        }
        let is_page = self.length as usize == BLOB_BYTES_MAX;
        let is_fit = match self.is_compressed() {
            true => is_page && (1..self.length).contains(&self.stored_length),
            false => {
                let is_aligned = self.offset.is_multiple_of(PAGE_ALIGNMENT as u64);
                self.length == self.stored_length && (!is_page || is_aligned)
            }
        };
        if self.length == 0 || self.length as usize > BLOB_BYTES_MAX || !is_fit {
            return Err(DamageKind::ReferenceShape);
        }
        let end = self.offset.checked_add(u64::from(self.stored_length));
        if self.offset < PACK_BLOBS_AT as u64 || end.is_none_or(|end| end > pack_length) {
            return Err(DamageKind::ReferenceBounds);
        }
        Ok(())
    }

    /// Whether what is stored is not the content.
    pub(crate) fn is_compressed(&self) -> bool {
        self.encoding != ENCODING_PLAIN
    }

    /// Pack id and offset.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.pack_id, self.offset)
    }

    /// The first byte behind what is stored. Only after [`Reference::check_shape`].
    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.stored_length)
    }

    /// Checks the crc32c of what is stored.
    pub(crate) fn check_crc(&self, stored: &[u8]) -> Result<(), DamageKind> {
        let found = crc32c::crc32c(stored);
        if found == self.crc32c {
            return Ok(());
        }
        Err(DamageKind::Checksum {
            expected: self.crc32c,
            found,
        })
    }

    /// Checks the blake3 hash of a blob (not of a node, whose hash is another).
    pub(crate) fn check_hash(&self, content: &[u8]) -> Result<(), DamageKind> {
        if Hash::of(content) == self.hash {
            return Ok(());
        }
        Err(DamageKind::ContentHash {
            expected: self.hash,
        })
    }

    /// Unpacks what is stored of a compressed page, once its crc32c is right, into as many bytes.
    pub(crate) fn unpack(&self, stored: &[u8], page: &mut [u8]) -> Result<(), DamageKind> {
        self.check_crc(stored)?;
        compression::unpack(stored, page)
    }

    /// The content of a blob, out of what is stored; checked in every way.
    pub(crate) fn content<'a>(
        &self,
        stored: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Cow<'a, [u8]>, DamageKind> {
        let stored = stored.into();
        let content = if self.is_compressed() {
            let mut page = vec![0; self.length as usize];
            self.unpack(&stored, &mut page)?;
            Cow::Owned(page)
        } else {
            self.check_crc(&stored)?;
            stored
        };
        self.check_hash(&content)?;
        Ok(content)
    }

    /// What is to be stored for this content; `None` if it is not what the reference says.
    pub(crate) fn stored_form(&self, content: &[u8]) -> Option<Vec<u8>> {
        self.check_hash(content).ok()?;
        let stored = match self.is_compressed() {
            true => compression::pack(content)?,
            false => content.to_vec(),
        };
        // Another version of the compressor may have packed it.
        let is_it = stored.len() == self.stored_length as usize && self.check_crc(&stored).is_ok();
        is_it.then_some(stored)
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
