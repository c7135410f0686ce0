//! One column of a table: its values a page at a time, and folds over them.
//!
//! A slot that is free, or whose value is null, is zero. So a sum adds whole slices without a look at which slots hold
//! values, a count asks its predicate about zero once and takes off the slots that hold none, and only the least and
//! greatest value go through the bitmaps.

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use crate::error::Error;
use crate::fixed_value::{FixedValue, fixed_value};
use crate::frames::fetch;
use crate::page::PageBuf;
use crate::page_number::PageNumber;
use crate::row::Row;
use crate::row_format::SLOT_COUNT_MAX;
use crate::row_id::RowId;
use crate::row_page::RowPageRef;
use crate::row_pages::RowPages;
use crate::summable::{PAGES_AT_ONCE, Summable};
use crate::table_ref::TableRef;
use crate::value_ref::ValueRef;

/// A column of fixed width, read as the Rust type `T`. Nulls are passed over by all of its folds.
///
/// Costs the column's bytes and a few lines of each row page, whatever else stands in the rows.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a, T> {
    table: TableRef<'a>,
    position: usize,
    values: PhantomData<fn() -> T>,
}

impl<'a, T: FixedValue> Column<'a, T> {
    /// Nothing unless `T` reads the column.
    pub(crate) fn new(table: TableRef<'a>, position: usize) -> Option<Self> {
        T::reads(table.layout().columns()[position].column_type).then_some(Column {
            table,
            position,
            values: PhantomData,
        })
    }

    /// The column's part in each row page; `None` in a transaction that has written to the table, as
    /// [`TableRef::pages`].
    pub fn pages(&self) -> Option<ColumnPages<'a, T>> {
        Some(ColumnPages {
            pages: self.table.pages()?,
            position: self.position,
            values: PhantomData,
        })
    }

    /// How many values there are.
    ///
    /// # Errors
    /// [`Error::Damaged`]; so for every fold.
    pub fn count(&self) -> Result<u64, Error> {
        let mut count = 0;
        self.each(|part| {
            count += match part {
                Part::Page(page) => page.held_count(),
                Part::Value(_) => 1,
            }
        })?;
        Ok(count)
    }

    /// How many values the predicate holds for. It may be asked about zero, even if no value is zero, and must always
    /// answer the same for equal values.
    pub fn count_if(&self, predicate: impl Fn(T) -> bool) -> Result<u64, Error> {
        let one_if = |value: T| u64::from(predicate(value));
        let one_if_zero = one_if(T::zeroed());
        let mut count = 0;
        self.each(|part| {
            count += match part {
                Part::Page(page) => {
                    let hits: u64 = page.values.iter().map(|&value| one_if(value)).sum();
                    let zeros = (page.values.len() as u64).saturating_sub(page.held_count());
                    hits.saturating_sub(zeros * one_if_zero)
                }
                Part::Value(value) => one_if(value),
            }
        })?;
        Ok(count)
    }

    /// The rows whose value the predicate holds for, in the order of a scan.
    pub fn filter(
        &self,
        predicate: impl Fn(T) -> bool + Clone,
    ) -> impl Iterator<Item = Result<Row<'a>, Error>> {
        let Column {
            table, position, ..
        } = *self;
        let holds = predicate.clone();
        let rows_of = move |page: ColumnPage<'a, T>| {
            let hits = page.chunks().map(|(values, held)| {
                let bits = values.iter().enumerate();
                held & bits.fold(0, |hits, (bit, &value)| {
                    hits | u64::from(predicate(value)) << bit
                })
            });
            let hits: Vec<u64> = hits.collect();
            slots_of(hits).map(move |slot| {
                let row = RowId::new(page.number, slot);
                Ok(Row::at(table.table, table.pages, page.rows, row))
            })
        };
        let pages = self.pages();
        let scan = pages.is_none().then(|| table.scan());
        let of_pages = pages.into_iter().flatten().flat_map(move |page| {
            let (rows, error) = match page {
                Ok(page) => (Some(rows_of(page)), None),
                Err(error) => (None, Some(Err(error))),
            };
            rows.into_iter().flatten().chain(error)
        });
        let of_scan = scan.into_iter().flatten().filter_map(move |row| {
            let value = row.and_then(|row| Ok((row, row.value_ref(position)?)));
            match value {
                Ok((row, value)) => value
                    .and_then(fixed_value::<T>)
                    .is_some_and(&holds)
                    .then_some(Ok(row)),
                Err(error) => Some(Err(error)),
            }
        });
        of_pages.chain(of_scan)
    }

    /// The least value, if there is any; floats in their total order.
    pub fn min(&self) -> Result<Option<T>, Error> {
        self.best(T::HIGHEST, Ord::min)
    }

    /// The greatest value, if there is any; floats in their total order.
    pub fn max(&self) -> Result<Option<T>, Error> {
        self.best(T::LOWEST, Ord::max)
    }

    /// The sum of all values, zero if there are none. Integers of up to 64 bits are summed into 128; see [`Summable`]. Floats are
    /// rounded on the way, in an order of their own: where the rows stand, and whether a transaction has written, may tell in the last bits.
    ///
    /// # Errors
    /// Also [`Error::SumOverflow`], of columns of 128 bits.
    pub fn sum(&self) -> Result<T::Sum, Error>
    where
        T: Summable,
    {
        let mut sum = T::Partial::default();
        let mut group: [&[T]; PAGES_AT_ONCE] = [&[]; PAGES_AT_ONCE];
        let mut count = 0;
        self.each(|part| match part {
            Part::Page(ColumnPage {
                values: Cow::Borrowed(values),
                ..
            }) => {
                group[count] = values;
                count += 1;
                if count == PAGES_AT_ONCE {
                    T::add_pages(&mut sum, &group);
                    count = 0;
                }
            }
            Part::Page(page) => T::add_all(&mut sum, &page.values),
            Part::Value(value) => T::add_all(&mut sum, &[value]),
        })?;
        group[..count]
            .iter()
            .for_each(|values| T::add_all(&mut sum, values));
        T::total(sum).ok_or(Error::SumOverflow {
            table: self.table.id(),
            column: self.position,
        })
    }

    /// Hands on all that the column holds: whole pages, or one value after the other where a transaction has written.
    fn each(&self, mut take: impl FnMut(Part<'a, T>)) -> Result<(), Error> {
        if let Some(mut pages) = self.pages() {
            return pages.try_for_each(|page| {
                take(Part::Page(page?));
                Ok(())
            });
        }
        self.table.scan().try_for_each(|row| {
            let value = row?.value_ref(self.position)?;
            if let Some(value) = value.and_then(fixed_value) {
                take(Part::Value(value));
            }
            Ok(())
        })
    }

    /// The value whose key `choose` prefers to all others; `worst` is the key that it never prefers.
    fn best(
        &self,
        worst: T::Key,
        choose: impl Fn(T::Key, T::Key) -> T::Key,
    ) -> Result<Option<T>, Error> {
        let (mut best, mut any) = (worst, false);
        self.each(|part| match part {
            Part::Page(page) => {
                for (values, held) in page.chunks() {
                    let keys = values.iter().enumerate().map(|(bit, value)| {
                        if held >> bit & 1 == 1 {
                            value.key()
                        } else {
                            worst
                        }
                    });
                    best = keys.fold(best, &choose);
                    any |= held != 0;
                }
            }
            Part::Value(value) => {
                best = choose(best, value.key());
                any = true;
            }
        })?;
        Ok(any.then(|| T::of_key(best)))
    }
}

/// What a fold is handed.
enum Part<'a, T: FixedValue> {
    Page(ColumnPage<'a, T>),
    Value(T),
}

/// Iterates over the parts of a column, page by page. After an error it ends.
#[derive(Debug, Clone)]
pub struct ColumnPages<'a, T> {
    pages: RowPages<'a>,
    position: usize,
    values: PhantomData<fn() -> T>,
}

/// The part of a column that stands in one row page.
#[derive(Debug, Clone)]
pub struct ColumnPage<'a, T: FixedValue> {
    /// Together with a slot, the place of a row.
    pub number: PageNumber,
    /// The whole page.
    pub rows: RowPageRef<'a>,
    /// A value for each slot: zero where the slot is free or the value null. Of a page that is older than the column they are made for this.
    pub values: Cow<'a, [T]>,
    position: usize,
}

impl<'a, T: FixedValue> ColumnPage<'a, T> {
    /// A bit for each slot that holds a value, 64 slots a word, lowest first.
    pub fn held_bits(&self) -> impl Iterator<Item = u64> + use<'a, T> {
        let live = self.rows.live_words();
        let valid: &'a [u64] = match self.rows.constant(self.position) {
            Some(ValueRef::Null) => &NO_SLOTS[..live.len()],
            _ => (self.rows.validity(self.position)).map_or(live, bytemuck::cast_slice),
        };
        live.iter().zip(valid).map(|(live, valid)| live & valid)
    }

    fn held_count(&self) -> u64 {
        self.held_bits()
            .map(|bits| u64::from(bits.count_ones()))
            .sum()
    }

    /// The values 64 at a time, with the bits of those that are held.
    fn chunks(&self) -> impl Iterator<Item = (&[T], u64)> {
        self.values.chunks(64).zip(self.held_bits())
    }
}

impl<'a, T: FixedValue> Iterator for ColumnPages<'a, T> {
    type Item = Result<ColumnPage<'a, T>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let page = match self.pages.next()? {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        let values = match page.rows.fixed_column(self.position) {
            Some(values) => {
                if let Some(ahead) = self.pages.ahead() {
                    warm(ahead, page.rows.page(), values);
                }
                Cow::Borrowed(values)
            }
            // T reads the column, which was asked when this was made: so the page is older.
            None => Cow::Owned(constant_values(&page.rows, self.position)),
        };
        Some(Ok(ColumnPage {
            number: page.number,
            rows: page.rows,
            values,
            position: self.position,
        }))
    }
}

impl<T: FixedValue> FusedIterator for ColumnPages<'_, T> {}

/// No slot of a page.
static NO_SLOTS: [u64; SLOT_COUNT_MAX.div_ceil(64) as usize] =
    [0; SLOT_COUNT_MAX.div_ceil(64) as usize];

/// What a column that is newer than a page would hold in it.
#[cold]
fn constant_values<T: FixedValue>(rows: &RowPageRef<'_>, column: usize) -> Vec<T> {
    let mut values = vec![T::zeroed(); usize::from(rows.capacity())];
    if let Some(value) = rows.constant(column).and_then(fixed_value) {
        for slot in rows.live_slots() {
            values[usize::from(slot)] = value;
        }
    }
    values
}

/// Asks for the column in the page ahead where it most likely stands, which is where it stands in this one: for its front, and for where
/// the next 4 KiB begin, since there the processor stops fetching ahead by itself.
#[inline]
fn warm<T>(ahead: &PageBuf, page: &PageBuf, values: &[T]) {
    let start = values.as_ptr().addr() - page.as_bytes().as_ptr().addr();
    fetch(ahead, start);
    fetch(ahead, (start + 1).next_multiple_of(4096));
}

/// The set bits of words of 64 slots, ascending.
fn slots_of(words: Vec<u64>) -> impl Iterator<Item = u16> {
    words.into_iter().enumerate().flat_map(|(index, word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            u16::try_from(index * 64 + bit).ok()
        })
    })
}
