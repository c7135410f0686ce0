//! A part of a sorted list, walked through from both ends.

use crate::cow_sorted::{Node, Root};

/// A part of a [`CowSorted`], in order, from both ends.
#[derive(Debug, Clone)]
pub(crate) struct CowSortedRange<'a, T> {
    root: Option<&'a Node<T>>,
    /// Invariant: ranks of entries; from `front` up to `back` are still to come.
    front: usize,
    back: usize,
    /// The rest of the leaf at the front, and at the back; empty before the first look and at a leaf's end.
    front_leaf: &'a [T],
    back_leaf: &'a [T],
}

impl<'a, T> CowSortedRange<'a, T> {
    /// The entries of a list from one rank up to another.
    pub(crate) fn new(root: &'a Root<T>, front: usize, back: usize) -> Self {
        let (root, leaf): (_, &[T]) = match root {
            Root::Nothing => (None, &[]),
            Root::Only(entry) => (None, std::slice::from_ref(entry)),
            Root::Node(root) => (Some(&**root), &[]),
        };
        CowSortedRange {
            root,
            front,
            back,
            front_leaf: leaf,
            back_leaf: leaf,
        }
    }

    /// What [`Iterator::next`] would give.
    pub(crate) fn peek(&mut self) -> Option<&'a T> {
        if self.front == self.back {
            return None;
        }
        if self.front_leaf.is_empty() {
            let (leaf, place) = self.root?.leaf_of(self.front);
            self.front_leaf = &leaf[place..];
        }
        self.front_leaf.first()
    }

    /// What [`DoubleEndedIterator::next_back`] would give.
    pub(crate) fn peek_back(&mut self) -> Option<&'a T> {
        if self.front == self.back {
            return None;
        }
        if self.back_leaf.is_empty() {
            let (leaf, place) = self.root?.leaf_of(self.back - 1);
            self.back_leaf = &leaf[..=place];
        }
        self.back_leaf.last()
    }
}

impl<'a, T> Iterator for CowSortedRange<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        let entry = self.peek()?;
        self.front += 1;
        self.front_leaf = &self.front_leaf[1..];
        Some(entry)
    }
}

impl<T> DoubleEndedIterator for CowSortedRange<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.peek_back()?;
        self.back -= 1;
        self.back_leaf = &self.back_leaf[..self.back_leaf.len() - 1];
        Some(entry)
    }
}
