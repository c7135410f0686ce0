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
