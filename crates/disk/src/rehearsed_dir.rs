//! A directory of a rehearsal: names as they would be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dir::{Access, Dir, Entry, EntryKind};
use crate::error::{Error, Operation, Result};
use crate::file::File;
use crate::lock::Lock;
use crate::name::check_name;
use crate::rehearsal::{Change, ChangeKind};
use crate::rehearsed_file::{RehearsedBytes, RehearsedFile};

pub(crate) struct RehearsedDir {
    path: PathBuf,
    /// The directory that is only read; none below one that was made here.
    below: Option<Arc<dyn Dir>>,
    /// What was there when it was first looked at.
    found: Vec<Entry>,
    names: Mutex<BTreeMap<String, Named>>,
    /// It has no name any more: nothing can be made in it.
    is_removed: AtomicBool,
}

/// What stands under a name.
#[derive(Clone)]
enum Named {
    /// What was found there, not touched yet.
    Untouched(EntryKind),
    File {
        bytes: Arc<RehearsedBytes>,
        /// The name that it was found under, if it was.
        found_as: Option<String>,
    },
    Dir(Arc<RehearsedDir>),
}

impl RehearsedDir {
    pub(crate) fn above(below: Arc<dyn Dir>) -> Result<Self> {
        let found = below.list()?;
        let entries = found.iter().cloned();
        let names = entries.map(|entry| (entry.name, Named::Untouched(entry.kind)));
        Ok(RehearsedDir {
            path: below.path().to_path_buf(),
            names: Mutex::new(names.collect()),
            found,
            below: Some(below),
            is_removed: AtomicBool::new(false),
        })
    }

    fn made(path: PathBuf) -> Self {
        RehearsedDir {
            path,
            below: None,
            found: Vec::new(),
            names: Mutex::default(),
            is_removed: AtomicBool::new(false),
        }
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, Named>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn child(&self, operation: Operation, name: &str) -> Result<PathBuf> {
        check_name(operation, &self.path, name)?;
        Ok(self.path.join(name))
    }

    fn below(&self) -> &Arc<dyn Dir> {
        let below = self.below.as_ref();
        below.expect("what is untouched was found in a directory")
    }

    /// The file of a name, and the name that it was found under.
    fn file(
        &self,
        names: &mut BTreeMap<String, Named>,
        operation: Operation,
        name: &str,
    ) -> Result<(Arc<RehearsedBytes>, Option<String>)> {
        let path = self.child(operation, name)?;
        match names.get(name) {
            None => Err(Error::io(operation, &path, io::ErrorKind::NotFound.into())),
            Some(Named::File { bytes, found_as }) => Ok((Arc::clone(bytes), found_as.clone())),
            Some(Named::Untouched(EntryKind::File)) => {
                let file = self.below().open(name, Access::Read)?;
                let bytes = Arc::new(RehearsedBytes::above(file)?);
                let found_as = Some(name.to_owned());
                let named = Named::File {
                    bytes: Arc::clone(&bytes),
                    found_as: found_as.clone(),
                };
                names.insert(name.to_owned(), named);
                Ok((bytes, found_as))
            }
            Some(_) => Err(Error::NotAFile { path }),
        }
    }

    /// Refuses what can not get a new name.
    fn require_free(&self, names: &BTreeMap<String, Named>, name: &str) -> Result<PathBuf> {
        let path = self.child(Operation::Create, name)?;
        if names.contains_key(name) {
            let source = io::ErrorKind::AlreadyExists.into();
            return Err(Error::io(Operation::Create, &path, source));
        }
        if self.is_removed.load(Ordering::Acquire) {
            let source = io::ErrorKind::NotFound.into();
            return Err(Error::io(Operation::Create, &path, source));
        }
        Ok(path)
    }

    pub(crate) fn add_changes(&self, at: &Path, changes: &mut Vec<Change>) -> Result<()> {
        let names = self.names().clone();
        let moved: BTreeSet<&str> = names.values().filter_map(Named::found_as).collect();
        let found: BTreeSet<&str> = self.found.iter().map(|entry| entry.name.as_str()).collect();
        let all: BTreeSet<&str> = names
            .keys()
            .map(String::as_str)
            .chain(found.iter().copied())
            .collect();
        for name in all {
            let path = at.join(name);
            let mut add = |kind| {
                let path = path.clone();
                changes.push(Change { path, kind });
            };
            match names.get(name) {
                None if moved.contains(name) => {}
                None => add(ChangeKind::Removed {
                    bytes: self.found_bytes(name)?,
                }),
                Some(Named::Untouched(_)) => {}
                Some(Named::File { bytes, found_as }) => {
                    match found_as {
                        None => {
                            let replaces = match found.contains(name) {
                                true => Some(self.found_bytes(name)?),
                                false => None,
                            };
                            let bytes = bytes.len();
                            add(ChangeKind::Created { bytes, replaces });
                            continue;
                        }
                        Some(from) if from != name => {
                            add(ChangeKind::Renamed { from: from.clone() })
                        }
                        Some(_) => {}
                    }
                    if let Some(written) = bytes.difference()? {
                        add(written);
                    }
                }
                Some(Named::Dir(dir)) => {
                    if dir.below.is_none() {
                        add(ChangeKind::Created {
                            bytes: 0,
                            replaces: None,
                        });
                    }
                    dir.add_changes(&path, changes)?;
                }
            }
        }
        Ok(())
    }

    /// How long a file is that was found.
    fn found_bytes(&self, name: &str) -> Result<u64> {
        let mut found = self.found.iter();
        match found.find(|entry| entry.name == name) {
            Some(entry) if entry.kind == EntryKind::File => {
                self.below().open(name, Access::Read)?.len()
            }
            _ => Ok(0),
        }
    }
}

impl Named {
    fn found_as(&self) -> Option<&str> {
        match self {
            Named::File { found_as, .. } => found_as.as_deref(),
            _ => None,
        }
    }
}

impl Dir for RehearsedDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let names = self.names();
        let entries = names.iter().map(|(name, named)| Entry {
            name: name.clone(),
            kind: match named {
                Named::Untouched(kind) => *kind,
                Named::File { .. } => EntryKind::File,
                Named::Dir(_) => EntryKind::Dir,
            },
        });
        Ok(entries.collect())
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let (bytes, _) = self.file(&mut self.names(), Operation::Open, name)?;
        let path = self.path.join(name);
        Ok(Arc::new(RehearsedFile::new(bytes, path, access)))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let mut names = self.names();
        let path = self.require_free(&names, name)?;
        let bytes = Arc::new(RehearsedBytes::default());
        let named = Named::File {
            bytes: Arc::clone(&bytes),
            found_as: None,
        };
        names.insert(name.to_owned(), named);
        Ok(Arc::new(RehearsedFile::new(bytes, path, Access::ReadWrite)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut names = self.names();
        let (bytes, found_as) = self.file(&mut names, Operation::Rename, from)?;
        let to_path = self.child(Operation::Rename, to)?;
        match names.get(to) {
            None | Some(Named::File { .. } | Named::Untouched(EntryKind::File)) => {}
            Some(_) => return Err(Error::NotAFile { path: to_path }),
        }
        names.remove(from);
        names.insert(to.to_owned(), Named::File { bytes, found_as });
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let mut names = self.names();
        self.file(&mut names, Operation::Remove, name)?;
        names.remove(name);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn open_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        let path = self.child(Operation::Open, name)?;
        let mut names = self.names();
        match names.get(name) {
            None => {
                let source = io::ErrorKind::NotFound.into();
                Err(Error::io(Operation::Open, &path, source))
            }
            Some(Named::Dir(dir)) => Ok(Arc::clone(dir) as Arc<dyn Dir>),
            Some(Named::Untouched(EntryKind::Dir)) => {
                let dir = Arc::new(RehearsedDir::above(self.below().open_dir(name)?)?);
                names.insert(name.to_owned(), Named::Dir(Arc::clone(&dir)));
                Ok(dir)
            }
            Some(_) => Err(Error::NotADirectory { path }),
        }
    }

    fn create_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        let mut names = self.names();
        let path = self.require_free(&names, name)?;
        let dir = Arc::new(RehearsedDir::made(path));
        names.insert(name.to_owned(), Named::Dir(Arc::clone(&dir)));
        Ok(dir)
    }

    fn remove_dir(&self, name: &str) -> Result<()> {
        let path = self.child(Operation::Remove, name)?;
        self.open_dir(name)?;
        let mut names = self.names();
        if let Some(Named::Dir(dir)) = names.get(name) {
            let inner = dir.names();
            if inner.is_empty() {
                dir.is_removed.store(true, Ordering::Release);
                drop(inner);
                names.remove(name);
                return Ok(());
            }
        }
        let source = io::ErrorKind::DirectoryNotEmpty.into();
        Err(Error::io(Operation::Remove, &path, source))
    }

    fn lock(&self, name: &str, holder: &str) -> Result<Lock> {
        let path = self.child(Operation::Lock, name)?;
        let Some(below) = &self.below else {
            // Nobody else knows of it.
            return Ok(Lock::new(()));
        };
        let mut names = self.names();
        if let Some(Named::Dir(_)) = names.get(name) {
            return Err(Error::NotAFile { path });
        }
        let lock = below.lock(name, holder)?;
        let file = Named::Untouched(EntryKind::File);
        names.entry(name.to_owned()).or_insert(file);
        Ok(lock)
    }
}

impl fmt::Debug for RehearsedDir {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RehearsedDir({})", self.path.display())
    }
}
