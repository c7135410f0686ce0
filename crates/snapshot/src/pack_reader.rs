//! An open pack: every read is bounded by its length.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Access, Dir, File, Map};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::format::{HEADER_BYTES, PACK_BLOBS_AT, PackHeader};
use crate::manifest::{self, Manifest, PackEntry};
use crate::reference::Reference;

/// A pack whose header was checked.
pub(crate) struct PackReader {
    pub(crate) path: PathBuf,
    /// As the manifest says, and as the file had when it was opened.
    pub(crate) length: u64,
    pub(crate) file: Arc<dyn File>,
    /// Invariant: `length` bytes.
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

    /// The sum of the lengths.
    pub(crate) fn bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.length).sum()
    }
}

impl PackReader {
    fn open(dir: &dyn Dir, manifest: &Manifest, entry: &PackEntry, mapped: bool) -> Result<Self> {
        let name = entry.name.published();
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
        check_header(&*file, &path, manifest, entry)?;
        let map = if mapped {
            Some(file.map(0..found)?)
        } else {
            None
        };
        if let Some(map) = &map
            && map.len() as u64 != found
        {
            let kind = DamageKind::Length {
                expected: found,
                found: map.len() as u64,
            };
            return Err(Error::damaged(&path, map.len() as u64, kind));
        }
        Ok(PackReader {
            path,
            length: found,
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

    pub(crate) fn damaged(&self, byte_offset: u64, kind: DamageKind) -> Error {
        Error::damaged(&self.path, byte_offset, kind)
    }
}

/// A mapped pack fits into memory, so its offsets fit into `usize`.
pub(crate) fn offset_in_map(reference: &Reference) -> usize {
    usize::try_from(reference.offset).expect("inside of a map")
}

fn check_header(
    file: &dyn File,
    path: &Path,
    manifest: &Manifest,
    entry: &PackEntry,
) -> Result<()> {
    let mut bytes = [0; HEADER_BYTES];
    let filled = file.read_up_to(0, &mut bytes)?;
    let header =
        PackHeader::decode(&bytes[..filled]).map_err(|flaw| manifest::header_error(flaw, path))?;
    let own = entry.name.written_for == manifest.id();
    if header.id != entry.name.id
        || header.tx != entry.name.written_for.0
        || header.log_id != manifest.header().log_id
        || (own && header.chain != manifest.header().chain)
        || entry.length < PACK_BLOBS_AT as u64
    {
        return Err(Error::damaged(path, 0, DamageKind::WrongPack));
    }
    Ok(())
}
