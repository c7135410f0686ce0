//! What a live log gives up on purpose: its end, or its oldest segments.

use std::sync::atomic::Ordering;

use crate::active_segment::MarkFlag;
use crate::at_work::AtWork;
use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::format::{EPOCH_MAX, SegmentHeader};
use crate::log::Pruned;
use crate::log_state::{Condition, State};
use crate::look::{look_for, open_segment, segment_path};
use crate::monitor::{Change, Held};
use crate::options::Mistake;
use crate::shared_log::SharedLog;
use crate::truncation::{Truncated, cut_segment, remove_leftovers, remove_segments};
use crate::tx_id::TxId;

impl SharedLog {
    /// Looks for a segment that vanished or is another one now: an error that says why, if there is a reason. In a poisoned log nobody knows which files there are.
    pub(crate) fn look_for(&self, lost: &SegmentHeader) -> Result<()> {
        self.segment_of(lost.base)?;
        let state = self.lock();
        let is_known = state.headers.iter().any(|known| known.same_history(lost));
        match state.condition {
            Condition::Poisoned => Err(Error::Poisoned),
            _ if !is_known => Err(Error::Truncated { end: lost.base }),
            Condition::Open => Ok(()),
            // Somebody else may have opened the log since, and given it up there.
            Condition::Closed => {
                let began = state.headers[0].base;
                drop(state);
                look_for(self.dir(), lost, began)
            }
        }
    }

    /// How often the log was truncated since it was opened.
    #[inline]
    pub(crate) fn truncations(&self) -> usize {
        self.truncations.load(Ordering::Acquire)
    }

    /// Whether record `next` still comes next for someone who has noticed so many truncations. Yields how many there were by now.
    pub(crate) fn check_truncations(&self, noticed: usize, next: TxId) -> Result<usize> {
        let state = self.lock();
        state.check_truncations(noticed, next)?;
        Ok(state.truncated_to.len())
    }

    pub(crate) fn truncate_after(&self, id: TxId) -> Result<Truncated> {
        let mut held = self.claim(self.lock())?;
        while held.rewriting {
            held = self.claim(held.wait_for(Change::Written))?;
        }
        let state = &mut *held;
        if state.cut_waits {
            self.rotate_claimed(state)?;
        }
        let (old_end, end) = (state.active.end().id, TxId(id.0.saturating_add(1)));
        if end > old_end {
            let end = old_end;
            return Err(Error::BeyondEnd { asked: id, end });
        }
        let after = state.headers.partition_point(|header| header.base <= end);
        let Some(place) = after.checked_sub(1) else {
            let oldest = state.headers[0].base;
            return Err(Error::Pruned { oldest });
        };
        let truncated = Truncated {
            end,
            records_removed: old_end.0 - end.0,
            segments_removed: state.headers.len() - after,
        };
        // Also if nothing is given up. And the marks of the file that takes over prove what is kept as soon as it has the name, which a power
        // cut may give back to the old one: both have to hold it.
        let kept = state.make_durable();
        state.poison_unless(kept)?;
        if end == old_end {
            return Ok(truncated);
        }
        state.untouched = false;
        let epoch = state.active.header().epoch + 1;
        if epoch > EPOCH_MAX {
            // No log of ours has been truncated so often.
            return Err(Error::Damaged {
                file: segment_path(self.dir(), state.active.header().base),
                byte_offset: 0,
                kind: DamageKind::Header,
            });
        }
        let cut = cut_segment(
            self.dir(),
            &state.headers[place],
            epoch,
            state.minimum_reader,
            state.active.floor(),
            end,
        )?;
        let cut = state.poison_unless(cut)?;
        self.seek_cache().forget(cut.header().base);
        let given_up = state.go_back_to(place, cut);
        let leftovers = given_up[1..].iter().map(|header| header.base).collect();
        self.truncations
            .store(state.truncated_to.len(), Ordering::Release);
        let removed = remove_leftovers(self.dir(), leftovers);
        state.poison_unless(removed)?;
        Ok(truncated)
    }

    pub(crate) fn prune_to_bytes(&self, bytes_max: u64, keep_from: TxId) -> Result<Pruned> {
        let bases: Vec<TxId> = self
            .lock()
            .headers
            .iter()
            .map(|header| header.base)
            .collect();
        let mut sizes = Vec::new();
        for base in &bases {
            sizes.push(match open_segment(self.dir(), *base) {
                Ok(file) => file.len()?,
                // Pruned since the line above.
                Err(Error::Io(error)) if error.is_not_found() => 0,
                Err(error) => return Err(error),
            });
        }
        let mut bytes: u64 = sizes.iter().sum();
        let mut first = 0;
        while bytes > bytes_max && bases.get(first + 1).is_some_and(|next| *next <= keep_from) {
            bytes -= sizes[first];
            first += 1;
        }
        self.prune_before(bases[first])
    }

    pub(crate) fn prune_before(&self, id: TxId) -> Result<Pruned> {
        let mut held = self.claim(self.lock())?;
        while held.removing {
            held = self.claim(held.wait_for(Change::Written))?;
        }
        let state = &mut *held;
        let pairs = state.headers.windows(2);
        let removable = pairs.take_while(|pair| pair[1].base <= id).count();
        let base = state.headers[removable].base;
        if removable == 0 {
            let kept = state.make_durable();
            state.poison_unless(kept)?;
        } else {
            state.untouched = false;
            if self.options().mistake == Some(Mistake::RemoveBeforeFloor) {
                let early = state.headers[..removable].iter();
                remove_leftovers(self.dir(), early.map(|header| header.base).collect())?;
            }
            // The commit point. Before it nothing has happened; behind it the files are leftovers, whichever of them come back.
            let raised = state.raise_floor(base);
            state.poison_unless(raised)?;
        }
        let pruned = state.headers.drain(..removable);
        state.leftovers.extend(pruned.map(|header| header.base));
        let segments_removed = state.leftovers.len();
        if segments_removed > 0 {
            self.remove_pruned(held)?;
        }
        Ok(Pruned {
            segments_removed,
            base,
        })
    }

    /// Removes the files that are pruned, while others go on.
    fn remove_pruned(&self, held: Held<'_>) -> Result<()> {
        let mut at_work = AtWork::begin(held, |state| &mut state.removing);
        let held = &mut at_work.held;
        let mut leftovers = std::mem::take(&mut held.leftovers);
        let removed = held.meanwhile(|| remove_segments(self.dir(), &mut leftovers));
        held.leftovers = leftovers;
        removed?;
        // With the state held: between a rename and its sync, another sync that failed would take the error away from it.
        let synced = self.dir().sync().map_err(Error::from);
        held.poison_unless(synced)
    }
}

impl State {
    /// Makes everything durable that is written, which is all there is: nobody writes or syncs.
    fn make_durable(&mut self) -> Result<()> {
        assert!(self.is_written());
        let end = self.active.end();
        if self.durable != end {
            self.active.file().sync()?;
            self.active.mark(end, MarkFlag::Plain)?;
            self.set_durable(end);
        }
        Ok(())
    }
}
