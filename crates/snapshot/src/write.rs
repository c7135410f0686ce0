//! Writing a snapshot: complete or absent.
//!
//! ```text
//!  1  <pack>.tmp        written, synced          (each pack)
//!  2  <manifest>.tmp    written, synced          names the packs; still withdrawn
//!  3  directory synced                           a pack with its final name never lacks one of the two manifests
//!  4  <pack>.tmp -> <pack>, directory synced
//!  5  <manifest>.tmp -> <manifest>, directory synced
//!  6  <manifest>        published in place, synced
//! ```
//!
//! Crash before 6: the withdrawn manifest, if it is whole, says which packs are nobody's; the next writable open
//! removes them. The byte written in 6 is the moment in which the snapshot begins to exist. Were that the rename, a process that finds a manifest could not know whether
//! its name is durable: the sync of the directory may have failed, and another one proves nothing.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use disk::Dir;

use crate::error::{Error, Result};
use crate::file_name::{self, FileName, PackName};
use crate::format::{self, BLOB_BYTES_MAX, ManifestHeader, NodeChild, PackHeader};
use crate::hash::Hash;
use crate::header::Header;
use crate::leftovers;
use crate::manifest::{Manifest, SectionEntry};
use crate::manifest_file;
use crate::options::Options;
use crate::pack_writer::PackWriter;
use crate::reference::{ENCODING_PLAIN, Reference};
use crate::snapshot_id::SnapshotId;
use crate::source::Source;
use crate::tree_writer::TreeWriter;
use crate::written::{Progress, Written};

/// The callback that hears how far a write is and may stop it.
pub(crate) type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Writes a snapshot under a name that is free. Removes what it made if it fails.
pub(crate) fn write(
    dir: &dyn Dir,
    options: &Options,
    nonce: u64,
    header: &Header,
    sections: &mut [&mut dyn Source],
    on_progress: &mut OnProgress<'_>,
) -> Result<Written> {
    let mut taken = HashSet::new();
    for entry in dir.list()? {
        if let Some(FileName::Pack(name) | FileName::TemporaryPack(name)) =
            FileName::parse(&entry.name)
        {
            taken.insert(name.id);
        }
    }
    let pack_header = PackHeader {
        log_id: header.log_id,
        id: 0,
        tx: header.tx,
        chain: header.chain,
    };
    let mut writer = Writer {
        packs: PackWriter::new(dir, pack_header, options.pack_bytes_max, nonce, taken),
        stored: HashMap::new(),
        progress: Progress::default(),
        blobs_shared: 0,
        on_progress,
    };
    let written = writer
        .write_sections(sections)
        .and_then(|entries| writer.publish(dir, header, entries));
    if written.is_err()
        && let Err(error) = clear_up(dir, SnapshotId(header.tx), writer.packs.names())
    {
        tracing::warn!(tx = header.tx, %error, "files of a failed snapshot stay for now");
    }
    written
}

struct Writer<'a> {
    packs: PackWriter<'a>,
    /// Blobs (not nodes) by content: pack id and offset.
    stored: HashMap<Hash, (u64, u64)>,
    progress: Progress,
    blobs_shared: u64,
    on_progress: &'a mut OnProgress<'a>,
}

impl Writer<'_> {
    fn write_sections(&mut self, sections: &mut [&mut dyn Source]) -> Result<Vec<SectionEntry>> {
        sections
            .iter_mut()
            .enumerate()
            .map(|(index, source)| self.write_section(index, *source))
            .collect()
    }

    fn write_section(&mut self, section: usize, source: &mut dyn Source) -> Result<SectionEntry> {
        let mut tree = TreeWriter::default();
        let mut count = 0;
        let mut last = None;
        while let Some((number, blob)) = source.next().map_err(Error::Source)? {
            if let Some(previous) = last.filter(|previous| *previous >= number) {
                return Err(Error::Unordered {
                    section,
                    previous,
                    number,
                });
            }
            let bytes = blob.len();
            if bytes == 0 || bytes > BLOB_BYTES_MAX {
                return Err(Error::BlobLength {
                    section,
                    number,
                    bytes,
                });
            }
            let reference = self.store_blob(blob)?;
            tree.push(number, &reference, &mut |height, children| {
                store_node(&mut self.packs, height, children)
            })?;
            last = Some(number);
            count += 1;
            self.progress.blobs += 1;
            self.progress.bytes += bytes as u64;
            if (self.on_progress)(self.progress).is_break() {
                return Err(Error::Cancelled);
            }
        }
        let root =
            tree.finish(&mut |height, children| store_node(&mut self.packs, height, children))?;
        Ok(SectionEntry {
            count,
            height: root.map_or(0, |(height, _)| height),
            root: root.map(|(_, reference)| reference),
        })
    }

    fn store_blob(&mut self, blob: &[u8]) -> Result<Reference> {
        let hash = Hash::of(blob);
        let (pack_id, offset) = match self.stored.get(&hash) {
            Some(place) => {
                self.blobs_shared += 1;
                *place
            }
            None => {
                let place = self.packs.append(blob)?;
                self.stored.insert(hash, place);
                place
            }
        };
        Ok(plain_reference(hash, pack_id, offset, blob))
    }

    fn publish(
        &mut self,
        dir: &dyn Dir,
        header: &Header,
        sections: Vec<SectionEntry>,
    ) -> Result<Written> {
        let packs = self.packs.finish()?;
        let manifest = Manifest::new(header.clone(), packs, sections);
        let mut bytes = manifest.encode()?;
        ManifestHeader::withdraw(&mut bytes);
        let temporary = file_name::temporary_manifest(manifest.id());
        let file = dir.create(&temporary)?;
        file.write_all_at(0, &bytes)?;
        file.sync()?;
        dir.sync()?;
        for pack in manifest.packs() {
            dir.rename(&pack.name.temporary(), &pack.name.published())?;
        }
        dir.sync()?;
        let published = file_name::manifest(manifest.id());
        dir.rename(&temporary, &published)?;
        dir.sync()?;
        manifest_file::publish(dir, &published)?;
        Ok(Written {
            file_bytes: manifest.pack_bytes() + bytes.len() as u64,
            manifest,
            already_there: false,
            progress: self.progress,
            blobs_shared: self.blobs_shared,
            // The manifest's, twice, and three of the directory.
            syncs: self.packs.syncs() + 5,
        })
    }
}

/// Nodes are never shared inside a snapshot: a reader may take each for new, and so bound what it reads.
fn store_node(packs: &mut PackWriter<'_>, height: u8, children: &[NodeChild]) -> Result<Reference> {
    let bytes = format::encode_node(height, children);
    let (pack_id, offset) = packs.append(&bytes)?;
    let hash = Hash(format::node_hash(height, children));
    Ok(plain_reference(hash, pack_id, offset, &bytes))
}

fn plain_reference(hash: Hash, pack_id: u64, offset: u64, bytes: &[u8]) -> Reference {
    let length = u32::try_from(bytes.len()).expect("blobs are short");
    Reference {
        hash,
        pack_id,
        offset,
        length,
        stored_length: length,
        crc32c: crc32c::crc32c(bytes),
        encoding: ENCODING_PLAIN,
    }
}

/// Removes what a failed write made, as far as the disk lets it. Whatever stays, the next writable open removes.
fn clear_up(dir: &dyn Dir, id: SnapshotId, packs: &[PackName]) -> Result<()> {
    let published = file_name::manifest(id);
    match manifest_file::withdraw(dir, &published) {
        Err(Error::Io(error)) if error.is_not_found() => {}
        // If it could not be withdrawn, it is there after a crash, and so must its packs be.
        withdrawn => withdrawn?,
    }
    leftovers::remove_packs(dir, packs.iter().copied())?;
    leftovers::remove_if_there(dir, &file_name::temporary_manifest(id))?;
    leftovers::remove_if_there(dir, &published)
}
