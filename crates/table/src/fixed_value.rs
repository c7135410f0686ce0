//! The Rust types that a column can be read as, a whole column at a time.

use crate::ColumnType;

/// A Rust type whose slices are columns of a row page.
///
/// Implemented for the integers, the floats and `[u8; 16]` (uuid); `i64` reads timestamps too.
pub trait FixedValue: bytemuck::Pod + sealed::Sealed {
    /// Whether columns of this type hold values of the Rust type.
    fn reads(column_type: ColumnType) -> bool;
}

mod sealed {
    /// Keeps the list of types to those that pages have.
    pub trait Sealed {}
}

macro_rules! fixed_values {
    ($($rust:ty => $($variant:ident)|+),* $(,)?) => {$(
        impl sealed::Sealed for $rust {}

        impl FixedValue for $rust {
            fn reads(column_type: ColumnType) -> bool {
                matches!(column_type, $(ColumnType::$variant)|+)
            }
        }
    )*};
}

fixed_values!(
    i8 => I8, i16 => I16, i32 => I32, i64 => I64 | Timestamp, i128 => I128,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64, u128 => U128,
    f32 => F32, f64 => F64, [u8; 16] => Uuid,
);

// A page is read as it is written, little-endian: on another machine the slices would need a copy.
const _: () = assert!(
    cfg!(target_endian = "little"),
    "pages are read in place on little-endian only"
);
