//! Helpers shared by the tests that cross the layers: small databases whose whole history is known.
//!
//! Nothing here is used by the product. The reading of bytes in [`LogFile`] is written from `docs/FORMAT.md` alone, so that the
//! tests do not believe the code that they test.
//!
//! ```text
//! notes      one table, what its rows are, how one is committed
//! sample     a life of such a database on a simulated disk, ended in one of three ways, with the digest after each transaction
//! fixture    one that a past format wrote
//! log file   where a segment keeps what
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "this crate serves tests only, and a surprise in it is a failed test"
)]

// Small databases.
mod notes;
mod still_clock;
mod sample;
mod log_file;
mod fixture;
// What becomes of them.
mod harm;
mod verdict;
mod verdict_table;
// What a test is run with.
mod random;
mod seeds;
mod child;

pub use child::ChildProcess;
pub use fixture::{content_of, fixture, fixtures, pack};
pub use harm::Harm;
pub use log_file::{LogFile, Region};
pub use notes::{
    Notes, digest, expected, fixed_options, initialise, notes, open, put, read_only, text_of,
    try_open, try_put,
};
pub use random::Random;
pub use sample::{End, Sample, Shape, foreign_sample};
pub use seeds::{Seed, seeds};
pub use still_clock::StillClock;
pub use verdict::{Effort, reader_verdict, verdict, verdict_with};
pub use verdict_table::{Row, Seen, same};
