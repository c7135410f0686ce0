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
    BLOB_BYTES_MAX, COMPRESSED_REGION_BYTES, HEADER_BYTES, PACK_BLOBS_AT, PAGE_ALIGNMENT,
    REGION_BYTES,
};
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
    region_bytes: usize,
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
    pub(crate) fn create(dir: &dyn Dir, name: PackName, compress: bool) -> Result<Self> {
        Ok(PackWriter {
            name,
            file: dir.create(&FileName::TemporaryPack(name).to_string())?,
            syncs: 0,
            region: None,
            region_bytes: match compress {
                true => COMPRESSED_REGION_BYTES,
                false => REGION_BYTES,
            },
            next_at: PACK_BLOBS_AT as u64,
            synced_to: 0,
            blobs_end: PACK_BLOBS_AT as u64,
        })
    }

    /// Stores a blob and says where: pack id and offset.
    pub(crate) fn append(&mut self, blob: &[u8]) -> Result<(u64, u64)> {
        assert!(!blob.is_empty());
        assert!(blob.len() <= BLOB_BYTES_MAX);
        let is_page = blob.len() == BLOB_BYTES_MAX;
        // Where most pages are compressed, one that is not stands among them: behind the region it would leave a hole.
        let offset = match (is_page, self.region_bytes == COMPRESSED_REGION_BYTES) {
            (true, false) => self.append_page(blob)?,
            (true, true) => self.append_to_region(blob, PAGE_ALIGNMENT)?,
            (false, _) => self.append_to_region(blob, 1)?,
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
    pub(crate) fn finish(
        &mut self,
        header: &Header,
        is_compressed: bool,
        body: &[u8],
    ) -> Result<()> {
        self.write_region()?;
        let at = self.blobs_end;
        let pack_header = header.front(self.name.id, is_compressed, at, body);
        let pack_header = pack_header.expect("manifests are shorter").withdrawn();
        let mut front = [0; PACK_BLOBS_AT];
        front[..HEADER_BYTES].copy_from_slice(&pack_header.encode());
        self.file.write_all_at(0, &front)?;
        self.file.write_all_at(at, body)?;
        self.sync()
    }

    fn append_page(&mut self, page: &[u8]) -> Result<u64> {
        let offset = self.next_at;
        assert!(offset.is_multiple_of(PAGE_ALIGNMENT as u64));
        self.file.write_all_at(offset, page)?;
        self.next_at += page.len() as u64;
        Ok(offset)
    }

    fn append_to_region(&mut self, blob: &[u8], alignment: usize) -> Result<u64> {
        let region_bytes = self.region_bytes;
        let takes = |region: &Region| {
            region.bytes.len().next_multiple_of(alignment) + blob.len() <= region_bytes
        };
        if !self.region.as_ref().is_some_and(takes) {
            self.write_region()?;
        }
        let next_at = &mut self.next_at;
        let region = self.region.get_or_insert_with(|| {
            let at = *next_at;
            *next_at += region_bytes as u64;
            Region {
                at,
                bytes: Vec::with_capacity(region_bytes),
            }
        });
        let begin = region.bytes.len().next_multiple_of(alignment);
        region.bytes.resize(begin, 0);
        region.bytes.extend_from_slice(blob);
        Ok(region.at + begin as u64)
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
