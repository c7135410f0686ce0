//! What comes on top of a crash: a fault of the medium, and crashes and failures of the recovery itself.

use commitlog::Log;
use disk::{Fault, Operation, SimDisk};

use crate::claims::{Checked, Ending, Violation, check, check_reader_agrees, violated};
use crate::explore::Explorer;
use crate::fault::MediumFault;
use crate::model::Model;

impl Explorer {
    pub(crate) fn sample_faults(
        &mut self,
        disk: &SimDisk,
        model: &Model,
        ending: Ending,
    ) -> Checked<()> {
        for fault in MediumFault::sample(disk, &mut self.random) {
            self.check_fault(disk, model, ending, &fault)?;
        }
        Ok(())
    }

    pub(crate) fn check_fault(
        &mut self,
        disk: &SimDisk,
        model: &Model,
        ending: Ending,
        fault: &MediumFault,
    ) -> Checked<()> {
        self.tally.faults += 1;
        let context = |Violation(what)| Violation(format!("{fault:?}: {what}"));
        let broken = disk.fork();
        fault.apply(&broken);
        let again = self
            .one_in(self.effort.faulty_recoveries_one_in)
            .then(|| broken.fork());
        let opened = check(&broken, model, &self.options, ending, Some(fault)).map_err(context)?;
        let Some(again) = again else {
            return Ok(());
        };
        check_reader_agrees(&again, model, opened.is_some()).map_err(context)?;
        if opened.is_some() {
            self.crash_faulty_recovery(&again, model, ending, fault)
                .map_err(context)?;
        }
        Ok(())
    }

    /// Crashes the recovery of a log that opens in spite of a fault at each of its calls, in both ways: the next one promises the same.
    fn crash_faulty_recovery(
        &mut self,
        broken: &SimDisk,
        model: &Model,
        ending: Ending,
        fault: &MediumFault,
    ) -> Checked<()> {
        broken.record();
        let Some((_, report)) = check(broken, model, &self.options, ending, Some(fault))? else {
            return violated("it opened, and then it did not");
        };
        let mut reopened = model.clone();
        // The fault may have cost the last batch; what is there now stays.
        reopened.acknowledged = model.acknowledged.min(report.end.0);
        reopened.reopened(&report);
        let calls = broken.calls();
        let crashes = calls.iter().map(Some).chain([None]);
        for (number, call) in (0_u64..).zip(crashes) {
            if call.is_some_and(|call| reads(call.operation)) {
                continue;
            }
            let model = if call.is_some() { model } else { &reopened };
            let killed = broken.state_before(number);
            let mut ends = vec![(killed.fork(), ending)];
            let cuts = self.power_cuts(&killed).into_iter();
            ends.extend(cuts.map(|cut| (cut, Ending::Power)));
            for (end, ending) in ends {
                self.tally.faulty_recovery_crashes += 1;
                check(&end, model, &self.options, ending, Some(fault)).map_err(
                    |Violation(what)| {
                        Violation(format!(
                            "recovery crashed before its call {call:?}: {ending:?}: {what}"
                        ))
                    },
                )?;
            }
        }
        Ok(())
    }

    /// Crashes the recovery at each of its calls, in both ways, and lets each of them fail.
    pub(crate) fn crash_recovery(
        &mut self,
        disk: &SimDisk,
        model: &Model,
        ending: Ending,
    ) -> Checked<()> {
        let recovering = disk.fork();
        recovering.record();
        check(&recovering, model, &self.options, ending, None)?;
        let calls = recovering.calls();
        for (number, call) in calls.iter().enumerate() {
            if reads(call.operation) {
                continue;
            }
            let number = number as u64;
            let state = recovering.state_before(number);
            let mut ends = vec![(state.fork(), ending)];
            if let Some(bytes) = recovering.recorded_write_bytes(number)
                && bytes > 1
            {
                let count = 1 + self.random.below(bytes as u64 - 1);
                let count = usize::try_from(count).unwrap();
                ends.push((recovering.state_within(number, count), ending));
            }
            let cuts = self.power_cuts(&state).into_iter();
            ends.extend(cuts.map(|cut| (cut, Ending::Power)));
            for (end, ending) in ends {
                self.tally.recovery_crashes += 1;
                self.recover(&end, model, ending)
                    .map_err(|Violation(what)| {
                        Violation(format!("recovery crashed before its call {call:?}: {what}"))
                    })?;
            }
            self.fail_recovery(disk, model, ending, number)
                .map_err(|Violation(what)| {
                    Violation(format!("recovery failed at its call {call:?}: {what}"))
                })?;
        }
        Ok(())
    }

    /// A call of the recovery fails, the process ends, and another one tries again.
    fn fail_recovery(
        &mut self,
        disk: &SimDisk,
        model: &Model,
        ending: Ending,
        number: u64,
    ) -> Checked<()> {
        for fault in [Fault::Eio, Fault::Enospc] {
            self.tally.recovery_crashes += 1;
            let failing = disk.fork();
            failing.fail_at(number, fault);
            match Log::open(failing.root(), self.options.clone(), &model.proofs) {
                Err(_) => {}
                // On a full disk the log can go on where it is.
                Ok((log, report)) if fault == Fault::Enospc => {
                    let mut model = model.clone();
                    model.reopened(&report);
                    self.cut_power(&failing, &model)?;
                    self.try_again(&failing, &log, &mut model)?;
                    continue;
                }
                Ok((_, report)) => return violated(format!("open went on: {report:?}")),
            }
            self.recover(&failing.fork(), model, ending)?;
            if fault == Fault::Eio && self.one_in(4) {
                self.live_on(&failing, model, ending)?;
            }
        }
        Ok(())
    }
}

fn reads(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Read | Operation::Len | Operation::List | Operation::Open | Operation::Map
    )
}
