//! `cairn log`: the transactions, one on each line.

use std::collections::BTreeMap;

use bootstrap::Records;
use cairn::{TxId, Value};
use serde::Serialize;
use table::{Operation, Transaction};

use crate::cli::{AtOption, LogOptions};
use crate::failure::Failure;
use crate::opening::open_to_read;
use crate::output::{Output, complain};

#[derive(Serialize)]
struct JsonTransaction {
    id: u64,
    time: Option<String>,
    bytes: usize,
    changes: BTreeMap<String, Changes>,
}

/// How many rows of one table a transaction touched.
#[derive(Debug, Default, Serialize)]
struct Changes {
    inserted: u64,
    updated: u64,
    deleted: u64,
}

/// Shows transactions: id, time, bytes, and what they change in which table. What a writer prunes before it was reached is passed
/// over, and that is said.
///
/// Tables are called by the names that they have now; one that has been dropped since goes by its id.
///
/// # Errors
/// A transaction that the log does not hold, damage, the output's.
pub(crate) fn log(options: &LogOptions, output: &mut Output) -> Result<(), Failure> {
    let (mut names, mut records) = open(options, options.from.map(TxId))?;
    loop {
        let record = match records.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(()),
            Err(bootstrap::Error::Log(commitlog::Error::Pruned { oldest })) => {
                complain(format_args!(
                    "note: what came before transaction {oldest} was pruned while the log was read"
                ));
                (names, records) = open(options, None)?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if options.to.is_some_and(|to| record.id.0 > to) {
            return Ok(());
        }
        let transaction = Transaction::parse(record.payload)
            .map_err(|error| Failure::Damaged(format!("transaction {}: {error}", record.id)))?;
        let mut changes: BTreeMap<String, Changes> = BTreeMap::new();
        for group in transaction.groups() {
            let id = group.table.0;
            let name = names
                .get(&id)
                .cloned()
                .unwrap_or_else(|| format!("table {id}"));
            let counts = changes.entry(name).or_default();
            let count = match group.operation {
                Operation::Insert => &mut counts.inserted,
                Operation::Update => &mut counts.updated,
                Operation::DeleteByKey | Operation::DeleteRow => &mut counts.deleted,
            };
            *count += u64::from(group.row_count);
        }
        let time = record.time.map(|time| Value::Timestamp(time).to_string());
        let transaction = JsonTransaction {
            id: record.id.0,
            time,
            bytes: record.payload.len(),
            changes,
        };
        if options.json.json {
            output.json(&transaction)?;
        } else {
            print(&transaction, output)?;
        }
    }
}

/// The names of the tables, and the records from one on, or from the oldest.
fn open(
    options: &LogOptions,
    from: Option<TxId>,
) -> Result<(BTreeMap<u32, String>, Records), Failure> {
    let database = open_to_read(&options.dir, AtOption { at: None })?;
    let view = database.view();
    let names = view
        .tables()
        .map(|table| (table.id().0, table.name().to_owned()));
    let from = from.unwrap_or(database.info()?.log.base);
    Ok((names.collect(), database.records(from)?))
}

fn print(transaction: &JsonTransaction, output: &mut Output) -> Result<(), Failure> {
    let changes = transaction.changes.iter().map(|(table, changes)| {
        let counts = [
            ("+", changes.inserted),
            ("~", changes.updated),
            ("-", changes.deleted),
        ];
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(sign, count)| format!("{sign}{count}"))
            .collect();
        format!("{table} {}", counts.join(" "))
    });
    let changes: Vec<String> = changes.collect();
    output.line(format_args!(
        "{:>8}  {:30}  {:>10} B  {}",
        transaction.id,
        transaction.time.as_deref().unwrap_or("-"),
        transaction.bytes,
        changes.join(", ")
    ))
}
