//! A key that rows are looked for by: encoded, and asked for nothing but its hash, its bytes, and whether a row has it.

use crate::error::Error;
use crate::key::encode_key_to;
use crate::key_buffer::KeyRest;
use crate::key_hash::KeyHash;
use crate::row::Row;
use crate::short_key::ShortKey;

/// An encoded key, for lookups.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SearchKey<'k> {
    Short(ShortKey),
    Long(&'k [u8]),
}

impl<'k> SearchKey<'k> {
    #[inline]
    pub(crate) fn new(bytes: &'k [u8]) -> SearchKey<'k> {
        ShortKey::of_bytes(bytes).map_or(SearchKey::Long(bytes), SearchKey::Short)
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            SearchKey::Short(key) => key.bytes(),
            SearchKey::Long(bytes) => bytes,
        }
    }

    #[inline(always)]
    pub(crate) fn hash(&self, hash_key: &[u8; 32]) -> KeyHash {
        match self {
            SearchKey::Short(key) => KeyHash::of_short(hash_key, *key),
            SearchKey::Long(bytes) => KeyHash::new(hash_key, bytes),
        }
    }

    /// Whether a row has exactly this key in some columns. A hash index finds rows that have not, now and then.
    pub(crate) fn is_of(&self, row: &Row<'_>, columns: &[u16]) -> Result<bool, Error> {
        let mut rest = KeyRest::new(self.bytes());
        for &column in columns {
            let column = usize::from(column);
            match row.value_ref(column)? {
                Some(value) => encode_key_to([value], &mut rest),
                None => encode_key_to([row.value(column)?.as_ref()], &mut rest),
            }
        }
        Ok(rest.is_matched())
    }
}
