//! Everything that the snapshots of a directory name, whether or not it is whole: packs, nodes and blobs.
//!
//! ```text
//!  manifests, on disk or remembered ──> packs ──> nodes, read or remembered ──> blobs, by place and by hash
//! ```
//!
//! A walk here does not stop at what is damaged: it goes round it. What it says of a snapshot is so no verdict, which only reading
//! back gives.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Access, Dir, File};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::{FileName, PackName};
use crate::format::{Announcement, HEADER_BYTES, PackHeader};
use crate::hash::Hash;
use crate::manifest::{self, Manifest};
use crate::manifest_file::{self, Found};
use crate::node_format::{FAN_OUT_BITS, NODE_BYTES_MAX, NodeChild, decode_node, node_hash};
use crate::outline::Outline;
use crate::reference::Reference;
use crate::snapshot_id::SnapshotId;
use crate::survey::{Sighted, Survey};
use crate::tree::Tree;

/// A pack that a snapshot names.
pub(crate) struct Held {
    pub(crate) name: PackName,
    pub(crate) path: PathBuf,
    /// As the manifests say.
    pub(crate) length: u64,
    /// The snapshots that name it, rising.
    pub(crate) snapshots: BTreeSet<SnapshotId>,
    /// The manifest in it, if it is a published snapshot.
    pub(crate) own: Option<Manifest>,
    /// Why it can not be read as what it is, if so: what a survey said, or the opening.
    pub(crate) flaw: Option<Arc<Error>>,
    /// `None` if it can not be opened.
    pub(crate) file: Option<Arc<dyn File>>,
    /// How long it is.
    pub(crate) found: u64,
    /// Something below a node of it is not known, since a node could neither be read nor remembered.
    pub(crate) has_unknown: bool,
}

impl Held {
    /// What stands at a place of it, unchecked.
    pub(crate) fn stored(&self, reference: &Reference) -> Result<Vec<u8>> {
        let damaged = |kind| Error::damaged(&self.path, reference.offset, kind);
        reference.check_shape(self.length, true).map_err(damaged)?;
        let Some(file) = &self.file else {
            return Err(damaged(DamageKind::MissingPack));
        };
        if reference.end() > self.found {
            let (expected, found) = (self.length, self.found);
            return Err(damaged(DamageKind::Length { expected, found }));
        }
        let mut bytes = vec![0; reference.stored_length as usize];
        file.read_exact_at(reference.offset, &mut bytes)?;
        Ok(bytes)
    }

    /// The same pack in another file.
    pub(crate) fn copied(&self, file: Arc<dyn File>) -> Result<Self> {
        Ok(Held {
            name: self.name,
            path: self.path.clone(),
            length: self.length,
            snapshots: self.snapshots.clone(),
            own: self.own.clone(),
            flaw: None,
            found: file.len()?,
            file: Some(file),
            has_unknown: self.has_unknown,
        })
    }

    /// The body of the manifest in it, and where it stands.
    pub(crate) fn body(&self) -> Option<(u64, Vec<u8>)> {
        let own = self.own.as_ref()?;
        let body = Manifest::encode_body(own.header(), &own.packs()[1..], own.sections()).ok()?;
        let at = self.length.checked_sub(body.len() as u64)?;
        Some((at, body))
    }

    /// The header of a published snapshot that ends with this body.
    pub(crate) fn front(
        &self,
        at: u64,
        body: &[u8],
        is_compressed: bool,
    ) -> Option<[u8; HEADER_BYTES]> {
        let header = self.own.as_ref()?.header();
        let front = header.front(self.name.id, is_compressed, at, body)?;
        Some(front.encode())
    }
}

/// A place where a snapshot has a node or a blob.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) reference: Reference,
    pub(crate) kind: PlaceKind,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum PlaceKind {
    Node { height: u8 },
    Blob { section: usize, number: u64 },
}

/// A node that is not whole, and its bytes if they are remembered.
pub(crate) struct BadNode {
    pub(crate) pack: usize,
    pub(crate) reference: Reference,
    pub(crate) reason: Arc<Error>,
    pub(crate) remembered: Option<Vec<u8>>,
}

/// All of it.
pub(crate) struct Inventory {
    pub(crate) packs: Vec<Held>,
    /// The published manifests, on disk or remembered; newest last.
    pub(crate) manifests: Vec<Manifest>,
    /// Files that look like a snapshot, could not be read as one, and are not remembered.
    pub(crate) unread: Vec<(FileName, Arc<Error>)>,
    /// By place in `packs` and byte.
    pub(crate) places: BTreeMap<(usize, u64), Place>,
    pub(crate) bad_nodes: Vec<BadNode>,
    by_id: HashMap<u64, usize>,
    copies: HashMap<Hash, Vec<(usize, u64)>>,
}

impl Inventory {
    /// Looks at all files and walks all trees.
    pub(crate) fn take(
        dir: &dyn Dir,
        outlines: &[Outline],
        on_node: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Self> {
        let mut inventory = Inventory {
            packs: Vec::new(),
            manifests: Vec::new(),
            unread: Vec::new(),
            places: BTreeMap::new(),
            bad_nodes: Vec::new(),
            by_id: HashMap::new(),
            copies: HashMap::new(),
        };
        let mut flaws: HashMap<PackName, Error> = HashMap::new();
        let there = dir.list()?;
        for manifest in outlines.iter().map(Outline::manifest) {
            let name = manifest.file().to_string();
            if there.iter().all(|entry| entry.name != name) {
                inventory.manifests.push(manifest.clone());
            }
        }
        for Sighted { file, found } in Survey::default().sighted(dir, None)? {
            let error = match found {
                Ok(Found::Published(manifest)) => {
                    inventory.manifests.push(manifest);
                    continue;
                }
                Ok(_) => continue,
                Err(error) => error,
            };
            let is_it = |outline: &&Outline| outline.manifest().file() == file;
            match (outlines.iter().find(is_it), file) {
                (Some(outline), FileName::Pack(pack)) => {
                    inventory.manifests.push(outline.manifest().clone());
                    flaws.insert(pack, error);
                }
                _ => inventory.unread.push((file, Arc::new(error))),
            }
        }
        inventory.manifests.sort_by_key(Manifest::id);
        inventory.open_packs(dir, flaws);
        let mut remembered = HashMap::new();
        for outline in outlines {
            for node in outline.trees().iter().flat_map(Tree::nodes) {
                remembered.insert(*node.reference(), node);
            }
        }
        let recall = |reference: &Reference| remembered.get(reference)?.encode_node();
        for manifest in inventory.manifests.clone() {
            for (section, entry) in manifest.sections().iter().enumerate() {
                if let Some(root) = &entry.root {
                    let walk = Walk {
                        manifest: &manifest,
                        section,
                        recall: &recall,
                    };
                    inventory.visit(&walk, root, entry.height, 0, on_node)?;
                }
            }
        }
        Ok(inventory)
    }

    fn open_packs(&mut self, dir: &dyn Dir, mut flaws: HashMap<PackName, Error>) {
        for manifest in &self.manifests {
            for entry in manifest.packs() {
                let index = *self.by_id.entry(entry.name.id).or_insert_with(|| {
                    self.packs.push(open(dir, entry.name, entry.length));
                    self.packs.len() - 1
                });
                let held = &mut self.packs[index];
                if held.name != entry.name {
                    continue;
                }
                held.snapshots.insert(manifest.id());
                if manifest.file() == FileName::Pack(entry.name) {
                    held.length = entry.length;
                    held.own = Some(manifest.clone());
                    held.flaw = flaws.remove(&entry.name).map(Arc::new).or(held.flaw.take());
                }
            }
        }
    }

    /// Places that hold the same blob, or should.
    pub(crate) fn copies(&self, hash: &Hash) -> &[(usize, u64)] {
        self.copies.get(hash).map_or(&[], Vec::as_slice)
    }

    /// The places in a pack, in their order.
    pub(crate) fn in_pack(&self, pack: usize) -> impl Iterator<Item = &Place> {
        let places = self.places.range((pack, 0)..(pack + 1, 0));
        places.map(|(_, place)| place)
    }

    fn visit(
        &mut self,
        walk: &Walk<'_>,
        reference: &Reference,
        height: u8,
        prefix: u64,
        on_node: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let Some(pack) = self.note(walk, reference, PlaceKind::Node { height }) else {
            return Ok(());
        };
        on_node()?;
        let read = read_node(&self.packs[pack], reference, height);
        let children = match read {
            Ok(children) => children,
            Err(reason) => {
                let bytes = (walk.recall)(reference).filter(|bytes| {
                    bytes.len() == reference.stored_length as usize
                        && reference.check_crc(bytes).is_ok()
                });
                let children = bytes.as_ref().map(|bytes| decode_node(bytes, height));
                self.bad_nodes.push(BadNode {
                    pack,
                    reference: *reference,
                    reason: Arc::new(reason),
                    remembered: bytes,
                });
                let Some(Ok(children)) = children else {
                    for name in walk.manifest.packs() {
                        if let Some(index) = self.by_id.get(&name.name.id) {
                            self.packs[*index].has_unknown = true;
                        }
                    }
                    return Ok(());
                };
                children
            }
        };
        for child in children {
            if prefix.leading_zeros() < FAN_OUT_BITS && prefix != 0 {
                return Ok(());
            }
            let number = prefix << FAN_OUT_BITS | u64::from(child.digit);
            let child = Reference::from(child);
            if height > 1 {
                self.visit(walk, &child, height - 1, number, on_node)?;
            } else {
                let section = walk.section;
                self.note(walk, &child, PlaceKind::Blob { section, number });
            }
        }
        Ok(())
    }

    /// Takes down a place; `None` if it is known already, or impossible.
    fn note(&mut self, walk: &Walk<'_>, reference: &Reference, kind: PlaceKind) -> Option<usize> {
        let is_named = |id| walk.manifest.packs().iter().any(|pack| pack.name.id == id);
        let pack = *self.by_id.get(&reference.pack_id)?;
        let is_node = matches!(kind, PlaceKind::Node { .. });
        if !is_named(reference.pack_id)
            || reference
                .check_shape(self.packs[pack].length, !is_node)
                .is_err()
            || (is_node && reference.length as usize > NODE_BYTES_MAX)
            || self.places.contains_key(&(pack, reference.offset))
        {
            return None;
        }
        let place = (pack, reference.offset);
        let reference = *reference;
        self.places.insert(place, Place { reference, kind });
        if !is_node {
            self.copies.entry(reference.hash).or_default().push(place);
        }
        Some(pack)
    }
}

/// What stays the same in a walk.
struct Walk<'a> {
    manifest: &'a Manifest,
    section: usize,
    recall: &'a dyn Fn(&Reference) -> Option<Vec<u8>>,
}

/// Reads a node and checks it.
pub(crate) fn read_node(pack: &Held, reference: &Reference, height: u8) -> Result<Vec<NodeChild>> {
    let damaged = |kind| Error::damaged(&pack.path, reference.offset, kind);
    let bytes = pack.stored(reference)?;
    reference.check_crc(&bytes).map_err(damaged)?;
    let children = decode_node(&bytes, height).map_err(|(at, kind)| {
        let at = reference.offset + at as u64;
        Error::damaged(&pack.path, at, kind)
    })?;
    if node_hash(height, &children) != reference.hash.0 {
        let expected = reference.hash;
        return Err(damaged(DamageKind::ContentHash { expected }));
    }
    Ok(children)
}

fn open(dir: &dyn Dir, name: PackName, length: u64) -> Held {
    let file_name = FileName::Pack(name).to_string();
    let path = dir.path().join(&file_name);
    let opened = dir.open(&file_name, Access::Read);
    let opened = opened.and_then(|file| {
        let found = file.len()?;
        Ok((file, found))
    });
    let (file, found, flaw) = match opened {
        Ok((file, found)) => {
            let flaw = header_flaw(&*file, &path, name, length).err();
            (Some(file), found, flaw)
        }
        Err(error) if error.is_not_found() => {
            let missing = Error::damaged(&path, 0, DamageKind::MissingPack);
            (None, 0, Some(missing))
        }
        Err(error) => (None, 0, Some(error.into())),
    };
    Held {
        name,
        path,
        length,
        snapshots: BTreeSet::new(),
        own: None,
        flaw: flaw.map(Arc::new),
        file,
        found,
        has_unknown: false,
    }
}

/// Checks that a file is the pack that its name says.
fn header_flaw(file: &dyn File, path: &Path, name: PackName, length: u64) -> Result<()> {
    let front = manifest_file::front(file, HEADER_BYTES)?;
    let header = PackHeader::decode(&front).map_err(|flaw| manifest::header_error(flaw, path))?;
    let is_whole = |announced: &Announcement| announced.end() == Some(length);
    if header.id == name.id
        && header.tx == name.written_for.0
        && header.manifest.as_ref().is_none_or(is_whole)
    {
        return Ok(());
    }
    Err(Error::damaged(path, 0, DamageKind::WrongPack))
}
