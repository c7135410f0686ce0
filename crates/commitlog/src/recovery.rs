//! Opens a log for writing: examine, and then make true what was found.
//!
//! ```text
//! closed, and not touched since       nothing is written
//! otherwise                           leftovers of a truncation are removed
//!                                     the newest segment is written again from the proven end to the end of the file, what is torn as zeros,
//!                                       and synced; one without any mark, whose name may not be durable, is made anew and renamed
//!                                     an interrupted rotation is completed
//!                                     the directory is synced
//!                                     the end is marked
//! ```
//!
//! Why write what is there already: after a sync that failed, the cache shows bytes that may never have reached the medium, and a second sync
//! would return Ok without writing them. The same holds for zeros: a tail that was cut by a shorter length alone could come
//! back behind a record that is written again. And it holds for names: one made by a rename whose directory sync failed is
//! proved by nothing, which is why a segment gets its first mark only after that sync.

use std::sync::Arc;

use disk::{Dir, File};

use crate::active_segment::{ActiveSegment, Draft, MarkFlag, open_for_writing, write_zeros};
use crate::error::Result;
use crate::examine::{Examined, examine, verify_sealed};
use crate::format::{FRAMES_BYTE, SegmentHeader};
use crate::lineup::SegmentFacts;
use crate::look::{Look, look};
use crate::open_report::{OpenReport, Proof, TornTail};
use crate::options::{Mistake, Options};
use crate::segment_name::segment_name;

/// How much is copied at once, bytes.
const COPY_BYTES: u64 = 1 << 20;

/// A log that was opened.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The headers of all segments, oldest first; the last one is the active one's.
    pub(crate) headers: Vec<SegmentHeader>,
    pub(crate) active: ActiveSegment,
    pub(crate) minimum_reader: u16,
    pub(crate) report: OpenReport,
}

pub(crate) fn recover(dir: &dyn Dir, options: &Options, proofs: &[Proof]) -> Result<Recovered> {
    let look = look(dir, options.reader)?;
    let examined = examine(dir, &look, proofs)?;
    // An interrupted rotation is verified before anything is written.
    let rotations = unfinished_rotations(dir, &look)?;
    let newest = look.newest();
    let was_closed = newest.is_closed()
        && newest
            .newest_mark()
            .is_some_and(|mark| mark.through == examined.end.id)
        && look.lineup.leftovers.is_empty()
        && rotations.is_empty();

    remove_temporaries(dir, &look)?;
    let active = if was_closed {
        let file = open_for_writing(dir, &newest.header)?;
        ActiveSegment::resume(
            file,
            newest.header,
            newest.marks,
            examined.end,
            examined.bytes,
        )
    } else {
        remove_leftovers(dir, &look)?;
        let mut active = make_durable(dir, newest, &examined, options.mistake)?;
        for mut rotated in rotations {
            let end = rotated.end();
            rotated.rewrite_marks()?;
            rotated.mark(end, MarkFlag::Continued)?;
            rotated.file().sync()?;
        }
        active.mark(examined.end, MarkFlag::Plain)?;
        active
    };
    let torn = examined.torn.then(|| TornTail {
        segment: newest.header.base,
        byte_offset: examined.end.byte,
        bytes_cut: examined
            .last_nonzero
            .map_or(0, |last| last + 1 - examined.end.byte),
        reason: examined.bad,
    });
    let extent = look.extent();
    let report = OpenReport {
        log_id: extent.log_id,
        base: extent.base,
        end: examined.end.id,
        proven: examined.proven.id,
        was_closed,
        torn,
        segment_count: extent.segments.len(),
        rotations_completed: look.lineup.unfinished.len(),
        leftovers_removed: look.lineup.leftovers.len(),
        temporaries_removed: look.temporaries.len(),
        proofs: examined.proofs,
    };
    Ok(Recovered {
        headers: look.kept().map(|segment| segment.header).collect(),
        active,
        minimum_reader: options.minimum_reader.max(look.minimum_reader()),
        report,
    })
}

/// The segments that have a successor and do not say so, each standing at its end.
fn unfinished_rotations(dir: &dyn Dir, look: &Look) -> Result<Vec<ActiveSegment>> {
    let mut rotations = Vec::new();
    for &index in &look.lineup.unfinished {
        let segment = &look.segments[index];
        let next = look.lineup.kept.iter().find(|&&kept| kept > index);
        let next = &look.segments[*next.expect("an unfinished segment has a successor")];
        let end = verify_sealed(dir, segment, next)?;
        let file = open_for_writing(dir, &segment.header)?;
        rotations.push(ActiveSegment::resume(
            file,
            segment.header,
            segment.marks,
            end,
            end.byte,
        ));
    }
    Ok(rotations)
}

fn remove_temporaries(dir: &dyn Dir, look: &Look) -> Result<()> {
    for name in &look.temporaries {
        dir.remove(name)?;
    }
    if !look.temporaries.is_empty() {
        dir.sync()?;
    }
    Ok(())
}

/// They are ignored as long as the truncated segment is there, so the order does not matter.
fn remove_leftovers(dir: &dyn Dir, look: &Look) -> Result<()> {
    for &index in &look.lineup.leftovers {
        dir.remove(&segment_name(look.segments[index].named))?;
    }
    if !look.lineup.leftovers.is_empty() {
        dir.sync()?;
    }
    Ok(())
}

/// Puts on the medium what the newest segment shows, and zeros behind its end.
fn make_durable(
    dir: &dyn Dir,
    newest: &SegmentFacts,
    examined: &Examined,
    mistake: Option<Mistake>,
) -> Result<ActiveSegment> {
    let header = newest.header;
    let end = examined.end;
    let file = open_for_writing(dir, &header)?;
    if mistake == Some(Mistake::SyncAgainWithoutRewriting) {
        write_zeros(file.as_ref(), end.byte, examined.bytes)?;
        file.sync()?;
        dir.sync()?;
        return Ok(ActiveSegment::resume(
            file,
            header,
            newest.marks,
            end,
            examined.bytes,
        ));
    }
    if newest.newest_mark().is_none() {
        let draft = Draft::begin(dir, header)?;
        copy(file.as_ref(), draft.file.as_ref(), FRAMES_BYTE, end.byte)?;
        let file = Arc::clone(&draft.file);
        draft.publish(dir)?;
        return Ok(ActiveSegment::resume(
            file, header, [None; 2], end, end.byte,
        ));
    }
    let active =
        ActiveSegment::resume(Arc::clone(&file), header, newest.marks, end, examined.bytes);
    active.rewrite_marks()?;
    copy(file.as_ref(), file.as_ref(), examined.proven.byte, end.byte)?;
    if mistake == Some(Mistake::CutWithoutSync) {
        file.sync()?;
        file.set_len(end.byte)?;
        return Ok(ActiveSegment::resume(
            file,
            header,
            newest.marks,
            end,
            end.byte,
        ));
    }
    write_zeros(file.as_ref(), end.byte, examined.bytes)?;
    file.sync()?;
    dir.sync()?;
    Ok(active)
}

/// Writes the bytes `from..to` of one file to the same place of another, or to itself.
fn copy(source: &dyn File, target: &dyn File, from: u64, to: u64) -> Result<()> {
    let mut buffer = Vec::new();
    let mut at = from;
    while at < to {
        let len = COPY_BYTES.min(to - at);
        buffer.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
        source.read_exact_at(at, &mut buffer)?;
        target.write_all_at(at, &buffer)?;
        at += len;
    }
    Ok(())
}
