//! Stores a segment that is not written any more in compressed blocks.
//!
//! ```text
//!   10.log         plain, continued
//!   10.log.tmp     header (body = 1), blocks, both marks; synced, read back and compared frame by frame
//!   10.log         the second renamed over the first, directory synced
//! ```
//!
//! Both files say the same, so a crash may leave either; one under the temporary name is removed by the next open. Whoever has the old file open goes on
//! reading it.
//!
//! Closing and dropping the log wait until this is done, which is soon, for no more blocks are written then: another process may open the log next, and uses the same
//! temporary names.

use disk::{Dir, File};

use crate::active_segment::Draft;
use crate::at_work::AtWork;
use crate::checksum::checksum;
use crate::damage::{BadFrame, DamageKind};
use crate::error::{Error, Result};
use crate::format::{
    BODY_BLOCKS, BODY_FRAMES, FRAMES_BYTE, MARK_BLOCK_BYTE, Mark, SegmentHeader, frame_bytes,
};
use crate::frame_cursor::{FrameCursor, Position};
use crate::log_state::State;
use crate::look::{open_segment, segment_bytes, segment_facts};
use crate::packed_format::{BLOCK_HEADER_BYTES, BLOCK_PLAIN_BYTES, BlockHeader};
use crate::segment_bytes::SegmentBytes;
use crate::shared_log::SharedLog;
use crate::tx_id::TxId;

/// What [`crate::Log::compress_sealed`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Compressed {
    /// The segment, by its first record.
    pub segment: TxId,
    /// How long its file was, bytes.
    pub bytes_before: u64,
    /// How long it is now. Records that can not be compressed make it a little longer.
    pub bytes_after: u64,
}

/// A segment in compressed blocks, synced and compared with the plain one, still under its temporary name.
#[derive(Debug)]
pub(crate) struct PackedDraft {
    pub(crate) draft: Draft,
    pub(crate) compressed: Compressed,
}

impl SharedLog {
    pub(crate) fn compress_sealed(&self) -> Result<Option<Compressed>> {
        let held = self.lock();
        held.check_open()?;
        let Some((old, end)) = held.plain_segment() else {
            return Ok(None);
        };
        let mut at_work = AtWork::begin(held, |state| &mut state.rewriting);
        let held = &mut at_work.held;
        let goes_on = || self.check_goes_on();
        let packed = held.meanwhile(|| pack_segment(self.dir(), &old, end, &goes_on));
        let PackedDraft { draft, compressed } = match packed {
            Ok(packed) => packed,
            Err(error) => {
                let has_vanished = matches!(&error, Error::Io(error) if error.is_not_found());
                if has_vanished && !held.headers.contains(&old) {
                    // It was pruned meanwhile.
                    return Ok(None);
                }
                if has_vanished || matches!(error, Error::Damaged { .. }) {
                    held.unpackable.insert(old.base);
                } else {
                    // What is in the way may go away.
                    held.packing_waits = true;
                }
                return Err(error);
            }
        };
        let place = held.headers.iter().position(|header| *header == old);
        let (Ok(()), Some(place)) = (held.check_open(), place) else {
            draft.abandon(self.dir());
            return held.check_open().map(|()| None);
        };
        let published = draft.take_name(self.dir());
        held.poison_unless(published)?;
        held.headers[place].body = BODY_BLOCKS;
        held.packing_waits = false;
        Ok(Some(compressed))
    }
}

impl SharedLog {
    /// Compresses one segment if there is one. Yields whether there may be more. A failure is told once: a damaged or vanished segment stays as it is, and after any other
    /// failure this waits for the next new segment, or for a call of [`crate::Log::compress_sealed`] that succeeds.
    pub(crate) fn compress_in_background(&self) -> Result<bool> {
        let waits = self.lock().packing_waits;
        if waits {
            return Ok(false);
        }
        let done = self.compress_sealed()?;
        // What was packed may have been given up meanwhile, and is not all there is.
        Ok(done.is_some() || self.lock().plain_segment().is_some())
    }
}

impl State {
    /// The oldest sealed segment whose frames are plain, and the id behind its records, if nobody packs one already.
    fn plain_segment(&self) -> Option<(SegmentHeader, TxId)> {
        let mut sealed = self.headers.windows(2);
        let found = sealed
            .find(|pair| pair[0].body == BODY_FRAMES && !self.unpackable.contains(&pair[0].base));
        let pair = found.filter(|_| !self.rewriting)?;
        Some((pair[0], pair[1].base))
    }
}

/// Packs the sealed segment `old`, whose records all lie before `end`, unless `goes_on` fails before some block. Whatever fails changes nothing.
pub(crate) fn pack_segment(
    dir: &dyn Dir,
    old: &SegmentHeader,
    end: TxId,
    goes_on: &dyn Fn() -> Result<()>,
) -> Result<PackedDraft> {
    let file = open_segment(dir, old.base)?;
    let bytes_before = file.len()?;
    let facts = segment_facts(file.as_ref(), old.base, u16::MAX)?;
    let mut plain = FrameCursor::new(
        segment_bytes(&file, old, file.len()?, u64::MAX)?,
        Position::start_of(old),
    );
    let header = SegmentHeader {
        body: BODY_BLOCKS,
        ..*old
    };
    let draft = Draft::begin(dir, header)?;
    let packed = pack(&mut plain, file.as_ref(), draft.file.as_ref(), end, goes_on).and_then(
        |bytes_after| {
            let sequence = facts.newest_mark().map_or(0, |mark| mark.sequence + 1);
            let at = plain.position();
            write_marks(draft.file.as_ref(), &header, at, sequence, facts.floor())?;
            draft.file.as_ref().sync()?;
            plain.stand_at(Position::start_of(old));
            compare(&mut plain, draft.file.as_ref(), &header, end)?;
            Ok(Compressed {
                segment: old.base,
                bytes_before,
                bytes_after,
            })
        },
    );
    match packed {
        Ok(compressed) => Ok(PackedDraft { draft, compressed }),
        Err(error) => {
            draft.abandon(dir);
            Err(match error {
                Error::Io(error) => Error::refused(error),
                error => error,
            })
        }
    }
}

/// Writes all frames in blocks, each frame verified. Yields the length of the file.
fn pack(
    cursor: &mut FrameCursor,
    from: &dyn File,
    to: &dyn File,
    end: TxId,
    goes_on: &dyn Fn() -> Result<()>,
) -> Result<u64> {
    let mut place = FRAMES_BYTE;
    let (mut block, mut frames) = (cursor.position(), Vec::new());
    loop {
        let position = cursor.position();
        let length = match position.id < end {
            true => {
                let stepped = cursor.step()?;
                let header = stepped.map_err(|bad| damaged(from, cursor.file_byte(), bad, end))?;
                frame_bytes(header.payload_length)
            }
            false => 0,
        };
        let fits = frames.len() as u64 + length <= BLOCK_PLAIN_BYTES as u64;
        if !frames.is_empty() && (length == 0 || !fits) {
            goes_on()?;
            place += write_block(to, place, block, &frames)?;
            frames.clear();
            block = position;
        }
        if length == 0 {
            return Ok(place);
        }
        frames.extend_from_slice(cursor.bytes().get(position.byte, length)?);
    }
}

/// Writes one block. Yields its length in the file.
fn write_block(to: &dyn File, place: u64, at: Position, frames: &[u8]) -> Result<u64> {
    let packed = lz4_flex::block::compress(frames);
    let stored = if packed.len() < frames.len() {
        &packed[..]
    } else {
        frames
    };
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a frame is shorter than that");
    let header = BlockHeader {
        first: at.id,
        byte: at.byte,
        chain_before: at.chain,
        plain_length: length(frames),
        stored_length: length(stored),
        stored_checksum: checksum(stored),
    };
    to.write_all_at(place, &header.encode())?;
    to.write_all_at(place + BLOCK_HEADER_BYTES as u64, stored)?;
    Ok((BLOCK_HEADER_BYTES + stored.len()) as u64)
}

/// Two marks, so that one flipped bit leaves one.
fn write_marks(
    to: &dyn File,
    header: &SegmentHeader,
    end: Position,
    sequence: u64,
    floor: TxId,
) -> Result<()> {
    for sequence in [sequence, sequence + 1] {
        let mark = Mark {
            sequence,
            through: end.id,
            end_byte: end.byte,
            chain: end.chain,
            closed: false,
            continued: true,
            unnamed: false,
            floor,
        };
        let bytes = mark.encode(&header.encode());
        to.write_all_at(MARK_BLOCK_BYTE[mark.block()], &bytes)?;
    }
    Ok(())
}

/// Reads back what was written and compares it with the plain segment, frame by frame, to its end.
fn compare(
    plain: &mut FrameCursor,
    packed_file: &dyn File,
    header: &SegmentHeader,
    end: TxId,
) -> Result<()> {
    let facts = segment_facts(packed_file, header.base, u16::MAX)?;
    let start = Position::start_of(header);
    let mut packed = FrameCursor::new(SegmentBytes::packed(packed_file, start)?, start);
    while plain.position().id < end {
        let stepped = packed.step()?;
        let found = stepped.map_err(|bad| damaged(packed_file, packed.file_byte(), bad, end))?;
        let same = plain.step()? == Ok(found) && plain.payload()? == packed.payload()?;
        if !same {
            let bad = BadFrame::Chain { expected: found.id };
            return Err(damaged(packed_file, packed.file_byte(), bad, end));
        }
    }
    let at = packed.position();
    let marked = |mark: Option<Mark>| {
        mark.is_some_and(|mark| {
            mark.continued
                && (mark.through, mark.end_byte, mark.chain) == (at.id, at.byte, at.chain)
        })
    };
    if facts.header != *header || !facts.marks.into_iter().all(marked) {
        return Err(Error::Damaged {
            file: packed_file.path().to_path_buf(),
            byte_offset: 0,
            kind: DamageKind::Header,
        });
    }
    Ok(())
}

fn damaged(file: &dyn File, byte_offset: u64, bad: BadFrame, proven: TxId) -> Error {
    Error::Damaged {
        file: file.path().to_path_buf(),
        byte_offset,
        kind: DamageKind::Record { bad, proven },
    }
}
