//! What a file says about a snapshot: reading its manifest, publishing it, and taking it back.
//!
//! A snapshot is published, and taken back, by one byte written in place. That needs no space on a full disk, no name
//! changes, and after a failed sync it can simply be written and synced again. It is published only once its name is durable: so that of a published one is,
//! which no later sync of the directory could prove.

use std::path::Path;

use disk::{Access, Dir, File};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::{FileName, PackName};
use crate::format::{
    self, Announcement, HEADER_1_BYTES, HEADER_BYTES, MANIFEST_BYTES_MAX, PACK_BLOBS_AT, PackHeader,
};
use crate::hash::Hash;
use crate::manifest::{self, Manifest, PackEntry};

/// What a file with a name of ours is.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// A snapshot.
    Published(Manifest),
    /// None any more, or not yet: nobody needs these packs, unless a snapshot names them.
    Withdrawn(Vec<PackName>),
    /// A pack of version 1: some manifest says what it is for.
    Blobs,
}

impl Found {
    /// The packs that it names.
    pub(crate) fn packs(&self) -> Vec<PackName> {
        match self {
            Found::Published(manifest) => manifest.pack_list(),
            Found::Withdrawn(packs) => packs.clone(),
            Found::Blobs => Vec::new(),
        }
    }
}

/// Looks at a manifest, or at a pack and the manifest in it.
pub(crate) fn read(dir: &dyn Dir, name: FileName) -> Result<Found> {
    let file = dir.open(&name.to_string(), Access::Read)?;
    read_open(dir, name, &*file)
}

/// The same of a file that was opened.
pub(crate) fn read_open(dir: &dyn Dir, name: FileName, file: &dyn File) -> Result<Found> {
    match name {
        FileName::Pack(pack) => read_pack(dir, pack, file),
        FileName::TemporaryPack(_) => Ok(Found::Withdrawn(Vec::new())),
        FileName::Manifest(_) => read_manifest(dir, name, file),
        FileName::TemporaryManifest(_) => match read_manifest(dir, name, file) {
            Ok(found) => Ok(Found::Withdrawn(found.packs())),
            // It was never durable, so none of its packs had its final name yet.
            Err(error) if error.is_damage() => Ok(Found::Withdrawn(Vec::new())),
            Err(error) => Err(error),
        },
    }
}

fn read_manifest(dir: &dyn Dir, name: FileName, file: &dyn File) -> Result<Found> {
    let path = dir.path().join(name.to_string());
    let announced = Announcement::decode_manifest(&front(file, HEADER_1_BYTES)?)
        .map_err(|flaw| manifest::header_error(flaw, &path))?;
    let manifest = read_body(file, &path, name, &announced, None)?;
    Ok(if announced.is_withdrawn {
        Found::Withdrawn(manifest.pack_list())
    } else {
        Found::Published(manifest)
    })
}

fn read_pack(dir: &dyn Dir, pack: PackName, file: &dyn File) -> Result<Found> {
    let name = FileName::Pack(pack);
    let path = dir.path().join(name.to_string());
    let header = PackHeader::decode(&front(file, HEADER_BYTES)?)
        .map_err(|flaw| manifest::header_error(flaw, &path))?;
    let Some(announced) = header.manifest else {
        return Ok(Found::Blobs);
    };
    let damaged = |kind| Err(Error::damaged(&path, 0, kind));
    if header.id != pack.id || header.tx != pack.written_for.0 {
        return damaged(DamageKind::WrongPack);
    }
    if announced.is_withdrawn {
        return Ok(Found::Withdrawn(vec![pack]));
    }
    let length = match announced.end() {
        Some(end) if announced.offset >= PACK_BLOBS_AT as u64 => end,
        _ => return damaged(DamageKind::BodyContent),
    };
    let own = PackEntry { name: pack, length };
    let manifest = read_body(file, &path, name, &announced, Some(own))?;
    if manifest.header().log_id != header.log_id || manifest.header().chain != header.chain {
        return damaged(DamageKind::BodyContent);
    }
    Ok(Found::Published(manifest))
}

/// Reads the manifest that a header has announced, which is the rest of the file.
fn read_body(
    file: &dyn File,
    path: &Path,
    name: FileName,
    announced: &Announcement,
    own: Option<PackEntry>,
) -> Result<Manifest> {
    let damaged = |kind| Error::damaged(path, announced.offset, kind);
    let length = announced.length as usize;
    let (expected, found) = (announced.end().unwrap_or(u64::MAX), file.len()?);
    if expected != found || length > MANIFEST_BYTES_MAX {
        let kind = DamageKind::Length { expected, found };
        return Err(Error::damaged(path, found.min(expected), kind));
    }
    let mut body = vec![0; length];
    file.read_exact_at(announced.offset, &mut body)?;
    if Hash::of(&body).0 != announced.hash {
        return Err(damaged(DamageKind::BodyHash));
    }
    Manifest::decode_body(&body, name, own).map_err(damaged)
}

/// As much of the front of a file as there is, up to `length` bytes.
pub(crate) fn front(file: &dyn File, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let filled = file.read_up_to(0, &mut bytes)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// Publishes a snapshot whose name is durable, durably, whether or not that was tried before.
pub(crate) fn publish(dir: &dyn Dir, name: FileName) -> Result<()> {
    write_state(dir, name, false)
}

/// Takes a snapshot back, durably, whether or not that was tried before.
pub(crate) fn withdraw(dir: &dyn Dir, name: FileName) -> Result<()> {
    write_state(dir, name, true)
}

fn write_state(dir: &dyn Dir, name: FileName, is_withdrawn: bool) -> Result<()> {
    let header_bytes = match name {
        FileName::Pack(_) | FileName::TemporaryPack(_) => HEADER_BYTES,
        FileName::Manifest(_) | FileName::TemporaryManifest(_) => HEADER_1_BYTES,
    };
    let file = dir.open(&name.to_string(), Access::ReadWrite)?;
    file.write_all_at(
        format::state_at(header_bytes),
        &[format::state(is_withdrawn)],
    )?;
    Ok(file.sync()?)
}
