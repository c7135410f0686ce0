//! `cairn info`: what a database is.

use bootstrap::SegmentExtent;
use serde::Serialize;

use crate::cli::{AtOption, InspectOptions};
use crate::failure::Failure;
use crate::opening::open_to_read;
use crate::output::Output;

#[derive(Serialize)]
struct JsonInfo {
    database_id: String,
    transaction: u64,
    durable_through: Option<u64>,
    tables: usize,
    rows: u64,
    pages: u64,
    log: JsonLog,
    snapshots: Vec<JsonSnapshot>,
    opened: String,
}

#[derive(Serialize)]
struct JsonLog {
    base: u64,
    closed: bool,
    segments: Vec<JsonSegment>,
}

#[derive(Serialize)]
struct JsonSegment {
    file: String,
    base: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct JsonSnapshot {
    transaction: u64,
    rejected: Option<String>,
}

/// Says what a database is: its id, its log, its snapshots, its state.
///
/// # Errors
/// Damage, the output's.
pub(crate) fn info(options: &InspectOptions, output: &mut Output) -> Result<(), Failure> {
    let database = open_to_read(&options.dir, AtOption { at: None })?;
    let info = database.info()?;
    let view = database.view();
    let mut json = JsonInfo {
        database_id: info.database_id.to_string(),
        transaction: info.tx.0,
        durable_through: info.durable_through.map(|tx| tx.0),
        tables: 0,
        rows: 0,
        pages: view.inner().state().store().pages().page_count(),
        log: JsonLog {
            base: info.log.base.0,
            closed: info.log.closed,
            segments: segments(&info.log.segments),
        },
        snapshots: Vec::new(),
        opened: database.report().to_string(),
    };
    for snapshot in &info.snapshots {
        let rejected = snapshot.rejected.as_ref().map(ToString::to_string);
        json.snapshots.push(JsonSnapshot {
            transaction: snapshot.tx.0,
            rejected,
        });
    }
    for definition in view.tables().filter(|table| !table.is_system()) {
        json.tables += 1;
        json.rows += view.table(definition.name())?.row_count();
    }
    if options.json.json {
        return output.json(&json);
    }
    print(&json, output)
}

fn segments(extents: &[SegmentExtent]) -> Vec<JsonSegment> {
    let segments = extents.iter().map(|segment| JsonSegment {
        file: segment.file.clone(),
        base: segment.base.0,
        bytes: segment.bytes,
    });
    segments.collect()
}

fn print(info: &JsonInfo, output: &mut Output) -> Result<(), Failure> {
    let bytes: u64 = info.log.segments.iter().map(|segment| segment.bytes).sum();
    let closed = if info.log.closed {
        "closed"
    } else {
        "not closed"
    };
    output.line(format_args!("database     {}", info.database_id))?;
    output.line(format_args!(
        "transaction  {} is the newest",
        info.transaction
    ))?;
    output.line(format_args!(
        "content      {} tables, {} rows, {} pages",
        info.tables, info.rows, info.pages
    ))?;
    output.line(format_args!(
        "log          from transaction {}, {} segments, {bytes} bytes, {closed}",
        info.log.base,
        info.log.segments.len()
    ))?;
    for segment in &info.log.segments {
        output.line(format_args!(
            "             {}  {} bytes",
            segment.file, segment.bytes
        ))?;
    }
    for snapshot in &info.snapshots {
        let rejected = snapshot
            .rejected
            .as_ref()
            .map(|why| format!(", not usable: {why}"))
            .unwrap_or_default();
        output.line(format_args!(
            "snapshot     of transaction {}{rejected}",
            snapshot.transaction
        ))?;
    }
    for (number, line) in info.opened.lines().enumerate() {
        output.line(format_args!(
            "{:12} {line}",
            if number == 0 { "opening" } else { "" }
        ))?;
    }
    Ok(())
}
