//! How a directory of snapshots is opened.

/// Options of [`crate::Snapshots::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Refuse to write, remove, or clean up. Default: false.
    pub read_only: bool,
    /// A pack that has reached this many bytes is closed and another begun. Default: 1 GiB.
    pub pack_bytes_max: u64,
    /// How many threads read and verify a large snapshot. Default: 2.
    pub threads: usize,
    /// What makes the pack names of two writes of the same transaction differ. `None`, the default, draws it at
    /// random for each write; a fixed value makes names reproducible, for tests and simulations.
    pub nonce: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            read_only: false,
            pack_bytes_max: 1 << 30,
            threads: 2,
            nonce: None,
        }
    }
}
