//! Builds the tree of hashes over one section from blobs that arrive in rising order.
//!
//! One node is open per level, the one that the latest number runs through; when a number runs through another, the
//! open node is complete, is stored, and becomes a child one level up. So memory is one path, whatever the size.

use crate::error::Result;
use crate::format::{FAN_OUT, FAN_OUT_BITS, NodeChild};
use crate::reference::Reference;

/// Stores a finished node: its height and children go in, its reference comes out.
type StoreNode<'a> = dyn FnMut(u8, &[NodeChild]) -> Result<Reference> + 'a;

#[derive(Default)]
pub(crate) struct TreeWriter {
    /// `levels[0]` has height 1.
    levels: Vec<OpenNode>,
}

/// Invariant: not empty, digits rise.
struct OpenNode {
    /// The number without the digits of this level and those below.
    prefix: u64,
    children: Vec<NodeChild>,
}

impl TreeWriter {
    /// Adds a blob; `number` must exceed all before.
    pub(crate) fn push(
        &mut self,
        number: u64,
        blob: &Reference,
        store: &mut StoreNode<'_>,
    ) -> Result<()> {
        self.insert(0, number, blob, store)
    }

    /// Completes the tree and returns its height and root, or `None` if there was no blob.
    pub(crate) fn finish(mut self, store: &mut StoreNode<'_>) -> Result<Option<(u8, Reference)>> {
        let mut level = 0;
        while level < self.levels.len() {
            let prefix = self.levels[level].prefix;
            let children = std::mem::take(&mut self.levels[level].children);
            let node = store(height(level), &children)?;
            if prefix == 0 && level + 1 == self.levels.len() {
                return Ok(Some((height(level), node)));
            }
            self.insert(level + 1, prefix, &node, store)?;
            level += 1;
        }
        Ok(None)
    }

    fn insert(
        &mut self,
        level: usize,
        index: u64,
        child: &Reference,
        store: &mut StoreNode<'_>,
    ) -> Result<()> {
        let prefix = index >> FAN_OUT_BITS;
        if level == self.levels.len() {
            self.levels.push(OpenNode {
                prefix,
                children: Vec::with_capacity(FAN_OUT),
            });
        }
        let open = &mut self.levels[level];
        if open.prefix != prefix {
            let complete_prefix = std::mem::replace(&mut open.prefix, prefix);
            let complete = std::mem::take(&mut open.children);
            let node = store(height(level), &complete)?;
            self.insert(level + 1, complete_prefix, &node, store)?;
        }
        let digit = u8::try_from(index % FAN_OUT as u64).expect("below 64");
        self.levels[level].children.push(child.child(digit));
        Ok(())
    }
}

fn height(level: usize) -> u8 {
    u8::try_from(level + 1).expect("a u64 has at most 11 digits")
}
