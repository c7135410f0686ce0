//! What a snapshot says about itself besides its sections.

use crate::format::{Announcement, PackHeader};
use crate::hash::Hash;

/// The point in a history that a snapshot stands for, and what its owner wants to keep beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The id of the log whose fold the snapshot is.
    pub log_id: [u8; 16],
    /// The last transaction that is part of it.
    pub tx: u64,
    /// The chain value of the log after that transaction.
    pub chain: u64,
    /// The oldest build that can read the content.
    pub minimum_reader: u16,
    /// Anything; kept in the manifest and handed back unread.
    pub metadata: Vec<u8>,
}

impl Header {
    /// What stands in front of the pack `id` of a published snapshot whose manifest's body stands at byte `at`; `None` if the body is longer than a header can say.
    pub(crate) fn front(
        &self,
        id: u64,
        is_compressed: bool,
        at: u64,
        body: &[u8],
    ) -> Option<PackHeader> {
        Some(PackHeader {
            log_id: self.log_id,
            id,
            tx: self.tx,
            chain: self.chain,
            is_compressed,
            manifest: Some(Announcement {
                offset: at,
                length: u32::try_from(body.len()).ok()?,
                hash: Hash::of(body).0,
                is_withdrawn: false,
            }),
        })
    }
}
