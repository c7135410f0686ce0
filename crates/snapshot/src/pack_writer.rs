//! Writes blobs and a manifest into a new pack, under its temporary name.
//!
//! ```text
//!  | header | page | page | region: node, head, ... | page | page | region ... | manifest |
//! ```
//!
//! Pages go straight behind each other. The first small blob sets a region aside; it is filled while pages go on
//! behind it, so that every blob has its place the moment it is handed in and a parent can refer to it.

use std::collections::HashSet;
use std::sync::Arc;

use disk::{Dir, File};

use crate::error::Result;
use crate::file_name::{FileName, PackName};
use crate::format::{
    Announcement, BLOB_BYTES_MAX, HEADER_BYTES, PACK_BLOBS_AT, PAGE_ALIGNMENT, PackHeader,
    REGION_BYTES,
};
use crate::hash::Hash;
use crate::header::Header;
use crate::snapshot_id::SnapshotId;

/// A pack is synced after so many bytes, so that no single sync takes long: others share the disk, and what they sync is kept waiting.
const SYNC_BYTES: u64 = 64 << 20;
/// Key derivation context of pack ids.
const PACK_ID_CONTEXT: &str = "cairn snapshot pack id v1";

pub(crate) struct PackWriter {
    name: PackName,
    file: Arc<dyn File>,
    syncs: u32,
    region: Option<Region>,
    /// Where the next page or region goes.
    next_at: u64,
    /// What `next_at` was at the last sync.
    synced_to: u64,
    /// Behind the last blob.
    blobs_end: u64,
}

struct Region {
    at: u64,
    bytes: Vec<u8>,
}

impl PackWriter {
    /// Begins the pack of this name, which is free.
    pub(crate) fn create(dir: &dyn Dir, name: PackName) -> Result<Self> {
        Ok(PackWriter {
            name,
            file: dir.create(&FileName::TemporaryPack(name).to_string())?,
            syncs: 0,
            region: None,
            next_at: PACK_BLOBS_AT as u64,
            synced_to: 0,
            blobs_end: PACK_BLOBS_AT as u64,
        })
    }

    /// Stores a blob and says where: pack id and offset.
    pub(crate) fn append(&mut self, blob: &[u8]) -> Result<(u64, u64)> {
        assert!(!blob.is_empty());
        assert!(blob.len() <= BLOB_BYTES_MAX);
        let offset = if blob.len() == BLOB_BYTES_MAX {
            self.append_page(blob)?
        } else {
            self.append_small(blob)?
        };
        self.blobs_end = self.blobs_end.max(offset + blob.len() as u64);
        if self.next_at - self.synced_to >= SYNC_BYTES {
            self.sync()?;
            self.synced_to = self.next_at;
        }
        Ok((self.name.id, offset))
    }

    /// Where the manifest will stand.
    pub(crate) fn blobs_end(&self) -> u64 {
        self.blobs_end
    }

    /// How often the pack has been synced.
    pub(crate) fn syncs(&self) -> u32 {
        self.syncs
    }

    /// Ends the pack with the body of a manifest that is withdrawn so far, and syncs it.
    pub(crate) fn finish(&mut self, header: &Header, body: &[u8]) -> Result<()> {
        self.write_region()?;
        let announced = Announcement {
            offset: self.blobs_end,
            length: u32::try_from(body.len()).expect("manifests are shorter"),
            hash: Hash::of(body).0,
            is_withdrawn: true,
        };
        let pack_header = PackHeader {
            log_id: header.log_id,
            id: self.name.id,
            tx: header.tx,
            chain: header.chain,
            manifest: Some(announced),
        };
        let mut front = [0; PACK_BLOBS_AT];
        front[..HEADER_BYTES].copy_from_slice(&pack_header.encode());
        self.file.write_all_at(0, &front)?;
        self.file.write_all_at(announced.offset, body)?;
        self.sync()
    }

    fn append_page(&mut self, page: &[u8]) -> Result<u64> {
        let offset = self.next_at;
        assert!(offset.is_multiple_of(PAGE_ALIGNMENT as u64));
        self.file.write_all_at(offset, page)?;
        self.next_at += page.len() as u64;
        Ok(offset)
    }

    fn append_small(&mut self, blob: &[u8]) -> Result<u64> {
        if !self.region_takes(blob) {
            self.write_region()?;
        }
        let next_at = &mut self.next_at;
        let region = self.region.get_or_insert_with(|| {
            let at = *next_at;
            *next_at += REGION_BYTES as u64;
            Region {
                at,
                bytes: Vec::with_capacity(REGION_BYTES),
            }
        });
        let offset = region.at + region.bytes.len() as u64;
        region.bytes.extend_from_slice(blob);
        Ok(offset)
    }

    fn region_takes(&self, blob: &[u8]) -> bool {
        self.region
            .as_ref()
            .is_some_and(|region| region.bytes.len() + blob.len() <= REGION_BYTES)
    }

    fn write_region(&mut self) -> Result<()> {
        if let Some(region) = self.region.take() {
            self.file.write_all_at(region.at, &region.bytes)?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.file.sync()?;
        self.syncs += 1;
        Ok(())
    }
}

/// Draws the name of a new pack. Its id is none of `taken`.
pub(crate) fn draw_name(header: &Header, nonce: u64, taken: &HashSet<u64>) -> PackName {
    let draw = |number: u64| {
        let mut hasher = blake3::Hasher::new_derive_key(PACK_ID_CONTEXT);
        hasher.update(&header.log_id);
        for part in [header.tx, header.chain, nonce, number] {
            hasher.update(&part.to_le_bytes());
        }
        let mut id = [0; 8];
        hasher.finalize_xof().fill(&mut id);
        u64::from_le_bytes(id)
    };
    let mut ids = (0..).map(draw);
    PackName {
        written_for: SnapshotId(header.tx),
        id: ids.find(|id| !taken.contains(id)).expect("ids do not end"),
    }
}
