//! Threads that maintain a log, for those who have none of their own that could.
//!
//! ```text
//!   commitlog        writes what is queued, syncs at the interval and for futures
//!   commitlog-pack   compresses segments, if the options ask for it: that takes a second for each 100 MiB, and no sync is to wait for it
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(shuttle)]
use shuttle::thread::{Builder, JoinHandle, current};
#[cfg(not(shuttle))]
use std::thread::{Builder, JoinHandle, current};

use crate::error::{Error, Result};
use crate::log::Log;
use crate::shared_log::SharedLog;

/// A thread that does what is due whenever it is: it writes what is queued, syncs at the interval, and for futures. If the options ask for compressing, a second
/// thread does that, so that no sync is late for it. Together they do what [`Log::maintain`] does.
///
/// They end when this is dropped, which waits for them (but not for the one that drops it, in a waker), and also when the log is closed, dropped or poisoned. What is due then is not done: closing the log does that.
#[derive(Debug)]
pub struct Maintainer {
    shared: Arc<SharedLog>,
    is_stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Maintainer {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`Error::NoThread`].
    pub fn start(log: &Log) -> Result<Maintainer> {
        let shared = Arc::clone(log.shared());
        let mut maintainer = Maintainer {
            shared: Arc::clone(&shared),
            is_stopped: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        // From here on there is somebody to count on, though the thread may take a while to begin.
        let attendance = Attendance::begin(Arc::clone(&shared));
        maintainer.spawn("commitlog", move |is_stopped| {
            let log = &attendance.shared;
            repeat(log, is_stopped, || log.write_and_sync(log.age()))
        })?;
        if shared.options().compress_sealed {
            maintainer.spawn("commitlog-pack", move |is_stopped| {
                repeat(&shared, is_stopped, || {
                    let more = shared.compress_in_background()?;
                    Ok(more.then_some(Duration::ZERO))
                })
            })?;
        }
        Ok(maintainer)
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(&AtomicBool) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let is_stopped = Arc::clone(&self.is_stopped);
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&is_stopped))
            .map_err(Error::NoThread)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Ends the threads and says what made it end before, if something did.
    ///
    /// # Errors
    /// What [`Log::maintain`] reported: the log is poisoned, or, while it went on, a segment could not be compressed: then this is the first such failure.
    pub fn stop(mut self) -> Result<()> {
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        self.is_stopped.store(true, Ordering::Release);
        self.shared.nudge();
        let mut ended = Ok(());
        for thread in self.threads.drain(..) {
            if thread.thread().id() == current().id() {
                // It runs a waker that ends this, and then ends itself.
                continue;
            }
            // It panicked: then the log is poisoned.
            ended = ended.and(thread.join().unwrap_or(Err(Error::Poisoned)));
        }
        ended
    }
}

impl Drop for Maintainer {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "a log could not be maintained");
        }
    }
}

/// Does a step whenever something has become due, or when the step said that it would: a time as the log counts.
fn repeat(
    log: &SharedLog,
    is_stopped: &AtomicBool,
    step: impl Fn() -> Result<Option<Duration>>,
) -> Result<()> {
    let mut nudges = 0;
    let mut failed = Ok(());
    while !is_stopped.load(Ordering::Acquire) {
        let next = match step() {
            Ok(next) => next,
            Err(Error::Closed) => return failed,
            // A segment could not be compressed. The first such failure is told in the end.
            Err(error) if log.check_goes_on().is_ok() => {
                failed = failed.and(Err(error));
                continue;
            }
            Err(error) => return Err(error),
        };
        let due_in = next.map(|next| next.saturating_sub(log.age()));
        if due_in != Some(Duration::ZERO) {
            nudges = log.wait_for_work(nudges, due_in);
        }
    }
    failed
}

/// Stands for a thread that writes and syncs, as long as it does.
struct Attendance {
    shared: Arc<SharedLog>,
}

impl Attendance {
    fn begin(shared: Arc<SharedLog>) -> Attendance {
        shared.attend();
        Attendance { shared }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.shared.leave();
    }
}
