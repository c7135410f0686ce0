//! A stretch of a pack that is to be written anew, and where its bytes come from.

use std::path::Path;

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::inventory::{Held, Inventory, PlaceKind};
use crate::reference::Reference;
use crate::scrub_report::SoundCopy;
use crate::spare::Spare;

/// A stretch of a pack. Invariant: those of a pack do not overlap.
#[derive(Debug)]
pub(crate) struct Patch {
    pub(crate) at: u64,
    pub(crate) length: u64,
    pub(crate) supply: Supply,
    /// Which finding it is for.
    pub(crate) finding: usize,
}

/// Where the bytes of a patch come from. They are fetched when they are written, since all of them may be as many as the pack has.
#[derive(Debug)]
pub(crate) enum Supply {
    Given(Vec<u8>),
    Zeros,
    /// The same blob in another place.
    Copy {
        target: Reference,
        pack: usize,
        from: Reference,
    },
    /// The live state.
    Memory {
        target: Reference,
        section: usize,
        number: u64,
    },
}

impl Patch {
    /// The bytes, checked. They are for a place in `file`.
    pub(crate) fn fetch(
        &self,
        file: &Path,
        inventory: &Inventory,
        spare: &mut Spare<'_, '_>,
    ) -> Result<Vec<u8>> {
        let bytes = match &self.supply {
            Supply::Given(bytes) => Some(bytes.clone()),
            Supply::Zeros => usize::try_from(self.length)
                .ok()
                .map(|length| vec![0; length]),
            Supply::Copy { target, pack, from } => copy(&inventory.packs[*pack], from, target),
            Supply::Memory {
                target,
                section,
                number,
            } => spare
                .blob(*section, *number)
                .and_then(|blob| target.stored_form(blob)),
        };
        // What was there a moment ago is not: what it lies in has gone bad since.
        let (file, at) = match &self.supply {
            Supply::Copy { pack, from, .. } => (inventory.packs[*pack].path.as_path(), from.offset),
            _ => (file, self.at),
        };
        let gone = || Error::damaged(file, at, DamageKind::Changed);
        bytes.ok_or_else(gone)
    }
}

/// A sound copy of a blob, in any other place or in memory.
pub(crate) fn find_copy(
    inventory: &Inventory,
    spare: &mut Spare<'_, '_>,
    place: (usize, u64),
    target: &Reference,
    kind: PlaceKind,
) -> Option<(Supply, SoundCopy)> {
    let PlaceKind::Blob { section, number } = kind else {
        return None;
    };
    let target = *target;
    for other in inventory.copies(&target.hash) {
        let from = inventory.places.get(other).map(|place| place.reference)?;
        let held = &inventory.packs[other.0];
        if *other != place && copy(held, &from, &target).is_some() {
            let pack = other.0;
            let supply = Supply::Copy { target, pack, from };
            return Some((supply, SoundCopy::File(held.path.clone())));
        }
    }
    let supply = Supply::Memory {
        target,
        section,
        number,
    };
    let blob = spare.blob(section, number)?;
    target.stored_form(blob)?;
    Some((supply, SoundCopy::Memory))
}

fn copy(held: &Held, from: &Reference, target: &Reference) -> Option<Vec<u8>> {
    let stored = held.stored(from).ok()?;
    let content = from.content(stored.as_slice()).ok()?;
    let is_same = (from.encoding, from.stored_length, from.crc32c)
        == (target.encoding, target.stored_length, target.crc32c);
    if is_same {
        return Some(stored);
    }
    target.stored_form(&content)
}
