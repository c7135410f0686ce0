//! A snapshot in read-only maps, whose tree of hashes is read where it is needed.
//!
//! ```text
//!   root ──────> node ──────> node ──────> blob
//!   read with    read, verified and kept   verified by the caller
//!   the map      on first use
//! ```
//!
//! Bounds against hostile bytes are those of [`tree_walk`](crate::tree_walk): no more bytes of nodes are read than the packs have.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use disk::Dir;

use crate::blob::Blob;
use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::load::mapped;
use crate::manifest::Manifest;
use crate::node_format::FAN_OUT_BITS;
use crate::outline::Outline;
use crate::pack_reader::PackSet;
use crate::reference::Reference;
use crate::tree::{Child, Node, Tree, digit, numbers_below};
use crate::tree_walk::number_below;

/// A snapshot whose nodes are read and verified on first use, and whose blobs are not: each is kept as a `T`, made once from it. What a node was
/// found to be it stays, damaged or not.
pub struct Mapped<T> {
    manifest: Manifest,
    /// For messages.
    path: PathBuf,
    packs: PackSet,
    /// By section; `None` of an empty one.
    roots: Vec<Option<MappedNode<T>>>,
    /// Bytes of nodes that may still be read.
    budget: AtomicU64,
    nodes_read: AtomicU64,
}

/// A node that was read. Invariant: digits rise.
struct MappedNode<T> {
    height: u8,
    /// The number of the first blob below, cut as far as the node's.
    prefix: u64,
    /// In its pack, for messages about its children.
    pack: usize,
    byte_offset: u64,
    digits: Vec<u8>,
    references: Vec<Reference>,
    below: Below<T>,
}

enum Below<T> {
    Nodes(Vec<OnceLock<Verdict<T>>>),
    Blobs(Vec<T>),
}

type Verdict<T> = std::result::Result<Box<MappedNode<T>>, Flaw>;

/// What [`Error::Damaged`] says, to be said again.
#[derive(Debug, Clone)]
struct Flaw {
    file: PathBuf,
    byte_offset: u64,
    kind: DamageKind,
}

/// Numbers of which can not be said which of them have a blob, and why.
#[derive(Debug)]
pub struct Unread {
    /// The numbers.
    pub numbers: RangeInclusive<u64>,
    /// What is damaged.
    pub error: Error,
}

impl<T: From<Blob>> Mapped<T> {
    /// Maps the packs and reads the roots; `None` if a pack may hold compressed pages.
    pub(crate) fn open(dir: &dyn Dir, manifest: &Manifest) -> Result<Option<Self>> {
        let packs = PackSet::open(dir, manifest, true)?;
        if packs.packs.iter().any(|pack| pack.is_compressed) {
            return Ok(None);
        }
        let mut mapped = Mapped {
            path: manifest.path_in(dir),
            budget: AtomicU64::new(packs.bytes()),
            packs,
            roots: Vec::new(),
            nodes_read: AtomicU64::new(0),
            manifest: manifest.clone(),
        };
        for section in manifest.sections() {
            let read = |root| mapped.read(None, root, section.height, 0);
            let root = section.root.as_ref().map(read).transpose()?;
            mapped.roots.push(root);
        }
        Ok(Some(mapped))
    }

    /// The snapshot's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many nodes have been read so far.
    pub fn nodes_read(&self) -> u64 {
        self.nodes_read.load(Ordering::Relaxed)
    }

    /// The blob of a number.
    ///
    /// # Errors
    /// [`Error::Damaged`], if a node on the way is.
    pub fn get(&self, section: usize, number: u64) -> Result<Option<&T>> {
        let Some(mut node) = self.root(section) else {
            return Ok(None);
        };
        if !node.numbers().contains(&number) {
            return Ok(None);
        }
        loop {
            let Some(place) = node.place(digit(number, node.height)) else {
                return Ok(None);
            };
            node = match &node.below {
                Below::Blobs(blobs) => return Ok(Some(&blobs[place])),
                Below::Nodes(_) => self.below(node, place)?,
            };
        }
    }

    /// The first blob from a number on, and its number.
    ///
    /// # Errors
    /// The first numbers of which nothing can be said since a node is damaged.
    pub fn next_from(
        &self,
        section: usize,
        from: u64,
    ) -> std::result::Result<Option<(u64, &T)>, Unread> {
        let root = self.root(section);
        root.map_or(Ok(None), |root| self.next_in(root, from))
    }

    /// Whether any of these numbers has a blob. Reads only nodes below which some of them lie and some do not.
    ///
    /// # Errors
    /// [`Error::Damaged`], if such a node is.
    pub fn has_any(&self, section: usize, numbers: RangeInclusive<u64>) -> Result<bool> {
        let root = self.root(section);
        root.map_or(Ok(false), |root| self.has_any_in(root, &numbers))
    }

    /// The last number that has a blob.
    ///
    /// # Errors
    /// [`Error::Damaged`], if a node on the way is.
    pub fn last(&self, section: usize) -> Result<Option<u64>> {
        let Some(mut node) = self.root(section) else {
            return Ok(None);
        };
        loop {
            let place = node.digits.len() - 1;
            if node.height == 1 {
                return Ok(Some(*node.numbers_of(place).start()));
            }
            node = self.below(node, place)?;
        }
    }

    /// What the next snapshot can be written on. Reads all nodes.
    ///
    /// # Errors
    /// [`Error::Damaged`], if any is, or if there are fewer or more blobs than the manifest says.
    pub fn outline(&self) -> Result<Outline> {
        let mut trees = Vec::with_capacity(self.roots.len());
        for (root, section) in self.roots.iter().zip(self.manifest.sections()) {
            let Some((root, reference)) = root.as_ref().zip(section.root) else {
                trees.push(Tree::default());
                continue;
            };
            let tree = Tree::new(section.height, reference, self.tree_of(root)?);
            let (expected, found) = (section.count, tree.entry().count);
            if expected != found {
                let kind = DamageKind::Count { expected, found };
                return Err(Error::damaged(&self.path, 0, kind));
            }
            trees.push(tree);
        }
        Ok(Outline::new(self.manifest.clone(), trees))
    }

    fn tree_of(&self, node: &MappedNode<T>) -> Result<Arc<Node>> {
        let mut children = Vec::with_capacity(node.digits.len());
        for (place, (digit, reference)) in node.digits.iter().zip(&node.references).enumerate() {
            let below = match &node.below {
                Below::Blobs(_) => None,
                Below::Nodes(_) => Some(self.tree_of(self.below(node, place)?)?),
            };
            children.push(Child {
                digit: *digit,
                reference: *reference,
                below,
            });
        }
        Ok(Arc::new(Node::new(children)))
    }

    fn root(&self, section: usize) -> Option<&MappedNode<T>> {
        self.roots.get(section)?.as_ref()
    }

    fn next_in<'a>(
        &'a self,
        node: &'a MappedNode<T>,
        from: u64,
    ) -> std::result::Result<Option<(u64, &'a T)>, Unread> {
        let numbers = node.numbers();
        let places = match from {
            from if from <= *numbers.start() => 0,
            from if from > *numbers.end() => return Ok(None),
            from => {
                let digit = digit(from, node.height);
                node.digits.partition_point(|other| *other < digit)
            }
        }..node.digits.len();
        for place in places {
            let numbers = node.numbers_of(place);
            match &node.below {
                Below::Blobs(blobs) => return Ok(Some((*numbers.start(), &blobs[place]))),
                Below::Nodes(_) => {
                    let below = self.below(node, place);
                    let below = below.map_err(|error| Unread { numbers, error })?;
                    if let Some(found) = self.next_in(below, from)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
    }

    fn has_any_in(&self, node: &MappedNode<T>, numbers: &RangeInclusive<u64>) -> Result<bool> {
        for place in 0..node.digits.len() {
            let below = node.numbers_of(place);
            if below.end() < numbers.start() || below.start() > numbers.end() {
                continue;
            }
            let is_inside = numbers.contains(below.start()) && numbers.contains(below.end());
            if is_inside || self.has_any_in(self.below(node, place)?, numbers)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The node at a place of another that holds nodes.
    fn below<'a>(&self, node: &'a MappedNode<T>, place: usize) -> Result<&'a MappedNode<T>> {
        let Below::Nodes(cells) = &node.below else {
            unreachable!("below a blob is nothing");
        };
        let verdict = cells[place].get_or_init(|| {
            let prefix = number_below(node.prefix, node.digits[place]);
            let prefix = prefix.expect("it was looked at when the node was read");
            let read = self.read(Some(node), &node.references[place], node.height - 1, prefix);
            read.map(Box::new).map_err(Flaw::from)
        });
        match verdict {
            Ok(below) => Ok(below),
            Err(flaw) => Err(Error::damaged(&flaw.file, flaw.byte_offset, flaw.kind)),
        }
    }

    /// Reads the node behind a reference, which was read from another node, or is a root.
    fn read(
        &self,
        from: Option<&MappedNode<T>>,
        reference: &Reference,
        height: u8,
        prefix: u64,
    ) -> Result<MappedNode<T>> {
        let (file, byte) = match from {
            Some(node) => (&*self.packs.packs[node.pack].path, node.byte_offset),
            None => (self.path.as_path(), 0),
        };
        let index = self.packs.locate(file, byte, reference, false)?;
        let pack = &self.packs.packs[index];
        let damaged = |kind| pack.damaged(reference.offset, kind);
        let stored_length = u64::from(reference.stored_length);
        let spend = |left: u64| left.checked_sub(stored_length);
        let spent = self
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
        if spent.is_err() {
            return Err(damaged(DamageKind::TreeTooLarge));
        }
        self.nodes_read.fetch_add(1, Ordering::Relaxed);
        // What is decoded is what was checked, whatever the map shows next.
        let bytes = pack.stored(reference)?.into_owned();
        let children = pack.check_node(reference, &bytes, height, from.is_none())?;
        let mut digits = Vec::with_capacity(children.len());
        let mut references = Vec::with_capacity(children.len());
        let mut blobs = Vec::new();
        for child in children {
            let bits = u32::from(height - 1) * FAN_OUT_BITS;
            let below = number_below(prefix, child.digit);
            if below.is_none_or(|below| below.leading_zeros() < bits) {
                return Err(damaged(DamageKind::Node));
            }
            digits.push(child.digit);
            let child = Reference::from(child);
            if height == 1 {
                let index = self
                    .packs
                    .locate(&pack.path, reference.offset, &child, true)?;
                let pack = &self.packs.packs[index];
                let storage = mapped(pack, &child);
                let blob = Blob::new(storage, child.crc32c, &pack.path, &child);
                blobs.push(T::from(blob));
            }
            references.push(child);
        }
        let below = match height {
            1 => Below::Blobs(blobs),
            _ => Below::Nodes(digits.iter().map(|_| OnceLock::new()).collect()),
        };
        Ok(MappedNode {
            height,
            prefix,
            pack: index,
            byte_offset: reference.offset,
            digits,
            references,
            below,
        })
    }
}

impl<T> MappedNode<T> {
    fn place(&self, digit: u8) -> Option<usize> {
        // Mostly nothing is missing before it.
        if self.digits.get(usize::from(digit)) == Some(&digit) {
            return Some(digit.into());
        }
        self.digits.binary_search(&digit).ok()
    }

    /// The numbers below it.
    fn numbers(&self) -> RangeInclusive<u64> {
        let bits = u32::from(self.height) * FAN_OUT_BITS;
        numbers_below(self.prefix.checked_shl(bits).unwrap_or(0), self.height)
    }

    /// The numbers below one of its places.
    fn numbers_of(&self, place: usize) -> RangeInclusive<u64> {
        let bits = u32::from(self.height - 1) * FAN_OUT_BITS;
        let digit = u64::from(self.digits[place]);
        let first = (self.prefix << FAN_OUT_BITS | digit) << bits;
        numbers_below(first, self.height - 1)
    }
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Self {
        match error {
            Error::Damaged {
                file,
                byte_offset,
                kind,
            } => Flaw {
                file,
                byte_offset,
                kind,
            },
            error => unreachable!("a map is read without a call: {error}"),
        }
    }
}

impl<T> fmt::Debug for Mapped<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes_read = self.nodes_read.load(Ordering::Relaxed);
        formatter
            .debug_struct("Mapped")
            .field("file", &self.path)
            .field("nodes_read", &nodes_read)
            .finish_non_exhaustive()
    }
}
