//! Bytes that survive: files, directories, sync and a lock; a real disk, and a simulated one that lies by seed.
//!
//! This crate says for each call what is durable after it, and keeps to that. It does not know what the bytes mean:
//! no record, no page, no row. It is the only crate that opens files; the layers above take a [`Dir`] and run
//! unchanged on either disk.
//!
//! ```text
//!            commitlog    snapshot    bootstrap
//!                 |           |           |
//!                 v           v           v
//!             Dir: names ------> File: bytes -----> Map: bytes in place
//!             |  create, rename, |  write_at, set_len,
//!             |  remove          |  allocate
//!             |                  |
//!             |  sync: names     |  sync: bytes and length       nothing else makes anything durable
//!             v                  v
//!        +----------------------------+     +-----------------------------------------------+
//!        | OsDir: the operating       |     | SimDisk: in memory; loses, tears and reverts  |
//!        | system's files             |     | what was not synced, fails on demand, counts  |
//!        +----------------------------+     +-----------------------------------------------+
//! ```
//!
//! [`Rehearsal`] is a disk above another one, on which nothing happens and which tells what would have.
//!
//! # Example
//!
//! A writer that forgets nothing, on a disk that forgets what it may:
//!
//! ```
//! use disk::{Crash, Choice, Dir, SimDisk};
//!
//! fn publish(dir: &dyn Dir, name: &str, bytes: &[u8]) -> disk::Result<()> {
//!     let file = dir.create("new.tmp")?;
//!     file.write_all_at(0, bytes)?;
//!     file.sync()?; // the bytes are durable, their name is not
//!     dir.rename("new.tmp", name)?; // crash here: the old file is there, or the new one
//!     dir.sync() // the name is durable
//! }
//!
//! # fn main() -> disk::Result<()> {
//! let disk = SimDisk::new(1);
//! publish(&*disk.root(), "greeting", b"hello")?;
//!
//! // The second time, the power fails at each call in turn, and takes what it may take.
//! disk.record();
//! publish(&*disk.root(), "greeting", b"good morning")?;
//! let first = disk.call_count() - 5;
//! for number in first..disk.call_count() {
//!     for found in disk.state_before(number).power_cuts(1000, 1) {
//!         let greeting = found.read("greeting");
//!         assert!(matches!(greeting.as_deref(), Some(b"hello" | b"good morning")));
//!     }
//! }
//! disk.crash(Crash::Power(Choice::Old));
//! assert_eq!(disk.read("greeting").as_deref(), Some(&b"good morning"[..]));
//! # Ok(())
//! # }
//! ```

// What the layers above see.
mod dir;
mod file;
mod map;
mod lock;
mod holder;
mod error;
mod name;

// The operating system's disk.
mod os_dir;
mod os_file;
mod os_lock;

// What would happen, without it happening.
mod rehearsal;
mod rehearsed_dir;
mod rehearsed_file;

// The simulated disk, from the outside in.
mod sim_disk;
mod sim_crash;
mod sim_fault;
mod sim_media;
mod sim_dir;
mod sim_file;
mod sim_map;
mod sim_state;
mod sim_medium;
mod sim_dir_node;
mod sim_file_node;
mod sim_content;
mod sim_sector;
mod sim_hash;
mod sim_random;

pub use dir::{Access, Dir, Entry, EntryKind};
pub use error::{Error, Operation, Result};
pub use file::File;
pub use holder::this_process;
pub use lock::Lock;
pub use map::Map;
pub use os_dir::OsDir;
pub use rehearsal::{Change, ChangeKind, Rehearsal};
pub use sim_crash::{Choice, Crash};
pub use sim_disk::SimDisk;
pub use sim_fault::{Call, Fault, Moment};
