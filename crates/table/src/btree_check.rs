//! The complete check of a B+tree: every rule of its nodes and of what holds between them.

use std::ops::Range;

use crate::btree::BTree;
use crate::btree_balance::FILL_MIN;
use crate::btree_format::{DIRECTORY, KEY_BYTES_MAX, PLACE_BYTES, head_of};
use crate::btree_node::{Entry, Node};
use crate::damaged::{DamageKind, Damaged};
use crate::page::PAGE_BYTES;
use crate::page_number::PageNumber;
use crate::pages::Pages;

impl BTree {
    /// Checks every node: order, bounds from above, fill, heads, that nothing overlaps and all else is
    /// zero; and the counts.
    ///
    /// # Errors
    /// The first page that breaks a rule.
    pub fn check(&self, pages: &Pages) -> Result<(), Damaged> {
        let Some(root) = self.root else { return Ok(()) };
        let mut walk = Walk {
            pages,
            page_budget: pages.page_count(),
            entry_count: 0,
        };
        walk.check_node(
            root,
            self.root_level(),
            &Place {
                lower: None,
                upper: None,
                is_root: true,
                is_last: true,
            },
        )?;
        if walk.entry_count != self.entry_count {
            return Err(
                DamageKind::Structure("an index counts other entries than it has").at(root),
            );
        }
        Ok(())
    }

    /// How many pages the tree takes. Reads the inner nodes.
    ///
    /// # Errors
    /// When one of them is damaged.
    pub fn page_count(&self, pages: &Pages) -> Result<u64, Damaged> {
        let Some(root) = self.root else { return Ok(0) };
        let mut count = 0;
        let mut pending = vec![(root, self.root_level())];
        while let Some((number, level)) = pending.pop() {
            count += 1;
            if level == 0 {
                continue;
            }
            let node = Node::open(pages, number, level)?;
            if count > pages.page_count() {
                return Err(node.broken("an index has more nodes than there are pages"));
            }
            if level == 1 {
                count += node.len() as u64 + 1;
                continue;
            }
            for child in 0..=node.len() {
                pending.push((node.child(child)?, level - 1));
            }
        }
        Ok(count)
    }
}

struct Walk<'a> {
    pages: &'a Pages,
    /// How many pages may still be visited: nodes that share children are met before the walk becomes
    /// endless.
    page_budget: u64,
    entry_count: u64,
}

/// What a node must keep to because of where it stands.
struct Place<'a> {
    /// Nothing in the node is below this.
    lower: Option<Entry<'a>>,
    /// Everything in the node is below this.
    upper: Option<Entry<'a>>,
    is_root: bool,
    is_last: bool,
}

impl<'a> Walk<'a> {
    fn check_node(
        &mut self,
        number: PageNumber,
        level: u8,
        place: &Place<'a>,
    ) -> Result<(), Damaged> {
        let node = Node::open(self.pages, number, level)?;
        self.page_budget = self
            .page_budget
            .checked_sub(1)
            .ok_or_else(|| node.broken("an index has more nodes than there are pages"))?;
        check_order(&node, place)?;
        check_bytes(self.pages, &node, level)?;
        if node.len() == 0 {
            return Err(node.broken("an index node is empty"));
        }
        if !place.is_root && !place.is_last && (node.used_bytes() < FILL_MIN || node.len() < 2) {
            return Err(node.broken("an index node is too empty"));
        }
        if level == 0 {
            self.entry_count += node.len() as u64;
            return Ok(());
        }
        for child in 0..=node.len() {
            let lower = if child > 0 {
                Some(node.entry(child - 1)?)
            } else {
                place.lower
            };
            let upper = if child < node.len() {
                Some(node.entry(child)?)
            } else {
                place.upper
            };
            let is_last = place.is_last && child == node.len();
            let below = Place {
                lower,
                upper,
                is_root: false,
                is_last,
            };
            self.check_node(node.child(child)?, level - 1, &below)?;
        }
        Ok(())
    }
}

fn is_before(a: &Entry<'_>, b: &Entry<'_>) -> bool {
    a.cmp_with(b.key, b.row.to_u64()).is_lt()
}

fn check_order(node: &Node<'_>, place: &Place<'_>) -> Result<(), Damaged> {
    let mut before: Option<Entry<'_>> = None;
    for entry in node.entries() {
        let entry = entry?;
        if entry.key.len() > KEY_BYTES_MAX {
            return Err(node.broken("a key of an index is too long"));
        }
        if before.is_some_and(|before| !is_before(&before, &entry)) {
            return Err(node.broken("the entries of an index node are out of order"));
        }
        before = Some(entry);
    }
    if node.len() == 0 {
        return Ok(());
    }
    let (first, last) = (node.entry(0)?, node.entry(node.len() - 1)?);
    if place.lower.is_some_and(|lower| is_before(&first, &lower))
        || place.upper.is_some_and(|upper| !is_before(&last, &upper))
    {
        return Err(node.broken("an index node holds entries of another"));
    }
    Ok(())
}

/// Checks heads, that entries do not overlap, and that every byte that belongs to nothing is zero.
fn check_bytes(pages: &Pages, node: &Node<'_>, level: u8) -> Result<(), Damaged> {
    let page = pages.get(node.number())?;
    let prefix = node.prefix()?;
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(node.len());
    for index in 0..node.len() {
        let entry = node.entry(index)?;
        let Some(rest) = entry.key.strip_prefix(prefix) else {
            return Err(node.broken("the keys of an index node do not begin with their prefix"));
        };
        if head_of(rest) != node.head(index) {
            return Err(node.broken("a head of an index node is not that of its key"));
        }
        ranges.push(node.entry_range(index)?);
    }
    ranges.sort_unstable_by_key(|range| range.start);
    let heap_start = usize::from(page.heap_start());
    let directory_end = DIRECTORY + node.len() * PLACE_BYTES;
    let is_zero = |range: Range<usize>| page.as_bytes()[range].iter().all(|byte| *byte == 0);
    let mut end = heap_start;
    let mut dead = 0;
    for range in ranges
        .into_iter()
        .chain(std::iter::once(PAGE_BYTES..PAGE_BYTES))
    {
        if range.start < end {
            return Err(node.broken("the entries of an index node overlap"));
        }
        dead += range.start - end;
        if !is_zero(end..range.start) {
            return Err(node.broken("an index node holds bytes that belong to nothing"));
        }
        end = range.end;
    }
    let header_is_plain = page.header_rest_is_zero()
        && page.flags() == 0
        && page.capacity() == 0
        && (level > 0 || page.leftmost_child() == Ok(None))
        && [
            page.next(),
            page.previous(),
            page.room_next(),
            page.room_previous(),
        ]
        .iter()
        .all(|link| *link == Ok(None));
    if dead != usize::from(page.heap_dead())
        || !is_zero(directory_end..heap_start)
        || !header_is_plain
    {
        return Err(node.broken("an index node holds bytes that belong to nothing"));
    }
    Ok(())
}
