//! The state that threads share, behind a mutex, and how they wait for it to change.
//!
//! Whoever changes the state notes in it who is concerned ([`crate::log_state::News`]); letting go of it tells them. A panic in the
//! middle of a change, or in what a leader does for others, poisons the log and wakes all: nobody waits for somebody who is gone.
//!
//! Mutex and condition variables come from here alone, so that the interleavings of threads can be explored: built with
//! `--cfg shuttle` they belong to that explorer.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

#[cfg(shuttle)]
use shuttle::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(shuttle))]
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::log_state::{News, State};

/// What a thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// More is written, or nobody writes any more.
    Written,
    /// More is durable, or nobody syncs any more.
    Durable,
    /// There may be something to do in the background.
    Work,
}

/// The state of a log, for one thread at a time.
#[derive(Debug)]
pub(crate) struct Monitor {
    state: Mutex<State>,
    written: Condvar,
    durable: Condvar,
    work: Condvar,
}

impl Monitor {
    pub(crate) fn new(state: State) -> Self {
        Monitor {
            state: Mutex::new(state),
            written: Condvar::new(),
            durable: Condvar::new(),
            work: Condvar::new(),
        }
    }

    /// Waits for the state and takes it.
    #[inline]
    pub(crate) fn lock(&self) -> Held<'_> {
        Held {
            monitor: self,
            guard: Some(self.guard()),
            was_panicking: std::thread::panicking(),
        }
    }

    #[inline]
    fn guard(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(guard) => guard,
            Err(panicked) => distrust(panicked.into_inner()),
        }
    }

    /// Does something while others may have the state, on behalf of those who wait.
    #[inline]
    pub(crate) fn apart<T>(&self, work: impl FnOnce() -> T) -> T {
        let ward = Ward(self);
        let done = work();
        std::mem::forget(ward);
        done
    }

    fn condvar(&self, change: Change) -> &Condvar {
        match change {
            Change::Written => &self.written,
            Change::Durable => &self.durable,
            Change::Work => &self.work,
        }
    }

    #[cold]
    fn tell(&self, news: News) {
        if news.written {
            self.written.notify_all();
        }
        if news.durable {
            self.durable.notify_all();
        }
        if news.work {
            self.work.notify_all();
        }
        for waker in news.wakers {
            hear_out(|| waker.wake());
        }
        for waker in news.forgotten {
            hear_out(|| drop(waker));
        }
    }
}

/// Does what is somebody else's code. A panic of theirs keeps nobody else from being woken, and concerns neither the thread that happens to tell them nor the log, of
/// which nothing is in the middle of a change.
fn hear_out(theirs: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(theirs)).is_err() {
        tracing::error!("the waker of a future that waits for a record panicked");
    }
}

/// Poisons the log if what is done apart ends in a panic: nobody knows how far it came, and nobody else would end it.
struct Ward<'a>(&'a Monitor);

impl Drop for Ward<'_> {
    fn drop(&mut self) {
        self.0.lock().poison();
    }
}

/// What a panic left in the middle of a change is not to be trusted.
#[cold]
fn distrust(mut guard: MutexGuard<'_, State>) -> MutexGuard<'_, State> {
    guard.poison();
    guard
}

/// The state, as long as this lives.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    monitor: &'a Monitor,
    /// Invariant: there is one, but for moments within the functions below.
    guard: Option<MutexGuard<'a, State>>,
    was_panicking: bool,
}

impl<'a> Held<'a> {
    /// Lets others have the state until it has changed, or for no reason: the caller looks again.
    pub(crate) fn wait_for(self, change: Change) -> Held<'a> {
        self.wait(change, |condvar, guard| match condvar.wait(guard) {
            Ok(guard) => guard,
            Err(panicked) => distrust(panicked.into_inner()),
        })
    }

    /// The same, but not for longer than so.
    pub(crate) fn wait_at_most(self, change: Change, at_most: Duration) -> Held<'a> {
        self.wait(change, |condvar, guard| {
            match condvar.wait_timeout(guard, at_most) {
                Ok((guard, _)) => guard,
                Err(panicked) => distrust(panicked.into_inner().0),
            }
        })
    }

    fn wait(
        mut self,
        change: Change,
        wait: impl FnOnce(&Condvar, MutexGuard<'a, State>) -> MutexGuard<'a, State>,
    ) -> Held<'a> {
        let monitor = self.monitor;
        if let Some(news) = self.take_news() {
            // Wakers are not woken with the state held, for they may want it.
            drop(self);
            monitor.tell(news);
            return monitor.lock();
        }
        *self.waiting(change) += 1;
        let guard = self.guard.take().expect("the state is held");
        self.guard = Some(wait(monitor.condvar(change), guard));
        *self.waiting(change) -= 1;
        self
    }

    /// Lets go of the state while something is done: see [`Monitor::apart`].
    #[inline]
    pub(crate) fn meanwhile<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.let_go();
        let done = self.monitor.apart(work);
        self.guard = Some(self.monitor.guard());
        done
    }

    #[inline]
    fn let_go(&mut self) {
        let Some(state) = self.guard.as_mut() else {
            return;
        };
        if std::thread::panicking() && !self.was_panicking {
            state.poison();
        }
        let news = self.take_news();
        drop(self.guard.take());
        if let Some(news) = news {
            self.monitor.tell(news);
        }
    }

    fn waiting(&mut self, change: Change) -> &mut usize {
        match change {
            Change::Written => &mut self.waiting_for_written,
            Change::Durable => &mut self.waiting_for_durable,
            Change::Work => &mut self.waiting_for_work,
        }
    }

    /// What others are to be told, if there is anybody who waits for it.
    #[inline]
    fn take_news(&mut self) -> Option<News> {
        let state: &mut State = self.guard.as_mut()?;
        let news = &mut state.news;
        news.written &= state.waiting_for_written > 0;
        news.durable &= state.waiting_for_durable > 0;
        news.work &= state.waiting_for_work > 0;
        (!news.is_empty()).then(|| std::mem::take(news))
    }
}

impl Deref for Held<'_> {
    type Target = State;

    #[inline]
    fn deref(&self) -> &State {
        self.guard.as_ref().expect("the state is held")
    }
}

impl DerefMut for Held<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        self.guard.as_mut().expect("the state is held")
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.let_go();
    }
}
