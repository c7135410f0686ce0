//! A page as it stands among all.

use crate::damaged::DamageKind;
use crate::page::{Page, PageBuf};
use crate::page_node::Stored;

/// A page of a view, to be read or kept.
#[derive(Clone, Debug)]
pub struct PageRef<'a>(pub(crate) Stored<'a>);

impl<'a> PageRef<'a> {
    /// The bytes. The first use of a borrowed page verifies its checksum; a page that fails stays damaged.
    ///
    /// # Errors
    /// `Checksum` or `Length`, of a borrowed page only; `Unlisted`.
    pub fn bytes(&self) -> Result<&'a PageBuf, DamageKind> {
        match &self.0 {
            Stored::Frame(frame) => Ok(frame),
            Stored::Borrowed(page) => page.bytes(),
            Stored::Unknown(kind) => Err(kind.clone()),
        }
    }

    /// Whether the page is borrowed, that is, was not written since it was restored.
    pub fn is_borrowed(&self) -> bool {
        !matches!(self.0, Stored::Frame(_))
    }

    /// The page as a value of its own. Copies the bytes, unless they are borrowed.
    ///
    /// # Errors
    /// `Unlisted`.
    pub fn to_page(&self) -> Result<Page, DamageKind> {
        match &self.0 {
            Stored::Frame(frame) => Ok(Page::owned(PageBuf::copied_from(frame.as_bytes()))),
            Stored::Borrowed(page) => Ok(Page::clone(page)),
            Stored::Unknown(kind) => Err(kind.clone()),
        }
    }
}
