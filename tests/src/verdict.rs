//! Opens what is left of a sample, and says in words what came of it.

use std::fmt::Write;

use bootstrap::{Error, OpenReport, Origin};
use cairn::{Options, ReadOptions, View};
use disk::SimDisk;

use crate::notes::{expected, notes, put, read_only, try_open};
use crate::sample::Sample;

/// How much is done with each disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Opened for writing only, and its content compared.
    Quick,
    /// Opened for reading too, opened again, gone on with, and compared file by file if it was refused.
    Thorough,
}

/// Opens the disk for writing with the sample's options and says what came of it:
///
/// - `all`, `all but the last` or `only through N`, then from where, and what was reported;
/// - or `refused: ` and why.
///
/// # Panics
/// If the content is no state that there ever was, or what must hold for every disk does not. `context` says which disk.
#[track_caller]
pub fn verdict(sample: &Sample, disk: &SimDisk, effort: Effort, context: &str) -> String {
    verdict_with(sample, disk, Sample::options(), effort, context)
}

/// [`verdict`] with other options.
///
/// # Panics
/// As [`verdict`].
#[track_caller]
pub fn verdict_with(
    sample: &Sample,
    disk: &SimDisk,
    options: Options,
    effort: Effort,
    context: &str,
) -> String {
    let restoring = options.restore_from_snapshots;
    let reader = (effort == Effort::Thorough).then(|| read(sample, disk, context));
    let before = (effort == Effort::Thorough).then(|| files(disk));
    let (tx, words) = match try_open(disk.root(), options.clone()) {
        Ok(database) => {
            let tx = check_content(sample, &database.view(), context);
            assert_eq!(
                database.durable_through(),
                Some(database.view().tx()),
                "{context}"
            );
            (Some(tx), opened(sample, tx, database.report()))
        }
        Err(error) => (None, format!("refused: {}", refused(&error, context))),
    };
    let (Some(reader), Some(before)) = (reader, before) else {
        return words;
    };
    match (tx, reader) {
        // A reader shows no more than the writer, and an open leaves what a second one finds.
        (Some(tx), Ok(read)) => {
            assert!(read <= tx, "{context}: a reader saw {read} of {tx}");
            go_on(sample, disk, options, tx, context);
        }
        (None, Err(reason)) => {
            assert_eq!(words, format!("refused: {reason}"), "{context}");
            check_unchanged(&before, &files(disk), context);
        }
        (Some(_), Err(_)) if restoring => {}
        (_, reader) => panic!("{context}: {words} for the writer, {reader:?} for a reader"),
    }
    words
}

/// Opens the disk for reading only and says what came of it, in the words of [`verdict`].
///
/// # Panics
/// If the content is no state that there ever was. `context` says which disk.
#[track_caller]
pub fn reader_verdict(sample: &Sample, disk: &SimDisk, context: &str) -> String {
    match read_only(disk.root(), &ReadOptions::default()) {
        Ok(database) => {
            let tx = check_content(sample, &database.view(), context);
            opened(sample, tx, database.report())
        }
        Err(error) => format!("refused: {}", refused(&error, context)),
    }
}

/// Opens for reading only, which changes nothing. Yields the newest transaction seen, or why not.
#[track_caller]
fn read(sample: &Sample, disk: &SimDisk, context: &str) -> Result<u64, String> {
    let before = disk.digest();
    let outcome = read_only(disk.root(), &ReadOptions::default());
    assert_eq!(disk.digest(), before, "{context}: a reader wrote");
    match outcome {
        Ok(database) => Ok(check_content(sample, &database.view(), context)),
        Err(error) => Err(refused(&error, context)),
    }
}

/// The content must be the one after some transaction, to the last byte.
#[track_caller]
fn check_content(sample: &Sample, view: &View, context: &str) -> u64 {
    let tx = view.tx().0;
    let known = sample.digests.get(usize::try_from(tx).unwrap());
    let digest = view.digest();
    let digest = digest.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(Some(&digest), known, "{context}: wrong content at {tx}");
    tx
}

/// Opened again, it is the same; one more note, and it is that.
#[track_caller]
fn go_on(sample: &Sample, disk: &SimDisk, options: Options, tx: u64, context: &str) {
    let again = try_open(disk.root(), options).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(
        check_content(sample, &again.view(), context),
        tx,
        "{context}"
    );
    put(&again, 1000);
    let all = expected((1..=tx).chain([1000]));
    assert_eq!(notes(&again.view()), all, "{context}");
    again.close().unwrap();
    let again = try_open(disk.root(), Sample::options());
    let again = again.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(again.report().was_closed, "{context}");
    assert_eq!(notes(&again.view()), all, "{context}");
}

fn opened(sample: &Sample, tx: u64, report: &OpenReport) -> String {
    let name = |tx| match sample.snapshots.iter().position(|known| *known == tx) {
        Some(0) if sample.snapshots.len() == 1 => "only".to_owned(),
        Some(0) => "older".to_owned(),
        Some(1) => "newer".to_owned(),
        _ => format!("{tx}th"),
    };
    let mut words = if tx == sample.last {
        "all".to_owned()
    } else if tx + 1 == sample.last {
        "all but the last".to_owned()
    } else {
        format!("only through {tx}")
    };
    match report.origin {
        Origin::Created => words.push_str(" of a new database"),
        Origin::Genesis => words.push_str(" from the log"),
        Origin::Snapshot { tx } => write!(words, " from the {} snapshot", name(tx)).unwrap(),
        Origin::Restored { tx, .. } => {
            write!(words, " restored from the {} snapshot", name(tx)).unwrap();
        }
        other => panic!("an unknown origin {other:?}"),
    }
    if report.torn.is_some() {
        words.push_str(", tail cut");
    }
    if report.segments_lost.is_some() {
        words.push_str(", segments lost");
    }
    if report.leftovers_removed > 0 {
        words.push_str(", leftovers removed");
    }
    if report.identity_rewritten {
        words.push_str(", identity rewritten");
    }
    for rejected in &report.snapshots_rejected {
        write!(words, ", {} rejected", name(rejected.tx)).unwrap();
    }
    words
}

/// Why, and the file that is named.
#[track_caller]
fn refused(error: &Error, context: &str) -> String {
    let name = |path: &std::path::Path| path.file_name().unwrap().display().to_string();
    match error {
        Error::Log(commitlog::Error::Damaged { file, .. }) => format!("damaged {}", name(file)),
        Error::IdentityDamaged { file, .. } => format!("damaged {}", name(file)),
        Error::NoGenesis { file } => format!("no genesis in {}", name(file)),
        Error::LogLost {
            restorable: true, ..
        } => "log lost, restorable".to_owned(),
        Error::LogLost { .. } => "log lost".to_owned(),
        Error::NoStart {
            restorable: true, ..
        } => "no start, restorable".to_owned(),
        Error::NoStart { .. } => "no start".to_owned(),
        Error::LogBehindSnapshot { .. } => "log behind snapshot".to_owned(),
        Error::ForeignLog { .. } => "foreign log".to_owned(),
        Error::NoDatabase { .. } => "no database".to_owned(),
        other => panic!("{context}: refused with {other:?}"),
    }
}

/// A refusal changes nothing.
#[track_caller]
fn check_unchanged(before: &[(String, Vec<u8>)], after: &[(String, Vec<u8>)], context: &str) {
    let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|(path, _)| path.clone()).collect()
    };
    assert_eq!(
        names(before),
        names(after),
        "{context}: refused, and yet changed"
    );
    for ((path, old), (_, new)) in before.iter().zip(after) {
        assert!(old == new, "{context}: refused, and yet {path} changed");
    }
}

/// Every file but the lock.
fn files(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
    let paths = disk.files().into_iter().filter(|path| path != "lock");
    paths
        .map(|path| (path.clone(), disk.read(&path).unwrap()))
        .collect()
}
