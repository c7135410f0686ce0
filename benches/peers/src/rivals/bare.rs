//! The bound: length, CRC-32C and payload, written by one `write` per commit and nothing else.
//!
//! ```text
//! length u32 | CRC-32C of the payload u32 | payload        again and again, in one file that grows
//! ```

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use disk::{Access, OsDir};

use crate::rival::{Promise, Rival, Session, Written};

const FILE: &str = "bare";
const HEAD_BYTES: usize = 8;

/// A file, and no log around it.
pub(crate) struct Bare {
    pub(crate) reads: Reads,
}

/// How the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Frame by frame, each found by the length before it.
    Frames,
    /// As checksums at known places.
    Checksums,
}

struct Open {
    promise: Promise,
    writer: Mutex<Writer>,
}

struct Writer {
    file: File,
    frames: Vec<u8>,
}

impl Rival for Bare {
    fn name(&self) -> &'static str {
        match self.reads {
            Reads::Frames => "bare",
            Reads::Checksums => "bare CRC pass",
        }
    }

    fn package(&self) -> Option<&'static str> {
        None
    }

    fn settings(&self) -> &'static str {
        match self.reads {
            Reads::Frames => {
                "one write per commit of length, CRC-32C and payload into a growing file; power: fdatasync after it, \
                 always by one thread; read over a map; for open: the same read"
            }
            Reads::Checksums => "CRC-32C of the same payloads at known places, nothing parsed",
        }
    }

    fn open(&self, dir: &Path, promise: Promise) -> Box<dyn Session> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(dir.join(FILE))
            .unwrap();
        Box::new(Open {
            promise,
            writer: Mutex::new(Writer {
                file,
                frames: Vec::new(),
            }),
        })
    }

    fn replay(&self, dir: &Path, written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration {
        let dir = OsDir::open(dir).unwrap();
        let start = Instant::now();
        let file = dir.open(FILE, Access::Read).unwrap();
        let map = file.map(0..file.len().unwrap()).unwrap();
        match self.reads {
            Reads::Frames => {
                let mut rest = &map[..];
                while let Some((payload, behind)) = first_frame(rest) {
                    visit(payload);
                    rest = behind;
                }
                assert!(rest.is_empty(), "a frame does not check out");
            }
            Reads::Checksums => {
                for frame in map.chunks_exact(HEAD_BYTES + written.bytes) {
                    let payload = &frame[HEAD_BYTES..];
                    black_box(crc32c::crc32c(payload));
                    visit(payload);
                }
            }
        }
        start.elapsed()
    }
}

/// The payload of the frame in front, if its checksum holds, and what is behind it.
fn first_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    (crc32c::crc32c(payload) == u32::from_le_bytes(*sum)).then_some((payload, rest))
}

impl Session for Open {
    fn commit(&self, _thread: usize, _first: u64, records: &[Vec<u8>]) {
        let mut writer = self.writer.lock().unwrap();
        let Writer { file, frames } = &mut *writer;
        frames.clear();
        for record in records {
            let length = u32::try_from(record.len()).unwrap();
            frames.extend_from_slice(&length.to_le_bytes());
            frames.extend_from_slice(&crc32c::crc32c(record).to_le_bytes());
            frames.extend_from_slice(record);
        }
        file.write_all(frames).unwrap();
        if self.promise == Promise::Power {
            file.sync_data().unwrap();
        }
    }
}
