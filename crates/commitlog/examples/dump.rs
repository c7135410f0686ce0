//! Prints what a log holds: its segments, what is proved of them, and its records. Nothing is locked or repaired; a writer may be at work.
//!
//! `cargo run -p commitlog --example dump DIRECTORY [FIRST_ID]`
#![allow(dead_code, reason = "its test uses `dump` alone")]

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use commitlog::{Log, ReadOnlyLog, ReadOnlyOptions, TxId};
use disk::{Dir, OsDir};

/// Writes the segments, and the records from `first` on.
pub(crate) fn dump(
    dir: Arc<dyn Dir>,
    first: Option<TxId>,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let extent = Log::inspect(dir.as_ref())?;
    writeln!(
        out,
        "log {} from {}, epoch {}",
        extent.log_id, extent.base, extent.epoch
    )?;
    for segment in &extent.segments {
        let chain = segment.chain_before_base;
        writeln!(
            out,
            "segment {}: {} bytes, chain before it {chain}",
            segment.file, segment.bytes
        )?;
    }
    let state = if extent.closed {
        "closed"
    } else {
        "not closed"
    };
    writeln!(out, "marks prove what is before {}; {state}", extent.proven)?;
    let options = ReadOnlyOptions {
        show_unproven: true,
        ..ReadOnlyOptions::default()
    };
    let log = ReadOnlyLog::open(dir, options, &[])?;
    let mut reader = log.reader(first.unwrap_or(log.base()))?;
    while let Some(record) = reader.next_record()? {
        let proven = if record.proven { "" } else { ", not proven" };
        let shown: String = record
            .payload
            .iter()
            .take(40)
            .map(|&byte| printable(byte))
            .collect();
        let length = record.payload.len();
        writeln!(
            out,
            "{}: {length} bytes, chain {}{proven}: {shown}",
            record.id, record.chain
        )?;
    }
    if let Some(tail) = log.unfinished_tail() {
        let (bytes, at) = (tail.bytes_cut, tail.byte_offset);
        writeln!(
            out,
            "then {bytes} bytes at byte {at} of {}: {}",
            tail.file(),
            tail.reason
        )?;
    }
    Ok(())
}

fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let number = |id: &OsString| id.to_str()?.parse().ok().map(TxId);
    let (path, first) = match &arguments[..] {
        [path] => (path, None),
        [path, id] if number(id).is_some() => (path, number(id)),
        _ => {
            eprintln!("DIRECTORY [FIRST_ID]");
            return Ok(ExitCode::from(2));
        }
    };
    dump(OsDir::open(path)?, first, &mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
