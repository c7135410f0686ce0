//! The state that threads share, behind a mutex, and how they wait for it to change.
//!
//! Whoever changes the state notes in it who is concerned ([`crate::log_state::News`]); letting go of it tells them. A panic in the
//! middle of a change, or in what is done for others, poisons the log and wakes all: nobody waits for somebody who is gone.
//!
//! Threads that wait are told at once. The wakers of futures are somebody else's code, which may append to the log, sync it, close it, and so wait for whoever does
//! something for all.
//!
//! Invariant: a thread runs wakers only where no other waits for it. As long as it is *on duty*, which is to write, to sync, to claim the log, to make a segment anew or
//! to remove some, it keeps its [`Held`], lets others have the state by [`Held::meanwhile`] and [`Held::wait_on_duty`] alone, and looks at it once more by
//! [`Monitor::look`]: these leave the wakers in the state, for the first thread that lets go of it altogether, or waits, with no duty.
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

use crate::log_state::{Calls, News, State};

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

    /// Looks at the state, and tells nobody anything.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.guard())
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
    }
}

#[cold]
fn call(calls: Calls) {
    for waker in calls.wakers {
        hear_out(|| waker.wake());
    }
    for waker in calls.forgotten {
        hear_out(|| drop(waker));
    }
}

/// Does what is somebody else's code. A panic of theirs keeps nobody else from being woken, and concerns neither the thread that happens to tell them nor the log, of
/// which nothing is in the middle of a change.
fn hear_out(theirs: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(theirs)).is_err() {
        tracing::error!("the waker of a future that waits for a record panicked");
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
        self.call_or(|held| held.wait_on_duty(change))
    }

    /// The same, but not for longer than so.
    pub(crate) fn wait_at_most(self, change: Change, at_most: Duration) -> Held<'a> {
        self.call_or(|held| {
            held.wait(change, |condvar, guard| {
                match condvar.wait_timeout(guard, at_most) {
                    Ok((guard, _)) => guard,
                    Err(panicked) => distrust(panicked.into_inner().0),
                }
            })
        })
    }

    /// As [`Held::wait_for`], for a thread on duty.
    pub(crate) fn wait_on_duty(self, change: Change) -> Held<'a> {
        self.wait(change, |condvar, guard| match condvar.wait(guard) {
            Ok(guard) => guard,
            Err(panicked) => distrust(panicked.into_inner()),
        })
    }

    /// Runs the wakers that there are, for no reason to wait any more; or waits.
    fn call_or(self, wait: impl FnOnce(Held<'a>) -> Held<'a>) -> Held<'a> {
        if self.calls.is_empty() {
            return wait(self);
        }
        let monitor = self.monitor;
        drop(self);
        monitor.lock()
    }

    fn wait(
        mut self,
        change: Change,
        wait: impl FnOnce(&Condvar, MutexGuard<'a, State>) -> MutexGuard<'a, State>,
    ) -> Held<'a> {
        let monitor = self.monitor;
        if let Some(news) = self.take_news() {
            monitor.tell(news);
        }
        *self.waiting(change) += 1;
        let guard = self.guard.take().expect("the state is held");
        self.guard = Some(wait(monitor.condvar(change), guard));
        *self.waiting(change) -= 1;
        self
    }

    /// Lets others have the state while something is done, on behalf of those who wait.
    #[inline]
    pub(crate) fn meanwhile<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.step_back();
        // Also in a panic: then nobody knows how far it came, and letting go of the state poisons the log.
        let _back = Back(self);
        work()
    }

    /// Lets others have the state, and leaves the wakers to them.
    #[inline]
    pub(crate) fn step_back(&mut self) {
        let news = self.take_news();
        drop(self.guard.take());
        if let Some(news) = news {
            self.monitor.tell(news);
        }
    }

    #[inline]
    fn let_go(&mut self) {
        let Some(state) = self.guard.as_mut() else {
            return;
        };
        if std::thread::panicking() && !self.was_panicking {
            state.poison();
        }
        let calls = (!state.calls.is_empty()).then(|| std::mem::take(&mut state.calls));
        self.step_back();
        if let Some(calls) = calls {
            call(calls);
        }
    }

    fn waiting(&mut self, change: Change) -> &mut usize {
        match change {
            Change::Written => &mut self.waiting_for_written,
            Change::Durable => &mut self.waiting_for_durable,
            Change::Work => &mut self.waiting_for_work,
        }
    }

    /// What threads are to be told, if there is one that waits for it.
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

/// Takes the state again.
struct Back<'b, 'a>(&'b mut Held<'a>);

impl Drop for Back<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        self.0.guard = Some(self.0.monitor.guard());
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
