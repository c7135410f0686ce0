//! Where the columns of a row page stand: arithmetic on the layout and the capacity, drawn in `row_format.rs`.

use crate::ColumnType;
use crate::layout::{Layout, LayoutColumn};
use crate::row_format::{
    COLUMNS_ALIGNMENT, HEAP_END, LIVE_BITMAP, REGION_ALIGNMENT, ROW_HEAP_BYTES_MAX, SLOT_COUNT_MAX,
    WIDTHS,
};

const _: () = assert!(RowGeometry::EMPTY_HEAP_START as u32 == HEAP_END);

/// The kinds of regions: one per width, then the bitmaps.
const KIND_COUNT: usize = WIDTHS.len() + 1;
const BITMAP_KIND: usize = WIDTHS.len();
const _: () = assert!(BITMAP_KIND == 5);

/// How many regions of each kind a row page of some layout has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RegionCounts([u16; KIND_COUNT]);

/// Which regions are a column's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnPlace {
    /// Index of the width, or [`BITMAP_KIND`] for a bool.
    kind: u8,
    /// Which region of that kind.
    index: u16,
    /// Which bitmap is the column's validity, if it is nullable.
    validity: Option<u16>,
}

impl ColumnPlace {
    /// Gives each column its regions.
    pub(crate) fn plan(columns: &[LayoutColumn]) -> (Vec<ColumnPlace>, RegionCounts) {
        let mut counts = RegionCounts::default();
        let mut take = |kind: usize| {
            counts.0[kind] += 1;
            counts.0[kind] - 1
        };
        let places = columns.iter().map(|column| {
            let validity = column.nullable.then(|| take(BITMAP_KIND));
            let kind = kind_of(column.column_type);
            ColumnPlace {
                kind,
                index: take(usize::from(kind)),
                validity,
            }
        });
        (places.collect(), counts)
    }

    /// Whether the values are bits.
    pub(crate) fn is_bits(self) -> bool {
        usize::from(self.kind) == BITMAP_KIND
    }
}

fn kind_of(column_type: ColumnType) -> u8 {
    match column_type {
        ColumnType::I128 | ColumnType::U128 | ColumnType::Uuid => 0,
        ColumnType::String | ColumnType::Bytes => 0,
        ColumnType::I64 | ColumnType::U64 | ColumnType::F64 | ColumnType::Timestamp => 1,
        ColumnType::I32 | ColumnType::U32 | ColumnType::F32 => 2,
        ColumnType::I16 | ColumnType::U16 => 3,
        ColumnType::I8 | ColumnType::U8 => 4,
        ColumnType::Bool => 5,
    }
}

/// Where the regions of one row page stand, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowGeometry {
    capacity: u16,
    /// Where the first region of each kind begins.
    starts: [u32; KIND_COUNT],
    /// What each region of each kind takes.
    strides: [u32; KIND_COUNT],
    /// Where the last region ends; may lie beyond the page for a capacity that is too large.
    end: u32,
}

impl RowGeometry {
    /// The geometry of a page with `capacity` slots.
    #[inline]
    pub(crate) fn new(counts: &RegionCounts, capacity: u16) -> RowGeometry {
        let slots = u32::from(capacity);
        let bitmap = bitmap_bytes(capacity);
        let mut strides = [bitmap; KIND_COUNT];
        for (stride, width) in strides.iter_mut().zip(WIDTHS) {
            *stride = (slots * width).next_multiple_of(REGION_ALIGNMENT);
        }
        let mut starts = [0; KIND_COUNT];
        let mut position = (LIVE_BITMAP + bitmap).next_multiple_of(COLUMNS_ALIGNMENT);
        for kind in 0..KIND_COUNT {
            starts[kind] = position;
            position += strides[kind] * u32::from(counts.0[kind]);
        }
        RowGeometry {
            capacity,
            starts,
            strides,
            end: position,
        }
    }

    /// The most slots that fit beside `variable_bytes` of heap for each of them; at least one.
    pub(crate) fn capacity(layout: &Layout, variable_bytes: u32) -> u16 {
        let variable_bytes = variable_bytes.min(ROW_HEAP_BYTES_MAX);
        let fits = |capacity: u16| {
            let fixed = RowGeometry::new(layout.region_counts(), capacity).end;
            fixed + u32::from(capacity) * variable_bytes <= HEAP_END
        };
        let (mut fitting, mut too_many) = (1, SLOT_COUNT_MAX + 1);
        while too_many - fitting > 1 {
            let middle = fitting + (too_many - fitting) / 2;
            if fits(middle) {
                fitting = middle;
            } else {
                too_many = middle;
            }
        }
        fitting
    }

    /// Where the heap of an empty page begins.
    pub(crate) const EMPTY_HEAP_START: u16 = 32 * 1024;

    /// Whether the regions end inside the page.
    pub(crate) fn fits(&self) -> bool {
        self.end <= HEAP_END
    }

    /// How many slots there are.
    #[inline]
    pub(crate) fn slots(&self) -> u16 {
        self.capacity
    }

    /// Where the regions end and free bytes or heap follow.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.end as usize
    }

    /// The same as a number of the width that the header uses.
    #[inline]
    pub(crate) fn end_offset(&self) -> u32 {
        self.end
    }

    /// The bytes of a bitmap.
    #[inline]
    pub(crate) fn bitmap_bytes(&self) -> usize {
        bitmap_bytes(self.capacity) as usize
    }

    /// Where the column's values begin; for a bool, its bits.
    #[inline]
    pub(crate) fn values(&self, place: ColumnPlace) -> usize {
        self.region(usize::from(place.kind), place.index)
    }

    /// Where the column's validity bitmap begins, if it is nullable.
    #[inline]
    pub(crate) fn validity(&self, place: ColumnPlace) -> Option<usize> {
        place.validity.map(|index| self.region(BITMAP_KIND, index))
    }

    #[inline]
    fn region(&self, kind: usize, index: u16) -> usize {
        self.starts[kind] as usize + self.strides[kind] as usize * usize::from(index)
    }
}

fn bitmap_bytes(capacity: u16) -> u32 {
    u32::from(capacity)
        .div_ceil(8)
        .next_multiple_of(REGION_ALIGNMENT)
}
