//! Appending: ids are given and payloads queued under the mutex; one thread makes frames of them and writes them for all, without it.
//!
//! ```text
//!   append   make room         what can refuse refuses here: nothing has happened yet
//!                              (the others read, sync, and queue what there is room for)
//!            id                from here on it has happened
//!            payload           into the queue, unless this thread is about to write anyway
//!            write             the first who needs it: checksums and chain of the whole queue and of its own records, then all of it at once; the
//!                              others queue behind it meanwhile
//! ```

use std::ops::Range;

use crate::error::{Error, Result};
use crate::landmark::Landmark;
use crate::log_state::{Condition, State};
use crate::monitor::{Change, Held};
use crate::new_record::{NewRecord, check_length};
use crate::options::{Handoff, Mistake};
use crate::shared_log::SharedLog;
use crate::shipment::VerifiedShipment;
use crate::tx_id::TxId;
use crate::writer::{WRITE_BYTES, Writer, long_record};

/// Where there is room for more records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Here and now.
    There,
    /// Here, once space is reserved.
    NotReserved,
    /// Here, once what is queued is written.
    BehindTheQueue,
    InTheNextSegment,
    /// Nothing is appended any more.
    Never,
}

/// Records that have got their ids.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) ids: Range<TxId>,
    /// How often the log had been truncated then: whoever waits for the records counts from there, for a later truncation lets others have the ids.
    pub(crate) truncations: usize,
}

impl SharedLog {
    /// Appends all of the records, or none.
    pub(crate) fn append(&self, records: &[NewRecord<'_>], handoff: Handoff) -> Result<Appended> {
        self.append_if(records, handoff, None)
    }

    /// Appends the records of a shipment, unless its place is another one.
    pub(crate) fn append_shipped(
        &self,
        records: &[NewRecord<'_>],
        shipment: &VerifiedShipment<'_>,
    ) -> Result<Appended> {
        self.append_if(records, self.options().handoff, Some(shipment))
    }

    fn append_if(
        &self,
        records: &[NewRecord<'_>],
        handoff: Handoff,
        shipment: Option<&VerifiedShipment<'_>>,
    ) -> Result<Appended> {
        let mut bytes = 0;
        for (payload, _) in records {
            bytes += check_length(payload, self.options().payload_bytes_max)?;
        }
        let apart = long_record(records).is_some();
        let mut held = self.lock();
        loop {
            if let Some(shipment) = shipment {
                held = self.make_fit(held, shipment, bytes)?;
            }
            if self.room(&held, bytes, apart) == Room::There {
                break;
            }
            held = match self.make_room(held, bytes, apart) {
                Err(Error::Full(error)) if self.begins_refused_batch(records) => {
                    self.append(&records[..1], handoff)?;
                    return Err(Error::Full(error));
                }
                room => room?,
            };
        }
        let state = &mut *held;
        let first = state.end.id;
        let appended = Appended {
            ids: first..TxId(first.0 + records.len() as u64),
            truncations: state.truncated_to.len(),
        };
        if records.is_empty() {
            return Ok(appended);
        }
        state.untouched = false;
        let end = appended.ids.end;
        state.end.id = end;
        state.end.byte += bytes;
        // What is longer than may be lost is with the operating system before it is acknowledged.
        let may_wait = handoff == Handoff::Queued && bytes <= self.options().queue_bytes_max as u64;
        let queued = state.queue.len();
        let is_long = queued as u64 + bytes >= WRITE_BYTES as u64;
        // Else they write it, while this thread goes on.
        let is_attended = state.agenda.attendants > 0;
        let writes = !may_wait || (is_long && !is_attended);
        if apart || (writes && state.may_write()) {
            self.lead_write(&mut held, records, bytes)?;
            return Ok(appended);
        }
        for record in records {
            state.queue.push(*record);
        }
        if !may_wait {
            self.write_through(held, end)?;
        } else if is_attended && (queued == 0 || (is_long && queued < WRITE_BYTES)) {
            state.nudge();
        }
        Ok(appended)
    }

    /// Lets the records of a shipment, which take so many bytes, come next, or refuses them: everything before them is written then, and the newest segment asks for what
    /// they need. No segment does so for records that there is no room for.
    fn make_fit<'a>(
        &'a self,
        mut held: Held<'a>,
        shipment: &VerifiedShipment<'_>,
        bytes: u64,
    ) -> Result<Held<'a>> {
        let needed = shipment.header().minimum_reader;
        let asks_too_little =
            |state: &State| bytes > 0 && needed > state.active.header().minimum_reader;
        // The chain is known only once everything is written.
        while !held.is_written() {
            held.check_open()?;
            held = self.write_or_wait(held)?;
        }
        if asks_too_little(&held) {
            held = self.claim(held)?;
        }
        shipment.check_history(self.log_id(), held.written())?;
        if asks_too_little(&held) {
            // Whoever reads less is to refuse these records by the header.
            self.begin_segment(&mut held, needed, bytes)?;
        }
        Ok(held)
    }

    #[cold]
    fn begins_refused_batch(&self, records: &[NewRecord<'_>]) -> bool {
        self.options().mistake == Some(Mistake::BeginRefusedBatch) && records.len() > 1
    }

    /// Waits until the operating system has the record.
    pub(crate) fn wait_written(&self, id: TxId) -> Result<()> {
        let mut held = self.lock();
        let truncations = held.truncated_to.len();
        loop {
            if let Some(ended) = held.arrival(id, held.written().id, truncations) {
                return ended;
            }
            held = self.write_or_wait(held)?;
        }
    }

    /// Nobody is left who would write what is queued: writes it, and ends the log for its readers.
    pub(crate) fn abandon(&self) -> Result<()> {
        let mut held = self.lock();
        while held.condition == Condition::Open {
            let forgets = self.options().mistake == Some(Mistake::DropForgetsQueue);
            if forgets || held.is_written() {
                held.end_in(Condition::Closed);
                return Ok(());
            }
            held = self.write_or_wait(held)?;
        }
        // After a failure what is queued stays behind.
        match held.queue.is_empty() {
            true => Ok(()),
            false => Err(Error::Poisoned),
        }
    }

    /// Whether records with so many bytes can be given ids right now.
    #[inline]
    fn room(&self, state: &State, bytes: u64, apart: bool) -> Room {
        let needed = state.end.byte + bytes;
        let is_full = needed > self.options().segment_bytes_max;
        let is_fresh = state.end.id == state.active.header().base;
        let is_unfit = match is_fresh {
            true => state.asks_too_little(),
            false => is_full,
        };
        // What is being written counts: a kill takes it, too.
        let unwritten = state.end.byte - state.written().byte;
        let overflows = unwritten > 0 && unwritten + bytes > self.options().queue_bytes_max as u64;
        if state.condition != Condition::Open {
            Room::Never
        } else if bytes == 0 {
            // No records.
            Room::There
        } else if state.cut_waits || is_unfit {
            Room::InTheNextSegment
        } else if overflows || (apart && !state.may_write()) {
            Room::BehindTheQueue
        } else if !state.active.has_room(needed) {
            Room::NotReserved
        } else {
            Room::There
        }
    }

    /// Waits until records with so many bytes can be given ids. Refuses before that, so that a failure changes nothing.
    #[cold]
    fn make_room<'a>(&'a self, mut held: Held<'a>, bytes: u64, apart: bool) -> Result<Held<'a>> {
        loop {
            match self.room(&held, bytes, apart) {
                Room::There => return Ok(held),
                Room::Never => held.check_open()?,
                Room::InTheNextSegment => {
                    held = self.claim(held)?;
                    // Another thread may have done it meanwhile.
                    if self.room(&held, bytes, apart) == Room::InTheNextSegment {
                        self.rotate_claimed(&mut held)?;
                    }
                }
                Room::BehindTheQueue => held = self.write_or_wait(held)?,
                Room::NotReserved if held.may_write() => {
                    let needed = held.end.byte + bytes;
                    // Whatever is refused from here on: closing gives back what was reserved.
                    held.untouched = false;
                    self.reserve(&mut held, needed)?;
                }
                Room::NotReserved => held = held.wait_for(Change::Written),
            }
        }
    }

    /// Makes room in the active segment up to the byte `needed`, which there is not, while others go on.
    fn reserve(&self, held: &mut Held<'_>, needed: u64) -> Result<()> {
        // Whoever would write, or change segments, waits.
        let writer = held.take_writer();
        let reservation = self.reservation(&held.active, needed);
        let reserved = held.meanwhile(|| reservation.carry_out());
        held.return_writer(writer);
        held.active.reserved(reserved?);
        Ok(())
    }

    /// Waits until everything before `end`, which the caller has queued, is written.
    fn write_through<'a>(&'a self, mut held: Held<'a>, end: TxId) -> Result<()> {
        let truncations = held.truncated_to.len();
        loop {
            held.check_truncations(truncations, end)?;
            if held.written().id >= end {
                return Ok(());
            }
            if held.condition == Condition::Poisoned {
                let id = end.previous().expect("it is queued");
                return Err(Error::Unknown { id });
            }
            held = self.write_or_wait(held)?;
        }
    }

    /// Writes everything before `end`, or waits until others have. What is appended meanwhile does not make it longer.
    pub(crate) fn write_before<'a>(&'a self, mut held: Held<'a>, end: TxId) -> Result<Held<'a>> {
        // A truncation may have taken the end back.
        while held.written().id < end.min(held.end.id) {
            held.check_open()?;
            held = self.write_or_wait(held)?;
        }
        Ok(held)
    }

    /// Writes what is queued, or waits until another thread that writes is done.
    pub(crate) fn write_or_wait<'a>(&'a self, mut held: Held<'a>) -> Result<Held<'a>> {
        if held.may_write() {
            self.lead_write(&mut held, &[], 0)?;
            Ok(held)
        } else {
            Ok(held.wait_for(Change::Written))
        }
    }

    /// Writes what is queued, while others go on, and behind it the caller's own records, which are not queued, have the last ids and take so many bytes.
    #[inline]
    pub(crate) fn lead_write(
        &self,
        held: &mut Held<'_>,
        own: &[NewRecord<'_>],
        own_bytes: u64,
    ) -> Result<()> {
        let mut writer = held.begin_write(own_bytes);
        let wrote = held.meanwhile(|| self.carry_out(&mut writer, own));
        held.end_write(writer, wrote, self.options().queue_bytes_max)
    }

    /// Makes frames and hands them to the operating system.
    pub(crate) fn carry_out(&self, writer: &mut Writer, own: &[NewRecord<'_>]) -> Result<()> {
        let places = self.seek_cache().of(writer.base(), false);
        writer.write(own, |before, after| {
            places.note(Landmark::plain(before), Landmark::plain(after));
        })
    }
}

#[cfg(test)]
mod tests {
    use disk::SimDisk;

    use super::*;
    use crate::log::Log;
    use crate::log_id::LogId;
    use crate::options::Options;

    #[test]
    fn who_maintains_the_log_hears_of_the_first_record_and_of_a_long_queue() {
        let options = Options {
            handoff: Handoff::Queued,
            ..Options::default()
        };
        let disk = SimDisk::new(1);
        let log = Log::create(disk.root(), LogId([1; 16]), options, &[]).unwrap();
        let shared = log.shared();
        shared.attend();
        // How long a record is, and how often they have heard by then.
        let rows = [
            (1_000, 1),
            (30_000, 1),
            (30_000, 1),
            (10_000, 2),
            (10_000, 2),
        ];
        for (number, (length, nudges)) in rows.into_iter().enumerate() {
            log.append(&vec![7; length], None).unwrap();
            assert_eq!(shared.lock().agenda.nudges, nudges, "record {number}");
            assert_eq!(shared.lock().written().id, TxId(0));
        }
        shared.leave();
    }
}
