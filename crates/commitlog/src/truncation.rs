//! Gives up the end of a log on purpose.
//!
//! ```text
//!   0.log       10.log       20.log       truncate after 13
//!   ┌────────┐  ┌────────┐  ┌────────┐
//!   │0 ... 9 │─►│10 .. 19│─►│20 .. 25│    1  10.log.tmp = header of the next epoch, copy of 10 to 13, mark; synced
//!   └────────┘  └────────┘  └────────┘    2  renamed to 10.log, directory synced: the commit point
//!   ┌────────┐  ┌─────┐                   3  20.log is a leftover now: a later segment of a lower epoch. It is ignored,
//!   │0 ... 9 │─►│10-13│                      and removed
//!   └────────┘  └─────┘
//! ```
//!
//! All of the log is made durable first: until the directory is synced a power cut may give the name back to the old file, and what the new one's marks
//! prove has to be in both.
//!
//! It is always the segment with the first record to go that is made anew, even if nothing of it stays: then all segments before it are as
//! complete as they were. Nothing is written in place, so whoever has the old file open goes on seeing it as it was.

use disk::{Dir, File};

use crate::active_segment::ActiveSegment;
use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::format::{BODY_FRAMES, SegmentHeader, frame_bytes};
use crate::frame_cursor::{FrameCursor, Position};
use crate::look::{open_segment, segment_bytes};
use crate::segment_name::segment_name;
use crate::tx_id::TxId;

/// How much is written at once, bytes.
const COPY_BYTES: usize = 1 << 20;

/// What [`crate::Log::truncate_after`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Truncated {
    /// The id that the next record gets.
    pub end: TxId,
    /// How many records were given up.
    pub records_removed: u64,
    /// How many segments went with them.
    pub segments_removed: usize,
}

/// Makes a segment anew up to record `end`, in the next epoch, asking for what the log asks for: the next record stands in it. The inner error leaves it open which of the two files is there.
pub(crate) fn cut_segment(
    dir: &dyn Dir,
    old: &SegmentHeader,
    epoch: u32,
    minimum_reader: u16,
    floor: TxId,
    end: TxId,
) -> Result<Result<ActiveSegment>> {
    let file = open_segment(dir, old.base)?;
    let bytes = file.len()?;
    let source = segment_bytes(&file, old, bytes, 0)?;
    let mut cursor = FrameCursor::new(source, Position::start_of(old));
    let header = SegmentHeader {
        epoch,
        body: BODY_FRAMES,
        minimum_reader: old.minimum_reader.max(minimum_reader),
        ..*old
    };
    ActiveSegment::replace(dir, header, floor, |to| {
        copy_frames(&mut cursor, file.as_ref(), to, end)
    })
}

/// Copies the frames before record `end`, each of them verified.
fn copy_frames(
    cursor: &mut FrameCursor,
    from: &dyn File,
    to: &dyn File,
    end: TxId,
) -> Result<Position> {
    let mut copied = cursor.position();
    let mut buffer = Vec::new();
    while cursor.position().id < end {
        let position = cursor.position();
        let stepped = cursor.step()?;
        let header = stepped.map_err(|bad| Error::Damaged {
            file: from.path().to_path_buf(),
            byte_offset: cursor.file_byte(),
            kind: DamageKind::Record { bad, proven: end },
        })?;
        let bytes = frame_bytes(header.payload_length);
        buffer.extend_from_slice(cursor.bytes().get(position.byte, bytes)?);
        if buffer.len() >= COPY_BYTES {
            to.write_all_at(copied.byte, &buffer)?;
            buffer.clear();
            copied = cursor.position();
        }
    }
    to.write_all_at(copied.byte, &buffer)?;
    Ok(cursor.position())
}

/// Removes the segments that a truncation or a prune left behind, once the name of the segment that the one made is durable, or the floor that
/// the other set.
///
/// They are ignored as long as that is there, so the order does not matter.
pub(crate) fn remove_leftovers(dir: &dyn Dir, mut leftovers: Vec<TxId>) -> Result<()> {
    if leftovers.is_empty() {
        return Ok(());
    }
    remove_segments(dir, &mut leftovers)?;
    Ok(dir.sync()?)
}

/// Removes files of segments, oldest first, and takes them from the list. The caller syncs the directory.
pub(crate) fn remove_segments(dir: &dyn Dir, bases: &mut Vec<TxId>) -> Result<()> {
    let mut removed = Ok(());
    let gone = bases.iter().position(|base| {
        removed = match dir.remove(&segment_name(*base)) {
            // A removal that failed later than this one has been tried again.
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        };
        removed.is_err()
    });
    bases.drain(..gone.unwrap_or(bases.len()));
    removed
}
