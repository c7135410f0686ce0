//! How the nodes of a B+tree are kept neither too full nor too empty.
//!
//! ```text
//!   0        FILL_MIN (1/3)                     DENSE (15/16)  NODE_BYTES
//!   |-- merge or --|                                 |            |
//!       share                        write anew <----|--> split
//! ```
//!
//! Entries have 13 to 4113 bytes, so a node is measured in bytes, not in entries. Let N be the room of a node (32704), e the largest entry (4113).
//!
//! - *Split*: only when used + new > 15/16 N. The point is chosen so that the halves differ least, so by at most the entry at the point:
//!   each half of a leaf has at least (15/16 N - e) / 2 = 13273 bytes, each half of an inner node, out of which one entry goes up, at least
//!   (15/16 N - 2 e) / 2 = 11217. Both are above N/3 = 10901. Each half fits: at most (N + e + e) / 2 < N.
//! - *A node below N/3* after a removal takes a neighbour under the same parent. Do both fit into 15/16 N, they become one. Otherwise they share evenly,
//!   and the same sum as above holds. There is a neighbour, as an inner node has at least two children.
//! - *A node below 15/16 N that has run out of room* has holes: it is written anew, which gives at least N/16, so this is paid back by the
//!   inserts that it makes room for.
//! - A node of at least N/3 bytes has at least three entries, as two have at most 8226.
//! - *The right edge is exempt*: where an entry is added behind all others to a full node, it begins the next node alone and the full one stays full, so
//!   ascending keys fill their leaves. A leaf on the right edge has at least one entry then, an inner node one entry and two children. A node stops being on the
//!   right edge only by being split, when it is full.
//! - A separator that changes may become longer. It is put back like a new one, and may split its node; `settle` goes on from the left half, which is not too empty.

use crate::btree::BTree;
use crate::btree_format::NODE_BYTES;
use crate::btree_node::{Entry, Node, common_prefix, kind_of_level};
use crate::btree_node_mut::NodeMut;
use crate::btree_path::{HEIGHT_MAX, Path};
use crate::damaged::{DamageKind, Damaged};
use crate::page_error::PageError;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::table_id::TableId;

/// A node off the right edge that is not the root has no fewer bytes of entries.
pub(crate) const FILL_MIN: usize = NODE_BYTES / 3;
/// Up to here nodes are merged, and written anew instead of being split.
const DENSE: usize = NODE_BYTES / 16 * 15;

const _: () = {
    use crate::btree_format::ENTRY_BYTES_MAX;
    assert!((DENSE - 2 * ENTRY_BYTES_MAX) / 2 >= FILL_MIN);
    assert!(FILL_MIN > 2 * ENTRY_BYTES_MAX);
    assert!(NODE_BYTES / 2 + ENTRY_BYTES_MAX < NODE_BYTES);
};

/// The least that separates two neighbours: not above the right one, and above the left one.
struct Separator {
    key: Vec<u8>,
    row: RowId,
}

impl Separator {
    /// Cut as short as it can be: separators are what the upper levels consist of.
    fn between(left: &Entry<'_>, right: &Entry<'_>) -> Separator {
        if left.key == right.key {
            return Separator {
                key: right.key.to_vec(),
                row: right.row,
            };
        }
        let shared = common_prefix(left.key, right.key);
        let key = right.key.get(..=shared).unwrap_or(right.key);
        Separator {
            key: key.to_vec(),
            row: RowId::MIN,
        }
    }

    fn before(&self, child: PageNumber) -> Entry<'_> {
        Entry {
            key: &self.key,
            row: self.row,
            child: Some(child),
        }
    }
}

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

    /// Makes the child `child` of `parent`, `level` above the leaves, and a neighbour of it one node, or lets both share what they have.
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
        let above = above.bytes().map_err(|kind| kind.at(parent))?;
        let above = Node::new(above, parent, parent_level)?;
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
        let left_page = left_page.bytes().map_err(|kind| kind.at(left))?;
        let right_page = right_page.bytes().map_err(|kind| kind.at(right))?;
        let left_node = Node::new(left_page, left, level)?;
        let right_node = Node::new(right_page, right, level)?;
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
        let mut parent_node = NodeMut::open(pages, parent, parent_level)?;
        parent_node.remove(between)?;
        let entry = separator.before(right);
        if !parent_node.insert(between, &entry)? {
            self.insert_where_full(pages, owner, path, parent, between, &entry)?;
        }
        Ok(())
    }
}

/// Puts `entry` into a node that lacks the room below its heap: writes the node anew where it has holes enough, splits it otherwise and
/// returns what its right half is entered by.
fn make_room(
    pages: &mut Pages,
    owner: TableId,
    number: PageNumber,
    level: u8,
    position: usize,
    entry: &Entry<'_>,
    is_last: bool,
) -> Result<Option<(Separator, PageNumber)>, PageError> {
    let before = pages.page(number)?;
    let before = before.bytes().map_err(|kind| kind.at(number))?;
    let node = Node::new(before, number, level)?;
    let leftmost = if level > 0 {
        Some(node.child(0)?)
    } else {
        None
    };
    if is_last && position == node.len() && node.used_bytes() + entry.bytes() > DENSE {
        let right = begin_next(pages, owner, level, &node, entry)?;
        return Ok(Some(right));
    }
    let mut entries = Vec::with_capacity(node.len() + 1);
    for entry in node.entries() {
        entries.push(entry?);
    }
    entries.insert(position, *entry);
    if entries.iter().map(Entry::bytes).sum::<usize>() <= DENSE {
        NodeMut::build(pages, number, owner, level, leftmost, &entries)?;
        return Ok(None);
    }
    let right = pages.allocate(kind_of_level(level), owner)?;
    let separator = write_halves(pages, owner, level, leftmost, &entries, number, right)?;
    Ok(Some((separator, right)))
}

/// Begins a node to the right of the last one of its level with `entry`, which is above everything in that.
fn begin_next(
    pages: &mut Pages,
    owner: TableId,
    level: u8,
    last: &Node<'_>,
    entry: &Entry<'_>,
) -> Result<(Separator, PageNumber), PageError> {
    let Some(before) = last.last()? else {
        return Err(last.broken("an index node is full of nothing").into());
    };
    let right = pages.allocate(kind_of_level(level), owner)?;
    let entries = std::slice::from_ref(entry);
    if level == 0 {
        NodeMut::build(pages, right, owner, level, None, entries)?;
        return Ok((Separator::between(&before, entry), right));
    }
    // The last separator goes up, and its child becomes the leftmost one of the new node.
    NodeMut::build(pages, right, owner, level, before.child, entries)?;
    let separator = Separator {
        key: before.key.to_vec(),
        row: before.row,
    };
    NodeMut::open(pages, last.number(), level)?.remove(last.len() - 1)?;
    Ok((separator, right))
}

/// Writes `entries` to the two nodes as evenly as can be, and returns what separates them.
fn write_halves(
    pages: &mut Pages,
    owner: TableId,
    level: u8,
    leftmost: Option<PageNumber>,
    entries: &[Entry<'_>],
    left: PageNumber,
    right: PageNumber,
) -> Result<Separator, Damaged> {
    let too_few = DamageKind::Structure("an index node has too few entries for its bytes").at(left);
    let sizes: Vec<usize> = entries.iter().map(Entry::bytes).collect();
    if level == 0 {
        let point = even_point(&sizes, false).ok_or(too_few)?;
        let (lower, upper) = entries.split_at(point);
        NodeMut::build(pages, left, owner, level, None, lower)?;
        NodeMut::build(pages, right, owner, level, None, upper)?;
        return Ok(Separator::between(&lower[point - 1], &upper[0]));
    }
    let point = even_point(&sizes, true).ok_or(too_few)?;
    let middle = &entries[point];
    NodeMut::build(pages, left, owner, level, leftmost, &entries[..point])?;
    NodeMut::build(
        pages,
        right,
        owner,
        level,
        middle.child,
        &entries[point + 1..],
    )?;
    Ok(Separator {
        key: middle.key.to_vec(),
        row: middle.row,
    })
}

/// Where to divide entries of these sizes so that the halves differ least, the first such point. Where the entry at the point goes
/// up, it counts for neither half. Nothing, where a half would be empty.
fn even_point(sizes: &[usize], middle_goes_up: bool) -> Option<usize> {
    let total: usize = sizes.iter().sum();
    let upper_skips = usize::from(middle_goes_up);
    let mut lower = 0;
    let mut best: Option<(usize, usize)> = None;
    for point in 1..sizes.len().saturating_sub(upper_skips) {
        lower += sizes[point - 1];
        let upper = total - lower - if middle_goes_up { sizes[point] } else { 0 };
        let difference = lower.abs_diff(upper);
        if best.is_none_or(|(least, _)| difference < least) {
            best = Some((difference, point));
        }
    }
    best.map(|(_, point)| point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btree_format::ENTRY_BYTES_MAX;

    /// splitmix64.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// What is split or shared has more than DENSE bytes, and no more than a full node, a separator and a node that is too empty.
    fn sizes(state: &mut u64, longest: u64, total: usize) -> Vec<usize> {
        let mut sizes: Vec<usize> = Vec::new();
        while sizes.iter().sum::<usize>() <= total {
            let size = 13 + random(state) % longest;
            // Now and then a very large one among the others.
            let size = if random(state).is_multiple_of(9) {
                ENTRY_BYTES_MAX
            } else {
                usize::try_from(size).unwrap()
            };
            sizes.push(size.min(ENTRY_BYTES_MAX));
        }
        sizes
    }

    #[test]
    fn both_halves_are_full_enough_and_fit() {
        for seed in 0..3_000 {
            println!("seed {seed}");
            let mut state = seed;
            let longest = [1, 20, 300, 4_101][usize::try_from(seed % 4).unwrap()];
            let most = FILL_MIN + ENTRY_BYTES_MAX + NODE_BYTES - ENTRY_BYTES_MAX;
            let total = DENSE + usize::try_from(random(&mut state)).unwrap() % (most - DENSE);
            let sizes = sizes(&mut state, longest, total);
            for middle_goes_up in [false, true] {
                let point = even_point(&sizes, middle_goes_up).unwrap();
                let lower = &sizes[..point];
                let upper = &sizes[point + usize::from(middle_goes_up)..];
                for half in [lower, upper] {
                    let bytes: usize = half.iter().sum();
                    assert!((FILL_MIN..=NODE_BYTES).contains(&bytes), "{bytes}");
                    assert!(half.len() >= 3);
                }
            }
        }
    }

    #[test]
    fn the_point_is_where_the_halves_differ_least() {
        let rows: [(&[usize], bool, Option<usize>); 8] = [
            (&[], false, None),
            (&[9], false, None),
            (&[9, 9], false, Some(1)),
            (&[9, 9], true, None),
            (&[1, 1, 1], true, Some(1)),
            (&[1, 1, 1, 9], false, Some(3)),
            (&[9, 1, 1, 1], false, Some(1)),
            (&[5, 1, 9, 1, 5], true, Some(2)),
        ];
        for (sizes, middle_goes_up, point) in rows {
            assert_eq!(even_point(sizes, middle_goes_up), point, "{sizes:?}");
        }
    }

    #[test]
    fn a_separator_is_as_short_as_can_be() {
        let row = RowId::MAX;
        let rows = [
            (["abc", "abd", "abd"], RowId::MIN),
            (["abc", "b123", "b"], RowId::MIN),
            (["ab", "ab\0\0", "ab\0"], RowId::MIN),
            (["ab", "ab", "ab"], row),
        ];
        for (keys, expected_row) in rows {
            let [left, right, expected] = keys.map(str::as_bytes);
            let left = Entry {
                key: left,
                row: RowId::MIN,
                child: None,
            };
            let right = Entry {
                key: right,
                row,
                child: None,
            };
            let separator = Separator::between(&left, &right);
            assert_eq!(
                (separator.key.as_slice(), separator.row),
                (expected, expected_row)
            );
        }
    }
}
