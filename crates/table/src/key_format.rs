//! Keys of ordered indexes: values as bytes that sort like them.
//!
//! ```text
//! key    = column, column, ...
//! column = 00                              null
//!        | 01 body                         a value
//! body   = bool             00 | 01
//!          unsigned         big-endian
//!          signed, time     big-endian, sign bit flipped
//!          float            big-endian bits: all flipped if negative, else the sign bit
//!          uuid             the 16 bytes
//!          string, bytes    each byte, 00 written as 00 FF; then 00 01
//! ```
//!
//! Byte order is value order, null first, floats in their total order. No key is a prefix of another. All keys that
//! begin with the columns of a prefix lie from the prefix to the prefix followed by FF.

/// The tag of null.
pub(crate) const NULL_TAG: u8 = 0x00;

/// The tag of a value; its body follows.
pub(crate) const VALUE_TAG: u8 = NULL_TAG + 1;

/// Sorts after every tag, so after every key that begins with what stands before it.
pub(crate) const PREFIX_END: u8 = 0xFF;

/// Inside a string or bytes, the byte that begins an escape.
pub(crate) const ESCAPE: u8 = 0x00;

/// After [`ESCAPE`]: the value ends. It sorts before whatever a longer value goes on with.
pub(crate) const TERMINATOR: u8 = 0x01;

/// After [`ESCAPE`]: the value has a zero byte.
pub(crate) const ESCAPED_ZERO: u8 = 0xFF;

/// The bit that is flipped so that negative numbers sort first.
pub(crate) const SIGN_BIT: u8 = 0x80;

const _: () = assert!(VALUE_TAG < PREFIX_END);
const _: () = assert!(TERMINATOR < ESCAPED_ZERO);
