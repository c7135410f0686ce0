//! A lock that nobody waits for for ever.
//!
//! ```text
//!   not waited for ─────────────── whoever comes takes it
//!   waited for                     whoever comes may still go first, 64 times;
//!     │ │ └ third                  then all wait behind those who do
//!     │ └── second
//!     └──── first: has it next
//! ```
//!
//! The standard mutex promises no order: a writer that commits one transaction after the other could take it again each time before a
//! reader that was woken up comes to it. Handing it on in strict order would make each turn as slow as waking a thread up. So those who
//! wait stand in line, and the first of them is passed by a bounded number of times.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};

/// How often the first one who waits is passed by.
const PASSED_BY_MAX: u64 = 64;

/// Nobody waits.
const NO_LIMIT: u64 = u64::MAX;

/// Something that one thread has at a time. A panic of whoever has it harms nobody else.
#[derive(Debug)]
pub(crate) struct FairLock<T> {
    value: Mutex<T>,
    /// How often it was taken.
    turns: AtomicU64,
    /// From which number of turns on nobody passes those who wait.
    limit: AtomicU64,
    line: Mutex<Line>,
}

/// Those who wait.
#[derive(Debug)]
struct Line {
    /// The number of the first one: they are numbered as they come.
    front: u64,
    /// All of them, the first one first.
    waiting: VecDeque<Thread>,
}

/// The lock, until it is dropped.
#[derive(Debug)]
pub(crate) struct FairGuard<'a, T> {
    value: MutexGuard<'a, T>,
    /// How often others had it since the one who holds this came to wait.
    #[cfg(test)]
    passed_by: u64,
}

impl<T> FairLock<T> {
    pub(crate) fn new(value: T) -> Self {
        FairLock {
            value: Mutex::new(value),
            turns: AtomicU64::new(0),
            limit: AtomicU64::new(NO_LIMIT),
            line: Mutex::new(Line {
                front: 0,
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Waits for it.
    pub(crate) fn lock(&self) -> FairGuard<'_, T> {
        // The orders are relaxed: the mutexes order what counts, and to see a limit late is to pass by once more.
        if self.turns() < self.limit.load(Ordering::Relaxed) {
            let value = match self.value.try_lock() {
                Ok(value) => Some(value),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if let Some(value) = value {
                return self.taken(value, self.turns());
            }
        }
        self.wait()
    }

    #[cold]
    fn wait(&self) -> FairGuard<'_, T> {
        let mut line = self.line();
        let place = line.front + line.waiting.len() as u64;
        line.waiting.push_back(thread::current());
        let came = self.turns();
        if line.front == place {
            self.limit.store(came + PASSED_BY_MAX, Ordering::Relaxed);
        }
        while line.front != place {
            drop(line);
            thread::park();
            line = self.line();
        }
        drop(line);
        let value = unpoisoned(self.value.lock());
        self.move_up();
        self.taken(value, came)
    }

    /// Lets the next one be the first in line: passed by no more than that from now on, however late it wakes up.
    fn move_up(&self) {
        let mut line = self.line();
        line.front += 1;
        line.waiting.pop_front();
        let limit = match line.waiting.front() {
            Some(next) => {
                next.unpark();
                self.turns() + PASSED_BY_MAX
            }
            None => NO_LIMIT,
        };
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn taken<'a>(&'a self, value: MutexGuard<'a, T>, _came: u64) -> FairGuard<'a, T> {
        // Only whoever has the lock writes it.
        let turns = self.turns();
        self.turns.store(turns + 1, Ordering::Relaxed);
        FairGuard {
            value,
            #[cfg(test)]
            passed_by: turns - _came,
        }
    }

    fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        unpoisoned(self.line.lock())
    }
}

impl<T: Default> Default for FairLock<T> {
    fn default() -> Self {
        FairLock::new(T::default())
    }
}

impl<T> Deref for FairGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for FairGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

fn unpoisoned<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_passed_by_more_often_than_the_line_is_long() {
        let threads = 6;
        let turns_each = 20_000;
        let lock = FairLock::new(0_u64);
        let most = thread::scope(|scope| {
            let run = || {
                let passed_by = (0..turns_each).map(|_| {
                    let mut guard = lock.lock();
                    *guard += 1;
                    guard.passed_by
                });
                passed_by.max().expect("there is a turn")
            };
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
            let most = running
                .into_iter()
                .map(|thread| thread.join().expect("it does not panic"));
            most.max().expect("there is a thread")
        });
        // For each in line as often as that, and once by each other who had looked before.
        let bound = threads * (PASSED_BY_MAX + threads);
        assert!(most <= bound, "{most} of {bound}");
        assert_eq!(*lock.lock(), threads * turns_each);
        assert_eq!(lock.turns(), threads * turns_each + 1);
    }

    #[test]
    fn who_waits_is_passed_by_64_times_and_then_has_it() {
        let lock = FairLock::new(());
        let held = lock.lock();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| lock.lock().passed_by);
            while lock.limit.load(Ordering::Relaxed) == NO_LIMIT {
                thread::yield_now();
            }
            let limit = lock.limit.load(Ordering::Relaxed);
            assert_eq!(limit, lock.turns() + PASSED_BY_MAX);
            // As if it were woken up late: all that is left for others is taken at once.
            lock.turns.store(limit, Ordering::Relaxed);
            drop(held);
            drop(lock.lock());
            assert_eq!(waiting.join().expect("it does not panic"), PASSED_BY_MAX);
        });
        assert_eq!(lock.limit.load(Ordering::Relaxed), NO_LIMIT);
    }

    #[test]
    fn a_panic_of_whoever_has_it_harms_nobody_else() {
        let lock = FairLock::new(1);
        let panicked = thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _held = lock.lock();
                panic!("while it has the lock");
            });
            holder.join()
        });
        assert!(panicked.is_err());
        assert_eq!(*lock.lock(), 1);
    }
}
