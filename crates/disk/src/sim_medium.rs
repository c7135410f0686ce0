//! All files and directories of a simulated disk, as one value that is cheap to copy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sim_crash::Chooser;
use crate::sim_dir_node::{DirNode, NodeId};
use crate::sim_file_node::FileNode;
use crate::sim_sector::SECTOR_BYTES;

/// The number of the root directory.
pub(crate) const ROOT: NodeId = 0;

/// A file or a directory.
#[derive(Clone)]
pub(crate) enum Node {
    File(Arc<FileNode>),
    Dir(Arc<DirNode>),
}

/// Everything on the disk and in the operating system's cache of it.
#[derive(Clone)]
pub(crate) struct Medium {
    /// By number; `None` where nothing refers to it any more.
    nodes: Vec<Option<Node>>,
    /// Whether a name was removed or replaced, so that a node may be out of reach.
    has_garbage: bool,
}

impl Medium {
    pub(crate) fn new() -> Self {
        Medium {
            nodes: vec![Some(Node::Dir(Arc::default()))],
            has_garbage: false,
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.nodes[id]
            .as_ref()
            .expect("a name or a handle refers to it")
    }

    pub(crate) fn dir(&self, id: NodeId) -> &DirNode {
        match self.node(id) {
            Node::Dir(dir) => dir,
            Node::File(_) => unreachable!("the node of a directory is a directory"),
        }
    }

    pub(crate) fn dir_mut(&mut self, id: NodeId) -> &mut DirNode {
        match &mut self.nodes[id] {
            Some(Node::Dir(dir)) => Arc::make_mut(dir),
            _ => unreachable!("the node of a directory is a directory"),
        }
    }

    pub(crate) fn file(&self, id: NodeId) -> &FileNode {
        match self.node(id) {
            Node::File(file) => file,
            Node::Dir(_) => unreachable!("the node of a file is a file"),
        }
    }

    pub(crate) fn file_mut(&mut self, id: NodeId) -> &mut FileNode {
        match &mut self.nodes[id] {
            Some(Node::File(file)) => Arc::make_mut(file),
            _ => unreachable!("the node of a file is a file"),
        }
    }

    /// Adds a node that no name refers to yet.
    pub(crate) fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(Some(node));
        self.nodes.len() - 1
    }

    /// Tells that a name was removed or replaced.
    pub(crate) fn note_garbage(&mut self) {
        self.has_garbage = true;
    }

    /// Whether a node may be out of reach, now that no handle of old is open.
    pub(crate) fn has_garbage(&self) -> bool {
        self.has_garbage
    }

    /// The node that a path like `log/00.log` names; `.` is the root.
    pub(crate) fn find(&self, path: &Path) -> Option<NodeId> {
        let mut id = ROOT;
        for part in path.components() {
            if part == std::path::Component::CurDir {
                continue;
            }
            let Node::Dir(dir) = self.node(id) else {
                return None;
            };
            id = *dir.names().get(part.as_os_str().to_str()?)?;
        }
        Some(id)
    }

    /// Whether a directory can be reached by a path: one that was removed can not.
    pub(crate) fn is_named(&self, dir: NodeId) -> bool {
        let mut ahead = vec![ROOT];
        while let Some(id) = ahead.pop() {
            if id == dir {
                return true;
            }
            let names = self.dir(id).names().values().copied();
            ahead.extend(names.filter(|id| matches!(self.node(*id), Node::Dir(_))));
        }
        false
    }

    /// The paths of all files that have a name, in byte order within each directory.
    pub(crate) fn files(&self) -> Vec<(PathBuf, NodeId)> {
        let mut found = Vec::new();
        self.collect_files(ROOT, Path::new(""), &mut found);
        found
    }

    fn collect_files(&self, dir: NodeId, path: &Path, found: &mut Vec<(PathBuf, NodeId)>) {
        for (name, id) in self.dir(dir).names() {
            let path = path.join(&**name);
            match self.node(*id) {
                Node::File(_) => found.push((path, *id)),
                Node::Dir(_) => self.collect_files(*id, &path, found),
            }
        }
    }

    /// The space taken by all files that have a name, in bytes.
    pub(crate) fn used_bytes(&self) -> u64 {
        let files = self.files();
        let sectors = files
            .iter()
            .map(|(_, id)| self.file(*id).content().stored_sectors());
        sectors.sum::<u64>() * SECTOR_BYTES as u64
    }

    /// What the power cut leaves. Every node that could be there is asked, whatever the names turn out to be, so
    /// that the number of combinations is a plain product.
    pub(crate) fn power_cut(&mut self, chooser: &mut Chooser) {
        self.drop_garbage(std::iter::empty());
        for node in self.nodes.iter_mut().flatten() {
            match node {
                Node::File(file) if file.is_uncertain() => Arc::make_mut(file).power_cut(chooser),
                Node::Dir(dir) if dir.is_uncertain() => {
                    Arc::make_mut(dir).power_cut(chooser);
                    self.has_garbage = true;
                }
                _ => {}
            }
        }
        self.drop_garbage(std::iter::empty());
    }

    /// Whether a power cut could change anything.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.nodes.iter().flatten().any(|node| match node {
            Node::File(file) => file.is_uncertain(),
            Node::Dir(dir) => dir.is_uncertain(),
        })
    }

    /// Forgets the nodes that no name, no name that a power cut may bring back, and none of `open` refers to.
    pub(crate) fn drop_garbage(&mut self, open: impl Iterator<Item = NodeId>) {
        if !self.has_garbage {
            return;
        }
        let mut reached = BTreeSet::new();
        let mut ahead = vec![ROOT];
        let mut all_certain = true;
        while let Some(id) = ahead.pop() {
            if reached.insert(id)
                && let Node::Dir(dir) = self.node(id)
            {
                all_certain &= !dir.is_uncertain();
                ahead.extend(dir.nodes());
            }
        }
        let held = open.filter(|id| reached.insert(*id)).count();
        for (id, node) in self.nodes.iter_mut().enumerate() {
            if reached.contains(&id) {
                continue;
            }
            match node {
                // Handles on a removed directory go on finding it empty.
                Some(Node::Dir(dir)) => *dir = Arc::default(),
                _ => *node = None,
            }
        }
        self.has_garbage = !all_certain || held > 0;
    }

    pub(crate) fn digest(&self) -> u64 {
        self.hash_of(ROOT)
    }

    fn hash_of(&self, id: NodeId) -> u64 {
        match self.node(id) {
            Node::File(file) => file.hash().add(0, 10).get(),
            Node::Dir(dir) => dir.hash(&mut |id| self.hash_of(id)).add(0, 11).get(),
        }
    }
}
