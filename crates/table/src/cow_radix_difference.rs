//! Where two [`CowRadix`] differ, without a look at what they share.

use std::sync::Arc;

use crate::cow_radix::{CowRadix, DIGIT_BITS, FAN_OUT, Node, Slot};

/// The keys that have a value in one of the two only, or not the same in both; ascending. Costs what has changed since one was copied from the other.
pub(crate) fn difference<T>(
    a: &CowRadix<T>,
    b: &CowRadix<T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Vec<u64> {
    let mut keys = Vec::new();
    let root = |map| Part::of_root(map);
    walk(
        (root(a), root(b)),
        a.height.max(b.height),
        0,
        &is_same,
        &mut keys,
    );
    keys
}

/// A subtree, or a value.
enum Part<'a, T> {
    /// And its height.
    Node(&'a Arc<Node<T>>, u32),
    Value(&'a T),
}

impl<'a, T> Part<'a, T> {
    fn of_root(map: &'a CowRadix<T>) -> Option<Self> {
        map.root.as_ref().map(|root| Part::Node(root, map.height))
    }

    /// What stands in a slot, looked at from a height: a lower tree stands in the first slots of nodes that do not exist.
    fn below(&self, slot: usize, height: u32) -> Option<Self> {
        match self {
            Part::Node(node, own) if *own == height => match &node.slots[slot] {
                Slot::Vacant => None,
                Slot::Branch(below) => Some(Part::Node(below, own - 1)),
                Slot::Value(value) => Some(Part::Value(value)),
            },
            Part::Node(node, own) => (slot == 0).then_some(Part::Node(node, *own)),
            Part::Value(_) => None,
        }
    }
}

fn walk<'a, T>(
    pair: (Option<Part<'a, T>>, Option<Part<'a, T>>),
    height: u32,
    first_key: u64,
    is_same: &impl Fn(&T, &T) -> bool,
    keys: &mut Vec<u64>,
) {
    match &pair {
        (None, None) => return,
        (Some(Part::Node(a, _)), Some(Part::Node(b, _))) if Arc::ptr_eq(a, b) => return,
        (Some(Part::Value(a)), Some(Part::Value(b))) if is_same(a, b) => return,
        _ => {}
    }
    if height == 0 {
        keys.push(first_key);
        return;
    }
    for slot in 0..FAN_OUT {
        let below = |part: &Option<Part<'a, T>>| part.as_ref()?.below(slot, height);
        let shift = DIGIT_BITS * (height - 1);
        let first_key = first_key | (slot as u64) << shift;
        walk(
            (below(&pair.0), below(&pair.1)),
            height - 1,
            first_key,
            is_same,
            keys,
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = u64> {
        prop_oneof![
            8 => 0_u64..300,
            2 => 4000_u64..4200,
            1 => any::<u64>(),
            1 => Just(u64::MAX),
        ]
    }

    proptest! {
        /// The second map begins as a copy of the first, so that they share.
        #[test]
        fn names_each_key_that_differs(
            first in prop::collection::vec((key(), 0_u8..3), 0..100),
            then in prop::collection::vec((key(), prop::option::of(0_u8..3)), 0..40),
        ) {
            let mut a = CowRadix::new();
            for (key, value) in &first {
                a.insert(*key, *value);
            }
            let mut b = a.clone();
            for (key, value) in &then {
                match value {
                    Some(value) => b.insert(*key, *value),
                    None => b.remove(*key),
                };
            }
            let model = |map: &CowRadix<u8>| -> BTreeMap<u64, u8> {
                map.iter().map(|(key, value)| (key, *value)).collect()
            };
            let (of_a, of_b) = (model(&a), model(&b));
            let mut expected: Vec<u64> = of_a.keys().chain(of_b.keys()).copied().collect();
            expected.sort_unstable();
            expected.dedup();
            expected.retain(|key| of_a.get(key) != of_b.get(key));
            prop_assert_eq!(difference(&a, &b, |a, b| a == b), expected.clone());
            prop_assert_eq!(difference(&b, &a, |a, b| a == b), expected);
        }
    }

    #[test]
    fn looks_at_no_value_of_what_is_shared() {
        let mut a = CowRadix::new();
        for key in 0..100_000_u64 {
            a.insert(key, key);
        }
        let mut b = a.clone();
        b.insert(70_000, 1);
        let compared = std::cell::Cell::new(0);
        let keys = difference(&a, &b, |a, b| {
            compared.set(compared.get() + 1);
            a == b
        });
        assert_eq!((keys, compared.get()), (vec![70_000], 64));
    }
}
