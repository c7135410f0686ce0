//! A sparse array whose copies share what they have in common.
//!
//! ```text
//!   key = ... | 6 bits | 6 bits | 6 bits          height 3 holds keys below 64^3
//!                 │        │        └── slot in a node of values
//!                 │        └─────────── slot in a node of nodes
//!                 └──────────────────── slot in the root
//!
//!   node = present (64 bits) | 64 slots
//! ```
//!
//! A copy takes one reference count. A write copies the nodes from the root to the slot, and only where
//! somebody else holds them too.
//!
//! The shape is a function of the keys alone: no empty node, and no higher than the highest key asks.

use std::sync::Arc;

use crate::cow_radix_iter::CowRadixIter;

/// The bits of a key that one node resolves.
pub(crate) const DIGIT_BITS: u32 = 6;
/// The slots of a node.
pub(crate) const FAN_OUT: usize = 1 << DIGIT_BITS;
/// The height that holds every `u64`.
const HEIGHT_MAX: u32 = u64::BITS.div_ceil(DIGIT_BITS);

/// A map from `u64` to `T`: copied in O(1), dense keys preferred, iterated in ascending order.
#[derive(Clone, Debug)]
pub struct CowRadix<T> {
    /// Invariant: nothing exactly when `len` is zero.
    pub(crate) root: Option<Arc<Node<T>>>,
    /// Invariant: the least height that holds the highest key.
    pub(crate) height: u32,
    len: u64,
}

/// Invariant: a bit of `present` is set exactly where the slot is not vacant; at least one is.
#[derive(Clone, Debug)]
pub(crate) struct Node<T> {
    pub(crate) present: u64,
    pub(crate) slots: [Slot<T>; FAN_OUT],
}

#[derive(Clone, Debug)]
pub(crate) enum Slot<T> {
    Vacant,
    Branch(Arc<Node<T>>),
    Value(T),
}

/// The slot of `key` in a node whose subtree has the height `height`.
#[inline]
pub(crate) fn digit(key: u64, height: u32) -> usize {
    let digit = (key >> (DIGIT_BITS * (height - 1))) & (FAN_OUT as u64 - 1);
    usize::try_from(digit).expect("6 bits")
}

/// Whether a tree of the height `height` holds `key`.
fn holds(height: u32, key: u64) -> bool {
    height >= HEIGHT_MAX || key >> (DIGIT_BITS * height) == 0
}

impl<T> CowRadix<T> {
    /// An empty map.
    pub fn new() -> CowRadix<T> {
        CowRadix {
            root: None,
            height: 0,
            len: 0,
        }
    }

    /// How many keys have a value.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: u64) -> Option<&T> {
        if !holds(self.height, key) {
            return None;
        }
        let mut node = self.root.as_deref()?;
        let mut height = self.height;
        loop {
            match &node.slots[digit(key, height)] {
                Slot::Branch(below) => node = below,
                Slot::Value(value) => return Some(value),
                Slot::Vacant => return None,
            }
            height -= 1;
        }
    }

    /// All keys with their values, ascending.
    pub fn iter(&self) -> CowRadixIter<'_, T> {
        self.iter_from(0)
    }

    /// The keys from `start` on with their values, ascending.
    pub fn iter_from(&self, start: u64) -> CowRadixIter<'_, T> {
        CowRadixIter::new(self, start)
    }
}

impl<T: Clone> CowRadix<T> {
    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        if !holds(self.height, key) {
            return None;
        }
        let mut node = Arc::make_mut(self.root.as_mut()?);
        let mut height = self.height;
        loop {
            match &mut node.slots[digit(key, height)] {
                Slot::Branch(below) => node = Arc::make_mut(below),
                Slot::Value(value) => return Some(value),
                Slot::Vacant => return None,
            }
            height -= 1;
        }
    }

    /// Gives `key` the value `value` and returns the one it had.
    pub fn insert(&mut self, key: u64, value: T) -> Option<T> {
        while !holds(self.height, key) || self.height == 0 {
            self.grow();
        }
        let height = self.height;
        let root = self.root.get_or_insert_with(|| Arc::new(Node::vacant()));
        let before = Arc::make_mut(root).insert(key, height, value);
        self.len += u64::from(before.is_none());
        before
    }

    /// Takes the value of `key` away and returns it.
    pub fn remove(&mut self, key: u64) -> Option<T> {
        // Looked for first: a key that is not there must copy nothing.
        self.get(key)?;
        let height = self.height;
        let before = Arc::make_mut(self.root.as_mut()?).remove(key, height)?;
        self.len -= 1;
        self.shrink();
        Some(before)
    }

    fn grow(&mut self) {
        if let Some(root) = self.root.take() {
            let mut above = Node::vacant();
            above.set(0, Slot::Branch(root));
            self.root = Some(Arc::new(above));
        }
        self.height += 1;
    }

    fn shrink(&mut self) {
        while let Some(root) = &self.root {
            if root.present == 0 {
                self.root = None;
                self.height = 0;
                return;
            }
            match &root.slots[0] {
                Slot::Branch(only) if root.present == 1 => {
                    self.root = Some(Arc::clone(only));
                    self.height -= 1;
                }
                _ => return,
            }
        }
    }
}

impl<T> Default for CowRadix<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Node<T> {
    fn vacant() -> Node<T> {
        Node {
            present: 0,
            slots: [const { Slot::Vacant }; FAN_OUT],
        }
    }

    fn set(&mut self, slot: usize, content: Slot<T>) -> Slot<T> {
        self.present |= 1 << slot;
        std::mem::replace(&mut self.slots[slot], content)
    }

    fn vacate(&mut self, slot: usize) -> Slot<T> {
        self.present &= !(1 << slot);
        std::mem::replace(&mut self.slots[slot], Slot::Vacant)
    }
}

impl<T: Clone> Node<T> {
    fn insert(&mut self, key: u64, height: u32, value: T) -> Option<T> {
        let slot = digit(key, height);
        if height == 1 {
            return match self.set(slot, Slot::Value(value)) {
                Slot::Value(before) => Some(before),
                _ => None,
            };
        }
        if let Slot::Vacant = self.slots[slot] {
            self.set(slot, Slot::Branch(Arc::new(Node::vacant())));
        }
        let Slot::Branch(below) = &mut self.slots[slot] else {
            unreachable!("values stand at height 1 only")
        };
        Arc::make_mut(below).insert(key, height - 1, value)
    }

    fn remove(&mut self, key: u64, height: u32) -> Option<T> {
        let slot = digit(key, height);
        let below = match &mut self.slots[slot] {
            Slot::Branch(below) => Arc::make_mut(below),
            Slot::Value(_) => match self.vacate(slot) {
                Slot::Value(before) => return Some(before),
                _ => return None,
            },
            Slot::Vacant => return None,
        };
        let before = below.remove(key, height - 1);
        if below.present == 0 {
            self.vacate(slot);
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn check_equal(map: &CowRadix<u32>, model: &BTreeMap<u64, u32>) {
        assert_eq!(map.len(), model.len() as u64);
        assert_eq!(map.is_empty(), model.is_empty());
        assert!(
            map.iter()
                .map(|(key, value)| (key, *value))
                .eq(model.iter().map(|(k, v)| (*k, *v)))
        );
        let height = model.last_key_value().map_or(0, |(highest, _)| {
            (1..=HEIGHT_MAX)
                .find(|height| holds(*height, *highest))
                .unwrap()
        });
        assert_eq!(
            map.height, height,
            "the least height that holds the highest key"
        );
        if let Some(root) = &map.root {
            check_node(root, map.height);
        }
    }

    fn check_node(node: &Node<u32>, height: u32) {
        assert_ne!(node.present, 0);
        for (slot, content) in node.slots.iter().enumerate() {
            let present = node.present >> slot & 1 == 1;
            match content {
                Slot::Vacant => assert!(!present),
                Slot::Value(_) => assert!(present && height == 1),
                Slot::Branch(below) => {
                    assert!(present && height > 1);
                    check_node(below, height - 1);
                }
            }
        }
    }

    fn key() -> impl Strategy<Value = u64> {
        prop_oneof![
            8 => 0_u64..300,
            2 => 4000_u64..4200,
            1 => any::<u64>(),
            1 => (0_u32..64).prop_map(|bit| 1 << bit),
            1 => (0_u64..4).prop_map(|below| u64::MAX - below),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_btree_map(
            steps in prop::collection::vec((key(), 0_u8..10, any::<u32>()), 1..400),
            start in key(),
        ) {
            let (mut map, mut model) = (CowRadix::new(), BTreeMap::new());
            let mut held = (map.clone(), model.clone());
            for (key, what, value) in steps {
                match what {
                    0..5 => assert_eq!(map.insert(key, value), model.insert(key, value)),
                    5..8 => assert_eq!(map.remove(key), model.remove(&key)),
                    8 => {
                        let (ours, theirs) = (map.get_mut(key), model.get_mut(&key));
                        assert_eq!(&ours, &theirs);
                        if let (Some(ours), Some(theirs)) = (ours, theirs) {
                            *ours = value;
                            *theirs = value;
                        }
                    }
                    _ => {
                        check_equal(&held.0, &held.1);
                        held = (map.clone(), model.clone());
                    }
                }
                assert_eq!(map.get(key), model.get(&key));
            }
            check_equal(&map, &model);
            check_equal(&held.0, &held.1);
            assert!(map.iter_from(start).map(|(k, v)| (k, *v)).eq(model.range(start..).map(|(k, v)| (*k, *v))));
        }
    }
}
