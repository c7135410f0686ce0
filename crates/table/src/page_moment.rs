//! A moment of the page table that can be compared with later ones.

use std::sync::{Arc, Weak};

use crate::page_versions::PageVersions;

/// What stood in [`Pages`](crate::Pages) when [`Pages::moment`](crate::Pages::moment) was called. Keeps no page.
#[derive(Clone, Debug)]
pub struct PageMoment {
    versions: Weak<PageVersions>,
    version: u64,
}

impl PageMoment {
    pub(crate) fn new(versions: &Arc<PageVersions>, version: u64) -> Self {
        PageMoment {
            versions: Arc::downgrade(versions),
            version,
        }
    }

    /// The version that is meant, if it is one of these.
    pub(crate) fn version_of(&self, versions: &Arc<PageVersions>) -> Option<u64> {
        (self.versions.as_ptr() == Arc::as_ptr(versions)).then_some(self.version)
    }
}
