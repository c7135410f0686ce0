//! An ordered index: a B+tree whose nodes are pages.
//!
//! ```text
//!                   root: inner node, level 2
//!                  /          |          \
//!            level 1       level 1       level 1       inner: keys that separate, and children
//!           /   |   \      /  |  \       /  |  \
//!         leaf leaf ...                               leaves: (key, row id), in order
//! ```
//!
//! The tree orders entries by (key bytes, row id), so many rows may have one key. It knows its root and
//! height alone; nodes name each other by page number going down only. So a node that is copied because
//! a view holds it keeps its number, and nothing above it is touched. There are no links between
//! neighbours to go in circles on, and a walk down ends after as many steps as the tree is high,
//! whatever the bytes say.
//!
//! After an error of a changing operation the tree and the pages may hold half of the change: they are a
//! fork, and are to be dropped.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::btree_cursor::Cursor;
pub use crate::btree_format::KEY_BYTES_MAX;
use crate::btree_node::{Entry, Node, ROW_AFTER_ALL};
use crate::btree_node_mut::NodeMut;
use crate::btree_path::{HEIGHT_MAX, Path};
pub use crate::btree_range::BTreeRange;
use crate::damaged::{DamageKind, Damaged};
use crate::page_error::PageError;
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::table_id::TableId;

/// An ordered set of (key, row id). The entries stand in pages; this is what names them.
///
/// An empty tree owns no page. Keys have at most [`KEY_BYTES_MAX`] bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct BTree {
    /// Invariant: nothing exactly when `height` and `entry_count` are zero.
    pub(crate) root: Option<PageNumber>,
    /// The number of levels. Invariant: at most [`HEIGHT_MAX`].
    pub(crate) height: u8,
    pub(crate) entry_count: u64,
}

/// A tree as it is stored, before it is known to be possible.
#[derive(Serialize, Deserialize)]
struct Stored {
    root: Option<PageNumber>,
    height: u8,
    entry_count: u64,
}

impl From<BTree> for Stored {
    fn from(
        BTree {
            root,
            height,
            entry_count,
        }: BTree,
    ) -> Stored {
        Stored {
            root,
            height,
            entry_count,
        }
    }
}

impl TryFrom<Stored> for BTree {
    type Error = &'static str;

    fn try_from(
        Stored {
            root,
            height,
            entry_count,
        }: Stored,
    ) -> Result<BTree, &'static str> {
        let is_empty = root.is_none();
        if is_empty != (height == 0) || is_empty != (entry_count == 0) || height > HEIGHT_MAX {
            return Err("the root, height and entry count of an index contradict each other");
        }
        Ok(BTree {
            root,
            height,
            entry_count,
        })
    }
}

impl BTree {
    /// An empty tree.
    pub fn new() -> BTree {
        BTree::default()
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> u64 {
        self.entry_count
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The number of levels, leaves included; zero when empty.
    pub fn height(&self) -> u8 {
        self.height
    }

    /// Whether (`key`, `row`) is there.
    ///
    /// # Errors
    /// When a page on the way is damaged; so for every operation below.
    pub fn contains(&self, pages: &Pages, key: &[u8], row: RowId) -> Result<bool, Damaged> {
        Ok(match self.leaf_for(pages, key, row.to_u64())? {
            Some(leaf) => leaf.find(key, row)?.is_ok(),
            None => false,
        })
    }

    /// The lowest row with exactly this key.
    pub fn first_with_key(&self, pages: &Pages, key: &[u8]) -> Result<Option<RowId>, Damaged> {
        let Some(mut number) = self.root else {
            return Ok(None);
        };
        // The separator behind the leaf that the way leads to.
        let mut behind: Option<(Node<'_>, usize)> = None;
        for level in (1..=self.root_level()).rev() {
            let node = Node::open(pages, number, level)?;
            let child = node.child_for(key, 0)?;
            if child < node.len() {
                behind = Some((node, child));
            }
            number = node.child(child)?;
        }
        let leaf = Node::open(pages, number, 0)?;
        let position = leaf.position(key, 0)?;
        if position < leaf.len() {
            let entry = leaf.entry(position)?;
            return Ok((entry.key == key).then_some(entry.row));
        }
        // What is behind a separator is not below it, and that is not below the key: so the key begins in the next leaf if anywhere, and only if it is
        // the separator's.
        match behind {
            Some((node, separator)) if node.entry(separator)?.key == key => {}
            _ => return Ok(None),
        }
        let first = self.first_at_or_after(pages, Bound::Included(key))?;
        Ok(first.and_then(|(found, row)| (found == key).then_some(row)))
    }

    /// The lowest row with exactly this key that is above `below`, if that is given.
    pub(crate) fn next_with_key(
        &self,
        pages: &Pages,
        key: &[u8],
        below: Option<RowId>,
    ) -> Result<Option<RowId>, Damaged> {
        let row = below.map_or(0, |below| below.to_u64() + 1);
        let Some(cursor) = Cursor::first_not_below(self, pages, key, row)? else {
            return Ok(None);
        };
        let entry = cursor.entry()?;
        if entry.cmp_with(key, row).is_lt() {
            // Whoever asks again and again would never come to an end.
            return Err(cursor
                .leaf()
                .broken("the entries of an index do not ascend"));
        }
        Ok((entry.key == key).then_some(entry.row))
    }

    /// The first entry whose key is not below `bound`.
    pub fn first_at_or_after<'a>(
        &self,
        pages: &'a Pages,
        bound: Bound<&[u8]>,
    ) -> Result<Option<(&'a [u8], RowId)>, Damaged> {
        let Some(cursor) = Cursor::first_from(self, pages, bound)? else {
            return Ok(None);
        };
        let entry = cursor.entry()?;
        Ok(Some((entry.key, entry.row)))
    }

    /// The entries whose keys lie between the bounds, in order, from both ends. Leaves are read as the
    /// walk comes to them. Bounds that exclude each other give nothing.
    pub fn range<'a>(
        &self,
        pages: &'a Pages,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> BTreeRange<'a> {
        BTreeRange::new(self, pages, lower, upper)
    }

    /// Adds (`key`, `row`); `false`, and nothing happens, if it is there.
    ///
    /// # Errors
    /// Also when no page number is vacant.
    ///
    /// # Panics
    /// When the key is longer than [`KEY_BYTES_MAX`].
    pub fn insert(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        key: &[u8],
        row: RowId,
    ) -> Result<bool, PageError> {
        assert!(
            key.len() <= KEY_BYTES_MAX,
            "a key has at most {KEY_BYTES_MAX} bytes"
        );
        let Some(root) = self.root else {
            self.begin(pages, owner, key, row)?;
            return Ok(true);
        };
        let choose = |node: &Node<'_>| node.child_for(key, row.to_u64());
        let (path, number) = Path::descend(pages, root, self.root_level(), choose)?;
        let mut leaf = NodeMut::open(pages, number, 0)?;
        let Err(position) = leaf.node()?.find(key, row)? else {
            return Ok(false);
        };
        let entry = Entry {
            key,
            row,
            child: None,
        };
        if !leaf.insert(position, &entry)? {
            self.insert_where_full(pages, owner, path, number, position, &entry)?;
        }
        self.entry_count += 1;
        Ok(true)
    }

    /// Takes (`key`, `row`) away; `false`, and nothing happens, if it is not there.
    ///
    /// # Errors
    /// Also when no page number is vacant: a separator that becomes longer may split a node.
    pub fn remove(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        key: &[u8],
        row: RowId,
    ) -> Result<bool, PageError> {
        let Some(root) = self.root else {
            return Ok(false);
        };
        let choose = |node: &Node<'_>| node.child_for(key, row.to_u64());
        let (path, number) = Path::descend(pages, root, self.root_level(), choose)?;
        // Looked for before it is opened to be written: a miss must copy nothing.
        let Ok(position) = Node::open(pages, number, 0)?.find(key, row)? else {
            return Ok(false);
        };
        NodeMut::open(pages, number, 0)?.remove(position)?;
        self.entry_count = self.entry_count.checked_sub(1).ok_or_else(|| {
            DamageKind::Structure("an index has more entries than it counts").at(number)
        })?;
        self.settle(pages, owner, path, number)?;
        Ok(true)
    }

    /// Puts (`key`, `to`) in the place of (`key`, `from`); `false`, and nothing happens, if that is not there.
    ///
    /// # Errors
    /// As [`BTree::remove`].
    pub(crate) fn replace_row(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        key: &[u8],
        from: RowId,
        to: RowId,
    ) -> Result<bool, PageError> {
        let Some(leaf) = self.leaf_for(pages, key, from.to_u64())? else {
            return Ok(false);
        };
        let Ok(position) = leaf.find(key, from)? else {
            return Ok(false);
        };
        // Between two others of its leaf it is between the separators, too.
        if position > 0
            && position + 1 < leaf.len()
            && leaf.entry(position - 1)?.cmp_with(key, to.to_u64()).is_lt()
            && leaf.entry(position + 1)?.cmp_with(key, to.to_u64()).is_gt()
        {
            let number = leaf.number();
            NodeMut::open(pages, number, 0)?.set_row(position, to)?;
            return Ok(true);
        }
        self.remove(pages, owner, key, from)?;
        self.insert(pages, owner, key, to)
    }

    /// Takes all entries away and gives all pages back.
    pub fn clear(&mut self, pages: &mut Pages) -> Result<(), Damaged> {
        let tree = std::mem::take(self);
        let mut pending: Vec<(PageNumber, u8)> = tree
            .root
            .map(|root| (root, tree.root_level()))
            .into_iter()
            .collect();
        while let Some((number, level)) = pending.pop() {
            if level > 0 {
                let node = Node::open(pages, number, level)?;
                for child in 0..=node.len() {
                    pending.push((node.child(child)?, level - 1));
                }
            } else {
                Node::open(pages, number, level)?;
            }
            // Each page is freed once; one that is met again is missing by then, so this ends.
            pages.free(number)?;
        }
        Ok(())
    }

    /// The level of the root; the tree must not be empty.
    pub(crate) fn root_level(&self) -> u8 {
        self.height.saturating_sub(1)
    }

    /// The first entry of an empty tree, in a leaf of its own.
    fn begin(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        key: &[u8],
        row: RowId,
    ) -> Result<(), PageError> {
        let root = pages.allocate(PageKind::IndexLeaf, owner)?;
        NodeMut::build(
            pages,
            root,
            owner,
            0,
            None,
            &[Entry {
                key,
                row,
                child: None,
            }],
        )?;
        *self = BTree {
            root: Some(root),
            height: 1,
            entry_count: 1,
        };
        Ok(())
    }

    /// The leaf in which (`key`, `row`) would stand.
    fn leaf_for<'a>(
        &self,
        pages: &'a Pages,
        key: &[u8],
        row: u64,
    ) -> Result<Option<Node<'a>>, Damaged> {
        debug_assert!(row <= ROW_AFTER_ALL);
        let Some(mut number) = self.root else {
            return Ok(None);
        };
        for level in (1..=self.root_level()).rev() {
            let node = Node::open(pages, number, level)?;
            number = node.child(node.child_for(key, row)?)?;
        }
        Node::open(pages, number, 0).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const OWNER: TableId = TableId(7);

    fn row(number: u32) -> RowId {
        RowId::new(PageNumber::new(number).unwrap(), 0)
    }

    /// Keys that many rows have stand next to each other, and go on from leaf to leaf; a row goes to where another one of its key would be.
    #[test]
    fn a_row_that_takes_the_place_of_another_stands_in_order() {
        let (mut tree, mut pages) = (BTree::new(), Pages::new());
        let mut model = BTreeSet::new();
        let key = |number: u32| (number * 7919 % 12_000 / 1500).to_be_bytes();
        let before = |number: u32| row(number + 30_000);
        for number in 0..12_000 {
            tree.insert(&mut pages, OWNER, &key(number), before(number))
                .unwrap();
            model.insert((key(number), before(number)));
        }
        assert!(tree.height() > 1);
        for number in 0..12_000 {
            let (key, from) = (key(number), before(number));
            // Behind all others of its key, in front of them, and in between.
            let to = row((number ^ 1) + [100_000, 0, 45_000][number as usize % 3]);
            let replaced = tree.replace_row(&mut pages, OWNER, &key, from, to);
            assert_eq!(replaced, Ok(true));
            assert_eq!(
                tree.replace_row(&mut pages, OWNER, &key, from, to),
                Ok(false)
            );
            model.remove(&(key, from));
            model.insert((key, to));
            if number % 500 == 0 {
                tree.check(&pages).unwrap();
            }
        }
        tree.check(&pages).unwrap();
        let entries = tree.range(&pages, Bound::Unbounded, Bound::Unbounded);
        let entries = entries.map(|entry| entry.unwrap());
        assert!(entries.eq(model.iter().map(|(key, row)| (&key[..], *row))));
    }
}
