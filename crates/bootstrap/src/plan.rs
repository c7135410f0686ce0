//! What opening will do, decided by a pure function of what was found and what is wanted.

use commitlog::TxId;

use crate::decision_table::{self, Outcome, Refusal};
use crate::sighting::{IdentitySighting, LogSighting, Sighting, SnapshotState, Standing};
use crate::situation::{AtCase, IdentityCase, IntentCase, LogCase, Situation, SnapshotCase};

/// What the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// To write.
    Write {
        /// A missing database may be created.
        create: bool,
        /// A lost log may be replaced by the newest snapshot.
        restore: bool,
    },
    /// To read the newest state, or the one after an older transaction.
    Read { at: Option<TxId> },
}

/// What opening will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The row of the table in `docs/RECOVERY.md` that decided.
    pub(crate) row: u8,
    pub(crate) action: Action,
}

/// The action of a [`Plan`]. Snapshots are given by their place in the sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Recover {
        /// The state to start from; `None` for the empty one before the genesis.
        snapshot: Option<usize>,
        rewrite_identity: bool,
    },
    Restore {
        snapshot: usize,
    },
    Refuse(Refusal),
}

/// The plan for what was found.
pub(crate) fn plan(sighting: &Sighting, intent: Intent) -> Plan {
    let row = decision_table::decide(&situation(sighting, intent));
    let recover = |rewrite_identity, from_snapshot: bool| Action::Recover {
        snapshot: from_snapshot.then(|| {
            best_snapshot(sighting, intent)
                .expect("a snapshot is usable, or the row would not match")
        }),
        rewrite_identity,
    };
    let action = match row.outcome {
        Outcome::Create => Action::Create,
        Outcome::FromGenesis => recover(false, false),
        Outcome::RewriteThenFromGenesis => recover(true, false),
        Outcome::FromSnapshot => recover(false, true),
        Outcome::RewriteThenFromSnapshot => recover(true, true),
        Outcome::Restore => Action::Restore {
            snapshot: newest_of_ours(sighting)
                .expect("a snapshot is sound, or the row would not match"),
        },
        Outcome::Refuse(refusal) => Action::Refuse(refusal),
    };
    Plan {
        row: row.number,
        action,
    }
}

/// The transactions whose states can be rebuilt: from the first to before the second.
pub(crate) fn range(sighting: &Sighting) -> Option<(TxId, TxId)> {
    let LogSighting::Sound(extent) = &sighting.log else {
        return None;
    };
    if extent.base == TxId(0) {
        return (extent.end > TxId(0)).then_some((TxId(0), extent.end));
    }
    let oldest = usable(sighting)
        .map(|index| sighting.snapshots[index].tx)
        .min()?;
    Some((oldest, extent.end))
}

fn situation(sighting: &Sighting, intent: Intent) -> Situation {
    let log = match &sighting.log {
        LogSighting::Absent => LogCase::Absent,
        LogSighting::Damaged(_) => LogCase::Damaged,
        LogSighting::Newer(_) => LogCase::Newer,
        LogSighting::Sound(extent) if extent.base == TxId(0) => LogCase::Whole,
        LogSighting::Sound(_) => LogCase::Pruned,
    };
    let identity = match (sighting.identity, &sighting.log) {
        (IdentitySighting::Absent, _) => IdentityCase::Absent,
        (IdentitySighting::Damaged(_), _) => IdentityCase::Damaged,
        (IdentitySighting::Newer(_), _) => IdentityCase::Newer,
        (IdentitySighting::Sound(id), LogSighting::Sound(extent))
            if id.log_id() != extent.log_id =>
        {
            IdentityCase::Other
        }
        (IdentitySighting::Sound(_), _) => IdentityCase::Sound,
    };
    let at = match intent {
        Intent::Read { at: Some(tx) } => match range(sighting) {
            Some((first, end)) if (first..end).contains(&tx) => AtCase::Inside,
            _ => AtCase::Outside,
        },
        _ => AtCase::Newest,
    };
    Situation {
        identity,
        log,
        snapshots: snapshot_case(sighting, intent, at),
        intent: match intent {
            Intent::Write { create, restore } => IntentCase::Write { create, restore },
            Intent::Read { .. } => IntentCase::Read { at },
        },
    }
}

fn snapshot_case(sighting: &Sighting, intent: Intent, at: AtCase) -> SnapshotCase {
    let standings: Vec<Standing> = sighting
        .snapshots
        .iter()
        .map(|snapshot| sighting.standing(snapshot))
        .collect();
    let usable = match at {
        // Which of them is the best does not matter to a refusal.
        AtCase::Outside => standings.contains(&Standing::Usable),
        AtCase::Newest | AtCase::Inside => best_snapshot(sighting, intent).is_some(),
    };
    if standings.contains(&Standing::Ahead) {
        SnapshotCase::Ahead
    } else if standings.contains(&Standing::RejectedAhead) {
        SnapshotCase::RejectedAhead
    } else if usable {
        SnapshotCase::Usable
    } else if standings.contains(&Standing::Sound) {
        SnapshotCase::Sound
    } else if standings.contains(&Standing::Unreachable) {
        SnapshotCase::Unreachable
    } else if standings.contains(&Standing::Rejected) {
        SnapshotCase::Rejected
    } else {
        SnapshotCase::None
    }
}

fn usable(sighting: &Sighting) -> impl Iterator<Item = usize> {
    (0..sighting.snapshots.len())
        .filter(|&index| sighting.standing(&sighting.snapshots[index]) == Standing::Usable)
}

/// The newest usable snapshot at or below the state wanted.
fn best_snapshot(sighting: &Sighting, intent: Intent) -> Option<usize> {
    let wanted = |index: &usize| match intent {
        Intent::Read { at: Some(at) } => sighting.snapshots[*index].tx <= at,
        _ => true,
    };
    usable(sighting).find(wanted)
}

/// The newest sound snapshot of the database, however it stands to the log.
fn newest_of_ours(sighting: &Sighting) -> Option<usize> {
    let ours = sighting.database_id()?;
    sighting
        .snapshots
        .iter()
        .position(|snapshot| match &snapshot.state {
            SnapshotState::Sound(summary) => summary.log_id == ours.log_id(),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use commitlog::{Chain, LogId};

    use super::*;
    use crate::database_id::DatabaseId;
    use crate::error::Error;
    use crate::format::IdentityFlaw;
    use crate::open_report::Rejection;
    use crate::sighting::{LogChain, LogExtent, SnapshotSighting, SnapshotSummary};

    const OURS: DatabaseId = DatabaseId([1; 16]);
    const OTHER: DatabaseId = DatabaseId([2; 16]);
    const END: u64 = 10;

    fn identities() -> Vec<IdentitySighting> {
        vec![
            IdentitySighting::Absent,
            IdentitySighting::Sound(OURS),
            IdentitySighting::Sound(OTHER),
            IdentitySighting::Damaged(IdentityFlaw::Magic),
            IdentitySighting::Newer(9),
        ]
    }

    fn logs() -> Vec<fn() -> LogSighting> {
        fn sound(base: u64) -> LogSighting {
            let (base, end) = (TxId(base), TxId(END));
            LogSighting::Sound(LogExtent {
                log_id: OURS.log_id(),
                base,
                lost_from: None,
                end,
            })
        }
        vec![
            || LogSighting::Absent,
            || LogSighting::Damaged(Error::Poisoned),
            || LogSighting::Newer(Error::Poisoned),
            || sound(0),
            || sound(5),
            || sound(END),
        ]
    }

    /// Snapshots before, at and after the beginning and the end of the logs above.
    fn snapshots() -> Vec<Box<dyn Fn() -> SnapshotSighting>> {
        let mut all: Vec<Box<dyn Fn() -> SnapshotSighting>> = Vec::new();
        for tx in [0, 3, 4, 9, 10, 12] {
            // Unreadable; readable and too new or damaged, of this log or another.
            for proves in [None, Some(OURS.log_id()), Some(OTHER.log_id())] {
                all.push(Box::new(move || SnapshotSighting {
                    tx: TxId(tx),
                    proves,
                    state: SnapshotState::Rejected(Rejection::Misnumbered),
                }));
            }
            for log_id in [OURS.log_id(), OTHER.log_id()] {
                for log_chain in [None, Some(7), Some(8)] {
                    all.push(Box::new(move || sound(tx, log_id, log_chain)));
                }
            }
        }
        all
    }

    fn sound(tx: u64, log_id: LogId, log_chain: Option<u64>) -> SnapshotSighting {
        let log_chain = log_chain.map_or(LogChain::NotHeld, |chain| LogChain::Value(Chain(chain)));
        let summary = SnapshotSummary {
            log_id,
            chain: Chain(7),
            log_chain,
        };
        SnapshotSighting {
            tx: TxId(tx),
            proves: Some(log_id),
            state: SnapshotState::Sound(summary),
        }
    }

    /// Whether a manifest proves that the log has lost its end: then it can not even be read as a log.
    fn has_lost_its_end(sighting: &Sighting) -> bool {
        let LogSighting::Sound(extent) = &sighting.log else {
            return false;
        };
        let mut snapshots = sighting.snapshots.iter();
        snapshots
            .any(|snapshot| snapshot.proves == Some(extent.log_id) && snapshot.tx >= extent.end)
    }

    fn intents() -> Vec<Intent> {
        let mut all = vec![Intent::Read { at: None }];
        for (create, restore) in [(false, false), (false, true), (true, false), (true, true)] {
            all.push(Intent::Write { create, restore });
        }
        all.extend([0, 2, 3, 4, 9, 10, 12].map(|at| Intent::Read { at: Some(TxId(at)) }));
        all
    }

    fn check(sighting: &Sighting, intent: Intent) {
        let context = || format!("{sighting:?}, {intent:?}");
        let at = match intent {
            Intent::Read { at } => at,
            Intent::Write { .. } => None,
        };
        let action = plan(sighting, intent).action;
        if has_lost_its_end(sighting) {
            let is_recovered = matches!(action, Action::Recover { .. });
            assert!(!is_recovered, "{}", context());
        }
        match action {
            Action::Recover {
                snapshot: Some(index),
                ..
            } => {
                let chosen = &sighting.snapshots[index];
                assert_eq!(sighting.standing(chosen), Standing::Usable, "{}", context());
                assert!(at.is_none_or(|at| chosen.tx <= at), "{}", context());
                let better = sighting.snapshots[..index].iter().any(|newer| {
                    sighting.standing(newer) == Standing::Usable
                        && at.is_none_or(|at| newer.tx <= at)
                });
                assert!(!better, "{}", context());
            }
            Action::Recover { snapshot: None, .. } => {
                assert!(at.is_none_or(|at| at < TxId(END)), "{}", context());
            }
            Action::Restore { snapshot } => {
                let SnapshotState::Sound(summary) = &sighting.snapshots[snapshot].state else {
                    panic!("{}", context());
                };
                assert_eq!(
                    Some(summary.log_id.into()),
                    sighting.database_id(),
                    "{}",
                    context()
                );
            }
            Action::Refuse(Refusal::OutsideRange) => {
                let (first, end) = range(sighting).expect("a range to name");
                assert!(
                    at.is_some_and(|at| at < first || at >= end),
                    "{}",
                    context()
                );
            }
            Action::Refuse(_) => {}
            Action::Create => {
                assert!(matches!(sighting.log, LogSighting::Absent), "{}", context());
                assert!(sighting.snapshots.is_empty(), "{}", context());
            }
        }
    }

    /// Whatever is found, there is a plan, and it names only what can be used.
    #[test]
    fn every_sighting_has_a_plan() {
        let mut count = 0_u64;
        for identity in identities() {
            for log in logs() {
                let mut check_with = |snapshots: Vec<SnapshotSighting>| {
                    let sighting = Sighting {
                        identity,
                        log: log(),
                        snapshots,
                    };
                    for intent in intents() {
                        check(&sighting, intent);
                        count += 1;
                    }
                };
                check_with(Vec::new());
                for first in snapshots() {
                    check_with(vec![first()]);
                    for second in snapshots() {
                        if second().tx < first().tx {
                            check_with(vec![first(), second()]);
                        }
                    }
                }
            }
        }
        assert!(count > 200_000, "{count}");
    }
}
