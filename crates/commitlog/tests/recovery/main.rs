//! Part A of the recovery rules, whole: histories, crashes at every call, kills and power cuts, one fault, and
//! crashes of the recovery itself.
//!
//! Short histories are enumerated completely; longer ones are drawn from seeds, which a failure prints. `CAIRN_SEEDS=N` tries N seeds,
//! `CAIRN_MINUTES=N` goes on for N minutes, `CAIRN_SEED=S` replays the seed S.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod claims;
mod explore;
mod fault;
mod life;
#[path = "../support/seeds.rs"]
mod seeds;

use commitlog::{Mistake, SyncPolicy};
use disk::SimDisk;

use claims::{Checked, Ending, Violation};
use explore::{Effort, Explorer};
use fault::MediumFault;
use life::{Life, OPS, Op, chain_of, options};
use seeds::{Random, for_each_seed};

/// All histories of up to `length` steps, each crashed in its last step.
fn enumerate(length: usize, explorer: &mut Explorer) -> Checked<()> {
    let mut histories: Vec<Vec<Op>> = vec![Vec::new()];
    for _ in 0..length {
        let mut longer = Vec::new();
        for history in &histories {
            for op in OPS {
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
    };
    let options = options(SyncPolicy::EveryCommit, None);
    passes(enumerate(4, &mut Explorer::new(options, effort, 1)));
}

#[test]
fn short_histories_under_never() {
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 6,
        failures_one_in: 2,
        recoveries_one_in: 12,
    };
    let options = options(SyncPolicy::Never, None);
    passes(enumerate(3, &mut Explorer::new(options, effort, 2)));
}

#[test]
fn every_single_fault_after_chosen_histories() {
    use Op::{Append, Close, Rotate, Snapshot, SyncOk, SyncStart};
    let histories: [&[Op]; 6] = [
        &[Append(2), SyncStart, SyncOk, Append(1)],
        &[Append(1), SyncStart, Append(1), SyncOk, Append(2)],
        &[Append(1), Rotate, Append(2), SyncStart, SyncOk],
        &[Append(1), Rotate, Append(1), Close],
        &[Append(1), Snapshot, Append(1)],
        &[Append(1), SyncStart, SyncOk, Append(1), SyncStart, SyncOk],
    ];
    let effort = Effort {
        power_cuts: 3,
        faults_one_in: 1,
        failures_one_in: 1,
        recoveries_one_in: 1,
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

/// A long life: random steps, each crashed at every call, some of the crashes survived to go on.
fn long_life(seed: u64, steps: usize, mistake: Option<Mistake>) -> Checked<()> {
    let mut random = Random::new(seed);
    let policy = *random.pick(&[
        SyncPolicy::EveryCommit,
        SyncPolicy::EveryCommit,
        SyncPolicy::Never,
    ]);
    let options = options(policy, mistake);
    let effort = Effort {
        power_cuts: 3,
        faults_one_in: 6,
        failures_one_in: 8,
        recoveries_one_in: 12,
    };
    let mut explorer = Explorer::new(options.clone(), effort, random.next());
    let mut life = Life::create(SimDisk::new(seed), options.clone());
    let mut done = Vec::new();
    for _ in 0..steps {
        let op = *random.pick(&OPS);
        if !life.allows(op) {
            continue;
        }
        done.push(format!("{op:?}"));
        let history = done.join(", ");
        let context = |Violation(what)| Violation(format!("seed {seed}, [{history}]: {what}"));
        let before = life.model.clone();
        let first = life.disk.call_count();
        explorer.explore_op(&mut life, op).map_err(context)?;
        assert_eq!(
            life.log.chain_at_end(),
            *chain_of(&life.model.written).last().unwrap()
        );
        if random.below(5) == 0 {
            // The process or the machine ends within this step, and the life goes on with what is left.
            let number = first + random.below(life.disk.call_count() - first + 1);
            let killed = life.disk.state_before(number);
            let disk = match random.below(2) {
                0 => killed,
                _ => random.pick(&killed.power_cuts(3, seed)).fork(),
            };
            let mut model = match number == life.disk.call_count() {
                true => life.model.clone(),
                false => life.model_during(&before),
            };
            let opened =
                claims::check(&disk, &model, &options, Ending::Power, None).map_err(context)?;
            let (log, report) = opened.expect("no fault, so it opens");
            done.push(format!(
                "ended before call {}, reopened with {}",
                number - first,
                report.end
            ));
            model.base.1 = log.base().0;
            model.reopened(&report);
            life = Life {
                disk,
                log,
                pending: None,
                model,
                options: options.clone(),
            };
        }
    }
    Ok(())
}

#[test]
fn longer_histories_from_seeds() {
    for_each_seed("recovery longer", 24, |seed| {
        passes(long_life(seed, 25, None))
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
    };
    for mistake in mistakes {
        let options = options(SyncPolicy::EveryCommit, Some(mistake));
        let short = enumerate(3, &mut Explorer::new(options, effort, 4));
        let found =
            short.and_then(|()| (0..60).try_for_each(|seed| long_life(seed, 20, Some(mistake))));
        match found.err() {
            Some(Violation(what)) => println!("{mistake:?} caught: {what}"),
            None => panic!("{mistake:?} was not caught"),
        }
    }
}
