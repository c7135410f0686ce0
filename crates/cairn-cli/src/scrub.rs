//! `cairn scrub`: all snapshots, read again, and rewritten where they are damaged and have a sound copy.

use std::ops::ControlFlow;
use std::sync::Arc;

use cairn::{Finding, Mending, ScrubProgress, ScrubReport, SoundCopy};
use disk::{Dir, OsDir};
use serde::Serialize;

use crate::failure::Failure;
use crate::opening::open_to_write;
use crate::output::{Output, complain};
use crate::progress::Progress;
use crate::upkeep_options::ScrubOptions;

#[derive(Serialize)]
struct JsonFinding {
    file: String,
    byte: u64,
    reason: String,
    /// Transactions of the snapshots that rest on the file.
    snapshots: Vec<u64>,
    mending: String,
}

#[derive(Serialize)]
struct JsonSummary {
    packs: u64,
    blobs: u64,
    bytes: u64,
    /// Transactions of the snapshots that are whole now.
    sound: Vec<u64>,
    set_aside: Vec<String>,
}

/// Reads all snapshots again. Without `--repair` beside anybody, changing nothing.
///
/// # Errors
/// [`Failure::Damaged`] if something is damaged and stays so; everything is printed first. Locked, the disk's.
pub(crate) fn scrub(options: &ScrubOptions, output: &mut Output) -> Result<(), Failure> {
    let progress = Progress::new("reading snapshots again", 0);
    let report = report(options, &progress);
    progress.finish();
    let report = report?;
    let printed = print(&report, options, output);
    if report.is_damaged() {
        // Whatever became of what was printed: a script looks at how this ends.
        let left = report.findings.iter().filter(|it| !it.is_mended()).count();
        return Err(Failure::Damaged(format!(
            "{left} places in snapshots are damaged"
        )));
    }
    printed?;
    match report.findings.iter().find(|it| !it.is_mended()) {
        Some(unread) => Err(Failure::refused(&unread.reason)),
        None => Ok(()),
    }
}

fn report(options: &ScrubOptions, progress: &Progress) -> Result<ScrubReport, Failure> {
    let go_on = |now: ScrubProgress| {
        progress.show(now.bytes, now.bytes_all);
        ControlFlow::Continue(())
    };
    if options.repair {
        // An open database has more to mend from: its pages.
        match open_to_write(&options.dir, false) {
            Ok(database) => {
                let report = database.scrub(&go_on)?;
                database.close()?;
                return Ok(report);
            }
            Err(failure @ Failure::Damaged(_)) => complain(format_args!(
                "note: the database does not open, so snapshots are mended from one another alone: {failure}"
            )),
            Err(failure) => return Err(failure),
        }
    }
    let dir: Arc<dyn Dir> = OsDir::open(&options.dir).map_err(bootstrap::Error::from)?;
    Ok(bootstrap::scrub(
        &dir,
        options.repair,
        &disk::this_process(),
        &go_on,
    )?)
}

fn print(report: &ScrubReport, options: &ScrubOptions, output: &mut Output) -> Result<(), Failure> {
    let sound = report.sound.iter().map(|manifest| manifest.id().tx());
    let sound: Vec<u64> = sound.collect();
    if options.json.json {
        for finding in &report.findings {
            output.json(&JsonFinding {
                file: finding.file.display().to_string(),
                byte: finding.byte_offset,
                reason: finding.reason.to_string(),
                snapshots: finding.snapshots.iter().map(|id| id.tx()).collect(),
                mending: mending(finding),
            })?;
        }
        let aside = report.set_aside.iter();
        output.json(&JsonSummary {
            packs: report.packs,
            blobs: report.blobs,
            bytes: report.bytes,
            sound,
            set_aside: aside.map(|file| file.display().to_string()).collect(),
        })?;
        return output.flush();
    }
    for finding in &report.findings {
        output.line(format_args!("{}; {}", finding.reason, mending(finding)))?;
    }
    for file in &report.set_aside {
        output.line(format_args!("set aside as {}", file.display()))?;
    }
    output.line(format_args!(
        "{} snapshots are whole; read {} packs, {} pages and heads, {} bytes",
        sound.len(),
        report.packs,
        report.blobs,
        report.bytes
    ))?;
    output.flush()
}

fn mending(finding: &Finding) -> String {
    match &finding.mending {
        Mending::Done { from } => format!("rewritten from {}", copy(from)),
        Mending::Possible { from } => {
            format!("--repair can rewrite it from {}", copy(from))
        }
        Mending::Impossible => "there is no sound copy".to_owned(),
        Mending::Failed { error } => format!("rewriting it failed: {error}"),
        Mending::Unsure { error } => {
            format!("rewritten, but a power cut may bring back what was there: {error}")
        }
        other => format!("{other:?}"),
    }
}

fn copy(from: &SoundCopy) -> String {
    match from {
        SoundCopy::File(file) => file.display().to_string(),
        SoundCopy::Memory => "memory".to_owned(),
        SoundCopy::Known => "what is known of it".to_owned(),
        other => format!("{other:?}"),
    }
}
