//! Reading everything back: each byte of the snapshot's own files is verified or must be zero, and so is each blob that it shares with others.

use std::ops::ControlFlow;

use disk::Dir;

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::extents::{Extent, Extents};
use crate::format::BLOB_BYTES_MAX;
use crate::manifest::{Manifest, PackEntry};
use crate::manifest_file::{self, Found};
use crate::outline::Outline;
use crate::pack_reader::{PackReader, PackSet};
use crate::parallel;
use crate::tree::Branch;
use crate::tree_walk;
use crate::write::OnProgress;
use crate::written::Progress;

/// So many pieces are verified on all threads, and then progress is told: a page is a piece, so that is 8 MiB or less.
pub(crate) const PIECES_PER_STEP: usize = 256;

/// Bytes of padding that are looked at in one go.
const PADDING_BYTES_MAX: u64 = 1 << 20;

/// A piece of work: a blob to verify, or padding to find zero. Nodes were verified on the walk.
pub(crate) enum Piece {
    Blob(Extent),
    Padding { pack: usize, at: u64, end: u64 },
}

impl Piece {
    /// How many bytes are read for it.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Piece::Blob(extent) => u64::from(extent.reference.stored_length),
            Piece::Padding { at, end, .. } => end - at,
        }
    }
}

pub(crate) fn read_back(
    dir: &dyn Dir,
    threads: usize,
    manifest: &Manifest,
    may_be_withdrawn: bool,
    on_progress: &mut OnProgress<'_>,
) -> Result<()> {
    let packs = open(dir, manifest, may_be_withdrawn)?;
    let walked = tree_walk::walk(dir, manifest, &packs, &mut || {
        tell(on_progress, Progress::default())
    })?;
    let extents = Extents::of(&packs, &walked)?;
    drop(walked);
    let pieces = pieces(manifest, &packs, &extents);
    check_all(&packs, threads, &pieces, on_progress)
}

/// Reads back what stands in the pack that was written with a snapshot.
pub(crate) fn read_back_own(
    dir: &dyn Dir,
    threads: usize,
    outline: &Outline,
    on_progress: &mut OnProgress<'_>,
) -> Result<()> {
    let manifest = outline.manifest();
    let own = |pack: &PackEntry| manifest.is_own(pack.name);
    let mut packs_own = manifest
        .packs()
        .iter()
        .enumerate()
        .filter(|(_, pack)| own(pack));
    let (Some((index, pack)), None) = (packs_own.next(), packs_own.next()) else {
        // One of version 1.
        return read_back(dir, threads, manifest, false, on_progress);
    };
    let packs = open(dir, manifest, false)?;
    let trees = outline.trees().iter();
    let within: Vec<Branch<'_>> = trees.flat_map(|tree| tree.within(pack.name.id)).collect();
    for node in &within {
        if let Some(expected) = node.encode_node() {
            let pack = &packs.packs[index];
            let reference = node.reference();
            if *pack.stored(reference)? != *expected {
                return Err(pack.damaged(reference.offset, DamageKind::Changed));
            }
            tell(on_progress, Progress::default())?;
        }
    }
    let extents = Extents::within(&packs, index, &within)?;
    let pieces = pieces(manifest, &packs, &extents);
    check_all(&packs, threads, &pieces, on_progress)
}

/// The packs of a snapshot whose manifest on disk is still this one; or, for who may find it withdrawn, was when it was listed: all its bytes stay the same but that one.
fn open(dir: &dyn Dir, manifest: &Manifest, may_be_withdrawn: bool) -> Result<PackSet> {
    let path = manifest.path_in(dir);
    let is_it = match manifest_file::read(dir, manifest.file())? {
        Found::Published(found) => found == *manifest,
        Found::Withdrawn(_) => may_be_withdrawn,
        Found::Blobs => false,
    };
    match is_it {
        true => PackSet::open(dir, manifest, false),
        false => Err(Error::damaged(&path, 0, DamageKind::Changed)),
    }
}

fn tell(on_progress: &mut OnProgress<'_>, progress: Progress) -> Result<()> {
    match on_progress(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}

fn check_all(
    packs: &PackSet,
    threads: usize,
    pieces: &[Piece],
    on_progress: &mut OnProgress<'_>,
) -> Result<()> {
    let mut progress = Progress::default();
    for step in pieces.chunks(PIECES_PER_STEP) {
        parallel::map(threads, step, |piece| check(packs, piece))?;
        for piece in step {
            if let Piece::Blob(extent) = piece {
                progress.blobs += 1;
                progress.bytes += u64::from(extent.reference.length);
            }
        }
        tell(on_progress, progress)?;
    }
    Ok(())
}

pub(crate) fn check(packs: &PackSet, piece: &Piece) -> Result<()> {
    match piece {
        Piece::Blob(extent) => {
            let pack = &packs.packs[extent.pack];
            let content = pack.stored(&extent.reference)?;
            let content = extent.reference.content(content).map(drop);
            content.map_err(|kind| pack.damaged(extent.reference.offset, kind))
        }
        Piece::Padding { pack, at, end } => check_zero(&packs.packs[*pack], *at, *end),
    }
}

/// Cuts all packs in pieces; those of the snapshot itself without a gap. What others have in theirs besides is not looked at.
pub(crate) fn pieces(manifest: &Manifest, packs: &PackSet, extents: &Extents) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut extents = extents.as_slice().iter().peekable();
    for (index, (pack, entry)) in packs.packs.iter().zip(manifest.packs()).enumerate() {
        let is_own = manifest.is_own(entry.name);
        let mut at = pack.header_bytes;
        while let Some(extent) = extents.next_if(|extent| extent.pack == index) {
            if is_own {
                pad(&mut pieces, index, at, extent.reference.offset);
                at = extent.reference.end();
            }
            if !extent.is_node {
                pieces.push(Piece::Blob(*extent));
            }
        }
        if is_own {
            pad(&mut pieces, index, at, pack.blobs_end);
        }
    }
    pieces
}

fn pad(pieces: &mut Vec<Piece>, pack: usize, mut at: u64, until: u64) {
    while at < until {
        let end = until.min(at + PADDING_BYTES_MAX);
        pieces.push(Piece::Padding { pack, at, end });
        at = end;
    }
}

fn check_zero(pack: &PackReader, mut at: u64, end: u64) -> Result<()> {
    let mut buffer = [0; BLOB_BYTES_MAX];
    while at < end {
        let length = usize::try_from(end - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        pack.file.read_exact_at(at, &mut buffer[..length])?;
        if let Some(ahead) = buffer[..length].iter().position(|byte| *byte != 0) {
            return Err(pack.damaged(at + ahead as u64, DamageKind::Padding));
        }
        at += length as u64;
    }
    Ok(())
}
