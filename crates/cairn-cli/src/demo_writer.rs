//! The child process of the demo: commits flights, and says what is acknowledged, until it is killed.

use std::path::Path;

use cairn::Transaction;

use crate::demo_data::{DemoRows, FLIGHTS};
use crate::failure::Failure;
use crate::opening::open_to_write;
use crate::output::Output;

/// How many flights one transaction holds: never a part of them may be seen.
pub(crate) const FLIGHTS_PER_TRANSACTION: u64 = 25;

/// Commits all flights, durably, a few in each transaction. After each it prints how many are acknowledged so far.
///
/// # Errors
/// The database's, the output's.
pub(crate) fn demo_writer(dir: &Path, output: &mut Output) -> Result<(), Failure> {
    let database = open_to_write(dir, false)?;
    let mut rows = FLIGHTS.rows()?;
    let table = FLIGHTS.new_table(&rows);
    database.write(|tx| tx.create_table(&table))?;
    let mut acknowledged = 0;
    loop {
        let added = database.write(|tx| add_flights(tx, &mut rows))?;
        acknowledged += added;
        output.line(acknowledged)?;
        output.flush()?;
        if added < FLIGHTS_PER_TRANSACTION {
            return Ok(database.close()?);
        }
    }
}

/// Adds the next flights of the file; fewer only at its end.
pub(crate) fn add_flights(tx: &mut Transaction<'_>, rows: &mut DemoRows) -> Result<u64, Failure> {
    let mut count = 0;
    while count < FLIGHTS_PER_TRANSACTION {
        let Some(row) = rows.next_row()? else { break };
        tx.insert_row(FLIGHTS.table, row)?;
        count += 1;
    }
    Ok(count)
}
