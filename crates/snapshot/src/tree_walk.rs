//! Walks the tree of a section from its root to all references to blobs, verifying every node on the way.
//!
//! Bounds against hostile bytes: heights fall by one each step, so nothing is cyclic; each node is read once, and all
//! nodes together may not have more bytes than the packs; so the references are as many as the files pay for.

use std::sync::Arc;

use disk::Dir;

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::node_format::FAN_OUT_BITS;
use crate::pack_reader::PackSet;
use crate::reference::Reference;
use crate::tree::{Child, Node, Tree};

/// A blob found in a tree, not read yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) number: u64,
    /// Index in the manifest's packs.
    pub(crate) pack: usize,
    /// Invariant: its shape was checked against the pack.
    pub(crate) reference: Reference,
}

/// All leaves of all sections, and the nodes that led there.
pub(crate) struct Walked {
    /// Per section, numbers rising.
    pub(crate) sections: Vec<Vec<Leaf>>,
    /// Where nodes are stored: pack index and reference.
    pub(crate) nodes: Vec<(usize, Reference)>,
    /// Per section.
    pub(crate) trees: Vec<Tree>,
}

/// Walks all sections of a snapshot in `dir`, whose packs these are. A count that differs from the manifest's is reported against its file. `on_node` is called
/// after each node was read, and may end the walk.
pub(crate) fn walk(
    dir: &dyn Dir,
    manifest: &Manifest,
    packs: &PackSet,
    on_node: &mut dyn FnMut() -> Result<()>,
) -> Result<Walked> {
    let manifest_path = manifest.path_in(dir);
    let manifest_path = manifest_path.as_path();
    let sections = manifest.sections();
    let mut walk = Walk {
        packs,
        budget: packs.bytes(),
        nodes: Vec::new(),
        leaves: Vec::new(),
        on_node,
    };
    let mut walked = Vec::with_capacity(sections.len());
    let mut trees = Vec::with_capacity(sections.len());
    for section in sections {
        let mut tree = Tree::default();
        if let Some(root) = &section.root {
            let node = walk.visit(manifest_path, 0, root, section.height, 0, true)?;
            tree = Tree::new(section.height, *root, node);
        }
        trees.push(tree);
        let leaves = std::mem::take(&mut walk.leaves);
        if leaves.len() as u64 != section.count {
            let kind = DamageKind::Count {
                expected: section.count,
                found: leaves.len() as u64,
            };
            return Err(Error::damaged(manifest_path, 0, kind));
        }
        walked.push(leaves);
    }
    Ok(Walked {
        sections: walked,
        nodes: walk.nodes,
        trees,
    })
}

struct Walk<'a> {
    packs: &'a PackSet,
    /// Bytes of nodes that may still be visited.
    budget: u64,
    nodes: Vec<(usize, Reference)>,
    leaves: Vec<Leaf>,
    on_node: &'a mut dyn FnMut() -> Result<()>,
}

impl Walk<'_> {
    /// Visits the node behind `reference`, which itself was read from `byte_offset` of `file`.
    fn visit(
        &mut self,
        file: &std::path::Path,
        byte_offset: u64,
        reference: &Reference,
        height: u8,
        prefix: u64,
        is_root: bool,
    ) -> Result<Arc<Node>> {
        let index = self.packs.locate(file, byte_offset, reference, false)?;
        let pack = &self.packs.packs[index];
        self.budget = self
            .budget
            .checked_sub(u64::from(reference.stored_length))
            .ok_or_else(|| pack.damaged(reference.offset, DamageKind::TreeTooLarge))?;
        self.nodes.push((index, *reference));
        let bytes = pack.stored(reference)?;
        (self.on_node)()?;
        let children = pack.check_node(reference, &bytes, height, is_root)?;
        drop(bytes);
        let mut stored = Vec::with_capacity(children.len());
        for child in children {
            let below = number_below(prefix, child.digit)
                .ok_or_else(|| pack.damaged(reference.offset, DamageKind::Node))?;
            let digit = child.digit;
            let child = Reference::from(child);
            let mut node = None;
            if height > 1 {
                let (file, byte) = (&pack.path, reference.offset);
                node = Some(self.visit(file, byte, &child, height - 1, below, false)?);
            } else {
                let packs = self.packs;
                let index = packs.locate(&pack.path, reference.offset, &child, true)?;
                self.leaves.push(Leaf {
                    number: below,
                    pack: index,
                    reference: child,
                });
            }
            stored.push(Child {
                digit,
                reference: child,
                below: node,
            });
        }
        Ok(Arc::new(Node::new(stored)))
    }
}

/// The number of a child, cut as far as its node's; `None` if there is none as large.
pub(crate) fn number_below(prefix: u64, digit: u8) -> Option<u64> {
    if prefix.leading_zeros() < FAN_OUT_BITS {
        return None;
    }
    Some(prefix << FAN_OUT_BITS | u64::from(digit))
}
