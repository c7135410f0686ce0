//! The manifest: the one small file that makes a snapshot exist.
//!
//! ```text
//!  manifest --> section roots --> nodes --> ... --> blobs      (by hash and location)
//!           \-> packs (name, length)
//! ```

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::PackName;
use crate::format::{self, HEADER_BYTES, HeaderFlaw, ManifestHeader};
use crate::hash::Hash;
use crate::header::Header;
use crate::reference::Reference;
use crate::snapshot_id::SnapshotId;

/// A manifest whose checksums are right and which does not contradict itself. It proves nothing about the packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    header: Header,
    /// Invariant: ids differ, lengths sum up within u64.
    packs: Vec<PackEntry>,
    /// Invariant: root references lie inside of a pack in `packs`.
    sections: Vec<SectionEntry>,
}

/// A pack that a snapshot needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackEntry {
    pub(crate) name: PackName,
    pub(crate) length: u64,
}

/// A section of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SectionEntry {
    pub(crate) count: u64,
    /// 0 if there is no root.
    pub(crate) height: u8,
    pub(crate) root: Option<Reference>,
}

/// The body as postcard sees it.
#[derive(Serialize, Deserialize)]
struct Body {
    log_id: [u8; 16],
    tx: u64,
    chain: u64,
    minimum_reader: u16,
    metadata: Vec<u8>,
    packs: Vec<(u64, u64, u64)>,
    sections: Vec<SectionEntry>,
}

impl Manifest {
    pub(crate) fn new(header: Header, packs: Vec<PackEntry>, sections: Vec<SectionEntry>) -> Self {
        let manifest = Manifest {
            header,
            packs,
            sections,
        };
        assert!(manifest.check().is_ok(), "a manifest is sound when written");
        manifest
    }

    /// The snapshot's name in its directory.
    pub fn id(&self) -> SnapshotId {
        SnapshotId(self.header.tx)
    }

    /// Log id, transaction, chain, minimum reader and metadata, as they were given.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many sections there are.
    pub fn section_count(&self) -> usize {
        self.sections.len()
    }

    /// How many blobs the section holds; 0 for a section that does not exist.
    pub fn blob_count(&self, section: usize) -> u64 {
        self.sections.get(section).map_or(0, |entry| entry.count)
    }

    /// The hash over all numbers and blobs of the section, `None` if it is empty. Equal sections have equal hashes,
    /// wherever and whenever they were written.
    pub fn root_hash(&self, section: usize) -> Option<Hash> {
        Some(self.sections.get(section)?.root?.hash)
    }

    /// The sum of the lengths of the packs.
    pub fn pack_bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.length).sum()
    }

    /// The file names of the packs.
    pub fn pack_names(&self) -> impl Iterator<Item = String> + '_ {
        self.packs.iter().map(|pack| pack.name.published())
    }

    /// Whether the two snapshots lie in the same pack somewhere, so that one flipped bit could harm both.
    pub fn shares_bytes_with(&self, other: &Manifest) -> bool {
        self.packs
            .iter()
            .any(|pack| other.packs.iter().any(|entry| entry.name == pack.name))
    }

    pub(crate) fn packs(&self) -> &[PackEntry] {
        &self.packs
    }

    pub(crate) fn sections(&self) -> &[SectionEntry] {
        &self.sections
    }

    /// The whole file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let body = postcard::to_stdvec(&Body {
            log_id: self.header.log_id,
            tx: self.header.tx,
            chain: self.header.chain,
            minimum_reader: self.header.minimum_reader,
            metadata: self.header.metadata.clone(),
            packs: self
                .packs
                .iter()
                .map(|pack| (pack.name.written_for.0, pack.name.id, pack.length))
                .collect(),
            sections: self.sections.clone(),
        })
        .expect("plain data always encodes");
        let bytes = HEADER_BYTES + body.len();
        if bytes > format::MANIFEST_BYTES_MAX {
            return Err(Error::ManifestTooLarge { bytes });
        }
        let header = ManifestHeader {
            body_length: u32::try_from(body.len()).expect("bounded above"),
            body_hash: Hash::of(&body).0,
        };
        let mut file = header.encode().to_vec();
        file.extend_from_slice(&body);
        Ok(file)
    }

    /// Reads the bytes of a file found under the name of `id`.
    pub(crate) fn decode(bytes: &[u8], id: SnapshotId, file: &Path) -> Result<Self> {
        let damaged = |at: usize, kind| Err(Error::damaged(file, at as u64, kind));
        let header = match ManifestHeader::decode(bytes) {
            Ok(header) => header,
            Err(flaw) => return Err(header_error(flaw, file)),
        };
        let body = &bytes[HEADER_BYTES..];
        if body.len() as u64 != u64::from(header.body_length) {
            let kind = DamageKind::Length {
                expected: HEADER_BYTES as u64 + u64::from(header.body_length),
                found: bytes.len() as u64,
            };
            return damaged(HEADER_BYTES, kind);
        }
        if Hash::of(body).0 != header.body_hash {
            return damaged(HEADER_BYTES, DamageKind::BodyHash);
        }
        let body: Body = match postcard::take_from_bytes(body) {
            Ok((body, [])) => body,
            _ => return damaged(HEADER_BYTES, DamageKind::BodyEncoding),
        };
        let manifest = Manifest {
            header: Header {
                log_id: body.log_id,
                tx: body.tx,
                chain: body.chain,
                minimum_reader: body.minimum_reader,
                metadata: body.metadata,
            },
            packs: body
                .packs
                .into_iter()
                .map(|(tx, id, length)| PackEntry {
                    name: PackName {
                        written_for: SnapshotId(tx),
                        id,
                    },
                    length,
                })
                .collect(),
            sections: body.sections,
        };
        if manifest.id() != id {
            return damaged(HEADER_BYTES, DamageKind::BodyContent);
        }
        match manifest.check() {
            Ok(()) => Ok(manifest),
            Err(kind) => damaged(HEADER_BYTES, kind),
        }
    }

    fn check(&self) -> std::result::Result<(), DamageKind> {
        let mut ids: Vec<u64> = self.packs.iter().map(|pack| pack.name.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(DamageKind::BodyContent);
        }
        self.packs
            .iter()
            .try_fold(0u64, |sum, pack| sum.checked_add(pack.length))
            .ok_or(DamageKind::BodyContent)?;
        for section in &self.sections {
            let empty = section.count == 0;
            if empty != section.root.is_none() || empty != (section.height == 0) {
                return Err(DamageKind::BodyContent);
            }
            if section.height > format::HEIGHT_MAX {
                return Err(DamageKind::BodyContent);
            }
            if let Some(root) = &section.root {
                let pack = self.packs.iter().find(|pack| pack.name.id == root.pack_id);
                let pack = pack.ok_or(DamageKind::ReferenceBounds)?;
                root.check_shape(pack.length)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn header_error(flaw: HeaderFlaw, file: &Path) -> Error {
    match flaw {
        HeaderFlaw::Damaged((at, kind)) => Error::damaged(file, at as u64, kind),
        HeaderFlaw::Newer(found) => Error::NewerFormat {
            file: file.to_path_buf(),
            found,
            supported: format::VERSION,
        },
    }
}
