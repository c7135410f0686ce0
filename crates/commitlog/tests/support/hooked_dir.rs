//! A directory that does something around each call that opens, writes, syncs or removes a file, and passes everything else on.

use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use disk::{Access, Dir, Entry, File, Lock, Map, Result};

/// What is done around the calls of all files.
pub(crate) trait Hooks: Debug + Send + Sync {
    fn before_open(&self) {}
    fn before_write(&self, _offset: u64) {}
    fn before_allocate(&self) {}
    /// So many bytes are asked for, of a file of so many.
    fn before_read(&self, _bytes: usize, _file_bytes: u64) {}
    fn before_sync(&self) {}
    fn after_sync(&self) {}
    fn before_remove(&self, _name: &str) {}
}

#[derive(Debug)]
pub(crate) struct HookedDir {
    dir: Arc<dyn Dir>,
    hooks: Arc<dyn Hooks>,
}

impl HookedDir {
    pub(crate) fn around(dir: Arc<dyn Dir>, hooks: Arc<dyn Hooks>) -> Arc<dyn Dir> {
        Arc::new(HookedDir { dir, hooks })
    }

    fn hooked(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let hooks = Arc::clone(&self.hooks);
        Arc::new(HookedFile { file, hooks })
    }
}

impl Dir for HookedDir {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn list(&self) -> Result<Vec<Entry>> {
        self.dir.list()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        self.hooks.before_open();
        Ok(self.hooked(self.dir.open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.hooked(self.dir.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.dir.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.hooks.before_remove(name);
        self.dir.remove(name)
    }

    fn sync(&self) -> Result<()> {
        self.dir.sync()
    }

    fn open_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        self.dir.open_dir(name)
    }

    fn create_dir(&self, name: &str) -> Result<Arc<dyn Dir>> {
        self.dir.create_dir(name)
    }

    fn lock(&self, name: &str, holder: &str) -> Result<Lock> {
        self.dir.lock(name, holder)
    }
}

#[derive(Debug)]
struct HookedFile {
    file: Arc<dyn File>,
    hooks: Arc<dyn Hooks>,
}

impl File for HookedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.hooks.before_read(buffer.len(), self.file.len()?);
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        self.hooks.before_write(offset);
        self.file.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.hooks.before_allocate();
        self.file.allocate(offset, len)
    }

    fn sync(&self) -> Result<()> {
        self.hooks.before_sync();
        let synced = self.file.sync();
        self.hooks.after_sync();
        synced
    }

    fn map(&self, range: Range<u64>) -> Result<Map> {
        self.file.map(range)
    }
}
