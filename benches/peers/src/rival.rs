//! What a log, or a store that is used as one, has to do to be compared.

use std::path::Path;
use std::time::Duration;

/// What a commit promises when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The operating system has the bytes: a killed process loses nothing.
    Kill,
    /// The medium has the bytes: a power cut loses nothing.
    Power,
}

/// Something that keeps records.
pub(crate) trait Rival {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// Its package, to look its version up; `None` for what is written here.
    fn package(&self) -> Option<&'static str>;

    /// How it is set up for each promise, in words.
    fn settings(&self) -> &'static str;

    /// Why it can not make the promise; `None` if it can.
    fn refuses(&self, _promise: Promise) -> Option<&'static str> {
        None
    }

    /// Opens what the directory holds, or creates it if that is nothing.
    fn open(&self, dir: &Path, promise: Promise) -> Box<dyn Session>;

    /// Shows every record that the directory holds, and says how long it took to read them. `records` are there, written by `threads` threads
    /// one after another.
    fn replay(&self, dir: &Path, written: Written, visit: &mut dyn FnMut(&[u8])) -> Duration;

    /// What [`Rival::replay`] does besides reading, or leaves out.
    fn replay_note(&self) -> Option<&'static str> {
        None
    }

    /// How many records a commit should hold when a log is only made to be read: more than one where each commit costs a sync of its own.
    fn batch_to_fill(&self) -> usize {
        1
    }
}

/// What was written to a directory: by each thread the ids `thread * each .. (thread + 1) * each`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) threads: usize,
    /// Records of each thread.
    pub(crate) each: u64,
    /// Bytes of each record.
    pub(crate) bytes: usize,
}

impl Written {
    pub(crate) fn records(&self) -> u64 {
        self.threads as u64 * self.each
    }
}

/// An open log. Dropping it closes it.
pub(crate) trait Session: Sync {
    /// Makes the records one commit, or as near to that as there is, and returns when the promise holds. Their ids count up from
    /// `first`, and each thread's calls continue where its last one ended.
    fn commit(&self, thread: usize, first: u64, records: &[Vec<u8>]);
}
