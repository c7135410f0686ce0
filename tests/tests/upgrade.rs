//! A log of an older program is upgraded once and whole, whatever cuts it off.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use bootstrap::Error;
use cairn::{Database, Options, Value};
use cairn_tests::{digest, fixed_options, fixture, initialise, notes, put, try_put};
use disk::SimDisk;

/// Written before there were foreign keys.
const OLDER: [&str; 2] = ["v1-log-only", "v2.4-with-snapshot"];

fn options(upgrade: bool) -> Options {
    Options {
        segment_bytes_max: 16 * 1024,
        upgrade,
        ..fixed_options()
    }
}

fn open(disk: &SimDisk, upgrade: bool) -> Database {
    Database::open_on(disk.root(), options(upgrade), initialise).unwrap()
}

/// What the upgrade added, if there was one.
fn added(database: &Database) -> Option<String> {
    let upgrade = database.report().upgrade.as_ref();
    upgrade.map(|added| added.as_ref().unwrap().to_string())
}

#[test]
fn a_crash_at_every_call_of_an_upgrade_leaves_all_of_it_or_nothing() {
    for name in OLDER {
        let disk = fixture(name);
        let before = open(&disk, false);
        let (content, rows, tx) = (digest(&before), notes(&before.view()), before.view().tx());
        before.close().unwrap();
        let done = {
            let disk = disk.fork();
            let database = open(&disk, true);
            assert_eq!(database.report().tx, tx.next());
            digest(&database)
        };
        let begin = disk.call_count();
        disk.record();
        drop(open(&disk, true));
        let end = disk.call_count();
        assert!(end > begin + 5, "{name}: {end}");
        let mut tried = BTreeSet::new();
        let (mut with, mut without) = (0, 0);
        for call in begin..=end {
            let killed = disk.state_before(call);
            let mut crashed = killed.power_cuts(4, call);
            crashed.push(killed);
            for crash in crashed {
                if !tried.insert(crash.digest()) {
                    continue;
                }
                let database = open(&crash, false);
                let found = digest(&database);
                assert!(found == content || found == done, "{name}: {call}");
                let is_done = found == done;
                drop(database);
                let database = open(&crash, true);
                assert_eq!(added(&database).is_none(), is_done, "{name}: {call}");
                assert_eq!(digest(&database), done, "{name}: {call}");
                assert_eq!(notes(&database.view()), rows, "{name}: {call}");
                with += u32::from(is_done);
                without += u32::from(!is_done);
            }
        }
        assert!(with > 0 && without > 0, "{name}: {with} {without}");
    }
}

#[test]
fn a_full_disk_refuses_the_upgrade_and_nothing_else() {
    for name in OLDER {
        let disk = fixture(name);
        disk.set_capacity(Some(disk.used_bytes()));
        let database = open(&disk, false);
        assert!((30..).any(|id| try_put(&database, id).is_err()), "{name}");
        // The sector that its end stands in is given back by a close.
        drop(database);
        let database = open(&disk, true);
        let upgrade = database.report().upgrade.as_ref();
        assert!(
            matches!(upgrade, Some(Err(Error::Log(commitlog::Error::Full(_))))),
            "{name}: {upgrade:?}"
        );
        assert!(
            database
                .report()
                .to_string()
                .contains("could not be upgraded")
        );
        let row = database.view();
        assert!(
            row.table("notes")
                .unwrap()
                .get(&[Value::U64(8)])
                .unwrap()
                .is_some()
        );
        drop(row);
        database.close().unwrap();
        disk.set_capacity(None);
        let database = open(&disk, true);
        assert!(added(&database).is_some(), "{name}");
        put(&database, 1000);
        database.close().unwrap();
        let database = open(&disk, true);
        assert_eq!(added(&database), None, "{name}");
    }
}
