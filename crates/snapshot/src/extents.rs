//! What a snapshot's trees say about its packs: every stretch of bytes that is a blob or node, in storage order.

use crate::damage::DamageKind;
use crate::error::Result;
use crate::pack_reader::PackSet;
use crate::reference::Reference;
use crate::tree::Branch;
use crate::tree_walk::Walked;

/// A stretch of a pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Index in the manifest's packs.
    pub(crate) pack: usize,
    pub(crate) reference: Reference,
    pub(crate) is_node: bool,
}

impl Extent {
    fn place(&self) -> (usize, u64) {
        (self.pack, self.reference.offset)
    }
}

/// Invariant: sorted by place, disjoint. So all extents together have no more bytes than the packs.
pub(crate) struct Extents(Vec<Extent>);

impl Extents {
    /// Collects blobs and nodes. Blobs may be referred to many times, but then as a whole; nodes once.
    pub(crate) fn of(packs: &PackSet, walked: &Walked) -> Result<Self> {
        let leaves = walked.sections.iter().flatten().map(|leaf| Extent {
            pack: leaf.pack,
            reference: leaf.reference,
            is_node: false,
        });
        let nodes = walked.nodes.iter().map(|(pack, reference)| Extent {
            pack: *pack,
            reference: *reference,
            is_node: true,
        });
        Self::new(packs, leaves.chain(nodes).collect())
    }

    /// Collects what stands in one pack.
    pub(crate) fn within(packs: &PackSet, pack: usize, within: &[Branch<'_>]) -> Result<Self> {
        let extent = |branch: &Branch<'_>| Extent {
            pack,
            reference: *branch.reference(),
            is_node: branch.node().is_some(),
        };
        Self::new(packs, within.iter().map(extent).collect())
    }

    fn new(packs: &PackSet, mut extents: Vec<Extent>) -> Result<Self> {
        extents.sort_unstable_by_key(Extent::place);
        extents.dedup_by(|a, b| !a.is_node && !b.is_node && a.reference == b.reference);
        for pair in extents.windows(2) {
            let [before, after] = pair else { continue };
            if before.pack == after.pack && before.reference.end() > after.reference.offset {
                return Err(
                    packs.packs[after.pack].damaged(after.reference.offset, DamageKind::Overlap)
                );
            }
        }
        Ok(Extents(extents))
    }

    /// All, in storage order.
    pub(crate) fn as_slice(&self) -> &[Extent] {
        &self.0
    }

    /// The position of the extent at `offset` of a pack.
    pub(crate) fn position(&self, pack: usize, offset: u64) -> Option<usize> {
        self.0
            .binary_search_by_key(&(pack, offset), Extent::place)
            .ok()
    }
}
