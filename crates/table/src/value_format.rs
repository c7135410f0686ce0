//! Types and single values: part of the stable replay ABI.
//!
//! | code | type | bytes in a row | order |
//! |---|---|---|---|
//! | 0 | null | - | before everything |
//! | 1 | bool | 1: 0 or 1 | false, true |
//! | 2, 3, 4, 5, 6 | i8, i16, i32, i64, i128 | 1, 2, 4, 8, 16 | as numbers |
//! | 7, 8, 9, 10, 11 | u8, u16, u32, u64, u128 | 1, 2, 4, 8, 16 | as numbers |
//! | 12, 13 | f32, f64 | 4, 8 | IEEE 754 total order |
//! | 14 | string (UTF-8) | any | by bytes |
//! | 15 | bytes | any | by bytes |
//! | 16 | uuid | 16 | by bytes |
//! | 17 | timestamp: nanoseconds since the Unix epoch in UTC | 8, signed | by time |
//!
//! A value by itself, as the default of a column is kept:
//!
//! ```text
//!  0  | code u8 | the value's bytes, to the end |
//! ```
//!
//! Numbers are little-endian. Null has no bytes; strings and bytes have no length, they take the rest.

/// The code of null, which is no type.
pub(crate) const NULL_CODE: u8 = 0;
