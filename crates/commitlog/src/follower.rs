//! Reads a log as it grows.
//!
//! ```text
//!              in the writer's process                       in another process
//!
//!  next?       what is durable, from the shared state        what the marks of the newest segment prove
//!  none yet    sleeps until the writer wakes it              looks again, less and less often
//!  not there   the log was pruned or truncated: an error     looks at the whole directory, then the same
//! ```
//!
//! Every record is verified as by any reader. What it yields continues, by the chain, what it yielded before: where it can not, because what was read
//! was truncated meanwhile, it ends with an error and shows nothing of the other history.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::chain::Chain;
use crate::error::{Error, Result};
use crate::format::FrameHeader;
use crate::reader::Reader;
use crate::record::Record;
use crate::shared_log::SharedLog;
use crate::tail_log::{Seen, TailLog};
use crate::tx_id::TxId;

/// The first pause before a log of another process is looked at again; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// How often what a writer beside us does is followed while one record is looked for.
const ATTEMPTS_MAX: usize = 8;

/// How often the same may go wrong before it is believed: a writer would have to truncate its log between any two looks.
const TROUBLES_MAX: usize = 4;

/// How a log is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowOptions {
    /// Whether to show records too that are not durable yet, flagged by [`Record::proven`]. The writer may still take them back, after a
    /// crash: then following ends with [`Error::Truncated`]. Default: no.
    pub show_unproven: bool,
    /// The chain before the first record to come, if it is known from an earlier life: another history is refused. Default: none.
    pub chain_before: Option<Chain>,
    /// The longest pause between two looks at the log of another process. Default: 100 ms.
    pub pause_max: Duration,
}

impl Default for FollowOptions {
    fn default() -> Self {
        FollowOptions {
            show_unproven: false,
            chain_before: None,
            pause_max: Duration::from_millis(100),
        }
    }
}

/// Yields the records of a log as they become durable. Made by [`crate::Log::follow`] and [`crate::ReadOnlyLog::follow`].
///
/// Goes on over new segments, compressed ones, and in another process over a writer that ends and begins again. After an error it may be
/// asked again; [`Error::Truncated`] stays, and [`Error::Pruned`] until it is followed anew from a record that is kept.
#[derive(Debug)]
pub struct Follower {
    followed: Followed,
    reader: Reader,
    options: FollowOptions,
    /// The chain before the next record, once it is known.
    chain: Option<Chain>,
    /// Everything before this was proven when it was yielded, or when following began.
    proven_end: TxId,
    /// What was read was given up, all but what is before this.
    truncated: Option<TxId>,
}

#[derive(Debug)]
enum Followed {
    Live(Arc<SharedLog>),
    Tail(Arc<TailLog>),
}

impl Follower {
    pub(crate) fn of_live_log(
        log: Arc<SharedLog>,
        from: TxId,
        options: FollowOptions,
    ) -> Result<Follower> {
        let mut reader = Reader::of_live_log(Arc::clone(&log), from)?;
        if options.chain_before.is_some() {
            check_chain(options.chain_before, &mut reader)?;
        }
        if !options.show_unproven {
            reader.show_only_proven();
        }
        Ok(Follower::new(Followed::Live(log), reader, options))
    }

    pub(crate) fn of_tail_log(
        log: Arc<TailLog>,
        from: TxId,
        options: FollowOptions,
    ) -> Result<Follower> {
        let mut trouble = Trouble::default();
        let (reader, chain) = loop {
            let begun = Reader::of_tail_log(Arc::clone(&log), from).and_then(|mut reader| {
                let chain = check_chain(options.chain_before, &mut reader)?;
                Ok((reader, chain))
            });
            match begun {
                Ok(begun) => break begun,
                Err(error) => trouble.passes(error)?,
            }
            log.look_at_all()?;
        };
        let mut follower = Follower::new(Followed::Tail(log), reader, options);
        follower.chain = Some(chain);
        Ok(follower)
    }

    fn new(followed: Followed, reader: Reader, options: FollowOptions) -> Follower {
        Follower {
            followed,
            chain: options.chain_before,
            proven_end: reader.proven_before_next(),
            reader,
            options,
            truncated: None,
        }
    }

    /// The id of the record that comes next.
    pub fn next_id(&self) -> TxId {
        self.reader.next_id()
    }

    /// The chain before the record that comes next, once one was read or it was given: what [`FollowOptions::chain_before`] wants in another life.
    pub fn chain_here(&self) -> Option<Chain> {
        self.chain
    }

    /// Waits for the next record, at most for `timeout`. `None`: there was none in that time.
    ///
    /// # Errors
    /// [`Error::Closed`] or [`Error::Poisoned`] once the log of this process ended so and everything that is durable was yielded;
    /// [`Error::Pruned`] if the record was removed meanwhile; [`Error::Truncated`] if a record that was yielded was given up, and what is behind it with
    /// it; [`Error::Damaged`]; [`Error::NewerFormat`]; [`Error::Io`].
    pub fn next_record(&mut self, timeout: Option<Duration>) -> Result<Option<Record<'_>>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut pause = PAUSE_MIN;
        let header = loop {
            if let Some(header) = self.advance()? {
                break header;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            match &self.followed {
                Followed::Live(log) => {
                    let truncations = self.reader.truncations_noticed();
                    let next = self.reader.next_id();
                    log.wait_for_more(next, self.options.show_unproven, truncations, left);
                }
                Followed::Tail(_) => {
                    thread::sleep(left.map_or(pause, |left| left.min(pause)));
                    pause = (2 * pause).min(self.options.pause_max);
                }
            }
        };
        self.reader.record(&header).map(Some)
    }

    /// The next record, if it is there. Does not wait.
    ///
    /// # Errors
    /// As [`Follower::next_record`].
    pub fn poll_next(&mut self) -> Result<Option<Record<'_>>> {
        match self.advance()? {
            Some(header) => self.reader.record(&header).map(Some),
            None => Ok(None),
        }
    }

    fn advance(&mut self) -> Result<Option<FrameHeader>> {
        let advanced = match &self.followed {
            Followed::Live(log) => {
                // In this order: what ends the log comes after its last record.
                let ended = log.check_goes_on();
                match self.reader.advance()? {
                    None => ended.map(|()| None)?,
                    some => some,
                }
            }
            Followed::Tail(log) => {
                let log = Arc::clone(log);
                self.advance_tail(&log)?
            }
        };
        if let Some(header) = &advanced {
            self.chain = Some(header.chain_after);
            self.proven_end = self.reader.proven_before_next();
        }
        Ok(advanced)
    }

    fn advance_tail(&mut self, log: &Arc<TailLog>) -> Result<Option<FrameHeader>> {
        if let Some(end) = self.truncated {
            return Err(Error::Truncated { end });
        }
        let mut trouble = Trouble::default();
        let mut changed = false;
        for _ in 0..ATTEMPTS_MAX {
            let advanced = match changed {
                true => self.continue_in(log),
                false => Ok(()),
            };
            changed = false;
            let seen = match advanced.and_then(|()| self.reader.advance()) {
                Ok(Some(header)) => return Ok(Some(header)),
                Ok(None) => log.look_at_newest(),
                Err(error) => Err(error),
            };
            match seen {
                Ok(Seen::Nothing) => return Ok(None),
                Ok(Seen::More) => {}
                Ok(Seen::Changes) => changed = true,
                // What was read is given up: that stays so.
                Err(error) if self.truncated.is_some() => return Err(error),
                Err(error) => {
                    trouble.passes(error)?;
                    log.look_at_all()?;
                    changed = true;
                }
            }
        }
        Ok(None)
    }

    /// Goes on in the log as it is now, if it still continues what was read.
    fn continue_in(&mut self, log: &Arc<TailLog>) -> Result<()> {
        let next = self.reader.next_id();
        let anew = Reader::of_tail_log(Arc::clone(log), next).and_then(|mut reader| {
            let chain = reader.chain_here()?;
            Ok((reader, chain))
        });
        match anew {
            Ok((reader, chain)) if self.chain == Some(chain) => {
                self.reader = reader;
                Ok(())
            }
            Ok(_) | Err(Error::BeyondEnd { .. }) => {
                // What is taken back without a truncation had not been proven.
                let end = log.truncated().unwrap_or(self.proven_end);
                self.truncated = Some(end);
                Err(Error::Truncated { end })
            }
            Err(error) => Err(error),
        }
    }
}

/// What went wrong, perhaps because a file was removed or replaced since it was looked at.
#[derive(Debug, Default)]
struct Trouble {
    last: String,
    times: usize,
}

impl Trouble {
    /// Whether it is worth looking again: the same again and again is no such thing.
    fn passes(&mut self, error: Error) -> Result<()> {
        let (passing, times_max) = match &error {
            Error::Damaged { .. } | Error::Pruned { .. } => (true, TROUBLES_MAX),
            // It is so, and what was written again may continue what was read.
            Error::Truncated { .. } => (true, ATTEMPTS_MAX + 1),
            Error::Io(error) => (error.is_not_found(), TROUBLES_MAX),
            _ => (false, TROUBLES_MAX),
        };
        let description = error.to_string();
        self.times = if description == self.last {
            self.times + 1
        } else {
            1
        };
        self.last = description;
        if passing && self.times < times_max {
            Ok(())
        } else {
            Err(error)
        }
    }
}

/// Holds the chain that is expected before the next record against the log's. Yields it.
fn check_chain(expected: Option<Chain>, reader: &mut Reader) -> Result<Chain> {
    let chain = reader.chain_here()?;
    if expected.is_some_and(|expected| expected != chain) {
        let at = reader.next_id();
        return Err(Error::OtherHistory { at });
    }
    Ok(chain)
}
