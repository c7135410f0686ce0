//! Writes blobs into new packs, under temporary names, each pack synced when it is full.
//!
//! ```text
//!  | header | page | page | region: node, head, ... | page | page | region ... |
//! ```
//!
//! Pages go straight behind each other. The first small blob sets a region aside; it is filled while pages go on
//! behind it, so that every blob has its place the moment it is handed in and a parent can refer to it.

use std::collections::HashSet;
use std::sync::Arc;

use disk::{Dir, File};

use crate::error::Result;
use crate::file_name::PackName;
use crate::format::{
    BLOB_BYTES_MAX, HEADER_BYTES, PACK_BLOBS_AT, PAGE_ALIGNMENT, PackHeader, REGION_BYTES,
};
use crate::manifest::PackEntry;
use crate::snapshot_id::SnapshotId;

/// A pack is synced after so many bytes, so that no single sync takes long: others share the disk, and what they sync is kept waiting.
const SYNC_BYTES: u64 = 64 << 20;
/// Key derivation context of pack ids.
const PACK_ID_CONTEXT: &str = "cairn snapshot pack id v1";

pub(crate) struct PackWriter<'a> {
    dir: &'a dyn Dir,
    /// The id changes with each pack.
    header: PackHeader,
    pack_bytes_max: u64,
    nonce: u64,
    ids_drawn: u64,
    syncs: u32,
    /// Ids of packs that are in the directory.
    taken: HashSet<u64>,
    current: Option<OpenPack>,
    finished: Vec<PackEntry>,
    names: Vec<PackName>,
}

struct OpenPack {
    name: PackName,
    file: Arc<dyn File>,
    region: Option<Region>,
    /// Where the next page or region goes.
    next_at: u64,
    /// What `next_at` was at the last sync.
    synced_to: u64,
    /// Behind the last blob: the length of the file when finished.
    length: u64,
}

struct Region {
    at: u64,
    bytes: Vec<u8>,
}

impl<'a> PackWriter<'a> {
    pub(crate) fn new(
        dir: &'a dyn Dir,
        header: PackHeader,
        pack_bytes_max: u64,
        nonce: u64,
        taken: HashSet<u64>,
    ) -> Self {
        PackWriter {
            dir,
            header,
            pack_bytes_max,
            nonce,
            ids_drawn: 0,
            syncs: 0,
            taken,
            current: None,
            finished: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Every pack begun, finished or not, for clearing up.
    pub(crate) fn names(&self) -> &[PackName] {
        &self.names
    }

    /// Stores a blob and says where: pack id and offset.
    pub(crate) fn append(&mut self, blob: &[u8]) -> Result<(u64, u64)> {
        assert!(!blob.is_empty());
        assert!(blob.len() <= BLOB_BYTES_MAX);
        if self
            .current
            .as_ref()
            .is_some_and(|pack| pack.end_with(blob) > self.pack_bytes_max)
        {
            self.finish_pack()?;
        }
        let mut pack = match self.current.take() {
            Some(pack) => pack,
            None => self.begin_pack()?,
        };
        let appended = pack.append(blob);
        let is_sync_due = pack.next_at - pack.synced_to >= SYNC_BYTES;
        let id = pack.name.id;
        let pack = self.current.insert(pack);
        let offset = appended?;
        if is_sync_due {
            pack.file.sync()?;
            pack.synced_to = pack.next_at;
            self.syncs += 1;
        }
        Ok((id, offset))
    }

    /// How often packs have been synced.
    pub(crate) fn syncs(&self) -> u32 {
        self.syncs
    }

    /// Finishes and syncs the last pack and returns all.
    pub(crate) fn finish(&mut self) -> Result<Vec<PackEntry>> {
        self.finish_pack()?;
        Ok(std::mem::take(&mut self.finished))
    }

    fn begin_pack(&mut self) -> Result<OpenPack> {
        let id = self.draw_id();
        let name = PackName {
            written_for: SnapshotId(self.header.tx),
            id,
        };
        let file = self.dir.create(&name.temporary())?;
        self.names.push(name);
        let mut front = [0; PACK_BLOBS_AT];
        front[..HEADER_BYTES].copy_from_slice(&PackHeader { id, ..self.header }.encode());
        file.write_all_at(0, &front)?;
        Ok(OpenPack {
            name,
            file,
            region: None,
            next_at: PACK_BLOBS_AT as u64,
            synced_to: 0,
            length: PACK_BLOBS_AT as u64,
        })
    }

    fn finish_pack(&mut self) -> Result<()> {
        let Some(mut pack) = self.current.take() else {
            return Ok(());
        };
        pack.write_region()?;
        pack.file.sync()?;
        self.syncs += 1;
        self.finished.push(PackEntry {
            name: pack.name,
            length: pack.length,
        });
        Ok(())
    }

    fn draw_id(&mut self) -> u64 {
        loop {
            let mut hasher = blake3::Hasher::new_derive_key(PACK_ID_CONTEXT);
            hasher.update(&self.header.log_id);
            for part in [
                self.header.tx,
                self.header.chain,
                self.nonce,
                self.ids_drawn,
            ] {
                hasher.update(&part.to_le_bytes());
            }
            self.ids_drawn += 1;
            let mut id = [0; 8];
            hasher.finalize_xof().fill(&mut id);
            let id = u64::from_le_bytes(id);
            if self.taken.insert(id) {
                return id;
            }
        }
    }
}

impl OpenPack {
    fn append(&mut self, blob: &[u8]) -> Result<u64> {
        let offset = if blob.len() == BLOB_BYTES_MAX {
            self.append_page(blob)?
        } else {
            self.append_small(blob)?
        };
        self.length = self.length.max(offset + blob.len() as u64);
        Ok(offset)
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

    /// The length of the pack if `blob` were added.
    fn end_with(&self, blob: &[u8]) -> u64 {
        if blob.len() < BLOB_BYTES_MAX && self.region_takes(blob) {
            return self.length;
        }
        self.next_at + blob.len() as u64
    }

    fn write_region(&mut self) -> Result<()> {
        if let Some(region) = self.region.take() {
            self.file.write_all_at(region.at, &region.bytes)?;
        }
        Ok(())
    }
}
