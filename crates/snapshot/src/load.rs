//! Loading: walk the trees, then read or verify the blobs in the order in which they lie in the packs.

use std::sync::Arc;

use disk::Dir;

use crate::blob::{Blob, OwnedBytes, Storage};
use crate::error::Result;
use crate::extents::Extents;
use crate::loaded::Loaded;
use crate::manifest::Manifest;
use crate::outline::Outline;
use crate::pack_reader::{PackReader, PackSet, offset_in_map};
use crate::parallel;
use crate::reference::Reference;
use crate::tree_walk::{self, Leaf, Walked};

/// Where loaded blobs live. Compressed pages are always unpacked into memory of their own, and their crc32c is checked for that, whatever is asked for.
/// There is nothing to map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LoadMode {
    /// Read into memory of their own. An I/O error is an error.
    #[default]
    Copy,
    /// In read-only maps of the packs, without a copy. An I/O error later on, or a pack cut by somebody else, ends
    /// the process (SIGBUS); a page that the system dropped is read again unverified.
    Map,
}

/// What is checked before [`crate::Snapshots::load`] returns, of blobs: the tree of hashes is always checked whole,
/// each node's crc32c and blake3. [`crate::Snapshots::map`] checks nothing before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Verify {
    /// Every blob's crc32c and blake3.
    #[default]
    All,
    /// Every blob's crc32c, which is several times faster and finds all accidents but one in four billion.
    Checksums,
}

/// How [`crate::Snapshots::load`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LoadOptions {
    /// Copied or mapped. Default: copied.
    pub mode: LoadMode,
    /// How much is verified. Default: all.
    pub verify: Verify,
}

pub(crate) fn load(
    dir: &dyn Dir,
    threads: usize,
    manifest: &Manifest,
    options: LoadOptions,
) -> Result<Loaded> {
    let packs = PackSet::open(dir, manifest, options.mode == LoadMode::Map)?;
    let walked = tree_walk::walk(dir, manifest, &packs, &mut || Ok(()))?;
    let extents = Extents::of(&packs, &walked)?;
    let storages = parallel::map(threads, extents.as_slice(), |extent| {
        if extent.is_node {
            return Ok(None);
        }
        let pack = &packs.packs[extent.pack];
        let reference = &extent.reference;
        if reference.is_compressed() {
            let (storage, crc) = unpacked(pack, reference, options.verify)?;
            return Ok(Some((storage, crc)));
        }
        let storage = match options.mode {
            LoadMode::Map => mapped(pack, reference),
            LoadMode::Copy => copied(pack, reference)?,
        };
        let content = storage.bytes(reference.length as usize);
        match options.verify {
            Verify::All => reference.content(content).map(drop),
            Verify::Checksums => reference.check_crc(content),
        }
        .map_err(|kind| pack.damaged(reference.offset, kind))?;
        Ok(Some((storage, reference.crc32c)))
    })?;
    Ok(assemble(manifest, &packs, walked, |leaf| {
        extents
            .position(leaf.pack, leaf.reference.offset)
            .and_then(|position| storages[position].clone())
            .expect("every leaf is among the extents")
    }))
}

fn assemble(
    manifest: &Manifest,
    packs: &PackSet,
    walked: Walked,
    storage_of: impl Fn(&Leaf) -> (Storage, u32),
) -> Loaded {
    let blob_of = |leaf: &Leaf| {
        let (storage, crc32c) = storage_of(leaf);
        let file = &packs.packs[leaf.pack].path;
        Blob::new(storage, crc32c, file, &leaf.reference)
    };
    let sections = walked.sections.iter();
    Loaded::new(
        sections
            .map(|leaves| {
                leaves
                    .iter()
                    .map(|leaf| (leaf.number, blob_of(leaf)))
                    .collect()
            })
            .collect(),
        Outline::new(manifest.clone(), walked.trees),
    )
}

pub(crate) fn mapped(pack: &PackReader, reference: &Reference) -> Storage {
    let map = pack.map.as_ref().expect("the packs were opened mapped");
    Storage::Mapped {
        map: map.clone(),
        offset: offset_in_map(reference),
    }
}

fn copied(pack: &PackReader, reference: &Reference) -> Result<Storage> {
    let mut owned = OwnedBytes::zeroed(reference.length as usize);
    pack.file
        .read_exact_at(reference.offset, owned.bytes_mut())?;
    Ok(Storage::Owned(Arc::new(owned)))
}

/// A compressed page, and the crc32c of what it holds.
fn unpacked(pack: &PackReader, reference: &Reference, verify: Verify) -> Result<(Storage, u32)> {
    let damaged = |kind| pack.damaged(reference.offset, kind);
    let mut owned = OwnedBytes::zeroed(reference.length as usize);
    let stored = pack.stored(reference)?;
    let page = owned.bytes_mut();
    reference.unpack(&stored, page).map_err(damaged)?;
    if verify == Verify::All {
        reference.check_hash(page).map_err(damaged)?;
    }
    let crc = crc32c::crc32c(page);
    Ok((Storage::Owned(Arc::new(owned)), crc))
}
