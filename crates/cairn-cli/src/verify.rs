//! `cairn verify`: every byte, read and checked.

use bootstrap::SnapshotInfo;
use cairn::{ReadOnlyDatabase, ReadOptions, TxId};
use disk::OsDir;
use serde::Serialize;

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
    let newest = state(options, &ReadOptions::default()).map_err(Failure::from);
    check(
        "the newest state, page by page".to_owned(),
        newest
            .as_ref()
            .map(|state| state.notes.clone())
            .map_err(Failure::clone),
    )?;
    if let Ok(newest) = &newest
        && newest.base == TxId(0)
    {
        // A writer may have gone on meanwhile.
        let log_only = ReadOptions {
            at: Some(newest.tx),
            ignore_snapshots: true,
            ..ReadOptions::default()
        };
        let same = match state(options, &log_only) {
            Ok(replayed) => same(newest, &replayed).map(|()| Vec::new()),
            Err(cairn::Error::Database(bootstrap::Error::Log(commitlog::Error::Pruned {
                oldest,
            }))) => Ok(vec![format!(
                "a writer has pruned the log up to {oldest} meanwhile"
            )]),
            Err(error) => Err(error.into()),
        };
        check("the log alone gives the same content".to_owned(), same)?;
    }
    let dir = OsDir::open(&options.dir).map_err(bootstrap::Error::from)?;
    for snapshot in SnapshotInfo::read_back_all(&*dir)? {
        let what = format!("the snapshot of transaction {}, byte by byte", snapshot.tx);
        let verdict = match snapshot.rejected {
            None => Ok(Vec::new()),
            // The disk failing is no verdict about a snapshot.
            Some(reason @ snapshot::Error::Io(_)) => Err(bootstrap::Error::from(reason).into()),
            Some(reason) => Err(Failure::Damaged(reason.to_string())),
        };
        check(what, verdict)?;
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

/// What a state that was opened and checked is like.
struct State {
    tx: TxId,
    digest: String,
    /// Where the log begins.
    base: TxId,
    /// What its opening found that is no damage.
    notes: Vec<String>,
}

/// Opens a state, checks every page and entry of it, and every record of the log.
fn state(options: &InspectOptions, read: &ReadOptions) -> Result<State, cairn::Error> {
    let database = ReadOnlyDatabase::open_with(&options.dir, read)?;
    database.verify()?;
    let view = database.view();
    Ok(State {
        tx: view.tx(),
        digest: hex(&view.digest()?),
        base: database.info()?.log.base,
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
