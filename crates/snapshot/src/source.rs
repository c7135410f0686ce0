//! Where the blobs of a section come from while a snapshot is written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Why a source failed; handed through as [`crate::Error::Source`].
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Lends the blobs of one section by number.
pub trait Source {
    /// The first number from `from` on that has a blob, and the blob (1 to [`crate::BLOB_BYTES_MAX`] bytes); `None` behind the last. It is asked for
    /// few numbers more than once, and mostly for rising ones.
    fn next_from(&mut self, from: u64) -> Result<Option<(u64, &[u8])>, SourceError>;

    /// The numbers that may stand for another blob, or for none, or for one where none was, than in the snapshot that is
    /// [known](crate::Basis::known); ascending and apart. All, unless the source knows better.
    fn changed(&mut self) -> Vec<RangeInclusive<u64>> {
        vec![0..=u64::MAX]
    }
}

/// A [`Source`] of byte strings in memory.
#[derive(Debug)]
pub struct Blobs<B>(BTreeMap<u64, B>);

impl<B> Blobs<B> {
    /// Lends these; of several under one number the last.
    pub fn new(blobs: impl IntoIterator<Item = (u64, B)>) -> Self {
        Blobs(blobs.into_iter().collect())
    }
}

impl<B> Source for Blobs<B>
where
    B: AsRef<[u8]>,
{
    fn next_from(&mut self, from: u64) -> Result<Option<(u64, &[u8])>, SourceError> {
        let next = self.0.range(from..).next();
        Ok(next.map(|(number, blob)| (*number, blob.as_ref())))
    }
}
