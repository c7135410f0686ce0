//! A disk in memory that lies as much as a real one may.

use std::fmt;
use std::sync::Arc;

use crate::dir::Dir;
use crate::sim_crash::{Choice, Chooser, Crash};
use crate::sim_dir::SimDir;
use crate::sim_fault::{Call, Fault};
use crate::sim_medium::Medium;
use crate::sim_state::{Recorded, Shared, State};

/// A simulated disk with the operating system around it. A clone is the same disk; a [`SimDisk::fork`] is a
/// copy that goes its own way.
///
/// Everything drawn at random comes from the seed and the order of the calls, so that a run can be repeated.
#[derive(Clone)]
pub struct SimDisk {
    pub(crate) shared: Arc<Shared>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        SimDisk::around(State::new(seed, Arc::new(Medium::new())))
    }

    fn around(state: State) -> Self {
        SimDisk {
            shared: Arc::new(Shared::new(state)),
        }
    }

    /// The root directory, for a process that starts now. After a crash, call it again: what the handles of
    /// the past life are asked, fails.
    pub fn root(&self) -> Arc<dyn Dir> {
        Arc::new(SimDir::root(&self.shared))
    }

    /// A copy of all that is on the disk and in the operating system's cache, as a process would find it that
    /// starts after this one was killed: no locks, no handles, no faults, no calls counted. Costs about a
    /// microsecond, whatever the size.
    pub fn fork(&self) -> SimDisk {
        let state = self.shared.state();
        SimDisk::forked(&state, Arc::clone(&state.medium))
    }

    fn forked(from: &State, medium: Arc<Medium>) -> SimDisk {
        let mut state = State::new(from.seed, medium);
        state.capacity = from.capacity;
        if state.medium.has_garbage() {
            state.medium_mut().drop_garbage(std::iter::empty());
        }
        SimDisk::around(state)
    }

    /// Ends the life of the process, or of the machine.
    pub fn crash(&self, crash: Crash) {
        self.shared.state().crash(crash);
    }

    /// How many lives have begun; each crash begins another one.
    pub fn lives(&self) -> u64 {
        self.shared.state().life
    }

    /// In how many ways a power cut now could end, at most `u64::MAX`. Some may come out equal.
    pub fn power_states(&self) -> u64 {
        let medium = Arc::clone(&self.shared.state().medium);
        if !medium.is_uncertain() {
            return 1;
        }
        let mut chooser = Chooser::Count(1);
        Medium::clone(&medium).power_cut(&mut chooser);
        match chooser {
            Chooser::Count(combinations) => combinations,
            _ => unreachable!("a chooser stays what it is"),
        }
    }

    /// The different disks that a power cut now could leave: all of them if there are at most `limit`
    /// combinations, else the oldest, the newest and others drawn from `seed`, `limit` draws in all.
    pub fn power_cuts(&self, limit: u64, seed: u64) -> Vec<SimDisk> {
        let combinations = self.power_states();
        let choices: Box<dyn Iterator<Item = Choice>> = if combinations <= limit {
            Box::new((0..combinations).map(Choice::Nth))
        } else {
            let drawn = (2..limit).map(move |number| Choice::Seed(seed.wrapping_add(number)));
            Box::new([Choice::Old, Choice::New].into_iter().chain(drawn))
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut disks = Vec::new();
        for choice in choices {
            let disk = self.fork();
            disk.crash(Crash::Power(choice));
            if seen.insert(disk.digest()) {
                disks.push(disk);
            }
        }
        disks
    }

    /// A number that is equal for disks on which every run of every program would see the same, and different
    /// for others but for a chance of about 2^-64. What could still be lost counts; calls, faults and
    /// locks do not. It may change from build to build.
    pub fn digest(&self) -> u64 {
        let medium = Arc::clone(&self.shared.state().medium);
        medium.digest()
    }

    /// Makes the call with this number fail. Numbers count from 0 over all lives; see [`SimDisk::call_count`].
    pub fn fail_at(&self, number: u64, fault: Fault) {
        self.shared.state().faults.insert(number, fault);
    }

    /// Forgets the faults that have not happened yet.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// How many calls have reached the disk, which is the number of the next one. Calls of dead handles and
    /// calls with names that are refused do not reach it.
    pub fn call_count(&self) -> u64 {
        self.shared.state().calls.len() as u64
    }

    /// All calls that have reached the disk, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// Limits the space to this many bytes, counted in sectors of all files that have a name; `None` for no limit.
    /// What is there stays. Names and holes take no space.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.shared.state().capacity = bytes;
    }

    /// The space taken, in bytes.
    pub fn used_bytes(&self) -> u64 {
        let medium = Arc::clone(&self.shared.state().medium);
        medium.used_bytes()
    }

    /// Keeps, from now on, the disk as it is before each call, so that one run gives every crash point.
    /// See [`SimDisk::state_before`].
    pub fn record(&self) {
        let mut state = self.shared.state();
        let first = state.calls.len() as u64;
        state.recording = Some((first, Vec::new()));
    }

    /// A fork of the disk as it was right before the call with this number: what a kill there would leave. The
    /// number of the next call gives the disk of now.
    ///
    /// # Panics
    /// If the call was not recorded.
    #[track_caller]
    pub fn state_before(&self, number: u64) -> SimDisk {
        let state = self.shared.state();
        if number == state.calls.len() as u64 {
            return SimDisk::forked(&state, Arc::clone(&state.medium));
        }
        let recorded = recorded(&state, number).expect("no such call was recorded");
        SimDisk::forked(&state, Arc::clone(&recorded.medium))
    }

    /// If the call with this number was a write: how many bytes it was asked to write.
    pub fn recorded_write_bytes(&self, number: u64) -> Option<usize> {
        let state = self.shared.state();
        let write = &recorded(&state, number)?.write;
        write.as_ref().map(|(_, _, bytes)| bytes.len())
    }

    /// A fork of the disk as a kill in the middle of a recorded write would leave it, with the first `count` bytes
    /// written.
    ///
    /// # Panics
    /// If the call was not a recorded write of at least `count` bytes.
    #[track_caller]
    pub fn state_within(&self, number: u64, count: usize) -> SimDisk {
        let state = self.shared.state();
        let recorded = recorded(&state, number).expect("no such call was recorded");
        let (node, offset, bytes) = recorded.write.as_ref().expect("the call was no write");
        let mut medium = Medium::clone(&recorded.medium);
        medium.file_mut(*node).write(*offset, &bytes[..count]);
        SimDisk::forked(&state, Arc::new(medium))
    }
}

fn recorded(state: &State, number: u64) -> Option<&Recorded> {
    let (first, recorded) = state.recording.as_ref()?;
    let index = usize::try_from(number.checked_sub(*first)?).ok()?;
    recorded.get(index)
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state();
        formatter
            .debug_struct("SimDisk")
            .field("seed", &state.seed)
            .field("life", &state.life)
            .field("calls", &state.calls.len())
            .finish_non_exhaustive()
    }
}
