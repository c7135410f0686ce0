//! The options of the verbs that keep a database: `snapshot`, `prune`, `repair`, `backup`, `restore`, `scrub`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{AtOption, JsonOption};

/// Options of `snapshot`.
#[derive(Debug, PartialEq, Args)]
pub struct SnapshotOptions {
    /// The directory of the database
    pub dir: PathBuf,
}

/// Options of `backup` and `restore`.
#[derive(Debug, PartialEq, Args)]
pub struct CopyOptions {
    /// The directory to copy from
    pub dir: PathBuf,
    /// The directory to copy to
    pub to: PathBuf,
    /// The point in the history.
    #[command(flatten)]
    pub at: AtOption,
}

/// Options of `prune`.
#[derive(Debug, PartialEq, Args)]
pub struct PruneOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// Say what would go and why the rest stays, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `repair`.
#[derive(Debug, PartialEq, Args)]
pub struct RepairOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// If the log can not be used, go on from the newest sound snapshot and give up what came after it
    #[arg(long)]
    pub from_snapshot: bool,
}

/// Options of `scrub`.
#[derive(Debug, PartialEq, Args)]
pub struct ScrubOptions {
    /// The directory of the database
    pub dir: PathBuf,
    /// Rewrite what is damaged and has a sound copy
    #[arg(long)]
    pub repair: bool,
    /// How to print.
    #[command(flatten)]
    pub json: JsonOption,
}
