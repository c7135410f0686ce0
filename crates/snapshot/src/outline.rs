//! What a snapshot stores and where, without any of it.

use std::collections::HashMap;

use crate::manifest::Manifest;
use crate::reclaim::PackUse;
use crate::tree::Tree;

/// A snapshot as the next one sees it: which blobs it holds, by hash, and where they are stored. Some 80 bytes a blob, shared between
/// snapshots that share blobs. Cloned in O(1).
#[derive(Debug, Clone)]
pub struct Outline {
    manifest: Manifest,
    /// By section.
    trees: Vec<Tree>,
}

impl Outline {
    pub(crate) fn new(manifest: Manifest, trees: Vec<Tree>) -> Self {
        Outline { manifest, trees }
    }

    /// The snapshot's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How much of each pack it refers to.
    pub(crate) fn uses(&self) -> Vec<PackUse> {
        let mut used: HashMap<u64, u64> = HashMap::new();
        for (pack, bytes) in self.trees.iter().flat_map(Tree::uses) {
            *used.entry(pack).or_default() += bytes;
        }
        let packs = self.manifest.packs().iter();
        packs
            .map(|pack| PackUse {
                id: pack.name.id,
                bytes: pack.length,
                used: used.get(&pack.name.id).copied().unwrap_or(0),
            })
            .collect()
    }

    pub(crate) fn tree(&self, section: usize) -> Option<&Tree> {
        self.trees.get(section)
    }

    pub(crate) fn trees(&self) -> &[Tree] {
        &self.trees
    }
}

/// What a snapshot is written on. By default nothing: then it stores everything itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Basis<'a> {
    /// What the changes count from that the sources name. It may be gone by now.
    pub known: Option<&'a Outline>,
    /// The snapshot whose blobs are not stored again: both lie on the same bytes then, and one flipped bit harms both. It is passed over if it is not
    /// there any more, is of another history, is not an earlier one, or is of
    /// version 1.
    pub share: Option<&'a Outline>,
}
