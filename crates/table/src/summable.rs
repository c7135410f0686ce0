//! Types whose values can be summed, and what a sum of them is.
//!
//! | values | sum | an overflow |
//! |---|---|---|
//! | i8, i16, i32, i64 | i128 | can not be: 2^40 rows are the most there can be |
//! | u8, u16, u32, u64 | u128 | the same |
//! | i128, u128 | the same type | is told; only the total counts, whatever was passed on the way |
//! | f32, f64 | f64 | is infinite, as floats are |
//!
//! Integers are summed exactly, so the order of the rows does not matter. Floats are summed in eight lanes for each page,
//! and one by one in a transaction that has written to the table: the last bits of a sum depend on where its rows stand.

use crate::fixed_value::FixedValue;

/// A type of column that can be summed.
pub trait Summable: FixedValue {
    /// What a sum is.
    type Sum;
    /// A sum under way.
    #[doc(hidden)]
    type Partial: Default;

    /// Adds the values of a page: at most 4095.
    #[doc(hidden)]
    fn add_all(partial: &mut Self::Partial, values: &[Self]);

    /// Adds the values of four pages.
    #[doc(hidden)]
    #[inline]
    fn add_pages(partial: &mut Self::Partial, pages: &[&[Self]; 4]) {
        pages
            .iter()
            .for_each(|values| Self::add_all(partial, values));
    }

    /// The sum, or nothing where the type does not hold it.
    #[doc(hidden)]
    fn total(partial: Self::Partial) -> Option<Self::Sum>;
}

/// Integers of at most 32 bits: a page of them fits 64 bits.
macro_rules! narrow {
    ($($rust:ty => $page:ty => $sum:ty),* $(,)?) => {$(
        impl Summable for $rust {
            type Sum = $sum;
            type Partial = $sum;

            #[inline]
            fn add_all(partial: &mut $sum, values: &[$rust]) {
                let sum: $page = values.iter().map(|&value| <$page>::from(value)).sum();
                *partial += <$sum>::from(sum);
            }

            fn total(partial: $sum) -> Option<$sum> {
                Some(partial)
            }
        }
    )*};
}

narrow!(
    i8 => i64 => i128, i16 => i64 => i128, i32 => i64 => i128,
    u8 => u64 => u128, u16 => u64 => u128, u32 => u64 => u128,
);

/// If all values of a few pages are nearer to zero than this, their sum fits 64 bits.
const SMALL: u64 = 1 << 48;
const _: () = assert!(
    (PAGES_AT_ONCE * crate::row_format::SLOT_COUNT_MAX as usize) as u64 * SMALL < i64::MAX as u64
);

/// So many pages are summed in step: a processor fetches ahead in each of them, and begins anew less often.
pub(crate) const PAGES_AT_ONCE: usize = 4;

/// The sum of the values of a few pages, unless the bits of one of them reach the limit.
#[inline]
fn sum_of_small<T: Copy + Default>(
    pages: &[&[T]; PAGES_AT_ONCE],
    add: impl Fn(T, T) -> T,
    bits: impl Fn(T) -> u64,
    limit: u64,
) -> Option<T> {
    let length = pages.iter().map(|values| values.len()).min()?;
    let [a, b, c, d] = pages.map(|values| &values[..length]);
    let (mut sum, mut seen) = (T::default(), 0);
    for (((&a, &b), &c), &d) in a.iter().zip(b).zip(c).zip(d) {
        sum = add(sum, add(add(a, b), add(c, d)));
        seen |= (bits(a) | bits(b)) | (bits(c) | bits(d));
    }
    for values in pages {
        let (of_rest, seen_there) = sum_and_bits(&values[length..], &add, &bits);
        sum = add(sum, of_rest);
        seen |= seen_there;
    }
    (seen < limit).then_some(sum)
}

/// Small positive and negative numbers as small ones.
#[inline]
fn shifted(value: i64) -> u64 {
    value.wrapping_add_unsigned(SMALL).cast_unsigned()
}

impl Summable for i64 {
    type Sum = i128;
    type Partial = i128;

    #[inline]
    fn add_all(partial: &mut i128, values: &[i64]) {
        let (sum, seen) = sum_and_bits(values, i64::wrapping_add, shifted);
        *partial += if seen < 2 * SMALL {
            i128::from(sum)
        } else {
            values.iter().map(|&value| i128::from(value)).sum::<i128>()
        };
    }

    fn add_pages(partial: &mut i128, pages: &[&[i64]; PAGES_AT_ONCE]) {
        match sum_of_small(pages, i64::wrapping_add, shifted, 2 * SMALL) {
            Some(sum) => *partial += i128::from(sum),
            None => pages
                .iter()
                .for_each(|values| Self::add_all(partial, values)),
        }
    }

    fn total(partial: i128) -> Option<i128> {
        Some(partial)
    }
}

impl Summable for u64 {
    type Sum = u128;
    type Partial = u128;

    #[inline]
    fn add_all(partial: &mut u128, values: &[u64]) {
        let (sum, seen) = sum_and_bits(values, u64::wrapping_add, |value| value);
        *partial += if seen < SMALL {
            u128::from(sum)
        } else {
            values.iter().map(|&value| u128::from(value)).sum::<u128>()
        };
    }

    fn add_pages(partial: &mut u128, pages: &[&[u64]; PAGES_AT_ONCE]) {
        match sum_of_small(pages, u64::wrapping_add, |value| value, SMALL) {
            Some(sum) => *partial += u128::from(sum),
            None => pages
                .iter()
                .for_each(|values| Self::add_all(partial, values)),
        }
    }

    fn total(partial: u128) -> Option<u128> {
        Some(partial)
    }
}

/// The sum of all values, and all bits that one of them has.
#[inline]
fn sum_and_bits<T: Copy + Default>(
    values: &[T],
    add: impl Fn(T, T) -> T,
    bits: impl Fn(T) -> u64,
) -> (T, u64) {
    let fold = |(sum, seen): (T, u64), &value: &T| (add(sum, value), seen | bits(value));
    values.iter().fold((T::default(), 0), fold)
}

/// The upper and the lower halves of integers of 128 bits, summed apart, so that nothing overflows on the way.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Halves<T> {
    upper: T,
    lower: u128,
}

macro_rules! wide {
    ($($rust:ty),*) => {$(
        impl Summable for $rust {
            type Sum = $rust;
            type Partial = Halves<$rust>;

            fn add_all(partial: &mut Halves<$rust>, values: &[$rust]) {
                for &value in values {
                    partial.upper += value >> 64;
                    partial.lower += (value as u128) & u128::from(u64::MAX);
                }
            }

            fn total(partial: Halves<$rust>) -> Option<$rust> {
                let carried = <$rust>::try_from(partial.lower >> 64).ok()?;
                let lower = <$rust>::try_from(partial.lower & u128::from(u64::MAX)).ok()?;
                let upper = partial.upper.checked_add(carried)?;
                upper.checked_mul(1 << 64)?.checked_add(lower)
            }
        }
    )*};
}

wide!(i128, u128);

macro_rules! floats {
    ($($rust:ty),*) => {$(
        impl Summable for $rust {
            type Sum = f64;
            type Partial = f64;

            #[inline]
            fn add_all(partial: &mut f64, values: &[$rust]) {
                let mut lanes = [0.0; 8];
                let (blocks, rest) = values.as_chunks::<8>();
                for block in blocks {
                    for (lane, &value) in lanes.iter_mut().zip(block) {
                        *lane += f64::from(value);
                    }
                }
                for (lane, &value) in lanes.iter_mut().zip(rest) {
                    *lane += f64::from(value);
                }
                *partial += lanes.iter().sum::<f64>();
            }

            fn total(partial: f64) -> Option<f64> {
                Some(partial)
            }
        }
    )*};
}

floats!(f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of different lengths with one value among zeros, wherever it stands, are summed as one by one.
    #[test]
    fn pages_in_step_have_the_sum_of_their_values() {
        let lengths = [9, 40, 17, 23];
        for value in [1, -1, 1 << 47, -(1 << 48), 1 << 48, i64::MAX, i64::MIN] {
            for page in 0..PAGES_AT_ONCE {
                for at in 0..lengths[page] {
                    let mut pages = lengths.map(|length| vec![value / 3; length]);
                    pages[page][at] = value;
                    let pages = pages.each_ref().map(|values| &values[..]);
                    let expected: i128 =
                        pages.concat().iter().map(|&value| i128::from(value)).sum();
                    let mut sum = 5;
                    i64::add_pages(&mut sum, &pages);
                    assert_eq!(sum, expected + 5, "{value} at {at} of page {page}");
                    let mut zeros = lengths.map(|length| vec![0_u64; length]);
                    zeros[page][at] = value.cast_unsigned();
                    // Another one in the rest of the longest page: together they may not fit 64 bits.
                    zeros[1][39] = u64::MAX;
                    let zeros = zeros.each_ref().map(|values| &values[..]);
                    let expected: u128 =
                        zeros.concat().iter().map(|&value| u128::from(value)).sum();
                    let mut sum = 5;
                    u64::add_pages(&mut sum, &zeros);
                    assert_eq!(sum, expected + 5);
                }
            }
        }
    }

    /// As many values as four pages can have, all as large as a small one can be.
    #[test]
    fn the_largest_sum_in_step_fits() {
        let page = vec![i64::MAX >> 15; usize::from(crate::row_format::SLOT_COUNT_MAX)];
        let mut sum = 0;
        i64::add_pages(&mut sum, &[&page[..]; PAGES_AT_ONCE]);
        assert_eq!(sum, 4 * 4095 * ((1_i128 << 48) - 1));
    }
}
