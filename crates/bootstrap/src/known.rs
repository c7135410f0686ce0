//! What is known of the pages since some snapshot was written or loaded: all that is needed to see what has changed.

use snapshot::Outline;
use table::PageMoment;

/// A snapshot, and the moment at which the pages were those in it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) outline: Outline,
    pub(crate) moment: PageMoment,
}
