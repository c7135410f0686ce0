//! Copies of a log, kept beside its writer by doing what the errors of following and of reading say: each ends as the log does.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;
#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;
use std::sync::Arc;

use commitlog::{
    Error, FollowOptions, Follower, Log, ReadOnlyLog, ReadOnlyOptions, Reader, Record, Result, TxId,
};
use disk::{Dir, SimDisk};
use logs::{create, small};
use seeds::{Random, for_each_seed};

/// The one who writes, and what there is.
struct Writer {
    log: Log,
    /// The records of its history, pruned ones too, from id 1 on.
    history: Vec<Vec<u8>>,
    written: u64,
}

impl Writer {
    fn step(&mut self, random: &mut Random) {
        match random.below(12) {
            0 => self.log.rotate().unwrap(),
            1 => drop(self.log.compress_sealed().unwrap()),
            2 | 3 => {
                let extent = self.log.base().0..self.log.next_id().0;
                let below = extent.start + random.below(extent.end - extent.start + 1);
                self.log.prune_before(TxId(below)).unwrap();
            }
            4 | 5 if self.log.base() < self.log.next_id() => {
                let extent = self.log.base().0..self.log.next_id().0;
                let last = extent.start + random.below(extent.end - extent.start);
                self.log.truncate_after(TxId(last)).unwrap();
                self.history.truncate(usize::try_from(last).unwrap());
            }
            _ => {
                for _ in 0..=random.below(9) {
                    self.written += 1;
                    let payload = format!("write {}", self.written);
                    self.log.commit(payload.as_bytes(), None).unwrap();
                    self.history.push(payload.into());
                }
            }
        }
    }
}

/// What reads the log beside the writer.
enum Source {
    Follower(Follower),
    Reader(Reader),
}

/// Records by id, without a gap, up to `next`.
struct Copy {
    is_follower: bool,
    records: BTreeMap<u64, Vec<u8>>,
    next: u64,
    /// Nothing: to be opened, from `next` on.
    source: Option<Source>,
}

impl Copy {
    fn new(is_follower: bool) -> Copy {
        Copy {
            is_follower,
            records: BTreeMap::new(),
            next: 0,
            source: None,
        }
    }

    /// Takes up to `count` records more. Yields whether there are none.
    fn take(&mut self, dir: &Arc<dyn Dir>, writer: &Writer, count: u64) -> bool {
        let mut taken = 0;
        // What is opened again is opened at once.
        while taken < count {
            match self.next_record(dir) {
                Ok(Some((id, payload))) => {
                    assert_eq!(id, self.next);
                    self.records.insert(id, payload);
                    self.next = id + 1;
                    taken += 1;
                }
                Ok(None) if self.is_follower => return true,
                Ok(None) => {
                    // That was all when it was opened.
                    self.begin_at(writer.log.base().0);
                    return true;
                }
                Err(Error::Truncated { end }) => {
                    assert!(end.0 <= self.next);
                    self.records.retain(|id, _| *id < end.0);
                    self.is_as_in(writer);
                    self.next = end.0;
                    self.source = None;
                }
                Err(Error::Pruned { oldest }) => {
                    assert_eq!(oldest, writer.log.base());
                    self.begin_at(oldest.0);
                }
                Err(error) => panic!("{error}"),
            }
        }
        false
    }

    fn begin_at(&mut self, id: u64) {
        self.records.clear();
        self.next = id;
        self.source = None;
    }

    fn is_as_in(&self, writer: &Writer) {
        for (id, payload) in self.records.range(1..) {
            let written = &writer.history[usize::try_from(*id - 1).unwrap()];
            assert_eq!(written, payload, "record {id}");
        }
    }

    fn next_record(&mut self, dir: &Arc<dyn Dir>) -> Result<Option<(u64, Vec<u8>)>> {
        let source = match &mut self.source {
            Some(source) => source,
            closed @ None => {
                let log = ReadOnlyLog::open(Arc::clone(dir), ReadOnlyOptions::default(), &[])?;
                let next = TxId(self.next);
                closed.insert(match self.is_follower {
                    true => Source::Follower(log.follow(next, FollowOptions::default())?),
                    false => Source::Reader(log.reader(next)?),
                })
            }
        };
        let owned = |record: Record<'_>| (record.id.0, record.payload.to_vec());
        Ok(match source {
            Source::Follower(follower) => follower.poll_next()?.map(owned),
            Source::Reader(reader) => reader.next_record()?.map(owned),
        })
    }
}

/// A follower that goes back where it is told ends with what the log holds. A reader that is told of a truncation has nothing that was given up before
/// where it is told.
#[test]
fn copies_that_do_what_they_are_told_are_those_of_the_log() {
    for_each_seed("copy_life", 400, |seed| {
        let mut random = Random::new(seed);
        let disk = SimDisk::new(seed);
        let dir = disk.root();
        let mut writer = Writer {
            log: create(&dir, small()),
            history: Vec::new(),
            written: 0,
        };
        let mut copies = [true, true, false, false].map(Copy::new);
        for _ in 0..60 {
            writer.step(&mut random);
            let copy = &mut copies[usize::try_from(random.below(4)).unwrap()];
            copy.take(&dir, &writer, *random.pick(&[0, 1, 4, 30]));
        }
        for copy in copies.iter_mut().filter(|copy| copy.is_follower) {
            while !copy.take(&dir, &writer, u64::MAX) {}
            copy.is_as_in(&writer);
            assert_eq!(copy.next, writer.log.next_id().0);
        }
    });
}
