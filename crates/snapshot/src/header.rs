//! What a snapshot says about itself besides its sections.

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
