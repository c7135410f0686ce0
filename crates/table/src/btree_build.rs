//! A B+tree made of entries that come in order, level by level.
//!
//! ```text
//!   leaves       | full | full | full | rest |      each is written once, when the entry comes that it has no room for
//!   separators        s0     s1     s2              what is between two of them, and the page of the right one:
//!   level 1      | s0 s1 s2 |                       the entries of the level above, until one node is left
//! ```
//!
//! Nodes are filled to the brim; the last one of a level is on the right edge, where nodes may be as empty as they like (`btree_balance.rs`).

use crate::btree::{BTree, KEY_BYTES_MAX};
use crate::btree_format::NODE_BYTES;
use crate::btree_node::{Entry, kind_of_level};
use crate::btree_node_mut::NodeMut;
use crate::btree_separator::Separator;
use crate::page_error::PageError;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;
use crate::table_id::TableId;

/// The nodes of a level but the first: what separates them from the one before, and their pages.
type Further = Vec<(Separator, PageNumber)>;

impl BTree {
    /// A tree of entries that come in order, whose nodes are full.
    ///
    /// # Errors
    /// When no page number is vacant.
    ///
    /// # Panics
    /// When an entry is not above the one before, or a key is longer than [`KEY_BYTES_MAX`].
    pub fn bulk_build<K: AsRef<[u8]>>(
        pages: &mut Pages,
        owner: TableId,
        sorted: impl IntoIterator<Item = (K, RowId)>,
    ) -> Result<BTree, PageError> {
        let mut leaves = Leaves {
            pages,
            owner,
            first: None,
            further: Vec::new(),
            last: None,
        };
        let mut held: Vec<(K, RowId)> = Vec::new();
        let mut held_bytes = 0;
        let mut entry_count = 0;
        for (key, row) in sorted {
            let entry = leaf_entry(key.as_ref(), row);
            assert!(
                entry.key.len() <= KEY_BYTES_MAX,
                "a key has at most {KEY_BYTES_MAX} bytes"
            );
            if let Some((before, of_row)) = held.last() {
                let before = leaf_entry(before.as_ref(), *of_row);
                let ascends = before.cmp_with(entry.key, row.to_u64()).is_lt();
                assert!(ascends, "entries come in order");
            }
            let bytes = entry.bytes();
            if held_bytes + bytes > NODE_BYTES {
                leaves.write(&held)?;
                let (last, of_row) = held.swap_remove(held.len() - 1);
                let before = leaf_entry(last.as_ref(), of_row);
                leaves.last = Some(Separator::between(&before, &entry));
                held.clear();
                held_bytes = 0;
            }
            held_bytes += bytes;
            held.push((key, row));
            entry_count += 1;
        }
        if entry_count == 0 {
            return Ok(BTree::new());
        }
        leaves.write(&held)?;
        let Leaves { first, further, .. } = leaves;
        let first = first.expect("a leaf was written");
        let (root, height) = build_above(pages, owner, first, further)?;
        Ok(BTree {
            root: Some(root),
            height,
            entry_count,
        })
    }
}

/// The leaves that were written.
struct Leaves<'p> {
    pages: &'p mut Pages,
    owner: TableId,
    first: Option<PageNumber>,
    further: Further,
    /// What separates the next leaf from the one before.
    last: Option<Separator>,
}

impl Leaves<'_> {
    fn write<K: AsRef<[u8]>>(&mut self, held: &[(K, RowId)]) -> Result<(), PageError> {
        let entries = held.iter().map(|(key, row)| leaf_entry(key.as_ref(), *row));
        let entries: Vec<Entry<'_>> = entries.collect();
        let number = write_node(self.pages, self.owner, 0, None, &entries)?;
        match self.last.take() {
            None => self.first = Some(number),
            Some(separator) => self.further.push((separator, number)),
        }
        Ok(())
    }
}

/// Builds the inner levels above so many leaves. Yields the root and the number of levels.
fn build_above(
    pages: &mut Pages,
    owner: TableId,
    mut first: PageNumber,
    mut further: Further,
) -> Result<(PageNumber, u8), PageError> {
    let mut level = 0;
    while !further.is_empty() {
        level += 1;
        (first, further) = build_level(pages, owner, level, first, further)?;
    }
    Ok((first, level + 1))
}

/// Writes the level above some nodes.
fn build_level(
    pages: &mut Pages,
    owner: TableId,
    level: u8,
    first: PageNumber,
    below: Further,
) -> Result<(PageNumber, Further), PageError> {
    let mut nodes: Vec<PageNumber> = Vec::new();
    let mut separators: Vec<Separator> = Vec::new();
    let mut leftmost = first;
    let mut held: Further = Vec::new();
    let mut held_bytes = 0;
    for (separator, child) in below {
        let bytes = separator.before(child).bytes();
        if held_bytes + bytes > NODE_BYTES {
            // The last separator goes up, and its child begins the next node: no node is left with a single child.
            let (up, its_child) = held.pop().expect("a node has room for several entries");
            nodes.push(write_inner(pages, owner, level, leftmost, &held)?);
            separators.push(up);
            leftmost = its_child;
            held.clear();
            held_bytes = 0;
        }
        held_bytes += bytes;
        held.push((separator, child));
    }
    nodes.push(write_inner(pages, owner, level, leftmost, &held)?);
    let mut nodes = nodes.into_iter();
    let first = nodes.next().expect("at least one was written");
    Ok((first, separators.into_iter().zip(nodes).collect()))
}

fn write_inner(
    pages: &mut Pages,
    owner: TableId,
    level: u8,
    leftmost: PageNumber,
    held: &Further,
) -> Result<PageNumber, PageError> {
    let entries = held
        .iter()
        .map(|(separator, child)| separator.before(*child));
    let entries: Vec<Entry<'_>> = entries.collect();
    write_node(pages, owner, level, Some(leftmost), &entries)
}

fn write_node(
    pages: &mut Pages,
    owner: TableId,
    level: u8,
    leftmost: Option<PageNumber>,
    entries: &[Entry<'_>],
) -> Result<PageNumber, PageError> {
    let number = pages.allocate(kind_of_level(level), owner)?;
    NodeMut::build(pages, number, owner, level, leftmost, entries)?;
    Ok(number)
}

fn leaf_entry(key: &[u8], row: RowId) -> Entry<'_> {
    Entry {
        key,
        row,
        child: None,
    }
}
