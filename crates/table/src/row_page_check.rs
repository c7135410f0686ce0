//! Every rule of a row page, checked: what `verify` and the tests ask after each step.

use crate::ColumnType;
use crate::damaged::DamageKind;
use crate::layout::{Layout, LayoutColumn};
use crate::page::PageBuf;
use crate::row_format::{HEAP_END, INLINE_BYTES_MAX, LIVE_BITMAP, VIEW_BYTES};
use crate::row_geometry::ColumnPlace;
use crate::row_page_ref::{RowPageRef, bit_at};
use crate::view::ViewBytes;

/// Checks every invariant of a row page: counts, zeros wherever nothing lives, views in the heap without overlap and
/// in their one form, holes counted, strings in UTF-8.
///
/// # Errors
/// [`DamageKind`] naming the first rule that is broken.
pub fn check(page: &PageBuf, layout: &Layout) -> Result<(), DamageKind> {
    let rows = RowPageRef::new(page, layout)?;
    require(
        page.header_rest_is_zero(),
        "a row page's header has bytes of no meaning",
    )?;
    require(
        page.level() == 0 && page.chain_bytes() == 0,
        "a row page's header has bytes of no meaning",
    )?;
    let live = rows
        .live_words()
        .iter()
        .map(|word| word.count_ones())
        .sum::<u32>();
    require(
        live == u32::from(page.live_count()),
        "a row page's live count is wrong",
    )?;
    let bytes = page.as_bytes();
    let mut used = vec![false; bytes.len()];
    let live_end = LIVE_BITMAP as usize + rows.geometry().bitmap_bytes();
    used[..live_end].fill(true);
    for (column, definition) in layout.columns().iter().enumerate() {
        check_column(&rows, column, definition, &mut used)?;
    }
    let heap_start = usize::from(page.heap_start());
    let covered = used[heap_start..].iter().filter(|used| **used).count();
    require(
        covered + usize::from(page.heap_dead()) == HEAP_END as usize - heap_start,
        "a row page's heap does not add up",
    )?;
    let stale = bytes
        .iter()
        .zip(&used)
        .any(|(byte, used)| !used && *byte != 0);
    require(!stale, "a row page has bytes that nothing refers to")
}

/// Checks one column, and marks its bytes, those in the heap included, as used.
fn check_column(
    rows: &RowPageRef<'_>,
    column: usize,
    definition: &LayoutColumn,
    used: &mut [bool],
) -> Result<(), DamageKind> {
    let bytes = rows.page().as_bytes();
    let place = rows.layout().place(column);
    let validity = rows.geometry().validity(place);
    // Padding bits behind the last slot stand in bytes that are in use: they are walked with the slots.
    let padded_slots = u16::try_from(rows.geometry().bitmap_bytes() * 8).unwrap_or(u16::MAX);
    let values = rows.geometry().values(place);
    let width = definition.column_type.fixed_width().unwrap_or(VIEW_BYTES);
    for slot in 0..padded_slots {
        let is_live = rows.is_live(slot);
        let is_valid = is_live && validity.is_none_or(|start| bit_at(bytes, start, slot));
        if let Some(start) = validity {
            require(
                is_live || !bit_at(bytes, start, slot),
                "a free slot has a validity bit",
            )?;
            used[start + usize::from(slot / 8)] = true;
        }
        if place.is_bits() {
            require(
                is_valid || !bit_at(bytes, values, slot),
                "a free slot or a null is true",
            )?;
            used[values + usize::from(slot / 8)] = true;
        } else if is_valid {
            let position = values + usize::from(slot) * width;
            used[position..position + width].fill(true);
            if definition.column_type.fixed_width().is_none() {
                check_view(rows, place, slot, definition.column_type, used)?;
            }
        }
    }
    Ok(())
}

fn check_view(
    rows: &RowPageRef<'_>,
    place: &ColumnPlace,
    slot: u16,
    column_type: ColumnType,
    used: &mut [bool],
) -> Result<(), DamageKind> {
    let bytes = rows.page().as_bytes();
    let (view, position) = rows.view(place, slot);
    let range = match view.locate(position, rows.page().heap_start())? {
        ViewBytes::Long(_) => return Ok(()),
        ViewBytes::Inline(range) => {
            let rest = &bytes[range.end..range.start + INLINE_BYTES_MAX];
            require(
                rest.iter().all(|byte| *byte == 0),
                "a short value is followed by stale bytes",
            )?;
            range
        }
        ViewBytes::Heap(range) => {
            require(
                bytes[range.clone()].starts_with(&view.prefix()),
                "a view's prefix is wrong",
            )?;
            let taken = &mut used[range.clone()];
            require(
                taken.iter().all(|used| !used),
                "two values share bytes of the heap",
            )?;
            taken.fill(true);
            range
        }
    };
    let is_text = column_type == ColumnType::String;
    require(
        !is_text || std::str::from_utf8(&bytes[range]).is_ok(),
        "a string is not utf-8",
    )
}

fn require(holds: bool, rule: &'static str) -> Result<(), DamageKind> {
    if holds {
        Ok(())
    } else {
        Err(DamageKind::Structure(rule))
    }
}
