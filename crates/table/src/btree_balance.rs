//! How the nodes of a B+tree are kept neither too full nor too empty.
//!
//! ```text
//!   0              FILL_MIN (1/3)                  DENSE (15/16)  NODE_BYTES
//!   |-- merge, or share --|                              |            |
//!                                       write anew <---- | ----> share a leaf, or split
//! ```
//!
//! Entries have 13 to 4113 bytes, so a node is measured in bytes, not in entries. Let N be the room of a
//! node (32704), e the largest entry (4113).
//!
//! - *Split*: only when used + new > 15/16 N. The point is chosen so that the halves differ least, so by at
//!   most the entry at the point: each half of a leaf has at least (15/16 N - e) / 2 = 13273 bytes; each half
//!   of an inner node, out of which one entry goes up, at least (15/16 N - 2 e) / 2 = 11217. Both are above
//!   N/3 = 10901. Each half fits: it has at most (N + e + e) / 2 < N.
//! - *A leaf that would be split* shares evenly with a neighbour under the same parent first, if both have 15/16 of 15/16 N at most then: each half has at most
//!   ((15/16)^2 2 N + e) / 2 < N, and at least what it has in a split. So a full leaf is split where its neighbours have more than three quarters: keys in no order
//!   do not split all leaves at about the same time, and of keys that come nearly in order no leaf stays behind half full.
//! - *A node below N/3* after a removal takes a neighbour under the same parent. Do both fit into 15/16 N,
//!   they become one. Otherwise they share evenly, and the same sum as above holds. There is a neighbour, as
//!   an inner node has at least two children.
//! - *A node below 15/16 N that has run out of room* has holes: it is written anew, which gives at least
//!   N/16, so this is paid back by the inserts that it makes room for.
//! - A node of at least N/3 bytes has at least three entries, as two have at most 8226 bytes.
//! - *The right edge is exempt*: where an entry is added behind all others to a full node, and a leaf has no neighbour to
//!   share with, it begins the next node alone and the full one stays full, so ascending keys fill their leaves. A leaf on the right edge
//!   has at least one entry then, an inner node one entry and two children. A node stops being on the right
//!   edge only by being split, when it is full.
//! - A separator that changes may become longer. It is put back like a new one, and may split its node;
//!   `settle` goes on from the left half, which is not too empty.

use crate::btree::BTree;
use crate::btree_format::NODE_BYTES;
use crate::btree_node::{Entry, Node, kind_of_level};
use crate::btree_node_mut::NodeMut;
use crate::btree_path::{HEIGHT_MAX, Path};
use crate::btree_split::{make_room, write_halves};
use crate::damaged::{DamageKind, Damaged};
use crate::page_error::PageError;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::table_id::TableId;

/// A node off the right edge that is not the root has no fewer bytes of entries.
pub(crate) const FILL_MIN: usize = NODE_BYTES / 3;
/// Up to here nodes are merged, and written anew instead of being split.
pub(crate) const DENSE: usize = NODE_BYTES / 16 * 15;
/// What two leaves have together at most for one to share with the other instead of being split.
const SHARED_MAX: usize = DENSE / 16 * 15 * 2;

const _: () = {
    use crate::btree_format::ENTRY_BYTES_MAX;
    assert!((DENSE - 2 * ENTRY_BYTES_MAX) / 2 >= FILL_MIN);
    assert!(FILL_MIN > 2 * ENTRY_BYTES_MAX);
    assert!(NODE_BYTES / 2 + ENTRY_BYTES_MAX < NODE_BYTES);
    assert!((SHARED_MAX + ENTRY_BYTES_MAX) / 2 < NODE_BYTES);
    // A full leaf beside one of three quarters.
    assert!(SHARED_MAX > NODE_BYTES / 4 * 7);
};

impl BTree {
    /// Puts `entry` at `position` of the node at the end of `path`, which lacks the room below its heap.
    pub(crate) fn insert_where_full(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        mut path: Path,
        mut number: PageNumber,
        mut position: usize,
        entry: &Entry<'_>,
    ) -> Result<(), PageError> {
        let mut level = self.root_level() - path.step_count();
        if level == 0 && self.share_leaf(pages, owner, path, number, position, entry)? {
            return Ok(());
        }
        let Some((mut separator, mut right)) = make_room(
            pages,
            owner,
            number,
            level,
            position,
            entry,
            path.leads_to_last(),
        )?
        else {
            return Ok(());
        };
        // The node was split: its right half has to be entered one level up.
        loop {
            level += 1;
            let Some(parent) = path.pop() else {
                return self.raise(pages, owner, number, level, &separator.before(right));
            };
            (number, position) = (parent.node, parent.child);
            let entry = separator.before(right);
            if NodeMut::open(pages, number, level)?.insert(position, &entry)? {
                return Ok(());
            }
            let split = make_room(
                pages,
                owner,
                number,
                level,
                position,
                &entry,
                path.leads_to_last(),
            )?;
            match split {
                Some(above) => (separator, right) = above,
                None => return Ok(()),
            }
        }
    }

    /// Puts `entry` at `position` of a leaf that is too full for it, if it can share with a neighbour: `false`, and nothing has changed, if not.
    fn share_leaf(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        mut path: Path,
        leaf: PageNumber,
        position: usize,
        entry: &Entry<'_>,
    ) -> Result<bool, PageError> {
        let node = Node::open(pages, leaf, 0)?;
        let needed = node.used_bytes() + entry.bytes();
        let Some(parent) = path.pop().filter(|_| needed > DENSE) else {
            return Ok(false);
        };
        let above = Node::open(pages, parent.node, 1)?;
        // The emptier one of the neighbours, by the separator between.
        let mut emptiest: Option<(usize, usize)> = None;
        for (between, neighbour) in [
            (parent.child.checked_sub(1), parent.child.wrapping_sub(1)),
            (Some(parent.child), parent.child + 1),
        ] {
            let Some(between) = between.filter(|&between| between < above.len()) else {
                continue;
            };
            let used = Node::open(pages, above.child(neighbour)?, 0)?.used_bytes();
            if emptiest.is_none_or(|(least, _)| used < least) {
                emptiest = Some((used, between));
            }
        }
        let Some((_, between)) = emptiest.filter(|(used, _)| used + needed <= SHARED_MAX) else {
            return Ok(false);
        };
        let (left, right) = (above.child(between)?, above.child(between + 1)?);
        if left == right {
            return Err(above.broken("an inner index node has a child twice").into());
        }
        // The pages stay as they are while their numbers are written anew.
        let (left_page, right_page) = (pages.page(left)?, pages.page(right)?);
        let left_node = Node::new(&left_page, left, 0)?;
        let right_node = Node::new(&right_page, right, 0)?;
        let mut entries = Vec::with_capacity(left_node.len() + right_node.len() + 1);
        for entry in left_node.entries().chain(right_node.entries()) {
            entries.push(entry?);
        }
        let position = position + if leaf == right { left_node.len() } else { 0 };
        entries.insert(position, *entry);
        let separator = write_halves(pages, owner, 0, None, &entries, left, right)?;
        let entry = separator.before(right);
        self.replace_separator(pages, owner, path, parent.node, between, &entry)?;
        Ok(true)
    }

    /// Lets `entry` separate two children of `parent`, which path leads to, instead of the entry at `between`.
    fn replace_separator(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        path: Path,
        parent: PageNumber,
        between: usize,
        entry: &Entry<'_>,
    ) -> Result<(), PageError> {
        let level = self.root_level() - path.step_count();
        let mut node = NodeMut::open(pages, parent, level)?;
        node.remove(between)?;
        if !node.insert(between, entry)? {
            self.insert_where_full(pages, owner, path, parent, between, entry)?;
        }
        Ok(())
    }

    /// A new root above the old one, whose right half `entry` leads to.
    fn raise(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        old_root: PageNumber,
        level: u8,
        entry: &Entry<'_>,
    ) -> Result<(), PageError> {
        if level >= HEIGHT_MAX {
            return Err(DamageKind::Structure("an index is higher than it can be")
                .at(old_root)
                .into());
        }
        let root = pages.allocate(kind_of_level(level), owner)?;
        NodeMut::build(
            pages,
            root,
            owner,
            level,
            Some(old_root),
            std::slice::from_ref(entry),
        )?;
        self.root = Some(root);
        self.height = level + 1;
        Ok(())
    }

    /// Goes up from a node that lost something, as far as nodes are too empty.
    pub(crate) fn settle(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        mut path: Path,
        mut number: PageNumber,
    ) -> Result<(), PageError> {
        for level in 0..HEIGHT_MAX {
            let node = Node::open(pages, number, level)?;
            if node.used_bytes() >= FILL_MIN {
                return Ok(());
            }
            let Some(parent) = path.pop() else {
                return Ok(self.lower(pages)?);
            };
            self.join(pages, owner, path, parent.node, parent.child, level)?;
            number = parent.node;
        }
        Ok(())
    }

    /// Gives up a root that has nothing to decide.
    fn lower(&mut self, pages: &mut Pages) -> Result<(), Damaged> {
        while let Some(root) = self.root {
            let node = Node::open(pages, root, self.root_level())?;
            if node.len() > 0 {
                return Ok(());
            }
            self.root = if self.height > 1 {
                Some(node.child(0)?)
            } else {
                None
            };
            pages.free(root)?;
            self.height -= 1;
            if self.root.is_none() && self.entry_count != 0 {
                return Err(
                    DamageKind::Structure("an index has fewer entries than it counts").at(root),
                );
            }
        }
        Ok(())
    }

    /// Makes the child `child` of `parent`, `level` above the leaves, and a neighbour of it one node, or
    /// lets both share what they have.
    fn join(
        &mut self,
        pages: &mut Pages,
        owner: TableId,
        path: Path,
        parent: PageNumber,
        child: usize,
        level: u8,
    ) -> Result<(), PageError> {
        let parent_level = level + 1;
        let above = pages.page(parent)?;
        let above = Node::new(&above, parent, parent_level)?;
        let between = child.saturating_sub(1);
        if between >= above.len() {
            return Err(above
                .broken("an inner index node has one child only")
                .into());
        }
        let (left, right) = (above.child(between)?, above.child(between + 1)?);
        if left == right {
            return Err(above.broken("an inner index node has a child twice").into());
        }

        // The pages stay as they are while their numbers are written anew.
        let (left_page, right_page) = (pages.page(left)?, pages.page(right)?);
        let left_node = Node::new(&left_page, left, level)?;
        let right_node = Node::new(&right_page, right, level)?;
        let mut entries = Vec::with_capacity(left_node.len() + right_node.len() + 1);
        for entry in left_node.entries() {
            entries.push(entry?);
        }
        let leftmost = if level > 0 {
            let separator = above.entry(between)?;
            entries.push(Entry {
                child: Some(right_node.child(0)?),
                ..separator
            });
            Some(left_node.child(0)?)
        } else {
            None
        };
        for entry in right_node.entries() {
            entries.push(entry?);
        }

        let total: usize = entries.iter().map(Entry::bytes).sum();
        let one_is_empty = left_node.len().min(right_node.len()) == 0;
        if total <= DENSE || (level == 0 && one_is_empty) {
            NodeMut::build(pages, left, owner, level, leftmost, &entries)?;
            pages.free(right)?;
            NodeMut::open(pages, parent, parent_level)?.remove(between)?;
            return Ok(());
        }
        let separator = write_halves(pages, owner, level, leftmost, &entries, left, right)?;
        let entry = separator.before(right);
        self.replace_separator(pages, owner, path, parent, between, &entry)
    }
}
