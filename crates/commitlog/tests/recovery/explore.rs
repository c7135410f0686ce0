//! Crashes a history at every call, breaks the medium, recovers, and crashes the recovery.

use std::sync::Arc;

use commitlog::{Log, Options};
use disk::{Fault, Operation, SimDisk};

use crate::claims::{Checked, Ending, Violation, check, check_read_only, violated};
use crate::fault::MediumFault;
use crate::life::{Life, Model, Op, payload};
use crate::random::Random;

/// How much is sampled where not everything can be enumerated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Different power cuts looked at for each crash call.
    pub(crate) power_cuts: u64,
    /// One in this many crash states meets faults.
    pub(crate) faults_one_in: u64,
    /// One in this many histories is run again for each of its last calls, with that call failing.
    pub(crate) failures_one_in: u64,
    /// One in this many crash states has its recovery crashed at every call.
    pub(crate) recoveries_one_in: u64,
}

/// How many crash states were looked at.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) states: u64,
    pub(crate) faults: u64,
    pub(crate) recovery_crashes: u64,
    pub(crate) failed_calls: u64,
}

/// Runs `ops`, of which all but the last were explored before, and crashes in the last one.
pub(crate) fn explore_last(
    ops: &[Op],
    options: &Options,
    effort: Effort,
    random: &mut Random,
    tally: &mut Tally,
) -> Checked<bool> {
    let disk = SimDisk::new(random.next());
    let mut life = Life::create(disk, options.clone());
    let Some((&last, before_last)) = ops.split_last() else {
        return Ok(true);
    };
    for &op in before_last {
        if !life.allows(op) {
            return Ok(false);
        }
        life.apply(op);
    }
    if !life.allows(last) {
        return Ok(false);
    }
    let first = life.disk.call_count();
    let context = |Violation(what)| Violation(format!("{ops:?}: {what}"));
    explore_op(&mut life, last, effort, random, tally).map_err(context)?;
    let calls = first..life.disk.call_count();
    if last != Op::SyncFailed && random.below(effort.failures_one_in) == 0 {
        for number in calls {
            for fault in [Fault::Eio, Fault::Enospc, Fault::Short, Fault::Interrupted] {
                fail_call(
                    before_last,
                    last,
                    options,
                    (number, fault),
                    effort,
                    random,
                    tally,
                )
                .map_err(|Violation(what)| Violation(format!("{fault:?} at call {number}: {what}")))
                .map_err(context)?;
            }
        }
    }
    Ok(true)
}

/// Runs a history of which one call of the last step fails, and then ends the process or the machine.
fn fail_call(
    before_last: &[Op],
    last: Op,
    options: &Options,
    (number, fault): (u64, Fault),
    effort: Effort,
    random: &mut Random,
    tally: &mut Tally,
) -> Checked<()> {
    let mut life = Life::create(SimDisk::new(number), options.clone());
    for &op in before_last {
        life.apply(op);
    }
    let before = life.model.clone();
    life.disk.fail_at(number, fault);
    let applied = life.try_apply(last);
    life.disk.clear_faults();
    let mut model = life.model_during(&before);
    match (applied, fault) {
        (Ok(()), _) => model = life.model.clone(),
        (Err(error), Fault::Short | Fault::Interrupted) => {
            return violated(format!("not handled: {error}"));
        }
        (Err(commitlog::Error::Full(_)), _) => {
            if let Err(error) = life.log.append(b"space is back", None) {
                return violated(format!("refused for lack of space, and then: {error}"));
            }
            model.written.push(b"space is back".to_vec());
        }
        (Err(_), _) => {}
    }
    tally.failed_calls += 1;
    explore_state(&life.disk.fork(), &model, options, effort, random, tally)
}

/// Applies one step and looks at every crash in it.
pub(crate) fn explore_op(
    life: &mut Life,
    op: Op,
    effort: Effort,
    random: &mut Random,
    tally: &mut Tally,
) -> Checked<()> {
    let before = life.model.clone();
    let first = life.disk.call_count();
    life.disk.record();
    life.apply(op);
    let during = life.model_during(&before);
    let calls = life.disk.calls();
    let last = life.disk.call_count();
    for number in first..=last {
        let model = if number == last { &life.model } else { &during };
        let at = |Violation(what)| {
            let call = calls.get(usize::try_from(number).unwrap());
            Violation(format!(
                "crash before call {}: {call:?}: {what}",
                number - first
            ))
        };
        let state = life.disk.state_before(number);
        explore_state(&state, model, &life.options, effort, random, tally).map_err(at)?;
        if let Some(bytes) = life.disk.recorded_write_bytes(number)
            && bytes > 1
        {
            let count = usize::try_from(1 + random.below(bytes as u64 - 1)).unwrap();
            let state = life.disk.state_within(number, count);
            explore_state(&state, model, &life.options, effort, random, tally).map_err(
                |Violation(what)| {
                    at(Violation(format!(
                        "{count} of {bytes} bytes written: {what}"
                    )))
                },
            )?;
        }
    }
    Ok(())
}

/// Looks at what a kill leaves, and at what power cuts leave.
fn explore_state(
    state: &SimDisk,
    model: &Model,
    options: &Options,
    effort: Effort,
    random: &mut Random,
    tally: &mut Tally,
) -> Checked<()> {
    explore_ending(
        &state.fork(),
        model,
        options,
        Ending::Kill,
        effort,
        random,
        tally,
    )?;
    for disk in state.power_cuts(effort.power_cuts, random.next()) {
        explore_ending(&disk, model, options, Ending::Power, effort, random, tally)?;
    }
    Ok(())
}

fn explore_ending(
    disk: &SimDisk,
    model: &Model,
    options: &Options,
    ending: Ending,
    effort: Effort,
    random: &mut Random,
    tally: &mut Tally,
) -> Checked<()> {
    tally.states += 1;
    let context = |Violation(what)| Violation(format!("{ending:?}: {what}"));
    if random.below(effort.recoveries_one_in) == 0 {
        check_read_only(disk, model).map_err(context)?;
        crash_recovery(disk, model, options, effort, random, tally).map_err(context)?;
    }
    if random.below(effort.faults_one_in) == 0 {
        for fault in MediumFault::sample(disk, random) {
            check_fault(disk, model, options, ending, &fault, tally).map_err(context)?;
        }
    }
    let recovered = disk.fork();
    let Some((log, end)) = check(&recovered, model, options, ending, None).map_err(context)? else {
        return violated("no fault, and no log");
    };
    check_recovered(&recovered, log, end, model, options, effort, random).map_err(context)
}

pub(crate) fn check_fault(
    disk: &SimDisk,
    model: &Model,
    options: &Options,
    ending: Ending,
    fault: &MediumFault,
    tally: &mut Tally,
) -> Checked<()> {
    tally.faults += 1;
    let broken = disk.fork();
    fault.apply(&broken);
    let checked = check(&broken, model, options, ending, Some(fault));
    checked.map_err(|Violation(what)| Violation(format!("{fault:?}: {what}")))?;
    Ok(())
}

/// What was reported durable survives the next power cut, and what was cut stays away, also if it is tried again.
fn check_recovered(
    disk: &SimDisk,
    log: Log,
    end: u64,
    model: &Model,
    options: &Options,
    effort: Effort,
    random: &mut Random,
) -> Checked<()> {
    let mut model = model.clone();
    // A removal that was not synced may still come undone.
    model.base.1 = log.base().0;
    model.reopened(end);
    for cut in disk.power_cuts(effort.power_cuts, random.next()) {
        check(&cut, &model, options, Ending::Power, None).map_err(|Violation(what)| {
            Violation(format!("after the recovery, power cut: {what}"))
        })?;
    }
    let id = model.written.len();
    let retry = model.first_attempts.get(id).cloned();
    let retry = retry.unwrap_or_else(|| payload(id as u64, 2));
    let context = |Violation(what)| Violation(format!("record {id} tried again: {what}"));
    let refused = |error: commitlog::Error| context(Violation(error.to_string()));
    let id_again = log.append(&retry, None).map_err(refused)?;
    model.written.push(retry);
    for cut in disk.power_cuts(effort.power_cuts, random.next()) {
        check(&cut, &model, options, Ending::Power, None).map_err(context)?;
    }
    log.wait_durable(id_again).map_err(refused)?;
    model.acknowledge(id as u64 + 1);
    for cut in disk.power_cuts(effort.power_cuts, random.next()) {
        check(&cut, &model, options, Ending::Power, None).map_err(context)?;
    }
    check(&disk.fork(), &model, options, Ending::Kill, None).map_err(context)?;
    Ok(())
}

/// Crashes the recovery at each of its calls, in both ways, and lets one of its calls fail.
fn crash_recovery(
    disk: &SimDisk,
    model: &Model,
    options: &Options,
    effort: Effort,
    random: &mut Random,
    tally: &mut Tally,
) -> Checked<()> {
    let recovering = disk.fork();
    recovering.record();
    check(&recovering, model, options, Ending::Kill, None)?;
    let calls = recovering.calls();
    for (number, call) in calls.iter().enumerate() {
        let writes = !matches!(
            call.operation,
            Operation::Read | Operation::Len | Operation::List | Operation::Open | Operation::Map
        );
        if !writes {
            continue;
        }
        let number = number as u64;
        let context = |Violation(what)| {
            Violation(format!("recovery crashed before its call {call:?}: {what}"))
        };
        let state = recovering.state_before(number);
        let mut ends = vec![state.fork()];
        ends.extend(state.power_cuts(effort.power_cuts, random.next()));
        for end in ends {
            tally.recovery_crashes += 1;
            let Some((log, at)) =
                check(&end, model, options, Ending::Kill, None).map_err(context)?
            else {
                return violated("no log");
            };
            check_recovered(&end, log, at, model, options, effort, random).map_err(context)?;
        }
        // The call fails, the process ends, and another one tries again.
        let failing = disk.fork();
        failing.fail_at(number, disk::Fault::Eio);
        let opened = Log::open(failing.root(), options.clone(), &model.proofs);
        if let Ok((_, report)) = opened {
            return violated(format!("open went on after a failed {call:?}: {report:?}"));
        }
        let context =
            |Violation(what)| Violation(format!("recovery failed at its call {call:?}: {what}"));
        let again = failing.fork();
        let Some((log, at)) = check(&again, model, options, Ending::Kill, None).map_err(context)?
        else {
            return violated("no log");
        };
        tally.recovery_crashes += 1;
        check_recovered(&again, log, at, model, options, effort, random).map_err(context)?;
    }
    Ok(())
}

/// A name for what was found, for the canaries.
pub(crate) fn first_violation(found: Checked<()>) -> Option<Arc<str>> {
    found.err().map(|Violation(what)| what.into())
}
