//! Crashes a history at every call and recovers.

use commitlog::{Handoff, Log, Options, Proof, TxId};
use disk::{Fault, SimDisk};

use crate::claims::{Checked, Ending, Violation, check, check_read_only, violated};
use crate::life::{Life, Op, append};
use crate::model::Model;
use crate::seeds::Random;

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
    /// One in this many faults that a log is opened with in spite of has that recovery crashed at its calls.
    pub(crate) faulty_recoveries_one_in: u64,
}

/// How much was looked at.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) states: u64,
    pub(crate) faults: u64,
    pub(crate) recovery_crashes: u64,
    pub(crate) faulty_recovery_crashes: u64,
    pub(crate) failed_calls: u64,
}

/// Looks at crashes.
pub(crate) struct Explorer {
    pub(crate) options: Options,
    pub(crate) effort: Effort,
    pub(crate) random: Random,
    pub(crate) tally: Tally,
}

impl Explorer {
    pub(crate) fn new(options: Options, effort: Effort, seed: u64) -> Self {
        Explorer {
            options,
            effort,
            random: Random::new(seed),
            tally: Tally::default(),
        }
    }

    /// Whether a history makes sense.
    pub(crate) fn makes_sense(&mut self, ops: &[Op]) -> Checked<bool> {
        let mut life = Life::create(SimDisk::new(0), self.options.clone());
        for &op in ops {
            if !life.allows(op) {
                return Ok(false);
            }
            life.apply(op)?;
        }
        Ok(true)
    }

    /// Runs `ops`, of which all but the last were explored before, and crashes in the last one. Yields whether the
    /// history makes sense.
    pub(crate) fn explore_last(&mut self, ops: &[Op]) -> Checked<bool> {
        let Some((&last, before_last)) = ops.split_last() else {
            return Ok(true);
        };
        let seed = self.random.next();
        let mut life = Life::create(SimDisk::new(seed), self.options.clone());
        for &op in before_last {
            if !life.allows(op) {
                return Ok(false);
            }
            life.apply(op)?;
        }
        if !life.allows(last) {
            return Ok(false);
        }
        let first = life.disk.call_count();
        let context = |Violation(what)| Violation(format!("{ops:?}: {what}"));
        self.explore_op(&mut life, last).map_err(context)?;
        let calls = first..life.disk.call_count();
        if last != Op::SyncFailed && self.one_in(self.effort.failures_one_in) {
            for number in calls {
                for fault in [Fault::Eio, Fault::Enospc, Fault::Short, Fault::Interrupted] {
                    self.fail_call(before_last, last, number, fault)
                        .map_err(|Violation(what)| {
                            Violation(format!("{fault:?} at call {number}: {what}"))
                        })
                        .map_err(context)?;
                }
            }
            self.fill_disk(before_last, last).map_err(context)?;
        }
        Ok(true)
    }

    /// Applies one step and looks at every crash in it.
    pub(crate) fn explore_op(&mut self, life: &mut Life, op: Op) -> Checked<()> {
        let before = life.model.clone();
        let first = life.disk.call_count();
        life.disk.record();
        life.apply(op)?;
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
            self.explore_state(&state, model).map_err(at)?;
            if let Some(bytes) = life.disk.recorded_write_bytes(number)
                && bytes > 1
            {
                let count = usize::try_from(1 + self.random.below(bytes as u64 - 1)).unwrap();
                let state = life.disk.state_within(number, count);
                self.explore_state(&state, model)
                    .map_err(|Violation(what)| {
                        Violation(format!("{count} of {bytes} bytes written: {what}"))
                    })
                    .map_err(at)?;
            }
        }
        Ok(())
    }

    /// Another process goes on where the operating system has not ended: what it saw fail to be synced shows as clean, and
    /// is not written by a later sync. What is reported durable survives a power cut all the same, also after a prune.
    pub(crate) fn live_on(&mut self, disk: &SimDisk, model: &Model, ending: Ending) -> Checked<()> {
        let Some((log, report)) = check(disk, model, &self.options, ending, None)? else {
            return violated("no fault, and no log");
        };
        let mut model = model.clone();
        model.reopened(&report);
        self.cut_power(disk, &model)?;
        self.try_again(disk, &log, &mut model)?;
        let refused = |error: commitlog::Error| Violation(error.to_string());
        append_next(&log, &mut model, 1)?;
        log.rotate().map_err(refused)?;
        let end = model.end();
        model.settle(end);
        self.cut_power(disk, &model)?;
        model.proofs.push(Proof {
            through: TxId(end - 1),
            chain: log.chain_at_end(),
        });
        let pruned = log.prune_before(TxId(end)).map_err(refused)?;
        model.base = (pruned.base.0, pruned.base.0);
        self.cut_power(disk, &model)
            .map_err(|Violation(what)| Violation(format!("pruned: {what}")))?;
        Ok(())
    }

    /// Looks at what a kill leaves, and at what power cuts leave.
    pub(crate) fn explore_state(&mut self, state: &SimDisk, model: &Model) -> Checked<()> {
        self.explore_ending(&state.fork(), model, Ending::Kill)?;
        for disk in self.power_cuts(state) {
            self.explore_ending(&disk, model, Ending::Power)?;
        }
        Ok(())
    }

    fn explore_ending(&mut self, disk: &SimDisk, model: &Model, ending: Ending) -> Checked<()> {
        self.tally.states += 1;
        let context = |Violation(what)| Violation(format!("{ending:?}: {what}"));
        if self.one_in(self.effort.recoveries_one_in) {
            check_read_only(disk, model).map_err(context)?;
            self.crash_recovery(disk, model, ending).map_err(context)?;
        }
        if self.one_in(self.effort.faults_one_in) {
            self.sample_faults(disk, model, ending).map_err(context)?;
        }
        self.recover(&disk.fork(), model, ending).map_err(context)
    }

    /// Without a fault: the log opens, and what it reports as durable survives the next power cut. What was cut stays away, also
    /// if it is tried again byte for byte.
    pub(crate) fn recover(&mut self, disk: &SimDisk, model: &Model, ending: Ending) -> Checked<()> {
        let Some((log, report)) = check(disk, model, &self.options, ending, None)? else {
            return violated("no fault, and no log");
        };
        let mut model = model.clone();

        model.reopened(&report);
        self.cut_power(disk, &model)
            .map_err(|Violation(what)| Violation(format!("after the recovery: {what}")))?;
        self.try_again(disk, &log, &mut model)
            .map_err(|Violation(what)| {
                Violation(format!("the first lost records tried again: {what}"))
            })
    }

    pub(crate) fn try_again(
        &mut self,
        disk: &SimDisk,
        log: &Log,
        model: &mut Model,
    ) -> Checked<()> {
        let refused = |error: commitlog::Error| Violation(error.to_string());
        // As one batch they may be byte for byte what was written together before.
        let lost = model.first_attempts.len() as u64 - model.end();
        let count = 1 + self.random.below(lost.clamp(1, 3));
        let again = append_next(log, model, usize::try_from(count).unwrap())?;
        self.cut_power(disk, model)?;
        log.wait_durable(again).map_err(refused)?;
        model.acknowledge(model.end());
        self.cut_power(disk, model)?;
        if self.one_in(2) {
            // A batch of which not even a power cut and a fault may take anything, and one behind it.
            let next = append_next(log, model, 1)?;
            log.wait_durable(next).map_err(refused)?;
            model.acknowledge(model.end());
        }
        check(&disk.fork(), model, &self.options, Ending::Kill, None)?;
        if self.one_in(self.effort.faults_one_in) {
            self.sample_faults(&disk.fork(), model, Ending::Kill)?;
            for cut in self.power_cuts(disk) {
                self.sample_faults(&cut, model, Ending::Power)?;
            }
        }
        Ok(())
    }

    pub(crate) fn cut_power(&mut self, disk: &SimDisk, model: &Model) -> Checked<()> {
        for cut in self.power_cuts(disk) {
            check(&cut, model, &self.options, Ending::Power, None)
                .map_err(|Violation(what)| Violation(format!("power cut: {what}")))?;
        }
        Ok(())
    }

    pub(crate) fn power_cuts(&mut self, disk: &SimDisk) -> Vec<SimDisk> {
        disk.power_cuts(self.effort.power_cuts, self.random.next())
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.random.below(count) == 0
    }
}

/// Appends what comes next, so many records, and hands it to the operating system. Yields the last id.
fn append_next(log: &Log, model: &mut Model, count: usize) -> Checked<TxId> {
    let refused = |error: commitlog::Error| Violation(error.to_string());
    let payloads = model.next_payloads(count, 2);
    let expected = TxId(model.end())..TxId(model.end() + count as u64);
    let ids = append(log, &payloads, Handoff::Written).map_err(refused)?;
    if ids != expected {
        return violated(format!("{ids:?} instead of {expected:?}"));
    }
    model.wrote(&payloads);
    let last = TxId(model.end() - 1);
    log.wait_written(last).map_err(refused)?;
    model.hand_over();
    Ok(last)
}
