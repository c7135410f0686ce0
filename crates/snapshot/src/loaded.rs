//! A snapshot that was read: its sections with their blobs.

use crate::blob::Blob;
use crate::outline::Outline;

/// The sections of a snapshot, each with its numbers and blobs in rising order.
#[derive(Debug)]
pub struct Loaded {
    sections: Vec<Vec<(u64, Blob)>>,
    outline: Outline,
}

impl Loaded {
    pub(crate) fn new(sections: Vec<Vec<(u64, Blob)>>, outline: Outline) -> Self {
        Loaded { sections, outline }
    }

    /// What the next snapshot can be written on.
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// How many sections there are.
    pub fn section_count(&self) -> usize {
        self.sections.len()
    }

    /// The numbers and blobs of a section, rising; none for a section that does not exist.
    pub fn section(&self, section: usize) -> &[(u64, Blob)] {
        self.sections.get(section).map_or(&[], Vec::as_slice)
    }

    /// Hands the sections out.
    pub fn into_sections(self) -> Vec<Vec<(u64, Blob)>> {
        self.sections
    }
}
