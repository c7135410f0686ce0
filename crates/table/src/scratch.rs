//! Buffers that one row after the other uses, so that a row costs no allocation.
//!
//! ```text
//!   keys   | key of the first index | key of the second | ...      ends: where each of them ends
//!   row    | a whole row |
//! ```

/// How much of each buffer is kept for the next transaction, in bytes.
const KEPT_BYTES: usize = 16 * 1024;

/// The keys of one row, and its bytes.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    keys: Vec<u8>,
    /// End of each index's key in `keys`.
    ends: Vec<usize>,
    pub(crate) row: Vec<u8>,
}

impl Scratch {
    /// The key of the index at a position.
    pub(crate) fn key(&self, position: usize) -> &[u8] {
        let start = if position == 0 {
            0
        } else {
            self.ends[position - 1]
        };
        &self.keys[start..self.ends[position]]
    }

    /// Begins with the keys of another row.
    pub(crate) fn clear_keys(&mut self) {
        self.keys.clear();
        self.ends.clear();
    }

    /// Adds the key of the next index, which `encode` appends.
    pub(crate) fn add_key<E>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        encode(&mut self.keys)?;
        self.ends.push(self.keys.len());
        Ok(())
    }

    /// Gives memory back that few rows need.
    pub(crate) fn shrink(&mut self) {
        self.keys.clear();
        self.keys.shrink_to(KEPT_BYTES);
        self.row.clear();
        self.row.shrink_to(KEPT_BYTES);
    }
}

/// What is in the buffers is nothing to a copy of their owner.
impl Clone for Scratch {
    fn clone(&self) -> Self {
        Scratch::default()
    }
}
