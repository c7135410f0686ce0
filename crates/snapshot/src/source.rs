//! Where the blobs of a section come from while a snapshot is written.

/// Why a source failed; handed through as [`crate::Error::Source`].
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Lends the blobs of one section, in rising order of their numbers.
pub trait Source {
    /// The next number and its blob (1 to [`crate::BLOB_BYTES_MAX`] bytes), or `None` after the last.
    fn next(&mut self) -> Result<Option<(u64, &[u8])>, SourceError>;
}

/// A [`Source`] over any iterator of numbered byte strings.
#[derive(Debug)]
pub struct Blobs<I, B> {
    iterator: I,
    current: Option<(u64, B)>,
}

impl<I, B> Blobs<I, B>
where
    I: Iterator<Item = (u64, B)>,
{
    /// Lends what `iterator` yields.
    pub fn new(iterator: impl IntoIterator<IntoIter = I, Item = (u64, B)>) -> Self {
        Blobs {
            iterator: iterator.into_iter(),
            current: None,
        }
    }
}

impl<I, B> Source for Blobs<I, B>
where
    I: Iterator<Item = (u64, B)>,
    B: AsRef<[u8]>,
{
    fn next(&mut self) -> Result<Option<(u64, &[u8])>, SourceError> {
        self.current = self.iterator.next();
        Ok(self
            .current
            .as_ref()
            .map(|(number, bytes)| (*number, bytes.as_ref())))
    }
}
