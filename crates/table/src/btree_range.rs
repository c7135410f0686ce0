//! A walk over a part of a B+tree, from both ends.
//!
//! ```text
//!   front: last entry taken from the front ─>      <─ back: last entry taken from the back
//!   | taken | taken |  not taken yet, in leaves not read yet  | taken |
//! ```
//!
//! Both ends are places of entries: the path of children and the index in the leaf. They move towards each other one
//! entry at a time, so they meet on the same place, whatever the keys say.

use std::cmp::Ordering;
use std::ops::Bound;

use crate::btree::BTree;
use crate::btree_node::{Node, ROW_AFTER_ALL};
use crate::btree_path::HEIGHT_MAX;
use crate::damaged::{DamageKind, Damaged};
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::row_id::RowId;

/// The entries of a [`BTree`] whose keys lie between two bounds, in order of (key, row id), from both ends.
///
/// After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct BTreeRange<'a> {
    state: State<'a>,
    /// How many entries may still come. A tree whose nodes were made to share children could be walked for ages.
    budget: u64,
}

#[derive(Clone, Debug)]
enum State<'a> {
    Walking {
        pages: &'a Pages,
        front: End<'a>,
        back: End<'a>,
    },
    Failed(Damaged),
    Done,
}

#[derive(Clone, Debug)]
struct End<'a> {
    cursor: Cursor<'a>,
    /// Whether the entry at the cursor was given out.
    taken: bool,
}

/// The place of an entry.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    /// The inner nodes from the root down, with the index of the child.
    above: [Option<(Node<'a>, usize)>; HEIGHT_MAX as usize],
    root_level: u8,
    leaf: Node<'a>,
    /// Invariant: below the number of entries of the leaf, once the cursor is built.
    index: usize,
}

impl<'a> BTreeRange<'a> {
    pub(crate) fn new(
        tree: &BTree,
        pages: &'a Pages,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> Self {
        let state = match State::new(tree, pages, lower, upper) {
            Ok(Some((front, back))) => State::Walking { pages, front, back },
            Ok(None) => State::Done,
            Err(damaged) => State::Failed(damaged),
        };
        BTreeRange {
            state,
            budget: tree.entry_count,
        }
    }

    fn step(&mut self, from_front: bool) -> Option<Result<(&'a [u8], RowId), Damaged>> {
        let taken = match &mut self.state {
            State::Walking { pages, front, back } if from_front => {
                take(front, back, |cursor| cursor.forward(pages))
            }
            State::Walking { pages, front, back } => {
                take(back, front, |cursor| cursor.backward(pages))
            }
            State::Failed(damaged) => Err(*damaged),
            State::Done => return None,
        };
        let within_budget = taken.and_then(|taken| match taken {
            Some(_) if self.budget == 0 => {
                let number = self.number_of_front();
                Err(DamageKind::Structure("an index has more entries than it counts").at(number))
            }
            other => Ok(other),
        });
        self.budget = self.budget.saturating_sub(1);
        match within_budget {
            Ok(Some(entry)) => Some(Ok(entry)),
            Ok(None) => {
                self.state = State::Done;
                None
            }
            Err(damaged) => {
                self.state = State::Done;
                Some(Err(damaged))
            }
        }
    }

    fn number_of_front(&self) -> PageNumber {
        match &self.state {
            State::Walking { front, .. } => front.cursor.leaf.number(),
            State::Failed(damaged) => damaged.page,
            State::Done => PageNumber::MIN,
        }
    }
}

/// Moves `near` on by one entry and gives it out, unless `far` has it or has passed it.
fn take<'a>(
    near: &mut End<'a>,
    far: &End<'a>,
    step: impl FnOnce(&mut Cursor<'a>) -> Result<bool, Damaged>,
) -> Result<Option<(&'a [u8], RowId)>, Damaged> {
    let met = |near: &End<'a>| near.cursor.cmp(&far.cursor).is_eq();
    if near.taken {
        if met(near) || !step(&mut near.cursor)? {
            return Ok(None);
        }
        near.taken = false;
    }
    if far.taken && met(near) {
        return Ok(None);
    }
    near.taken = true;
    let entry = near.cursor.leaf.entry(near.cursor.index)?;
    Ok(Some((entry.key, entry.row)))
}

impl<'a> Iterator for BTreeRange<'a> {
    type Item = Result<(&'a [u8], RowId), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(true)
    }
}

impl DoubleEndedIterator for BTreeRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(false)
    }
}

impl std::iter::FusedIterator for BTreeRange<'_> {}

impl<'a> State<'a> {
    fn new(
        tree: &BTree,
        pages: &'a Pages,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> Result<Option<(End<'a>, End<'a>)>, Damaged> {
        let Some(root) = tree.root else {
            return Ok(None);
        };
        let level = tree.root_level();
        // Each bound as a place between entries: behind all rows of its key, or before them.
        let front = match lower {
            Bound::Included(key) => Cursor::not_below(pages, root, level, key, 0)?,
            Bound::Excluded(key) => Cursor::not_below(pages, root, level, key, ROW_AFTER_ALL)?,
            Bound::Unbounded => Some(Cursor::first(pages, root, level)?),
        };
        let Some(front) = front else { return Ok(None) };
        let back = match upper {
            Bound::Included(key) => Cursor::below(pages, root, level, key, ROW_AFTER_ALL)?,
            Bound::Excluded(key) => Cursor::below(pages, root, level, key, 0)?,
            Bound::Unbounded => Some(Cursor::last(pages, root, level)?),
        };
        let Some(back) = back else { return Ok(None) };
        if front.cmp(&back).is_gt() {
            return Ok(None);
        }
        let end = |cursor| End {
            cursor,
            taken: false,
        };
        Ok(Some((end(front), end(back))))
    }
}

impl<'a> Cursor<'a> {
    /// The first entry not below (`key`, `row`).
    fn not_below(
        pages: &'a Pages,
        root: PageNumber,
        root_level: u8,
        key: &[u8],
        row: u64,
    ) -> Result<Option<Self>, Damaged> {
        let mut cursor = Self::descend(pages, root, root_level, |node| node.child_for(key, row))?;
        cursor.index = cursor.leaf.position(key, row)?;
        let found = cursor.index < cursor.leaf.len() || cursor.next_leaf(pages)?;
        Ok(found.then_some(cursor))
    }

    /// The last entry below (`key`, `row`).
    fn below(
        pages: &'a Pages,
        root: PageNumber,
        root_level: u8,
        key: &[u8],
        row: u64,
    ) -> Result<Option<Self>, Damaged> {
        let mut cursor = Self::descend(pages, root, root_level, |node| node.position(key, row))?;
        let position = cursor.leaf.position(key, row)?;
        let found = match position.checked_sub(1) {
            Some(index) => {
                cursor.index = index;
                true
            }
            None => cursor.previous_leaf(pages)?,
        };
        Ok(found.then_some(cursor))
    }

    fn first(pages: &'a Pages, root: PageNumber, root_level: u8) -> Result<Self, Damaged> {
        Self::descend(pages, root, root_level, |_| Ok(0))
    }

    fn last(pages: &'a Pages, root: PageNumber, root_level: u8) -> Result<Self, Damaged> {
        let mut cursor = Self::descend(pages, root, root_level, |node| Ok(node.len()))?;
        cursor.index = cursor.leaf.len() - 1;
        Ok(cursor)
    }

    fn descend(
        pages: &'a Pages,
        root: PageNumber,
        root_level: u8,
        choose: impl Fn(&Node<'a>) -> Result<usize, Damaged>,
    ) -> Result<Self, Damaged> {
        let mut above = [None; HEIGHT_MAX as usize];
        let leaf = walk_down(pages, &mut above, root, root_level, root_level, choose)?;
        Ok(Cursor {
            above,
            root_level,
            leaf,
            index: 0,
        })
    }

    fn forward(&mut self, pages: &'a Pages) -> Result<bool, Damaged> {
        if self.index + 1 < self.leaf.len() {
            self.index += 1;
            return Ok(true);
        }
        self.next_leaf(pages)
    }

    fn backward(&mut self, pages: &'a Pages) -> Result<bool, Damaged> {
        if self.index > 0 {
            self.index -= 1;
            return Ok(true);
        }
        self.previous_leaf(pages)
    }

    /// Moves to the first entry of the next leaf, if there is one.
    fn next_leaf(&mut self, pages: &'a Pages) -> Result<bool, Damaged> {
        for level in 1..=self.root_level {
            let place = &mut self.above[usize::from(self.root_level - level)];
            if let Some((node, child)) = place
                && *child < node.len()
            {
                *child += 1;
                let number = node.child(*child)?;
                self.leaf = walk_down(
                    pages,
                    &mut self.above,
                    number,
                    self.root_level,
                    level - 1,
                    |_| Ok(0),
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
            let place = &mut self.above[usize::from(self.root_level - level)];
            if let Some((node, child)) = place
                && *child > 0
            {
                *child -= 1;
                let number = node.child(*child)?;
                self.leaf = walk_down(
                    pages,
                    &mut self.above,
                    number,
                    self.root_level,
                    level - 1,
                    |node| Ok(node.len()),
                )?;
                self.index = self.leaf.len() - 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which of two places of one tree comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        let depth = usize::from(self.root_level);
        let child = |place: &Option<(Node<'a>, usize)>| place.map(|(_, child)| child);
        self.above[..depth]
            .iter()
            .map(child)
            .cmp(other.above[..depth].iter().map(child))
            .then(self.index.cmp(&other.index))
    }
}

/// Fills in the path from the node `number`, which stands at `level`, to a leaf and returns that. No leaf is empty.
fn walk_down<'a>(
    pages: &'a Pages,
    above: &mut [Option<(Node<'a>, usize)>; HEIGHT_MAX as usize],
    mut number: PageNumber,
    root_level: u8,
    level: u8,
    choose: impl Fn(&Node<'a>) -> Result<usize, Damaged>,
) -> Result<Node<'a>, Damaged> {
    for level in (1..=level).rev() {
        let node = Node::open(pages, number, level)?;
        let child = choose(&node)?;
        above[usize::from(root_level - level)] = Some((node, child));
        number = node.child(child)?;
    }
    let leaf = Node::open(pages, number, 0)?;
    if leaf.len() == 0 {
        return Err(leaf.broken("an index leaf is empty"));
    }
    Ok(leaf)
}
