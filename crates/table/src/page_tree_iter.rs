//! Walks over a [`PageTree`]: its pages, the numbers below what was born after some version, the way to the lowest vacant number, and all of it, to
//! copy it.

#![expect(
    unsafe_code,
    reason = "a walk follows plain pointers, as page_tree explains"
)]

use std::marker::PhantomData;
use std::ops::RangeInclusive;

use crate::page_node::{Bits, DIGIT_BITS, FAN_OUT, Node, Slot, Stored};
use crate::page_tree::{Memory, PageTree, digit, holds};
use crate::stock::Stock;

impl PageTree {
    /// All pages from a number on, ascending. Where can not be said what is in stock, the last number of those is there in their stead.
    ///
    /// # Safety
    /// The tree belongs to a living version for as long as `'a`.
    pub(crate) unsafe fn iter_from<'a>(
        &self,
        first: u32,
        stock: Option<&'a Stock>,
    ) -> PageTreeIter<'a> {
        let mut iter = PageTreeIter {
            stack: Vec::new(),
            stock,
        };
        if !holds(self.height, first) {
            return iter;
        }
        let mut slot = self.root;
        let mut start = 0;
        for height in (1..=self.height).rev() {
            if slot.is_vacant() {
                break;
            }
            if slot.is_in_stock() {
                let last = last_below(start, height);
                iter.stack.push(Place::Stock(first..=last));
                break;
            }
            // SAFETY: a node stands in a slot above height 0, and the tree lives for `'a`.
            let node = unsafe { &*slot.node() };
            let index = digit(first, height);
            // What is on the way down is walked by the next place, or is the first page.
            let below = usize::from(height > 1);
            iter.stack.push(Place::Node {
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

/// The first number under a slot of a node whose first number is `first`; the slot has the height `height`.
pub(crate) fn number_below(first: u32, index: usize, height: u32) -> u32 {
    let digit = u32::try_from(index).expect("a node has 256 slots");
    first | digit << (DIGIT_BITS * height)
}

/// The last number under a slot of the height `height` whose first number is `first`.
pub(crate) fn last_below(first: u32, height: u32) -> u32 {
    let span = 1_u64 << (DIGIT_BITS * height);
    first | u32::try_from(span - 1).expect("no tree is higher than its numbers ask")
}

/// Where the lowest vacant number is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Vacancy {
    /// It may be larger than any page number.
    At(u64),
    /// Below a place that is in stock, whose first number this is, or behind that.
    Below(u32),
}

/// The pages of a tree by number, ascending.
#[derive(Debug)]
pub(crate) struct PageTreeIter<'a> {
    stack: Vec<Place<'a>>,
    stock: Option<&'a Stock>,
}

/// Something that is being walked.
#[derive(Debug)]
enum Place<'a> {
    Node {
        node: &'a Node,
        /// The number of the node's first slot.
        first: u32,
        height: u32,
        /// The slots not walked yet.
        pending: Bits,
    },
    /// Numbers not walked yet, all of which are in stock.
    Stock(RangeInclusive<u32>),
}

impl<'a> Iterator for PageTreeIter<'a> {
    type Item = (u32, Stored<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (slot, number, height) = match self.stack.last_mut()? {
                Place::Node {
                    node,
                    first,
                    height,
                    pending,
                } => {
                    let Some(index) = pending.first() else {
                        self.stack.pop();
                        continue;
                    };
                    pending.set(index, false);
                    let height = *height - 1;
                    (
                        node.slots[index],
                        number_below(*first, index, height),
                        height,
                    )
                }
                Place::Stock(left) => {
                    let stock = self.stock.filter(|_| !left.is_empty());
                    let next =
                        stock.and_then(|stock| stock.next_within(*left.start(), *left.end()));
                    let Some((number, page)) = next else {
                        self.stack.pop();
                        continue;
                    };
                    *left = number + 1..=*left.end();
                    return Some((number, page));
                }
            };
            if slot.is_in_stock() {
                self.stack
                    .push(Place::Stock(number..=last_below(number, height)));
                continue;
            }
            // SAFETY: the slot is present and not in stock, and the tree lives for `'a`.
            unsafe {
                if height == 0 {
                    return Some((number, slot.stored()));
                }
                let node = &*slot.node();
                self.stack.push(Place::Node {
                    node,
                    first: number,
                    height,
                    pending: node.present,
                });
            }
        }
    }
}

impl PageTree {
    /// The lowest number without a page.
    ///
    /// # Safety
    /// The tree belongs to a living version.
    pub(crate) unsafe fn lowest_vacant(&self) -> Vacancy {
        let (mut slot, mut height, mut number) = (self.root, self.height, 0);
        while height > 0 && !slot.is_vacant() {
            if slot.is_in_stock() {
                return Vacancy::Below(number);
            }
            // SAFETY: a node stands in a slot above height 0.
            let node = unsafe { &*slot.node() };
            let Some(index) = node.full.first_missing() else {
                // Only the root: no other is entered that is full.
                return Vacancy::At(1 << (DIGIT_BITS * height));
            };
            height -= 1;
            number = number_below(number, index, height);
            slot = node.slots[index];
        }
        Vacancy::At(number.into())
    }

    /// The same pages in memory of another table with the same stock.
    ///
    /// # Safety
    /// The tree belongs to a living version.
    pub(crate) unsafe fn copied(&self, memory: &mut impl Memory) -> PageTree {
        PageTree {
            // SAFETY: as the caller says.
            root: unsafe { copied(self.root, self.height, memory) },
            ..*self
        }
    }
}

unsafe fn copied(slot: Slot, height: u32, memory: &mut impl Memory) -> Slot {
    if slot.is_vacant() || slot.is_in_stock() {
        return slot;
    }
    // SAFETY: the slot is neither, and its tree belongs to a living version; what is written is new.
    unsafe {
        if height > 0 {
            let copy = memory.node();
            std::ptr::copy_nonoverlapping(slot.node(), copy.as_ptr(), 1);
            for slot in &mut (*copy.as_ptr()).slots {
                *slot = copied(*slot, height - 1, memory);
            }
            return Slot::of_node(copy, memory.version());
        }
        match slot.stored() {
            Stored::Frame(bytes) => {
                let frame = memory.frame();
                std::ptr::copy_nonoverlapping(bytes, frame.as_ptr(), 1);
                Slot::of_frame(frame, memory.version())
            }
            Stored::Borrowed(page) => Slot::of_borrowed(Box::new(page.clone()), memory.version()),
            Stored::Unknown(_) => unreachable!("a slot says what stands in it"),
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
