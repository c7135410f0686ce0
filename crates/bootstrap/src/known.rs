//! What is known of the pages since some snapshot was written or loaded: all that is needed to see what has changed.

use std::sync::Arc;

use snapshot::{Manifest, Outline};
use table::{HeadsMoment, PageMoment};

use crate::mapped_pages::MappedPages;

/// A snapshot, and the moment at which the pages were those in it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) outline: KnownOutline,
    pub(crate) moment: PageMoment,
    /// The same of the heads of tables. Not of a snapshot that was loaded: an older program may have stored them in another form.
    pub(crate) heads: Option<HeadsMoment>,
}

/// Which blobs a snapshot holds.
#[derive(Debug, Clone)]
pub(crate) enum KnownOutline {
    Read(Outline),
    /// It is read when it is first needed: whoever opens a database does not wait for that.
    Mapped(Arc<MappedPages>),
}

impl KnownOutline {
    /// The manifest of the snapshot.
    pub(crate) fn manifest(&self) -> &Manifest {
        match self {
            KnownOutline::Read(outline) => outline.manifest(),
            KnownOutline::Mapped(pages) => pages.manifest(),
        }
    }

    /// The outline, if it was read.
    pub(crate) fn read(&self) -> Option<&Outline> {
        match self {
            KnownOutline::Read(outline) => Some(outline),
            KnownOutline::Mapped(_) => None,
        }
    }
}
