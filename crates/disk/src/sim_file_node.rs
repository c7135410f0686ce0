//! A simulated file: what reads see, and what a power cut could leave instead.
//!
//! ```text
//! sector   0       1       2       3            length
//! reads    A       D       E       F            2000      what everyone sees
//!          |       |       |       |             |
//! older    -       B C     -       hole         1024 1536 what may come back; the first is durable for sure
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim_content::{Content, locate, sector_count};
use crate::sim_crash::Chooser;
use crate::sim_hash::Hash;
use crate::sim_sector::{SECTOR_BYTES, Version};

/// How many synced versions of a sector are remembered for a lost write that nobody noticed.
const PAST_MAX: usize = 8;

/// The older versions of a sector that a power cut may bring back.
#[derive(Clone)]
struct Unsynced {
    durable: Version,
    later: Vec<Version>,
    /// A sync of it failed: it shows as clean, so that later syncs leave it alone.
    abandoned: bool,
}

/// A simulated file.
#[derive(Clone, Default)]
pub(crate) struct FileNode {
    content: Content,
    unsynced: BTreeMap<usize, Unsynced>,
    /// Lengths that a power cut may bring back, the first durable for sure; empty if the current one is.
    older_lens: Vec<u64>,
    len_abandoned: bool,
    /// The end of what was written since the last sync; rewriting makes a length durable that a failed sync lost.
    written_end: u64,
    past: Arc<BTreeMap<usize, Vec<Version>>>,
}

impl FileNode {
    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Writes bytes; nothing of it is durable.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let (number, start) = locate(offset + done as u64);
            let step = (SECTOR_BYTES - start).min(bytes.len() - done);
            let mut sector = *self.content.sector(number).bytes();
            sector[start..start + step].copy_from_slice(&bytes[done..done + step]);
            self.put(number, Version::new(sector));
            done += step;
        }
        let end = offset + bytes.len() as u64;
        self.written_end = self.written_end.max(end);
        if end > self.content.len() {
            self.change_len(end);
        }
    }

    /// Cuts or extends; nothing of it is durable.
    pub(crate) fn set_len(&mut self, len: u64) {
        if len < self.content.len() {
            for number in self.content.stored_from(sector_count(len)) {
                self.put(number, Version::HOLE);
            }
            if let Some((number, version)) = self.content.tail_cut(len) {
                self.put(number, version);
            }
        }
        self.change_len(len);
    }

    /// Reserves sector `number`; it goes on reading as it did.
    pub(crate) fn reserve(&mut self, number: usize) {
        if self.content.sector(number).is_hole() {
            self.content.set_sector(number, Version::reserved());
        }
    }

    fn put(&mut self, number: usize, version: Version) {
        let before = self.content.sector(number);
        let changed = !before.same(&version);
        match self.unsynced.get_mut(&number) {
            Some(unsynced) => {
                // Written again, it is dirty again, and the next sync does write it.
                unsynced.abandoned = false;
                let known = unsynced.durable.same(before)
                    || unsynced.later.iter().any(|later| later.same(before));
                if changed && !known {
                    unsynced.later.push(before.clone());
                }
            }
            None if changed => {
                let unsynced = Unsynced {
                    durable: before.clone(),
                    later: Vec::new(),
                    abandoned: false,
                };
                self.unsynced.insert(number, unsynced);
            }
            None => {}
        }
        if changed || before.is_hole() != version.is_hole() {
            self.content.set_sector(number, version);
        }
    }

    fn change_len(&mut self, len: u64) {
        let before = self.content.len();
        if before != len && !self.older_lens.contains(&before) {
            self.older_lens.push(before);
        }
        self.len_abandoned = false;
        self.content.set_len(len);
    }

    /// A sync that works: all that is dirty is durable; what an earlier failure made look clean is not.
    pub(crate) fn sync(&mut self) {
        let unsynced = std::mem::take(&mut self.unsynced);
        for (number, unsynced) in unsynced {
            if unsynced.abandoned {
                self.unsynced.insert(number, unsynced);
                continue;
            }
            let older = std::iter::once(&unsynced.durable).chain(&unsynced.later);
            for version in older.filter(|version| !version.is_zero()) {
                let past = Arc::make_mut(&mut self.past).entry(number).or_default();
                past.push(version.clone());
                if past.len() > PAST_MAX {
                    past.remove(0);
                }
            }
        }
        self.sync_len();
        self.written_end = 0;
    }

    fn sync_len(&mut self) {
        let len = self.content.len();
        if self.len_abandoned {
            // What was written anew is durable, so the file is at least as long as that.
            let least = self.written_end.min(len);
            let mut raised = Vec::new();
            for older in self.older_lens.drain(..) {
                let older = older.max(least);
                if !raised.contains(&older) {
                    raised.push(older);
                }
            }
            self.older_lens = raised;
            self.len_abandoned = self.older_lens != [len];
        }
        if !self.len_abandoned {
            self.older_lens.clear();
            // A durable cut has given its sectors back for good.
            self.unsynced.split_off(&sector_count(len));
        }
    }

    /// A sync that fails: any subset may be on disk, and all of it looks clean from now on.
    pub(crate) fn fail_sync(&mut self) {
        for unsynced in self.unsynced.values_mut() {
            unsynced.abandoned = true;
        }
        self.len_abandoned = !self.older_lens.is_empty();
        self.written_end = 0;
    }

    /// Whether a power cut could change what reads see.
    pub(crate) fn is_uncertain(&self) -> bool {
        !self.unsynced.is_empty() || !self.older_lens.is_empty()
    }

    /// What a power cut leaves.
    pub(crate) fn power_cut(&mut self, chooser: &mut Chooser) {
        for (number, unsynced) in std::mem::take(&mut self.unsynced) {
            let current = self.content.sector(number);
            let mut options = vec![&unsynced.durable];
            options.extend(&unsynced.later);
            let newest = options.iter().position(|option| option.same(current));
            let newest = newest.unwrap_or_else(|| {
                options.push(current);
                options.len() - 1
            });
            let picked = chooser.pick(options.len(), newest);
            if picked != newest {
                let version = options[picked].clone();
                self.content.set_sector(number, version);
            }
        }
        let mut lens = std::mem::take(&mut self.older_lens);
        let current = self.content.len();
        let newest = lens.iter().position(|len| *len == current);
        let newest = newest.unwrap_or_else(|| {
            lens.push(current);
            lens.len() - 1
        });
        let picked = chooser.pick(lens.len(), newest);
        self.content.set_len(lens[picked]);
        self.content.clear_beyond_len();
        self.len_abandoned = false;
        self.written_end = 0;
    }

    /// Makes what reads see durable.
    pub(crate) fn settle(&mut self) {
        self.unsynced.clear();
        self.older_lens.clear();
        self.len_abandoned = false;
        self.written_end = 0;
    }

    /// How many synced or unsynced older versions of a sector are known, newest first.
    pub(crate) fn older_versions(&self, number: usize) -> Vec<Version> {
        let past = self.past.get(&number).into_iter().flatten();
        let unsynced = self.unsynced.get(&number);
        let unsynced = unsynced
            .into_iter()
            .flat_map(|unsynced| std::iter::once(&unsynced.durable).chain(&unsynced.later));
        let current = self.content.sector(number);
        let mut versions: Vec<Version> = Vec::new();
        for version in past.chain(unsynced).rev() {
            let known = versions.iter().any(|other| other.same(version));
            if !known && !version.same(current) {
                versions.push(version.clone());
            }
        }
        versions
    }

    pub(crate) fn hash(&self) -> Hash {
        let mut hash = self.content.hash();
        if !self.is_uncertain() {
            return hash;
        }
        for (number, unsynced) in &self.unsynced {
            hash = hash.add(*number as u64, u64::from(unsynced.abandoned));
            hash = hash.add(unsynced.durable.hash(), unsynced.later.len() as u64);
            for version in &unsynced.later {
                hash = hash.add(version.hash(), 2);
            }
        }
        for len in &self.older_lens {
            hash = hash.add(*len, 3);
        }
        match self.len_abandoned {
            true => hash.add(1, self.written_end),
            false => hash,
        }
    }
}
