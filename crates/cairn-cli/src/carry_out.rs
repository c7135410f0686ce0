//! From a verb to what does it.

use crate::cli::Verb;
use crate::failure::Failure;
use crate::output::Output;
use crate::{
    backup, demo, demo_writer, digest, export, import, info, log, prune, repair, scan, schema,
    scrub, snapshot_verb, snapshots, tables, verify,
};

/// Carries out a verb and writes its answer to the standard output.
///
/// # Errors
/// What stopped it; see [`Failure`].
pub fn carry_out(verb: &Verb) -> Result<(), Failure> {
    let mut output = Output::standard();
    let done = match verb {
        Verb::Demo(options) => demo::demo(options, &mut output),
        Verb::DemoWriter(options) => demo_writer::demo_writer(&options.dir, &mut output),
        Verb::Import(options) => import::import(options, &mut output),
        Verb::Export(options) => export::export(options, &mut output),
        Verb::Info(options) => info::info(options, &mut output),
        Verb::Tables(options) => tables::tables(options, &mut output),
        Verb::Schema(options) => schema::schema(options, &mut output),
        Verb::Scan(options) => scan::scan(options, &mut output),
        Verb::Log(options) => log::log(options, &mut output),
        Verb::Snapshot(options) => snapshot_verb::snapshot(options, &mut output),
        Verb::Snapshots(options) => snapshots::snapshots(options, &mut output),
        Verb::Prune(options) => prune::prune(options, &mut output),
        Verb::Repair(options) => repair::repair(options, &mut output),
        Verb::Backup(options) => backup::backup(options, &mut output),
        Verb::Restore(options) => backup::restore(options, &mut output),
        Verb::Scrub(options) => scrub::scrub(options, &mut output),
        Verb::Verify(options) => verify::verify(options, &mut output),
        Verb::Digest(options) => digest::digest(options, &mut output),
    };
    done.and(output.flush())
}
