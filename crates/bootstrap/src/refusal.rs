//! From a refusal of the plan to an error that names what was found.

use std::path::Path;

use commitlog::TxId;

use crate::decision_table::Refusal;
use crate::error::Error;
use crate::format::VERSION;
use crate::identity;
use crate::open_report::Rejection;
use crate::plan::{Intent, range};
use crate::sighting::{IdentitySighting, LogChain, LogSighting, Sighting, SnapshotState, Standing};

/// The error that tells the caller why, in terms of what was found.
pub(crate) fn error(refusal: Refusal, sighting: Sighting, intent: Intent, dir: &Path) -> Error {
    let path = dir.to_path_buf();
    let standings = sighting
        .snapshots
        .iter()
        .map(|snapshot| sighting.standing(snapshot));
    let restorable = standings
        .clone()
        .any(|standing| matches!(standing, Standing::Sound | Standing::Unreachable));
    match refusal {
        Refusal::NoDatabase => Error::NoDatabase { path },
        Refusal::LogLost => Error::LogLost { path, restorable },
        Refusal::IdentityDamaged => match sighting.identity {
            IdentitySighting::Damaged(flaw) => Error::IdentityDamaged {
                file: path.join(identity::NAME),
                flaw,
            },
            other => unreachable!("the identity is {other:?}"),
        },
        Refusal::NewerFormat => match (sighting.identity, sighting.log) {
            (IdentitySighting::Newer(found), _) => Error::NewerIdentity {
                file: path.join(identity::NAME),
                found,
                supported: VERSION,
            },
            (_, LogSighting::Newer(error)) => error,
            (_, log) => unreachable!("the log is {log:?}"),
        },
        Refusal::ForeignLog => match (sighting.identity, sighting.log) {
            (IdentitySighting::Sound(identity), LogSighting::Sound(extent)) => Error::ForeignLog {
                path,
                identity,
                log: extent.log_id.into(),
            },
            (identity, log) => unreachable!("identity {identity:?}, log {log:?}"),
        },
        Refusal::LogDamaged => match sighting.log {
            LogSighting::Damaged(error) => error,
            log => unreachable!("the log is {log:?}"),
        },
        Refusal::LogBehindSnapshot => {
            let restorable = standings
                .clone()
                .any(|standing| standing == Standing::Ahead);
            let mut ahead = sighting.snapshots.iter().zip(standings);
            let ahead = ahead.find(|(_, standing)| {
                matches!(standing, Standing::Ahead | Standing::RejectedAhead)
            });
            Error::LogBehindSnapshot {
                snapshot: ahead.map_or(TxId(0), |(snapshot, _)| snapshot.tx),
                end: end(&sighting),
                restorable,
            }
        }
        Refusal::NoStart => no_start(sighting, restorable),
        Refusal::OutsideRange => {
            let (first, end) = range(&sighting).unwrap_or_default();
            Error::OutsideRange {
                at: match intent {
                    Intent::Read { at: Some(at) } => at,
                    intent => unreachable!("{intent:?} names no transaction"),
                },
                first,
                last: end.previous().unwrap_or_default(),
            }
        }
    }
}

fn end(sighting: &Sighting) -> TxId {
    match &sighting.log {
        LogSighting::Sound(extent) => extent.end,
        _ => TxId(0),
    }
}

/// If damage in the log is the reason why no snapshot fits, the error names that.
fn no_start(sighting: Sighting, restorable: bool) -> Error {
    let (base, lost_from) = match &sighting.log {
        LogSighting::Sound(extent) => (extent.base, extent.lost_from),
        _ => (TxId(0), None),
    };
    for snapshot in sighting.snapshots {
        if let SnapshotState::Sound(summary) = snapshot.state
            && let LogChain::Damaged(error) = summary.log_chain
        {
            return Error::Log(error);
        }
    }
    Error::NoStart {
        base,
        lost_from,
        restorable,
    }
}

/// Why a snapshot of this standing was not used; `None` for those that could have been.
pub(crate) fn rejection(standing: Standing) -> Option<Rejection> {
    match standing {
        Standing::Usable | Standing::Sound => None,
        Standing::ForeignDatabase(id) => Some(Rejection::ForeignDatabase(id)),
        Standing::OtherHistory => Some(Rejection::OtherHistory),
        Standing::Unreachable => Some(Rejection::Unreachable),
        Standing::Ahead => Some(Rejection::Ahead),
        // They carry their own reasons.
        Standing::Rejected | Standing::RejectedAhead => None,
    }
}
