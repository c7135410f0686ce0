//! `cairn demo`: the main job on real data. Commit, be killed, come back with exactly what was acknowledged.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cairn::{Database, Options, ReadOnlyDatabase, SnapshotPolicy, View};

use crate::cli::DemoOptions;
use crate::demo_data::{AIRLINES, AIRPORTS, DemoRows, FLIGHTS, PLANES};
use crate::demo_tear::tear;
use crate::demo_writer::FLIGHTS_PER_TRANSACTION;
use crate::failure::Failure;
use crate::opening::open_quietly;
use crate::output::Output;
use crate::shell_word::shell_word;
use crate::text_table::TextTable;

/// How many flights are acknowledged before the child is killed.
const FLIGHTS_BEFORE_KILL: u64 = 20_000;

/// Shows the main job.
///
/// # Errors
/// A directory that holds a database already; anything that is not as it should be.
pub(crate) fn demo(options: &DemoOptions, output: &mut Output) -> Result<(), Failure> {
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => tempfile::Builder::new()
            .prefix("cairn-demo-")
            .tempdir()
            .map_err(Failure::refused)?
            .keep(),
    };
    if ReadOnlyDatabase::open(&dir).is_ok() {
        return Err(Failure::refused(format_args!(
            "{} holds a database already; name another directory",
            dir.display()
        )));
    }
    output.line("1. A new database: its initialiser makes three tables and fills them, all in record 0 of the log.")?;
    create(&dir, output)?;
    output.line("\n2. Another process commits flights, each transaction synced before it is acknowledged. Then: SIGKILL.")?;
    output.flush()?;
    let acknowledged = kill_a_writer(&dir)?;
    output.line(format_args!(
        "   killed after it had acknowledged {acknowledged} flights, {FLIGHTS_PER_TRANSACTION} in each transaction"
    ))?;
    output.line("\n3. The worst moment: half of the next record reaches the disk.")?;
    let mut rows = FLIGHTS.rows()?;
    skip(&mut rows, flights_in(&dir)?)?;
    let (half, whole) = tear(&dir, &mut rows)?;
    output.line(format_args!(
        "   appended the first {half} of {whole} bytes of the next record to the log"
    ))?;
    output.line("\n4. Open it again.")?;
    let database = open_quietly(&dir, false)?;
    for line in database.report().to_string().lines() {
        output.line(format_args!("   {line}"))?;
    }
    output.line("\n5. Is everything there?")?;
    prove(&database.view(), acknowledged, output)?;
    output
        .line("\n6. The database describes itself: its system tables are rows in its own log.")?;
    show_catalog(&database.view(), output)?;
    database.close()?;
    try_this(&dir, output)
}

fn create(dir: &Path, output: &mut Output) -> Result<(), Failure> {
    let options = Options {
        snapshots: SnapshotPolicy::by_hand(),
        ..Options::default()
    };
    let database = Database::open_with(dir, options, |tx| {
        [AIRLINES, AIRPORTS, PLANES]
            .iter()
            .try_for_each(|data| data.fill(tx).map(drop))
    });
    let database = database.map_err(|error| match error {
        cairn::OpenError::Initialiser(failure) => failure,
        cairn::OpenError::Database(error) => error.into(),
    })?;
    let view = database.view();
    for table in [AIRLINES.table, AIRPORTS.table, PLANES.table] {
        output.line(format_args!(
            "   {table:10} {:>6} rows",
            view.table(table)?.row_count()
        ))?;
    }
    output.line(format_args!("   in {}", dir.display()))?;
    Ok(database.close()?)
}

/// Runs the writer in a process of its own and kills it in the middle; how many flights it had acknowledged by then.
fn kill_a_writer(dir: &Path) -> Result<u64, Failure> {
    let program = env::current_exe().map_err(Failure::refused)?;
    let mut child = Command::new(program)
        .arg("demo-writer")
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Failure::refused)?;
    let mut acknowledged = 0;
    let lines = child
        .stdout
        .take()
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines);
    let mut killed = false;
    // What it said before it died was acknowledged, whenever we come to read it.
    for line in lines {
        acknowledged = line
            .ok()
            .and_then(|line| line.parse().ok())
            .unwrap_or(acknowledged);
        if acknowledged >= FLIGHTS_BEFORE_KILL && !killed {
            child.kill().map_err(Failure::refused)?;
            killed = true;
        }
    }
    let status = child.wait().map_err(Failure::refused)?;
    if killed {
        return Ok(acknowledged);
    }
    Err(Failure::refused(format_args!(
        "the writing process ended by itself: {status}"
    )))
}

fn flights_in(dir: &Path) -> Result<u64, Failure> {
    let options = cairn::ReadOptions {
        unproven: true,
        ..cairn::ReadOptions::default()
    };
    let database = ReadOnlyDatabase::open_with(dir, &options)?;
    Ok(database.view().table(FLIGHTS.table)?.row_count())
}

fn skip(rows: &mut DemoRows, count: u64) -> Result<(), Failure> {
    for _ in 0..count {
        rows.next_row()?;
    }
    Ok(())
}

/// Compares every row with the file it came from.
fn prove(view: &View, acknowledged: u64, output: &mut Output) -> Result<(), Failure> {
    let flights = view.table(FLIGHTS.table)?;
    let found = flights.row_count();
    let lost = |what: &str| Failure::Damaged(what.to_owned());
    if found < acknowledged {
        return Err(lost("acknowledged flights are missing"));
    }
    if !found.is_multiple_of(FLIGHTS_PER_TRANSACTION) {
        return Err(lost("half of a transaction is there"));
    }
    let mut rows = FLIGHTS.rows()?;
    let key: Vec<usize> = key_positions(view)?;
    for _ in 0..found {
        let expected = rows
            .next_row()?
            .ok_or_else(|| lost("there are more flights than the file has"))?;
        let wanted: Vec<cairn::Value> = key
            .iter()
            .map(|&position| expected[position].clone())
            .collect();
        let row = flights
            .get(&wanted)?
            .ok_or_else(|| lost("a flight is missing"))?;
        if row.values()? != expected {
            return Err(lost("a flight is not as it was written"));
        }
    }
    output.line(format_args!(
        "   every one of the {acknowledged} acknowledged flights is there, value for value"
    ))?;
    output.line(format_args!(
        "   {} more were committed and not yet acknowledged when the kill came; no transaction is there by half",
        found - acknowledged
    ))
}

fn key_positions(view: &View) -> Result<Vec<usize>, Failure> {
    let flights = view.table(FLIGHTS.table)?;
    let definition = flights.definition();
    let columns = definition
        .primary_key()
        .map(|key| key.columns.clone())
        .unwrap_or_default();
    Ok(columns
        .iter()
        .filter_map(|&column| definition.position_of(column))
        .collect())
}

fn show_catalog(view: &View, output: &mut Output) -> Result<(), Failure> {
    for name in ["st_table", "st_index"] {
        let table = view.table(name)?;
        output.line(format_args!("\n   {name}"))?;
        let header: Vec<&str> = table
            .definition()
            .columns()
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let mut text = TextTable::new(3, &header);
        for row in crate::export::in_order(&table)? {
            text.row(&row?.values()?, output)?;
        }
        text.finish(output)?;
    }
    Ok(())
}

fn try_this(dir: &Path, output: &mut Output) -> Result<(), Failure> {
    let program = if env::var_os("CARGO").is_some() {
        "cargo run --release --".to_owned()
    } else {
        let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("cairn"));
        shell_word(&program.display().to_string())
    };
    let dir = shell_word(&dir.display().to_string());
    output.line("\nNow try:")?;
    output.line(format_args!(
        "   {program} scan {dir} flights --where dest=HNL --limit 5"
    ))?;
    output.line(format_args!("   {program} log {dir} --to 5"))?;
    output.line(format_args!("   {program} verify {dir}"))
}
