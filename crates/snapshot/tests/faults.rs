//! What a snapshot promises when everything goes wrong: complete or absent, and older ones unharmed.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use disk::{Call, Crash, Fault, Moment, Operation, SimDisk};
use fixture::{
    Section, all_modes, check_content, content, disk_with, open, page, read_back, repeatable,
    tiny_sections, write,
};
use snapshot::{Error, Options, SnapshotId, Snapshots};

/// How many outcomes of one power cut are looked at.
const POWER_CUTS_MAX: u64 = 24;

/// The snapshots on the disk, all of them readable whole; nothing else may be there.
fn sound_ids(snapshots: &Snapshots) -> Vec<u64> {
    let listing = snapshots.list().unwrap();
    assert!(listing.rejected.is_empty(), "{:?}", listing.rejected);
    let ids = listing.sound.iter().map(|manifest| manifest.id().tx());
    ids.inspect(|tx| check_content(snapshots, *tx, &tiny_sections(*tx)))
        .collect()
}

/// Everything that a crash before call `number` may leave: what a kill leaves, and what power cuts may.
fn crashes_before(disk: &SimDisk, number: u64) -> Vec<SimDisk> {
    let mut before = vec![disk.state_before(number)];
    if let Some(bytes) = disk.recorded_write_bytes(number) {
        before.extend([1, bytes / 2].map(|count| disk.state_within(number, count.min(bytes))));
    }
    let power: Vec<SimDisk> = before
        .iter()
        .flat_map(|disk| disk.power_cuts(POWER_CUTS_MAX, number))
        .collect();
    for disk in &mut before {
        disk.crash(Crash::Kill);
    }
    before.extend(power);
    before
}

/// Looks at a crashed disk read-only, then opens it, and crashes that at each call, too.
fn check_crashed(disk: &SimDisk, allowed: &[&[u64]], depth: u32) {
    let options = Options {
        read_only: true,
        ..repeatable()
    };
    let seen = sound_ids(&Snapshots::open(disk.root(), options).unwrap());
    assert!(allowed.contains(&&*seen), "{seen:?}");
    disk.record();
    let first = disk.call_count();
    let snapshots = open(disk);
    snapshots.settle().unwrap();
    let end = disk.call_count();
    assert_eq!(
        sound_ids(&snapshots),
        seen,
        "opening changes nothing that is seen"
    );
    assert_eq!(
        disk.files().len(),
        seen.len(),
        "leftovers are gone: {:?}",
        disk.files()
    );
    if depth == 0 {
        return;
    }
    for number in first..end {
        if is_change(&disk.calls()[usize::try_from(number).unwrap()]) {
            for crashed in crashes_before(disk, number) {
                check_crashed(&crashed, allowed, depth - 1);
            }
        }
    }
    for crashed in disk.power_cuts(POWER_CUTS_MAX, end) {
        check_crashed(&crashed, &[&seen], 0);
    }
    // The name is free and usable again.
    write(&snapshots, 2, &tiny_sections(2)).unwrap();
    check_content(&snapshots, 2, &tiny_sections(2));
}

fn is_change(call: &Call) -> bool {
    use Operation::{Create, Remove, Rename, SyncDir, SyncFile, Write};
    matches!(
        call.operation,
        Create | Remove | Rename | SyncDir | SyncFile | Write
    )
}

fn crash_at_each_call(
    start: &SimDisk,
    work: impl Fn(&Snapshots),
    during: &[&[u64]],
    after: &[u64],
) {
    let disk = start.fork();
    let snapshots = open(&disk);
    disk.record();
    let first = disk.call_count();
    work(&snapshots);
    let end = disk.call_count();
    let mut checked = 0;
    for number in first..end {
        for crashed in crashes_before(&disk, number) {
            check_crashed(&crashed, during, 1);
            checked += 1;
        }
    }
    for crashed in crashes_before(&disk, end) {
        check_crashed(&crashed, &[after], 1);
    }
    println!("{} calls, {checked} crashes", end - first);
    assert!(checked > end - first);
}

#[test]
fn a_crash_at_any_call_of_write_leaves_all_or_nothing() {
    let work = |snapshots: &Snapshots| {
        write(snapshots, 2, &tiny_sections(2)).unwrap();
    };
    crash_at_each_call(&disk_with(&[1]), work, &[&[1], &[2, 1]], &[2, 1]);
    crash_at_each_call(&disk_with(&[]), work, &[&[], &[2]], &[2]);
}

#[test]
fn a_crash_at_any_call_of_remove_leaves_all_or_nothing() {
    let work = |snapshots: &Snapshots| snapshots.remove(SnapshotId(1)).unwrap();
    crash_at_each_call(&disk_with(&[1, 3]), work, &[&[3], &[3, 1]], &[3]);
}

#[test]
fn a_crash_while_a_damaged_snapshot_is_removed_harms_no_other() {
    let start = disk_with(&[1, 3]);
    let damaged = start.files()[0].clone();
    start.flip_bit(damaged, 80, 0);
    let disk = start.fork();
    let snapshots = open(&disk);
    disk.record();
    let first = disk.call_count();
    snapshots.remove(SnapshotId(1)).unwrap();
    for number in first..=disk.call_count() {
        for crashed in crashes_before(&disk, number) {
            let snapshots = open(&crashed);
            let listing = snapshots.list().unwrap();
            assert_eq!(listing.sound.len(), 1);
            check_content(&snapshots, 3, &tiny_sections(3));
            if !listing.rejected.is_empty() {
                assert!(number < disk.call_count(), "the removal is durable");
                snapshots.remove(SnapshotId(1)).unwrap();
            }
            assert_eq!(crashed.files().len(), 1);
        }
    }
}

/// Fails each call of the write once.
#[test]
fn a_failed_call_of_write_leaves_all_or_nothing() {
    let start = disk_with(&[1]);
    let calls = {
        let disk = start.fork();
        let snapshots = open(&disk);
        let first = disk.call_count();
        write(&snapshots, 2, &tiny_sections(2)).unwrap();
        disk.call_count() - first
    };
    for fault in [Fault::Eio, Fault::Enospc, Fault::Interrupted, Fault::Short] {
        let mut failed = 0;
        for number in 0..calls {
            let disk = start.fork();
            let snapshots = open(&disk);
            disk.fail_at(disk.call_count() + number, fault);
            let result = write(&snapshots, 2, &tiny_sections(2));
            if let Err(error) = &result {
                failed += 1;
                assert!(matches!(error, Error::Io(_)), "{error:?}");
                assert_eq!(error.is_full(), fault == Fault::Enospc);
            }
            let expected: &[u64] = if result.is_ok() { &[2, 1] } else { &[1] };
            assert_eq!(sound_ids(&snapshots), expected, "{fault:?} at {number}");
            for crashed in disk.power_cuts(POWER_CUTS_MAX, number) {
                // If the last sync failed after it did its work, that was taken back.
                check_crashed(&crashed, &[expected], 0);
            }
            // Without a crash, too, the next write clears up and succeeds.
            write(&snapshots, 2, &tiny_sections(2)).unwrap();
            assert_eq!(sound_ids(&snapshots), [2, 1]);
            assert_eq!(disk.files().len(), 2, "{:?}", disk.files());
        }
        match fault {
            Fault::Interrupted | Fault::Short => assert_eq!(failed, 0),
            _ => assert!(failed > 10),
        }
    }
}

/// Two calls fail, the second one perhaps while the first failure is cleared up; then the disk recovers and the same
/// process writes another snapshot. It is crashed at each call after the first failure. Nothing is left of what failed.
#[test]
fn two_failed_calls_of_write_cost_nothing() {
    let start = disk_with(&[1]);
    let allowed: &[&[u64]] = &[&[1], &[2, 1], &[3, 1], &[3, 2, 1]];
    let mut failed = 0;
    for first in 0..30 {
        for second in first + 1..first + 7 {
            let disk = start.fork();
            let snapshots = open(&disk);
            let calls = disk.call_count();
            disk.fail_at(calls + first, Fault::Eio);
            disk.fail_at(calls + second, Fault::Eio);
            disk.record();
            if write(&snapshots, 2, &tiny_sections(2)).is_ok() {
                continue;
            }
            failed += 1;
            disk.clear_faults();
            write(&snapshots, 3, &tiny_sections(3)).unwrap();
            for number in calls + first..=disk.call_count() {
                let crashed = disk.state_before(number);
                for crashed in crashed.power_cuts(5, number + second) {
                    let seen = sound_ids(&open(&crashed));
                    assert!(allowed.contains(&&*seen), "{seen:?}");
                    assert_eq!(crashed.files().len(), seen.len(), "{:?}", crashed.files());
                }
            }
        }
    }
    assert!(failed > 60, "{failed}");
}

/// A sync fails, and so does the call that takes the snapshot back: it looks published, and the same process is asked for it again.
#[test]
fn what_a_write_finds_there_is_durable() {
    let start = disk_with(&[1]);
    let mut found = 0;
    for first in 0..60 {
        for second in first + 1..first + 5 {
            let disk = start.fork();
            let snapshots = open(&disk);
            let calls = disk.call_count();
            disk.fail_at(calls + first, Fault::Eio);
            disk.fail_at(calls + second, Fault::Eio);
            let failed = write(&snapshots, 2, &tiny_sections(2)).is_err();
            disk.clear_faults();
            found += u64::from(failed && sound_ids(&snapshots) == [2, 1]);
            write(&snapshots, 2, &tiny_sections(2)).unwrap();
            for crashed in disk.power_cuts(POWER_CUTS_MAX, first + second) {
                check_crashed(&crashed, &[&[2, 1]], 0);
            }
        }
    }
    assert!(found > 0);
}

/// From some call of the write on, everything fails, the clearing up included.
#[test]
fn a_disk_that_is_gone_for_a_while_costs_nothing() {
    let start = disk_with(&[1]);
    let mut failed = 0;
    for number in 0..30 {
        let disk = start.fork();
        let snapshots = open(&disk);
        let first = disk.call_count() + number;
        for call in first..first + 100 {
            disk.fail_at(call, Fault::Eio);
        }
        if write(&snapshots, 2, &tiny_sections(2)).is_ok() {
            continue;
        }
        failed += 1;
        disk.clear_faults();
        for crashed in disk.power_cuts(POWER_CUTS_MAX, number) {
            check_crashed(&crashed, &[&[1], &[2, 1]], 0);
        }
        write(&snapshots, 3, &tiny_sections(3)).unwrap();
        check_content(&snapshots, 3, &tiny_sections(3));
        check_content(&snapshots, 1, &tiny_sections(1));
    }
    assert!(failed > 10);
}

/// A full disk must not keep a snapshot from being removed.
#[test]
fn removing_needs_no_space() {
    let disk = disk_with(&[1, 2]);
    disk.set_capacity(Some(disk.used_bytes()));
    let snapshots = open(&disk);
    assert!(
        write(&snapshots, 3, &tiny_sections(3))
            .unwrap_err()
            .is_full()
    );
    snapshots.remove(SnapshotId(1)).unwrap();
    write(&snapshots, 3, &tiny_sections(3)).unwrap();
    assert_eq!(sound_ids(&snapshots), [3, 2]);
}

#[test]
fn a_failed_call_of_remove_harms_no_other() {
    let start = disk_with(&[1, 3]);
    for number in 0..40 {
        let disk = start.fork();
        let snapshots = open(&disk);
        disk.fail_at(disk.call_count() + number, Fault::Eio);
        let result = snapshots.remove(SnapshotId(1));
        disk.clear_faults();
        let expected: &[&[u64]] = if result.is_ok() {
            &[&[3]]
        } else {
            &[&[3], &[3, 1]]
        };
        assert!(expected.contains(&&*sound_ids(&snapshots)));
        for crashed in disk.power_cuts(POWER_CUTS_MAX, number) {
            check_crashed(&crashed, expected, 0);
        }
        if result.is_err() && sound_ids(&snapshots).len() == 2 {
            snapshots.remove(SnapshotId(1)).unwrap();
        }
        open(&disk);
        assert_eq!(disk.files().len(), 1, "{:?}", disk.files());
    }
}

#[test]
fn a_full_disk_refuses_and_gives_the_space_back() {
    let start = disk_with(&[1]);
    let used = start.used_bytes();
    let large = vec![
        (0..10)
            .map(|i| (i, page(u8::try_from(i).unwrap())))
            .collect::<Section>(),
    ];
    let mut refused = 0;
    for room in (0..400_000).step_by(10_000) {
        let disk = start.fork();
        let snapshots = open(&disk);
        disk.set_capacity(Some(used + room));
        if let Err(error) = write(&snapshots, 2, &large) {
            refused += 1;
            assert!(error.is_full(), "{error:?}");
            assert_eq!(disk.used_bytes(), used);
            assert_eq!(disk.files(), start.files());
            assert_eq!(sound_ids(&snapshots), [1]);
            disk.set_capacity(None);
            write(&snapshots, 2, &large).unwrap();
        }
        check_content(&snapshots, 2, &large);
    }
    assert!((20..40).contains(&refused), "{refused}");
}

/// The disk's failures are the disk's: no verdict, and nothing half read.
#[test]
fn a_failed_read_is_no_verdict() {
    let start = disk_with(&[1]);
    for fault in [Fault::Eio, Fault::Interrupted, Fault::Short] {
        let mut failed = 0;
        for options in all_modes() {
            for number in 0.. {
                let disk = start.fork();
                let read_only = Options {
                    read_only: true,
                    ..repeatable()
                };
                let snapshots = Snapshots::open(disk.root(), read_only).unwrap();
                disk.fail_at(number, fault);
                let read = || -> Result<(), Error> {
                    let mut listing = snapshots.list()?;
                    if let Some(rejected) = listing.rejected.pop() {
                        return Err(rejected.reason);
                    }
                    let loaded = snapshots.load(&listing.sound[0], options)?;
                    assert!(content(&loaded) == tiny_sections(1));
                    read_back(&snapshots, &listing.sound[0])
                };
                if let Err(error) = read() {
                    assert!(matches!(error, Error::Io(_)), "{error:?}");
                    failed += 1;
                }
                if disk.call_count() <= number {
                    break;
                }
            }
        }
        assert_eq!(failed > 0, fault == Fault::Eio);
    }
}

/// A sync fails, the process ends before it has cleared up, and the system goes on: what the next process lists is durable all the same.
#[test]
fn what_the_next_process_lists_after_a_failed_sync_is_durable() {
    let start = disk_with(&[1]);
    let allowed: &[&[u64]] = &[&[1], &[2, 1]];
    let mut published = 0;
    for first in 0..30 {
        for killed in first + 1..first + 8 {
            let disk = start.fork();
            let snapshots = open(&disk);
            let calls = disk.call_count();
            disk.fail_at(calls + first, Fault::Eio);
            let (crash, moment) = (Crash::Kill, Moment::Before);
            disk.fail_at(calls + killed, Fault::Crash { crash, moment });
            if write(&snapshots, 2, &tiny_sections(2)).is_ok() {
                continue;
            }
            disk.clear_faults();
            disk.crash(Crash::Kill);
            published += usize::from(sound_ids(&open(&disk.fork())).len() == 2);
            check_crashed(&disk, allowed, 1);
        }
    }
    assert!(published > 0);
}
