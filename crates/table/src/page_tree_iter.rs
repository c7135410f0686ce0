//! Walks over a [`PageTree`]: its pages, and the numbers below what was born after some version.

#![expect(
    unsafe_code,
    reason = "a walk follows plain pointers, as page_tree explains"
)]

use std::marker::PhantomData;
use std::ops::RangeInclusive;

use crate::page_node::{Bits, DIGIT_BITS, FAN_OUT, Node, Slot, Stored};
use crate::page_tree::{PageTree, digit, holds};

impl PageTree {
    /// All pages from a number on, ascending.
    ///
    /// # Safety
    /// The tree belongs to a living version for as long as `'a`.
    pub(crate) unsafe fn iter_from<'a>(&self, first: u32) -> PageTreeIter<'a> {
        let mut iter = PageTreeIter { stack: Vec::new() };
        if !holds(self.height, first) {
            return iter;
        }
        let mut slot = self.root;
        let mut start = 0;
        for height in (1..=self.height).rev() {
            if slot.is_vacant() {
                break;
            }
            // SAFETY: a node stands in a slot above height 0, and the tree lives for `'a`.
            let node = unsafe { &*slot.node() };
            let index = digit(first, height);
            // What is on the way down is walked by the next place, or is the first page.
            let below = usize::from(height > 1);
            iter.stack.push(Place {
                node,
                first: start,
                height,
                pending: node.present.from(index + below),
            });
            start = number_below(start, index, height - 1);
            slot = node.slots[index];
        }
        iter
    }

    /// The numbers below everything that was born after a version, and those where nothing stands beside it, ascending; and all that are too
    /// high for this tree. What was born before is skipped without a look.
    ///
    /// # Safety
    /// The tree belongs to a living version for as long as `'a`.
    pub(crate) unsafe fn born_after<'a>(&self, version: u64) -> BornAfter<'a> {
        let mut born = BornAfter {
            stack: Vec::new(),
            version,
            too_high: Some(0..=u32::MAX),
            life: PhantomData,
            #[cfg(test)]
            entered_count: 0,
        };
        if !self.root.is_vacant() {
            let last = last_below(0, self.height);
            born.too_high = last.checked_add(1).map(|first| first..=u32::MAX);
            born.enter(self.root, 0, self.height);
        }
        born
    }
}

/// The last number under a slot of the height `height` whose first number is `first`.
fn last_below(first: u32, height: u32) -> u32 {
    let span = 1_u64 << (DIGIT_BITS * height);
    first | u32::try_from(span - 1).expect("no tree is higher than its numbers ask")
}

/// The first number under a slot of a node whose first number is `first`; the slot has the height `height`.
fn number_below(first: u32, index: usize, height: u32) -> u32 {
    let digit = u32::try_from(index).expect("a node has 256 slots");
    first | digit << (DIGIT_BITS * height)
}

/// The pages of a tree by number, ascending.
#[derive(Debug)]
pub(crate) struct PageTreeIter<'a> {
    stack: Vec<Place<'a>>,
}

/// A node that is being walked.
#[derive(Debug)]
struct Place<'a> {
    node: &'a Node,
    /// The number of the node's first slot.
    first: u32,
    height: u32,
    /// The slots not walked yet.
    pending: Bits,
}

impl<'a> PageTreeIter<'a> {
    fn enter(&mut self, node: &'a Node, first: u32, height: u32) {
        self.stack.push(Place {
            node,
            first,
            height,
            pending: node.present,
        });
    }
}

impl<'a> Iterator for PageTreeIter<'a> {
    type Item = (u32, Stored<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let place = self.stack.last_mut()?;
            let Some(index) = place.pending.first() else {
                self.stack.pop();
                continue;
            };
            place.pending.set(index, false);
            let slot = place.node.slots[index];
            let height = place.height - 1;
            let number = number_below(place.first, index, height);
            // SAFETY: the slot is present, and the tree lives for `'a`.
            unsafe {
                if height == 0 {
                    return Some((number, slot.stored()));
                }
                self.enter(&*slot.node(), number, height);
            }
        }
    }
}

/// The numbers below what was born after a version, as ranges that rise and do not touch what lies between.
#[derive(Debug)]
pub(crate) struct BornAfter<'a> {
    stack: Vec<Young<'a>>,
    version: u64,
    /// The numbers that the tree does not reach, unless they were told.
    too_high: Option<RangeInclusive<u32>>,
    life: PhantomData<&'a Node>,
    /// How many nodes were looked into.
    #[cfg(test)]
    pub(crate) entered_count: usize,
}

/// A node that was born after the version.
#[derive(Debug)]
struct Young<'a> {
    node: &'a Node,
    first: u32,
    height: u32,
    next: usize,
}

impl BornAfter<'_> {
    /// Goes into a slot, unless it was born before.
    fn enter(&mut self, slot: Slot, first: u32, height: u32) {
        if slot.birth > self.version {
            #[cfg(test)]
            {
                self.entered_count += 1;
            }
            self.stack.push(Young {
                // SAFETY: a node stands in a slot above height 0 that is not vacant, and the tree lives for `'a`.
                node: unsafe { &*slot.node() },
                first,
                height,
                next: 0,
            });
        }
    }
}

impl Iterator for BornAfter<'_> {
    type Item = RangeInclusive<u32>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(young) = self.stack.last_mut() {
            if young.next == FAN_OUT {
                self.stack.pop();
                continue;
            }
            let height = young.height - 1;
            let slot = young.node.slots[young.next];
            let first = number_below(young.first, young.next, height);
            young.next += 1;
            if slot.is_vacant() || (height == 0 && slot.birth > self.version) {
                return Some(first..=last_below(first, height));
            }
            if height > 0 {
                self.enter(slot, first, height);
            }
        }
        self.too_high.take()
    }
}
