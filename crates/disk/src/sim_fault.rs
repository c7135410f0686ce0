//! What can be made to go wrong at one call, and the log of calls.

use std::path::Path;
use std::sync::Arc;

use crate::error::Operation;
use crate::sim_crash::Crash;

/// What goes wrong at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An I/O error. A failed write may have written any front part of its bytes; a failed sync leaves any
    /// subset on disk and shows everything as clean; any other call that fails has done nothing.
    Eio,
    /// No space left. On a write, nothing is written; a failed reservation may have reserved a front part.
    Enospc,
    /// A signal came in between: a read or a write does nothing and says so. Other calls are not affected,
    /// as the standard library retries those itself.
    Interrupted,
    /// A read or a write does only a part, at least one byte. Other calls are not affected.
    Short,
    /// The machine or the process dies, and so do all handles: this call and all later ones fail.
    Crash {
        /// How it dies.
        crash: Crash,
        /// When it dies.
        moment: Moment,
    },
}

/// When within a call a crash happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The call has done nothing.
    Before,
    /// A write or a reservation has done a part of its work; a sync has synced nothing for sure; any other
    /// call has, by seed, done all or nothing.
    Midway,
    /// The call has done everything, but nobody hears of it.
    After,
}

/// One call that reached the simulated disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The number of the call, counted from 0 over the whole life of the disk.
    pub number: u64,
    /// What was asked for.
    pub operation: Operation,
    /// The file or directory that it was about.
    pub path: Arc<Path>,
}
