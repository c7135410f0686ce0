//! The claims (a) to (e), checked on one disk that a crash, and perhaps a fault, has left.

use std::sync::Arc;

use commitlog::{Error, Log, OpenReport, Options, Proof, ReadOnlyLog, ReadOnlyOptions};
use disk::{Choice, Crash, Dir, SimDisk};

use crate::fault::MediumFault;
use crate::model::Model;

/// How the life before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Kill,
    Power,
}

/// A broken claim, with what led to it added on the way out.
#[derive(Debug)]
pub(crate) struct Violation(pub(crate) String);

pub(crate) type Checked<T> = Result<T, Violation>;

pub(crate) fn violated<T>(what: impl Into<String>) -> Checked<T> {
    Err(Violation(what.into()))
}

/// Opens the log and checks what it shows against the model. Yields the log and the report if it could be opened.
pub(crate) fn check(
    disk: &SimDisk,
    model: &Model,
    options: &Options,
    ending: Ending,
    fault: Option<&MediumFault>,
) -> Checked<Option<(Log, OpenReport)>> {
    let before = fault.map(|_| contents(disk));
    let root: Arc<dyn Dir> = disk.root();
    let (log, report) = match Log::open(root, options.clone(), &model.proofs) {
        Ok(opened) => opened,
        Err(error) => {
            detected(&error, fault)?;
            if before.is_some_and(|before| before != contents(disk)) {
                return violated(format!("a refused open changed the disk: {error}"));
            }
            return Ok(None);
        }
    };
    let (base, end) = (report.base.0, report.end.0);
    if log.durable_end() != report.end {
        return violated("an open log is not durable to its end");
    }
    // Only a snapshot of which the log holds the rest can stand in for the oldest segment, and no fault makes a sound log look as if that were gone.
    let oldest_is_gone = fault.is_some_and(|fault| fault.removed_the_oldest(disk));
    let missing = &report.missing;
    if missing.is_some() && !oldest_is_gone {
        return violated(format!("{missing:?} is missing, it says"));
    }
    let stands_in = |proof: &Proof| proof.through.0 + 1 >= base && proof.through < report.end;
    if report.missing.is_some() && !model.proofs.iter().any(stands_in) {
        return violated("opened without its oldest segment and without a snapshot");
    }
    // A fault may hide where the log was to begin, so that a removal that came undone shows.
    let (lowest, highest) = match fault {
        Some(_) => (0, model.base.1),
        None => model.base,
    };
    if base < lowest || (base > highest && !oldest_is_gone) {
        return violated(format!("the base is {base}, not within {:?}", model.base));
    }
    let written = model.written.len() as u64;
    if end > written {
        return violated(format!(
            "the log ends at {end}, but only {written} were written"
        ));
    }
    if end < model.acknowledged && !model.may_be_truncated_to(end) {
        let allowed = ending == Ending::Power && fault.is_some() && end >= model.batch_start;
        if !allowed {
            return violated(format!(
                "{} were acknowledged, the log ends at {end} (torn: {:?}); the last batch began at {}",
                model.acknowledged, report.torn, model.batch_start
            ));
        }
    }
    if end < model.handed_over && ending == Ending::Kill && fault.is_none() {
        let truncated = model.may_be_truncated_to(end);
        if !truncated {
            return violated(format!(
                "the operating system had {} records, the log ends at {end} (torn: {:?})",
                model.handed_over, report.torn
            ));
        }
    }
    let mut reader = log
        .reader(report.base)
        .map_err(|error| Violation(error.to_string()))?;
    for id in base..end {
        match reader.next_record() {
            Ok(Some(record))
                if record.id.0 == id
                    && record.payload == model.written[usize::try_from(id).unwrap()] => {}
            Ok(other) => {
                return violated(format!("record {id} is not what was written: {other:?}"));
            }
            Err(error) => {
                detected(&error, fault)?;
                return Ok(None);
            }
        }
    }
    Ok(Some((log, report)))
}

/// A refusal is right only if there was a fault, and only if it names the damage.
fn detected(error: &Error, fault: Option<&MediumFault>) -> Checked<()> {
    let named = matches!(error, Error::Damaged { .. } | Error::NoLog { .. });
    match fault {
        Some(_) if named => Ok(()),
        Some(_) => violated(format!("not a verdict: {error}")),
        None => violated(format!("no fault, but: {error}")),
    }
}

/// A read-only open shows a part of what was written, and changes nothing.
pub(crate) fn check_read_only(disk: &SimDisk, model: &Model) -> Checked<()> {
    let before = disk.digest();
    let options = ReadOnlyOptions {
        show_unproven: true,
        ..ReadOnlyOptions::default()
    };
    let log = ReadOnlyLog::open(disk.root(), options, &model.proofs)
        .map_err(|error| Violation(error.to_string()))?;
    let mut reader = log
        .reader(log.base())
        .map_err(|error| Violation(error.to_string()))?;
    loop {
        match reader.next_record() {
            Ok(None) => break,
            Ok(Some(record)) => {
                let id = usize::try_from(record.id.0).unwrap();
                if model
                    .written
                    .get(id)
                    .is_none_or(|written| written != record.payload)
                {
                    return violated(format!(
                        "read-only shows record {id}, which was not written so"
                    ));
                }
            }
            Err(error) => return violated(format!("read-only: {error}")),
        }
    }
    let end = log.next_id().0;
    if end < model.acknowledged && !model.may_be_truncated_to(end) {
        return violated(format!("read-only ends at {}", log.next_id()));
    }
    if disk.digest() != before {
        return violated("a read-only open changed the disk");
    }
    check_proven(disk, model, &log)
}

/// What a reader calls proven is there after the next power cut, even if that takes back all that was not synced.
fn check_proven(disk: &SimDisk, model: &Model, reader: &ReadOnlyLog) -> Checked<()> {
    let disk = disk.fork();
    disk.crash(Crash::Power(Choice::Old));
    let opened = Log::open(disk.root(), Options::default(), &model.proofs);
    let (_, report) = opened.map_err(|error| Violation(error.to_string()))?;
    let proven = reader.proven_end();
    if report.end < proven {
        return violated(format!(
            "read-only calls all before {proven} proven, after a power cut the log ends at {}",
            report.end
        ));
    }
    Ok(())
}

/// A reader refuses what a writer refuses, and nothing else; what it shows was written, and is no more than what the writer found.
pub(crate) fn check_reader_agrees(
    disk: &SimDisk,
    model: &Model,
    writer_found: bool,
) -> Checked<()> {
    let before = disk.digest();
    let opened = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &model.proofs);
    let verified = opened.and_then(|log| {
        let mut reader = log.reader(log.base())?;
        while let Some(record) = reader.next_record()? {
            let written = model.written.get(usize::try_from(record.id.0).unwrap());
            assert_eq!(written.map(Vec::as_slice), Some(record.payload));
        }
        Ok(())
    });
    if disk.digest() != before {
        return violated("a read-only open changed the disk");
    }
    match (verified, writer_found) {
        (Ok(()), true) | (Err(Error::Damaged { .. } | Error::NoLog { .. }), false) => Ok(()),
        (Ok(()), false) => violated("a writer found damage where a reader finds none"),
        (Err(error), _) => violated(format!("a reader finds other than a writer: {error}")),
    }
}

fn contents(disk: &SimDisk) -> Vec<(String, Option<Vec<u8>>)> {
    let files = disk.files().into_iter();
    files
        .map(|file| {
            let bytes = disk.read(&file);
            (file, bytes)
        })
        .collect()
}
