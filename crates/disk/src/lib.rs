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
mod sim_content;
mod sim_crash;
mod sim_dir;
mod sim_dir_node;
mod sim_disk;
mod sim_fault;
mod sim_file;
mod sim_file_node;
mod sim_hash;
mod sim_media;
mod sim_medium;
mod sim_random;
mod sim_sector;
mod sim_state;

pub use dir::{Access, Dir, Entry, EntryKind};
pub use error::{Error, Operation, Result};
pub use file::File;
pub use holder::this_process;
pub use lock::Lock;
pub use map::Map;
pub use os_dir::OsDir;
pub use sim_crash::{Choice, Crash};
pub use sim_disk::SimDisk;
pub use sim_fault::{Call, Fault, Moment};
