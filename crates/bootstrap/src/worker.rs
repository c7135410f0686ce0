//! The one thread of a database: it waits until something may be due, and does it step by step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Error, Result};

/// How the thread is told that something may be due, or that it shall end.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    is_nudged: Mutex<bool>,
    changed: Condvar,
    is_stopped: AtomicBool,
}

impl Signal {
    /// Something may be due.
    pub(crate) fn nudge(&self) {
        *self
            .is_nudged
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// The work shall end, also in the middle of a snapshot.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.nudge();
    }

    /// Waits until something may be due, or for so long at most.
    fn wait(&self, at_most: Option<Duration>) {
        let mut nudged = self
            .is_nudged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_quiet = |nudged: &mut bool| !*nudged;
        nudged = match at_most {
            Some(at_most) => {
                let waited = self.changed.wait_timeout_while(nudged, at_most, is_quiet);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.changed.wait_while(nudged, is_quiet);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        *nudged = false;
    }
}

/// The running thread. Dropping it ends it and waits for that.
#[derive(Debug)]
pub(crate) struct Worker {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a thread that calls `work` whenever it is nudged, and when the time is over that `work` said.
    pub(crate) fn start(
        signal: Arc<Signal>,
        work: impl Fn() -> Option<Duration> + Send + 'static,
    ) -> Result<Self> {
        let inside = Arc::clone(&signal);
        let run = move || {
            while !inside.is_stopped() {
                let next = work();
                inside.wait(next);
            }
        };
        let thread = thread::Builder::new()
            .name("cairn".to_owned())
            .spawn(run)
            .map_err(Error::NoThread)?;
        Ok(Worker {
            signal,
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.signal.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the work in the background panicked");
        }
    }
}
