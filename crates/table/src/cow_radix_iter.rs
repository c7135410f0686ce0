//! Walks over a [`CowRadix`].

use crate::cow_radix::{CowRadix, DIGIT_BITS, Node, Slot, digit};

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
