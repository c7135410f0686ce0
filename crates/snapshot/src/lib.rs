//! A whole state, complete or absent: content-addressed pages in one file with a manifest.
//!
//! This crate does not know what a page, a row or a table is, which section holds what, or what the log contains.
//! A snapshot is a point in a history ([`Header`]) and some *sections*; a section is a sparse ordered array from
//! numbers to blobs of 1 to 32768 bytes.
//!
//! ```text
//!  00000000000000000042-<id>.pack    a snapshot is one file:
//!
//!  | header                | nodes and blobs           | manifest                 |
//!    published or not,       pages of 32 KiB aligned     metadata, other packs,
//!    where the manifest is   for mapping                 a root for each section
//!
//!  root of section 0 --> node --> node --> blob 0, blob 1, ...    fan-out 64; references = blake3 + crc32c + place,
//!                            \--> node --> ...                    here or in the pack of an earlier snapshot
//! ```
//!
//! A snapshot is published last, by one byte in its header, once its file has its name for good: before that there is no snapshot, after it there is all of
//! it. That takes three syncs. One that was removed, by the same byte, may live on as a mere pack while a later snapshot shares blobs with it. What is
//! found damaged is an error or, in a listing, a value that names file and byte; the caller takes an older snapshot. A scrub ([`Snapshots::scrub`]) reads all of
//! them again, and writes a damaged file anew where there is a sound copy of what is damaged: in another file, or in memory.
//!
//! ```
//! use std::ops::ControlFlow;
//! use snapshot::{Blobs, Header, LoadOptions, Options, Snapshots};
//!
//! let snapshots = Snapshots::open(disk::SimDisk::new(1).root(), Options::default())?;
//! let header = Header { log_id: [7; 16], tx: 42, chain: 99, minimum_reader: 1, metadata: b"anything".to_vec() };
//! let page = vec![1; 32768];
//! let mut pages = Blobs::new([(0, &page), (1000, &page)]);
//! let mut heads = Blobs::new([(3, "a head")]);
//! snapshots.write(&header, &mut [&mut pages, &mut heads], &mut |_| ControlFlow::Continue(()))?;
//!
//! let listing = snapshots.list()?;
//! let newest = &listing.sound[0];
//! snapshots.read_back(newest, &mut |_| ControlFlow::Continue(()))?;
//! let loaded = snapshots.load(newest, LoadOptions::default())?;
//! assert_eq!(loaded.section(0)[1].0, 1000);
//! assert_eq!(loaded.section(1)[0].1.bytes(), b"a head");
//! # Ok::<(), snapshot::Error>(())
//! ```

// What a caller sees first.
mod damage;
mod error;
mod hash;
mod header;
mod options;
mod outline;
mod snapshot_id;
mod snapshots;
mod change;
// Bytes.
mod file_name;
mod format;
mod node_format;
mod compression;
mod manifest;
mod manifest_file;
mod reference;
// Writing.
mod pack_writer;
mod source;
mod tree;
mod tree_update;
mod reclaim;
mod replaced;
mod write;
mod written;
// Reading.
mod blob;
mod extents;
mod listing;
mod load;
mod loaded;
mod mapped;
mod pack_reader;
mod parallel;
mod read_back;
mod survey;
mod tree_walk;
// Reading again, and mending.
mod inventory;
mod mend;
mod pack_copy;
mod patch;
mod scrub;
mod scrub_report;
mod set_aside;
mod spare;
// Changing.
mod changing;
// Going away.
mod leftovers;
mod remove;

pub use blob::Blob;
pub use change::Change;
pub use damage::DamageKind;
pub use error::{Error, Result};
pub use format::{BLOB_BYTES_MAX, MANIFEST_BYTES_MAX, PAGE_ALIGNMENT};
pub use hash::Hash;
pub use header::Header;
pub use listing::{Listing, Rejected};
pub use load::{LoadMode, LoadOptions, Verify};
pub use loaded::Loaded;
pub use manifest::Manifest;
pub use mapped::{Mapped, Unread};
pub use options::Options;
pub use outline::{Basis, Outline};
pub use scrub::Scrub;
pub use scrub_report::{Finding, Mending, ScrubProgress, ScrubReport, SoundCopy};
pub use snapshot_id::SnapshotId;
pub use snapshots::Snapshots;
pub use source::{Blobs, Source, SourceError};
pub use spare::Spare;
pub use written::{Progress, Written};
