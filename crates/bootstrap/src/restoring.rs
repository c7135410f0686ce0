//! Going on from a snapshot alone, because that was asked for: the old log is moved aside and a new one begun.
//!
//! ```text
//!  1  what earlier restores moved aside gets new names: <name>.log.aside-<number> -> <name>.log.aside-<higher number>
//!  2  each segment  <name>.log -> <name>.log.aside-<number>, newest first; directory synced
//!  3  a new log whose first record will be the one after the snapshot, with a higher epoch
//! ```
//!
//! Why 1: an earlier attempt may have ended with a sync that failed. Then the old segments show their new names and may have the
//! old ones again after a power cut, in the middle of the new log; and a sync that is repeated proves nothing. Another rename is a change
//! that the next sync has to write.
//!
//! Crash in 2: what is left says that its newest segment is lost, or there is no log: the same restore is asked for again. Oldest
//! first, what is left might pass for a log that was pruned. Crash before the rename in 3: no log.

use std::sync::Arc;

use commitlog::{Chain, Log, LogId, Start, TxId};
use disk::{Dir, EntryKind};
use snapshot::Manifest;

use crate::error::Result;
use crate::layout;
use crate::options::Options;

const SEGMENT_SUFFIX: &str = ".log";
/// Digits of the first record's number.
const STEM_DIGITS: usize = 20;
/// No directory has had as many segments as this: a higher number was not given here.
const NUMBER_END: u32 = 1 << 30;
const ASIDE: &str = ".log.aside-";

/// Replaces the log by an empty one that continues a snapshot. Yields how many segments were moved aside.
pub(crate) fn replace_log(
    dir: &Arc<dyn Dir>,
    options: &Options,
    manifest: &Manifest,
) -> Result<usize> {
    let log_dir = layout::existing_or_new(&**dir, layout::LOG)?;
    let known_epoch = Log::inspect(&*log_dir).map_or(0, |extent| extent.epoch);
    let Moved { segments, number } = move_aside(&*log_dir)?;
    let header = manifest.header();
    let start = Start {
        base: TxId(header.tx).next(),
        chain: Chain(header.chain),
        // Where the log could not say its epoch, a number that grows with each restore stands in for it.
        epoch: known_epoch.max(number).saturating_add(1),
    };
    let log_options = commitlog::Options {
        minimum_reader: header.minimum_reader,
        ..options.log_options()
    };
    let log = Log::create_at(log_dir, LogId(header.log_id), log_options, start, &[])?;
    log.close()?;
    Ok(segments)
}

struct Moved {
    /// How many segments had not been moved aside before.
    segments: usize,
    /// Higher than all numbers that were given before this restore.
    number: u32,
}

/// Renames every segment to a name that no log looks at.
fn move_aside(log_dir: &dyn Dir) -> Result<Moved> {
    let entries = log_dir.list()?.into_iter();
    let files = entries.filter(|entry| entry.kind == EntryKind::File);
    let names: Vec<String> = files.map(|entry| entry.name).collect();
    let numbers = names.iter().filter_map(|name| number_of(name));
    let number = numbers.max().map_or(0, |highest| highest + 1);

    let old = names.iter().filter(|name| number_of(name).is_some());
    // In byte order, which is the order of their first records.
    let segments = names.iter().rev().filter(|name| is_segment(name));
    let segment_count = segments.clone().count();
    for (from, to) in old.chain(segments).zip(number..) {
        let stem = &from[..STEM_DIGITS];
        log_dir.rename(from, &format!("{stem}{ASIDE}{to}"))?;
    }
    log_dir.sync()?;
    Ok(Moved {
        segments: segment_count,
        number,
    })
}

fn is_segment(name: &str) -> bool {
    after_stem(name) == Some(SEGMENT_SUFFIX)
}

/// The number of a segment that was moved aside.
fn number_of(name: &str) -> Option<u32> {
    let number = after_stem(name)?.strip_prefix(ASIDE)?.parse().ok();
    number.filter(|number| *number < NUMBER_END)
}

/// What follows the number of a first record; `None` for names that are not ours, which are left alone.
fn after_stem(name: &str) -> Option<&str> {
    let (stem, suffix) = name.split_at_checked(STEM_DIGITS)?;
    stem.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(suffix)
}
