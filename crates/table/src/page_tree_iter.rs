//! Walks over a [`PageTree`], and over what differs between two.

#![expect(
    unsafe_code,
    reason = "a walk follows plain pointers, as page_tree explains"
)]

use std::marker::PhantomData;

use crate::page_node::{Bits, DIGIT_BITS, FAN_OUT, Node, Slot, Stored};
use crate::page_tree::PageTree;

impl PageTree {
    /// All pages, ascending.
    ///
    /// # Safety
    /// The tree belongs to a living version for as long as `'a`.
    pub(crate) unsafe fn iter<'a>(&self) -> PageTreeIter<'a> {
        let mut iter = PageTreeIter { stack: Vec::new() };
        if !self.root.is_vacant() {
            // SAFETY: the root is a node, as the caller says.
            iter.enter(unsafe { &*self.root.node() }, 0, self.height);
        }
        iter
    }

    /// The numbers whose page is not the one in `older`, ascending, with the page here. What both share is skipped without a look.
    ///
    /// # Safety
    /// Both trees belong to living versions for as long as `'a`.
    pub(crate) unsafe fn changed_since<'a>(&self, older: &PageTree) -> PageTreeChanges<'a> {
        let height = self.height.max(older.height);
        let mut changes = PageTreeChanges {
            stack: Vec::new(),
            life: PhantomData,
            #[cfg(test)]
            compared_count: 0,
        };
        let (newer, older) = (Side::root(self), Side::root(older));
        changes.push(newer, older, 0, height);
        changes
    }
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

/// The numbers whose pages differ between two trees, ascending, with the newer page.
#[derive(Debug)]
pub(crate) struct PageTreeChanges<'a> {
    stack: Vec<Pair>,
    life: PhantomData<&'a Node>,
    /// How many nodes were held against those of the other tree.
    #[cfg(test)]
    pub(crate) compared_count: usize,
}

/// The two subtrees under one place.
#[derive(Debug)]
struct Pair {
    newer: Side,
    older: Side,
    first: u32,
    height: u32,
    next: usize,
}

/// A subtree of the height that it has. Where the two trees differ in height, the lower one stands under slot 0 of nodes that do not
/// exist.
#[derive(Clone, Copy, Debug)]
struct Side {
    slot: Slot,
    height: u32,
}

impl Side {
    fn root(tree: &PageTree) -> Side {
        Side {
            slot: tree.root,
            height: tree.height,
        }
    }

    /// What stands under `index` when this side is looked at as a node of the height `height`.
    ///
    /// # Safety
    /// The tree lives.
    unsafe fn below(&self, index: usize, height: u32) -> Side {
        if self.slot.is_vacant() || (self.height < height && index > 0) {
            return Side {
                slot: Slot::VACANT,
                height: height - 1,
            };
        }
        if self.height < height {
            return *self;
        }
        Side {
            // SAFETY: a node stands in a slot above height 0.
            slot: unsafe { (*self.slot.node()).slots[index] },
            height: height - 1,
        }
    }

    fn is_one_with(&self, other: &Side) -> bool {
        self.slot.place == other.slot.place
            && (self.slot.is_vacant() || self.height == other.height)
    }
}

impl PageTreeChanges<'_> {
    fn push(&mut self, newer: Side, older: Side, first: u32, height: u32) {
        if !newer.is_one_with(&older) {
            #[cfg(test)]
            {
                self.compared_count += 1;
            }
            self.stack.push(Pair {
                newer,
                older,
                first,
                height,
                next: 0,
            });
        }
    }
}

impl<'a> Iterator for PageTreeChanges<'a> {
    type Item = (u32, Option<Stored<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let pair = self.stack.last_mut()?;
            if pair.next == FAN_OUT {
                self.stack.pop();
                continue;
            }
            let index = pair.next;
            pair.next += 1;
            // SAFETY: both trees live for `'a`.
            let (newer, older) = unsafe {
                (
                    pair.newer.below(index, pair.height),
                    pair.older.below(index, pair.height),
                )
            };
            let height = pair.height - 1;
            let number = number_below(pair.first, index, height);
            if height > 0 {
                self.push(newer, older, number, height);
            } else if !newer.is_one_with(&older) {
                // SAFETY: it is a slot of a leaf.
                let page = (!newer.slot.is_vacant()).then(|| unsafe { newer.slot.stored() });
                return Some((number, page));
            }
        }
    }
}
