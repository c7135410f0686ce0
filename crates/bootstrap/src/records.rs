//! The transactions of the log, as they were committed.

use std::sync::Arc;

use commitlog::{Log, Reader, Record, TxId};

use crate::error::Result;

/// Yields records in order, none beyond what is durable. A live database may have more later: ask again.
#[derive(Debug)]
pub struct Records {
    reader: Reader,
    /// The live log, which says how far it is durable; `None` if the reader shows no more than that anyway.
    live: Option<Arc<Log>>,
}

impl Records {
    pub(crate) fn of_live_log(log: Arc<Log>, from: TxId) -> Result<Self> {
        let reader = log.reader(from)?;
        Ok(Records {
            reader,
            live: Some(log),
        })
    }

    pub(crate) fn of_still_log(reader: Reader) -> Self {
        Records { reader, live: None }
    }

    /// The next record, verified; `None` if there is none yet.
    ///
    /// # Errors
    /// [`crate::Error::Log`]: damage, or the record was pruned meanwhile.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        if let Some(log) = &self.live
            && self.reader.next_id() >= log.durable_end()
        {
            return Ok(None);
        }
        Ok(self.reader.next_record()?)
    }
}
