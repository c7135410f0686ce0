//! Histories drawn from a seed: of a few steps, looked at from all sides, and long lives that survive what happens to them.

use commitlog::{Error, Handoff, Mistake, Options, SyncPolicy};
use disk::{Fault, SimDisk};

use crate::claims::{self, Checked, Ending, Violation};
use crate::explore::{Effort, Explorer};
use crate::life::{INTERVAL, Life, OPS, Op, options, with_short_segments};
use crate::model::{Model, chain_of};
use crate::seeds::Random;

/// Five to seven steps. Those that are longer than what is enumerated are crashed in their last step, and each of its calls fails once.
pub(crate) fn history_of_seven(seed: u64) -> Checked<()> {
    let mut random = Random::new(seed);
    let options = draw_options(&mut random, None);
    let effort = Effort {
        power_cuts: 4,
        faults_one_in: 4,
        failures_one_in: 1,
        recoveries_one_in: 8,
        faulty_recoveries_one_in: 20,
    };
    let mut explorer = Explorer::new(options.clone(), effort, random.next());
    let mut life = Life::create(SimDisk::new(seed), options);
    let mut ops = Vec::new();
    let length = 5 + random.below(3);
    while (ops.len() as u64) < length {
        let op = *random.pick(&OPS);
        if !life.allows(op) {
            continue;
        }
        life.apply(op)?;
        ops.push(op);
        if ops.len() > 4 {
            let context = |Violation(what)| Violation(format!("seed {seed}: {what}"));
            explorer.explore_last(&ops).map_err(context)?;
        }
    }
    Ok(())
}

/// A long life: random steps, each crashed at every call. Some of the crashes and of the failed calls are survived: life goes on with what is left.
pub(crate) fn long_life(seed: u64, steps: usize, mistake: Option<Mistake>) -> Checked<()> {
    let mut random = Random::new(seed);
    let options = draw_options(&mut random, mistake);
    let effort = Effort {
        power_cuts: 3,
        faults_one_in: 6,
        failures_one_in: 8,
        recoveries_one_in: 12,
        faulty_recoveries_one_in: 40,
    };
    let mut explorer = Explorer::new(options.clone(), effort, random.next());
    let mut life = Life::create(SimDisk::new(seed), options);
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
        if op != Op::SyncFailed && random.below(8) == 0 {
            let (said, survived) =
                stumble(life, op, &mut explorer, &mut random).map_err(context)?;
            done.push(said);
            life = survived;
            continue;
        }
        explorer.explore_op(&mut life, op).map_err(context)?;
        if life.model.handed_over == life.model.end() {
            // Asking for it would have written what is queued.
            assert_eq!(
                life.log().chain_at_end(),
                *chain_of(&life.model.written).last().unwrap()
            );
        }
        if random.below(5) == 0 {
            // The process or the machine ends within this step.
            let number = first + random.below(life.disk.call_count() - first + 1);
            let killed = life.disk.state_before(number);
            let model = match number == life.disk.call_count() {
                true => life.model.clone(),
                false => life.model_during(&before),
            };
            life = survive(&killed, model, &life.options, &mut random).map_err(context)?;
            let end = life.log().next_id();
            done.push(format!(
                "ended before call {}, reopened with {end}",
                number - first
            ));
        }
    }
    Ok(())
}

fn draw_options(random: &mut Random, mistake: Option<Mistake>) -> Options {
    let policies = [
        SyncPolicy::EveryCommit,
        SyncPolicy::EveryCommit,
        SyncPolicy::Interval(INTERVAL),
        SyncPolicy::Never,
    ];
    let mut options = options(*random.pick(&policies), mistake);
    if random.below(3) == 0 {
        options = with_short_segments(options);
    }
    if random.below(3) == 0 {
        options.handoff = Handoff::Queued;
    }
    if random.below(4) == 0 {
        // Room for one record: the next one that is queued has it written.
        options.queue_bytes_max = 1000;
    }
    options.compress_sealed = random.below(4) == 0;
    options
}

/// One of the next calls fails. A log that refuses for lack of space goes on; from any other failure the next process has to recover.
fn stumble(
    mut life: Life,
    op: Op,
    explorer: &mut Explorer,
    random: &mut Random,
) -> Checked<(String, Life)> {
    let before = life.model.clone();
    let ahead = random.below(12);
    let faults = [
        Fault::Eio,
        Fault::Eio,
        Fault::Enospc,
        Fault::Short,
        Fault::Interrupted,
    ];
    let fault = *random.pick(&faults);
    life.disk.fail_at(life.disk.call_count() + ahead, fault);
    let applied = life.try_apply(op);
    life.disk.clear_faults();
    let refused = matches!(applied, Err(Error::Full(_))) && op != Op::Close;
    if applied.is_ok() || refused {
        let said = format!("{fault:?} at its call {ahead} did no harm");
        return Ok((said, life));
    }
    let said = format!("{fault:?} at its call {ahead}, reopened");
    let context = |Violation(what)| Violation(format!("{said}: {what}"));
    let model = life.model_during(&before);
    explorer
        .explore_state(&life.disk.fork(), &model)
        .map_err(context)?;
    let survived = survive(&life.disk, model, &life.options, random).map_err(context)?;
    Ok((said, survived))
}

/// The process has ended, or the machine too; another process goes on with what is left.
fn survive(
    disk: &SimDisk,
    mut model: Model,
    options: &Options,
    random: &mut Random,
) -> Checked<Life> {
    let cuts = disk.power_cuts(3, random.next());
    let (disk, ending) = match random.below(2) {
        0 => (disk.fork(), Ending::Kill),
        _ => (random.pick(&cuts).fork(), Ending::Power),
    };
    let opened = claims::check(&disk, &model, options, ending, None)?;
    let (log, report) = opened.expect("no fault, so it opens");
    model.reopened(&report);
    Ok(Life::go_on(disk, log, model, options.clone()))
}
