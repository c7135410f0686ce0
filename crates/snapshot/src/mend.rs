//! What is not whole is looked at again, named, and rewritten from a sound copy where there is one.
//!
//! ```text
//!  inventory ── pack by pack: header, manifest, nodes, blobs, padding ── findings ── patches ── the pack written anew ── read back, whole
//!                                                                           │
//!                    a blob: any other place of its hash, or the live state ┘   a node or a manifest: if this process remembers it
//! ```
//!
//! Names are hashes, so a copy is either right or none; nothing here can make up content.

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use disk::Dir;

use crate::changing::Changing;
use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::format::{BLOB_BYTES_MAX, HEADER_BYTES};
use crate::inventory::{Held, Inventory, PlaceKind};
use crate::leftovers;
use crate::manifest::Manifest;
use crate::outline::Outline;
use crate::pack_copy::{self, Failure};
use crate::patch::{Patch, Supply, find_copy};
use crate::read_back;
use crate::reference::Reference;
use crate::scrub::{Found, Scrub};
use crate::scrub_report::{Finding, Mending, ScrubProgress, ScrubReport, SoundCopy};
use crate::spare::Spare;

/// Hears how far a scrub has come, and may end it.
pub(crate) type OnScrub<'a> = dyn FnMut(ScrubProgress) -> ControlFlow<()> + 'a;

/// Ends a scrub. Without `repair` nothing is written.
pub(crate) fn mend(
    dir: &dyn Dir,
    threads: usize,
    scrub: Scrub,
    spare: Spare<'_, '_>,
    repair: Option<&mut Changing>,
    on_progress: &mut OnScrub<'_>,
) -> Result<ScrubReport> {
    let Scrub {
        progress, found, ..
    } = scrub;
    let mut mender = Mender {
        dir,
        spare,
        found,
        progress,
        on_progress,
        findings: Vec::new(),
        patches: Vec::new(),
        cut: None,
    };
    if mender.found.is_suspicious || mender.misses_a_file()? {
        mender.run(threads, repair)?;
    }
    Ok(ScrubReport {
        packs: mender.found.packs.len() as u64,
        blobs: mender.progress.blobs,
        bytes: mender.progress.bytes,
        sound: mender.found.sound,
        findings: mender.findings,
        is_state_affected: false,
        set_aside: Vec::new(),
    })
}

struct Mender<'a, 'b, 'c> {
    dir: &'a dyn Dir,
    spare: Spare<'b, 'c>,
    found: Found,
    progress: ScrubProgress,
    on_progress: &'a mut OnScrub<'a>,
    findings: Vec<Finding>,
    /// Of the pack that is looked at.
    patches: Vec<Patch>,
    /// The finding that the file of that pack has another length, if so: all that stood behind its end belongs to that one.
    cut: Option<usize>,
}

impl Mender<'_, '_, '_> {
    /// Whether a snapshot that is remembered is in no file any more.
    fn misses_a_file(&self) -> Result<bool> {
        let there = self.dir.list()?;
        let is_there = |outline: &Outline| {
            let name = outline.manifest().file().to_string();
            there.iter().any(|entry| entry.name == name)
        };
        Ok(!self.spare.outlines.iter().all(is_there))
    }

    fn run(&mut self, threads: usize, repair: Option<&mut Changing>) -> Result<()> {
        let does_repair = repair.is_some();
        if let Some(changing) = repair {
            leftovers::sweep(self.dir, changing)?;
        }
        let outlines = self.spare.outlines;
        let inventory = Inventory::take(self.dir, outlines, &mut || self.tell(0))?;
        for (file, error) in &inventory.unread {
            self.findings.push(Finding {
                file: self.dir.path().join(file.to_string()),
                byte_offset: byte_offset(error),
                reason: Arc::clone(error),
                snapshots: vec![file.id()],
                mending: Mending::Impossible,
            });
        }
        for pack in 0..inventory.packs.len() {
            self.patches.clear();
            let before = self.findings.len();
            self.look_at(&inventory, pack)?;
            if does_repair && !self.patches.is_empty() {
                self.rewrite(&inventory, pack, before)?;
            }
        }
        self.judge(threads, &inventory.manifests)
    }

    /// Finds what is wrong with a pack, and what could stand in for it.
    fn look_at(&mut self, inventory: &Inventory, pack: usize) -> Result<()> {
        let held = &inventory.packs[pack];
        self.found.packs.insert(held.name);
        let before = self.findings.len();
        self.look_at_length(held);
        self.look_at_ends(inventory, pack)?;
        for bad in inventory.bad_nodes.iter().filter(|bad| bad.pack == pack) {
            let supply = bad.remembered.clone();
            let supply = supply.map(|bytes| (Supply::Given(bytes), SoundCopy::Memory));
            self.find_at(held, &bad.reference, Arc::clone(&bad.reason), supply);
        }
        for place in inventory.in_pack(pack) {
            let reference = &place.reference;
            if matches!(place.kind, PlaceKind::Node { .. }) || self.found.is_sound(reference) {
                continue;
            }
            self.tell(u64::from(reference.stored_length))?;
            let read = held.stored(reference).and_then(|stored| {
                let content = reference.content(stored).map(drop);
                content.map_err(|kind| Error::damaged(&held.path, reference.offset, kind))
            });
            if let Err(reason) = read {
                let here = (pack, reference.offset);
                let copy = find_copy(inventory, &mut self.spare, here, reference, place.kind);
                self.find_at(held, reference, Arc::new(reason), copy);
            }
        }
        let is_sound = |own: &Manifest| self.found.sound.contains(own);
        if let Some(own) = &held.own
            && !held.has_unknown
            && !is_sound(own)
        {
            self.look_between(inventory, pack)?;
        }
        let findings = &mut self.findings[before..];
        let is_impossible = |finding: &Finding| matches!(finding.mending, Mending::Impossible);
        if held.found < held.length
            && (held.own.is_none() || held.has_unknown || findings.iter().any(is_impossible))
        {
            // A file that is too short is made whole only if everything that was in it is known.
            self.patches.clear();
            for finding in findings {
                finding.mending = Mending::Impossible;
            }
        }
        self.patches.sort_by_key(|patch| patch.at);
        Ok(())
    }

    /// A file that is too long is cut; one that is too short gets back what is known of it.
    fn look_at_length(&mut self, held: &Held) {
        self.cut = None;
        let (expected, found) = (held.length, held.found);
        if found == expected {
            return;
        }
        let kind = DamageKind::Length { expected, found };
        let at = found.min(expected);
        let reason = match &held.flaw {
            Some(flaw) if held.file.is_none() => Arc::clone(flaw),
            _ => Arc::new(Error::damaged(&held.path, at, kind)),
        };
        let supply = Some((Supply::Given(Vec::new()), SoundCopy::Known));
        self.find(held, at, reason, expected..expected, supply);
        self.cut = Some(self.findings.len() - 1);
    }

    /// The header and the manifest: they are known if the snapshot is remembered.
    fn look_at_ends(&mut self, inventory: &Inventory, pack: usize) -> Result<()> {
        let held = &inventory.packs[pack];
        let mut places = inventory.in_pack(pack);
        let is_compressed = places.any(|place| place.reference.is_compressed());
        let Some(flaw) = &held.flaw else {
            return Ok(());
        };
        let remembered = held.body().and_then(|(at, body)| {
            let front = held.front(at, &body, is_compressed)?;
            Some((front, at, body))
        });
        let Some((front, at, body)) = remembered else {
            match self.cut {
                Some(cut) => self.findings[cut].mending = Mending::Impossible,
                None => self.find(held, byte_offset(flaw), Arc::clone(flaw), 0..0, None),
            }
            return Ok(());
        };
        let mut reason = Some(Arc::clone(flaw));
        for (at, bytes) in [(0, front.to_vec()), (at, body)] {
            let end = at + bytes.len() as u64;
            self.tell(end - at)?;
            let mut there = vec![0; bytes.len()];
            let file = held.file.as_ref();
            let read = file.map(|file| file.read_exact_at(at, &mut there));
            if matches!(read, Some(Ok(()))) && there == bytes {
                continue;
            }
            let changed = || Arc::new(Error::damaged(&held.path, at, DamageKind::Changed));
            let reason = reason.take().unwrap_or_else(changed);
            let supply = Some((Supply::Given(bytes), SoundCopy::Memory));
            self.find(held, at, reason, at..end, supply);
        }
        Ok(())
    }

    /// What stands between nodes and blobs is zero.
    fn look_between(&mut self, inventory: &Inventory, pack: usize) -> Result<()> {
        let held = &inventory.packs[pack];
        let Some((body_at, _)) = held.body() else {
            return Ok(());
        };
        let mut at = HEADER_BYTES as u64;
        let places = inventory.in_pack(pack).map(|place| &place.reference);
        let gaps = places.map(|reference| (reference.offset, reference.end()));
        for (end, next) in gaps.chain([(body_at, body_at)]) {
            while at < end.min(held.found) {
                let left = end.min(held.found) - at;
                let length = left.min(BLOB_BYTES_MAX as u64);
                self.look_at_gap(held, at..at + length)?;
                at += length;
            }
            at = at.max(next);
        }
        Ok(())
    }

    fn look_at_gap(&mut self, held: &Held, gap: Range<u64>) -> Result<()> {
        let (at, length) = (gap.start, gap.end - gap.start);
        self.tell(length)?;
        let Some(file) = &held.file else {
            return Ok(());
        };
        let mut there = vec![0; usize::try_from(length).expect("a page at most")];
        let (place, reason) = match file.read_exact_at(at, &mut there) {
            Ok(()) => match there.iter().position(|byte| *byte != 0) {
                None => return Ok(()),
                Some(ahead) => {
                    let place = at + ahead as u64;
                    (
                        place,
                        Error::damaged(&held.path, place, DamageKind::Padding),
                    )
                }
            },
            Err(error) => (at, error.into()),
        };
        let supply = Some((Supply::Zeros, SoundCopy::Known));
        self.find(held, place, Arc::new(reason), gap, supply);
        Ok(())
    }

    /// Takes down that a node or blob is not whole, and what there is instead.
    fn find_at(
        &mut self,
        held: &Held,
        reference: &Reference,
        reason: Arc<Error>,
        supply: Option<(Supply, SoundCopy)>,
    ) {
        let at = reference.offset;
        self.find(held, at, reason, at..reference.end(), supply);
    }

    /// Takes down that something is wrong at `byte_offset`, and what could be written to `range`.
    fn find(
        &mut self,
        held: &Held,
        byte_offset: u64,
        reason: Arc<Error>,
        range: Range<u64>,
        supply: Option<(Supply, SoundCopy)>,
    ) {
        let from = supply.as_ref().map(|(_, from)| from.clone());
        let mending = from.map_or(Mending::Impossible, |from| Mending::Possible { from });
        let finding = match self.cut.filter(|_| range.end > held.found) {
            Some(cut) => {
                if matches!(mending, Mending::Impossible) {
                    self.findings[cut].mending = mending;
                }
                cut
            }
            None => {
                self.findings.push(Finding {
                    file: held.path.clone(),
                    byte_offset,
                    reason,
                    snapshots: held.snapshots.iter().copied().collect(),
                    mending,
                });
                self.findings.len() - 1
            }
        };
        self.patches.extend(supply.map(|(supply, _)| Patch {
            at: range.start,
            length: range.end - range.start,
            supply,
            finding,
        }));
    }

    fn rewrite(&mut self, inventory: &Inventory, pack: usize, before: usize) -> Result<()> {
        let patches = std::mem::take(&mut self.patches);
        let mended: HashSet<usize> = patches.iter().map(|patch| patch.finding).collect();
        let is_lost = |(index, finding): (usize, &Finding)| {
            (!mended.contains(&(index + before))).then_some(finding.byte_offset)
        };
        let findings = self.findings[before..].iter().enumerate();
        let lost: Vec<u64> = findings.filter_map(is_lost).collect();
        let (progress, on_progress) = (&mut self.progress, &mut self.on_progress);
        let tell = &mut |bytes| tell(progress, &mut **on_progress, bytes);
        let spare = &mut self.spare;
        let patches: Vec<&Patch> = patches.iter().collect();
        let done = pack_copy::rewrite(self.dir, inventory, pack, &patches, &lost, spare, tell);
        if let Err(Failure::Before(Error::Cancelled)) = done {
            return Err(Error::Cancelled);
        }
        let after = match done {
            Ok(()) => None,
            Err(Failure::Before(error)) => Some((Arc::new(error), false)),
            Err(Failure::After(error)) => Some((Arc::new(error), true)),
        };
        for index in mended {
            let mending = &mut self.findings[index].mending;
            let Mending::Possible { from } = &*mending else {
                continue;
            };
            *mending = match &after {
                None => Mending::Done { from: from.clone() },
                Some((error, is_renamed)) => {
                    let error = Arc::clone(error);
                    match is_renamed {
                        true => Mending::Unsure { error },
                        false => Mending::Failed { error },
                    }
                }
            };
        }
        Ok(())
    }

    /// The verdict about each snapshot that was not found whole before: it is now, or what is wrong is named.
    fn judge(&mut self, threads: usize, manifests: &[Manifest]) -> Result<()> {
        for manifest in manifests {
            let id = manifest.id();
            let mut concerning = self.findings.iter().filter(|it| it.snapshots.contains(&id));
            let is_named = concerning.any(|finding| !finding.is_mended());
            if is_named || self.found.sound.contains(manifest) {
                continue;
            }
            let (on_progress, progress) = (&mut *self.on_progress, self.progress);
            let tell = &mut |_| on_progress(progress);
            match read_back::read_back(self.dir, threads, manifest, false, tell) {
                Ok(()) => self.found.sound.push(manifest.clone()),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(reason) => self.findings.push(Finding {
                    file: match reason.file() {
                        Some(file) => file.to_path_buf(),
                        None => manifest.path_in(self.dir),
                    },
                    byte_offset: byte_offset(&reason),
                    reason: Arc::new(reason),
                    snapshots: vec![id],
                    mending: Mending::Impossible,
                }),
            }
        }
        Ok(())
    }

    fn tell(&mut self, bytes: u64) -> Result<()> {
        tell(&mut self.progress, self.on_progress, bytes)
    }
}

fn tell(progress: &mut ScrubProgress, on_progress: &mut OnScrub<'_>, bytes: u64) -> Result<()> {
    progress.bytes += bytes;
    match on_progress(*progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}

fn byte_offset(error: &Error) -> u64 {
    match error {
        Error::Damaged { byte_offset, .. } => *byte_offset,
        _ => 0,
    }
}
