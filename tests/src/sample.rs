//! A life of a small database, and its end.

use cairn::{Database, DatabaseId, Options, TxId};
use disk::{Choice, Crash, Operation, SimDisk};

use crate::notes::{digest, fixed_options, initialise, initialise_small, put};

/// What a sample consists of besides the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Nothing.
    LogOnly,
    /// Two snapshots that share no byte, and a few transactions after the second.
    WithSnapshots,
    /// One snapshot of as few pages as there can be with a row in them, and one transaction after it.
    Smallest,
}

impl Shape {
    /// The number of the last transaction, and after which ones a snapshot is written.
    fn life(self) -> (u64, &'static [u64]) {
        match self {
            Shape::LogOnly => (12, &[]),
            Shape::WithSnapshots => (12, &[4, 8]),
            Shape::Smallest => (2, &[1]),
        }
    }
}

/// How the life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// By closing.
    Closed,
    /// By a kill after the last transaction was written and before it was synced: it is not acknowledged.
    Killed,
    /// By a power cut right after the last transaction was acknowledged: it is synced, the mark that says so is lost.
    PowerCut,
}

/// A disk with a database, and all that is known of it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The disk. Fork it before doing harm.
    pub disk: SimDisk,
    /// How it came to be.
    pub shape: Shape,
    /// How it came to its end.
    pub end: End,
    /// The number of the last transaction.
    pub last: u64,
    /// The digest after each transaction; the number of the transaction is the index.
    pub digests: Vec<[u8; 32]>,
    /// The last transactions of its snapshots, older first.
    pub snapshots: Vec<TxId>,
}

impl Sample {
    /// Lives a life and ends it.
    pub fn new(shape: Shape, end: End) -> Self {
        Sample::of(shape, end, Sample::options())
    }

    /// What the samples are written with: segments that a few transactions fill.
    pub fn options() -> Options {
        Options {
            segment_bytes_max: 16 * 1024,
            ..fixed_options()
        }
    }

    fn of(shape: Shape, end: End, options: Options) -> Self {
        let disk = SimDisk::new(1);
        let initialise = match shape {
            Shape::Smallest => initialise_small,
            Shape::LogOnly | Shape::WithSnapshots => initialise,
        };
        let database = Database::open_on(disk.root(), options, initialise).unwrap();
        let (last, snapshots_after) = shape.life();
        let mut digests = vec![digest(&database)];
        let mut snapshots = Vec::new();
        for id in 1..last {
            put(&database, id);
            digests.push(digest(&database));
            if snapshots_after.contains(&id) {
                snapshots.push(database.snapshot().unwrap().tx);
            }
        }
        disk.record();
        let first = disk.call_count();
        put(&database, last);
        digests.push(digest(&database));
        let disk = ended(disk, database, end, first);
        Sample {
            disk,
            shape,
            end,
            last,
            digests,
            snapshots,
        }
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> Vec<String> {
        let files = self.disk.files().into_iter();
        files.filter(|path| path.ends_with(".log")).collect()
    }

    /// A file of the sample.
    #[track_caller]
    pub fn read(&self, path: &str) -> Vec<u8> {
        self.disk.read(path).unwrap()
    }
}

/// Another database of the same shape and numbers, closed.
pub fn foreign_sample() -> Sample {
    let options = Options {
        database_id: Some(DatabaseId(*b"quite another id")),
        ..Sample::options()
    };
    Sample::of(Shape::WithSnapshots, End::Closed, options)
}

/// `first` is the number of the first disk call of the last transaction.
fn ended(disk: SimDisk, database: Database, end: End, first: u64) -> SimDisk {
    match end {
        End::Closed => {
            database.close().unwrap();
            disk
        }
        End::Killed => {
            let mut calls = disk
                .calls()
                .into_iter()
                .skip(usize::try_from(first).unwrap());
            let sync = calls
                .find(|call| call.operation == Operation::SyncFile)
                .unwrap();
            disk.state_before(sync.number)
        }
        End::PowerCut => {
            let cut = disk.fork();
            cut.crash(Crash::Power(Choice::Old));
            cut
        }
    }
}
