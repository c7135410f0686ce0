//! A thread that maintains a log, for those who have none of their own that could.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(shuttle)]
use shuttle::thread::{Builder, JoinHandle};
#[cfg(not(shuttle))]
use std::thread::{Builder, JoinHandle};

use crate::error::{Error, Result};
use crate::log::Log;
use crate::shared_log::SharedLog;

/// A thread that calls [`Log::maintain`] whenever something is due: it writes what is queued, syncs at the interval, and for futures.
///
/// It ends when this is dropped, which waits for it, and also when the log is closed, dropped or poisoned. What is due then is not done: closing the log does that.
#[derive(Debug)]
pub struct Maintainer {
    shared: Arc<SharedLog>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Maintainer {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Error::NoThread`].
    pub fn start(log: &Log) -> Result<Maintainer> {
        let shared = Arc::clone(log.shared());
        let is_stopped = Arc::new(AtomicBool::new(false));
        // From here on there is somebody to count on, though the thread may take a while to begin.
        let attendance = Attendance::begin(Arc::clone(&shared));
        let stop = Arc::clone(&is_stopped);
        let thread = Builder::new()
            .name("commitlog".to_owned())
            .spawn(move || attendance.attend(&stop))
            .map_err(Error::NoThread)?;
        Ok(Maintainer {
            shared,
            is_stopped,
            thread: Some(thread),
        })
    }

    /// Ends the thread and says what made it end before, if something did.
    ///
    /// # Errors
    /// What [`Log::maintain`] reported: the log is poisoned, or, while it went on, a segment could not be compressed: then this is the first such failure.
    pub fn stop(mut self) -> Result<()> {
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.is_stopped.store(true, Ordering::Release);
        self.shared.nudge();
        // It panicked: then the log is poisoned.
        thread.join().unwrap_or(Err(Error::Poisoned))
    }
}

impl Drop for Maintainer {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "a log could not be maintained");
        }
    }
}

/// Stands for the thread as long as it attends to the log.
struct Attendance {
    shared: Arc<SharedLog>,
}

impl Attendance {
    fn begin(shared: Arc<SharedLog>) -> Attendance {
        shared.attend();
        Attendance { shared }
    }

    fn attend(self, is_stopped: &AtomicBool) -> Result<()> {
        let mut nudges = 0;
        let mut failed = Ok(());
        while !is_stopped.load(Ordering::Acquire) {
            let next = match self.shared.maintain(self.shared.age()) {
                Ok(next) => next,
                Err(Error::Closed) => return failed,
                // A segment could not be compressed. The first such failure is told in the end.
                Err(error) if self.shared.check_goes_on().is_ok() => {
                    failed = failed.and(Err(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let due_in = next.map(|next| next.saturating_sub(self.shared.age()));
            if due_in != Some(Duration::ZERO) {
                nudges = self.shared.wait_for_work(nudges, due_in);
            }
        }
        failed
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.shared.leave();
    }
}
