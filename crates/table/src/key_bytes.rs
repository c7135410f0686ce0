//! The bytes of one key, kept where they are compared.
//!
//! An ordered list compares a key with many others. Were each of them behind a pointer, nearly every comparison in a large
//! list would wait for memory; so short keys, which most are, stand in their entries.

use std::ops::Deref;
use std::sync::Arc;

/// The longest key that stands in its entry.
const INLINE_BYTES_MAX: usize = 22;

/// An encoded key. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum KeyBytes {
    /// Invariant: `len` is at most [`INLINE_BYTES_MAX`].
    Inline {
        len: u8,
        bytes: [u8; INLINE_BYTES_MAX],
    },
    Shared(Arc<[u8]>),
}

const _: () = assert!(size_of::<KeyBytes>() == 24);

impl From<&[u8]> for KeyBytes {
    fn from(key: &[u8]) -> Self {
        match u8::try_from(key.len()) {
            Ok(len) if key.len() <= INLINE_BYTES_MAX => {
                let mut bytes = [0; INLINE_BYTES_MAX];
                bytes[..key.len()].copy_from_slice(key);
                KeyBytes::Inline { len, bytes }
            }
            _ => KeyBytes::Shared(Arc::from(key)),
        }
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            KeyBytes::Inline { len, bytes } => &bytes[..usize::from(*len)],
            KeyBytes::Shared(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_are_kept() {
        let long: Vec<u8> = (0..=255).collect();
        for length in 0..=long.len() {
            let key = KeyBytes::from(&long[..length]);
            assert_eq!(*key, long[..length]);
            assert_eq!(matches!(key, KeyBytes::Inline { .. }), length <= 22);
        }
    }
}
