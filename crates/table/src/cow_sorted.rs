//! A sorted list whose copies share what they have in common.
//!
//! ```text
//!   inner:  first entry, count, node | first entry, count, node | ...       up to 64 of them
//!                                │                          │
//!   leaf:          entry entry entry ...          entry entry ...           up to 64 of them, in order
//! ```
//!
//! An only entry, as a transaction of one row has it, stands in the list itself. A copy takes one reference count, or that entry. A write copies the nodes from the root to the entry, and only where somebody else
//! holds them too. Whoever calls says where an entry belongs by comparing it with entries that are there, so a key can be
//! looked for without being made.
//!
//! It lives as long as a write transaction: nodes that lose entries are not filled up again, but go when they are empty.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::cow_sorted_range::CowSortedRange;

/// The most entries of a leaf, and the most children of an inner node.
const NODE_MAX: usize = 64;

/// Entries in an order that the caller knows, none of them twice. Copied in O(1).
#[derive(Debug, Clone)]
pub(crate) struct CowSorted<T> {
    root: Root<T>,
}

#[derive(Debug, Clone)]
pub(crate) enum Root<T> {
    Nothing,
    Only(T),
    /// Invariant: all leaves are equally deep.
    Node(Arc<Node<T>>),
}

/// Invariant: never empty.
#[derive(Debug, Clone)]
pub(crate) enum Node<T> {
    Leaf(Vec<T>),
    Inner(Vec<Child<T>>),
}

#[derive(Debug, Clone)]
pub(crate) struct Child<T> {
    /// Invariant: no entry below comes before it, unless the child is the first of its node; all entries of the children
    /// in front do.
    first: T,
    /// How many entries there are below.
    count: usize,
    node: Arc<Node<T>>,
}

impl<T> CowSorted<T> {
    /// No entries.
    pub(crate) fn new() -> Self {
        CowSorted {
            root: Root::Nothing,
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        match &self.root {
            Root::Nothing => 0,
            Root::Only(_) => 1,
            Root::Node(root) => root.count(),
        }
    }

    /// The entry that `compare` finds equal to what is looked for. It says how an entry compares with that.
    pub(crate) fn get(&self, compare: impl Fn(&T) -> Ordering) -> Option<&T> {
        let mut node = match &self.root {
            Root::Nothing => return None,
            Root::Only(entry) => return compare(entry).is_eq().then_some(entry),
            Root::Node(root) => &**root,
        };
        loop {
            match node {
                Node::Leaf(entries) => {
                    let found = entries.binary_search_by(compare).ok()?;
                    return Some(&entries[found]);
                }
                Node::Inner(children) => {
                    node = &children[child_at(children, |first| compare(first).is_le())].node;
                }
            }
        }
    }

    /// The first entry that is not before some place. `is_before` must hold for the first entries and for no later one.
    pub(crate) fn first_from(&self, is_before: impl Fn(&T) -> bool) -> Option<&T> {
        let mut node = match &self.root {
            Root::Nothing => return None,
            Root::Only(entry) => return (!is_before(entry)).then_some(entry),
            Root::Node(root) => &**root,
        };
        // Where to go on if the leaf that is come to ends before the place.
        let mut behind: Option<&Node<T>> = None;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let place = entries.partition_point(&is_before);
                    let next = || behind.and_then(|node| node.leaf_of(0).0.first());
                    return entries.get(place).or_else(next);
                }
                Node::Inner(children) => {
                    let child = child_at(children, &is_before);
                    let next = children.get(child + 1);
                    behind = next.map(|next| &*next.node).or(behind);
                    node = &children[child].node;
                }
            }
        }
    }

    /// All entries, in order, from both ends.
    pub(crate) fn iter(&self) -> CowSortedRange<'_, T> {
        CowSortedRange::new(&self.root, 0, self.len())
    }

    /// The entries that are not before the range and not behind it, in order, from both ends. `is_before` must hold for
    /// the first entries up to some place and for no later one; `is_behind` the other way round.
    pub(crate) fn range(
        &self,
        is_before: impl Fn(&T) -> bool,
        is_behind: impl Fn(&T) -> bool,
    ) -> CowSortedRange<'_, T> {
        let rank = |is_before: &dyn Fn(&T) -> bool| match &self.root {
            Root::Nothing => 0,
            Root::Only(entry) => usize::from(is_before(entry)),
            Root::Node(root) => root.rank(is_before),
        };
        let front = rank(&is_before);
        let back = rank(&|entry| !is_behind(entry));
        CowSortedRange::new(&self.root, front, back.max(front))
    }
}

impl<T: Clone> CowSorted<T> {
    /// The entry that `compare` finds equal, to be changed without being moved.
    pub(crate) fn get_mut(&mut self, compare: impl Fn(&T) -> Ordering) -> Option<&mut T> {
        // Looked for first: an entry that is not there must copy nothing.
        self.get(&compare)?;
        let mut node = match &mut self.root {
            Root::Nothing => return None,
            Root::Only(entry) => return Some(entry),
            Root::Node(root) => Arc::make_mut(root),
        };
        loop {
            match node {
                Node::Leaf(entries) => {
                    let found = entries.binary_search_by(compare).ok()?;
                    return Some(&mut entries[found]);
                }
                Node::Inner(children) => {
                    let child = child_at(children, |first| compare(first).is_le());
                    node = Arc::make_mut(&mut children[child].node);
                }
            }
        }
    }

    /// Adds an entry that is not there yet. `compare` says how one that is there compares with it.
    pub(crate) fn insert(&mut self, entry: T, compare: impl Fn(&T, &T) -> Ordering) {
        if let Root::Node(root) = &mut self.root {
            if let Some(right) = Arc::make_mut(root).insert(entry, &compare) {
                let left = Child::new(Arc::clone(root));
                *root = Arc::new(Node::Inner(vec![left, right]));
            }
            return;
        }
        self.root = match std::mem::replace(&mut self.root, Root::Nothing) {
            Root::Only(there) if compare(&there, &entry).is_lt() => {
                Root::Node(Arc::new(Node::Leaf(vec![there, entry])))
            }
            Root::Only(there) => Root::Node(Arc::new(Node::Leaf(vec![entry, there]))),
            _ => Root::Only(entry),
        };
    }

    /// Takes the entry that `compare` finds equal away and returns it.
    pub(crate) fn remove(&mut self, compare: impl Fn(&T) -> Ordering) -> Option<T> {
        self.get(&compare)?;
        let Root::Node(root) = &mut self.root else {
            let Root::Only(entry) = std::mem::replace(&mut self.root, Root::Nothing) else {
                return None;
            };
            return Some(entry);
        };
        let removed = Arc::make_mut(root).remove(&compare);
        while let Root::Node(root) = &self.root {
            match &**root {
                Node::Inner(children) if children.len() == 1 => {
                    self.root = Root::Node(Arc::clone(&children[0].node));
                }
                node if node.count() == 0 => self.root = Root::Nothing,
                _ => break,
            }
        }
        removed
    }
}

impl<T> Node<T> {
    fn count(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.iter().map(|child| child.count).sum(),
        }
    }

    /// How many entries are before some place.
    fn rank(&self, is_before: &dyn Fn(&T) -> bool) -> usize {
        let (mut node, mut rank) = (self, 0);
        loop {
            match node {
                Node::Leaf(entries) => return rank + entries.partition_point(is_before),
                Node::Inner(children) => {
                    let child = child_at(children, is_before);
                    rank += children[..child].iter().map(|c| c.count).sum::<usize>();
                    node = &children[child].node;
                }
            }
        }
    }

    /// The leaf in which the entry of a rank stands, and where in it.
    pub(crate) fn leaf_of(&self, mut rank: usize) -> (&[T], usize) {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(entries) => return (entries, rank),
                Node::Inner(children) => {
                    let mut child = 0;
                    while rank >= children[child].count {
                        rank -= children[child].count;
                        child += 1;
                    }
                    node = &children[child].node;
                }
            }
        }
    }
}

impl<T: Clone> Node<T> {
    /// Gives what has to stand behind this node where it was split.
    fn insert(&mut self, entry: T, compare: &impl Fn(&T, &T) -> Ordering) -> Option<Child<T>> {
        let right = match self {
            Node::Leaf(entries) => {
                let place = entries.partition_point(|there| compare(there, &entry).is_lt());
                Node::Leaf(put(entries, place, entry)?)
            }
            Node::Inner(children) => {
                let place = child_at(children, |first| compare(first, &entry).is_le());
                let child = &mut children[place];
                let split = Arc::make_mut(&mut child.node).insert(entry, compare);
                child.count += 1;
                let behind = split?;
                child.count -= behind.count;
                Node::Inner(put(children, place + 1, behind)?)
            }
        };
        Some(Child::new(Arc::new(right)))
    }

    fn remove(&mut self, compare: &impl Fn(&T) -> Ordering) -> Option<T> {
        match self {
            Node::Leaf(entries) => {
                let found = entries.binary_search_by(compare).ok()?;
                Some(entries.remove(found))
            }
            Node::Inner(children) => {
                let place = child_at(children, |first| compare(first).is_le());
                let child = &mut children[place];
                let removed = Arc::make_mut(&mut child.node).remove(compare)?;
                child.count -= 1;
                if child.count == 0 {
                    children.remove(place);
                }
                Some(removed)
            }
        }
    }

    fn first(&self) -> &T {
        match self {
            Node::Leaf(entries) => &entries[0],
            Node::Inner(children) => &children[0].first,
        }
    }
}

impl<T: Clone> Child<T> {
    fn new(node: Arc<Node<T>>) -> Self {
        Child {
            first: node.first().clone(),
            count: node.count(),
            node,
        }
    }
}

/// The child in which what comes right behind all that `is_not_behind` holds for stands or would stand.
fn child_at<T>(children: &[Child<T>], is_not_behind: impl Fn(&T) -> bool) -> usize {
    let behind = children.partition_point(|child| is_not_behind(&child.first));
    behind.saturating_sub(1)
}

/// Puts an item in its place; gives the second half where there was no room. Items that come in order fill their nodes.
fn put<E>(items: &mut Vec<E>, place: usize, item: E) -> Option<Vec<E>> {
    if items.len() < NODE_MAX {
        items.insert(place, item);
        return None;
    }
    let half = if place == NODE_MAX {
        NODE_MAX
    } else {
        NODE_MAX / 2
    };
    let mut right = items.split_off(half);
    if place < half {
        items.insert(place, item);
    } else {
        right.insert(place - half, item);
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Every invariant of the nodes; the depth of the leaves.
    fn check_node(node: &Node<u32>) -> usize {
        match node {
            Node::Leaf(entries) => {
                assert!((1..=NODE_MAX).contains(&entries.len()));
                assert!(entries.is_sorted_by(|a, b| a < b));
                0
            }
            Node::Inner(children) => {
                assert!((1..=NODE_MAX).contains(&children.len()));
                let depths: BTreeSet<usize> = children
                    .iter()
                    .map(|child| check_node(&child.node))
                    .collect();
                assert_eq!(depths.len(), 1);
                for (place, child) in children.iter().enumerate() {
                    assert_eq!(child.count, child.node.count());
                    let (first, _) = child.node.leaf_of(0);
                    let (last, end) = child.node.leaf_of(child.count - 1);
                    assert!(place == 0 || child.first <= first[0]);
                    if let Some(next) = children.get(place + 1) {
                        assert!(last[end] < next.first);
                    }
                }
                depths.first().unwrap() + 1
            }
        }
    }

    fn check_equal(list: &CowSorted<u32>, model: &BTreeSet<u32>) {
        assert_eq!(list.len(), model.len());
        assert_eq!(matches!(list.root, Root::Nothing), model.is_empty());
        assert!(list.iter().eq(model));
        assert!(list.iter().rev().eq(model.iter().rev()));
        if let Root::Node(root) = &list.root {
            check_node(root);
        }
    }

    proptest! {
        #[test]
        fn behaves_as_a_btree_set(
            blocks in prop::collection::vec((0_u32..6000, 1_u32..400, 0_u8..8), 1..60),
            bounds in prop::collection::vec((0_u32..6000, 0_u32..6000, any::<u64>()), 8),
        ) {
            let (mut list, mut model) = (CowSorted::new(), BTreeSet::new());
            let mut held = (list.clone(), model.clone());
            for (start, length, what) in blocks {
                // Runs, upwards, downwards and with gaps, so that nodes split everywhere and empty.
                for step in 0..length {
                    let number = match what {
                        0 | 1 | 5 => start + step,
                        2 => start + length - step,
                        _ => (start + step * 37) % 6000,
                    };
                    let compare = |there: &u32| there.cmp(&number);
                    assert_eq!(list.get(compare), model.get(&number));
                    if what < 4 {
                        if model.insert(number) {
                            list.insert(number, u32::cmp);
                        }
                    } else {
                        assert_eq!(list.remove(compare), model.take(&number));
                    }
                }
                if what == 7 {
                    check_equal(&held.0, &held.1);
                    held = (list.clone(), model.clone());
                }
            }
            check_equal(&list, &model);
            check_equal(&held.0, &held.1);
            for (lower, upper, mut ends) in bounds {
                assert_eq!(list.first_from(|n| *n < lower), model.range(lower..).next());
                let mut range = list.range(|n| *n < lower, |n| *n > upper);
                let mut left: Vec<&u32> = model.iter().filter(|n| (lower..=upper).contains(n)).collect();
                while !left.is_empty() {
                    assert_eq!((range.peek(), range.peek_back()), (left.first().copied(), left.last().copied()));
                    ends = ends.rotate_left(1);
                    if ends & 1 == 0 {
                        assert_eq!(range.next(), Some(left.remove(0)));
                    } else {
                        assert_eq!(range.next_back(), left.pop());
                    }
                }
                assert_eq!((range.next(), range.next_back()), (None, None));
            }
        }
    }

    #[test]
    fn a_copy_keeps_every_entry_as_it_was() {
        let mut list = CowSorted::new();
        for number in 0..10_000_u32 {
            list.insert((number, 0_u32), |there, new| there.0.cmp(&new.0));
        }
        let copy = list.clone();
        for number in 0..10_000_u32 {
            list.get_mut(|there| there.0.cmp(&number)).unwrap().1 = 1;
        }
        assert!(list.get_mut(|there| there.0.cmp(&10_000)).is_none());
        assert!(copy.iter().all(|entry| entry.1 == 0));
        assert!(list.iter().all(|entry| entry.1 == 1));
        assert!(list.iter().map(|entry| entry.0).eq(0..10_000));
    }
}
