//! Writing a snapshot: complete or absent.
//!
//! ```text
//!  1  <pack>.tmp            written with its manifest, synced; still withdrawn
//!  2  <pack>.tmp -> <pack>  directory synced
//!  3  <pack>                published in place, synced
//! ```
//!
//! Crash before 3: a temporary file, or a withdrawn one that no snapshot names; the next writable open
//! removes it. The byte written in 3 is the moment in which the snapshot begins to exist. Were that the rename, a process that finds a snapshot could not know whether
//! its name is durable: the sync of the directory may have failed, and another one proves nothing. Published in 1 it would be there before its name is, with the same doubt.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use disk::Dir;

use crate::error::{Error, Result};
use crate::file_name::{FileName, PackName};
use crate::format::{self, BLOB_BYTES_MAX, NodeChild};
use crate::hash::Hash;
use crate::header::Header;
use crate::leftovers::{self, Withdrawn};
use crate::manifest::{Manifest, PackEntry, SectionEntry};
use crate::manifest_file;
use crate::pack_writer::{self, PackWriter};
use crate::reference::{ENCODING_PLAIN, Reference};
use crate::source::Source;
use crate::tree_writer::TreeWriter;
use crate::written::{Progress, Written};

/// The callback that hears how far a write is and may stop it.
pub(crate) type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Writes a snapshot of a transaction that has none. Removes what it made if it fails.
pub(crate) fn write(
    dir: &dyn Dir,
    nonce: u64,
    header: &Header,
    sections: &mut [&mut dyn Source],
    on_progress: &mut OnProgress<'_>,
    withdrawn: &mut Withdrawn,
) -> Result<Written> {
    let mut taken = HashSet::new();
    for entry in dir.list()? {
        if let Some(FileName::Pack(name) | FileName::TemporaryPack(name)) =
            FileName::parse(&entry.name)
        {
            taken.insert(name.id);
        }
    }
    let name = pack_writer::draw_name(header, nonce, &taken);
    let mut writer = Writer {
        pack: PackWriter::create(dir, name)?,
        stored: HashMap::new(),
        progress: Progress::default(),
        blobs_shared: 0,
        on_progress,
    };
    let written = writer
        .write_sections(sections)
        .and_then(|entries| writer.publish(dir, name, header, entries));
    if written.is_err()
        && let Err(error) = clear_up(dir, name, withdrawn)
    {
        tracing::warn!(tx = header.tx, %error, "the file of a failed snapshot stays for now");
    }
    written
}

struct Writer<'a> {
    pack: PackWriter,
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
                store_node(&mut self.pack, height, children)
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
            tree.finish(&mut |height, children| store_node(&mut self.pack, height, children))?;
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
                let place = self.pack.append(blob)?;
                self.stored.insert(hash, place);
                place
            }
        };
        Ok(plain_reference(hash, pack_id, offset, blob))
    }

    fn publish(
        &mut self,
        dir: &dyn Dir,
        name: PackName,
        header: &Header,
        sections: Vec<SectionEntry>,
    ) -> Result<Written> {
        let body = Manifest::encode_body(header, &[], &sections)?;
        let length = self.pack.blobs_end() + body.len() as u64;
        let manifest = Manifest::new(header.clone(), vec![PackEntry { name, length }], sections);
        self.pack.finish(header, &body)?;
        let published = FileName::Pack(name);
        dir.rename(
            &FileName::TemporaryPack(name).to_string(),
            &published.to_string(),
        )?;
        dir.sync()?;
        manifest_file::publish(dir, published)?;
        Ok(Written {
            file_bytes: length,
            manifest,
            already_there: false,
            progress: self.progress,
            blobs_shared: self.blobs_shared,
            // One of the directory, and one that published it.
            syncs: self.pack.syncs() + 2,
        })
    }
}

/// Nodes are never shared inside a snapshot: a reader may take each for new, and so bound what it reads.
fn store_node(pack: &mut PackWriter, height: u8, children: &[NodeChild]) -> Result<Reference> {
    let bytes = format::encode_node(height, children);
    let (pack_id, offset) = pack.append(&bytes)?;
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
fn clear_up(dir: &dyn Dir, name: PackName, withdrawn: &mut Withdrawn) -> Result<()> {
    match manifest_file::withdraw(dir, FileName::Pack(name)) {
        Err(Error::Io(error)) if error.is_not_found() => {}
        // If it could not be withdrawn, it may be there after a crash, and so must be what it shares with others.
        done => done?,
    }
    leftovers::remove_if_there(dir, FileName::TemporaryPack(name), withdrawn)?;
    leftovers::remove_if_there(dir, FileName::Pack(name), withdrawn)
}
