//! durability: its write-ahead log of raw payloads.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use durability::storage::FlushPolicy;
use durability::walog::{SyncWalWriter, WalReader, WalWriter};
use durability::{Directory, FsDirectory};

use crate::rival::{Promise, Rival, Session, Written};

/// As its own default.
const BUFFER_BYTES: usize = 64 << 10;

pub(crate) struct Durability;

struct Open {
    writer: SyncWalWriter<()>,
    promise: Promise,
}

impl Rival for Durability {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn package(&self) -> Option<&'static str> {
        Some("durability")
    }

    fn settings(&self) -> &'static str {
        "buffer of 64 KiB, segments of 64 MiB; kill: `flush` after each commit; power: `flush_and_sync`, or `append_bytes_durable` \
         for one record"
    }

    fn open(&self, dir: &Path, promise: Promise) -> Box<dyn Session> {
        let directory = directory(dir);
        let mut writer = if dir.join("wal").exists() {
            WalWriter::open(directory).unwrap()
        } else {
            WalWriter::with_options(directory, FlushPolicy::Manual, BUFFER_BYTES)
        };
        writer.set_segment_size_limit_bytes(64 << 20);
        Box::new(Open {
            writer: SyncWalWriter::from_writer(writer),
            promise,
        })
    }

    fn replay(&self, dir: &Path, _written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let directory = directory(dir);
        let start = Instant::now();
        WalReader::<()>::new(directory)
            .replay_bytes_each(|record| {
                visit(&record.payload);
                Ok(())
            })
            .unwrap();
        start.elapsed()
    }
}

fn directory(dir: &Path) -> Arc<dyn Directory> {
    FsDirectory::arc(dir).unwrap()
}

impl Session for Open {
    fn commit(&self, _thread: usize, _first: u64, records: &[Vec<u8>]) {
        if let ([record], Promise::Power) = (records, self.promise) {
            self.writer.append_bytes_durable(record).unwrap();
            return;
        }
        for record in records {
            self.writer.append_bytes(record).unwrap();
        }
        match self.promise {
            Promise::Kill => self.writer.flush().unwrap(),
            Promise::Power => self.writer.flush_and_sync().unwrap(),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.writer.flush_and_sync().unwrap();
    }
}
