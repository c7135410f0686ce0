//! Builds the tree over a section that is to be stored, out of what an earlier snapshot stores and what is new.
//!
//! ```text
//!   known   what the section was at some moment          says that nothing differs, without a look at any blob
//!   source  what it is, and what may have changed        lends the blobs that have to be stored
//!   base    what the earlier snapshot stores             lends places: a blob or a node that is there already is not stored again
//! ```
//!
//! `known` and `base` may be one snapshot. Only what may have changed, or differs between the two, is walked.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::BLOB_BYTES_MAX;
use crate::node_format::{HEIGHT_MAX, NodeChild};
use crate::reference::Reference;
use crate::source::Source;
use crate::tree::{Branch, Child, Node, Tree, digit, numbers_below};

/// Where blobs and nodes are stored.
pub(crate) trait Store {
    /// Stores a blob, or finds that the reference given, whose place may be kept, is to the same bytes. Yields where it stands.
    fn blob(&mut self, blob: &[u8], place: Option<&Reference>) -> Result<Reference>;
    /// Stores a node.
    fn node(&mut self, height: u8, children: &[NodeChild]) -> Result<Reference>;
}

/// A section that is being written.
pub(crate) struct TreeUpdate<'a> {
    pub(crate) section: usize,
    pub(crate) source: &'a mut dyn Source,
    /// The numbers that may stand for something else than in `known`, ascending and apart.
    pub(crate) changed: Vec<RangeInclusive<u64>>,
    /// The path of a pack by its id, for messages.
    pub(crate) path_of: &'a dyn Fn(u64) -> PathBuf,
    /// Packs of the base that nothing new may refer to.
    pub(crate) left: &'a [u64],
    pub(crate) store: &'a mut dyn Store,
}

/// A tree whose blobs are stored, and whose new nodes are not yet: they come behind all blobs, so that pages lie side by side.
pub(crate) struct Planned {
    height: u8,
    /// `None` without a blob.
    root: Option<Part>,
}

/// A subtree or a blob of a planned tree.
enum Part {
    /// It is stored.
    There(Reference, Option<Arc<Node>>),
    /// Children by their digits.
    New(Vec<(u8, Part)>),
}

impl TreeUpdate<'_> {
    /// Stores the blobs, and plans the tree.
    pub(crate) fn run(mut self, known: Option<&Tree>, base: Option<&Tree>) -> Result<Planned> {
        let mut height = HEIGHT_MAX;
        while height > 1 {
            let last_below = *numbers_below(0, height - 1).end();
            if self.next_from(last_below + 1)?.is_some() {
                break;
            }
            height -= 1;
        }
        let known = known.and_then(Tree::branch);
        let base = base.and_then(Tree::branch);
        let known = known.and_then(|known| known.lowered(height));
        let base = base.and_then(|base| base.lowered(height));
        let root = self.subtree(height, 0, known, base)?;
        Ok(Planned { height, root })
    }

    /// What stands below a place, which is not that of a blob; `None` if nothing does.
    fn subtree(
        &mut self,
        height: u8,
        first: u64,
        known: Option<Branch<'_>>,
        base: Option<Branch<'_>>,
    ) -> Result<Option<Part>> {
        let numbers = numbers_below(first, height);
        let there = base.and_then(|base| base.at(height));
        if !self.may_differ(&numbers) {
            let Some(known) = known else {
                return Ok(None);
            };
            let known_here = known.at(height).map(|known| known.reference().hash);
            if let Some(there) = there
                && known_here == Some(there.reference().hash)
                && !there.uses_any(self.left)
            {
                return Ok(Some(there.into()));
            }
        }
        let children = self.children(height, numbers, known, base)?;
        if children.is_empty() {
            return Ok(None);
        }
        Ok(Some(match there {
            Some(there)
                if !self.left.contains(&there.reference().pack_id)
                    && are_same(&children, there) =>
            {
                there.into()
            }
            _ => Part::New(children),
        }))
    }

    fn children(
        &mut self,
        height: u8,
        numbers: RangeInclusive<u64>,
        known: Option<Branch<'_>>,
        base: Option<Branch<'_>>,
    ) -> Result<Vec<(u8, Part)>> {
        let mut children = Vec::new();
        let mut next = Some(*numbers.start());
        while let Some(mut first) = next.filter(|next| numbers.contains(next)) {
            if self.may_differ(&numbers_below(first, height - 1)) {
                // Straight to the next blob: what is passed over holds none.
                match self.next_from(first)?.filter(|next| numbers.contains(next)) {
                    Some(number) => first = number & !(numbers_below(0, height - 1).end()),
                    None => break,
                }
            }
            let below = numbers_below(first, height - 1);
            next = below.end().checked_add(1);
            let digit = digit(first, height);
            let known = known.and_then(|known| known.below(digit, height));
            let base = base.and_then(|base| base.below(digit, height));
            let part = match height {
                1 => self.blob(first, known, base)?,
                _ => self.subtree(height - 1, first, known, base)?,
            };
            children.extend(part.map(|part| (digit, part)));
        }
        Ok(children)
    }

    fn blob(
        &mut self,
        number: u64,
        known: Option<Branch<'_>>,
        base: Option<Branch<'_>>,
    ) -> Result<Option<Part>> {
        let place = base
            .map(|base| base.reference())
            .filter(|place| !self.left.contains(&place.pack_id));
        let mut unchanged = None;
        if !self.may_differ(&(number..=number)) {
            let Some(known) = known else {
                return Ok(None);
            };
            unchanged = Some(known.reference());
            if let Some(place) = place.filter(|place| place.hash == known.reference().hash) {
                return Ok(Some(Part::There(*place, None)));
            }
        }
        let found = self.source.next_from(number).map_err(Error::Source)?;
        let Some((_, blob)) = found.filter(|(found, _)| *found == number) else {
            return Ok(None);
        };
        let bytes = blob.len();
        if bytes == 0 || bytes > BLOB_BYTES_MAX {
            return Err(Error::BlobLength {
                section: self.section,
                number,
                bytes,
            });
        }
        let reference = self.store.blob(blob, place)?;
        // What nobody has changed and is another one has gone bad where it lies; it is not to be sealed as if it were right.
        if let Some(known) = unchanged.filter(|known| known.hash != reference.hash) {
            return Err(Error::Changed {
                file: (self.path_of)(known.pack_id),
                byte_offset: known.offset,
                section: self.section,
                number,
            });
        }
        Ok(Some(Part::There(reference, None)))
    }

    /// The first number with a blob, from a number on.
    fn next_from(&mut self, from: u64) -> Result<Option<u64>> {
        let Some((number, _)) = self.source.next_from(from).map_err(Error::Source)? else {
            return Ok(None);
        };
        if number < from {
            return Err(Error::Unordered {
                section: self.section,
                from,
                number,
            });
        }
        Ok(Some(number))
    }

    /// Whether any of the numbers may stand for something else than in what is known.
    fn may_differ(&self, numbers: &RangeInclusive<u64>) -> bool {
        meets(&self.changed, numbers)
    }
}

/// Whether any of these ranges, which ascend, has a number among others.
pub(crate) fn meets(ranges: &[RangeInclusive<u64>], numbers: &RangeInclusive<u64>) -> bool {
    let before = |range: &RangeInclusive<u64>| range.end() < numbers.start();
    let range = ranges.get(ranges.partition_point(before));
    range.is_some_and(|range| range.start() <= numbers.end())
}

impl Planned {
    /// Stores the nodes, those below before those above.
    pub(crate) fn store(self, store: &mut dyn Store) -> Result<Tree> {
        let Some(root) = self.root else {
            return Ok(Tree::default());
        };
        let (reference, node) = root.store(self.height, store)?;
        Ok(Tree::new(
            self.height,
            reference,
            node.expect("a root is a node"),
        ))
    }
}

impl Part {
    fn store(self, height: u8, store: &mut dyn Store) -> Result<(Reference, Option<Arc<Node>>)> {
        let parts = match self {
            Part::There(reference, node) => return Ok((reference, node)),
            Part::New(parts) => parts,
        };
        let mut children = Vec::with_capacity(parts.len());
        for (digit, part) in parts {
            let (reference, below) = part.store(height - 1, store)?;
            children.push(Child {
                digit,
                reference,
                below,
            });
        }
        let refer: Vec<NodeChild> = children
            .iter()
            .map(|child| child.reference.child(child.digit))
            .collect();
        let reference = store.node(height, &refer)?;
        Ok((reference, Some(Arc::new(Node::new(children)))))
    }
}

fn are_same(parts: &[(u8, Part)], there: Branch<'_>) -> bool {
    let there = there.node().map_or(&[][..], |node| node.children());
    let same = |((digit, part), child): (&(u8, Part), &Child)| match part {
        Part::There(reference, _) => *digit == child.digit && *reference == child.reference,
        Part::New(_) => false,
    };
    parts.len() == there.len() && parts.iter().zip(there).all(same)
}

impl From<Branch<'_>> for Part {
    fn from(branch: Branch<'_>) -> Self {
        Part::There(*branch.reference(), branch.node().cloned())
    }
}
