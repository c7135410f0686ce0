//! The place of an entry in a B+tree.

use std::cmp::Ordering;
use std::ops::Bound;

use crate::btree::BTree;
use crate::btree_node::{Entry, Node, ROW_AFTER_ALL};
use crate::btree_path::HEIGHT_MAX;
use crate::damaged::Damaged;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;

/// The place of an entry: the path of children to its leaf, and the index in it.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    /// The inner nodes from the root down, with the index of the child.
    above: [(PageNumber, u16); HEIGHT_MAX as usize],
    root_level: u8,
    leaf: Node<'a>,
    /// Invariant: below the number of entries of the leaf.
    index: usize,
}

impl<'a> Cursor<'a> {
    /// The first entry that keeps to a lower bound.
    pub(crate) fn first_from(
        tree: &BTree,
        pages: &'a Pages,
        lower: Bound<&[u8]>,
    ) -> Result<Option<Self>, Damaged> {
        // A bound is a place between entries: before all rows of its key, or behind them.
        let (key, row) = match lower {
            Bound::Included(key) => (key, 0),
            Bound::Excluded(key) => (key, ROW_AFTER_ALL),
            Bound::Unbounded => return Self::descend(tree, pages, |_| Ok(0)),
        };
        Self::first_not_below(tree, pages, key, row)
    }

    /// The first entry that is not below (`key`, `row`).
    pub(crate) fn first_not_below(
        tree: &BTree,
        pages: &'a Pages,
        key: &[u8],
        row: u64,
    ) -> Result<Option<Self>, Damaged> {
        let Some(mut cursor) = Self::descend(tree, pages, |node| node.child_for(key, row))? else {
            return Ok(None);
        };
        cursor.index = cursor.leaf.position(key, row)?;
        let found = cursor.index < cursor.leaf.len() || cursor.next_leaf(pages)?;
        Ok(found.then_some(cursor))
    }

    /// The last entry that keeps to an upper bound.
    pub(crate) fn last_to(
        tree: &BTree,
        pages: &'a Pages,
        upper: Bound<&[u8]>,
    ) -> Result<Option<Self>, Damaged> {
        let (key, row) = match upper {
            Bound::Included(key) => (key, ROW_AFTER_ALL),
            Bound::Excluded(key) => (key, 0),
            Bound::Unbounded => {
                let cursor = Self::descend(tree, pages, |node| Ok(node.len()))?;
                return Ok(cursor.map(Self::at_end_of_leaf));
            }
        };
        let Some(mut cursor) = Self::descend(tree, pages, |node| node.position(key, row))? else {
            return Ok(None);
        };
        match cursor.leaf.position(key, row)?.checked_sub(1) {
            Some(index) => cursor.index = index,
            None if !cursor.previous_leaf(pages)? => return Ok(None),
            None => {}
        }
        Ok(Some(cursor))
    }

    /// The entry here.
    #[inline]
    pub(crate) fn entry(&self) -> Result<Entry<'a>, Damaged> {
        self.leaf.entry(self.index)
    }

    /// The leaf of the entry.
    pub(crate) fn leaf(&self) -> &Node<'a> {
        &self.leaf
    }

    /// Moves to the next entry, if there is one.
    #[inline]
    pub(crate) fn forward(&mut self, pages: &'a Pages) -> Result<bool, Damaged> {
        if self.index + 1 < self.leaf.len() {
            self.index += 1;
            return Ok(true);
        }
        self.next_leaf(pages)
    }

    /// Moves to the entry before, if there is one.
    #[inline]
    pub(crate) fn backward(&mut self, pages: &'a Pages) -> Result<bool, Damaged> {
        if self.index > 0 {
            self.index -= 1;
            return Ok(true);
        }
        self.previous_leaf(pages)
    }

    /// The row of the entry so many places on towards `far`, if it stands in this leaf and not beyond that; and asks for the entry as
    /// far on again.
    #[inline]
    pub(crate) fn row_ahead(&self, far: &Self, distance: usize, forward: bool) -> Option<RowId> {
        let is_last = self.leaf.number() == far.leaf.number();
        let ahead = |distance: usize| {
            let (index, is_there) = if forward {
                let end = if is_last {
                    far.index + 1
                } else {
                    self.leaf.len()
                };
                let index = self.index + distance;
                (index, index < end)
            } else {
                let start = if is_last { far.index } else { 0 };
                let index = self.index.wrapping_sub(distance);
                (index, start + distance <= self.index)
            };
            is_there.then_some(index)
        };
        let index = ahead(distance)?;
        if let Some(further) = ahead(2 * distance) {
            self.leaf.fetch_entry(further);
        }
        Some(self.leaf.entry(index).ok()?.row)
    }

    /// Whether both are one place of one tree.
    #[inline]
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        self.index == other.index && self.cmp(other).is_eq()
    }

    /// Which of two places of one tree comes first.
    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        let depth = usize::from(self.root_level);
        let children = |cursor: &Self| cursor.above.map(|(_, child)| child);
        children(self)[..depth]
            .cmp(&children(other)[..depth])
            .then(self.index.cmp(&other.index))
    }

    fn descend(
        tree: &BTree,
        pages: &'a Pages,
        choose: impl Fn(&Node<'a>) -> Result<usize, Damaged>,
    ) -> Result<Option<Self>, Damaged> {
        let Some(root) = tree.root else {
            return Ok(None);
        };
        let root_level = tree.root_level();
        let mut above = [(root, 0); HEIGHT_MAX as usize];
        let leaf = walk_down(pages, &mut above, root, root_level, root_level, choose)?;
        Ok(Some(Cursor {
            above,
            root_level,
            leaf,
            index: 0,
        }))
    }

    /// Moves to the first entry of the next leaf, if there is one.
    fn next_leaf(&mut self, pages: &'a Pages) -> Result<bool, Damaged> {
        for level in 1..=self.root_level {
            let (number, child) = &mut self.above[usize::from(self.root_level - level)];
            let node = Node::open(pages, *number, level)?;
            if usize::from(*child) < node.len() {
                *child += 1;
                let below = node.child(usize::from(*child))?;
                let first = |_: &Node<'a>| Ok(0);
                self.leaf = walk_down(
                    pages,
                    &mut self.above,
                    below,
                    self.root_level,
                    level - 1,
                    first,
                )?;
                self.index = 0;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves to the last entry of the leaf before, if there is one.
    fn previous_leaf(&mut self, pages: &'a Pages) -> Result<bool, Damaged> {
        for level in 1..=self.root_level {
            let (number, child) = &mut self.above[usize::from(self.root_level - level)];
            if *child > 0 {
                *child -= 1;
                let below = Node::open(pages, *number, level)?.child(usize::from(*child))?;
                let last = |node: &Node<'a>| Ok(node.len());
                self.leaf = walk_down(
                    pages,
                    &mut self.above,
                    below,
                    self.root_level,
                    level - 1,
                    last,
                )?;
                self.index = self.leaf.len() - 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn at_end_of_leaf(self) -> Self {
        Cursor {
            index: self.leaf.len() - 1,
            ..self
        }
    }
}

/// Fills in the path from the node `number`, which stands at `level`, to a leaf and returns that. No leaf is
/// empty.
fn walk_down<'a>(
    pages: &'a Pages,
    above: &mut [(PageNumber, u16); HEIGHT_MAX as usize],
    mut number: PageNumber,
    root_level: u8,
    level: u8,
    choose: impl Fn(&Node<'a>) -> Result<usize, Damaged>,
) -> Result<Node<'a>, Damaged> {
    for level in (1..=level).rev() {
        let node = Node::open(pages, number, level)?;
        let child = choose(&node)?;
        let index = u16::try_from(child).expect("a node has fewer children than bytes");
        above[usize::from(root_level - level)] = (number, index);
        number = node.child(child)?;
    }
    let leaf = Node::open(pages, number, 0)?;
    if leaf.len() == 0 {
        return Err(leaf.broken("an index leaf is empty"));
    }
    Ok(leaf)
}
