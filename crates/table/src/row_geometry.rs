//! Where the columns of a row page stand: arithmetic on the layout and the capacity, drawn in `row_format.rs`.

use crate::ColumnType;
use crate::layout::{Layout, LayoutColumn};
use crate::row_format::{
    COLUMNS_ALIGNMENT, HEAP_END, LIVE_BITMAP, REGION_ALIGNMENT, ROW_HEAP_BYTES_MAX, SLOT_COUNT_MAX,
    WIDTHS,
};

const _: () = assert!(RowGeometry::EMPTY_HEAP_START as u32 == HEAP_END);

// What `RowGeometry::to_bits` has room for.
const _: () = assert!(SLOT_COUNT_MAX < 1 << 12);
const _: () = assert!(LIVE_BITMAP + SLOT_COUNT_MAX as u32 / 8 + COLUMNS_ALIGNMENT < 1 << 12);

/// The kinds of regions: one per width, then the bitmaps.
const KIND_COUNT: usize = WIDTHS.len() + 1;
const BITMAP_KIND: usize = WIDTHS.len();
const _: () = assert!(BITMAP_KIND == 5);

/// The kinds whose regions are whole multiples of the alignment whatever the capacity, and the others.
const WHOLE_KINDS: usize = 2;
const PADDED_KINDS: usize = KIND_COUNT - WHOLE_KINDS;
const _: () = assert!(WIDTHS[WHOLE_KINDS - 1] == REGION_ALIGNMENT);

/// Some of the regions of a row page, those that stand first: how many bytes they take follows from the capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Regions {
    /// What those that are never padded take for each slot, in bytes.
    slot_bytes: u32,
    /// How many there are of each kind that is padded.
    padded: [u16; PADDED_KINDS],
}

impl Regions {
    fn add(&mut self, kind: usize, count: u16) {
        match kind.checked_sub(WHOLE_KINDS) {
            None => self.slot_bytes += WIDTHS[kind] * u32::from(count),
            Some(kind) => self.padded[kind] += count,
        }
    }

    /// The bits that a slot takes in them and in the live bitmap, padding not counted.
    pub(crate) fn slot_bits(&self) -> u64 {
        let widths = WIDTHS[WHOLE_KINDS..].iter().map(|width| width * 8);
        let padded = self.padded.iter().zip(widths.chain([1]));
        let padded = padded.map(|(&count, bits)| u32::from(count) * bits);
        u64::from(1 + self.slot_bytes * 8 + padded.sum::<u32>())
    }

    /// The bytes that they take together in a page with so many slots.
    #[inline(always)]
    fn bytes(&self, slots: u16) -> u32 {
        let whole = self.slot_bytes * u32::from(slots);
        // Wide columns come first, and most have nothing but wide ones before them.
        if self.padded == [0; PADDED_KINDS] {
            whole
        } else {
            whole + self.padded_bytes(slots)
        }
    }

    /// What those take that are padded. Apart from the rest: a compiler would begin with it before it is known to be needed.
    #[inline(never)]
    fn padded_bytes(&self, slots: u16) -> u32 {
        let mut bytes = bitmap_bytes(slots) * u32::from(self.padded[PADDED_KINDS - 1]);
        for (&count, width) in self.padded.iter().zip(&WIDTHS[WHOLE_KINDS..]) {
            let region = (u32::from(slots) * width).next_multiple_of(REGION_ALIGNMENT);
            bytes += region * u32::from(count);
        }
        bytes
    }
}

/// Which regions are a column's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnPlace {
    pub(crate) column_type: ColumnType,
    /// What a slot takes, in bytes; zero for bits.
    width: u8,
    /// The regions before that of the values.
    values: Regions,
    validity: Validity,
}

/// Where it stands which slots have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Validity {
    /// Every row has one.
    Always,
    /// In a bitmap behind these regions.
    Bitmap(Regions),
    /// Nowhere, as the values: the page is older than the column.
    Absent,
}

impl ColumnPlace {
    /// Gives each column its regions, and yields all of them.
    pub(crate) fn plan(columns: &[LayoutColumn]) -> (Vec<ColumnPlace>, Regions) {
        let mut counts = [0_u16; KIND_COUNT];
        for column in columns {
            counts[BITMAP_KIND] += u16::from(column.nullable);
            counts[kind_of(column.column_type)] += 1;
        }
        let mut next = [Regions::default(); KIND_COUNT];
        let mut all = Regions::default();
        for kind in 0..KIND_COUNT {
            next[kind] = all;
            all.add(kind, counts[kind]);
        }
        let mut take = |kind: usize| {
            let before = next[kind];
            next[kind].add(kind, 1);
            before
        };
        let places = columns.iter().map(|column| ColumnPlace {
            column_type: column.column_type,
            width: WIDTHS
                .get(kind_of(column.column_type))
                .map_or(0, |&width| width.to_le_bytes()[0]),
            validity: match column.nullable {
                true => Validity::Bitmap(take(BITMAP_KIND)),
                false => Validity::Always,
            },
            values: take(kind_of(column.column_type)),
        });
        (places.collect(), all)
    }

    /// The place of a column that pages do not have.
    pub(crate) fn absent(column_type: ColumnType) -> ColumnPlace {
        ColumnPlace {
            column_type,
            width: 0,
            values: Regions::default(),
            validity: Validity::Absent,
        }
    }

    /// The place as it is read if the column may have nulls, or may not: then there are none, whatever a bitmap says.
    pub(crate) fn under(self, nullable: bool) -> ColumnPlace {
        ColumnPlace {
            validity: match nullable {
                true => self.validity,
                false => Validity::Always,
            },
            ..self
        }
    }

    /// Whether pages do not have the column.
    #[inline]
    pub(crate) fn is_absent(&self) -> bool {
        self.validity == Validity::Absent
    }

    /// Whether values may stand in the heap.
    pub(crate) fn has_heap(&self) -> bool {
        self.column_type.fixed_width().is_none()
    }

    /// What a slot takes, in bytes; zero for bits.
    pub(crate) fn width(&self) -> u8 {
        self.width
    }

    /// Whether the values are bits.
    #[inline]
    pub(crate) fn is_bits(&self) -> bool {
        self.column_type == ColumnType::Bool
    }
}

fn kind_of(column_type: ColumnType) -> usize {
    match column_type {
        ColumnType::I128 | ColumnType::U128 | ColumnType::Uuid => 0,
        ColumnType::String | ColumnType::Bytes => 0,
        ColumnType::I64 | ColumnType::U64 | ColumnType::F64 | ColumnType::Timestamp => 1,
        ColumnType::I32 | ColumnType::U32 | ColumnType::F32 => 2,
        ColumnType::I16 | ColumnType::U16 => 3,
        ColumnType::I8 | ColumnType::U8 => 4,
        ColumnType::Bool => BITMAP_KIND,
    }
}

/// Where the regions of one row page stand, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowGeometry {
    capacity: u16,
    /// Where the first region begins, behind the live bitmap.
    start: u16,
}

impl RowGeometry {
    /// The geometry of a page with `capacity` slots.
    #[inline]
    pub(crate) fn new(capacity: u16) -> RowGeometry {
        RowGeometry {
            capacity,
            start: columns_start(capacity),
        }
    }

    /// The geometry as a number of 24 bits.
    #[inline]
    pub(crate) fn to_bits(self) -> u32 {
        u32::from(self.start) << 12 | u32::from(self.capacity)
    }

    /// The geometry that [`RowGeometry::to_bits`] made the number of.
    #[inline]
    pub(crate) fn from_bits(bits: u32) -> RowGeometry {
        RowGeometry {
            capacity: (bits & 0xFFF) as u16,
            start: (bits >> 12 & 0xFFF) as u16,
        }
    }

    /// The most slots that fit beside `variable_bytes` of heap for each of them; at least one.
    pub(crate) fn capacity(layout: &Layout, variable_bytes: u32) -> u16 {
        let variable_bytes = variable_bytes.min(ROW_HEAP_BYTES_MAX);
        let fits = |capacity: u16| {
            let fixed = RowGeometry::new(capacity).end(layout.regions());
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

    /// How many slots there are.
    #[inline]
    pub(crate) fn slots(&self) -> u16 {
        self.capacity
    }

    /// Where the regions end and free bytes or heap follow; may lie beyond the page for a capacity that is too large.
    #[inline]
    pub(crate) fn end(&self, all: &Regions) -> u32 {
        u32::from(self.start) + all.bytes(self.capacity)
    }

    /// The bytes of a bitmap.
    #[inline]
    pub(crate) fn bitmap_bytes(&self) -> usize {
        bitmap_bytes(self.capacity) as usize
    }

    /// Where the column's values begin; for a bool, its bits.
    #[inline(always)]
    pub(crate) fn values(&self, place: &ColumnPlace) -> usize {
        self.after(&place.values)
    }

    /// Where the column's validity bitmap begins, if it has one.
    #[inline(always)]
    pub(crate) fn validity(&self, place: &ColumnPlace) -> Option<usize> {
        match &place.validity {
            Validity::Bitmap(before) => Some(self.after(before)),
            Validity::Always | Validity::Absent => None,
        }
    }

    #[inline(always)]
    fn after(&self, before: &Regions) -> usize {
        usize::from(self.start) + before.bytes(self.capacity) as usize
    }
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "at most 64 and 8,192 bytes"
)]
fn columns_start(capacity: u16) -> u16 {
    (LIVE_BITMAP + bitmap_bytes(capacity)).next_multiple_of(COLUMNS_ALIGNMENT) as u16
}

#[inline]
fn bitmap_bytes(capacity: u16) -> u32 {
    u32::from(capacity)
        .div_ceil(8)
        .next_multiple_of(REGION_ALIGNMENT)
}
