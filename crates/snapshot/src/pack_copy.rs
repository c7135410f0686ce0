//! A pack written anew with sound bytes where it was damaged.
//!
//! ```text
//!  1  <pack>.tmp            what the pack holds, with the patches in place; synced
//!  2                        every node and blob in it that is known is read again and verified, the header and the manifest too
//!  3  <pack>.tmp -> <pack>  directory synced
//! ```
//!
//! Crash before 3: the pack is as it was, and the next writable open removes the temporary file. The bytes that were sound are the same in both, so whoever has
//! the old one open or mapped, or finds either after a power cut, goes on.

use std::sync::Arc;

use disk::{Access, Dir, File};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::FileName;
use crate::format::{HEADER_BYTES, PackHeader};
use crate::inventory::{Held, Inventory, PlaceKind, read_node};
use crate::manifest;
use crate::patch::Patch;
use crate::spare::Spare;

const CHUNK_BYTES: usize = 1 << 20;

/// Why a pack was not rewritten for good.
pub(crate) enum Failure {
    /// It is as it was.
    Before(Error),
    /// It was, and only the sync of its name failed.
    After(Error),
}

/// Hears of bytes read or written, and may end it.
pub(crate) type Tell<'a> = dyn FnMut(u64) -> Result<()> + 'a;

/// Rewrites a pack with patches, in their order. `lost` are places of it of which no sound copy is known.
pub(crate) fn rewrite(
    dir: &dyn Dir,
    inventory: &Inventory,
    pack: usize,
    patches: &[&Patch],
    lost: &[u64],
    spare: &mut Spare<'_, '_>,
    tell: &mut Tell<'_>,
) -> std::result::Result<(), Failure> {
    let held = &inventory.packs[pack];
    let temporary = FileName::TemporaryPack(held.name).to_string();
    let written = write(dir, &temporary, inventory, held, patches, spare, tell)
        .and_then(|()| verify(dir, &temporary, inventory, pack, lost, tell))
        .and_then(|()| Ok(dir.rename(&temporary, &FileName::Pack(held.name).to_string())?));
    if let Err(error) = written {
        if let Err(error) = dir.remove(&temporary)
            && !error.is_not_found()
        {
            tracing::warn!(%error, "the copy of a damaged pack stays for now");
        }
        return Err(Failure::Before(error));
    }
    dir.sync().map_err(|error| Failure::After(error.into()))
}

fn write(
    dir: &dyn Dir,
    temporary: &str,
    inventory: &Inventory,
    held: &Held,
    patches: &[&Patch],
    spare: &mut Spare<'_, '_>,
    tell: &mut Tell<'_>,
) -> Result<()> {
    let file = dir.create(temporary)?;
    let mut at = 0;
    for patch in patches {
        copy(&*file, held, at, patch.at, tell)?;
        let bytes = patch.fetch(&held.path, inventory, spare)?;
        assert_eq!(bytes.len() as u64, patch.length);
        file.write_all_at(patch.at, &bytes)?;
        tell(patch.length)?;
        at = patch.at + patch.length;
    }
    copy(&*file, held, at, held.length, tell)?;
    Ok(file.sync()?)
}

/// Copies what stands between two places; zeros beyond the end of the damaged file.
fn copy(to: &dyn File, held: &Held, mut at: u64, end: u64, tell: &mut Tell<'_>) -> Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(CHUNK_BYTES);
        let chunk = &mut buffer[..left.min(CHUNK_BYTES)];
        let there = usize::try_from(held.found.saturating_sub(at)).unwrap_or(CHUNK_BYTES);
        let there = there.min(chunk.len());
        chunk[there..].fill(0);
        if let Some(file) = held.file.as_ref().filter(|_| there > 0) {
            file.read_exact_at(at, &mut chunk[..there])?;
        }
        to.write_all_at(at, chunk)?;
        at += chunk.len() as u64;
        tell(chunk.len() as u64)?;
    }
    Ok(())
}

/// Reads the copy again.
fn verify(
    dir: &dyn Dir,
    temporary: &str,
    inventory: &Inventory,
    pack: usize,
    lost: &[u64],
    tell: &mut Tell<'_>,
) -> Result<()> {
    let held = &inventory.packs[pack];
    let file = dir.open(temporary, Access::Read)?;
    let copied = held.copied(Arc::clone(&file))?;
    let damaged = |at, kind| Error::damaged(&copied.path, at, kind);
    if copied.found != held.length {
        return Err(damaged(copied.found.min(held.length), DamageKind::Changed));
    }
    let front = crate::manifest_file::front(&*file, HEADER_BYTES)?;
    if let Some((at, body)) = copied.body() {
        PackHeader::decode(&front).map_err(|flaw| manifest::header_error(flaw, &copied.path))?;
        let mut found = vec![0; body.len()];
        file.read_exact_at(at, &mut found)?;
        if found != body {
            return Err(damaged(at, DamageKind::BodyHash));
        }
    }
    for place in inventory.in_pack(pack) {
        let reference = &place.reference;
        if lost.contains(&reference.offset) {
            continue;
        }
        match place.kind {
            PlaceKind::Node { height } => drop(read_node(&copied, reference, height)?),
            PlaceKind::Blob { .. } => {
                let content = reference.content(copied.stored(reference)?);
                let content = content.map(drop);
                content.map_err(|kind| damaged(reference.offset, kind))?;
            }
        }
        tell(u64::from(reference.stored_length))?;
    }
    Ok(())
}
