//! The page table: pages by number, in a radix tree of plain words.
//!
//! ```text
//!   number = 4 bits | 8 bits | 8 bits | 8 bits        height 2 holds numbers below 256^2
//!                       │        │        └── slot in a leaf: a frame, or a page that is borrowed (lowest bit of the pointer)
//!                       │        └─────────── slot in a node of nodes
//!                       └──────────────────── slot in the root
//!
//!   node = present (256 bits) | full (256 bits) | 256 slots of pointer and birth
//! ```
//!
//! What is *in stock* ([`Stock`]) was there before the table: a slot of it says no more than that, and the number is looked up there.
//!
//! `birth` is the version of the table in which what stands there was made. Somebody who writes has a *floor*: whatever was born
//! above it nobody else can see, and is written in place; the rest is copied, and what it was copied from retires. `full` says below
//! which slots nothing is vacant, so the lowest vacant number is found in one walk down. The shape is a function of the numbers alone, but for what is in stock: no
//! empty node, and no higher than the highest number asks.
//!
//! This file and [`frames`](crate::frames) are where memory is reached through plain pointers. The rule: a node or frame lives as
//! long as a tree that leads to it belongs to a living version ([`page_versions`](crate::page_versions)), and is written only by the one
//! version that it was born in or that is alone with it.

#![expect(
    unsafe_code,
    reason = "nodes are shared between versions without a count in each"
)]

use std::ptr::NonNull;

use crate::damaged::Damaged;
use crate::page::{Page, PageBuf};
use crate::page_node::{DIGIT_BITS, FAN_OUT, Node, Retired, Slot};
use crate::page_tree_iter::number_below;
use crate::stock::Stock;

/// The height that holds every page number.
pub(crate) const HEIGHT_MAX: usize = 4;
/// The root of a page table. Copying it copies no node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageTree {
    /// Invariant: vacant exactly when there is no page.
    pub(crate) root: Slot,
    /// Invariant: it holds the highest number; the least height that does, as far as nothing in stock hides it.
    pub(crate) height: u32,
    pub(crate) len: u64,
}

/// Where somebody who writes gets memory, and leaves what he does not lead to any more.
pub(crate) trait Memory {
    /// The version that is being written.
    fn version(&self) -> u64;
    /// What was born after this version nobody else can see.
    fn floor(&self) -> u64;
    /// A node that nobody uses, with anything in it.
    fn node(&mut self) -> NonNull<Node>;
    /// A frame that nobody uses, with anything in it.
    fn frame(&mut self) -> NonNull<PageBuf>;
    /// Takes what the tree led to, born in the version given.
    fn retire(&mut self, what: Retired, birth: u64);
    /// [`Memory::retire`] of the page in a slot, unless it is in stock.
    ///
    /// # Safety
    /// The slot is one of a leaf and not vacant.
    unsafe fn retire_page(&mut self, slot: Slot) {
        // SAFETY: as the caller says.
        if let Some(page) = unsafe { slot.page_to_retire() } {
            self.retire(page, slot.birth);
        }
    }
}

/// The slot of `number` in a node whose subtree has the height `height`.
#[inline]
pub(crate) fn digit(number: u32, height: u32) -> usize {
    (number >> (DIGIT_BITS * (height - 1))) as usize % FAN_OUT
}

/// Whether a tree of the height `height` holds `number`.
#[inline]
pub(crate) fn holds(height: u32, number: u32) -> bool {
    height as usize >= HEIGHT_MAX || number >> (DIGIT_BITS * height) == 0
}

/// Reading. The safety of all: the tree belongs to a living version for as long as `'a`.
impl PageTree {
    pub(crate) const EMPTY: PageTree = PageTree {
        root: Slot::VACANT,
        height: 0,
        len: 0,
    };

    /// A tree of which all is in stock.
    pub(crate) fn in_stock(stock: &Stock) -> PageTree {
        let height = stock.height();
        PageTree {
            root: Slot::in_stock(height),
            height,
            len: stock.page_count(),
        }
    }

    /// How many pages there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The page of a number, if it stands in a frame.
    ///
    /// # Safety
    /// As all that read.
    #[inline(always)]
    pub(crate) unsafe fn frame<'a>(&self, number: u32) -> Option<&'a PageBuf> {
        // SAFETY: as the caller says.
        unsafe {
            let slot = self.slot(number)?;
            slot.is_frame().then(|| &*slot.place.cast())
        }
    }

    /// The slot in which the page of a number stands, or one further up if it is in stock with all that is beside it.
    ///
    /// # Safety
    /// As all that read.
    pub(crate) unsafe fn standing(&self, number: u32) -> Option<Slot> {
        let mut slot = self.root;
        let mut height = self.height;
        if !holds(height, number) {
            return None;
        }
        while height > 0 && !slot.is_vacant() && !slot.is_in_stock() {
            // SAFETY: a node stands in a slot above height 0.
            slot = unsafe { (*slot.node()).slots[digit(number, height)] };
            height -= 1;
        }
        (!slot.is_vacant()).then_some(slot)
    }

    /// The slot in which the page of a number stands, if it is not in stock with all that is beside it.
    #[inline(always)]
    unsafe fn slot(&self, number: u32) -> Option<Slot> {
        // Up to 2 GiB, straight on: each look-up walks here three times, and what it costs is what the next one waits.
        let leaf = match (self.height, number >> DIGIT_BITS) {
            (2, above) if (above as usize) < FAN_OUT => {
                // SAFETY: a tree of some height is not empty, and a node stands in a slot above height 0.
                let leaf = unsafe { (*self.root.node()).slots[above as usize] };
                if leaf.is_vacant() {
                    return None;
                }
                leaf
            }
            (1, 0) => self.root,
            // SAFETY: as the caller says.
            _ => return unsafe { self.slot_at_height(number) },
        };
        // SAFETY: as above.
        let slot = unsafe { (*leaf.node()).slots[number as usize % FAN_OUT] };
        (!slot.is_vacant()).then_some(slot)
    }

    /// [`PageTree::slot`] of a tree of any height.
    #[inline(never)]
    unsafe fn slot_at_height(&self, number: u32) -> Option<Slot> {
        if !holds(self.height, number) {
            return None;
        }
        let mut slot = self.root;
        let mut height = self.height;
        while !slot.is_vacant() {
            if height == 0 {
                return Some(slot);
            }
            // SAFETY: a node stands in a slot above height 0.
            slot = unsafe { (*slot.node()).slots[digit(number, height)] };
            height -= 1;
        }
        None
    }
}

/// Writing. The safety of all: the tree is the one of the version that `memory` writes, and nobody holds a reference into it. And of all but
/// [`PageTree::reach`]: no node on the way to the number is in stock.
impl PageTree {
    /// Puts nodes in the place of what is in stock on the way to a number.
    ///
    /// # Safety
    /// As all that write.
    pub(crate) unsafe fn reach(
        &mut self,
        number: u32,
        stock: &Stock,
        memory: &mut impl Memory,
    ) -> Result<(), Damaged> {
        let mut slot: *mut Slot = &raw mut self.root;
        let mut first = 0;
        for height in (1..=self.height).rev() {
            // SAFETY: the slot is the root or one of a node that is ours; what is in stock no version has to give up.
            unsafe {
                if (*slot).is_vacant() {
                    return Ok(());
                }
                if (*slot).is_in_stock() {
                    let node = stock.node(first, height)?;
                    let place = memory.node();
                    place.write(node);
                    *slot = Slot::of_node(place, memory.version());
                } else {
                    own_node(slot, memory);
                }
                let index = digit(number, height);
                first = number_below(first, index, height - 1);
                slot = &raw mut (*(*slot).node()).slots[index];
            }
        }
        for height in 1..self.height {
            // SAFETY: all nodes on the way are ours.
            unsafe {
                if !(*(*self.slot_above(number, height)).node()).full.are_all() {
                    break;
                }
                let above = (*self.slot_above(number, height + 1)).node();
                (*above).full.set(digit(number, height + 1), true);
            }
        }
        Ok(())
    }

    /// The bytes of a page that stands in a frame born after the version `above`, to be written in place, and when it was born.
    ///
    /// # Safety
    /// As all that write, and no version after `above` is held but those that whoever writes holds himself.
    #[inline]
    pub(crate) unsafe fn frame_born_after<'a>(
        &mut self,
        number: u32,
        above: u64,
    ) -> Option<(&'a mut PageBuf, u64)> {
        // SAFETY: what was born after `above` no other tree leads to, as the caller says.
        unsafe {
            let slot = self.slot(number)?;
            let is_ours = slot.birth > above && slot.is_frame();
            is_ours.then(|| (&mut *slot.place.cast(), slot.birth))
        }
    }

    /// The bytes of a page that stands in a frame, to be written; copied first if somebody else can see it.
    ///
    /// # Safety
    /// As all that write. There is such a page, and it is not borrowed.
    #[inline]
    pub(crate) unsafe fn frame_mut<'a>(
        &mut self,
        number: u32,
        memory: &mut impl Memory,
    ) -> &'a mut PageBuf {
        // SAFETY: all nodes on the way are ours alone after `own_slot`; the frame is, if it was born above the floor.
        unsafe {
            let slot = self.own_slot(number, memory);
            if (*slot).birth <= memory.floor() {
                let frame = memory.frame();
                std::ptr::copy_nonoverlapping((*slot).place.cast(), frame.as_ptr(), 1);
                memory.retire_page(*slot);
                *slot = Slot::of_frame(frame, memory.version());
            }
            &mut *(*slot).place.cast()
        }
    }

    /// Puts an empty frame in the place of a page, or where none is, and yields it; it may hold anything.
    ///
    /// # Safety
    /// As all that write.
    pub(crate) unsafe fn insert_frame<'a>(
        &mut self,
        number: u32,
        memory: &mut impl Memory,
    ) -> &'a mut PageBuf {
        let frame = memory.frame();
        let slot = Slot::of_frame(frame, memory.version());
        // SAFETY: as the caller says; the frame is new and initialised, if only by zeros.
        unsafe {
            self.insert(number, slot, memory);
            &mut *frame.as_ptr()
        }
    }

    /// Puts a borrowed page in the place of a page, or where none is.
    ///
    /// # Safety
    /// As all that write.
    pub(crate) unsafe fn insert_borrowed(
        &mut self,
        number: u32,
        page: Page,
        memory: &mut impl Memory,
    ) {
        let slot = Slot::of_borrowed(Box::new(page), memory.version());
        // SAFETY: as the caller says.
        unsafe { self.insert(number, slot, memory) }
    }

    /// Takes a page away.
    ///
    /// # Safety
    /// As all that write. There is such a page.
    pub(crate) unsafe fn remove(&mut self, number: u32, memory: &mut impl Memory) {
        // SAFETY: all nodes on the way are ours alone after `own_slot`, and stand in each other as they did.
        unsafe {
            let slot = self.own_slot(number, memory);
            memory.retire_page(*slot);
            *slot = Slot::VACANT;
            // The count of what is in stock is only what somebody said.
            self.len = self.len.saturating_sub(1);
            for height in 1..=self.height {
                let above = self.slot_above(number, height);
                let node = (*above).node();
                let index = digit(number, height);
                (*node).full.set(index, false);
                if (*node).slots[index].is_vacant() {
                    (*node).present.set(index, false);
                }
                if (*node).present.is_none() {
                    let node = NonNull::new_unchecked(node);
                    memory.retire(Retired::Node(node), (*above).birth);
                    *above = Slot::VACANT;
                }
            }
            self.shrink(memory);
        }
    }

    /// Frees what only this tree leads to: what was born after `above`.
    ///
    /// # Safety
    /// No living version after `above` leads to any of it, and nobody uses the tree any more.
    pub(crate) unsafe fn abandon(self, above: u64, free: &mut impl FnMut(Retired)) {
        // SAFETY: as the caller says.
        unsafe { abandon(self.root, self.height, above, free) }
    }

    /// The slot of a page, after all nodes on the way to it were made ours alone.
    unsafe fn own_slot(&mut self, number: u32, memory: &mut impl Memory) -> *mut Slot {
        let mut slot: *mut Slot = &raw mut self.root;
        for height in (1..=self.height).rev() {
            // SAFETY: the slot is the root or one of a node that is ours; a node stands in it since the page is there.
            unsafe {
                own_node(slot, memory);
                slot = &raw mut (*(*slot).node()).slots[digit(number, height)];
            }
        }
        slot
    }

    /// The slot in which the node of some height on the way to `number` stands. All nodes above are ours.
    unsafe fn slot_above(&mut self, number: u32, height: u32) -> *mut Slot {
        let mut slot: *mut Slot = &raw mut self.root;
        for height in (height + 1..=self.height).rev() {
            // SAFETY: as the caller says.
            slot = unsafe { &raw mut (*(*slot).node()).slots[digit(number, height)] };
        }
        slot
    }

    unsafe fn insert(&mut self, number: u32, page: Slot, memory: &mut impl Memory) {
        // SAFETY: all nodes on the way are ours alone, or new.
        unsafe {
            while !holds(self.height, number) || self.height == 0 {
                self.grow(memory);
            }
            let mut slot: *mut Slot = &raw mut self.root;
            for height in (1..=self.height).rev() {
                if (*slot).is_vacant() {
                    let node = memory.node();
                    node.write(Node::VACANT);
                    *slot = Slot::of_node(node, memory.version());
                } else {
                    own_node(slot, memory);
                }
                let node = (*slot).node();
                let index = digit(number, height);
                (*node).present.set(index, true);
                slot = &raw mut (*node).slots[index];
            }
            if (*slot).is_vacant() {
                self.len += 1;
            } else {
                memory.retire_page(*slot);
            }
            *slot = page;
            for height in 1..=self.height {
                let node = (*self.slot_above(number, height)).node();
                (*node).full.set(digit(number, height), true);
                if !(*node).full.are_all() {
                    break;
                }
            }
        }
    }

    /// Puts a node above the root.
    unsafe fn grow(&mut self, memory: &mut impl Memory) {
        self.height += 1;
        if self.root.is_vacant() {
            return;
        }
        let above = memory.node();
        // SAFETY: the new node is nobody else's; the root is a node.
        unsafe {
            above.write(Node::VACANT);
            let node = above.as_ptr();
            (*node).present.set(0, true);
            let is_full = (*self.root.node()).full.are_all();
            (*node).full.set(0, is_full);
            (*node).slots[0] = self.root;
        }
        self.root = Slot::of_node(above, memory.version());
    }

    /// Takes nodes away at the top that only the first slot of is in use.
    unsafe fn shrink(&mut self, memory: &mut impl Memory) {
        if self.root.is_vacant() {
            self.height = 0;
        }
        while self.height > 1 {
            let root = self.root;
            // SAFETY: the root is a node, which is freed when no version leads to it.
            unsafe {
                let node = &*root.node();
                if !node.present.are_first_only() {
                    return;
                }
                self.root = node.slots[0];
                memory.retire(
                    Retired::Node(NonNull::new_unchecked(root.node())),
                    root.birth,
                );
            }
            self.height -= 1;
        }
    }
}

/// Makes the node in a slot one that nobody else can see.
///
/// # Safety
/// The slot is ours alone, and a node stands in it.
#[inline]
unsafe fn own_node(slot: *mut Slot, memory: &mut impl Memory) {
    // SAFETY: a node that is new is written, and the old one stays as it is.
    unsafe {
        if (*slot).birth > memory.floor() {
            return;
        }
        debug_assert!(!(*slot).is_in_stock());
        let copy = memory.node();
        let before = NonNull::new_unchecked((*slot).node());
        std::ptr::copy_nonoverlapping(before.as_ptr(), copy.as_ptr(), 1);
        memory.retire(Retired::Node(before), (*slot).birth);
        *slot = Slot::of_node(copy, memory.version());
    }
}

unsafe fn abandon(slot: Slot, height: u32, above: u64, free: &mut impl FnMut(Retired)) {
    // Below what is old nothing is new: it would have been changed in place while an older version could see it.
    if slot.is_vacant() || slot.birth <= above {
        return;
    }
    // SAFETY: as `PageTree::abandon` says.
    unsafe {
        if height == 0 {
            slot.page_to_retire().into_iter().for_each(free);
            return;
        }
        let mut present = (*slot.node()).present;
        while let Some(index) = present.first() {
            present.set(index, false);
            abandon((*slot.node()).slots[index], height - 1, above, free);
        }
        free(Retired::Node(NonNull::new_unchecked(slot.node())));
    }
}

#[cfg(test)]
impl PageTree {
    /// Says of every page number below that of an existing page, and of its own, that it is taken, without pages.
    pub(crate) fn pretend_full(&mut self, last: u32) {
        let mut slot = self.root;
        for height in (1..=self.height).rev() {
            // SAFETY: there is a page, and a test has the tree for itself.
            let node = unsafe { &mut *slot.node() };
            (0..=digit(last, height)).for_each(|index| node.full.set(index, true));
            slot = node.slots[digit(last, height)];
        }
    }
}
