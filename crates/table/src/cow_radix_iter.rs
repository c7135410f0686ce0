//! Walks over a [`CowRadix`], and over what differs between two.

use crate::cow_radix::{CowRadix, DIGIT_BITS, FAN_OUT, Node, Slot, digit};

/// The keys of a [`CowRadix`] with their values, ascending.
#[derive(Debug)]
pub struct CowRadixIter<'a, T> {
    stack: Vec<Place<'a, T>>,
}

/// A node that is being walked.
#[derive(Debug)]
struct Place<'a, T> {
    node: &'a Node<T>,
    /// The key of the node's first slot.
    first_key: u64,
    height: u32,
    /// The slots not walked yet.
    pending: u64,
}

impl<'a, T> CowRadixIter<'a, T> {
    pub(crate) fn new(map: &'a CowRadix<T>, start: u64) -> Self {
        let mut stack = Vec::new();
        let Some(root) = map.root.as_deref() else {
            return CowRadixIter { stack };
        };
        let beyond = (1_u128 << (DIGIT_BITS * map.height)) <= u128::from(start);
        if beyond {
            return CowRadixIter { stack };
        }
        let (mut node, mut height, mut first_key) = (root, map.height, 0);
        loop {
            let slot = digit(start, height);
            let from_slot_on = u64::MAX << slot;
            match &node.slots[slot] {
                Slot::Branch(below) => {
                    let pending = node.present & from_slot_on & !(1 << slot);
                    stack.push(Place {
                        node,
                        first_key,
                        height,
                        pending,
                    });
                    height -= 1;
                    first_key |= (slot as u64) << (DIGIT_BITS * height);
                    node = below;
                }
                _ => {
                    let pending = node.present & from_slot_on;
                    stack.push(Place {
                        node,
                        first_key,
                        height,
                        pending,
                    });
                    return CowRadixIter { stack };
                }
            }
        }
    }
}

impl<'a, T> Iterator for CowRadixIter<'a, T> {
    type Item = (u64, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let place = self.stack.last_mut()?;
            if place.pending == 0 {
                self.stack.pop();
                continue;
            }
            let slot = place.pending.trailing_zeros();
            place.pending &= place.pending - 1;
            let height = place.height - 1;
            let first_key = place.first_key | u64::from(slot) << (DIGIT_BITS * height);
            match &place.node.slots[slot as usize] {
                Slot::Value(value) => return Some((first_key, value)),
                Slot::Branch(node) => {
                    self.stack.push(Place {
                        node,
                        first_key,
                        height,
                        pending: node.present,
                    });
                }
                Slot::Vacant => {}
            }
        }
    }
}

/// The keys whose values differ between two [`CowRadix`], ascending, with the newer value.
#[derive(Debug)]
pub struct CowRadixChanges<'a, T> {
    stack: Vec<Pair<'a, T>>,
    same: fn(&T, &T) -> bool,
}

/// The two subtrees under one place.
#[derive(Debug)]
struct Pair<'a, T> {
    newer: Side<'a, T>,
    older: Side<'a, T>,
    first_key: u64,
    height: u32,
    next_slot: usize,
}

/// A subtree: nothing, a value, or a node of the height that it has. Where the two maps differ in height, the
/// lower one stands under slot 0 of nodes that do not exist.
#[derive(Debug)]
enum Side<'a, T> {
    Nothing,
    Value(&'a T),
    Node(&'a Node<T>, u32),
}

impl<'a, T> Side<'a, T> {
    fn root(map: &'a CowRadix<T>) -> Self {
        map.root
            .as_deref()
            .map_or(Side::Nothing, |root| Side::Node(root, map.height))
    }

    /// What stands under `slot` when this side is looked at as a node of the height `height`.
    fn below(&self, slot: usize, height: u32) -> Side<'a, T> {
        match *self {
            Side::Node(node, own_height) if own_height == height => match &node.slots[slot] {
                Slot::Vacant => Side::Nothing,
                Slot::Value(value) => Side::Value(value),
                Slot::Branch(below) => Side::Node(below, height - 1),
            },
            Side::Node(node, own_height) if slot == 0 => Side::Node(node, own_height),
            _ => Side::Nothing,
        }
    }

    fn is_one_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Side::Nothing, Side::Nothing) => true,
            (Side::Node(a, a_height), Side::Node(b, b_height)) => {
                a_height == b_height && std::ptr::eq(*a, *b)
            }
            _ => false,
        }
    }
}

impl<'a, T> CowRadixChanges<'a, T> {
    pub(crate) fn new(
        newer: &'a CowRadix<T>,
        older: &'a CowRadix<T>,
        same: fn(&T, &T) -> bool,
    ) -> Self {
        let height = newer.height.max(older.height);
        let mut changes = CowRadixChanges {
            stack: Vec::new(),
            same,
        };
        changes.push(Side::root(newer), Side::root(older), 0, height);
        changes
    }

    fn push(&mut self, newer: Side<'a, T>, older: Side<'a, T>, first_key: u64, height: u32) {
        if !newer.is_one_with(&older) {
            self.stack.push(Pair {
                newer,
                older,
                first_key,
                height,
                next_slot: 0,
            });
        }
    }
}

impl<'a, T> Iterator for CowRadixChanges<'a, T> {
    type Item = (u64, Option<&'a T>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let pair = self.stack.last_mut()?;
            if pair.next_slot == FAN_OUT {
                self.stack.pop();
                continue;
            }
            let slot = pair.next_slot;
            pair.next_slot += 1;
            let newer = pair.newer.below(slot, pair.height);
            let older = pair.older.below(slot, pair.height);
            let height = pair.height - 1;
            let first_key = pair.first_key | (slot as u64) << (DIGIT_BITS * height);
            match (&newer, &older) {
                (Side::Value(newer), Side::Value(older)) if (self.same)(newer, older) => {}
                (Side::Value(newer), _) => return Some((first_key, Some(newer))),
                (_, Side::Value(_)) => return Some((first_key, None)),
                _ => self.push(newer, older, first_key, height),
            }
        }
    }
}
