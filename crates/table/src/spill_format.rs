//! What rows keep outside their page: values longer than 8,000 bytes, and the longest of a row whose strings and bytes are
//! more than that together.
//!
//! ```text
//!  row        | view | view | view |             a spill is one value longer than 8,000 bytes,
//!                 |      |      |                or all other values that a row spills, one after the other
//!                 v      +--+---+
//!  spills     | 33,500 bytes |  | 40 + 40 bytes |
//!              /          \          |           a spill is cut into pieces:
//!  pieces   | 32,704 | | 796 |     | 80 |          whole long-value pages first (page_format.rs),
//!              |           \________/              and what is left in equal pieces of at most 4,062 bytes
//!  pages    | 0: 32,704 |  | 796 | 80 | .. |     those share pages: rows of (u64 key, bytes) in pages of kind 7 (row_format.rs)
//! ```
//!
//! An ordered index has an entry for each piece: its key is the piece's, big-endian, and its row where the piece stands; a
//! whole page is slot 0 of itself.
//!
//! ```text
//!  key of a piece         63                          24 23          0
//!                        | number of the spill (40 bits) | piece (24) |     from 0
//!  buffer and offset      63  62                       23 22          0
//!  of a view             | 1 | number of the spill        | byte offset |   in the spill; buffer is the upper half
//! ```
//!
//! Spills are numbered as they come. After the last number the first one follows, and those in use are passed over. The last 512 numbers are
//! not used: their views could be those of values in chains.

use crate::layout::COLUMN_COUNT_MAX;
use crate::page_format::{LONG_VALUE_PAGE_BYTES, PAGE_HEADER_BYTES};
use crate::row_format::{
    BUFFER_LONG, COLUMNS_ALIGNMENT, HEAP_END, REGION_ALIGNMENT, VALUE_IN_PAGE_BYTES_MAX, VIEW_BYTES,
};
use crate::value::VALUE_BYTES_MAX;

/// How many bytes of a spill a page of its own holds.
pub(crate) const WHOLE_PIECE_BYTES: usize = LONG_VALUE_PAGE_BYTES;

/// The most bytes of a piece that shares its page: eight of them fill one.
pub(crate) const SHARED_PIECE_BYTES_MAX: usize = 4062;

/// How many pieces a page is filled by at least.
const PIECES_A_PAGE: usize = 8;

/// The most pieces of a spill that share pages.
pub(crate) const SHARED_PIECES_MAX: u32 = 9;
const _: () =
    assert!(WHOLE_PIECE_BYTES.div_ceil(SHARED_PIECE_BYTES_MAX) == SHARED_PIECES_MAX as usize);

const EMPTY_BYTES: usize =
    (PAGE_HEADER_BYTES + REGION_ALIGNMENT as usize).next_multiple_of(COLUMNS_ALIGNMENT as usize);
const _: () = assert!(
    EMPTY_BYTES + PIECES_A_PAGE * (8 + VIEW_BYTES + SHARED_PIECE_BYTES_MAX) == HEAP_END as usize
);

const PIECE_BITS: u32 = 24;
const OFFSET_BITS: u32 = 23;
const BUFFER_BITS: u32 = 32;

const _: () = assert!(VALUE_BYTES_MAX / WHOLE_PIECE_BYTES < (1 << PIECE_BITS) - 10);
const _: () = assert!(COLUMN_COUNT_MAX * (VALUE_IN_PAGE_BYTES_MAX as usize) < 1 << OFFSET_BITS);

/// How many numbers there are for spills.
pub(crate) const SPILL_NUMBER_COUNT: u64 = (1 << 40) - (1 << 9);

/// What is set in the buffer of a view whose value stands in a spill.
pub(crate) const BUFFER_SPILLED: u32 = 1 << (BUFFER_BITS - 1);
const _: () = assert!(place_bits(SPILL_NUMBER_COUNT - 1, 0).0 < BUFFER_LONG);
const _: () = assert!(place_bits(SPILL_NUMBER_COUNT, 0).0 == BUFFER_LONG);

/// How many bytes of a spill the next piece has, of so many that are left.
pub(crate) fn piece_bytes(rest: usize) -> usize {
    if rest >= WHOLE_PIECE_BYTES {
        return WHOLE_PIECE_BYTES;
    }
    rest.div_ceil(rest.div_ceil(SHARED_PIECE_BYTES_MAX).max(1))
}

/// The key of a piece.
pub(crate) const fn piece_key(number: u64, piece: u32) -> u64 {
    number << PIECE_BITS | piece as u64
}

/// The spill that a piece with this key belongs to, and which of its pieces it is.
#[expect(clippy::cast_possible_truncation, reason = "24 bits are left")]
pub(crate) const fn piece_of_key(key: u64) -> (u64, u32) {
    (key >> PIECE_BITS, (key & PIECE_MAX as u64) as u32)
}

/// The last piece that a spill can have.
pub(crate) const PIECE_MAX: u32 = (1 << PIECE_BITS) - 1;

/// Buffer and offset of the view of a value at a place in a spill.
#[expect(clippy::cast_possible_truncation, reason = "halves are taken")]
pub(crate) const fn place_bits(number: u64, byte_offset: u32) -> (u32, u32) {
    let bits = (1 << 63) | number << OFFSET_BITS | byte_offset as u64;
    ((bits >> BUFFER_BITS) as u32, bits as u32)
}

/// The spill and the byte offset in it that a view says.
pub(crate) const fn place_of_bits(buffer: u32, offset: u32) -> (u64, u32) {
    let bits = (buffer as u64) << BUFFER_BITS | offset as u64;
    let number = (bits & !(1 << 63)) >> OFFSET_BITS;
    (number, (bits & ((1 << OFFSET_BITS) - 1)) as u32)
}

/// The greatest byte offset in a spill that a view can say.
pub(crate) const BYTE_OFFSET_MAX: u32 = (1 << OFFSET_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(mut rest: usize) -> Vec<usize> {
        let mut pieces = Vec::new();
        while rest > 0 {
            pieces.push(piece_bytes(rest));
            rest -= pieces[pieces.len() - 1];
        }
        pieces
    }

    #[test]
    fn spills_are_cut_like_this() {
        let rows: [(usize, &[usize]); 11] = [
            (13, &[13]),
            (4_062, &[4_062]),
            (4_063, &[2_032, 2_031]),
            (8_001, &[4_001, 4_000]),
            (8_124, &[4_062, 4_062]),
            (12_186, &[4_062, 4_062, 4_062]),
            (
                32_703,
                &[
                    3_634, 3_634, 3_634, 3_634, 3_634, 3_634, 3_633, 3_633, 3_633,
                ],
            ),
            (32_704, &[32_704]),
            (32_705, &[32_704, 1]),
            (33_000, &[32_704, 296]),
            (70_000, &[32_704, 32_704, 2_296, 2_296]),
        ];
        for (bytes, expected) in rows {
            assert_eq!(pieces(bytes), expected, "{bytes}");
        }
        for bytes in 13..100_000 {
            let pieces = pieces(bytes);
            assert_eq!(pieces.iter().sum::<usize>(), bytes);
            let shared = pieces.iter().filter(|piece| **piece < WHOLE_PIECE_BYTES);
            assert!(shared.clone().all(|piece| *piece <= SHARED_PIECE_BYTES_MAX));
            assert!(shared.count() <= SHARED_PIECES_MAX as usize);
        }
    }

    #[test]
    fn views_and_keys_say_where() {
        assert_eq!(place_bits(0, 0), (0x8000_0000, 0));
        assert_eq!(place_bits(0, BYTE_OFFSET_MAX), (0x8000_0000, 0x007F_FFFF));
        assert_eq!(place_bits(1, 5), (0x8000_0000, 0x0080_0005));
        assert_eq!(place_bits(0x12_3456_789A, 0), (0x891A_2B3C, 0x4D00_0000));
        for number in [0, 1, 511, 512, SPILL_NUMBER_COUNT - 1] {
            for byte_offset in [0, 1, BYTE_OFFSET_MAX] {
                let (buffer, offset) = place_bits(number, byte_offset);
                assert_eq!(place_of_bits(buffer, offset), (number, byte_offset));
            }
            for piece in [0, 1, PIECE_MAX] {
                assert_eq!(piece_of_key(piece_key(number, piece)), (number, piece));
            }
        }
        assert_eq!(piece_key(3, 2), 0x0300_0002);
    }
}
