//! A directory that does something between the calls of whoever reads it, and refuses every call that would change it.
#![allow(dead_code, reason = "no test needs all of it")]

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use disk::{Access, Dir, Entry, File, Lock, Map, Result};

type Action = Box<dyn FnMut(u64) + Send>;

/// Counts the calls and lets somebody else act right before each.
pub(crate) struct Watch {
    calls: AtomicU64,
    before: Mutex<Action>,
}

impl Watch {
    /// `before` hears the number of each call.
    pub(crate) fn new(before: impl FnMut(u64) + Send + 'static) -> Arc<Watch> {
        Arc::new(Watch {
            calls: AtomicU64::new(0),
            before: Mutex::new(Box::new(before)),
        })
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    fn call(&self) {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        (self.before.lock().unwrap())(number);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watch")
    }
}

/// A directory for reading only.
#[derive(Debug)]
pub(crate) struct WatchedDir {
    dir: Arc<dyn Dir>,
    watch: Arc<Watch>,
}

impl WatchedDir {
    pub(crate) fn around(dir: Arc<dyn Dir>, watch: &Arc<Watch>) -> Arc<dyn Dir> {
        let watch = Arc::clone(watch);
        Arc::new(WatchedDir { dir, watch })
    }
}

impl Dir for WatchedDir {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn list(&self) -> Result<Vec<Entry>> {
        self.watch.call();
        self.dir.list()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        assert_eq!(access, Access::Read, "a reader opens for writing");
        self.watch.call();
        let file = self.dir.open(name, access)?;
        let watch = Arc::clone(&self.watch);
        Ok(Arc::new(WatchedFile { file, watch }))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        panic!("a reader creates {name}");
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        panic!("a reader renames {from} to {to}");
    }

    fn remove(&self, name: &str) -> Result<()> {
        panic!("a reader removes {name}");
    }

    fn sync(&self) -> Result<()> {
        panic!("a reader syncs");
    }

    fn open_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        panic!("a reader opens the directory {name}");
    }

    fn create_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        panic!("a reader creates the directory {name}");
    }

    fn lock(&self, name: &str, _: &str) -> Result<Lock> {
        panic!("a reader locks {name}");
    }
}

#[derive(Debug)]
struct WatchedFile {
    file: Arc<dyn File>,
    watch: Arc<Watch>,
}

impl File for WatchedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn len(&self) -> Result<u64> {
        self.watch.call();
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.watch.call();
        self.file.read_at(offset, buffer)
    }

    fn map(&self, range: Range<u64>) -> Result<Map> {
        self.watch.call();
        self.file.map(range)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> Result<usize> {
        panic!("a reader writes");
    }

    fn set_len(&self, _: u64) -> Result<()> {
        panic!("a reader cuts");
    }

    fn allocate(&self, _: u64, _: u64) -> Result<()> {
        panic!("a reader reserves");
    }

    fn sync(&self) -> Result<()> {
        panic!("a reader syncs");
    }
}
