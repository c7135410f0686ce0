//! What is held in memory and may stand in for what is damaged on disk.

use std::fmt;

use crate::outline::Outline;
use crate::source::Source;

/// What [`crate::Snapshots::mend`] may rebuild from besides the files. Nothing of it is believed: whatever is written has the hash that is asked for.
#[derive(Default)]
pub struct Spare<'a, 'b> {
    /// Snapshots that are published, as far as this process has written or read them: their nodes and manifests are built from that.
    pub outlines: &'a [Outline],
    /// The state as it is now, section by section: a blob that has not changed is taken from there.
    pub sections: &'a mut [&'b mut dyn Source],
}

impl Spare<'_, '_> {
    /// The blob that now stands at a number, if it can be had.
    pub(crate) fn blob(&mut self, section: usize, number: u64) -> Option<&[u8]> {
        let source = self.sections.get_mut(section)?;
        match source.next_from(number) {
            Ok(Some((found, blob))) if found == number => Some(blob),
            _ => None,
        }
    }
}

impl fmt::Debug for Spare<'_, '_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (outlines, sections) = (self.outlines.len(), self.sections.len());
        write!(formatter, "Spare({outlines} outlines, {sections} sections)")
    }
}
