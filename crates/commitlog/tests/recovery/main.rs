//! Part A of the recovery rules, whole: histories, crashes at every call, kills and power cuts, one fault, and
//! crashes of the recovery itself.
//!
//! Short histories are enumerated completely; longer ones are drawn from seeds, which a failure prints. `CAIRN_SEEDS=N` tries N seeds,
//! `CAIRN_MINUTES=N` goes on for N minutes, `CAIRN_SEED=S` replays the seed S.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod again;
mod claims;
mod explore;
mod fault;
mod life;
mod long_life;
#[path = "../support/seeds.rs"]
mod seeds;

use commitlog::{Mistake, SyncPolicy};
use disk::SimDisk;

use claims::{Checked, Ending, Violation};
use explore::{Effort, Explorer};
use fault::MediumFault;
use life::{Life, OPS, Op, common_ops, options, with_short_segments};
use long_life::{history_of_seven, long_life};
use seeds::for_each_seed;

/// All histories of up to `length` of the steps given, each crashed in its last step.
fn enumerate(all: &[Op], length: usize, explorer: &mut Explorer) -> Checked<()> {
    let mut histories: Vec<Vec<Op>> = vec![Vec::new()];
    for _ in 0..length {
        let mut longer = Vec::new();
        for history in &histories {
            for &op in all {
                let mut ops = history.clone();
                ops.push(op);
                if explorer.explore_last(&ops)? {
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
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 24,
        failures_one_in: 16,
        recoveries_one_in: 120,
        faulty_recoveries_one_in: 200,
    };
    let options = options(SyncPolicy::EveryCommit, None);
    passes(enumerate(
        common_ops(),
        4,
        &mut Explorer::new(options, effort, 1),
    ));
}

/// All histories of three steps of which one truncates or compresses, crashed in their last step.
#[test]
fn short_histories_that_truncate_and_compress() {
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 12,
        failures_one_in: 8,
        recoveries_one_in: 60,
        faulty_recoveries_one_in: 100,
    };
    let options = with_short_segments(options(SyncPolicy::EveryCommit, None));
    let mut explorer = Explorer::new(options, effort, 5);
    for first in OPS {
        for second in OPS {
            for third in OPS {
                let ops = [first, second, third];
                if ops.iter().any(|op| !common_ops().contains(op)) {
                    passes(explorer.explore_last(&ops).map(drop));
                }
            }
        }
    }
    println!("{:?}", explorer.tally);
}

#[test]
fn short_histories_under_never() {
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 24,
        failures_one_in: 16,
        recoveries_one_in: 120,
        faulty_recoveries_one_in: 200,
    };
    let options = options(SyncPolicy::Never, None);
    passes(enumerate(
        common_ops(),
        4,
        &mut Explorer::new(options, effort, 2),
    ));
}

#[test]
fn every_single_fault_after_chosen_histories() {
    use Op::{Append, Close, Compress, Rotate, Snapshot, SyncOk, SyncStart, TruncateHalf};
    let histories: [&[Op]; 8] = [
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
            life.apply(op);
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
    for_each_seed("recovery seven", 60, |seed| {
        passes(history_of_seven(seed));
    });
}

#[test]
fn longer_lives_from_seeds() {
    for_each_seed("recovery longer", 90, |seed| {
        let steps = 20 + usize::try_from(seed % 40).unwrap();
        passes(long_life(seed, steps, None));
    });
}

/// Each deliberate mistake must break a claim.
#[test]
fn canaries_are_caught() {
    let mistakes = [
        Mistake::MarkBeforeSync,
        Mistake::AcknowledgeBeforeMark,
        Mistake::CutWithoutSync,
        Mistake::SyncAgainWithoutRewriting,
        Mistake::PruneNewestFirst,
    ];
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 4,
        failures_one_in: 4,
        recoveries_one_in: 10,
        faulty_recoveries_one_in: 60,
    };
    for mistake in mistakes {
        let options = options(SyncPolicy::EveryCommit, Some(mistake));
        let short = enumerate(common_ops(), 3, &mut Explorer::new(options, effort, 4));
        let found =
            short.and_then(|()| (0..60).try_for_each(|seed| long_life(seed, 20, Some(mistake))));
        match found.err() {
            Some(Violation(what)) => println!("{mistake:?} caught: {what}"),
            None => panic!("{mistake:?} was not caught"),
        }
    }
}
