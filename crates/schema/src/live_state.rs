//! The newest state of a database: what transactions are applied to, one after the other, and views are taken from.
//!
//! ```text
//!   check ── few rows ────────────> applied in place, for trial ──┬── apply: kept
//!     │                                                           └── view: taken back; apply does it again
//!     └── many, or definitions ───> applied to a fork ─────────────── apply: takes the place of the state
//! ```
//!
//! Both are the one function that applies a transaction. In place no page is copied that no view holds, and a page that was written
//! goes back to what it was, byte by byte, should somebody look before the transaction is in the log. A fork takes its time beside the
//! state, so that views need not wait for it.

use table::{Marks, Operation, Transaction};

use crate::catalog::Catalog;
use crate::error::Error;
use crate::state::{Checked, State};
use crate::system_tables::SystemTableName;

/// The longest transaction that is tried in place, in bytes: views wait for that.
const IN_PLACE_BYTES_MAX: usize = 4096;

/// A state that transactions are applied to. Views are of what was applied, never of what was only checked.
#[derive(Debug)]
pub struct LiveState {
    state: State,
    /// The transaction that is being tried in place.
    tried: Option<Tried>,
    /// How many were.
    tried_count: u64,
}

/// What a transaction that is being tried has changed besides the store, as it was.
#[derive(Debug)]
struct Tried {
    number: u64,
    catalog: Catalog,
    marks: Marks,
}

/// A transaction that can not fail any more.
#[derive(Debug)]
pub struct CheckedLive {
    marks: Marks,
    how: How,
}

#[derive(Debug)]
enum How {
    /// Which one it was.
    InPlace(u64),
    Fork(Box<Checked>),
}

impl CheckedLive {
    /// Which builds may read and write the log after it.
    pub fn marks(&self) -> Marks {
        self.marks
    }
}

impl LiveState {
    /// Goes on from a state.
    pub fn new(state: State) -> Self {
        LiveState {
            state,
            tried: None,
            tried_count: 0,
        }
    }

    /// The state as it is, for good; O(1). Whatever was checked and not applied yet is not in it.
    pub fn view(&mut self) -> State {
        self.take_back();
        self.state.clone()
    }

    /// Whether what a transaction would do takes no longer than a view may be made to wait for.
    fn is_small(&self, transaction: &Transaction<'_>) -> bool {
        transaction.as_bytes().len() <= IN_PLACE_BYTES_MAX
            && transaction.groups().all(|group| {
                let known = self.state.catalog().known_of(group.table);
                known.is_none_or(|known| {
                    // An insert that takes a number moves the sequence on.
                    known.name == SystemTableName::Sequence && group.operation == Operation::Update
                })
            })
    }

    /// Does everything with a transaction that can refuse. Nobody sees anything of it before [`LiveState::apply`]; if that never comes,
    /// nothing has happened.
    ///
    /// # Errors
    /// Any [`Error`], and nothing has happened.
    pub fn check(&mut self, transaction: &[u8]) -> Result<CheckedLive, Error> {
        self.take_back();
        let parsed = Transaction::parse(transaction);
        if !parsed.is_ok_and(|parsed| self.is_small(&parsed)) {
            let fork = self.state.check(transaction)?;
            return Ok(CheckedLive {
                marks: fork.state().marks(),
                how: How::Fork(Box::new(fork)),
            });
        }
        let number = self.try_in_place(transaction)?;
        Ok(CheckedLive {
            marks: self.state.marks(),
            how: How::InPlace(number),
        })
    }

    /// Applies a transaction that was checked. Yields the state whose place it takes, if it is another one: to free it takes a while.
    ///
    /// # Panics
    /// If it was not checked against this state and does not fit.
    pub fn apply(&mut self, transaction: &[u8], checked: CheckedLive) -> Option<State> {
        match checked.how {
            How::Fork(fork) => {
                self.take_back();
                return Some(std::mem::replace(&mut self.state, (*fork).into_state()));
            }
            How::InPlace(number) => {
                let is_there = |tried: &Tried| tried.number == number;
                if !self.tried.as_ref().is_some_and(is_there) {
                    // Somebody looked in between.
                    self.take_back();
                    let tried = self.try_in_place(transaction);
                    tried.expect("it was checked against this state");
                }
                self.tried = None;
                self.state.store_mut().keep_trial();
            }
        }
        None
    }

    /// Yields the number of the try. After an error nothing has happened.
    fn try_in_place(&mut self, transaction: &[u8]) -> Result<u64, Error> {
        self.tried_count += 1;
        // Noted first: should anything panic, the next one to look takes it back.
        self.tried = Some(Tried {
            number: self.tried_count,
            catalog: self.state.catalog().clone(),
            marks: self.state.marks(),
        });
        self.state.store_mut().begin_trial();
        let tried = self.state.replay(transaction);
        if tried.is_err() {
            self.take_back();
        }
        tried.map(|()| self.tried_count)
    }

    fn take_back(&mut self) {
        if let Some(tried) = self.tried.take() {
            self.state.take_back(tried.catalog, tried.marks);
        }
    }
}
