//! Follows the log of another process: prints each record as soon as it is proved to be durable.
//!
//! `cargo run -p commitlog --example tail DIRECTORY [FIRST_ID]`, and for instance `key_value` on the same directory in another terminal.
#![allow(dead_code, reason = "its test uses `tail` alone")]

use std::error::Error;
use std::io::{self, Write};
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
    let mut follower = log.follow(from, FollowOptions::default())?;
    loop {
        match follower.next_record(patience) {
            Ok(Some(record)) => {
                let shown = String::from_utf8_lossy(record.payload);
                writeln!(out, "{}: {}", record.id, shown.escape_debug())?;
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
            Err(error) => return Err(error.into()),
        }
        follower = log.follow(from, FollowOptions::default())?;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a directory")?;
    let first = arguments
        .next()
        .map(|id| id.parse().map(TxId))
        .transpose()?;
    tail(OsDir::open(path)?, first, None, &mut io::stdout().lock())
}
