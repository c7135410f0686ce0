//! Part A of the recovery rules, whole: histories, crashes at every call, kills and power cuts, one fault, and
//! crashes of the recovery itself.
//!
//! Short histories are enumerated completely; longer ones are drawn from seeds, which a failure prints. `CAIRN_SEEDS=N` tries N seeds,
//! `CAIRN_MINUTES=N` goes on for N minutes, `CAIRN_SEED=S` replays the seed S; what depends on no seed is left out then.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod again;
mod claims;
mod explore;
mod failing;
mod fault;
mod life;
mod long_life;
mod model;
#[path = "../support/seeds.rs"]
mod seeds;

use commitlog::{Mistake, SyncPolicy};
use disk::SimDisk;

use claims::{Checked, Ending, Violation};
use explore::{Effort, Explorer};
use fault::MediumFault;
use life::{COMMON_OPS, GATHERING_OPS, INTERVAL, Life, OPS, Op, options, with_short_segments};
use long_life::{history_of_seven, long_life};
use seeds::{are_chosen, for_each_seed};

/// All histories of `length` steps of those given, each crashed in its last step; those that `concerned` does not want only if
/// others begin with them.
fn enumerate(
    all: &[Op],
    length: usize,
    concerned: impl Fn(&[Op]) -> bool,
    explorer: &mut Explorer,
) -> Checked<()> {
    let mut histories: Vec<Vec<Op>> = vec![Vec::new()];
    for step in 1..=length {
        let mut longer = Vec::new();
        for history in &histories {
            for &op in all {
                let mut ops = history.clone();
                ops.push(op);
                let makes_sense = match concerned(&ops) {
                    true => explorer.explore_last(&ops)?,
                    false => step < length && explorer.makes_sense(&ops)?,
                };
                if makes_sense {
                    longer.push(ops);
                }
            }
        }
        histories = longer;
    }
    println!(
        "{} histories of {length} steps, {:?}",
        histories.len(),
        explorer.tally
    );
    Ok(())
}

fn passes(found: Checked<()>) {
    if let Err(Violation(what)) = found {
        panic!("{what}");
    }
}

#[test]
fn short_histories_under_every_commit() {
    if are_chosen() {
        return;
    }
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 24,
        failures_one_in: 16,
        recoveries_one_in: 120,
        faulty_recoveries_one_in: 200,
    };
    let options = options(SyncPolicy::EveryCommit, None);
    passes(enumerate(
        COMMON_OPS,
        4,
        |_| true,
        &mut Explorer::new(options, effort, 1),
    ));
}

/// All histories of three steps of which one truncates or compresses, crashed in their last step.
#[test]
fn short_histories_that_truncate_and_compress() {
    if are_chosen() {
        return;
    }
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 36,
        failures_one_in: 16,
        recoveries_one_in: 180,
        faulty_recoveries_one_in: 200,
    };
    let options = with_short_segments(options(SyncPolicy::EveryCommit, None));
    let concerned = |ops: &[Op]| {
        let rare = |op| !COMMON_OPS.contains(op) && !op.gathers();
        ops.iter().any(rare)
    };
    passes(enumerate(
        &OPS,
        3,
        concerned,
        &mut Explorer::new(options, effort, 5),
    ));
}

/// All histories of four steps of which one gathers records, crashed in their last step; under each policy, those of three steps, in
/// segments of two or three records.
#[test]
fn short_histories_that_gather_records() {
    if are_chosen() {
        return;
    }
    let effort = Effort {
        power_cuts: 3,
        faults_one_in: 24,
        failures_one_in: 16,
        recoveries_one_in: 120,
        faulty_recoveries_one_in: 200,
    };
    let concerned = |ops: &[Op]| ops.iter().any(|op| op.gathers());
    let policies = [
        SyncPolicy::EveryCommit,
        SyncPolicy::Interval(INTERVAL),
        SyncPolicy::Never,
    ];
    for (policy, seed) in policies.into_iter().zip(6..) {
        let options = with_short_segments(options(policy, None));
        let mut explorer = Explorer::new(options, effort, seed);
        passes(enumerate(&GATHERING_OPS, 3, concerned, &mut explorer));
    }
    let options = options(SyncPolicy::Interval(INTERVAL), None);
    let mut explorer = Explorer::new(options, effort, 9);
    passes(enumerate(&GATHERING_OPS, 4, concerned, &mut explorer));
}

#[test]
fn short_histories_under_never() {
    if are_chosen() {
        return;
    }
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 24,
        failures_one_in: 16,
        recoveries_one_in: 120,
        faulty_recoveries_one_in: 200,
    };
    let options = options(SyncPolicy::Never, None);
    passes(enumerate(
        COMMON_OPS,
        4,
        |_| true,
        &mut Explorer::new(options, effort, 2),
    ));
}

#[test]
fn every_single_fault_after_chosen_histories() {
    if are_chosen() {
        return;
    }
    use Op::{
        Append, Batch, Close, Compress, Queue, Rotate, Snapshot, SyncOk, SyncStart, TruncateHalf,
        WaitWritten,
    };
    let histories: [&[Op]; 12] = [
        &[Append(2), SyncStart, SyncOk, Append(1)],
        &[Append(1), SyncStart, Append(1), SyncOk, Append(2)],
        &[Append(1), Rotate, Append(2), SyncStart, SyncOk],
        &[Append(1), Rotate, Append(1), Close],
        &[Append(1), Snapshot, Append(1)],
        &[Append(1), SyncStart, SyncOk, Append(1), SyncStart, SyncOk],
        &[Append(1), Rotate, Compress, Append(1), Close],
        &[
            Append(1),
            Append(1),
            Rotate,
            Append(1),
            TruncateHalf,
            Append(1),
        ],
        &[Batch(3), SyncStart, SyncOk, Batch(2)],
        &[
            Queue(1),
            Queue(1),
            SyncStart,
            Queue(1),
            Queue(1),
            WaitWritten,
            SyncOk,
        ],
        &[Batch(2), Rotate, Compress, Batch(2), Snapshot, Queue(1)],
        &[Append(1), Batch(2), TruncateHalf, Batch(2), Close],
    ];
    let effort = Effort {
        power_cuts: 3,
        faults_one_in: 1,
        failures_one_in: 1,
        recoveries_one_in: 1,
        faulty_recoveries_one_in: 60,
    };
    let options = options(SyncPolicy::EveryCommit, None);
    let mut explorer = Explorer::new(options.clone(), effort, 3);
    for (number, ops) in histories.into_iter().enumerate() {
        let mut life = Life::create(SimDisk::new(number as u64), options.clone());
        for &op in ops {
            passes(life.apply(op));
        }
        let mut ends = vec![(life.disk.fork(), Ending::Kill)];
        let cuts = life.disk.power_cuts(3, 5).into_iter();
        ends.extend(cuts.map(|disk| (disk, Ending::Power)));
        for (disk, ending) in ends {
            for fault in MediumFault::all(&disk) {
                let checked = explorer.check_fault(&disk, &life.model, ending, &fault);
                passes(
                    checked.map_err(|Violation(what)| {
                        Violation(format!("{ops:?} {ending:?}: {what}"))
                    }),
                );
            }
        }
    }
    println!("{:?}", explorer.tally);
}

#[test]
fn histories_of_up_to_seven_steps_from_seeds() {
    for_each_seed("recovery seven", 34, |seed| {
        passes(history_of_seven(seed));
    });
}

#[test]
fn longer_lives_from_seeds() {
    for_each_seed("recovery longer", 50, |seed| {
        let steps = 20 + usize::try_from(seed % 40).unwrap();
        passes(long_life(seed, steps, None));
    });
}

/// Each deliberate mistake must break a claim.
#[test]
fn canaries_are_caught() {
    if are_chosen() {
        return;
    }
    let mistakes = [
        Mistake::MarkBeforeSync,
        Mistake::AcknowledgeBeforeMark,
        Mistake::CutWithoutSync,
        Mistake::SyncAgainWithoutRewriting,
        Mistake::RemoveBeforeFloor,
        Mistake::AcknowledgeQueued,
        Mistake::BeginRefusedBatch,
        Mistake::DropForgetsQueue,
    ];
    let effort = Effort {
        power_cuts: 3,
        faults_one_in: 8,
        failures_one_in: 2,
        recoveries_one_in: 40,
        faulty_recoveries_one_in: 60,
    };
    for mistake in mistakes {
        let options = options(SyncPolicy::EveryCommit, Some(mistake));
        let short = enumerate(&OPS, 2, |_| true, &mut Explorer::new(options, effort, 4));
        let found =
            short.and_then(|()| (0..60).try_for_each(|seed| long_life(seed, 20, Some(mistake))));
        match found.err() {
            Some(Violation(what)) => println!("{mistake:?} caught: {what}"),
            None => panic!("{mistake:?} was not caught"),
        }
    }
}
