//! An open pack: every read is bounded by its length.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use disk::{Access, Dir, File, Map};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::FileName;
use crate::format::{HEADER_BYTES, PACK_BLOBS_AT, PackHeader};
use crate::manifest::{self, Manifest, PackEntry};
use crate::manifest_file;
use crate::node_format::{NODE_BYTES_MAX, NodeChild, decode_node, node_hash};
use crate::reference::Reference;

/// A pack whose header was checked.
pub(crate) struct PackReader {
    pub(crate) path: Arc<Path>,
    /// How long the header is.
    pub(crate) header_bytes: u64,
    /// The first byte behind the room for blobs. Invariant: not beyond the end that the file had when it was opened, nor before [`PACK_BLOBS_AT`].
    pub(crate) blobs_end: u64,
    /// Whether there may be compressed pages.
    pub(crate) is_compressed: bool,
    pub(crate) file: Arc<dyn File>,
    /// From [`PACK_BLOBS_AT`] to `blobs_end`: the state in the header may be written while it lives.
    pub(crate) map: Option<Map>,
}

/// The packs of a manifest, in its order.
pub(crate) struct PackSet {
    /// Invariant: not longer than u32.
    pub(crate) packs: Vec<PackReader>,
    /// Pack ids and where they stand in `packs`, rising.
    by_id: Vec<(u64, usize)>,
}

impl PackSet {
    /// Opens all packs of a manifest and checks their lengths and headers.
    pub(crate) fn open(dir: &dyn Dir, manifest: &Manifest, mapped: bool) -> Result<Self> {
        let packs = manifest
            .packs()
            .iter()
            .map(|entry| PackReader::open(dir, manifest, entry, mapped))
            .collect::<Result<Vec<_>>>()?;
        let mut by_id: Vec<(u64, usize)> = manifest
            .packs()
            .iter()
            .enumerate()
            .map(|(index, entry)| (entry.name.id, index))
            .collect();
        by_id.sort_unstable();
        Ok(PackSet { packs, by_id })
    }

    /// Where the pack with this id stands.
    pub(crate) fn index_of(&self, id: u64) -> Option<usize> {
        let at = self.by_id.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.by_id[at].1)
    }

    /// Where the pack of a reference stands, which was read from `byte_offset` of `file`, after its shape was checked against that.
    pub(crate) fn locate(
        &self,
        file: &Path,
        byte_offset: u64,
        reference: &Reference,
        is_blob: bool,
    ) -> Result<usize> {
        let damaged = |kind| Error::damaged(file, byte_offset, kind);
        let index = self.index_of(reference.pack_id);
        let index = index.ok_or_else(|| damaged(DamageKind::ReferenceBounds))?;
        let pack = &self.packs[index];
        reference
            .check_shape(pack.blobs_end, is_blob && pack.is_compressed)
            .map_err(damaged)?;
        if !is_blob && reference.length as usize > NODE_BYTES_MAX {
            return Err(damaged(DamageKind::ReferenceShape));
        }
        Ok(index)
    }

    /// No fewer than all blobs and nodes have.
    pub(crate) fn bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.blobs_end).sum()
    }
}

impl PackReader {
    fn open(dir: &dyn Dir, manifest: &Manifest, entry: &PackEntry, mapped: bool) -> Result<Self> {
        let name = FileName::Pack(entry.name).to_string();
        let path = dir.path().join(&name);
        let file = match dir.open(&name, Access::Read) {
            Err(error) if error.is_not_found() => {
                return Err(Error::damaged(&path, 0, DamageKind::MissingPack));
            }
            file => file?,
        };
        let found = file.len()?;
        if found != entry.length {
            let kind = DamageKind::Length {
                expected: entry.length,
                found,
            };
            return Err(Error::damaged(&path, found.min(entry.length), kind));
        }
        let header = PackHeader::decode(&manifest_file::front(&*file, HEADER_BYTES)?)
            .map_err(|flaw| manifest::header_error(flaw, &path))?;
        let Some(blobs_end) = blobs_end(&header, manifest, entry) else {
            return Err(Error::damaged(&path, 0, DamageKind::WrongPack));
        };
        let map = if mapped {
            Some(file.map(PACK_BLOBS_AT as u64..blobs_end)?)
        } else {
            None
        };
        if let Some(map) = &map
            && map.len() as u64 != blobs_end - PACK_BLOBS_AT as u64
        {
            let kind = DamageKind::Length {
                expected: found,
                found: PACK_BLOBS_AT as u64 + map.len() as u64,
            };
            return Err(Error::damaged(&path, blobs_end, kind));
        }
        Ok(PackReader {
            path: path.into(),
            header_bytes: header.bytes() as u64,
            blobs_end,
            is_compressed: header.is_compressed,
            file,
            map,
        })
    }

    /// What a reference stands for, unchecked. Only after [`Reference::check_shape`] with this pack's length.
    pub(crate) fn stored(&self, reference: &Reference) -> Result<Cow<'_, [u8]>> {
        if let Some(map) = &self.map {
            let offset = offset_in_map(reference);
            return Ok(Cow::Borrowed(
                &map[offset..offset + reference.stored_length as usize],
            ));
        }
        let mut bytes = vec![0; reference.stored_length as usize];
        self.file.read_exact_at(reference.offset, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// The children of a node, out of what is stored of it; checked in every way but for where they are.
    pub(crate) fn check_node(
        &self,
        reference: &Reference,
        bytes: &[u8],
        height: u8,
        is_root: bool,
    ) -> Result<Vec<NodeChild>> {
        let damaged = |kind| self.damaged(reference.offset, kind);
        reference.check_crc(bytes).map_err(damaged)?;
        let children = decode_node(bytes, height)
            .map_err(|(at, kind)| self.damaged(reference.offset + at as u64, kind))?;
        if node_hash(height, &children) != reference.hash.0 {
            let expected = reference.hash;
            return Err(damaged(DamageKind::ContentHash { expected }));
        }
        // A root that reaches no farther than the level below it would be another tree for the same section.
        if is_root && height > 1 && children.iter().all(|child| child.digit == 0) {
            return Err(damaged(DamageKind::Node));
        }
        Ok(children)
    }

    pub(crate) fn damaged(&self, byte_offset: u64, kind: DamageKind) -> Error {
        Error::damaged(&self.path, byte_offset, kind)
    }
}

/// A mapped pack fits into memory, so its offsets fit into `usize`.
pub(crate) fn offset_in_map(reference: &Reference) -> usize {
    usize::try_from(reference.offset).expect("inside of a map") - PACK_BLOBS_AT
}

/// Where the room for blobs ends in a pack that is the one that the manifest names; `None` if it is another one.
fn blobs_end(header: &PackHeader, manifest: &Manifest, entry: &PackEntry) -> Option<u64> {
    let is_it = header.id == entry.name.id
        && header.tx == entry.name.written_for.0
        && header.log_id == manifest.header().log_id
        && (!manifest.is_own(entry.name) || header.chain == manifest.header().chain);
    // A manifest names packs of its own version only.
    let end = match (&header.manifest, manifest.file()) {
        (Some(announced), FileName::Pack(_)) if announced.end() == Some(entry.length) => {
            announced.offset
        }
        (None, FileName::Manifest(_)) => entry.length,
        _ => return None,
    };
    (is_it && end >= PACK_BLOBS_AT as u64).then_some(end)
}
