//! The decision table of opening: which situation leads to which outcome.
//!
//! The same table stands in `docs/RECOVERY.md`; a test holds the two together and proves that every situation that can occur
//! meets exactly one row.

use crate::situation::{AtCase, IdentityCase, IntentCase, LogCase, Situation, SnapshotCase};

/// What opening will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// Run the initialiser, write a new log with the genesis, then the identity.
    Create,
    /// Apply all records.
    FromGenesis,
    /// Write the identity that the log names, then apply all records.
    RewriteThenFromGenesis,
    /// Load the best snapshot, then apply the records after it.
    FromSnapshot,
    /// Write the identity that the log names, then load the best snapshot and apply the records after it.
    RewriteThenFromSnapshot,
    /// Move the log aside, begin a new one after the newest sound snapshot, and load that.
    Restore,
    /// Change nothing and say why.
    Refuse(Refusal),
}

/// Why opening is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// There is nothing, and nothing may be created.
    NoDatabase,
    /// There was a database, and its log is gone.
    LogLost,
    /// The identity file is damaged.
    IdentityDamaged,
    /// A newer program wrote it.
    NewerFormat,
    /// The identity and the log name different databases.
    ForeignLog,
    /// The log is damaged.
    LogDamaged,
    /// The log ends before a snapshot.
    LogBehindSnapshot,
    /// The log's beginning is pruned, and no snapshot reaches it.
    NoStart,
    /// The state asked for can not be rebuilt.
    OutsideRange,
}

/// A set of intents under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intents {
    Any,
    /// To write, and to create what is missing.
    Create,
    /// All others.
    NotCreate,
    /// To write, and to restore from a snapshot alone.
    Restore,
    /// All others.
    NotRestore,
    Write,
    /// To read the newest state or one that can be rebuilt.
    ReadInside,
    ReadOutside,
    /// To write, or as [`Intents::ReadInside`].
    NotOutside,
}

impl Intents {
    fn contain(self, intent: IntentCase) -> bool {
        let is_create = matches!(intent, IntentCase::Write { create: true, .. });
        let is_restore = matches!(intent, IntentCase::Write { restore: true, .. });
        let is_write = matches!(intent, IntentCase::Write { .. });
        let is_outside = matches!(
            intent,
            IntentCase::Read {
                at: AtCase::Outside
            }
        );
        match self {
            Intents::Any => true,
            Intents::Create => is_create,
            Intents::NotCreate => !is_create,
            Intents::Restore => is_restore,
            Intents::NotRestore => !is_restore,
            Intents::Write => is_write,
            Intents::ReadInside => !is_write && !is_outside,
            Intents::ReadOutside => is_outside,
            Intents::NotOutside => !is_outside,
        }
    }
}

/// One row. An empty list stands for every case.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number in `docs/RECOVERY.md`.
    pub(crate) number: u8,
    identity: &'static [IdentityCase],
    log: &'static [LogCase],
    snapshots: &'static [SnapshotCase],
    intents: Intents,
    pub(crate) outcome: Outcome,
}

impl Row {
    pub(crate) fn meets(&self, situation: &Situation) -> bool {
        fn has<T: PartialEq>(cases: &[T], case: &T) -> bool {
            cases.is_empty() || cases.contains(case)
        }
        has(self.identity, &situation.identity)
            && has(self.log, &situation.log)
            && has(self.snapshots, &situation.snapshots)
            && self.intents.contain(situation.intent)
    }
}

const fn row(
    number: u8,
    identity: &'static [IdentityCase],
    log: &'static [LogCase],
    snapshots: &'static [SnapshotCase],
    intents: Intents,
    outcome: Outcome,
) -> Row {
    Row {
        number,
        identity,
        log,
        snapshots,
        intents,
        outcome,
    }
}

/// All rows. Their order decides nothing.
#[rustfmt::skip]
pub(crate) const ROWS: [Row; 27] = {
    use IdentityCase as I;
    use Intents as W;
    use LogCase as L;
    use Outcome::{Create, FromGenesis, FromSnapshot, Refuse, Restore, RewriteThenFromGenesis, RewriteThenFromSnapshot};
    use SnapshotCase as S;
    const FITTING: &[IdentityCase] = &[IdentityCase::Absent, IdentityCase::Sound];
    const READABLE: &[LogCase] = &[LogCase::Whole, LogCase::Pruned];
    const NOTHING: &[SnapshotCase] = &[SnapshotCase::None, SnapshotCase::Rejected];
    [
        // The files themselves can not be understood.
        row(1, &[I::Newer],   &[],          &[],               W::Any,         Refuse(Refusal::NewerFormat)),
        row(2, &[I::Damaged], &[],          &[],               W::Any,         Refuse(Refusal::IdentityDamaged)),
        row(3, &[I::Other],   &[],          &[],               W::Any,         Refuse(Refusal::ForeignLog)),
        row(4, FITTING,       &[L::Newer],  &[],               W::Any,         Refuse(Refusal::NewerFormat)),
        // No log.
        row(5, &[I::Absent],  &[L::Absent], &[S::None],        W::Create,      Create),
        row(6, &[I::Absent],  &[L::Absent], &[S::None],        W::NotCreate,   Refuse(Refusal::NoDatabase)),
        row(7, &[I::Absent],  &[L::Absent], &[S::Rejected],    W::Any,         Refuse(Refusal::LogLost)),
        row(8, &[I::Sound],   &[L::Absent], NOTHING,           W::Any,         Refuse(Refusal::LogLost)),
        row(9, FITTING,       &[L::Absent], &[S::Sound],       W::NotRestore,  Refuse(Refusal::LogLost)),
        row(10, FITTING,      &[L::Absent], &[S::Sound],       W::Restore,     Restore),
        // A log that is not all there.
        row(11, FITTING,      &[L::Damaged], NOTHING,          W::Any,         Refuse(Refusal::LogDamaged)),
        row(12, FITTING,      &[L::Damaged], &[S::Sound],      W::NotRestore,  Refuse(Refusal::LogDamaged)),
        row(13, FITTING,      &[L::Damaged], &[S::Sound],      W::Restore,     Restore),
        row(14, FITTING,      READABLE,     &[S::Ahead],       W::NotRestore,  Refuse(Refusal::LogBehindSnapshot)),
        row(15, FITTING,      READABLE,     &[S::Ahead],       W::Restore,     Restore),
        row(16, FITTING,      &[L::Pruned], NOTHING,           W::Any,         Refuse(Refusal::NoStart)),
        row(17, FITTING,      &[L::Pruned], &[S::Unreachable], W::NotRestore,  Refuse(Refusal::NoStart)),
        row(18, FITTING,      &[L::Pruned], &[S::Unreachable], W::Restore,     Restore),
        // A log to recover from.
        row(19, FITTING,      &[L::Whole],  NOTHING,           W::ReadOutside, Refuse(Refusal::OutsideRange)),
        row(20, FITTING,      READABLE,     &[S::Usable],      W::ReadOutside, Refuse(Refusal::OutsideRange)),
        row(21, &[I::Sound],  &[L::Whole],  NOTHING,           W::NotOutside,  FromGenesis),
        row(22, &[I::Sound],  READABLE,     &[S::Usable],      W::NotOutside,  FromSnapshot),
        row(23, &[I::Absent], &[L::Whole],  NOTHING,           W::Write,       RewriteThenFromGenesis),
        row(24, &[I::Absent], READABLE,     &[S::Usable],      W::Write,       RewriteThenFromSnapshot),
        row(25, &[I::Absent], &[L::Whole],  NOTHING,           W::ReadInside,  FromGenesis),
        row(26, &[I::Absent], READABLE,     &[S::Usable],      W::ReadInside,  FromSnapshot),
        // The log lost its end, and there is nothing to make up for it.
        row(27, FITTING,      READABLE,     &[S::RejectedAhead], W::Any,       Refuse(Refusal::LogBehindSnapshot)),
    ]
};

/// The row for a situation that can occur.
pub(crate) fn decide(situation: &Situation) -> &'static Row {
    assert!(situation.is_possible(), "{situation:?} can not occur");
    ROWS.iter()
        .find(|row| row.meets(situation))
        .expect("the decision table has a row for every situation; the tests enumerate them")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::{Display, Write};

    use super::*;

    const IDENTITIES: [IdentityCase; 5] = [
        IdentityCase::Absent,
        IdentityCase::Sound,
        IdentityCase::Other,
        IdentityCase::Damaged,
        IdentityCase::Newer,
    ];
    const LOGS: [LogCase; 5] = [
        LogCase::Absent,
        LogCase::Damaged,
        LogCase::Newer,
        LogCase::Whole,
        LogCase::Pruned,
    ];
    const SNAPSHOTS: [SnapshotCase; 7] = [
        SnapshotCase::None,
        SnapshotCase::Rejected,
        SnapshotCase::Sound,
        SnapshotCase::Usable,
        SnapshotCase::Unreachable,
        SnapshotCase::Ahead,
        SnapshotCase::RejectedAhead,
    ];
    const INTENTS: [IntentCase; 7] = [
        IntentCase::Write {
            create: false,
            restore: false,
        },
        IntentCase::Write {
            create: false,
            restore: true,
        },
        IntentCase::Write {
            create: true,
            restore: false,
        },
        IntentCase::Write {
            create: true,
            restore: true,
        },
        IntentCase::Read { at: AtCase::Newest },
        IntentCase::Read { at: AtCase::Inside },
        IntentCase::Read {
            at: AtCase::Outside,
        },
    ];

    fn situations() -> Vec<Situation> {
        let mut all = Vec::new();
        for identity in IDENTITIES {
            for log in LOGS {
                for snapshots in SNAPSHOTS {
                    for intent in INTENTS {
                        all.push(Situation {
                            identity,
                            log,
                            snapshots,
                            intent,
                        });
                    }
                }
            }
        }
        all.retain(Situation::is_possible);
        all
    }

    #[test]
    fn every_situation_meets_exactly_one_row() {
        let mut met = HashSet::new();
        let situations = situations();
        assert_eq!(situations.len(), (4 * 20 + 11) * INTENTS.len());
        for situation in situations {
            let rows: Vec<u8> = ROWS
                .iter()
                .filter(|row| row.meets(&situation))
                .map(|row| row.number)
                .collect();
            assert_eq!(rows.len(), 1, "{situation:?} meets rows {rows:?}");
            met.insert(rows[0]);
        }
        assert_eq!(met.len(), ROWS.len(), "every row is met by something");
        assert!(
            ROWS.iter()
                .enumerate()
                .all(|(index, row)| usize::from(row.number) == index + 1)
        );
    }

    /// What must hold whatever the table says, each claim over all situations.
    #[test]
    fn the_table_keeps_its_promises() {
        for situation in situations() {
            let outcome = decide(&situation).outcome;
            let traces = situation.identity != IdentityCase::Absent
                || situation.log != LogCase::Absent
                || situation.snapshots != SnapshotCase::None;
            if outcome == Outcome::Create {
                assert!(
                    !traces,
                    "{situation:?} would be hidden behind an empty database"
                );
            }
            let writes = matches!(
                outcome,
                Outcome::Create
                    | Outcome::Restore
                    | Outcome::RewriteThenFromGenesis
                    | Outcome::RewriteThenFromSnapshot
            );
            if writes {
                assert!(
                    matches!(situation.intent, IntentCase::Write { .. }),
                    "{situation:?}"
                );
            }
            if outcome == Outcome::Restore {
                assert!(
                    matches!(situation.intent, IntentCase::Write { restore: true, .. }),
                    "{situation:?} gives up records without being asked"
                );
            }
            let is_ahead = matches!(
                situation.snapshots,
                SnapshotCase::Ahead | SnapshotCase::RejectedAhead
            );
            if is_ahead && outcome != Outcome::Restore {
                assert!(
                    matches!(outcome, Outcome::Refuse(_)),
                    "{situation:?} loses records"
                );
            }
            if matches!(
                outcome,
                Outcome::FromGenesis | Outcome::RewriteThenFromGenesis
            ) {
                assert_eq!(situation.log, LogCase::Whole);
            }
        }
    }

    fn cell<T: Display>(cases: &[T]) -> String {
        if cases.is_empty() {
            return "any".to_owned();
        }
        cases
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn intents(intents: Intents) -> &'static str {
        match intents {
            Intents::Any => "any",
            Intents::Create => "write, may create",
            Intents::NotCreate => "write without `create`; read",
            Intents::Restore => "write, may restore",
            Intents::NotRestore => "write without `restore_from_snapshots`; read",
            Intents::Write => "write",
            Intents::ReadInside => "read, newest or inside",
            Intents::ReadOutside => "read, outside",
            Intents::NotOutside => "write; read, newest or inside",
        }
    }

    fn outcome(outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Create => "create",
            Outcome::FromGenesis => "replay from the genesis",
            Outcome::RewriteThenFromGenesis => "write the identity; replay from the genesis",
            Outcome::FromSnapshot => "load the snapshot; replay the rest",
            Outcome::RewriteThenFromSnapshot => {
                "write the identity; load the snapshot; replay the rest"
            }
            Outcome::Restore => "restore from the newest snapshot",
            Outcome::Refuse(refusal) => match refusal {
                Refusal::NoDatabase => "refuse: `NoDatabase`",
                Refusal::LogLost => "refuse: `LogLost`",
                Refusal::IdentityDamaged => "refuse: `IdentityDamaged`",
                Refusal::NewerFormat => "refuse: `NewerFormat`",
                Refusal::ForeignLog => "refuse: `ForeignLog`",
                Refusal::LogDamaged => "refuse: the log's `Damaged`",
                Refusal::LogBehindSnapshot => "refuse: `LogBehindSnapshot`",
                Refusal::NoStart => "refuse: `NoStart`",
                Refusal::OutsideRange => "refuse: `OutsideRange`",
            },
        }
    }

    #[test]
    fn the_page_shows_the_same_table() {
        let mut table = String::from(
            "| row | identity | log | snapshots | wanted | outcome |\n|---|---|---|---|---|---|\n",
        );
        for row in &ROWS {
            let Row {
                number,
                identity,
                log,
                snapshots,
                ..
            } = row;
            let (identity, log, snapshots) = (cell(identity), cell(log), cell(snapshots));
            let (wanted, outcome) = (intents(row.intents), outcome(row.outcome));
            writeln!(
                table,
                "| {number} | {identity} | {log} | {snapshots} | {wanted} | {outcome} |"
            )
            .expect("writing to a string does not fail");
        }
        let page = include_str!("../../../docs/RECOVERY.md");
        assert!(
            page.contains(&table),
            "docs/RECOVERY.md must contain this table:\n\n{table}"
        );
    }
}
