//! Steps of which one call fails, or that find the disk full.

use commitlog::{Error, Handoff, SyncInProgress};
use disk::{Fault, SimDisk};

use crate::claims::{Checked, Ending, Violation, violated};
use crate::explore::Explorer;
use crate::life::{Life, Op, append};
use crate::model::Model;

impl Explorer {
    /// Runs a history of which one call of the last step fails, and then ends the process or the machine.
    pub(crate) fn fail_call(
        &mut self,
        before_last: &[Op],
        last: Op,
        number: u64,
        fault: Fault,
    ) -> Checked<()> {
        let mut life = self.relive(number, before_last)?;
        let before = life.model.clone();
        life.disk.fail_at(number, fault);
        let applied = life.try_apply(last);
        life.disk.clear_faults();
        let mut model = life.model_during(&before);
        match (applied, fault) {
            (Ok(()), Fault::Short | Fault::Interrupted) => {
                life.check_keeps(last, &before)?;
                model = life.model.clone();
            }
            (Ok(()), _) => model = life.model.clone(),
            (Err(error), Fault::Short | Fault::Interrupted) => {
                return violated(format!("not handled: {error}"));
            }
            (Err(Error::Full(_)), _) => go_on_with_space(&mut life, &mut model)?,
            (Err(_), _) => {}
        }
        self.tally.failed_calls += 1;
        self.explore_state(&life.disk.fork(), &model)?;
        if fault != Fault::Eio {
            return Ok(());
        }
        self.live_on(&life.disk, &model, Ending::Kill)
            .map_err(|Violation(what)| Violation(format!("opened again: {what}")))
    }

    /// Runs a history whose last step finds little space or none. It is done as if there were enough, or refused whole; then there is space again.
    pub(crate) fn fill_disk(&mut self, before_last: &[Op], last: Op) -> Checked<()> {
        for sectors in 0..6 {
            let mut life = self.relive(sectors, before_last)?;
            let before = life.model.clone();
            let capacity = life.disk.used_bytes() + sectors * 512;
            life.disk.set_capacity(Some(capacity));
            let applied = life.try_apply(last);
            life.disk.set_capacity(None);
            let context = |Violation(what)| {
                Violation(format!("{sectors} sectors are free, {applied:?}: {what}"))
            };
            let mut model = life.model_during(&before);
            match &applied {
                Ok(()) => {
                    life.check_keeps(last, &before).map_err(context)?;
                    model = life.model.clone();
                }
                Err(Error::Full(_)) => go_on_with_space(&mut life, &mut model).map_err(context)?,
                Err(_) => return violated("not handled").map_err(context),
            }
            self.tally.failed_calls += 1;
            self.explore_state(&life.disk.fork(), &model)
                .map_err(context)?;
        }
        Ok(())
    }

    fn relive(&self, seed: u64, ops: &[Op]) -> Checked<Life> {
        let mut life = Life::create(SimDisk::new(seed), self.options.clone());
        for &op in ops {
            life.apply(op)?;
        }
        Ok(life)
    }
}

/// Nothing was appended that was refused, and the next record is.
fn go_on_with_space(life: &mut Life, model: &mut Model) -> Checked<()> {
    // The next record may begin a segment, which waits for a sync in progress.
    if let Some(Ok(end)) = life.pending.take().map(SyncInProgress::finish) {
        model.acknowledge(end.0);
    }
    let payloads = [b"space is back".to_vec()];
    let next = model.end();
    match append(life.log(), &payloads, Handoff::Written) {
        Ok(ids) if ids.start.0 == next => {
            model.wrote(&payloads);
            model.hand_over();
            Ok(())
        }
        Ok(ids) => violated(format!("what comes behind {next} records is {ids:?}")),
        Err(error) => violated(format!("refused for lack of space, and then: {error}")),
    }
}
