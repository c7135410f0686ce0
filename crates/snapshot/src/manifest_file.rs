//! A manifest on disk: reading it, publishing it, and taking it back.
//!
//! A manifest is published, and taken back, by one byte written in place. That needs no space on a full disk, no name
//! changes, and after a failed sync it can simply be written and synced again. It is published only once its name is durable: so that of a published one is,
//! which no later sync of the directory could prove.

use disk::{Access, Dir};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::format::{HEADER_BYTES, MANIFEST_BYTES_MAX, ManifestHeader};
use crate::manifest::Manifest;
use crate::snapshot_id::SnapshotId;

/// What a file with the name of a manifest holds.
pub(crate) struct ManifestFile {
    pub(crate) manifest: Manifest,
    /// The snapshot was removed; its packs may be half gone.
    pub(crate) is_withdrawn: bool,
}

/// Reads the manifest of `id` from the file `name`.
pub(crate) fn read(dir: &dyn Dir, name: &str, id: SnapshotId) -> Result<ManifestFile> {
    let file = dir.open(name, Access::Read)?;
    let length = file.len()?;
    let path = dir.path().join(name);
    let Some(buffer_length) = usize::try_from(length)
        .ok()
        .filter(|length| *length <= MANIFEST_BYTES_MAX)
    else {
        let kind = DamageKind::Length {
            expected: MANIFEST_BYTES_MAX as u64,
            found: length,
        };
        return Err(Error::damaged(&path, HEADER_BYTES as u64, kind));
    };
    let mut bytes = vec![0; buffer_length];
    let filled = file.read_up_to(0, &mut bytes)?;
    let bytes = &bytes[..filled];
    let manifest = Manifest::decode(bytes, id, &path)?;
    Ok(ManifestFile {
        manifest,
        is_withdrawn: ManifestHeader::is_withdrawn(bytes),
    })
}

/// Publishes a manifest whose name is durable, durably, whether or not that was tried before.
pub(crate) fn publish(dir: &dyn Dir, name: &str) -> Result<()> {
    write_state(dir, name, ManifestHeader::publication())
}

/// Takes a manifest back, durably, whether or not that was tried before.
pub(crate) fn withdraw(dir: &dyn Dir, name: &str) -> Result<()> {
    write_state(dir, name, ManifestHeader::withdrawal())
}

fn write_state(dir: &dyn Dir, name: &str, (offset, state): (u64, u8)) -> Result<()> {
    let file = dir.open(name, Access::ReadWrite)?;
    file.write_all_at(offset, &[state])?;
    Ok(file.sync()?)
}
