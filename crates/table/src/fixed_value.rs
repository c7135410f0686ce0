//! The Rust types that a column can be read as, a whole column at a time.

use crate::ColumnType;
use crate::value_codec::with_fixed_bytes;
use crate::value_ref::ValueRef;

/// A Rust type whose slices are columns of a row page.
///
/// Implemented for the integers, the floats and `[u8; 16]` (uuid); `i64` reads timestamps too.
pub trait FixedValue: bytemuck::Pod + sealed::Sealed {
    /// Whether columns of this type hold values of the Rust type.
    fn reads(column_type: ColumnType) -> bool;
}

mod sealed {
    /// Keeps the list of types to those that pages have, and orders their values as indexes do.
    pub trait Sealed: Copy {
        /// What compares like the values.
        type Key: Copy + Ord;
        const LOWEST: Self::Key;
        const HIGHEST: Self::Key;

        fn key(self) -> Self::Key;
        fn of_key(key: Self::Key) -> Self;
    }
}

/// The value, if it is of the type and not null.
pub(crate) fn fixed_value<T: FixedValue>(value: ValueRef<'_>) -> Option<T> {
    if !T::reads(value.column_type()?) {
        return None;
    }
    let mut out = None;
    with_fixed_bytes(value, |bytes| {
        out = bytemuck::try_pod_read_unaligned(bytes).ok();
    });
    out
}

macro_rules! fixed_values {
    ($($rust:ty => $($variant:ident)|+),* $(,)?) => {$(
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

macro_rules! integers {
    ($($rust:ty),*) => {$(
        impl sealed::Sealed for $rust {
            type Key = $rust;
            const LOWEST: $rust = <$rust>::MIN;
            const HIGHEST: $rust = <$rust>::MAX;

            #[inline]
            fn key(self) -> $rust {
                self
            }

            #[inline]
            fn of_key(key: $rust) -> $rust {
                key
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128);

/// Floats in their total order are integers whose bits but the sign are turned over if they are negative.
macro_rules! floats {
    ($($rust:ty as $key:ty),*) => {$(
        impl sealed::Sealed for $rust {
            type Key = $key;
            const LOWEST: $key = <$key>::MIN;
            const HIGHEST: $key = <$key>::MAX;

            #[inline]
            fn key(self) -> $key {
                let bits = self.to_bits().cast_signed();
                bits ^ (bits >> (<$key>::BITS - 1) & <$key>::MAX)
            }

            #[inline]
            fn of_key(key: $key) -> $rust {
                let bits = key ^ (key >> (<$key>::BITS - 1) & <$key>::MAX);
                <$rust>::from_bits(bits.cast_unsigned())
            }
        }
    )*};
}

floats!(f32 as i32, f64 as i64);

impl sealed::Sealed for [u8; 16] {
    type Key = [u8; 16];
    const LOWEST: [u8; 16] = [0; 16];
    const HIGHEST: [u8; 16] = [0xff; 16];

    #[inline]
    fn key(self) -> [u8; 16] {
        self
    }

    #[inline]
    fn of_key(key: [u8; 16]) -> [u8; 16] {
        key
    }
}

// A page is read as it is written, little-endian: on another machine the slices would need a copy.
const _: () = assert!(
    cfg!(target_endian = "little"),
    "pages are read in place on little-endian only"
);
