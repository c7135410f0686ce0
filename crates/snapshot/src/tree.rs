//! The tree of hashes over a section, held in memory: references and nodes, and no blob.
//!
//! ```text
//!   Tree ── root ──> Node ── digit, reference ──> Node ── digit, reference
//!                     └── how many blobs and, pack by pack, how many bytes it refers to
//! ```
//!
//! Trees share the nodes that are the same in both: a tree that comes from another by a small change costs the paths to it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::manifest::SectionEntry;
use crate::node_format::{FAN_OUT_BITS, HEIGHT_MAX, NodeChild, encode_node};
use crate::reference::Reference;

/// A section's tree. Cloned in O(1).
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    root: Option<Root>,
}

#[derive(Debug, Clone)]
struct Root {
    height: u8,
    reference: Reference,
    node: Arc<Node>,
}

/// What a stored node refers to. Invariant: it is not empty, digits rise.
#[derive(Debug)]
pub(crate) struct Node {
    children: Vec<Child>,
    /// How many blobs there are below.
    count: u64,
    /// By pack id, rising: how many bytes the nodes and blobs below have there. A blob that is referred to twice counts twice.
    uses: Vec<(u64, u64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) digit: u8,
    pub(crate) reference: Reference,
    /// What stands there, above height 1.
    pub(crate) below: Option<Arc<Node>>,
}

impl Tree {
    /// The tree under a root of some height.
    pub(crate) fn new(height: u8, reference: Reference, node: Arc<Node>) -> Self {
        Tree {
            root: Some(Root {
                height,
                reference,
                node,
            }),
        }
    }

    /// What a manifest says of it.
    pub(crate) fn entry(&self) -> SectionEntry {
        let root = self.root.as_ref();
        SectionEntry {
            count: root.map_or(0, |root| root.node.count),
            height: root.map_or(0, |root| root.height),
            root: root.map(|root| root.reference),
        }
    }

    /// By pack id, rising: how many bytes it has there.
    pub(crate) fn uses(&self) -> Vec<(u64, u64)> {
        let Some(root) = &self.root else {
            return Vec::new();
        };
        let mut uses = root.node.uses.clone();
        add(&mut uses, root.reference.pack_id, stored(&root.reference));
        uses
    }

    /// What stands in a pack, as far as nodes there lead to it: whatever was written into it with this tree.
    pub(crate) fn within(&self, pack: u64) -> Vec<Branch<'_>> {
        let mut within: Vec<Branch<'_>> = Vec::new();
        within.extend(self.branch().filter(|root| root.reference.pack_id == pack));
        let mut next = 0;
        while let Some(branch) = within.get(next).copied() {
            let children = branch.node.map_or(&[][..], |node| node.children());
            let below = children.iter().map(|child| branch.child(child));
            within.extend(below.filter(|child| child.reference.pack_id == pack));
            next += 1;
        }
        within
    }

    /// All its nodes.
    pub(crate) fn nodes(&self) -> Vec<Branch<'_>> {
        let mut nodes: Vec<Branch<'_>> = self.branch().into_iter().collect();
        let mut next = 0;
        while let Some(branch) = nodes.get(next).copied() {
            let children = branch.node.map_or(&[][..], |node| node.children());
            let below = children.iter().filter(|child| child.below.is_some());
            nodes.extend(below.map(|child| branch.child(child)));
            next += 1;
        }
        nodes
    }

    /// The tree as something to go down in.
    pub(crate) fn branch(&self) -> Option<Branch<'_>> {
        self.root.as_ref().map(|root| Branch {
            height: root.height,
            reference: &root.reference,
            node: Some(&root.node),
        })
    }
}

impl Node {
    pub(crate) fn new(children: Vec<Child>) -> Self {
        let mut count = 0;
        let mut uses: Vec<(u64, u64)> = Vec::with_capacity(1);
        for child in &children {
            add(&mut uses, child.reference.pack_id, stored(&child.reference));
            match &child.below {
                Some(below) => {
                    count += below.count;
                    for (pack, bytes) in &below.uses {
                        add(&mut uses, *pack, *bytes);
                    }
                }
                None => count += 1,
            }
        }
        Node {
            children,
            count,
            uses,
        }
    }

    pub(crate) fn children(&self) -> &[Child] {
        &self.children
    }
}

fn stored(reference: &Reference) -> u64 {
    u64::from(reference.stored_length)
}

fn add(uses: &mut Vec<(u64, u64)>, pack: u64, bytes: u64) {
    match uses.binary_search_by_key(&pack, |(pack, _)| *pack) {
        Ok(place) => uses[place].1 += bytes,
        Err(place) => uses.insert(place, (pack, bytes)),
    }
}

/// A subtree, or a blob (height 0). Where a tree of a greater height is walked, it stands below digit 0 of nodes that do not exist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branch<'a> {
    height: u8,
    reference: &'a Reference,
    node: Option<&'a Arc<Node>>,
}

impl<'a> Branch<'a> {
    pub(crate) fn height(self) -> u8 {
        self.height
    }

    pub(crate) fn reference(&self) -> &'a Reference {
        self.reference
    }

    /// The subtree in its own right, if it has this height.
    pub(crate) fn at(self, height: u8) -> Option<Self> {
        (self.height == height).then_some(self)
    }

    pub(crate) fn node(&self) -> Option<&'a Arc<Node>> {
        self.node
    }

    /// What stands below a digit, looked at from `height`, which is not below its own.
    pub(crate) fn below(self, digit: u8, height: u8) -> Option<Self> {
        if self.height < height {
            return (digit == 0).then_some(self);
        }
        let children = self.node?.children();
        let place = children.binary_search_by_key(&digit, |child| child.digit);
        place.ok().map(|place| self.child(&children[place]))
    }

    fn child(&self, child: &'a Child) -> Self {
        Branch {
            height: self.height - 1,
            reference: &child.reference,
            node: child.below.as_ref(),
        }
    }

    /// The bytes that store it, if it is a node.
    pub(crate) fn encode_node(&self) -> Option<Vec<u8>> {
        let refer = |child: &Child| child.reference.child(child.digit);
        let children: Vec<NodeChild> = self.node?.children().iter().map(refer).collect();
        Some(encode_node(self.height, &children))
    }

    /// The part of a higher tree that a tree of this height would be.
    pub(crate) fn lowered(self, height: u8) -> Option<Self> {
        let mut branch = self;
        while branch.height > height {
            branch = branch.below(0, branch.height)?;
        }
        Some(branch)
    }

    /// Whether any byte of it lies in one of these packs.
    pub(crate) fn uses_any(&self, packs: &[u64]) -> bool {
        packs.contains(&self.reference.pack_id)
            || self.node.is_some_and(|node| {
                let mut uses = node.uses.iter();
                uses.any(|(pack, _)| packs.contains(pack))
            })
    }
}

/// The numbers below a place of some height, whose first number is `first`.
pub(crate) fn numbers_below(first: u64, height: u8) -> RangeInclusive<u64> {
    let bits = u32::from(height) * FAN_OUT_BITS;
    let span = 1_u64.checked_shl(bits).map_or(u64::MAX, |span| span - 1);
    first..=first | span
}

/// The digit of a number in a node of some height.
pub(crate) fn digit(number: u64, height: u8) -> u8 {
    debug_assert!((1..=HEIGHT_MAX).contains(&height));
    let bits = u32::from(height - 1) * FAN_OUT_BITS;
    u8::try_from(number >> bits & ((1 << FAN_OUT_BITS) - 1)).expect("six bits")
}
