//! What writing a snapshot did.

use crate::manifest::Manifest;
use crate::outline::Outline;

/// How far a write, or a reading back, has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Blobs handed in, or verified, so far, over all sections.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A snapshot that is complete and durable.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its manifest.
    pub manifest: Manifest,
    /// What the next one can be written on; none if it was already there: [`crate::Snapshots::outline`] reads it.
    pub outline: Option<Outline>,
    /// A sound snapshot of the same transaction and history was there already; nothing was read from the sources
    /// or written.
    pub already_there: bool,
    /// What was handed in.
    pub progress: Progress,
    /// Blobs that were not stored: an equal one was, or the snapshot that it shares with has it.
    pub blobs_shared: u64,
    /// The length of the file that was written.
    pub file_bytes: u64,
    /// Calls of sync, on files and the directory.
    pub syncs: u32,
}
