//! Readers beside a writer that does something right before each of their calls in turn: nothing looks damaged, no record is wrong, nothing is
//! repaired.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;
#[path = "support/seeds.rs"]
mod seeds;
#[path = "support/watched_dir.rs"]
mod watched_dir;

use std::sync::{Arc, Mutex};

use commitlog::{
    Error, FollowOptions, Follower, Log, Options, ReadOnlyLog, ReadOnlyOptions, Record, TxId,
};
use disk::{Dir, SimDisk};
use logs::{create, fill, payload, small};
use seeds::{Random, for_each_seed};
use watched_dir::{Watch, WatchedDir};

/// How many records there are before the writer does anything, in about eight segments.
const RECORDS: u64 = 24;

fn options() -> Options {
    Options {
        compress_sealed: true,
        ..small()
    }
}

/// The one who writes, and what it has done that readers may notice.
struct Writer {
    disk: SimDisk,
    log: Option<Log>,
    /// How often the history was changed: records appended after that say so.
    truncations: u64,
    /// Where each truncation made it end.
    ends: Vec<u64>,
    /// Records from here on may differ from those there were in the beginning.
    truncated: Option<u64>,
    pruned: bool,
}

type Action = fn(&mut Writer);

/// What the writer can do.
const ACTIONS: [(&str, Action); 13] = [
    ("commit", |writer| writer.commit(1)),
    ("commit over segments", |writer| writer.commit(6)),
    ("append only", |writer| {
        writer.append();
    }),
    ("rotate", |writer| writer.log().rotate().unwrap()),
    ("compress", |writer| writer.compress()),
    ("prune some", |writer| writer.prune(9)),
    ("prune all", |writer| writer.prune(u64::MAX)),
    ("truncate a little", |writer| writer.truncate(2)),
    ("truncate much, write again", |writer| {
        writer.truncate(15);
        writer.commit(20);
    }),
    ("truncate, write the same again", |writer| {
        writer.write_again(15);
    }),
    ("close", |writer| {
        writer.log().close().unwrap();
        writer.open();
    }),
    ("die and come back", |writer| writer.open()),
    ("die within a write and come back", |writer| {
        writer.commit(1);
        writer.tear();
        writer.open();
        writer.commit(1);
    }),
];

impl Writer {
    fn new(from: &SimDisk) -> Writer {
        let mut writer = Writer {
            disk: from.fork(),
            log: None,
            truncations: 0,
            ends: Vec::new(),
            truncated: None,
            pruned: false,
        };
        writer.open();
        writer
    }

    fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    fn open(&mut self) {
        self.log = None;
        let (log, _) = Log::open(self.disk.root(), options(), &[]).unwrap();
        self.log = Some(log);
    }

    fn append(&mut self) {
        let id = self.log().next_id().0;
        let payload = match self.truncations {
            0 => payload(id),
            truncations => format!("{id} after truncation {truncations}").into_bytes(),
        };
        self.log().append(&payload, None).unwrap();
    }

    fn commit(&mut self, count: u64) {
        for _ in 0..count {
            self.append();
            self.log().sync().unwrap();
        }
    }

    fn compress(&mut self) {
        for _ in 0..3 {
            self.log().compress_sealed().unwrap();
        }
    }

    fn prune(&mut self, before: u64) {
        self.pruned = true;
        self.log().prune_before(TxId(before)).unwrap();
    }

    fn truncate(&mut self, records: u64) {
        let (base, end) = (self.log().base().0, self.log().next_id().0);
        if base == end {
            return;
        }
        let end = end.saturating_sub(records).max(base + 1);
        self.truncations += 1;
        self.ends.push(end);
        self.truncated = Some(self.truncated.map_or(end, |before| before.min(end)));
        self.log().truncate_after(TxId(end - 1)).unwrap();
    }

    /// Gives up so many records and commits the same ones, as a copy does that fetches them again.
    fn write_again(&mut self, records: u64) {
        let log = self.log();
        let (base, end) = (log.base(), log.next_id());
        let from = TxId(end.0.saturating_sub(records).max(base.0 + 1));
        if from >= end {
            return;
        }
        let mut reader = log.reader(from).unwrap();
        let given_up: Vec<_> = std::iter::from_fn(|| reader.next_owned().unwrap()).collect();
        log.truncate_after(TxId(from.0 - 1)).unwrap();
        for record in given_up {
            log.commit(&record.payload, record.time).unwrap();
        }
        let truncated = self.truncated.map_or(from.0, |before| before.min(from.0));
        self.truncated = Some(truncated);
    }

    /// Leaves behind the last record what a write that was cut off does.
    fn tear(&mut self) {
        let extent = Log::inspect(self.disk.root().as_ref()).unwrap();
        self.log = None;
        let file = &extent.segments.last().unwrap().file;
        let mut bytes = self.disk.read(file).unwrap();
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
        bytes.truncate(end.max(12288).next_multiple_of(8));
        bytes.extend_from_slice(&[0xA5; 24]);
        self.disk.write(file, &bytes);
    }
}

/// What one reader has seen, held against what there was.
#[derive(Debug, Default)]
struct Seen {
    next: Option<u64>,
    /// The truncation that the newest record came after.
    history: u64,
}

impl Seen {
    fn record(&mut self, record: &Record<'_>, writer: &Mutex<Writer>) {
        let writer = writer.lock().unwrap();
        let id = record.id.0;
        assert!(
            self.next.is_none_or(|next| next == id),
            "record {id} after {self:?}"
        );
        let first = self.next.is_none();
        self.next = Some(id + 1);
        let text = String::from_utf8_lossy(record.payload).into_owned();
        let after = text.strip_prefix(&format!("{id} after truncation "));
        let original = match id {
            0 => record.payload == b"genesis",
            _ => record.payload == payload(id),
        };
        let history = match after {
            Some(number) => number.parse().unwrap(),
            None => 0,
        };
        assert!(original || history > 0, "record {id} is {text:?}");
        assert!(history == 0 || writer.truncated.is_some_and(|end| id >= end));
        assert!(
            history >= self.history,
            "record {id} goes back from {self:?}"
        );
        if history > self.history && id > 0 {
            let newer = usize::try_from(self.history).unwrap()..usize::try_from(history).unwrap();
            let continues = first || writer.ends[newer].iter().all(|&end| id <= end);
            assert!(continues, "record {id} of another history after {self:?}");
        }
        self.history = history;
    }
}

/// An error that what the writer did explains.
fn expected(error: &Error, writer: &Mutex<Writer>) -> bool {
    let writer = writer.lock().unwrap();
    match error {
        Error::Pruned { .. } => writer.pruned,
        Error::Truncated { .. } | Error::BeyondEnd { .. } => writer.truncated.is_some(),
        _ => false,
    }
}

/// Reads all that a read-only log shows, as often as it takes.
fn read(log: &ReadOnlyLog, writer: &Mutex<Writer>, case: &str) {
    let mut seen = Seen::default();
    let mut reader = match log.reader(log.base()) {
        Ok(reader) => reader,
        Err(error) => panic!("{case}: {error}"),
    };
    loop {
        match reader.next_record() {
            Ok(Some(record)) => {
                seen.record(&record, writer);
            }
            Ok(None) => break,
            Err(error) => {
                assert!(expected(&error, writer), "{case}: {error}");
                return;
            }
        }
    }
    let end = seen.next.map_or(log.base(), TxId);
    assert_eq!(end, log.next_id(), "{case}");
}

/// Everything that a reader does, on a directory that is watched.
fn exercise(dir: &Arc<dyn Dir>, writer: &Mutex<Writer>, case: &str) {
    let durable = || {
        let writer = writer.lock().unwrap();
        (writer.log().durable_end(), writer.truncations)
    };
    let follow = |show_unproven| {
        let (before, truncations) = durable();
        let options = ReadOnlyOptions {
            show_unproven,
            ..ReadOnlyOptions::default()
        };
        let log = match ReadOnlyLog::open(Arc::clone(dir), options, &[]) {
            Ok(log) => log,
            Err(error) => panic!("{case}: {error}"),
        };
        if durable().1 == truncations {
            assert!(log.proven_end() >= before, "{case}");
        }
        read(&log, writer, case);
        let options = FollowOptions {
            show_unproven,
            ..FollowOptions::default()
        };
        (log.follow(log.base(), options), log)
    };
    for show_unproven in [false, true] {
        let (follower, mut log) = follow(show_unproven);
        match follower {
            Ok(follower) => catch_up(follower, writer, case),
            Err(error) => assert!(expected(&error, writer), "{case}: {error}"),
        }
        if let Err(error) = log.refresh(&[]) {
            panic!("{case}: {error}");
        }
        read(&log, writer, case);
    }
}

/// Follows up to the end, which the writer moves no more once there are no more calls to act before.
fn catch_up(mut follower: Follower, writer: &Mutex<Writer>, case: &str) {
    let mut seen = Seen::default();
    // The writer may act some of the times.
    let mut looks_left = 100;
    loop {
        match follower.poll_next() {
            Ok(Some(record)) => {
                seen.record(&record, writer);
            }
            Ok(None) => {
                let next = follower.next_id();
                if next >= writer.lock().unwrap().log().durable_end() {
                    return;
                }
                looks_left -= 1;
                assert!(looks_left > 0, "{case}: it does not get behind {next}");
            }
            Err(error) => {
                assert!(expected(&error, writer), "{case}: {error}");
                return;
            }
        }
    }
}

/// A disk with a log whose writer was killed.
fn start() -> SimDisk {
    let disk = SimDisk::new(1);
    let log = create(&disk.root(), options());
    fill(&log, RECORDS);
    disk
}

#[test]
fn whatever_the_writer_does_at_any_call_of_a_reader_nothing_looks_damaged() {
    let start = start();
    let run = |at: u64, name: &str, action: fn(&mut Writer)| {
        let writer = Arc::new(Mutex::new(Writer::new(&start)));
        let acting = Arc::clone(&writer);
        let watch = Watch::new(move |number| {
            if number == at {
                action(&mut acting.lock().unwrap());
            }
        });
        let root = writer.lock().unwrap().disk.root();
        let dir = WatchedDir::around(root, &watch);
        exercise(&dir, &writer, &format!("{name} at call {at}"));
        watch.calls()
    };
    let calls = run(u64::MAX, "nothing", |_| {});
    for (name, action) in ACTIONS {
        for at in 0..calls {
            run(at, name, action);
        }
    }
    println!("{} actions at each of {calls} calls", ACTIONS.len());
}

#[test]
fn a_writer_that_does_many_things_between_calls_never_looks_damaged() {
    let start = start();
    for_each_seed("beside_writer", 150, |seed| {
        let mut random = Random::new(seed);
        let writer = Arc::new(Mutex::new(Writer::new(&start)));
        let acting = Arc::clone(&writer);
        let pause = 1 + random.below(40);
        let mut left = 25;
        let watch = Watch::new(move |_| {
            if left > 0 && random.below(pause) == 0 {
                left -= 1;
                let (_, action) = random.pick(&ACTIONS);
                action(&mut acting.lock().unwrap());
            }
        });
        let root = writer.lock().unwrap().disk.root();
        let dir = WatchedDir::around(root, &watch);
        exercise(&dir, &writer, &format!("seed {seed}"));
    });
}
