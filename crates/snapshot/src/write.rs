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
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::{ControlFlow, RangeInclusive};

use disk::Dir;

use crate::changing::Changing;
use crate::compression;
use crate::error::{Error, Result};
use crate::file_name::{FileName, PackName};
use crate::hash::Hash;
use crate::header::Header;
use crate::manifest::{Manifest, PackEntry, SectionEntry};
use crate::manifest_file;
use crate::node_format::{self, ENCODING_LZ4, ENCODING_PLAIN, NodeChild};
use crate::options::Options;
use crate::outline::{Basis, Outline};
use crate::pack_writer::{self, PackWriter};
use crate::reclaim::left_behind;
use crate::reference::Reference;
use crate::replaced::Replaced;
use crate::source::Source;
use crate::tree::Tree;
use crate::tree_update::{Store, TreeUpdate};
use crate::written::{Progress, Written};

/// All numbers.
const ALL: RangeInclusive<u64> = 0..=u64::MAX;

/// The callback that hears how far a write is and may stop it.
pub(crate) type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Writes a snapshot of a transaction that has none. What it shares with is there. Removes what it made if it fails.
pub(crate) fn write(
    dir: &dyn Dir,
    options: &Options,
    header: &Header,
    sections: &mut [&mut dyn Source],
    basis: Basis<'_>,
    on_progress: &mut OnProgress<'_>,
    changing: &mut Changing,
) -> Result<Written> {
    let mut taken = HashSet::new();
    for (file, _) in changing.survey.names(dir)? {
        if let FileName::Pack(name) | FileName::TemporaryPack(name) = file {
            taken.insert(name.id);
        }
    }
    let nonce = match options.nonce {
        Some(nonce) => nonce,
        None => RandomState::new().build_hasher().finish(),
    };
    let name = pack_writer::draw_name(header, nonce, &taken);
    let mut writer = Writer {
        pack: PackWriter::create(dir, name, options.compress)?,
        compress: options.compress,
        has_compressed: false,
        stored: HashMap::new(),
        blobs_stored: 0,
        progress: Progress::default(),
        on_progress,
    };
    let written = writer
        .write_sections(dir, sections, basis.known, basis.share)
        .and_then(|trees| writer.publish(dir, name, header, trees, basis.share));
    changing.survey.changed(FileName::Pack(name));
    if written.is_err()
        && let Err(error) = clear_up(dir, name, changing)
    {
        tracing::warn!(tx = header.tx, %error, "the file of a failed snapshot stays for now");
    }
    written
}

struct Writer<'a> {
    pack: PackWriter,
    compress: bool,
    /// A page was.
    has_compressed: bool,
    /// Blobs (not nodes) by content.
    stored: HashMap<Hash, Reference>,
    blobs_stored: u64,
    progress: Progress,
    on_progress: &'a mut OnProgress<'a>,
}

impl Writer<'_> {
    fn write_sections(
        &mut self,
        dir: &dyn Dir,
        sections: &mut [&mut dyn Source],
        known: Option<&Outline>,
        base: Option<&Outline>,
    ) -> Result<Vec<Tree>> {
        let path_of = |pack| {
            let manifest = known.map(Outline::manifest);
            let name = manifest.and_then(|manifest| manifest.pack_name(pack));
            let name = name.map_or_else(String::new, |name| FileName::Pack(name).to_string());
            dir.path().join(name)
        };
        let mut trees = Vec::with_capacity(sections.len());
        let changed = changed(sections, known);
        let left = base.map_or_else(Vec::new, |base| left(base, known, &changed));
        for (section, (source, changed)) in sections.iter_mut().zip(changed).enumerate() {
            let known = known.and_then(|known| known.tree(section));
            let update = TreeUpdate {
                section,
                source: *source,
                changed,
                path_of: &path_of,
                left: &left,
                store: self,
            };
            let planned = update.run(known, base.and_then(|base| base.tree(section)))?;
            trees.push(planned.store(self)?);
        }
        Ok(trees)
    }

    fn publish(
        &mut self,
        dir: &dyn Dir,
        name: PackName,
        header: &Header,
        trees: Vec<Tree>,
        base: Option<&Outline>,
    ) -> Result<Written> {
        let sections: Vec<SectionEntry> = trees.iter().map(Tree::entry).collect();
        let count: u64 = sections.iter().map(|section| section.count).sum();
        let used: HashSet<u64> = trees
            .iter()
            .flat_map(Tree::uses)
            .map(|(id, _)| id)
            .collect();
        let of_base = base.into_iter().flat_map(|base| base.manifest().packs());
        let shared = of_base.filter(|pack| used.contains(&pack.name.id));
        let mut packs: Vec<PackEntry> = shared.copied().collect();
        let body = Manifest::encode_body(header, &packs, &sections)?;
        let length = self.pack.blobs_end() + body.len() as u64;
        packs.insert(0, PackEntry { name, length });
        let manifest = Manifest::new(header.clone(), packs, sections);
        self.pack.finish(header, self.has_compressed, &body)?;
        let published = FileName::Pack(name);
        dir.rename(
            &FileName::TemporaryPack(name).to_string(),
            &published.to_string(),
        )?;
        dir.sync()?;
        manifest_file::publish(dir, published)?;
        Ok(Written {
            file_bytes: length,
            outline: Some(Outline::new(manifest.clone(), trees)),
            manifest,
            already_there: false,
            progress: self.progress,
            blobs_shared: count - self.blobs_stored,
            // One of the directory, and one that published it.
            syncs: self.pack.syncs() + 2,
        })
    }
}

/// By section, what may have changed.
fn changed(
    sections: &mut [&mut dyn Source],
    known: Option<&Outline>,
) -> Vec<Vec<RangeInclusive<u64>>> {
    let mut changed = Vec::with_capacity(sections.len());
    for (section, source) in sections.iter_mut().enumerate() {
        changed.push(match known.and_then(|known| known.tree(section)) {
            Some(_) => source.changed(),
            None => vec![ALL],
        });
    }
    changed
}

/// Which packs of the base are left behind, as they will be used then.
fn left(base: &Outline, known: Option<&Outline>, changed: &[Vec<RangeInclusive<u64>>]) -> Vec<u64> {
    let mut replaced = Replaced::default();
    for (section, changed) in changed.iter().enumerate() {
        let trees = base
            .tree(section)
            .zip(known.and_then(|known| known.tree(section)));
        // Where anything may have changed most has not.
        if let Some((base, known)) = trees.filter(|_| *changed != [ALL]) {
            replaced.add(base, known, changed);
        }
    }
    left_behind(&base.uses(), &replaced)
}

impl Store for Writer<'_> {
    fn blob(&mut self, blob: &[u8], place: Option<&Reference>) -> Result<Reference> {
        self.progress.blobs += 1;
        self.progress.bytes += blob.len() as u64;
        if (self.on_progress)(self.progress).is_break() {
            return Err(Error::Cancelled);
        }
        let hash = Hash::of(blob);
        if let Some(place) = place.filter(|place| place.hash == hash) {
            return Ok(*place);
        }
        if let Some(stored) = self.stored.get(&hash) {
            return Ok(*stored);
        }
        // What does not shrink stays as it is, to be mapped.
        let packed = match self.compress && compression::is_page(blob.len()) {
            true => compression::pack(blob),
            false => None,
        };
        let (bytes, encoding) = match &packed {
            Some(packed) => (packed.as_slice(), ENCODING_LZ4),
            None => (blob, ENCODING_PLAIN),
        };
        let (pack_id, offset) = self.pack.append(bytes)?;
        let reference = Reference {
            length: length_of(blob),
            encoding,
            ..plain_reference(hash, pack_id, offset, bytes)
        };
        self.stored.insert(hash, reference);
        self.blobs_stored += 1;
        self.has_compressed |= packed.is_some();
        Ok(reference)
    }

    /// Nodes are never shared inside a snapshot: a reader may take each for new, and so bound what it reads.
    fn node(&mut self, height: u8, children: &[NodeChild]) -> Result<Reference> {
        let bytes = node_format::encode_node(height, children);
        let (pack_id, offset) = self.pack.append(&bytes)?;
        let hash = Hash(node_format::node_hash(height, children));
        Ok(plain_reference(hash, pack_id, offset, &bytes))
    }
}

fn length_of(blob: &[u8]) -> u32 {
    u32::try_from(blob.len()).expect("blobs are short")
}

fn plain_reference(hash: Hash, pack_id: u64, offset: u64, bytes: &[u8]) -> Reference {
    let length = length_of(bytes);
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
fn clear_up(dir: &dyn Dir, name: PackName, changing: &mut Changing) -> Result<()> {
    match manifest_file::withdraw(dir, FileName::Pack(name)) {
        Err(Error::Io(error)) if error.is_not_found() => {}
        // If it could not be withdrawn, it may be there after a crash, and so must be what it shares with others.
        done => done?,
    }
    changing.remove(dir, FileName::TemporaryPack(name))?;
    changing.remove(dir, FileName::Pack(name))
}
