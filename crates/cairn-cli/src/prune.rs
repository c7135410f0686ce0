//! `cairn prune`: what two good snapshots make unneeded goes, or is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use bootstrap::{Info, PruneSummary};
use disk::{Access, Dir, EntryKind, OsDir, Rehearsal};

use crate::failure::Failure;
use crate::opening::open_on;
use crate::output::Output;
use crate::upkeep_options::PruneOptions;

/// Where the files are that may go.
const PARTS: [&str; 2] = ["log", "snapshots"];
/// The digits that their names begin with: the number of a transaction.
const STEM_DIGITS: usize = 20;

/// Prunes, or does so in a rehearsal, and says for each file whether it goes or why it stays.
///
/// # Errors
/// No database, locked, damage, the disk's.
pub(crate) fn prune(options: &PruneOptions, output: &mut Output) -> Result<(), Failure> {
    let mut dir: Arc<dyn Dir> = OsDir::open(&options.dir).map_err(bootstrap::Error::from)?;
    if options.dry_run {
        let rehearsal = Rehearsal::new(dir).map_err(bootstrap::Error::from)?;
        dir = rehearsal.root();
    }
    let before = files(&*dir)?;
    let database = open_on(Arc::clone(&dir), false)?;
    let summary = database.prune()?;
    let info = database.info()?;
    database.close()?;
    let after = files(&*dir)?;

    let verb = if options.dry_run {
        "would remove"
    } else {
        "removed"
    };
    let gone: Vec<(&String, &u64)> = before
        .iter()
        .filter(|(name, _)| !after.contains_key(*name))
        .collect();
    for (name, bytes) in &gone {
        output.line(format_args!("{verb} {name}, {bytes} bytes"))?;
    }
    let bytes: u64 = gone.iter().map(|(_, bytes)| **bytes).sum();
    output.line(format_args!("{verb} {} files, {bytes} bytes", gone.len()))?;
    for tx in &summary.snapshots_bad {
        output.line(format_args!(
            "the snapshot of transaction {tx} is damaged: it counts for nothing and is left where it is"
        ))?;
    }
    for (name, bytes) in &after {
        let why = why(name, &info, &summary);
        output.line(format_args!("keeps {name}, {bytes} bytes: {why}"))?;
    }
    Ok(())
}

/// The files of the log and of the snapshots, and their lengths.
fn files(dir: &dyn Dir) -> Result<BTreeMap<String, u64>, Failure> {
    let mut files = BTreeMap::new();
    for part in PARTS {
        let inner = match dir.open_dir(part) {
            Err(error) if error.is_not_found() => continue,
            inner => inner.map_err(bootstrap::Error::from)?,
        };
        for entry in inner.list().map_err(bootstrap::Error::from)? {
            if entry.kind == EntryKind::File {
                let file = inner.open(&entry.name, Access::Read);
                let bytes = file.and_then(|file| file.len());
                let bytes = bytes.map_err(bootstrap::Error::from)?;
                files.insert(format!("{part}/{}", entry.name), bytes);
            }
        }
    }
    Ok(files)
}

/// Why a file stays.
fn why(name: &str, info: &Info, summary: &PruneSummary) -> String {
    let Some((part, file)) = name.split_once('/') else {
        return String::new();
    };
    if part == "log" {
        let newest = info.log.segments.last();
        if newest.is_some_and(|newest| newest.file == file) {
            return "the newest segment, where the log goes on".to_owned();
        }
        if !info.log.segments.iter().any(|segment| segment.file == file) {
            return "no segment of the log".to_owned();
        }
        return match summary.floor {
            Some(floor) => format!(
                "transactions after {floor}, the oldest snapshot that is kept, and so needed beside it"
            ),
            None => "the log is cut only behind two good snapshots that share no byte".to_owned(),
        };
    }
    let tx = file
        .get(..STEM_DIGITS)
        .and_then(|stem| stem.parse::<u64>().ok());
    let Some(tx) = tx else {
        return "no snapshot".to_owned();
    };
    let snapshot = info.snapshots.iter().find(|snapshot| snapshot.tx.0 == tx);
    match (snapshot, summary.floor) {
        (Some(snapshot), _) if snapshot.rejected.is_some() => {
            format!("the snapshot of transaction {tx}, which can not be used")
        }
        (Some(_), Some(floor)) if tx > floor.0 => {
            format!("the snapshot of transaction {tx}, newer than {floor}")
        }
        (Some(_), Some(floor)) if tx == floor.0 => {
            format!("the snapshot of transaction {tx}, the older one of two that share no byte")
        }
        (Some(_), Some(_)) => format!(
            "the snapshot of transaction {tx}: not as many newer ones are good as are to be kept"
        ),
        (Some(_), None) => format!(
            "the snapshot of transaction {tx}: there are not two good ones that share no byte"
        ),
        (None, _) => "pages that a snapshot shares".to_owned(),
    }
}
