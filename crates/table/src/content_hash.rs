//! What stands for a row in the index of whole rows.

use crate::layout::Layout;
use crate::row_codec::encode_row;
use crate::value_ref::ValueRef;

/// The first 8 bytes of the keyed hash of a row's canonical bytes. Collisions are met by comparing the rows.
pub(crate) fn content_hash(
    hash_key: &[u8; 32],
    layout: &Layout,
    values: &[ValueRef<'_>],
    buffer: &mut Vec<u8>,
) -> [u8; 8] {
    buffer.clear();
    encode_row(layout, values, buffer);
    let hash = blake3::keyed_hash(hash_key, buffer);
    let mut out = [0; 8];
    out.copy_from_slice(&hash.as_bytes()[..8]);
    out
}
