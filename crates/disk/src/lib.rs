//! Bytes that survive: files, directories, sync and a lock, real and simulated.

mod dir;
mod error;
mod file;
mod lock;
mod map;

pub use dir::{Access, Dir, Entry, EntryKind};
pub use error::{Error, Operation, Result};
pub use file::File;
pub use lock::Lock;
pub use map::Map;
