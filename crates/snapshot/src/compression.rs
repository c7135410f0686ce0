//! Pages as LZ4 blocks.
//!
//! A block is unpacked into a page and nothing else: no length in a file is believed, and whatever the bytes are, no more than a page is written.

use crate::damage::DamageKind;
use crate::format::BLOB_BYTES_MAX;

/// Whether a blob of this length may be packed: only pages are.
pub(crate) fn is_page(length: usize) -> bool {
    length == BLOB_BYTES_MAX
}

/// Packs a page; `None` if it would not be shorter.
pub(crate) fn pack(page: &[u8]) -> Option<Vec<u8>> {
    let packed = lz4_flex::block::compress(page);
    (packed.len() < page.len()).then_some(packed)
}

/// Unpacks into `page`, which must be filled exactly.
pub(crate) fn unpack(packed: &[u8], page: &mut [u8]) -> Result<(), DamageKind> {
    match lz4_flex::block::decompress_into(packed, page) {
        Ok(length) if length == page.len() => Ok(()),
        _ => Err(DamageKind::Unpacking),
    }
}
