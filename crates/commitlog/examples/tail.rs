//! Follows the log of another process: prints each record as soon as it is proved to be durable.
//!
//! `cargo run -p commitlog --example tail DIRECTORY [FIRST_ID]`, and for instance `key_value` on the same directory in another terminal.
#![allow(dead_code, reason = "its test uses `tail` alone")]

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use commitlog::{FollowOptions, ReadOnlyLog, ReadOnlyOptions, TxId};
use disk::{Dir, OsDir};

/// Writes the records from `first` on, or the newest ones, until none comes for `patience` (`None`: for ever).
pub(crate) fn tail(
    dir: Arc<dyn Dir>,
    first: Option<TxId>,
    patience: Option<Duration>,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let log = ReadOnlyLog::open(dir, ReadOnlyOptions::default(), &[])?;
    let mut from = first.unwrap_or(log.next_id());
    let mut follower = None;
    loop {
        let followed = match follower.take() {
            Some(follower) => Ok(follower),
            None => log.follow(from, FollowOptions::default()),
        };
        match followed.and_then(|followed| follower.insert(followed).next_record(patience)) {
            Ok(Some(record)) => {
                let shown = String::from_utf8_lossy(record.payload);
                writeln!(out, "{}: {}", record.id, shown.escape_debug())?;
                from = TxId(record.id.0 + 1);
                continue;
            }
            Ok(None) => return Ok(()),
            Err(commitlog::Error::Pruned { oldest }) => {
                writeln!(out, "{from} to {oldest} are pruned")?;
                from = oldest;
            }
            Err(commitlog::Error::Truncated { end }) => {
                writeln!(out, "what was at {end} and behind it was given up")?;
                from = end;
            }
            // It was given up between two looks, unless there never was such a record.
            Err(commitlog::Error::BeyondEnd { end, .. }) if first != Some(from) => {
                writeln!(out, "what was at {end} and behind it was given up")?;
                from = end;
            }
            Err(error) => return Err(error.into()),
        }
        follower = None;
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
    tail(OsDir::open(path)?, first, None, &mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
