//! A page that does not hold what it must, and where.

use std::sync::Arc;

use crate::page_number::PageNumber;

/// A page that cannot be believed. It is never repaired silently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("page {page} is damaged: {kind}")]
pub struct Damaged {
    /// The page.
    pub page: PageNumber,
    /// What is wrong with it.
    pub kind: DamageKind,
}

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// Something refers to the page, and it is not there.
    #[error("it does not exist")]
    Missing,
    /// What says where the page is stored is damaged, or does not know it though it should; pages with numbers around it may be lost with it.
    #[error("what says where it is stored is damaged: {0}")]
    Unlisted(Arc<str>),
    /// The bytes of a borrowed page do not have the checksum they must have.
    #[error("its checksum is {found:#010x}, expected {expected:#010x}{}", place(stored.as_deref()))]
    Checksum {
        /// The checksum that the page must have.
        expected: u32,
        /// The checksum that it has.
        found: u32,
        /// Where its bytes are stored, as whoever lends them says it ([`PageBytes::stored_at`](crate::PageBytes::stored_at)).
        stored: Option<Arc<str>>,
    },
    /// A borrowed page is not [`PAGE_BYTES`](crate::PAGE_BYTES) long.
    #[error("it is {found} bytes long")]
    Length {
        /// The length it has, in bytes.
        found: u64,
    },
    /// The page is of another kind than what refers to it expects.
    #[error("its kind is {found}, expected {expected}")]
    Kind {
        /// The code of the expected kind.
        expected: u8,
        /// The code in the page.
        found: u8,
    },
    /// The page has a version that this build does not know.
    #[error("its version is {found}, which this build does not know")]
    Version {
        /// The version in the page.
        found: u8,
    },
    /// The bytes break a rule of their layout.
    #[error("{0}")]
    Structure(&'static str),
}

impl DamageKind {
    /// This damage, found in `page`.
    pub const fn at(self, page: PageNumber) -> Damaged {
        Damaged { page, kind: self }
    }
}

fn place(stored: Option<&str>) -> String {
    stored.map_or_else(String::new, |stored| format!(", in {stored}"))
}
