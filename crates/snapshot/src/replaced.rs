//! What the next snapshot will not use any more of what its base stores: known before anything of it is written.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::node_format::FAN_OUT_BITS;
use crate::tree::{Branch, Tree, numbers_below};
use crate::tree_update::meets;

/// Counts by pack, over several sections.
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    /// By pack id: bytes of blobs and nodes.
    bytes: HashMap<u64, u64>,
}

impl Replaced {
    /// How many bytes in a pack.
    pub(crate) fn in_pack(&self, id: u64) -> u64 {
        self.bytes.get(&id).copied().unwrap_or(0)
    }

    /// Adds a section. Numbers that may have changed since `known` count as changed; costs what they and the differences between the two trees are.
    pub(crate) fn add(&mut self, base: &Tree, known: &Tree, changed: &[RangeInclusive<u64>]) {
        let Some(base) = base.branch() else {
            return;
        };
        let known = known.branch();
        let height = known.map_or(0, Branch::height).max(base.height());
        self.walk(height, 0, base, known, changed);
    }

    fn walk(
        &mut self,
        height: u8,
        first: u64,
        base: Branch<'_>,
        known: Option<Branch<'_>>,
        changed: &[RangeInclusive<u64>],
    ) {
        let numbers = numbers_below(first, height);
        let there = base.at(height);
        if let (Some(there), Some(known)) = (there, known.and_then(|known| known.at(height)))
            && there.reference().hash == known.reference().hash
            && !meets(changed, &numbers)
        {
            return;
        }
        if let Some(there) = there {
            let reference = there.reference();
            let bytes = self.bytes.entry(reference.pack_id).or_default();
            *bytes += u64::from(reference.stored_length);
        }
        let Some(height_below) = height.checked_sub(1) else {
            return;
        };
        for digit in 0..1 << FAN_OUT_BITS {
            if let Some(below) = base.below(digit, height) {
                let bits = u32::from(height_below) * FAN_OUT_BITS;
                let first = first | u64::from(digit) << bits;
                let known = known.and_then(|known| known.below(digit, height));
                self.walk(height_below, first, below, known, changed);
            }
        }
    }
}
