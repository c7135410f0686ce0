//! Buffers that one row after the other uses, so that a row costs no allocation.
//!
//! ```text
//!   keys   | key of the first index | key of the second | ...      ends: where each of them ends
//!   row    | a whole row |
//!   head   | a head as it was before some trial, for the next one to write over |
//! ```

use crate::table::Table;

/// How much of each buffer is kept for the next transaction, in bytes.
const KEPT_BYTES: usize = 16 * 1024;

/// The keys of one row, and its bytes.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    keys: Vec<u8>,
    /// End of each index's key in `keys`.
    ends: Vec<usize>,
    pub(crate) row: Vec<u8>,
    /// A copy of a head that nobody needs any more.
    pub(crate) head: Option<Box<Table>>,
    /// How many rows were looked at because of their hash.
    #[cfg(test)]
    pub(crate) looked_at: u64,
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

    /// A copy of the head of a table. That of one that is copied again and again takes no memory of its own.
    pub(crate) fn copy_of(&mut self, head: &Table) -> Box<Table> {
        match self.head.take() {
            Some(mut copy) => {
                copy.as_mut().clone_from(head);
                copy
            }
            None => Box::new(head.clone()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_long_row_needs_is_given_back() {
        const FEW: [u8; 100] = [7; 100];
        const MANY: usize = 1 << 20;
        let mut scratch = Scratch::default();
        let mut use_it = |bytes: &[u8]| {
            scratch.clear_keys();
            let added = scratch.add_key(|keys| {
                keys.extend_from_slice(bytes);
                Ok::<(), ()>(())
            });
            assert_eq!(added, Ok(()));
            assert_eq!(scratch.key(0), bytes);
            scratch.row.extend_from_slice(bytes);
            scratch.shrink();
            (scratch.keys.capacity(), scratch.row.capacity())
        };
        let (keys, row) = use_it(&vec![7; MANY]);
        assert!(keys < MANY / 16, "{keys}");
        assert!(row < MANY / 16, "{row}");
        // What most rows need is kept.
        let (keys, row) = use_it(&FEW);
        assert!(keys >= FEW.len());
        assert!(row >= FEW.len());
    }
}
