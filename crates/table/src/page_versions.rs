//! Which versions of the page table somebody still holds, and what is freed when nobody holds them any more.
//!
//! ```text
//!   versions    3 ─── 5 ─── 6 ─── 9 = being written; what was born after 6, its floor, nobody else can see
//!               │     │     │
//!   retired     └─────┴─────┴── what 9 does not lead to any more stays with the newest version that still does, and moves on to the
//!                               next older one that does, or is freed, when that one is given up
//! ```
//!
//! A version can be kept apart: it is below every later floor then, held or not, and its memory is nobody's business any more.
//!
//! Whoever gives up a version moves all that stayed with it, a little at a time: others who want the versions meanwhile come in between, and what
//! waits for its turn belongs to nobody.
//!
//! Versions have a number that only rises. Only the newest one that is held is ever written; whoever wants to write an older one while a
//! newer one is held needs a table of his own. When the newest is given up (something was tried and dropped), all that was
//! born in it is freed, and what it did not lead to is led to again by the one before.

#![expect(unsafe_code, reason = "frames and nodes are freed here")]

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::frames::Frames;
use crate::page::{Page, PageBuf};
use crate::page_node::{Node, Retired};
use crate::page_tree::{Memory, PageTree};
use crate::stock::Stock;

/// Nodes that are kept for later.
const NODES_KEPT: usize = 256;

/// How much of what stayed with a version is moved on at once. It takes some microseconds.
const SETTLED_AT_ONCE: usize = if cfg!(test) { 2 } else { 64 };

/// All versions of one page table, and its memory.
#[derive(Debug)]
pub(crate) struct PageVersions {
    inner: Mutex<Inner>,
    /// How many wait for the lock.
    waiting: AtomicUsize,
    /// Whether whoever gives up a version leaves most of what stayed with it to others, as if he were slow.
    #[cfg(test)]
    pub(crate) is_slow: std::sync::atomic::AtomicBool,
    /// What every version refers to where it says that something is in stock.
    stock: Option<Stock>,
}

#[derive(Debug)]
struct Inner {
    frames: Frames,
    nodes: Vec<NonNull<Node>>,
    /// The last version that began to be written.
    last: u64,
    /// What was born in this version or before is never written in place, so that what was written later can be told by its birth.
    apart: u64,
    /// Versions that somebody holds, ascending, and how often.
    held: Vec<(u64, usize)>,
    /// By the newest version that is held and leads there.
    retired: BTreeMap<u64, Vec<Entry>>,
    /// What stayed with versions that nobody holds any more, and has to move on or be freed.
    unsettled: Vec<Entry>,
    /// Borrowed pages that nobody uses any more, to be dropped once the lock is free.
    dropped: Vec<Page>,
}

/// Something that the versions `birth..retired_in` lead to.
#[derive(Debug)]
struct Entry {
    what: Retired,
    birth: u64,
    retired_in: u64,
}

// SAFETY: the pointers own what they point to, as a Box does, or point to what a version that is held keeps.
unsafe impl Send for Inner {}

impl PageVersions {
    /// Version 0, held once: an empty table, or one of which all is in stock.
    pub(crate) fn new(stock: Option<Stock>) -> Self {
        let inner = Inner {
            frames: Frames::default(),
            nodes: Vec::new(),
            last: 0,
            apart: 0,
            held: vec![(0, 1)],
            retired: BTreeMap::new(),
            unsettled: Vec::new(),
            dropped: Vec::new(),
        };
        PageVersions {
            inner: Mutex::new(inner),
            waiting: AtomicUsize::new(0),
            #[cfg(test)]
            is_slow: false.into(),
            stock,
        }
    }

    pub(crate) fn stock(&self) -> Option<&Stock> {
        self.stock.as_ref()
    }

    /// Holds a version once more that is held.
    pub(crate) fn hold(&self, version: u64) {
        let mut inner = self.lock();
        let place = inner
            .place(version)
            .expect("a version is held by whoever shares it");
        inner.held[place].1 += 1;
    }

    /// Goes from holding a version to writing the next one: its number, and its floor. [`None`] if a newer one is held.
    pub(crate) fn begin(&self, version: u64) -> Option<(u64, u64)> {
        let mut inner = self.lock();
        if inner
            .held
            .last()
            .is_some_and(|(newest, _)| *newest > version)
        {
            return None;
        }
        // Nothing waits for this version alone: what retired after it did so in one that is given up, and is back.
        inner.let_go(version);
        inner.last += 1;
        let begun = inner.last;
        let newest = inner.held.last().map_or(0, |(newest, _)| *newest);
        let floor = newest.max(inner.apart);
        inner.held.push((begun, 1));
        Some((begun, floor))
    }

    /// Goes on from a version, which stays held, to the next one that can be given up again: its number, and the newest version that
    /// somebody else holds. [`None`] if a newer one is held.
    pub(crate) fn begin_trial(&self, version: u64) -> Option<(u64, u64)> {
        let mut inner = self.lock();
        let place = inner
            .place(version)
            .expect("a version is held by whoever writes it");
        if place + 1 < inner.held.len() {
            return None;
        }
        let seen = if inner.held[place].1 > 1 {
            version
        } else {
            let older = place.checked_sub(1);
            let newest = older.map_or(0, |older| inner.held[older].0);
            newest.max(inner.apart)
        };
        inner.last += 1;
        let begun = inner.last;
        inner.held.push((begun, 1));
        Some((begun, seen))
    }

    /// From the next version on, what this one leads to is written in copies, held or not.
    pub(crate) fn keep_apart(&self, version: u64) {
        let mut inner = self.lock();
        inner.apart = inner.apart.max(version);
    }

    /// Gives a version up, whose tree this is.
    ///
    /// # Safety
    /// Whoever held it does not use the tree any more.
    pub(crate) unsafe fn give_up(&self, version: u64, tree: PageTree) {
        let mut inner = self.lock();
        if !inner.let_go(version) {
            return;
        }
        let newest = inner.held.last().map_or(0, |(newest, _)| *newest);
        if newest < version {
            inner.go_back(newest);
            drop(inner);
            let mut abandoned = Vec::new();
            // SAFETY: as the caller says. What was born after the newest version that is held, no other leads to, and none to come will.
            unsafe { tree.abandon(newest, &mut |what| abandoned.push(Entry::of_nobody(what))) };
            inner = self.lock();
            inner.unsettled.append(&mut abandoned);
        } else {
            let mut left = inner.retired.remove(&version).unwrap_or_default();
            inner.unsettled.append(&mut left);
        }
        while inner.settle_some() {
            #[cfg(test)]
            if self.is_slow.load(Ordering::Relaxed) {
                break;
            }
            unlock(inner);
            self.let_others_in();
            inner = self.lock();
        }
        unlock(inner);
    }

    /// Waits until nobody waits for the lock, but not for ever.
    fn let_others_in(&self) {
        for _ in 0..1_000 {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// How many frames there are, in use or not.
    pub(crate) fn frame_count(&self) -> usize {
        self.lock().frames.frame_count()
    }

    /// Frames in use, and how much is kept for older versions only.
    #[cfg(test)]
    pub(crate) fn audit(&self) -> (usize, usize) {
        let mut inner = self.lock();
        while inner.settle_some() {}
        (
            inner.frames.used_count(),
            inner.retired.values().map(Vec::len).sum(),
        )
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Inner> {
        match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(_) => self.wait_for_lock(),
        }
    }

    #[cold]
    fn wait_for_lock(&self) -> MutexGuard<'_, Inner> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.lock();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        inner.expect("nothing panics while versions are looked after")
    }
}

impl Inner {
    fn place(&self, version: u64) -> Option<usize> {
        self.held
            .binary_search_by_key(&version, |(held, _)| *held)
            .ok()
    }

    /// Whether nobody holds the version any more.
    fn let_go(&mut self, version: u64) -> bool {
        let place = self
            .place(version)
            .expect("a version is given up by who holds it");
        self.held[place].1 -= 1;
        let is_free = self.held[place].1 == 0;
        if is_free {
            self.held.remove(place);
        }
        is_free
    }

    /// The newest version held that leads to something.
    fn keeper(&self, birth: u64, retired_in: u64) -> Option<u64> {
        let before = self.held.partition_point(|(held, _)| *held < retired_in);
        let (newest, _) = self.held[..before].last()?;
        (*newest >= birth).then_some(*newest)
    }

    /// Leaves something with the newest version that leads to it, or frees it.
    fn retire(&mut self, entry: Entry) {
        match self.keeper(entry.birth, entry.retired_in) {
            Some(keeper) => self.retired.entry(keeper).or_default().push(entry),
            None => self.free(entry.what),
        }
    }

    /// Moves on or frees some of what stayed with versions that nobody holds any more; whether more is left.
    fn settle_some(&mut self) -> bool {
        for _ in 0..SETTLED_AT_ONCE {
            match self.unsettled.pop() {
                Some(entry) => self.retire(entry),
                None => break,
            }
        }
        if self.unsettled.is_empty() {
            self.unsettled = Vec::new();
            return false;
        }
        true
    }

    /// Goes back from the newest version, which was given up, to the newest that is held: it leads again to all that was born until then
    /// and retired later.
    fn go_back(&mut self, newest: u64) {
        self.retired.remove(&newest);
        let leads_to = |entry: &Entry| entry.birth <= newest && entry.retired_in > newest;
        self.unsettled.retain(|entry| !leads_to(entry));
    }

    fn free(&mut self, what: Retired) {
        match what {
            // SAFETY: it came from `take`, and no version leads to it any more.
            Retired::Frame(frame) => unsafe { self.frames.give(frame) },
            Retired::Node(node) if self.nodes.len() < NODES_KEPT => self.nodes.push(node),
            Retired::Node(node) => free_node(node),
            // SAFETY: made from a box, and no version leads to it any more.
            Retired::Borrowed(page) => {
                self.dropped.push(unsafe { *Box::from_raw(page.as_ptr()) });
            }
        }
    }
}

impl Entry {
    /// Something that no version leads to.
    fn of_nobody(what: Retired) -> Entry {
        Entry {
            what,
            birth: 0,
            retired_in: 0,
        }
    }
}

/// Lets go of the lock, and then of what nobody uses any more.
fn unlock(mut inner: MutexGuard<'_, Inner>) {
    let chunks = inner.frames.take_given_back();
    let pages = std::mem::take(&mut inner.dropped);
    drop(inner);
    drop((chunks, pages));
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.nodes.drain(..).for_each(free_node);
    }
}

fn free_node(node: NonNull<Node>) {
    // SAFETY: made as a box in `Writing::node`, and no version leads to it any more.
    drop(unsafe { Box::from_raw(node.as_ptr()) });
}

/// The memory as whoever writes a version sees it.
#[derive(Debug)]
pub(crate) struct Writing<'a> {
    pub(crate) versions: &'a PageVersions,
    pub(crate) version: u64,
    pub(crate) floor: u64,
}

impl Memory for Writing<'_> {
    fn version(&self) -> u64 {
        self.version
    }

    #[inline]
    fn floor(&self) -> u64 {
        self.floor
    }

    fn node(&mut self) -> NonNull<Node> {
        let kept = self.versions.lock().nodes.pop();
        kept.unwrap_or_else(|| NonNull::from(Box::leak(Node::boxed())))
    }

    fn frame(&mut self) -> NonNull<PageBuf> {
        self.versions.lock().frames.take()
    }

    fn retire(&mut self, what: Retired, birth: u64) {
        let mut inner = self.versions.lock();
        if birth > self.floor {
            inner.free(what);
        } else {
            let retired_in = self.version;
            inner.retire(Entry {
                what,
                birth,
                retired_in,
            });
        }
        unlock(inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_freed_nodes_are_kept_for_later_and_the_others_freed() {
        let versions = PageVersions::new(None);
        let (version, floor) = versions.begin(0).unwrap();
        let mut writing = Writing {
            versions: &versions,
            version,
            floor,
        };
        let nodes: Vec<NonNull<Node>> = (0..600).map(|_| writing.node()).collect();
        for node in nodes {
            writing.retire(Retired::Node(node), version);
        }
        assert_eq!(versions.lock().nodes.len(), 256);
        let again = writing.node();
        assert_eq!(versions.lock().nodes.len(), 255);
        writing.retire(Retired::Node(again), version);
    }
}
