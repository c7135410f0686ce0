//! The chores of the project: `cargo xtask {ci, tidy, format, fuzz, miri}`.
//!
//! They are a program of the workspace and not a pile of scripts, so that they run wherever the project builds and are
//! tested like the rest. `ci` is the one command to be sure; the others are its parts that are worth running alone, and
//! what takes longer or needs more than it may ask for.
//!
//! ```text
//! ci  ->  cargo fmt, clippy, doc, bench, test        tidy  ->  architecture (the tables), manifest (the edges),
//!     ->  tidy                                                 masked code, format page, forbidden text
//!     ->  fuzz, a few seeds                          fuzz  ->  the crates' own tests, for minutes
//! ```

mod checkout;
mod finding;
mod masked;
mod output;
mod source_file;
// What the documents and manifests say.
mod architecture;
mod manifest;
// What is checked.
mod edges;
mod format_page;
mod function_length;
mod licences;
mod package_count;
mod text_rules;
// The commands.
mod ci;
mod fuzz;
mod miri;
mod step;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::checkout::Checkout;
use crate::output::complain;

/// Any failure of a chore; its message is all that is done with it.
pub(crate) type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The chores of the project")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Check everything: formatting, lints, docs, layers, benches, fuzz smoke, tests
    Ci,
    /// Check what no compiler checks: the edges between crates, files that may use more, fresh docs
    Tidy {
        /// Print the lengths of files and functions, longest first
        #[arg(long)]
        report: bool,
    },
    /// Write docs/FORMAT.md from the heads of the format files
    Format,
    /// Run the seeded tests for minutes
    Fuzz(fuzz::FuzzOptions),
    /// Interpret the tests over unsafe code (needs a nightly toolchain with miri)
    Miri,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = Checkout::find().and_then(|checkout| match arguments.chore {
        Chore::Ci => ci::run(&checkout),
        Chore::Tidy { report } => tidy::run(&checkout, report),
        Chore::Format => format_page::write(&checkout),
        Chore::Fuzz(options) => fuzz::run(&checkout, &options),
        Chore::Miri => miri::run(&checkout),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(format_args!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}
