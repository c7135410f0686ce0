//! `cairn schema`: how the tables are defined, and what leads from one database's tables to another's.

use std::path::Path;

use crate::cli::AtOption;
use crate::failure::Failure;
use crate::opening::open_to_read;
use crate::output::Output;
use crate::schema_options::{SchemaCompare, SchemaOptions};

/// Prints the definitions of all tables of users, or the steps from one database's to another's.
///
/// # Errors
/// [`Failure::Refused`] if no steps lead there without losing something; damage, the output's.
pub(crate) fn schema(options: &SchemaOptions, output: &mut Output) -> Result<(), Failure> {
    match (&options.compare, &options.dir) {
        (Some(SchemaCompare::Diff { dir, wanted }), _) => diff(dir, wanted, output),
        (None, Some(dir)) => {
            let view = open_to_read(dir, options.at)?.view();
            view.declaration()
                .tables()
                .iter()
                .try_for_each(|table| output.line(table))
        }
        (None, None) => Ok(()),
    }
}

fn diff(dir: &Path, wanted: &Path, output: &mut Output) -> Result<(), Failure> {
    let now = AtOption { at: None };
    let wanted = open_to_read(wanted, now)?.view().declaration();
    let migration = open_to_read(dir, now)?.view().plan_migration(&wanted)?;
    output.line(&migration)?;
    match migration.obstacles().len() {
        0 => Ok(()),
        obstacles => Err(Failure::Refused(format!(
            "{obstacles} differences can not be levelled without losing something"
        ))),
    }
}
