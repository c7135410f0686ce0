//! A page that was mapped unverified and turned out to be damaged.

use std::fmt;

use table::Damaged;

/// A page that was only mapped and is damaged: whatever needs it is an error.
#[derive(Debug)]
#[non_exhaustive]
pub struct DamagedPage {
    /// The page. Where can not be said which pages there are, one stands for all of them.
    pub damaged: Damaged,
    /// The file that it is mapped from, and the byte: of the page, or of what says where it is stored. `None` if it can be read well by now.
    pub stored: Option<snapshot::Error>,
}

impl fmt::Display for DamagedPage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.damaged)?;
        match &self.stored {
            Some(stored) => write!(formatter, "; {stored}"),
            None => Ok(()),
        }
    }
}
