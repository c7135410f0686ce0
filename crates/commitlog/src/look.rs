//! A first look at a directory: names, headers and marks. Nothing is locked, written or repaired.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use disk::{Access, Dir, EntryKind, File};

use crate::chain::Chain;
use crate::damage::DamageKind;
use crate::error::{Error, FormatPart, Result};
use crate::format::{
    BODY_BLOCKS, FRAMES_BYTE, HEADER_BYTES, MARK_BLOCK_BYTE, MARK_BYTES, Mark, START_SEQUENCE_MAX,
    SegmentHeader, VERSION,
};
use crate::frame_cursor::Position;
use crate::lineup::{Lineup, LineupDamage, line_up};
use crate::log_id::LogId;
use crate::segment_bytes::SegmentBytes;
use crate::segment_facts::SegmentFacts;
use crate::segment_name::{is_temporary_name, parse_segment_name, segment_name};
use crate::shared_log::Placement;
use crate::tx_id::TxId;

/// What a directory holds.
#[derive(Debug)]
pub(crate) struct Look {
    /// All segments, leftovers too, sorted by name.
    pub(crate) segments: Vec<SegmentFacts>,
    /// Their order.
    pub(crate) lineup: Lineup,
    /// Names of segments that were never finished.
    pub(crate) temporaries: Vec<String>,
}

impl Look {
    /// The segments that make up the log, oldest first.
    pub(crate) fn kept(&self) -> impl DoubleEndedIterator<Item = &SegmentFacts> {
        self.lineup.kept.iter().map(|&index| &self.segments[index])
    }

    /// The newest segment of the log.
    pub(crate) fn newest(&self) -> &SegmentFacts {
        self.kept().next_back().expect("a log has a segment")
    }

    /// The segments that a truncation or a prune left behind.
    pub(crate) fn leftovers(&self) -> Vec<TxId> {
        let all = self.lineup.leftovers.iter();
        all.map(|&index| self.segments[index].named).collect()
    }

    /// The extent of the log as far as headers and marks tell.
    pub(crate) fn extent(&self) -> Extent {
        let oldest = &self.kept().next().expect("a log has a segment").header;
        let newest = self.newest();
        let extent_of = |segment: &SegmentFacts| SegmentExtent {
            file: segment_name(segment.named),
            base: segment.header.base,
            chain_before_base: segment.header.chain_before,
            bytes: segment.bytes,
            compressed: segment.header.body == BODY_BLOCKS,
        };
        Extent {
            log_id: oldest.log_id,
            base: oldest.base,
            chain_before_base: oldest.chain_before,
            epoch: newest.header.epoch,
            minimum_reader: self.minimum_reader(),
            proven: newest.proven(),
            closed: newest.is_closed(),
            missing: self.lineup.missing.clone(),
            segments: self.kept().map(extent_of).collect(),
        }
    }

    /// The segment that holds record `id` (or would, if it is the next one).
    pub(crate) fn segment_of(&self, id: TxId) -> Result<Placement> {
        let after = self
            .lineup
            .kept
            .partition_point(|&index| self.segments[index].header.base <= id);
        let Some(position) = after.checked_sub(1) else {
            let oldest = self.extent().base;
            return Err(Error::Pruned { oldest });
        };
        let kept = |position: usize| {
            let index = self.lineup.kept.get(position)?;
            Some(&self.segments[*index])
        };
        let segment = kept(position).expect("the position is within the segments");
        let successor = kept(after).map(|next| next.header);
        Ok(Placement {
            header: segment.header,
            successor,
            settled: segment.marked().byte,
            truncations: 0,
        })
    }

    /// Up to which record all is as it was, if the log was truncated since it was in `epoch` and began at record `began`.
    ///
    /// A truncation makes a segment anew at or before its end. Behind one that stayed, that is the first segment of a later epoch. If the oldest
    /// one is of a later epoch, that segment may be pruned by now: then all that is known is that nothing before `began` was given up.
    pub(crate) fn truncated_since(&self, epoch: u32, began: TxId) -> Option<TxId> {
        let mut kept = self.kept().enumerate();
        let (place, anew) = kept.find(|(_, segment)| segment.header.epoch > epoch)?;
        Some(if place == 0 { began } else { anew.header.base })
    }

    /// The highest minimum reader of the segments.
    pub(crate) fn minimum_reader(&self) -> u16 {
        let all = self.kept().map(|segment| segment.header.minimum_reader);
        all.max().unwrap_or(0)
    }
}

/// What headers and marks tell about a log, without reading its records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// Which log it is.
    pub log_id: LogId,
    /// The oldest record that is kept.
    pub base: TxId,
    /// The chain before it.
    pub chain_before_base: Chain,
    /// How often records of this log were given up on purpose.
    pub epoch: u32,
    /// The highest payload version that its segments ask for.
    pub minimum_reader: u16,
    /// The first record that neither the newest segment's base nor its marks prove; there may be more.
    pub proven: TxId,
    /// Whether it was closed and not touched since: then `proven` is its end.
    pub closed: bool,
    /// Records before `base` that the log keeps and that are not there: the segments that held them are lost.
    pub missing: Option<Range<TxId>>,
    /// Its segments, oldest first; never empty.
    pub segments: Vec<SegmentExtent>,
}

/// One segment of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentExtent {
    /// The name of its file.
    pub file: String,
    /// Its first record.
    pub base: TxId,
    /// The chain before that.
    pub chain_before_base: Chain,
    /// The length of the file, space reserved ahead included.
    pub bytes: u64,
    /// Whether its records are stored in compressed blocks.
    pub compressed: bool,
}

/// How often a directory is listed again because a listed segment vanished, pruned by a writer beside us.
const LISTINGS_MAX: usize = 64;

/// How often a directory that changes while it is looked at is looked at again.
pub(crate) const ATTEMPTS_MAX: usize = 8;

/// Looks at the directory. `reader` is the newest payload version that the caller understands.
///
/// A writer beside us may prune and rotate between the listing and the reading of the marks: segments that were begun meanwhile are found by the marks, and what vanished or
/// seems to be missing is looked for again; a listing may even show none of the segments, the old ones removed and the next not there yet. Damage that is found twice in the same files, header by header and mark by mark, is damage: the second listing is younger than the marks that the first
/// look read, and a truncation, which alone could make what was continued end again, would show in a header.
pub(crate) fn look(dir: &dyn Dir, reader: u16) -> Result<Look> {
    let mut before = None;
    for _ in 1..LISTINGS_MAX {
        let mut segments = Vec::new();
        let looked = look_once(dir, reader, &mut segments);
        let doubt = match &looked {
            Err(Error::Io(error)) if error.is_not_found() => continue,
            Err(error @ (Error::Damaged { .. } | Error::NoLog { .. })) => Some(error.to_string()),
            Ok(_) | Err(_) => None,
        };
        let doubt = doubt.map(|doubt| (doubt, segments));
        if doubt.is_none() || doubt == before {
            return looked;
        }
        before = doubt;
    }
    look_once(dir, reader, &mut Vec::new())
}

/// Looks for a segment that vanished or is another one now: an error that says why, if there is a reason.
///
/// A truncation at or before its first record leaves a segment of a later epoch there, or nothing behind one. Its own epoch counts, not that of the look that it is from:
/// that may have met the truncation in the middle, and the same records that were written again continue the old ones. The log began at record `began` when
/// that was looked at.
pub(crate) fn look_for(dir: &dyn Dir, lost: &SegmentHeader, began: TxId) -> Result<()> {
    let mut attempt = 1;
    loop {
        match look(dir, u16::MAX) {
            Ok(found) => {
                let oldest = found.extent().base;
                if oldest > lost.base {
                    return Err(Error::Pruned { oldest });
                }
                return match found.truncated_since(lost.epoch, began) {
                    Some(end) if end <= lost.base => Err(Error::Truncated { end }),
                    _ => Ok(()),
                };
            }
            Err(Error::Damaged { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// `segments` receives what was read of each, also if it does not fit together.
fn look_once(dir: &dyn Dir, reader: u16, segments: &mut Vec<SegmentFacts>) -> Result<Look> {
    let mut temporaries = Vec::new();
    let mut listed = Vec::new();
    for entry in dir.list()? {
        if let Some(base) = parse_segment_name(&entry.name) {
            listed.push(base);
        } else if entry.kind == EntryKind::File && is_temporary_name(&entry.name) {
            temporaries.push(entry.name);
        }
    }
    listed.sort_unstable();
    // The newest first, and those that a writer has begun behind it: however many there are before them, nothing seems to be missing by then.
    let newest = listed.pop();
    let mut next = newest;
    while let Some(base) = next {
        let file = match open_segment(dir, base) {
            // It is lost, if nobody has pruned it: the lineup tells.
            Err(Error::Io(error)) if error.is_not_found() && next != newest => break,
            opened => opened?,
        };
        let found = segment_facts(file.as_ref(), base, reader)?;
        segments.push(found);
        let continued = found.continued_mark().map(|mark| mark.through);
        next = continued.filter(|through| *through > base);
    }
    for base in listed.into_iter().rev() {
        let file = open_segment(dir, base)?;
        segments.push(segment_facts(file.as_ref(), base, reader)?);
    }
    if segments.is_empty() {
        let path = dir.path().to_path_buf();
        return Err(Error::NoLog { path });
    }
    segments.sort_by_key(|segment| segment.named);
    let lineup = line_up(segments).map_err(|damage| damaged(dir, segments, damage))?;
    Ok(Look {
        segments: segments.clone(),
        lineup,
        temporaries,
    })
}

fn damaged(dir: &dyn Dir, segments: &[SegmentFacts], damage: LineupDamage) -> Error {
    Error::Damaged {
        file: segment_path(dir, segments[damage.index].named),
        byte_offset: damage.byte_offset,
        kind: damage.kind,
    }
}

/// The path of a segment, for messages.
pub(crate) fn segment_path(dir: &dyn Dir, base: TxId) -> PathBuf {
    dir.path().join(segment_name(base))
}

/// Reads the header of a segment, which must be one that this program understands.
pub(crate) fn segment_header(file: &dyn File, reader: u16) -> Result<SegmentHeader> {
    Ok(read_header(file, reader)?.0)
}

fn read_header(file: &dyn File, reader: u16) -> Result<(SegmentHeader, [u8; HEADER_BYTES])> {
    let header_bytes: [u8; HEADER_BYTES] = read_array(file, 0)?;
    let Some(header) = SegmentHeader::decode(&header_bytes) else {
        return Err(Error::Damaged {
            file: file.path().to_path_buf(),
            byte_offset: 0,
            kind: DamageKind::Header,
        });
    };
    let too_new = |part, needed, supported| Error::NewerFormat {
        file: file.path().to_path_buf(),
        part,
        needed,
        supported,
    };
    if header.version > VERSION {
        return Err(too_new(FormatPart::Segment, header.version, VERSION));
    }
    if header.body > BODY_BLOCKS {
        return Err(too_new(FormatPart::Body, header.body, BODY_BLOCKS));
    }
    if header.minimum_reader > reader {
        return Err(too_new(FormatPart::Payload, header.minimum_reader, reader));
    }
    Ok((header, header_bytes))
}

/// Reads header and marks of one segment.
pub(crate) fn segment_facts(file: &dyn File, named: TxId, reader: u16) -> Result<SegmentFacts> {
    let bytes = file.len()?;
    let (header, header_bytes) = read_header(file, reader)?;
    if bytes < FRAMES_BYTE {
        return Err(Error::Damaged {
            file: file.path().to_path_buf(),
            byte_offset: bytes,
            kind: DamageKind::TooShort { bytes },
        });
    }
    let mut marks = [None; 2];
    let mut has_bad_mark = false;
    for (block, mark) in marks.iter_mut().enumerate() {
        let mark_bytes: [u8; MARK_BYTES] = read_array(file, MARK_BLOCK_BYTE[block])?;
        *mark = Mark::decode(&mark_bytes, &header_bytes, block);
        if mark.is_some_and(|mark| mark.sequence > START_SEQUENCE_MAX) {
            return Err(Error::Damaged {
                file: file.path().to_path_buf(),
                byte_offset: MARK_BLOCK_BYTE[block],
                kind: DamageKind::Header,
            });
        }
        has_bad_mark |= mark.is_none() && mark_bytes != [0; MARK_BYTES];
    }
    Ok(SegmentFacts {
        named,
        header,
        marks,
        has_bad_mark,
        bytes,
    })
}

/// Reads `N` bytes; what the file does not hold reads as zero.
fn read_array<const N: usize>(file: &dyn File, offset: u64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_up_to(offset, &mut bytes)?;
    Ok(bytes)
}

/// The bytes of a segment up to `limit`, however its frames are stored by now. Those before the byte `settled` are never written again.
///
/// [`Error::Truncated`] if the file has become another segment since `header` was read.
pub(crate) fn segment_bytes(
    file: &Arc<dyn File>,
    header: &SegmentHeader,
    limit: u64,
    settled: u64,
) -> Result<SegmentBytes> {
    let found = segment_header(file.as_ref(), u16::MAX)?;
    if !found.same_history(header) {
        let end = header.base;
        return Err(Error::Truncated { end });
    }
    if found.body == BODY_BLOCKS {
        return SegmentBytes::packed(file.as_ref(), Position::start_of(header));
    }
    SegmentBytes::plain(Arc::clone(file), limit, settled)
}

/// Opens a segment for reading.
pub(crate) fn open_segment(dir: &dyn Dir, base: TxId) -> Result<Arc<dyn File>> {
    Ok(dir.open(&segment_name(base), Access::Read)?)
}
