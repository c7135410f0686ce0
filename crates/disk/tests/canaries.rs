//! Test of the tester: small writers that make one mistake each must be caught by the simulated disk, and the one
//! that makes none must survive everything.
//!
//! ```text
//! append   write the record  ->  sync the file  ->  acknowledge
//! create   temporary file, header, sync  ->  rename  ->  sync the directory
//! failed   stop for good; the next life makes the file anew with all that it finds
//! ```
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use disk::{Access, Crash, Dir, Fault, File, Moment, Operation, Result, SimDisk};

const RECORD_BYTES: usize = 300;

/// The mistake that a writer makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mistake {
    None,
    /// Acknowledges what it has only written.
    NoSync,
    /// Syncs the file but not the directory that names it.
    NoDirectorySync,
    /// Renames the new file before its content is durable.
    RenameBeforeSync,
    /// Tries a failed sync again and believes it.
    RetriesSync,
    /// Acknowledges after a failed directory sync that it tried again.
    RetriesDirectorySync,
    /// Goes on after a failed sync in the next life without writing again what it finds.
    TrustsWhatItFinds,
    /// Writes what it finds again in its place, and takes a sync of the directory for a proof of the name.
    TrustsTheNameItFinds,
    /// Takes a write that did only a part for a whole one.
    BelievesShortWrites,
}

/// Appends records of one repeated byte to `log`, counting up from 1.
struct Writer {
    mistake: Mistake,
    file: Arc<dyn File>,
    count: u8,
}

impl Writer {
    fn open(dir: &dyn Dir, mistake: Mistake) -> Result<Writer> {
        let found = match dir.open("log", Access::ReadWrite) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => {
                return Ok(Writer {
                    mistake,
                    file: Writer::create(dir, mistake, &[1; RECORD_BYTES])?,
                    count: 1,
                });
            }
            Err(error) => return Err(error),
        };
        let bytes = read(&*found)?;
        let count = recovered(&bytes);
        let bytes = &bytes[..usize::from(count) * RECORD_BYTES];
        let file = match mistake {
            Mistake::TrustsWhatItFinds | Mistake::TrustsTheNameItFinds => {
                dir.sync()?;
                found.set_len(bytes.len() as u64)?;
                if mistake == Mistake::TrustsTheNameItFinds {
                    found.write_all_at(0, bytes)?;
                }
                found.sync()?;
                found
            }
            _ => Writer::create(dir, mistake, bytes)?,
        };
        Ok(Writer {
            mistake,
            file,
            count,
        })
    }

    /// Makes the file with these bytes, in the place of one that may be there.
    fn create(dir: &dyn Dir, mistake: Mistake, bytes: &[u8]) -> Result<Arc<dyn File>> {
        match dir.remove("tmp") {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        let file = dir.create("tmp")?;
        file.write_all_at(0, bytes)?;
        if mistake != Mistake::RenameBeforeSync {
            file.sync()?;
        }
        dir.rename("tmp", "log")?;
        match mistake {
            Mistake::NoDirectorySync => {}
            Mistake::RetriesDirectorySync => dir.sync().or_else(|_| dir.sync())?,
            _ => dir.sync()?,
        }
        if mistake == Mistake::RenameBeforeSync {
            file.sync()?;
        }
        Ok(file)
    }

    fn append(&mut self) -> Result<()> {
        let offset = (usize::from(self.count) * RECORD_BYTES) as u64;
        let record = [self.count + 1; RECORD_BYTES];
        match self.mistake {
            Mistake::BelievesShortWrites => drop(self.file.write_at(offset, &record)?),
            _ => self.file.write_all_at(offset, &record)?,
        }
        match self.mistake {
            Mistake::NoSync => {}
            Mistake::RetriesSync => self.file.sync().or_else(|_| self.file.sync())?,
            _ => self.file.sync()?,
        }
        self.count += 1;
        Ok(())
    }
}

fn read(file: &dyn File) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap()];
    file.read_exact_at(0, &mut bytes)?;
    Ok(bytes)
}

/// How many whole records, in order, the bytes begin with.
fn recovered(bytes: &[u8]) -> u8 {
    let records = bytes.chunks_exact(RECORD_BYTES).zip(1..);
    let sound = records.take_while(|(record, number)| record.iter().all(|byte| byte == number));
    u8::try_from(sound.count()).unwrap()
}

/// Opens, appends three records, and tells how many records were acknowledged at the end or at the failure.
fn workload(dir: &dyn Dir, mistake: Mistake, acknowledged: &mut u8) -> Result<()> {
    let mut writer = Writer::open(dir, mistake)?;
    *acknowledged = writer.count;
    for _ in 0..3 {
        writer.append()?;
        *acknowledged = writer.count;
    }
    Ok(())
}

/// How many records a new process finds.
fn found(disk: &SimDisk) -> u8 {
    disk.read("log").map_or(0, |bytes| recovered(&bytes))
}

/// Whether any power cut now loses something acknowledged, or leaves a log that never was.
fn loses(disk: &SimDisk, acknowledged: u8) -> bool {
    let cuts = disk.power_cuts(4096, 1);
    cuts.iter().any(|disk| found(disk) < acknowledged)
}

/// Every fault at every call of two lives; then whether anything acknowledged can be lost.
fn caught(mistake: Mistake) -> bool {
    let crash = Crash::Kill;
    let faults = [
        None,
        Some(Fault::Eio),
        Some(Fault::Enospc),
        Some(Fault::Interrupted),
        Some(Fault::Short),
        Some(Fault::Crash {
            crash,
            moment: Moment::Midway,
        }),
        Some(Fault::Crash {
            crash,
            moment: Moment::After,
        }),
    ];
    for fault in faults {
        for number in 0.. {
            let disk = SimDisk::new(number);
            if let Some(fault) = fault {
                disk.fail_at(number, fault);
            }
            let mut acknowledged = 0;
            // A writer that stops at a failure is right to.
            let ended = workload(&*disk.root(), mistake, &mut acknowledged);
            let calls = disk.call_count();
            if loses(&disk, acknowledged) {
                return true;
            }
            disk.clear_faults();
            disk.crash(Crash::Kill);
            let mut again = acknowledged;
            workload(&*disk.root(), mistake, &mut again).unwrap();
            if again < acknowledged || loses(&disk, again) {
                return true;
            }
            // A fault beyond the last call did not happen.
            if fault.is_none() || (ended.is_ok() && number >= calls) {
                break;
            }
        }
    }
    // The same with a power cut at every call, and at every call of the recovery after it.
    let whole = SimDisk::new(1);
    whole.record();
    let mut acknowledgements = Vec::new();
    let mut writer = Writer::open(&*whole.root(), mistake).unwrap();
    acknowledgements.push((whole.call_count(), writer.count));
    for _ in 0..3 {
        writer.append().unwrap();
        acknowledgements.push((whole.call_count(), writer.count));
    }
    for number in 0..=whole.call_count() {
        let heard = acknowledgements
            .iter()
            .filter(|(calls, _)| *calls <= number);
        let acknowledged = heard.map(|(_, count)| *count).max().unwrap_or(0);
        let disks = whole.state_before(number).power_cuts(4096, 1);
        for disk in disks {
            disk.record();
            let mut again = found(&disk);
            if again < acknowledged {
                return true;
            }
            workload(&*disk.root(), mistake, &mut again).unwrap();
            for number in 0..disk.call_count() {
                if loses(&disk.state_before(number), acknowledged) {
                    return true;
                }
            }
        }
    }
    false
}

#[test]
fn the_careful_writer_survives_everything() {
    assert!(!caught(Mistake::None));
}

#[test]
fn a_forgotten_sync_is_caught() {
    assert!(caught(Mistake::NoSync));
}

#[test]
fn a_forgotten_directory_sync_is_caught() {
    assert!(caught(Mistake::NoDirectorySync));
}

#[test]
fn a_rename_before_the_sync_is_caught() {
    // Nothing is acknowledged between the two, so records are not lost; but a log without its first record is
    // under its name, which the careful writer never leaves.
    let leaves_an_empty_log = |mistake| {
        let disk = SimDisk::new(1);
        disk.record();
        Writer::open(&*disk.root(), mistake).unwrap();
        (0..disk.call_count()).any(|number| {
            let cuts = disk.state_before(number).power_cuts(4096, 1);
            cuts.iter()
                .any(|disk| disk.read("log").is_some_and(|bytes| recovered(&bytes) == 0))
        })
    };
    assert!(!leaves_an_empty_log(Mistake::None));
    assert!(leaves_an_empty_log(Mistake::RenameBeforeSync));
}

#[test]
fn a_sync_retried_after_a_failure_is_caught() {
    assert!(caught(Mistake::RetriesSync));
}

#[test]
fn a_directory_sync_retried_after_a_failure_is_caught() {
    assert!(caught(Mistake::RetriesDirectorySync));
}

#[test]
fn a_recovery_that_does_not_write_again_is_caught() {
    assert!(caught(Mistake::TrustsWhatItFinds));
}

#[test]
fn a_directory_sync_repeated_by_the_next_process_is_caught() {
    assert!(caught(Mistake::TrustsTheNameItFinds));
}

#[test]
fn a_short_write_taken_for_a_whole_one_is_caught() {
    assert!(caught(Mistake::BelievesShortWrites));
}

/// The canaries are caught by what the disk does, not by a call that they leave out: with no fault, no crash and
/// no power cut nobody loses anything.
#[test]
fn in_fair_weather_every_writer_is_fine() {
    for mistake in [
        Mistake::None,
        Mistake::NoSync,
        Mistake::NoDirectorySync,
        Mistake::RenameBeforeSync,
        Mistake::RetriesSync,
        Mistake::RetriesDirectorySync,
        Mistake::TrustsWhatItFinds,
        Mistake::TrustsTheNameItFinds,
        Mistake::BelievesShortWrites,
    ] {
        let disk = SimDisk::new(1);
        let mut acknowledged = 0;
        workload(&*disk.root(), mistake, &mut acknowledged).unwrap();
        disk.crash(Crash::Kill);
        assert_eq!((acknowledged, found(&disk)), (4, 4), "{mistake:?}");
        let syncs = disk.calls().into_iter();
        let syncs = syncs
            .filter(|call| call.operation == Operation::SyncFile)
            .count();
        assert!(syncs > 0);
    }
}
