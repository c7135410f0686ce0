//! A directory that a writer beside us may empty while it is read: what is listed is opened at once, and an open file stays readable after it was removed.
//!
//! ```text
//!   list ──> open, newest first                  read, whenever, as often
//!   └ as many calls as there are files ┘         └ nothing that is held can vanish any more ┘
//! ```
//!
//! So how fast a writer may be depends on how many files there are, and not on how much is in them. Nothing can be changed through it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disk::{Access, Dir, Entry, EntryKind, Error, File, Lock, Operation, Result};

/// So many files are held, and if there are more, the newest: a process may only have so many open.
const FILES_MAX: usize = 100;

/// A directory whose files are held open since it was last listed.
#[derive(Debug)]
pub(crate) struct HeldDir {
    dir: Arc<dyn Dir>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    entries: Vec<Entry>,
    /// Whether nobody has asked for them yet.
    is_unseen: bool,
    files: HashMap<String, Arc<dyn File>>,
}

impl HeldDir {
    /// Lists the directory and opens what is in it.
    pub(crate) fn hold(dir: Arc<dyn Dir>) -> Result<HeldDir> {
        let held = Mutex::new(Held::of(&*dir)?);
        Ok(HeldDir { dir, held })
    }

    /// The names that were listed last.
    pub(crate) fn names(&self) -> Vec<String> {
        let held = self.held();
        let names = held.entries.iter().map(|entry| entry.name.clone());
        names.collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused<T>(&self, operation: Operation, name: &str) -> Result<T> {
        let path = self.dir.path().join(name);
        let source = io::ErrorKind::ReadOnlyFilesystem.into();
        Err(Error::io(operation, &path, source))
    }
}

impl Held {
    fn of(dir: &dyn Dir) -> Result<Held> {
        let entries = dir.list()?;
        let mut files = HashMap::new();
        // Names of segments and of snapshots begin with the number of a transaction.
        let newest_first = entries.iter().rev();
        let ours = newest_first.filter(|entry| entry.kind == EntryKind::File);
        for entry in ours.take(FILES_MAX) {
            // One that can not be opened is somebody else's, or tells that to whoever needs it.
            if let Ok(file) = dir.open(&entry.name, Access::Read) {
                files.insert(entry.name.clone(), file);
            }
        }
        Ok(Held {
            entries,
            is_unseen: true,
            files,
        })
    }
}

impl Dir for HeldDir {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn resolved_path(&self) -> Option<PathBuf> {
        self.dir.resolved_path()
    }

    /// What was listed when it was first held; after that it is listed, and held, anew.
    fn list(&self) -> Result<Vec<Entry>> {
        let mut held = self.held();
        if !held.is_unseen {
            *held = Held::of(&*self.dir)?;
        }
        held.is_unseen = false;
        Ok(held.entries.clone())
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        if access != Access::Read {
            return self.refused(Operation::Open, name);
        }
        let mut held = self.held();
        if let Some(file) = held.files.get(name) {
            return Ok(Arc::clone(file));
        }
        let file = self.dir.open(name, access)?;
        // It was made since, and may be removed as soon.
        let listed = |entry: &Entry| entry.name.as_str().cmp(name);
        if held.entries.binary_search_by(listed).is_err() {
            held.files.insert(name.to_owned(), Arc::clone(&file));
        }
        Ok(file)
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        self.refused(Operation::Create, name)
    }

    fn rename(&self, from: &str, _: &str) -> Result<()> {
        self.refused(Operation::Rename, from)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.refused(Operation::Remove, name)
    }

    fn sync(&self) -> Result<()> {
        self.refused(Operation::SyncDir, "")
    }

    fn open_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        self.dir.open_dir(name)
    }

    fn create_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        self.refused(Operation::Create, name)
    }

    fn lock(&self, name: &str, _: &str) -> Result<Lock> {
        self.refused(Operation::Lock, name)
    }
}
