//! Which snapshots in a directory are of the log that is open.

use commitlog::{Log, TxId};
use snapshot::Manifest;

use crate::error::Result;

/// The sound snapshots of a log, newest first.
#[derive(Default)]
pub(crate) struct Ours {
    /// Those of this very history that the log continues.
    pub(crate) continued: Vec<Manifest>,
    /// Those that end before the log begins: a prune has cut off what came after them, and they were to go next.
    pub(crate) stranded: Vec<TxId>,
}

pub(crate) fn ours(sound: Vec<Manifest>, log: &Log) -> Result<Ours> {
    let (id, base, end) = (log.log_id(), log.base(), log.durable_end());
    let mut ours = Ours::default();
    for manifest in sound {
        let header = manifest.header();
        let tx = TxId(header.tx);
        if header.log_id != id.0 || tx >= end {
            continue;
        }
        if tx.next() < base {
            ours.stranded.push(tx);
            continue;
        }
        match log.chain_after(tx) {
            Ok(chain) if chain.0 == header.chain => ours.continued.push(manifest),
            Ok(_) | Err(commitlog::Error::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ours)
}
