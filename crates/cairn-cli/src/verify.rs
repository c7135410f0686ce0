//! `cairn verify`: every byte, read and checked.

use cairn::{ReadOnlyDatabase, ReadOptions, TxId};
use disk::OsDir;
use serde::Serialize;
use snapshot::Snapshots;

use crate::cli::InspectOptions;
use crate::digest::hex;
use crate::failure::Failure;
use crate::opening::notes;
use crate::output::Output;

#[derive(Serialize)]
struct JsonCheck {
    what: String,
    damage: Option<String>,
    /// What is no damage and still worth knowing.
    notes: Vec<String>,
}

/// Checks the state as it opens, the log from its first record on, every snapshot byte by byte, and that all of them lead
/// to the same content.
///
/// # Errors
/// [`Failure::Damaged`] if anything is not as it was written; all checks are made and printed first.
pub(crate) fn verify(options: &InspectOptions, output: &mut Output) -> Result<(), Failure> {
    let mut checks: Vec<JsonCheck> = Vec::new();
    let mut check = |what: String, result: Result<Vec<String>, Failure>| {
        let (damage, notes) = match result {
            Ok(notes) => (None, notes),
            Err(Failure::Damaged(message)) => (Some(message), Vec::new()),
            Err(failure) => return Err(failure),
        };
        checks.push(JsonCheck {
            what,
            damage,
            notes,
        });
        Ok(())
    };
    let newest = state(options, &ReadOptions::default());
    check(
        "the newest state, page by page".to_owned(),
        newest
            .as_ref()
            .map(|state| state.notes.clone())
            .map_err(Failure::clone),
    )?;
    let log_only = ReadOptions {
        ignore_snapshots: true,
        ..ReadOptions::default()
    };
    if let Ok(newest) = &newest
        && newest.base == TxId(0)
    {
        let replayed = state(options, &log_only).and_then(|replayed| same(newest, &replayed));
        check(
            "the log alone gives the same content".to_owned(),
            replayed.map(|()| Vec::new()),
        )?;
    }
    let dir = OsDir::open(&options.dir).map_err(bootstrap::Error::from)?;
    if dir
        .list()
        .map_err(bootstrap::Error::from)?
        .iter()
        .any(|entry| entry.name == SNAPSHOTS)
    {
        let dir = dir.open_dir(SNAPSHOTS).map_err(bootstrap::Error::from)?;
        let read_only = snapshot::Options {
            read_only: true,
            ..snapshot::Options::default()
        };
        let snapshots = Snapshots::open(dir, read_only).map_err(bootstrap::Error::from)?;
        let listing = snapshots.list().map_err(bootstrap::Error::from)?;
        for manifest in &listing.sound {
            let read_back = snapshots
                .read_back(manifest)
                .map_err(bootstrap::Error::from);
            let what = format!(
                "the snapshot of transaction {}, byte by byte",
                manifest.header().tx
            );
            check(what, read_back.map(|()| Vec::new()).map_err(Failure::from))?;
        }
        for rejected in listing.rejected {
            let what = format!("the snapshot of transaction {}", rejected.id.tx());
            check(what, Err(Failure::Damaged(rejected.reason.to_string())))?;
        }
    }
    let printed = print(&checks, options, output);
    let damaged = checks.iter().filter(|check| check.damage.is_some()).count();
    if damaged > 0 {
        // Whatever became of what was printed: a script looks at how this ends.
        return Err(Failure::Damaged(format!(
            "{damaged} of {} checks found damage",
            checks.len()
        )));
    }
    printed
}

fn print(
    checks: &[JsonCheck],
    options: &InspectOptions,
    output: &mut Output,
) -> Result<(), Failure> {
    for check in checks {
        if options.json.json {
            output.json(check)?;
            continue;
        }
        let verdict = check
            .damage
            .as_deref()
            .map_or("sound".to_owned(), |damage| format!("DAMAGED: {damage}"));
        output.line(format_args!("{}: {verdict}", check.what))?;
        for note in &check.notes {
            output.line(format_args!("  {note}"))?;
        }
    }
    output.flush()
}

/// The folder of the snapshots in a database's directory.
const SNAPSHOTS: &str = "snapshots";

/// What a state that was opened and checked is like.
struct State {
    digest: String,
    /// Where the log begins.
    base: TxId,
    /// What its opening found that is no damage.
    notes: Vec<String>,
}

/// Opens a state, checks every page and entry of it, and every record of the log.
fn state(options: &InspectOptions, read: &ReadOptions) -> Result<State, Failure> {
    let database = ReadOnlyDatabase::open_with(&options.dir, read)?;
    let view = database.view();
    let checked = view.inner().state().store().check();
    checked.map_err(|error| Failure::from(cairn::Error::Schema(schema::Error::Table(error))))?;
    let base = database.info()?.log.base;
    let mut records = database.records(base)?;
    while records.next_record()?.is_some() {}
    Ok(State {
        digest: hex(&view.digest()?),
        base,
        notes: notes(database.report()),
    })
}

/// Damage, if the content is not that of the newest state.
fn same(newest: &State, replayed: &State) -> Result<(), Failure> {
    let (expected, found) = (&newest.digest, &replayed.digest);
    if found != expected {
        return Err(Failure::Damaged(format!(
            "the content is {found}, it should be {expected}"
        )));
    }
    Ok(())
}
