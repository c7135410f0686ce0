//! Committing: one transaction at a time, many waiting for one sync.
//!
//! ```text
//!   one at a time       view, body, finish         nothing has happened yet
//!                       check                      all that can refuse refuses here; nobody sees it
//!                       append                     it has its number; under EveryCommit the sync writes it,
//!                                                  else the operating system has it
//!                       apply                      can not fail
//!   all together        wait for the sync          under EveryCommit
//!                       move what is shown on
//!                       acknowledge
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use commitlog::{Handoff, Log, SyncPolicy, TxId};
use schema::WriteTransaction;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::growth::Growth;
use crate::heads::Heads;
use crate::options::{Mistake, Options};
use crate::turn::{Held, Turn};
use crate::view::View;
use crate::write_error::{Committed, WriteError};

/// What commits, and what knows whether committing is still possible.
#[derive(Debug)]
pub(crate) struct Writer {
    log: Arc<Log>,
    heads: Heads,
    growth: Growth,
    clock: Arc<dyn Clock>,
    policy: SyncPolicy,
    turn: Turn,
    /// Held besides from before the append until after the apply. Poisoned if a panic came in between: then the log may hold a record
    /// that the state does not.
    applying: Mutex<()>,
    /// A write or sync failed.
    has_failed: AtomicBool,
    mistake: Option<Mistake>,
}

impl Writer {
    pub(crate) fn new(log: Log, view: View, growth: Growth, options: &Options) -> Self {
        Writer {
            log: Arc::new(log),
            heads: Heads::new(options.sync_policy, view),
            growth,
            clock: Arc::clone(&options.clock),
            policy: options.sync_policy,
            turn: Turn::default(),
            applying: Mutex::new(()),
            has_failed: AtomicBool::new(false),
            mistake: options.mistake,
        }
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    pub(crate) fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Where time comes from.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn growth(&self) -> &Growth {
        &self.growth
    }

    pub(crate) fn sync_policy(&self) -> SyncPolicy {
        self.policy
    }

    /// The log is asked, too: a prune, a backup or a reader may have met what ended it.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.has_stopped() || self.log.is_poisoned()
    }

    /// Whether nothing is shown any more beyond what is.
    fn has_stopped(&self) -> bool {
        self.has_failed.load(Ordering::Acquire) || self.applying.is_poisoned()
    }

    pub(crate) fn write<T, E>(
        &self,
        body: impl FnOnce(&mut WriteTransaction) -> std::result::Result<T, E>,
    ) -> std::result::Result<(T, Committed), WriteError<E>> {
        let (value, committed, seen) = self.append(body)?;
        if self.policy == SyncPolicy::EveryCommit {
            // A transaction that changed nothing may have read what is not durable yet: it is acknowledged after that, too.
            self.wait_durable(seen)
                .map_err(|source| match committed.tx {
                    Some(tx) => WriteError::Unknown { tx, source },
                    None => WriteError::Refused(source),
                })?;
        }
        Ok((value, committed))
    }

    /// Waits until a transaction is durable, and shows it.
    pub(crate) fn wait_durable(&self, tx: TxId) -> Result<()> {
        // Whatever became of the database since: both stay true. Durable alone is not enough, since a commit is not acknowledged
        // before it is shown.
        if tx <= self.heads.shown_tx() && tx < self.log.durable_end() {
            return Ok(());
        }
        self.log
            .wait_durable(tx)
            .map_err(|error| self.failure(error))?;
        // The log may be well where an apply panicked: nothing is shown any more all the same.
        self.require_sound()?;
        self.heads.advance(self.log.durable_end());
        Ok(())
    }

    /// The newest state to be shown.
    pub(crate) fn shown(&self) -> View {
        // The log is not asked whether it is poisoned: what it says is durable stays so.
        if !self.has_stopped() {
            self.heads.advance(self.log.durable_end());
        }
        self.heads.shown()
    }

    /// Begins a new segment, so that what comes before can be pruned once a snapshot holds it.
    pub(crate) fn rotate(&self) -> Result<()> {
        self.require_sound()?;
        self.log.rotate().map_err(|error| self.failure(error))
    }

    /// An error of the log in the database's terms. If the log can not go on after it, neither does the database.
    pub(crate) fn failure(&self, error: commitlog::Error) -> Error {
        match error {
            commitlog::Error::Poisoned => {
                self.has_failed.store(true, Ordering::Release);
                Error::Poisoned
            }
            commitlog::Error::Io(_) | commitlog::Error::Unknown { .. } => {
                self.has_failed.store(true, Ordering::Release);
                Error::Log(error)
            }
            error => Error::Log(error),
        }
    }

    pub(crate) fn require_sound(&self) -> Result<()> {
        if self.is_poisoned() {
            Err(Error::Poisoned)
        } else {
            Ok(())
        }
    }

    /// Does what is due in the log in the background. Yields how long nothing will be, if anything ever will.
    pub(crate) fn maintain_log(&self) -> Result<Option<Duration>> {
        let SyncPolicy::Interval(interval) = self.policy else {
            return Ok(None);
        };
        let now = self.clock.elapsed();
        let next = self
            .log
            .maintain(now)
            .map_err(|error| self.failure(error))?;
        Ok(Some(next.map_or(interval, |next| next.saturating_sub(now))))
    }

    /// Who waits for a sync need not wait for a write of his own: the sync of the group begins with one for all.
    fn handoff(&self) -> Handoff {
        match self.policy {
            SyncPolicy::EveryCommit => Handoff::Queued,
            _ => Handoff::Written,
        }
    }

    /// Runs the body, appends and applies. Yields the last transaction that the body saw or made.
    fn append<T, E>(
        &self,
        body: impl FnOnce(&mut WriteTransaction) -> std::result::Result<T, E>,
    ) -> std::result::Result<(T, Committed, TxId), WriteError<E>> {
        let _turn = self.take_turn().map_err(WriteError::Refused)?;
        let base = self.heads.applied();
        let (before, chain, marks) = (base.tx(), base.chain(), base.state().marks());
        let refused = |error: schema::Error| WriteError::Refused(Error::Schema(error));
        let mut transaction = WriteTransaction::new(base.state()).map_err(refused)?;
        // The transaction holds it as long as it needs it. What nobody holds is written in place.
        drop(base);
        let value = body(&mut transaction).map_err(WriteError::RolledBack)?;
        let Some(payload) = transaction.finish().map_err(refused)? else {
            return Ok((value, Committed { tx: None }, before));
        };
        let checked = self.heads.check(&payload).map_err(refused)?;

        let time = self.clock.wall_ns();
        let applying = self
            .applying
            .lock()
            .map_err(|_| WriteError::Refused(Error::Poisoned))?;
        let needed = checked.marks().minimum_reader;
        if needed > marks.minimum_reader {
            // Before the record is there: the segment that it may begin says so in its header.
            self.log.raise_minimum_reader(needed);
        }
        let appended = self.log.append_with(&payload, time, self.handoff());
        let tx = appended.map_err(|error| self.append_failed(error, before.next()))?;
        assert_eq!(tx, before.next(), "transactions are numbered without gaps");
        // Crash here: the record is in the log and nobody has seen its effect; the next open replays it.
        if self.mistake == Some(Mistake::PanicWhileApplying(tx)) {
            panic!("transaction {tx} was to panic while it is applied");
        }
        // Not asked of the log, which would write what is queued for that.
        let chain = chain.after(tx, &payload);
        self.heads.apply(&payload, checked, tx, chain);
        drop(applying);
        self.growth.add(tx, payload.len() as u64);
        Ok((value, Committed { tx: Some(tx) }, tx))
    }

    fn append_failed<E>(&self, error: commitlog::Error, tx: TxId) -> WriteError<E> {
        let is_unknown = matches!(
            error,
            commitlog::Error::Io(_) | commitlog::Error::Unknown { .. }
        );
        let source = self.failure(error);
        if is_unknown {
            WriteError::Unknown { tx, source }
        } else {
            WriteError::Refused(source)
        }
    }

    fn take_turn(&self) -> Result<Held<'_>> {
        let held = self.turn.take().ok_or(Error::AlreadyWriting)?;
        self.require_sound()?;
        Ok(held)
    }
}
