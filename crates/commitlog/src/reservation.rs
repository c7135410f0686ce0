//! Room at the end of the newest segment that is made before records get their ids, so that a full disk refuses them with nothing written.
//!
//! Nothing that counts is touched, so it is made while others append to the room that there is, sync, and read; only writing waits.

use std::sync::Arc;

use disk::File;

use crate::error::{Error, Result};

/// The most zeros that are written at once to reserve space.
const ZEROS_BYTES_MAX: u64 = 1 << 20;
/// The most space that is reserved at once without writing to it.
const ALLOCATE_BYTES_MAX: u64 = 16 << 20;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// How space is reserved ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserve {
    /// By writing zeros, so that a later sync need not write the file's own bookkeeping.
    Zeros,
    /// By asking the file system, which is cheaper where nothing is synced.
    Allocate,
}

impl Reserve {
    /// The most that is reserved for more to come, bytes.
    pub(crate) fn chunk_bytes_max(self) -> u64 {
        match self {
            Reserve::Zeros => ZEROS_BYTES_MAX,
            Reserve::Allocate => ALLOCATE_BYTES_MAX,
        }
    }
}

/// Room that is to be made.
#[derive(Debug)]
pub(crate) struct Reservation {
    pub(crate) file: Arc<dyn File>,
    /// The room that there is ends here.
    pub(crate) from: u64,
    /// There has to be room up to here,
    pub(crate) needed: u64,
    /// and if there is space for it up to here.
    pub(crate) wished: u64,
    pub(crate) how: Reserve,
}

impl Reservation {
    /// Makes the room. Yields up to where there is some now. A failure changes nothing that counts.
    pub(crate) fn carry_out(&self) -> Result<u64> {
        let extended = match self.extend(self.wished) {
            Err(error) if error.is_full() && self.wished > self.needed => self.extend(self.needed),
            extended => extended,
        };
        if extended.is_err() {
            // Others may need what there was space for. If it can not be given back now, closing does.
            drop(self.file.set_len(self.from));
        }
        extended.map_err(Error::refused)
    }

    fn extend(&self, to: u64) -> disk::Result<u64> {
        match self.how {
            Reserve::Allocate => self.file.allocate(self.from, to - self.from)?,
            Reserve::Zeros => write_zeros(self.file.as_ref(), self.from, to)?,
        }
        Ok(to)
    }
}

/// Writes zeros to `from..to`.
pub(crate) fn write_zeros(file: &dyn File, from: u64, to: u64) -> disk::Result<()> {
    let mut at = from;
    while at < to {
        let len = usize::try_from(to - at)
            .unwrap_or(usize::MAX)
            .min(ZEROS.len());
        file.write_all_at(at, &ZEROS[..len])?;
        at += len as u64;
    }
    Ok(())
}
