//! Scrubbing a database: what is damaged is rewritten from the other line or from memory, and what stays damaged counts for nothing.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bootstrap::{
    Clock, Database, Error, Maintenance, Mending, Options, Origin, ScrubProgress, ScrubReport,
    SnapshotInfo, SnapshotPolicy, SoundCopy, TxId,
};
use disk::{Access, Choice, Crash, Fault, OsDir, SimDisk};
use fixture::*;

const PAGE: u64 = 32 << 10;
/// Where the first page of a file stands.
const FIRST: u64 = 4096;

fn go_on(_: ScrubProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn scrub(database: &Database) -> ScrubReport {
    database.scrub(&go_on).unwrap()
}

/// Rows for some fifteen pages, in two snapshots that share no byte; a row more between the two.
fn two_lines() -> (SimDisk, Database) {
    two_lines_with(options())
}

fn two_lines_with(options: Options) -> (SimDisk, Database) {
    let disk = SimDisk::new(1);
    let (database, _) = open_with(&disk, options).unwrap();
    let fill = |tx: &mut schema::WriteTransaction| (0..3000).try_for_each(|id| insert(tx, id));
    database.write(fill).unwrap();
    database.snapshot().unwrap();
    put(&database, 10_000);
    database.snapshot().unwrap();
    (disk, database)
}

fn packs(disk: &SimDisk) -> Vec<String> {
    paths_in(disk, "snapshots/", ".pack")
}

fn flip(disk: &SimDisk, pack: &str, page: u64) {
    disk.flip_bit(pack, FIRST + page * PAGE + 99, 3);
}

fn all_sound(disk: &SimDisk) -> bool {
    let found = SnapshotInfo::read_back_all(&*disk.root()).unwrap();
    found.len() == 2 && found.iter().all(|it| it.rejected.is_none())
}

/// The calls since some call that change anything on the disk.
fn changes(disk: &SimDisk, since: u64) -> Vec<u64> {
    use disk::Operation::{Create, Remove, Rename, SyncDir, SyncFile, Write};
    let calls = disk.calls().into_iter();
    let changes = calls.filter(|call| {
        let is_change = matches!(
            call.operation,
            Create | Remove | Rename | SyncDir | SyncFile | Write
        );
        is_change && call.number >= since
    });
    changes.map(|call| call.number).collect()
}

/// Damages one page of the older snapshot after the other, until there is one that is nowhere else.
fn damage_for_good(disk: &SimDisk, database: &Database) -> ScrubReport {
    let older = &packs(disk)[0];
    for page in 0.. {
        flip(disk, older, page);
        let report = scrub(database);
        if !report.is_sound() {
            return report;
        }
    }
    unreachable!("the row more has changed a page")
}

#[test]
fn a_page_is_rewritten_from_the_other_line_or_from_memory() {
    let (disk, database) = two_lines();
    let before = files(&disk);
    let [older, newer] = &packs(&disk)[..] else {
        panic!("two are kept");
    };
    let report = scrub(&database);
    assert!(report.findings.is_empty() && report.sound.len() == 2);
    flip(&disk, older, 2);
    let report = scrub(&database);
    assert_eq!(report.findings.len(), 1);
    let Mending::Done {
        from: SoundCopy::File(from),
    } = &report.findings[0].mending
    else {
        panic!("{report:?}");
    };
    assert!(from.ends_with(newer.strip_prefix("snapshots/").unwrap()));
    assert!(files(&disk) == before);

    // In both lines: the live state still has it.
    for pack in [older, newer] {
        flip(&disk, pack, 2);
    }
    let report = scrub(&database);
    assert_eq!(report.findings.len(), 2);
    for finding in &report.findings {
        let Mending::Done { from } = &finding.mending else {
            panic!("{finding:?}");
        };
        assert_eq!(*from, SoundCopy::Memory);
    }
    assert!(files(&disk) == before);
    // What was written is remembered: nodes, headers and manifests too.
    for pack in [older, newer] {
        let length = before[pack].len() as u64;
        for byte in [9, 100, 504, 600, length - 1, length - 200, length - 2000] {
            disk.flip_bit(pack, byte, 3);
        }
    }
    let report = scrub(&database);
    assert!(
        report.is_sound() && !report.findings.is_empty(),
        "{report:?}"
    );
    assert!(files(&disk) == before);
    assert!(all_sound(&disk));
}

#[test]
fn a_state_that_was_read_from_a_damaged_file_mends_nothing_wrongly() {
    let (disk, database) = two_lines();
    database.close().unwrap();
    let digest = open(&disk.fork()).0.digest().unwrap();
    let before = files(&disk);
    for pack in packs(&disk) {
        for page in 0..3 {
            let bad = disk.fork();
            flip(&bad, &pack, page);
            let (database, report) = open(&bad);
            let is_newest = matches!(report.origin, Origin::Snapshot { tx: TxId(2) });
            assert_eq!(is_newest, pack == packs(&disk)[0]);
            assert!(scrub(&database).is_sound());
            assert_eq!(database.digest().unwrap(), digest);
            database.close().unwrap();
            for pack in packs(&disk) {
                assert!(files(&bad)[&pack] == before[&pack]);
            }
        }
    }
}

/// C5: a snapshot that a scrub has found bad is none of the two that a prune rests on, though this process has written it and read it back.
#[test]
fn what_stays_damaged_counts_for_nothing() {
    let (disk, database) = two_lines_with(small_segments());
    let report = damage_for_good(&disk, &database);
    assert!(report.is_damaged());
    assert_eq!(report.sound.len(), 1);
    let pruned = database.prune().unwrap();
    assert_eq!((pruned.floor, pruned.base), (None, TxId(0)));
    assert_eq!(pruned.snapshots_bad, [TxId(1)]);
    // Two snapshots later both lines are whole, without the bad one.
    for id in 20_000..20_002 {
        put(&database, id);
        database.snapshot().unwrap();
    }
    assert!(all_sound(&disk));
    let report = scrub(&database);
    assert!(
        report.findings.is_empty() && report.sound.len() == 2,
        "{report:?}"
    );
    assert!(database.prune().unwrap().floor > Some(TxId(1)));
    assert!(all_sound(&disk));
}

/// A scrub has seen the whole file, so a prune does not read it once more.
#[test]
fn what_a_scrub_has_found_sound_is_good() {
    let (disk, database) = two_lines();
    database.close().unwrap();
    let (database, _) = open(&disk);
    let calls = |work: &dyn Fn()| {
        let before = disk.call_count();
        work();
        disk.call_count() - before
    };
    let reread = calls(&|| drop(scrub(&database)));
    let prune = calls(&|| assert_eq!(database.prune().unwrap().floor, Some(TxId(1))));
    assert!(prune * 2 < reread, "{prune} {reread}");
}

/// The last sync of a rewriting fails: a power cut may bring back the damaged file, so nothing is pruned because of it.
#[test]
fn what_a_power_cut_may_bring_back_is_in_doubt() {
    let (disk, database) = two_lines();
    flip(&disk, &packs(&disk)[0], 2);
    let begun = disk.call_count();
    assert!(scrub(&database).is_sound());
    let changes = changes(&disk, begun);
    let mut unsure = 0;
    for number in changes.into_iter().map(|call| call - begun) {
        let (disk, database) = two_lines();
        flip(&disk, &packs(&disk)[0], 2);
        let first = disk.call_count();
        disk.fail_at(first + number, Fault::Eio);
        let result = database.scrub(&go_on);
        disk.clear_faults();
        if let Ok(report) = &result
            && let Some(finding) = report.findings.first()
            && matches!(finding.mending, Mending::Unsure { .. })
        {
            unsure += 1;
            assert_eq!(database.prune().unwrap().floor, None);
            disk.crash(Crash::Power(Choice::Old));
            assert!(!all_sound(&disk));
            continue;
        }
        if let Err(error) = &result {
            let is_io = matches!(
                error,
                Error::Snapshot(snapshot::Error::Io(_)) | Error::Disk(_)
            );
            assert!(is_io, "{error}");
            continue;
        }
        let floor = database.prune().unwrap().floor;
        disk.crash(Crash::Power(Choice::Old));
        // Two that count are whole, whatever happens.
        assert!(floor.is_none() || all_sound(&disk), "call {number}");
    }
    assert!(unsure > 0);
}

#[test]
fn it_is_given_up_when_it_is_asked_to() {
    let (disk, database) = two_lines();
    flip(&disk, &packs(&disk)[0], 2);
    for calls in 0..40_u32 {
        let left = std::cell::Cell::new(calls);
        let result = database.scrub(&|_| {
            let now = left.get();
            left.set(now.saturating_sub(1));
            if now == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        match result {
            Err(Error::Snapshot(snapshot::Error::Cancelled)) => {}
            result => assert!(result.unwrap().is_sound()),
        }
    }
    assert!(scrub(&database).is_sound());
    assert!(all_sound(&disk));
}

#[derive(Debug, Default)]
struct Seconds(AtomicU64);

impl Clock for Seconds {
    fn wall_ns(&self) -> Option<i64> {
        None
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn it_is_done_by_itself_in_its_time_and_at_its_pace() {
    let clock = Arc::new(Seconds::default());
    let policy = SnapshotPolicy {
        scrub_every: Some(Duration::from_secs(100)),
        scrub_bytes_per_second: Some(1000),
        every_records: Some(1000),
        ..SnapshotPolicy::by_hand()
    };
    let (disk, database) = two_lines_with(Options {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        snapshots: policy,
        ..options()
    });
    let bytes: u64 = packs(&disk)
        .iter()
        .map(|pack| files(&disk)[pack].len() as u64)
        .sum();
    flip(&disk, &packs(&disk)[0], 2);
    let is_idle = || matches!(database.maintain().unwrap(), Maintenance::Idle);
    assert!(is_idle());
    clock.0.store(99, Ordering::SeqCst);
    assert!(is_idle());
    let (mut now, mut steps) = (100, 0);
    let report = loop {
        clock.0.store(now, Ordering::SeqCst);
        match database.maintain().unwrap() {
            Maintenance::Scrubbing => steps += 1,
            Maintenance::Scrubbed(report) => break report,
            Maintenance::Idle => now += 1,
            other => panic!("{other:?}"),
        }
    };
    assert!(report.is_sound() && report.findings.len() == 1);
    assert!(steps >= 3, "{steps}");
    // The last part is read without waiting for what it cost.
    assert!(now - 100 >= bytes / 2 / 1000, "{now} {bytes}");
    assert!(all_sound(&disk));
    assert!(is_idle());
    // What can not be mended is replaced by a new snapshot.
    put(&database, 30_000);
    let before = packs(&disk);
    let damaged = damage_for_good(&disk, &database);
    assert!(!damaged.is_sound());
    assert!(matches!(
        database.maintain().unwrap(),
        Maintenance::Snapshot(_)
    ));
    assert_ne!(packs(&disk), before);
    let failure = database.info().unwrap().background_failure.unwrap();
    assert!(failure.contains("could not be rewritten"), "{failure}");
}

/// What could not be removed at once is none that a scrub looks for once it is gone.
#[test]
fn after_one_error_in_a_snapshot_a_scrub_finds_nothing() {
    let life = |fault: Option<u64>| {
        let disk = SimDisk::new(1);
        let (database, _) = open_with(&disk, options()).unwrap();
        let fill = |tx: &mut schema::WriteTransaction| (0..600).try_for_each(|id| insert(tx, id));
        database.write(fill).unwrap();
        database.snapshot().unwrap();
        put(&database, 10_000);
        database.snapshot().unwrap();
        put(&database, 10_001);
        // The third snapshot rests on none of the first, so that this one is removed, with its file.
        damage_for_good(&disk, &database);
        let begun = disk.call_count();
        if let Some(call) = fault {
            disk.fail_at(begun + call, Fault::Eio);
        }
        let result = database.snapshot();
        disk.clear_faults();
        let calls = disk.call_count() - begun;
        (disk, database, result.is_err(), calls)
    };
    let (.., calls) = life(None);
    let mut failed = 0;
    for call in 0..calls {
        let (disk, database, is_err, _) = life(Some(call));
        failed += u32::from(is_err);
        let go_on = |id| try_put(&database, id).is_ok() && database.snapshot().is_ok();
        if !(20_000..20_003).all(go_on) {
            continue;
        }
        let report = scrub(&database);
        assert!(report.findings.is_empty(), "call {call}: {report:?}");
        assert!(all_sound(&disk), "call {call}");
    }
    assert!(failed > 5, "{failed}");
}

/// What can not even begin is tried again when the next one is due, and not all the time.
#[test]
fn a_directory_that_can_not_be_listed_is_no_reason_to_try_at_once() {
    let clock = Arc::new(Seconds::default());
    let policy = SnapshotPolicy {
        scrub_every: Some(Duration::from_secs(100)),
        ..SnapshotPolicy::by_hand()
    };
    let (disk, database) = two_lines_with(Options {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        snapshots: policy,
        ..options()
    });
    clock.0.store(100, Ordering::SeqCst);
    disk.fail_at(disk.call_count(), Fault::Eio);
    assert!(database.maintain().is_err());
    disk.clear_faults();
    for (seconds, is_due) in [(100, false), (199, false), (200, true)] {
        clock.0.store(seconds, Ordering::SeqCst);
        let done = database.maintain().unwrap();
        assert_eq!(!matches!(done, Maintenance::Idle), is_due, "{seconds} s");
    }
}

/// There is one of the newest transaction and it is whole, or it could not be written: it is written after the next commit.
#[test]
fn a_snapshot_that_a_scrub_wants_is_wanted_until_it_is_written() {
    let policy = SnapshotPolicy {
        every_records: Some(1000),
        ..SnapshotPolicy::by_hand()
    };
    let (disk, database) = two_lines_with(Options {
        snapshots: policy,
        ..options()
    });
    let is_idle = || matches!(database.maintain().unwrap(), Maintenance::Idle);
    damage_for_good(&disk, &database);
    let Maintenance::Snapshot(none) = database.maintain().unwrap() else {
        panic!("it is wanted");
    };
    assert!(none.already_there);
    assert!(is_idle() && is_idle());

    put(&database, 20_000);
    disk.set_capacity(Some(disk.used_bytes()));
    assert!(database.maintain().is_err());
    disk.set_capacity(None);
    assert!(is_idle());
    put(&database, 20_001);
    let Maintenance::Snapshot(one) = database.maintain().unwrap() else {
        panic!("it is still wanted");
    };
    assert!(!one.already_there);
    put(&database, 20_002);
    assert!(is_idle());
}

/// Somebody cuts a pack that is mapped: its pages are not asked for through the map, which would end the process.
#[test]
fn a_pack_that_was_cut_is_not_mended_through_its_map() {
    let root = tempfile::tempdir().unwrap();
    let open = || Database::open(OsDir::open(root.path()).unwrap(), options(), initialise);
    let (database, _) = open().unwrap();
    let fill = |tx: &mut schema::WriteTransaction| (0..6000).try_for_each(|id| insert(tx, id));
    database.write(fill).unwrap();
    let tx = database.snapshot().unwrap().tx;
    database.close().unwrap();
    let (database, report) = open().unwrap();
    assert!(matches!(report.origin, Origin::Snapshot { tx: from } if from == tx));
    let dir = OsDir::open(root.path())
        .unwrap()
        .open_dir("snapshots")
        .unwrap();
    let name = &dir.list().unwrap()[0].name;
    let pack = dir.open(name, Access::ReadWrite).unwrap();
    pack.set_len(pack.len().unwrap() / 2).unwrap();
    let report = scrub(&database);
    assert!(report.is_damaged() && report.sound.is_empty(), "{report:?}");
    for finding in &report.findings {
        assert!(
            matches!(finding.mending, Mending::Impossible),
            "{finding:?}"
        );
    }
}

/// Mending replaces the file, and the state stays mapped from the one that was there.
#[test]
fn a_state_that_is_mapped_from_a_damaged_file_is_said_to_be_affected() {
    use bootstrap::SnapshotLoading::{Checked, Copied, Mapped};
    // How the snapshot is loaded, which of the two packs is damaged, whether the state shows it.
    let cases = [
        (Checked, 1, true),
        (Mapped, 1, true),
        (Copied, 1, false),
        (Checked, 0, false),
    ];
    for (loading, which, is_affected) in cases {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            loading,
            ..options()
        };
        let open = || {
            let dir = OsDir::open(root.path()).unwrap();
            Database::open(dir, options.clone(), initialise).unwrap().0
        };
        let database = open();
        let fill = |tx: &mut schema::WriteTransaction| (0..3000).try_for_each(|id| insert(tx, id));
        database.write(fill).unwrap();
        database.snapshot().unwrap();
        put(&database, 10_000);
        database.snapshot().unwrap();
        database.close().unwrap();
        let database = open();
        assert!(!scrub(&database).is_state_affected);
        let dir = OsDir::open(root.path())
            .unwrap()
            .open_dir("snapshots")
            .unwrap();
        let name = &dir.list().unwrap()[which].name;
        let pack = dir.open(name, Access::ReadWrite).unwrap();
        let mut byte = [0];
        let at = FIRST + 2 * PAGE + 20_000;
        pack.read_exact_at(at, &mut byte).unwrap();
        pack.write_all_at(at, &[byte[0] ^ 1]).unwrap();
        let report = scrub(&database);
        assert!(
            report.is_sound() && report.findings.len() == 1,
            "{report:?}"
        );
        let failure = database.info().unwrap().background_failure;
        let is_said = failure.is_some_and(|it| it.contains("open it again"));
        let found = (report.is_state_affected, is_said);
        assert_eq!(found, (is_affected, is_affected), "{which} {loading:?}");
        database.close().unwrap();
        let database = open();
        let report = scrub(&database);
        assert!(report.findings.is_empty() && !report.is_state_affected);
        assert!(notes(&database.view()) == expected((0..3000).chain([10_000])));
    }
}

/// A newer file that can not be read survives a restore, and keeps all before it until it is set aside.
#[test]
fn what_nobody_can_read_keeps_nothing_for_ever() {
    let disk = sample();
    let newer = packs(&disk)[1].clone();
    disk.flip_bit(&newer, 20, 3);
    disk.delete(segments(&disk).last().unwrap());
    let (database, report) = open_with(&disk, restoring()).unwrap();
    assert!(
        matches!(report.origin, Origin::Restored { tx: TxId(10), .. }),
        "{report:?}"
    );
    put(&database, 600);
    for id in 601..603 {
        put(&database, id);
        database.snapshot().unwrap();
    }
    let file_count = packs(&disk).len();
    assert_eq!(file_count, 4, "the one of transaction 10 is not removed");
    let report = scrub(&database);
    assert_eq!(report.set_aside.len(), 1);
    assert!(packs(&disk).len() < file_count);
    assert!(!packs(&disk).contains(&newer));
    assert!(disk.read(format!("{newer}.damaged")).is_some());
    assert!(all_sound(&disk));
    assert!(scrub(&database).findings.is_empty());
}

/// Neither line is whole, and the log does not reach back: without one another none of them opens.
#[test]
fn two_damaged_lines_mend_one_another_without_being_opened() {
    let (disk, database) = two_lines_with(small_segments());
    put(&database, 10_001);
    assert!(database.prune().unwrap().base > TxId(0));
    let digest = database.digest().unwrap();
    database.close().unwrap();
    let before = files(&disk);
    for (pack, page) in packs(&disk).iter().zip([2, 3]) {
        flip(&disk, pack, page);
    }
    let error = refusal(&disk, small_segments());
    assert!(matches!(error, Error::NoStart { .. }), "{error:?}");
    let damaged = files(&disk);
    let dir = disk.root();
    let report = bootstrap::scrub(&dir, false, "the test", &go_on).unwrap();
    assert!(report.is_damaged() && report.sound.is_empty());
    assert!(files(&disk) == damaged, "it was not to be repaired");
    for finding in &report.findings {
        assert!(matches!(finding.mending, Mending::Possible { .. }));
    }
    let report = bootstrap::scrub(&dir, true, "the test", &go_on).unwrap();
    assert!(report.is_sound() && report.findings.len() == 2);
    assert!(files(&disk) == before);
    let (database, _) = open(&disk);
    assert_eq!(database.digest().unwrap(), digest);
    let locked = bootstrap::scrub(&dir, true, "the test", &go_on);
    assert!(matches!(
        locked,
        Err(Error::Disk(disk::Error::Locked { .. }))
    ));
    let none = bootstrap::scrub(&SimDisk::new(3).root(), true, "the test", &go_on);
    assert!(matches!(none, Err(Error::NoDatabase { .. })));
}

/// A power cut at each call: the database opens with all that was acknowledged.
#[test]
fn a_crash_at_every_call_loses_nothing() {
    let (disk, database) = two_lines_with(small_segments());
    assert!(database.prune().unwrap().base > TxId(0));
    put(&database, 10_001);
    let digest = database.digest().unwrap();
    flip(&disk, &packs(&disk)[0], 2);
    flip(&disk, &packs(&disk)[1], 3);
    disk.record();
    let begun = disk.call_count();
    assert!(scrub(&database).is_sound());
    let end = disk.call_count();
    let mut opened = 0;
    for call in changes(&disk, begun).into_iter().chain([end]) {
        for choice in [Choice::Old, Choice::New, Choice::Drawn] {
            let cut = disk.state_before(call);
            cut.crash(Crash::Power(choice));
            let dir = cut.root();
            if all_sound(&cut) {
                opened += 1;
            } else {
                let report = bootstrap::scrub(&dir, true, "the test", &go_on).unwrap();
                assert!(report.is_sound(), "call {call}: {report:?}");
            }
            let (database, _) = open_with(&cut, small_segments()).unwrap();
            assert_eq!(database.digest().unwrap(), digest, "call {call}");
        }
    }
    assert!(opened >= 3);
}
