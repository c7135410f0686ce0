//! Going on from a snapshot alone, because that was asked for: the old log is moved aside and a new one begun.
//!
//! ```text
//!  1  each segment  <name>.log -> <name>.log.aside-<generation>, oldest first, directory synced
//!  2  a new log whose first record will be the one after the snapshot, with a higher epoch
//! ```
//!
//! Crash in 1: what is left of the log begins later than the snapshot, or is gone: the same restore is asked for again. Crash
//! before the rename in 2: no log.

use std::sync::Arc;

use commitlog::{Chain, Log, LogId, Start, TxId};
use disk::{Dir, EntryKind};
use snapshot::Manifest;

use crate::error::Result;
use crate::layout;
use crate::options::Options;

const SEGMENT_SUFFIX: &str = ".log";
const ASIDE: &str = ".log.aside-";

/// Replaces the log by an empty one that continues a snapshot. Yields how many segments were moved aside.
pub(crate) fn replace_log(
    dir: &Arc<dyn Dir>,
    options: &Options,
    manifest: &Manifest,
) -> Result<usize> {
    let log_dir = layout::existing_or_new(&**dir, layout::LOG)?;
    let known_epoch = Log::inspect(&*log_dir).map_or(0, |extent| extent.epoch);
    let (moved, generation) = move_aside(&*log_dir)?;
    let header = manifest.header();
    let start = Start {
        base: TxId(header.tx).next(),
        chain: Chain(header.chain),
        // Where the log could not say its epoch, the number of restores stands in for it.
        epoch: known_epoch.max(generation).saturating_add(1),
    };
    let log_options = commitlog::Options {
        minimum_reader: header.minimum_reader,
        ..options.log_options()
    };
    let log = Log::create_at(log_dir, LogId(header.log_id), log_options, start, &[])?;
    log.close()?;
    Ok(moved)
}

/// Renames every segment to a name that no log looks at. Yields how many, and how often that has been done before.
fn move_aside(log_dir: &dyn Dir) -> Result<(usize, u32)> {
    let names: Vec<String> = log_dir
        .list()?
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .map(|entry| entry.name)
        .collect();
    let generations = names
        .iter()
        .filter_map(|name| name.split_once(ASIDE)?.1.parse::<u32>().ok());
    let generation = generations.max().map_or(0, |last| last.saturating_add(1));
    let mut moved = 0;
    // In byte order, which is the order of their first records.
    for name in names.iter().filter(|name| name.ends_with(SEGMENT_SUFFIX)) {
        let stem = name.trim_end_matches(SEGMENT_SUFFIX);
        log_dir.rename(name, &format!("{stem}{ASIDE}{generation}"))?;
        log_dir.sync()?;
        moved += 1;
    }
    Ok((moved, generation))
}
