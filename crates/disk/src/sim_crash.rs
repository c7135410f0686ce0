//! How a simulated machine ends, and what of the unsynced survives.

use crate::sim_random::Random;

/// How a simulated life ends. Locks vanish and all handles are dead either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process dies; the operating system lives and keeps all that was handed to it.
    Kill,
    /// The machine dies: whatever was not synced is decided piece by piece.
    Power(Choice),
}

/// What a power cut leaves of the unsynced: each sector, each length and each name on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Drawn from the disk's own seed, differently at each crash.
    Drawn,
    /// Drawn from this seed.
    Seed(u64),
    /// Nothing unsynced survives.
    Old,
    /// Everything unsynced survives.
    New,
    /// One of the [`crate::SimDisk::power_states`] combinations, counted from 0 (which is [`Choice::Old`]).
    Nth(u64),
}

/// Answers the questions of one power cut in a fixed order.
pub(crate) enum Chooser {
    Old,
    New,
    Nth(u64),
    /// Each answer is drawn: of 16 parts, `old` are the oldest, `new` the newest, the others any.
    Drawn {
        random: Random,
        old: u64,
        new: u64,
    },
    /// Picks the oldest and counts how many combinations there are.
    Count(u64),
}

impl Chooser {
    pub(crate) fn new(choice: Choice, own: &mut Random) -> Self {
        match choice {
            Choice::Drawn => Chooser::drawn(Random::new(own.next())),
            Choice::Seed(seed) => Chooser::drawn(Random::new(seed)),
            Choice::Old => Chooser::Old,
            Choice::New => Chooser::New,
            Choice::Nth(number) => Chooser::Nth(number),
        }
    }

    /// Some crashes lose almost all, some almost nothing: with fixed odds, long histories would always be torn
    /// everywhere at once.
    fn drawn(mut random: Random) -> Self {
        let (old, new) = match random.below(4) {
            0 => (0, 0),
            1 => (14, 1),
            2 => (1, 14),
            _ => (7, 7),
        };
        Chooser::Drawn { random, old, new }
    }

    /// Picks one of `options` (at least 1), of which 0 is durable for sure and `newest` is what reads showed.
    pub(crate) fn pick(&mut self, options: usize, newest: usize) -> usize {
        let count = options as u64;
        let picked = match self {
            Chooser::Old => 0,
            Chooser::New => return newest,
            Chooser::Nth(number) => {
                let digit = *number % count;
                *number /= count;
                digit
            }
            Chooser::Drawn { random, old, new } => match random.below(16) {
                roll if roll < *old => 0,
                roll if roll < *old + *new => return newest,
                _ => random.below(count),
            },
            Chooser::Count(combinations) => {
                *combinations = combinations.saturating_mul(count);
                0
            }
        };
        usize::try_from(picked).expect("below options")
    }
}
