//! A key that rows are looked for by: encoded, and asked for nothing but its hash, its bytes, and whether a row has it.

use crate::error::Error;
use crate::key::encode_key_to;
use crate::key_buffer::KeyRest;
use crate::key_hash::KeyHash;
use crate::row::Row;
use crate::short_key::{AddTo, ShortKey};

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
    #[inline(always)]
    pub(crate) fn is_of(&self, row: &Row<'_>, columns: &[u16]) -> Result<bool, Error> {
        match *self {
            SearchKey::Short(key) => is_short_of(key, row, columns),
            SearchKey::Long(key) => is_long_of(key, row, columns),
        }
    }
}

#[inline(always)]
fn is_short_of(key: ShortKey, row: &Row<'_>, columns: &[u16]) -> Result<bool, Error> {
    let [column] = columns else {
        return is_rest_of(key, ShortKey::EMPTY, row, columns);
    };
    // By itself, as where a key is made of values. A value in pages of its own is longer than any short key.
    let found = row.give_value(usize::from(*column), AddTo(ShortKey::EMPTY))?;
    Ok(found == Some(key))
}

/// Whether a row that begins with the key `found` has `key` with some more columns. Apart from the key of one column, which nearly
/// all are.
#[inline(never)]
fn is_rest_of(
    key: ShortKey,
    mut found: ShortKey,
    row: &Row<'_>,
    columns: &[u16],
) -> Result<bool, Error> {
    for &column in columns {
        match row.give_value(usize::from(column), AddTo(found))? {
            Some(longer) => found = longer,
            None => return Ok(false),
        }
    }
    Ok(found == key)
}

fn is_long_of(key: &[u8], row: &Row<'_>, columns: &[u16]) -> Result<bool, Error> {
    let mut rest = KeyRest::new(key);
    for &column in columns {
        let column = usize::from(column);
        match row.value_ref(column)? {
            Some(value) => encode_key_to([value], &mut rest),
            None => encode_key_to([row.value(column)?.as_ref()], &mut rest),
        }
    }
    Ok(rest.is_matched())
}
