//! Bytes that survive: files, directories, sync and a lock, real and simulated.

mod dir;
mod error;
mod file;
mod holder;
mod lock;
mod map;
mod name;
mod os_dir;
mod os_file;
mod os_lock;

pub use dir::{Access, Dir, Entry, EntryKind};
pub use error::{Error, Operation, Result};
pub use file::File;
pub use holder::this_process;
pub use lock::Lock;
pub use map::Map;
pub use os_dir::OsDir;
