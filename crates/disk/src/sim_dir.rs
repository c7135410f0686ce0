//! A handle on a simulated directory.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::dir::{Access, Dir, Entry, EntryKind};
use crate::error::{Error, Operation, Result};
use crate::file::File;
use crate::lock::Lock;
use crate::name::check_name;
use crate::sim_dir_node::{Change, NodeId};
use crate::sim_file::SimFile;
use crate::sim_file_node::FileNode;
use crate::sim_medium::{Node, ROOT};
use crate::sim_state::{Shared, State, Trouble};

pub(crate) struct SimDir {
    shared: Arc<Shared>,
    life: u64,
    node: NodeId,
    path: Arc<Path>,
}

/// What is held while a lock is held.
struct SimLock {
    shared: Arc<Shared>,
    life: u64,
    dir: NodeId,
    file: NodeId,
}

impl SimDir {
    /// The root in the life that the disk is in now.
    pub(crate) fn root(shared: &Arc<Shared>) -> Self {
        SimDir {
            shared: Arc::clone(shared),
            life: shared.state().life,
            node: ROOT,
            path: Path::new(".").into(),
        }
    }

    fn subdirectory(&self, node: NodeId, path: Arc<Path>) -> Arc<dyn Dir> {
        Arc::new(SimDir {
            shared: Arc::clone(&self.shared),
            life: self.life,
            node,
            path,
        })
    }

    fn child(&self, operation: Operation, name: &str) -> Result<Arc<Path>> {
        check_name(operation, &self.path, name)?;
        if self.node == ROOT {
            return Ok(Path::new(name).into());
        }
        Ok(self.path.join(name).into())
    }

    fn call<T>(
        &self,
        operation: Operation,
        path: &Arc<Path>,
        effect: impl FnOnce(&mut State, Trouble) -> Result<T>,
    ) -> Result<T> {
        self.shared.call(self.life, operation, path, effect)
    }

    fn find(&self, state: &State, name: &str) -> Option<NodeId> {
        state.medium.dir(self.node).names().get(name).copied()
    }

    /// The file `name`; anything else of that name is refused.
    fn find_file(
        &self,
        state: &State,
        operation: Operation,
        name: &str,
        path: &Arc<Path>,
    ) -> Result<NodeId> {
        match self.find(state, name) {
            None => Err(Error::io(operation, path, io::ErrorKind::NotFound.into())),
            Some(node) => match state.medium.node(node) {
                Node::File(_) => Ok(node),
                Node::Dir(_) => Err(not_a_file(path)),
            },
        }
    }

    fn add(&self, state: &mut State, name: &str, path: &Arc<Path>, node: Node) -> Result<NodeId> {
        if self.find(state, name).is_some() {
            let source = io::ErrorKind::AlreadyExists.into();
            return Err(Error::io(Operation::Create, path, source));
        }
        if !state.medium.is_named(self.node) {
            let source = io::ErrorKind::NotFound.into();
            return Err(Error::io(Operation::Create, path, source));
        }
        let medium = state.medium_mut();
        let node = medium.add(node);
        let name = name.into();
        medium
            .dir_mut(self.node)
            .change(Change::Link { name, node });
        Ok(node)
    }
}

impl Dir for SimDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> Result<Vec<Entry>> {
        self.call(Operation::List, &self.path, |state, _| {
            let names = state.medium.dir(self.node).names().iter();
            let entries = names.map(|(name, node)| Entry {
                name: name.to_string(),
                kind: match state.medium.node(*node) {
                    Node::File(_) => EntryKind::File,
                    Node::Dir(_) => EntryKind::Dir,
                },
            });
            Ok(entries.collect())
        })
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let path = self.child(Operation::Open, name)?;
        self.call(Operation::Open, &path, |state, _| {
            let node = self.find_file(state, Operation::Open, name, &path)?;
            let path = Arc::clone(&path);
            let file = SimFile::new(&self.shared, state, node, path, access);
            Ok(Arc::new(file) as Arc<dyn File>)
        })
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let path = self.child(Operation::Create, name)?;
        self.call(Operation::Create, &path, |state, _| {
            let node = self.add(state, name, &path, Node::File(Arc::default()))?;
            let path = Arc::clone(&path);
            let file = SimFile::new(&self.shared, state, node, path, Access::ReadWrite);
            Ok(Arc::new(file) as Arc<dyn File>)
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let from_path = self.child(Operation::Rename, from)?;
        let to_path = self.child(Operation::Rename, to)?;
        self.call(Operation::Rename, &from_path, |state, _| {
            let node = self.find_file(state, Operation::Rename, from, &from_path)?;
            match self.find(state, to).map(|to| (to, state.medium.node(to))) {
                Some((_, Node::Dir(_))) => return Err(not_a_file(&to_path)),
                Some((replaced, _)) if replaced == node => return Ok(()),
                _ => {}
            }
            let to = to.into();
            let medium = state.medium_mut();
            medium
                .dir_mut(self.node)
                .change(Change::Rename { to, node });
            medium.note_garbage();
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.child(Operation::Remove, name)?;
        self.call(Operation::Remove, &path, |state, _| {
            self.find_file(state, Operation::Remove, name, &path)?;
            let name = name.into();
            let medium = state.medium_mut();
            medium.dir_mut(self.node).change(Change::Unlink { name });
            medium.note_garbage();
            Ok(())
        })
    }

    fn sync(&self) -> Result<()> {
        self.call(Operation::SyncDir, &self.path, |state, trouble| {
            let uncertain = state.medium.dir(self.node).is_uncertain();
            if trouble.fails() {
                if uncertain {
                    state.medium_mut().dir_mut(self.node).fail_sync();
                }
                return Err(Error::io(Operation::SyncDir, &self.path, trouble.error()));
            }
            if uncertain {
                let open: Vec<NodeId> = state.open.keys().copied().collect();
                let medium = state.medium_mut();
                medium.dir_mut(self.node).sync();
                medium.drop_garbage(open.into_iter());
            }
            Ok(())
        })
    }

    fn open_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        let path = self.child(Operation::Open, name)?;
        self.call(Operation::Open, &path, |state, _| {
            match self.find(state, name).map(|id| (id, state.medium.node(id))) {
                Some((node, Node::Dir(_))) => Ok(self.subdirectory(node, Arc::clone(&path))),
                Some((_, Node::File(_))) => Err(Error::NotADirectory {
                    path: path.to_path_buf(),
                }),
                None => {
                    let source = io::ErrorKind::NotFound.into();
                    Err(Error::io(Operation::Open, &path, source))
                }
            }
        })
    }

    fn create_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        let path = self.child(Operation::Create, name)?;
        self.call(Operation::Create, &path, |state, _| {
            let node = self.add(state, name, &path, Node::Dir(Arc::default()))?;
            Ok(self.subdirectory(node, Arc::clone(&path)))
        })
    }

    fn remove_dir(&self, name: &str) -> Result<()> {
        let path = self.child(Operation::Remove, name)?;
        self.call(Operation::Remove, &path, |state, _| {
            let refused = |kind: io::ErrorKind| Error::io(Operation::Remove, &path, kind.into());
            let found = self.find(state, name).map(|node| state.medium.node(node));
            match found {
                None => return Err(refused(io::ErrorKind::NotFound)),
                Some(Node::File(_)) => {
                    return Err(Error::NotADirectory {
                        path: path.to_path_buf(),
                    });
                }
                Some(Node::Dir(dir)) if !dir.names().is_empty() => {
                    return Err(refused(io::ErrorKind::DirectoryNotEmpty));
                }
                Some(Node::Dir(_)) => {}
            }
            let name = name.into();
            let medium = state.medium_mut();
            medium.dir_mut(self.node).change(Change::Unlink { name });
            medium.note_garbage();
            Ok(())
        })
    }

    /// The lock file and its content are durable at once: nothing rests on them, and left uncertain they would
    /// only multiply the states that a test has to walk through.
    fn lock(&self, name: &str, holder: &str) -> Result<Lock> {
        let path = self.child(Operation::Lock, name)?;
        self.call(Operation::Lock, &path, |state, _| {
            if let Some(holder) = state.locks.get(&self.node) {
                return Err(Error::Locked {
                    path: path.to_path_buf(),
                    holder: holder.clone(),
                });
            }
            let node = match self.find(state, name) {
                Some(_) => self.find_file(state, Operation::Lock, name, &path)?,
                None => state.medium_mut().add(Node::File(Arc::default())),
            };
            let mut file = FileNode::default();
            file.write(0, format!("{holder}\n").as_bytes());
            file.settle();
            let medium = state.medium_mut();
            *medium.file_mut(node) = file;
            medium.dir_mut(self.node).link_durable(name.into(), node);
            state.locks.insert(self.node, holder.to_owned());
            *state.open.entry(node).or_default() += 1;
            Ok(Lock::new(SimLock {
                shared: Arc::clone(&self.shared),
                life: self.life,
                dir: self.node,
                file: node,
            }))
        })
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.life == self.life {
            state.locks.remove(&self.dir);
        }
        state.close(self.file, self.life);
    }
}

impl fmt::Debug for SimDir {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SimDir({})", self.path.display())
    }
}

fn not_a_file(path: &Path) -> Error {
    Error::NotAFile {
        path: path.to_path_buf(),
    }
}
