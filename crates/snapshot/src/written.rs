//! What writing a snapshot did.

use crate::manifest::Manifest;

/// How far a write, or a reading back, has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Blobs handed in, or verified, so far, over all sections.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A snapshot that is complete and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its manifest.
    pub manifest: Manifest,
    /// A sound snapshot of the same transaction and history was there already; nothing was read from the sources
    /// or written.
    pub already_there: bool,
    /// What was handed in.
    pub progress: Progress,
    /// Blobs that were not stored because an equal one was.
    pub blobs_shared: u64,
    /// The length of the file that was written.
    pub file_bytes: u64,
    /// Calls of sync, on files and the directory.
    pub syncs: u32,
}
