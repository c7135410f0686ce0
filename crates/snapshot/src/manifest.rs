//! The manifest: what makes a pack a snapshot.
//!
//! ```text
//!  manifest --> section roots --> nodes --> ... --> blobs      (by hash and location)
//!           \-> packs (name, length): the one that it stands in, and those that it shares blobs with
//! ```

use std::path::{Path, PathBuf};

use disk::Dir;

use serde::{Deserialize, Serialize};

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::file_name::{FileName, PackName};
use crate::format::{self, HeaderFlaw};
use crate::hash::Hash;
use crate::header::Header;
use crate::node_format;
use crate::reference::Reference;
use crate::snapshot_id::SnapshotId;

/// A manifest whose checksums are right and which does not contradict itself. It proves nothing about the packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    header: Header,
    /// Where it stands.
    file: FileName,
    /// Invariant: ids differ, lengths sum up within u64. The first is the one that the manifest stands in, if it has no file of its own; the others were then
    /// written for earlier snapshots.
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
    /// The manifest at the end of the first of these packs.
    pub(crate) fn new(header: Header, packs: Vec<PackEntry>, sections: Vec<SectionEntry>) -> Self {
        let manifest = Manifest {
            header,
            file: FileName::Pack(packs[0].name),
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

    /// The length of what was written with it: of its own packs, and not of those of other snapshots that it shares.
    pub fn own_bytes(&self) -> u64 {
        let own = self.packs.iter().filter(|pack| self.is_own(pack.name));
        own.map(|pack| pack.length).sum()
    }

    /// The file names of the packs.
    pub fn pack_names(&self) -> impl Iterator<Item = String> + '_ {
        self.packs
            .iter()
            .map(|pack| FileName::Pack(pack.name).to_string())
    }

    /// Whether the two snapshots lie in the same pack somewhere, so that one flipped bit could harm both.
    pub fn shares_bytes_with(&self, other: &Manifest) -> bool {
        self.packs
            .iter()
            .any(|pack| other.packs.iter().any(|entry| entry.name == pack.name))
    }

    /// The file that it stands in, whose state says whether there is a snapshot.
    pub(crate) fn file(&self) -> FileName {
        self.file
    }

    /// The path of that file, for messages.
    pub(crate) fn path_in(&self, dir: &dyn Dir) -> PathBuf {
        dir.path().join(self.file.to_string())
    }

    /// The name of the pack of this id, if it is one of its packs.
    pub(crate) fn pack_name(&self, id: u64) -> Option<PackName> {
        let mut names = self.packs.iter().map(|pack| pack.name);
        names.find(|name| name.id == id)
    }

    /// Whether a pack was written with this snapshot, so that every byte of it is this snapshot's.
    pub(crate) fn is_own(&self, pack: PackName) -> bool {
        match self.file {
            FileName::Pack(own) => pack == own,
            _ => pack.written_for == self.id(),
        }
    }

    pub(crate) fn pack_list(&self) -> Vec<PackName> {
        self.packs.iter().map(|pack| pack.name).collect()
    }

    pub(crate) fn packs(&self) -> &[PackEntry] {
        &self.packs
    }

    pub(crate) fn sections(&self) -> &[SectionEntry] {
        &self.sections
    }

    /// The body that stands in the first of `packs`, which it does not name.
    pub(crate) fn encode_body(
        header: &Header,
        others: &[PackEntry],
        sections: &[SectionEntry],
    ) -> Result<Vec<u8>> {
        let body = postcard::to_stdvec(&Body {
            log_id: header.log_id,
            tx: header.tx,
            chain: header.chain,
            minimum_reader: header.minimum_reader,
            metadata: header.metadata.clone(),
            packs: others
                .iter()
                .map(|pack| (pack.name.written_for.0, pack.name.id, pack.length))
                .collect(),
            sections: sections.to_vec(),
        })
        .expect("plain data always encodes");
        if body.len() > format::MANIFEST_BYTES_MAX {
            return Err(Error::ManifestTooLarge { bytes: body.len() });
        }
        Ok(body)
    }

    /// Reads a body. `own` is the pack that it stands in, if it has no file of its own.
    pub(crate) fn decode_body(
        body: &[u8],
        file: FileName,
        own: Option<PackEntry>,
    ) -> std::result::Result<Self, DamageKind> {
        let body: Body = match postcard::take_from_bytes(body) {
            Ok((body, [])) => body,
            _ => return Err(DamageKind::BodyEncoding),
        };
        let others = body.packs.into_iter().map(|(tx, id, length)| PackEntry {
            name: PackName {
                written_for: SnapshotId(tx),
                id,
            },
            length,
        });
        let manifest = Manifest {
            header: Header {
                log_id: body.log_id,
                tx: body.tx,
                chain: body.chain,
                minimum_reader: body.minimum_reader,
                metadata: body.metadata,
            },
            file,
            packs: own.into_iter().chain(others).collect(),
            sections: body.sections,
        };
        if manifest.id() != file.id() {
            return Err(DamageKind::BodyContent);
        }
        manifest.check()?;
        Ok(manifest)
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
        // So that a snapshot that can not be read leaves no doubt about the packs of later ones.
        let is_earlier = |pack: &PackEntry| pack.name.written_for < self.id();
        if matches!(self.file, FileName::Pack(_)) && !self.packs[1..].iter().all(is_earlier) {
            return Err(DamageKind::BodyContent);
        }
        for section in &self.sections {
            let empty = section.count == 0;
            if empty != section.root.is_none() || empty != (section.height == 0) {
                return Err(DamageKind::BodyContent);
            }
            if section.height > node_format::HEIGHT_MAX {
                return Err(DamageKind::BodyContent);
            }
            if let Some(root) = &section.root {
                let pack = self.packs.iter().find(|pack| pack.name.id == root.pack_id);
                let pack = pack.ok_or(DamageKind::ReferenceBounds)?;
                root.check_shape(pack.length, false)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn header_error(flaw: HeaderFlaw, file: &Path) -> Error {
    match flaw {
        HeaderFlaw::Damaged((at, kind)) => Error::damaged(file, at as u64, kind),
        HeaderFlaw::Newer { found, supported } => Error::NewerFormat {
            file: file.to_path_buf(),
            found,
            supported,
        },
    }
}
