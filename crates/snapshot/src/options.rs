//! How a directory of snapshots is opened.

/// Options of [`crate::Snapshots::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Refuse to write, remove, or clean up. Default: false.
    pub read_only: bool,
    /// How many threads read and verify a large snapshot. Default: 2.
    pub threads: usize,
    /// Store pages as LZ4 blocks, where that is shorter. They are unpacked when they are loaded, so they can not be mapped; snapshots with and without share
    /// pages with one another. Default: false.
    pub compress: bool,
    /// What makes the file names of two writes of the same transaction differ. `None`, the default, draws it at
    /// random for each write; a fixed value makes names reproducible, for tests and simulations.
    pub nonce: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            read_only: false,
            threads: 2,
            compress: false,
            nonce: None,
        }
    }
}
