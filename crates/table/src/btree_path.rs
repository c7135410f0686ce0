//! The way from the root of a B+tree down to a leaf.

use crate::btree_node::Node;
use crate::damaged::Damaged;
use crate::page_number::PageNumber;
use crate::pages::Pages;

/// No tree is higher than this. A node that is not on the right edge has at least three entries, so four
/// children (see `btree_balance`); with 2^28 pages no tree of sixteen levels exists.
pub(crate) const HEIGHT_MAX: u8 = 15;

/// The inner nodes above one node, from the root down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    steps: [Step; HEIGHT_MAX as usize],
    step_count: u8,
}

/// An inner node and the index of the child that the path goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) node: PageNumber,
    pub(crate) child: usize,
    /// Whether nothing of the tree stands to the right of the child.
    pub(crate) child_is_last: bool,
}

impl Path {
    fn empty() -> Path {
        let nowhere = Step {
            node: PageNumber::MIN,
            child: 0,
            child_is_last: false,
        };
        Path {
            steps: [nowhere; HEIGHT_MAX as usize],
            step_count: 0,
        }
    }

    /// The path from `root`, which stands `root_level` above the leaves, to a leaf, and the leaf's
    /// number. `choose` says which child to take.
    pub(crate) fn descend(
        pages: &Pages,
        root: PageNumber,
        root_level: u8,
        mut choose: impl FnMut(&Node<'_>) -> Result<usize, Damaged>,
    ) -> Result<(Path, PageNumber), Damaged> {
        let mut path = Path::empty();
        let mut number = root;
        let mut is_last = true;
        for level in (1..=root_level).rev() {
            let node = Node::open(pages, number, level)?;
            let child = choose(&node)?;
            is_last &= child == node.len();
            path.steps[usize::from(path.step_count)] = Step {
                node: number,
                child,
                child_is_last: is_last,
            };
            path.step_count += 1;
            number = node.child(child)?;
        }
        Ok((path, number))
    }

    /// How many levels the path goes down.
    pub(crate) fn step_count(&self) -> u8 {
        self.step_count
    }

    /// Takes the lowest step off.
    pub(crate) fn pop(&mut self) -> Option<Step> {
        self.step_count = self.step_count.checked_sub(1)?;
        Some(self.steps[usize::from(self.step_count)])
    }

    /// Whether nothing of the tree stands to the right of the node that the path leads to.
    pub(crate) fn leads_to_last(&self) -> bool {
        self.step_count
            .checked_sub(1)
            .is_none_or(|lowest| self.steps[usize::from(lowest)].child_is_last)
    }
}
