//! Which names a directory accepts: plain file names that mean the same on every system.

use std::io;
use std::path::Path;

use crate::error::{Error, Operation, Result};

/// The longest name in bytes; longer ones are refused by the common file systems.
const NAME_BYTES_MAX: usize = 255;

/// Refuses whatever is not a plain file name, before it can reach outside the directory.
pub(crate) fn check_name(operation: Operation, dir: &Path, name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', '\0']);
    if plain {
        return Ok(());
    }
    let message = format!("{name:?} is not a plain file name");
    Err(Error::io(
        operation,
        dir,
        io::Error::new(io::ErrorKind::InvalidInput, message),
    ))
}
