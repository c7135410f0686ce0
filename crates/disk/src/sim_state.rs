//! The running machine around a simulated disk: lives, calls, faults, locks.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::error::{Error, Operation, Result};
use crate::sim_crash::{Chooser, Crash};
use crate::sim_dir_node::NodeId;
use crate::sim_fault::{Call, Fault, Moment};
use crate::sim_map::LiveMap;
use crate::sim_medium::Medium;
use crate::sim_random::Random;

/// What one call does wrong, once it is known that the call takes place at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    Eio,
    Enospc,
    Interrupted,
    Short,
    /// The crash comes in the middle; do a part.
    Cut(Crash),
}

/// The disk as it was right before a call, and what the call was about to write.
pub(crate) struct Recorded {
    pub(crate) medium: Arc<Medium>,
    pub(crate) write: Option<(NodeId, u64, Vec<u8>)>,
}

pub(crate) struct State {
    pub(crate) medium: Arc<Medium>,
    /// Handles carry the number of the life in which they were made, and are dead in every other.
    pub(crate) life: u64,
    pub(crate) calls: Vec<Call>,
    pub(crate) faults: BTreeMap<u64, Fault>,
    pub(crate) random: Random,
    pub(crate) seed: u64,
    pub(crate) capacity: Option<u64>,
    /// Who holds the lock on which directory.
    pub(crate) locks: BTreeMap<NodeId, String>,
    /// How many handles are open on which file.
    pub(crate) open: BTreeMap<NodeId, usize>,
    /// The maps of this life that may still be looked at, and some that are gone.
    pub(crate) maps: Vec<LiveMap>,
    pub(crate) recording: Option<(u64, Vec<Recorded>)>,
}

/// The state behind all handles of one disk.
pub(crate) struct Shared(Mutex<State>);

impl State {
    pub(crate) fn new(seed: u64, medium: Arc<Medium>) -> Self {
        State {
            medium,
            life: 1,
            calls: Vec::new(),
            faults: BTreeMap::new(),
            random: Random::new(seed),
            seed,
            capacity: None,
            locks: BTreeMap::new(),
            open: BTreeMap::new(),
            maps: Vec::new(),
            recording: None,
        }
    }

    pub(crate) fn medium_mut(&mut self) -> &mut Medium {
        Arc::make_mut(&mut self.medium)
    }

    /// Counts and logs a call, and keeps the state before it if that is asked for.
    fn begin_call(&mut self, operation: Operation, path: &Arc<Path>) -> u64 {
        let number = self.calls.len() as u64;
        self.calls.push(Call {
            number,
            operation,
            path: Arc::clone(path),
        });
        if let Some((_, recorded)) = &mut self.recording {
            recorded.push(Recorded {
                medium: Arc::clone(&self.medium),
                write: None,
            });
        }
        number
    }

    pub(crate) fn crash(&mut self, crash: Crash) {
        self.life += 1;
        self.locks.clear();
        self.open.clear();
        self.maps.clear();
        if let Crash::Power(choice) = crash {
            let mut chooser = Chooser::new(choice, &mut self.random);
            if self.medium.is_uncertain() {
                self.medium_mut().power_cut(&mut chooser);
            }
        }
        if self.medium.has_garbage() {
            self.medium_mut().drop_garbage(std::iter::empty());
        }
    }

    /// How many more sectors' worth of bytes fit.
    pub(crate) fn free_bytes(&self) -> u64 {
        match self.capacity {
            Some(capacity) => capacity.saturating_sub(self.medium.used_bytes()),
            None => u64::MAX,
        }
    }

    pub(crate) fn record_write(&mut self, node: NodeId, offset: u64, bytes: &[u8]) {
        if let Some((_, recorded)) = &mut self.recording
            && let Some(last) = recorded.last_mut()
        {
            last.write = Some((node, offset, bytes.to_vec()));
        }
    }

    /// Catches those who break the promise that [`crate::File::map`] rests on. On a real disk it would be undefined what a reader sees.
    pub(crate) fn check_not_mapped(&mut self, node: NodeId, changed: Range<u64>, path: &Path) {
        self.maps.retain(LiveMap::is_alive);
        let shown = self.maps.iter().any(|map| map.shows(node, &changed));
        assert!(
            !shown,
            "{}: bytes {changed:?} are changed while they are mapped",
            path.display()
        );
    }

    pub(crate) fn close(&mut self, node: NodeId, life: u64) {
        if life == self.life
            && let Some(count) = self.open.get_mut(&node)
        {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&node);
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Shared(Mutex::new(state))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: no call stops halfway through changing it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: counts and logs it, lets it fail or crash if that was asked for, and else has its effect.
    pub(crate) fn call<T>(
        &self,
        life: u64,
        operation: Operation,
        path: &Arc<Path>,
        effect: impl FnOnce(&mut State, Trouble) -> Result<T>,
    ) -> Result<T> {
        let mut guard = self.state();
        let state = &mut *guard;
        if life != state.life {
            return Err(dead(operation, path));
        }
        let number = state.begin_call(operation, path);
        match state.faults.remove(&number) {
            None => effect(state, Trouble::None),
            Some(Fault::Crash { crash, moment }) => {
                let trouble = partial_effect(state, operation, crash, moment);
                // Whether it would have worked does not matter: nobody hears of it.
                let unheard = trouble.map(|trouble| effect(state, trouble));
                state.crash(crash);
                // A handle made by the call wants the state when it is dropped.
                drop(guard);
                drop(unheard);
                Err(dead(operation, path))
            }
            Some(fault) => {
                let trouble = match fault {
                    Fault::Eio => Trouble::Eio,
                    Fault::Enospc => Trouble::Enospc,
                    Fault::Interrupted => Trouble::Interrupted,
                    Fault::Short | Fault::Crash { .. } => Trouble::Short,
                };
                match plain_failure(operation, trouble) {
                    Some(error) => Err(Error::io(operation, path, error)),
                    None => effect(state, trouble),
                }
            }
        }
    }
}

/// How much of a call is done before a crash in it; `None` for nothing.
fn partial_effect(
    state: &mut State,
    operation: Operation,
    crash: Crash,
    moment: Moment,
) -> Option<Trouble> {
    match (moment, operation) {
        (Moment::Before, _) => None,
        (Moment::After, _) => Some(Trouble::None),
        (Moment::Midway, Operation::Write | Operation::Allocate) => Some(Trouble::Cut(crash)),
        (Moment::Midway, Operation::SyncFile | Operation::SyncDir) => None,
        (Moment::Midway, _) => (state.random.below(2) == 1).then_some(Trouble::None),
    }
}

/// The error of a call that does nothing when it fails. The others fail in their own ways.
fn plain_failure(operation: Operation, trouble: Trouble) -> Option<io::Error> {
    let own_way = matches!(
        operation,
        Operation::Write | Operation::Allocate | Operation::SyncFile | Operation::SyncDir
    );
    match trouble {
        Trouble::Eio | Trouble::Enospc if !own_way => Some(trouble.error()),
        Trouble::Interrupted if matches!(operation, Operation::Read | Operation::Write) => {
            Some(trouble.error())
        }
        _ => None,
    }
}

impl Trouble {
    /// What the operating system would say.
    pub(crate) fn error(self) -> io::Error {
        match self {
            Trouble::Enospc => Errno::NOSPC.into(),
            Trouble::Interrupted => Errno::INTR.into(),
            Trouble::None | Trouble::Eio | Trouble::Short | Trouble::Cut(_) => Errno::IO.into(),
        }
    }

    /// Whether the call reports a failure.
    pub(crate) fn fails(self) -> bool {
        matches!(self, Trouble::Eio | Trouble::Enospc)
    }
}

fn dead(operation: Operation, path: &Path) -> Error {
    let source = io::Error::other("the process that opened it is gone (simulated crash)");
    Error::io(operation, path, source)
}
