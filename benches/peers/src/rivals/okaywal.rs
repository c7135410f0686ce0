//! okaywal: entries of chunks, one `fdatasync` for all threads that wait.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};

use crate::rival::{Promise, Rival, Session, Written};

pub(crate) struct OkayWal;

struct Open {
    log: Option<WriteAheadLog>,
}

/// Keeps what a recovery shows.
#[derive(Debug, Default, Clone)]
struct Recovered(Arc<Mutex<Vec<Vec<u8>>>>);

impl LogManager for Recovered {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let chunks = entry.read_all_chunks()?;
        self.0.lock().unwrap().extend(chunks.into_iter().flatten());
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _last_checkpointed_id: EntryId,
        _checkpointed_entries: &mut SegmentReader,
        _wal: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

impl Rival for OkayWal {
    fn name(&self) -> &'static str {
        "okaywal"
    }

    fn package(&self) -> Option<&'static str> {
        Some("okaywal")
    }

    fn settings(&self) -> &'static str {
        "power: a commit syncs always; files of 16 MiB filled with zeros ahead, no checkpoint within a run"
    }

    fn refuses(&self, promise: Promise) -> Option<&'static str> {
        (promise == Promise::Kill).then_some("each commit syncs, there is no other")
    }

    fn open(&self, dir: &Path, _promise: Promise) -> Box<dyn Session> {
        Box::new(Open {
            log: Some(open(dir, Recovered::default())),
        })
    }

    fn replay(&self, dir: &Path, _written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let recovered = Recovered::default();
        let start = Instant::now();
        let log = open(dir, recovered.clone());
        for record in recovered.0.lock().unwrap().iter() {
            visit(record);
        }
        let took = start.elapsed();
        log.shutdown().unwrap();
        took
    }

    fn replay_note(&self) -> Option<&'static str> {
        Some("opening is included, which is where it reads")
    }
}

fn open(dir: &Path, manager: Recovered) -> WriteAheadLog {
    Configuration::default_for(dir)
        .preallocate_bytes(16 << 20)
        .checkpoint_after_bytes(u64::MAX)
        .open(manager)
        .unwrap()
}

impl Session for Open {
    fn commit(&self, _thread: usize, _first: u64, records: &[Vec<u8>]) {
        let log = self.log.as_ref().unwrap();
        let mut entry = log.begin_entry().unwrap();
        for record in records {
            entry.write_chunk(record).unwrap();
        }
        entry.commit().unwrap();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.log.take().unwrap().shutdown().unwrap();
    }
}
