//! A directory whose files let other threads go on in the middle of each write and sync, and can panic in a sync.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use disk::{Access, Dir, Entry, File, Lock, Map};
use shuttle::thread;

#[derive(Debug)]
pub(crate) struct SlowDir {
    dir: Arc<dyn Dir>,
    panics: Arc<AtomicBool>,
}

#[derive(Debug)]
struct SlowFile {
    file: Arc<dyn File>,
    panics: Arc<AtomicBool>,
}

impl SlowDir {
    pub(crate) fn new(dir: Arc<dyn Dir>) -> Arc<SlowDir> {
        let panics = Arc::default();
        Arc::new(SlowDir { dir, panics })
    }

    pub(crate) fn panic_in_next_sync(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    fn slow(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let panics = Arc::clone(&self.panics);
        Arc::new(SlowFile { file, panics })
    }
}

impl Dir for SlowDir {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn list(&self) -> disk::Result<Vec<Entry>> {
        self.dir.list()
    }

    fn open(&self, name: &str, access: Access) -> disk::Result<Arc<dyn File>> {
        Ok(self.slow(self.dir.open(name, access)?))
    }

    fn create(&self, name: &str) -> disk::Result<Arc<dyn File>> {
        Ok(self.slow(self.dir.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> disk::Result<()> {
        self.dir.rename(from, to)
    }

    fn remove(&self, name: &str) -> disk::Result<()> {
        self.dir.remove(name)
    }

    fn sync(&self) -> disk::Result<()> {
        self.dir.sync()
    }

    fn open_dir(&self, name: &str) -> disk::Result<Arc<dyn Dir>> {
        self.dir.open_dir(name)
    }

    fn create_dir(&self, name: &str) -> disk::Result<Arc<dyn Dir>> {
        self.dir.create_dir(name)
    }

    fn lock(&self, name: &str, holder: &str) -> disk::Result<Lock> {
        self.dir.lock(name, holder)
    }
}

impl File for SlowFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn len(&self) -> disk::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> disk::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> disk::Result<usize> {
        thread::yield_now();
        self.file.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> disk::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> disk::Result<()> {
        self.file.allocate(offset, len)
    }

    fn sync(&self) -> disk::Result<()> {
        // What is written from here on is not covered by this sync.
        let synced = self.file.sync();
        thread::yield_now();
        assert!(!self.panics.swap(false, Ordering::SeqCst), "told to");
        synced
    }

    fn map(&self, range: Range<u64>) -> disk::Result<Map> {
        self.file.map(range)
    }
}
