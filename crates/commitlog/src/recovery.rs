//! Opens a log for writing: examine, and then make true what was found.
//!
//! ```text
//! closed, and not touched since    the marks are written again as they are and synced: no byte changes
//! otherwise                        the newest segment's marks, and its bytes from the proven end on, are written
//!                                    again as they are and synced
//!                                  the directory is synced; if nothing proves that the newest segment's name is durable, it is made anew,
//!                                    which also cuts a torn tail off: a sync of the directory that was repeated after a failure proves nothing
//!                                  an interrupted rotation is completed, one that was completed just before is confirmed
//!                                  leftovers of a truncation or a prune are removed: not before, for were the truncated segment's name lost,
//!                                    they would be what the old one says comes next, and were the floor lost, a gap; it is in both marks by then
//!                                  clean: the end is marked, and the mark synced
//!                                  torn:  the log goes on in a new segment that begins at the end; the tail
//!                                         behind it is cut off by that, and then removed
//! ```
//!
//! Why write what is there already: after a sync that failed, the cache shows bytes that may never have reached the medium, and
//! a second sync would return Ok without writing them.
//!
//! Why a new segment: the torn tail may hold sound frames behind the torn one. Were the torn record appended again byte for byte in its
//! place, any of those that a lost write or a failed sync brings back would continue it. In a new file there is nothing to bring back. A full disk
//! makes that wait until the first append. What makes a name durable can not wait: without it nothing of the segment is, and the open is refused as
//! full. A kill alone never leads there, since the name is marked as durable as soon as it is.

use std::sync::Arc;

use disk::Dir;

use crate::active_segment::{ActiveSegment, MarkFlag, copy, open_for_writing, rewrite_marks};
use crate::error::{Error, Result};
use crate::examine::{Examined, examine, verify_sealed};
use crate::format::SegmentHeader;
use crate::look::{Look, look};
use crate::open_report::{OpenReport, Proof};
use crate::options::{Mistake, Options};
use crate::shared_log::Opened;
use crate::truncation::remove_leftovers;

pub(crate) fn recover(
    dir: &dyn Dir,
    options: &Options,
    proofs: &[Proof],
) -> Result<(Opened, OpenReport)> {
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

    let minimum_reader = options.minimum_reader.max(look.minimum_reader());
    remove_temporaries(dir, &look)?;
    let leftovers = look.leftovers();
    let mut cut_waits = false;
    let active = if was_closed {
        // Whoever closed it may have ended before the last sync, or that may have failed.
        let file = open_for_writing(dir, &newest.header)?;
        rewrite_marks(file.as_ref(), &newest.header.encode(), &newest.marks)?;
        file.sync()?;
        ActiveSegment::resume(
            file,
            newest.header,
            newest.marks,
            look.lineup.floor,
            examined.end,
            examined.end.byte,
        )
    } else {
        let mut active = make_durable(dir, &look, &examined, options.mistake)?;
        let cuts_badly = options.mistake == Some(Mistake::CutWithoutSync);
        let recreated = !newest.name_is_proven() && (!cuts_badly || examined.torn.is_none());
        if recreated {
            active.recreate(dir)?;
        }
        confirm_continuation(dir, &look)?;
        complete_rotations(rotations)?;
        if !leftovers.is_empty() {
            active.mark_floor()?;
        }
        remove_leftovers(dir, leftovers)?;
        if examined.torn.is_some() && !recreated {
            active = match cut(dir, active, minimum_reader, options.mistake)? {
                Cut::Done(next) => next,
                Cut::Waits(torn) => {
                    cut_waits = true;
                    torn
                }
            };
        } else {
            active.mark(examined.end, MarkFlag::Plain)?;
            active.mark_named()?;
            active.file().sync()?;
        }
        active
    };
    let mut headers: Vec<SegmentHeader> = look.kept().map(|segment| segment.header).collect();
    if headers.last().map(|header| header.base) == Some(active.header().base) {
        headers.pop();
    }
    headers.push(*active.header());
    let torn = examined.torn_tail(&look);
    let extent = look.extent();
    let report = OpenReport {
        log_id: extent.log_id,
        base: extent.base,
        missing: extent.missing,
        end: examined.end.id,
        proven: examined.proven.id,
        was_closed,
        torn,
        segment_count: headers.len(),
        rotations_completed: look.lineup.unfinished.len(),
        leftovers_removed: look.lineup.leftovers.len(),
        temporaries_removed: look.temporaries.len(),
        proofs: examined.proofs,
    };
    let opened = Opened {
        headers,
        active,
        minimum_reader,
        untouched: was_closed,
        cut_waits,
    };
    Ok((opened, report))
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
            look.lineup.floor,
            end,
            end.byte,
        ));
    }
    Ok(rotations)
}

/// Marks the segments as continued and syncs that. The name of the newest one is durable, which is what the mark says.
///
/// The marks that they have are on the medium: a segment is synced before its successor is made.
fn complete_rotations(rotations: Vec<ActiveSegment>) -> Result<()> {
    for mut rotated in rotations {
        let end = rotated.end();
        rotated.mark(end, MarkFlag::Continued)?;
        rotated.file().sync()?;
    }
    Ok(())
}

/// Writes the marks of the segment before the newest again, if the newest one has none.
///
/// A rotation whose last sync failed shows the old segment as continued, and the medium may not have it. Later, a
/// mark in the newest segment says that this was made up for.
fn confirm_continuation(dir: &dyn Dir, look: &Look) -> Result<()> {
    let mut kept = look.kept().rev();
    let (newest, previous) = (kept.next(), kept.next());
    let (Some(newest), Some(previous)) = (newest, previous) else {
        return Ok(());
    };
    if newest.newest_mark().is_some() {
        return Ok(());
    }
    let file = open_for_writing(dir, &previous.header)?;
    rewrite_marks(file.as_ref(), &previous.header.encode(), &previous.marks)?;
    Ok(file.sync()?)
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

/// Puts on the medium what the newest segment shows up to its end. What is behind that is reserved anew before it is written to.
fn make_durable(
    dir: &dyn Dir,
    look: &Look,
    examined: &Examined,
    mistake: Option<Mistake>,
) -> Result<ActiveSegment> {
    let (newest, end) = (look.newest(), examined.end);
    let file = open_for_writing(dir, &newest.header)?;
    let active = ActiveSegment::resume(
        Arc::clone(&file),
        newest.header,
        newest.marks,
        look.lineup.floor,
        end,
        end.byte,
    );
    if mistake != Some(Mistake::SyncAgainWithoutRewriting) {
        active.rewrite_marks()?;
        copy(file.as_ref(), file.as_ref(), examined.proven.byte..end.byte)?;
    }
    file.sync()?;
    dir.sync()?;
    Ok(active)
}

/// What became of a torn tail.
enum Cut {
    /// The log goes on in this segment.
    Done(ActiveSegment),
    /// The disk is full: the tail stays, and nothing may be appended to this segment.
    Waits(ActiveSegment),
}

/// Goes on behind the end of a torn segment.
fn cut(
    dir: &dyn Dir,
    mut torn: ActiveSegment,
    minimum_reader: u16,
    mistake: Option<Mistake>,
) -> Result<Cut> {
    let end = torn.end();
    if mistake == Some(Mistake::CutWithoutSync) {
        torn.trim()?;
        torn.mark(end, MarkFlag::Plain)?;
        return Ok(Cut::Done(torn));
    }
    // Crash before this: the tail is found torn again. Crash after it: the tail is cut off.
    match torn.successor(dir, minimum_reader, |_| Ok(())).flatten() {
        Ok(mut next) => {
            if !torn.is_empty() {
                torn.mark(end, MarkFlag::Continued)?;
                torn.file().sync()?;
                next.mark_named()?;
                torn.trim()?;
            }
            Ok(Cut::Done(next))
        }
        Err(Error::Full(_)) => {
            torn.mark(end, MarkFlag::Plain)?;
            torn.file().sync()?;
            Ok(Cut::Waits(torn))
        }
        Err(error) => Err(error),
    }
}
