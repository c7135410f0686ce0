//! A simulated directory: the names that everyone sees, and those that a power cut could leave instead.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim_crash::Chooser;
use crate::sim_hash::Hash;

/// The number of a file or directory, never used twice.
pub(crate) type NodeId = usize;

pub(crate) type Names = BTreeMap<Arc<str>, NodeId>;

/// One change to a directory since the last sync.
#[derive(Clone)]
pub(crate) enum Change {
    /// A file or directory was created.
    Link { name: Arc<str>, node: NodeId },
    /// A file got another name, replacing what had it.
    Rename { to: Arc<str>, node: NodeId },
    /// A name was removed.
    Unlink { name: Arc<str> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The next sync makes it durable.
    Pending,
    /// A sync of it failed: it shows as clean, so that later syncs leave it alone, those of other processes too.
    Abandoned,
    /// Durable, but after a change whose sync failed.
    Certain,
}

/// A simulated directory.
#[derive(Clone, Default)]
pub(crate) struct DirNode {
    names: Arc<Names>,
    durable: Arc<Names>,
    changes: Vec<(Change, Fate)>,
}

impl DirNode {
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn change(&mut self, change: Change) {
        change.apply(Arc::make_mut(&mut self.names));
        self.changes.push((change, Fate::Pending));
    }

    /// A sync that works.
    pub(crate) fn sync(&mut self) {
        if self
            .changes
            .iter()
            .all(|(_, fate)| *fate != Fate::Abandoned)
        {
            self.settle();
            return;
        }
        for (_, fate) in &mut self.changes {
            if *fate == Fate::Pending {
                *fate = Fate::Certain;
            }
        }
    }

    /// A sync that fails: any subset of the changes may be on disk.
    pub(crate) fn fail_sync(&mut self) {
        for (_, fate) in &mut self.changes {
            if *fate == Fate::Pending {
                *fate = Fate::Abandoned;
            }
        }
    }

    /// Whether a power cut could change the names.
    pub(crate) fn is_uncertain(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What a power cut leaves.
    pub(crate) fn power_cut(&mut self, chooser: &mut Chooser) {
        let durable = Arc::make_mut(&mut self.durable);
        for (change, fate) in self.changes.drain(..) {
            if fate == Fate::Certain || chooser.pick(2, 1) == 1 {
                change.apply(durable);
            }
        }
        self.names = Arc::clone(&self.durable);
    }

    /// Makes the names durable.
    pub(crate) fn settle(&mut self) {
        self.changes.clear();
        self.durable = Arc::clone(&self.names);
    }

    /// Changes a name and makes all names durable.
    pub(crate) fn change_settled(&mut self, change: &Change) {
        change.apply(Arc::make_mut(&mut self.names));
        self.settle();
    }

    /// Adds a name that is durable at once, while earlier changes stay as uncertain as they are.
    pub(crate) fn link_durable(&mut self, name: Arc<str>, node: NodeId) {
        if self.names.get(&name) == Some(&node) && self.durable.get(&name) == Some(&node) {
            return;
        }
        let link = Change::Link { name, node };
        if self.changes.is_empty() {
            self.change_settled(&link);
        } else {
            link.apply(Arc::make_mut(&mut self.names));
            self.changes.push((link, Fate::Certain));
        }
    }

    /// All files and directories that have, had or may get a name here.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let linked = self.changes.iter().filter_map(|(change, _)| match change {
            Change::Link { node, .. } | Change::Rename { node, .. } => Some(*node),
            Change::Unlink { .. } => None,
        });
        let named = self.names.values().chain(self.durable.values()).copied();
        named.chain(linked)
    }

    pub(crate) fn hash(&self, node_hash: &mut dyn FnMut(NodeId) -> u64) -> Hash {
        let mut hash = Hash::new();
        for (name, node) in &*self.names {
            hash = hash.add_bytes(name.as_bytes()).add(node_hash(*node), 4);
        }
        if !self.is_uncertain() {
            return hash;
        }
        // Which names stand for the same file matters too: a write through one of them changes it.
        let mut met = Vec::new();
        let mut add = |hash: Hash, name: &str, node: NodeId, kind: u64| {
            let place = met.iter().position(|other| *other == node);
            let place = place.unwrap_or_else(|| {
                met.push(node);
                met.len() - 1
            });
            let hash = hash.add_bytes(name.as_bytes()).add(place as u64, kind);
            hash.add(node_hash(node), 5)
        };
        for (name, node) in self.names.iter().chain(&*self.durable) {
            hash = add(hash, name, *node, 6);
        }
        for (change, fate) in &self.changes {
            hash = match change {
                Change::Link { name, node } => add(hash, name, *node, 7),
                Change::Rename { to, node } => add(hash, to, *node, 8),
                Change::Unlink { name } => hash.add_bytes(name.as_bytes()).add(0, 9),
            };
            hash = hash.add(*fate as u64, 10);
        }
        hash
    }
}

impl Change {
    fn apply(&self, names: &mut Names) {
        match self {
            Change::Link { name, node } => {
                names.insert(Arc::clone(name), *node);
            }
            Change::Rename { to, node } => {
                // By file, not by old name: an earlier change of its name may have been lost.
                names.retain(|_, other| other != node);
                names.insert(Arc::clone(to), *node);
            }
            Change::Unlink { name } => {
                names.remove(name);
            }
        }
    }
}
