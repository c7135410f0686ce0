//! What can be said to `cairn schema`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::AtOption;

/// Options of `schema`.
#[derive(Debug, PartialEq, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SchemaOptions {
    /// Compare instead
    #[command(subcommand)]
    pub compare: Option<SchemaCompare>,
    /// The directory of the database
    #[arg(required = true)]
    pub dir: Option<PathBuf>,
    /// As it was after a transaction
    #[command(flatten)]
    pub at: AtOption,
}

/// What is compared.
#[derive(Debug, PartialEq, Subcommand)]
pub enum SchemaCompare {
    /// Show the steps that would give a database the tables of another one; nothing is changed
    Diff {
        /// The directory of the database that the steps would change
        dir: PathBuf,
        /// The directory of the database whose tables are wanted
        wanted: PathBuf,
    },
}
