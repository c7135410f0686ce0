//! The verbs of the command and their options.
//!
//! Only what can be said is here, not what is done with it. Wrong usage ends with 1, as every refusal: clap's own 2
//! stands for damage here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::exit::Exit;
use crate::null_text::NullText;
use crate::schema_options::SchemaOptions;
use crate::upkeep_options::{
    CopyOptions, PruneOptions, RepairOptions, ScrubOptions, SnapshotOptions,
};

const EXIT_CODES: &str = "\
Exit codes: 0 fine (a torn tail is fine, and reported), 1 wrong usage or refused, 2 damage found, 3 locked by another \
process.

Writing verbs lock the database's directory themselves, so `flock DIRECTORY cairn ..` always ends with 3. To run one after another, lock some \
file beside it: `flock DIRECTORY.flock cairn ..`.";

/// The command line.
#[derive(Debug, PartialEq, Parser)]
#[command(name = "cairn", version, about = "Look into, fill and check a Cairn database", after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, PartialEq, Subcommand)]
pub enum Verb {
    /// Show the main job on real data: commit, be killed, come back
    Demo(DemoOptions),
    /// The demo's second process
    #[command(hide = true)]
    DemoWriter(DemoWriterOptions),
    /// Read a CSV file, plain or gzip, into a table; makes the database if there is none
    Import(ImportOptions),
    /// Write a table as CSV or JSON lines
    Export(ExportOptions),
    /// Say what a database is: its id, its log, its snapshots
    Info(InspectOptions),
    /// List the tables with their columns
    Tables(TablesOptions),
    /// Show how the tables are defined, or what leads from one database's to another's
    Schema(SchemaOptions),
    /// Show rows of a table
    Scan(ScanOptions),
    /// Show the transactions, one on each line
    Log(LogOptions),
    /// Write a snapshot
    Snapshot(SnapshotOptions),
    /// List the snapshots, each read and checked
    Snapshots(InspectOptions),
    /// Remove what two good snapshots make unneeded: segments of the log, and older snapshots
    Prune(PruneOptions),
    /// Do what opening for writing does: cut what was never acknowledged, remove what was given up
    Repair(RepairOptions),
    /// Copy a database to another directory, or bring an earlier copy up to date
    Backup(CopyOptions),
    /// Make a database out of a backup
    Restore(CopyOptions),
    /// Read all snapshots again, and rewrite what is damaged
    Scrub(ScrubOptions),
    /// Check every byte
    Verify(InspectOptions),
    /// Print the digest of the content
    Digest(DigestOptions),
}

/// Options of `demo`.
#[derive(Debug, PartialEq, Args)]
pub struct DemoOptions {
    /// The directory to make the database in; a temporary one if none is named
    pub dir: Option<PathBuf>,
}

/// Options of `demo-writer`.
#[derive(Debug, PartialEq, Args)]
pub struct DemoWriterOptions {
    /// The directory of the database
    pub dir: PathBuf,
}

/// Options of `import`.
#[derive(Debug, PartialEq, Args)]
pub struct ImportOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// The table to make, or to add to with --append
    pub table: String,
    /// The file, plain or gzip
    #[arg(value_name = "FILE.csv[.gz]")]
    pub file: PathBuf,
    /// The columns of the primary key
    #[arg(long, value_name = "COL,..", value_delimiter = ',')]
    pub primary_key: Vec<String>,
    /// What stands for null; an empty cell unless told otherwise
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub null: NullText,
    /// Commit every N rows; one transaction for all unless told otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batch: Option<u64>,
    /// Add to a table that exists
    #[arg(long, conflicts_with = "primary_key")]
    pub append: bool,
}

/// Options of `export`.
#[derive(Debug, PartialEq, Args)]
pub struct ExportOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// The table
    pub table: String,
    /// As CSV, the default
    #[arg(long, conflicts_with = "jsonl")]
    pub csv: bool,
    /// As one JSON object on each line
    #[arg(long)]
    pub jsonl: bool,
    /// What stands for null in CSV; an empty cell unless told otherwise
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        conflicts_with = "jsonl"
    )]
    pub null: NullText,
    /// The point in the history.
    #[command(flatten)]
    pub at: AtOption,
}

/// Options of `info`, `snapshots` and `verify`.
#[derive(Debug, PartialEq, Args)]
pub struct InspectOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// How to print.
    #[command(flatten)]
    pub json: JsonOption,
}

/// Options of `tables`.
#[derive(Debug, PartialEq, Args)]
pub struct TablesOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// The system tables too
    #[arg(long)]
    pub system: bool,
    /// How to print.
    #[command(flatten)]
    pub json: JsonOption,
}

/// Options of `scan`.
#[derive(Debug, PartialEq, Args)]
pub struct ScanOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// The table
    pub table: String,
    /// Only rows with this value in this column; said more than once, all must hold
    #[arg(long = "where", value_name = "COL=VALUE")]
    pub conditions: Vec<Condition>,
    /// At most N rows
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// The point in the history.
    #[command(flatten)]
    pub at: AtOption,
    /// How to print.
    #[command(flatten)]
    pub json: JsonOption,
}

/// Options of `log`.
#[derive(Debug, PartialEq, Args)]
pub struct LogOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// The first transaction
    #[arg(long, value_name = "TX")]
    pub from: Option<u64>,
    /// The last transaction
    #[arg(long, value_name = "TX")]
    pub to: Option<u64>,
    /// How to print.
    #[command(flatten)]
    pub json: JsonOption,
}

/// Options of `digest`.
#[derive(Debug, PartialEq, Args)]
pub struct DigestOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// The point in the history.
    #[command(flatten)]
    pub at: AtOption,
    /// From the log alone, without a snapshot
    #[arg(long)]
    pub log_only: bool,
    /// How to print.
    #[command(flatten)]
    pub json: JsonOption,
}

/// A point in the history.
#[derive(Debug, Clone, Copy, PartialEq, Args)]
pub struct AtOption {
    /// As of this transaction, it included
    #[arg(long, value_name = "TX")]
    pub at: Option<u64>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Args)]
pub struct JsonOption {
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// A column that must have a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The column's name.
    pub column: String,
    /// The value as text, to be read by the column's type.
    pub value: String,
}

impl FromStr for Condition {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Condition, &'static str> {
        match text.split_once('=') {
            Some((column, value)) if !column.is_empty() => Ok(Condition {
                column: column.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("say COL=VALUE"),
        }
    }
}

impl Arguments {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// How to end if there is nothing to do: help or version were asked for and printed, or the usage was wrong and
    /// why was printed.
    pub fn read<T>(line: impl IntoIterator<Item = T>) -> Result<Arguments, Exit>
    where
        T: Into<OsString> + Clone,
    {
        Arguments::try_parse_from(line).map_err(|answer| {
            // Where nobody reads the message there is nobody to tell.
            let _ = answer.print();
            exit_of(&answer)
        })
    }
}

/// How to end after an answer of the parser: what goes to the error output is a complaint.
fn exit_of(answer: &clap::Error) -> Exit {
    if answer.use_stderr() {
        Exit::Refused
    } else {
        Exit::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(line: &str) -> Verb {
        Arguments::try_parse_from(line.split(' '))
            .unwrap_or_else(|error| panic!("{line}: {error}"))
            .verb
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_is_read_with_its_options() {
        let dir = || PathBuf::from("d");
        let json = JsonOption { json: true };
        let text = JsonOption { json: false };
        let at = |at| AtOption { at };
        let condition = |column: &str, value: &str| Condition {
            column: column.into(),
            value: value.into(),
        };
        let rows = [
            ("cairn demo", Verb::Demo(DemoOptions { dir: None })),
            ("cairn demo d", Verb::Demo(DemoOptions { dir: Some(dir()) })),
            (
                "cairn import d t f.csv.gz --primary-key a,b --null NA --batch 10",
                Verb::Import(ImportOptions {
                    dir: dir(),
                    table: "t".into(),
                    file: "f.csv.gz".into(),
                    primary_key: vec!["a".into(), "b".into()],
                    null: NullText::new("NA"),
                    batch: Some(10),
                    append: false,
                }),
            ),
            (
                "cairn import d t f.csv --append",
                Verb::Import(ImportOptions {
                    dir: dir(),
                    table: "t".into(),
                    file: "f.csv".into(),
                    primary_key: vec![],
                    null: NullText::default(),
                    batch: None,
                    append: true,
                }),
            ),
            (
                "cairn export d t --csv --null NA --at 7",
                Verb::Export(ExportOptions {
                    dir: dir(),
                    table: "t".into(),
                    csv: true,
                    jsonl: false,
                    null: NullText::new("NA"),
                    at: at(Some(7)),
                }),
            ),
            (
                "cairn export d t --jsonl",
                Verb::Export(ExportOptions {
                    dir: dir(),
                    table: "t".into(),
                    csv: false,
                    jsonl: true,
                    null: NullText::default(),
                    at: at(None),
                }),
            ),
            (
                "cairn info d --json",
                Verb::Info(InspectOptions { dir: dir(), json }),
            ),
            (
                "cairn tables d --system",
                Verb::Tables(TablesOptions {
                    dir: dir(),
                    system: true,
                    json: text,
                }),
            ),
            (
                "cairn scan d t --where a=b=c --where d= --limit 3 --at 0 --json",
                Verb::Scan(ScanOptions {
                    dir: dir(),
                    table: "t".into(),
                    conditions: vec![condition("a", "b=c"), condition("d", "")],
                    limit: Some(3),
                    at: at(Some(0)),
                    json,
                }),
            ),
            (
                "cairn log d --from 1 --to 2",
                Verb::Log(LogOptions {
                    dir: dir(),
                    from: Some(1),
                    to: Some(2),
                    json: text,
                }),
            ),
            (
                "cairn snapshot d",
                Verb::Snapshot(SnapshotOptions { dir: dir() }),
            ),
            (
                "cairn snapshots d --json",
                Verb::Snapshots(InspectOptions { dir: dir(), json }),
            ),
            (
                "cairn prune d --dry-run",
                Verb::Prune(PruneOptions {
                    dir: dir(),
                    dry_run: true,
                }),
            ),
            (
                "cairn repair d --from-snapshot",
                Verb::Repair(RepairOptions {
                    dir: dir(),
                    dry_run: false,
                    from_snapshot: true,
                }),
            ),
            (
                "cairn backup d e",
                Verb::Backup(CopyOptions {
                    dir: dir(),
                    to: "e".into(),
                    at: at(None),
                }),
            ),
            (
                "cairn restore d e --at 3",
                Verb::Restore(CopyOptions {
                    dir: dir(),
                    to: "e".into(),
                    at: at(Some(3)),
                }),
            ),
            (
                "cairn scrub d --repair",
                Verb::Scrub(ScrubOptions {
                    dir: dir(),
                    repair: true,
                    json: text,
                }),
            ),
            (
                "cairn verify d",
                Verb::Verify(InspectOptions {
                    dir: dir(),
                    json: text,
                }),
            ),
            (
                "cairn digest d --at 5 --log-only",
                Verb::Digest(DigestOptions {
                    dir: dir(),
                    at: at(Some(5)),
                    log_only: true,
                    json: text,
                }),
            ),
        ];
        for (line, expected) in rows {
            assert_eq!(verb(line), expected, "{line}");
        }
    }

    #[test]
    fn wrong_usage_ends_with_1_and_help_with_0() {
        for (line, exit) in [
            ("cairn", Exit::Refused),
            ("cairn dance", Exit::Refused),
            ("cairn info", Exit::Refused),
            ("cairn import d t f --batch 0", Exit::Refused),
            ("cairn import d t f --append --primary-key a", Exit::Refused),
            ("cairn export d t --csv --jsonl", Exit::Refused),
            ("cairn export d t --jsonl --null NA", Exit::Refused),
            ("cairn scan d t --where a", Exit::Refused),
            ("cairn scan d t --where =a", Exit::Refused),
            ("cairn scan d t --at -1", Exit::Refused),
            ("cairn --help", Exit::Fine),
            ("cairn help scan", Exit::Fine),
            ("cairn --version", Exit::Fine),
        ] {
            let answer = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(exit_of(&answer), exit, "{line}");
        }
    }
}
