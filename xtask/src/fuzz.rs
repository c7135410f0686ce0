//! `cargo xtask fuzz`: the seeded tests of the crates, for minutes instead of a moment.
//!
//! A test whose name is or ends in `fuzz`, `recovery` or `life` reads three variables:
//!
//! ```text
//! CAIRN_SEEDS=N      try N seeds                  (a small number by default)
//! CAIRN_MINUTES=N    go on with new seeds for N minutes
//! CAIRN_SEED=S       try only the seed S: how a failure is replayed
//! ```

use crate::Failure;
use crate::checkout::Checkout;
use crate::output::say;
use crate::step::run_command;

/// Test files that take seeds, by the end of their names.
const SEEDED_TESTS: [&str; 3] = ["fuzz", "recovery", "life"];

/// The first of them, as a pattern for cargo.
const FUZZ_TESTS: &str = "*fuzz";

/// Enough seeds to see that a fuzz target still works.
const SMOKE_SEEDS: &str = "50";

/// What to run, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct FuzzOptions {
    /// Only this package
    #[arg(value_name = "CRATE")]
    package: Option<String>,
    /// Minutes for each file of seeded tests
    #[arg(long, value_name = "N", default_value_t = 5)]
    minutes: u32,
    /// Replay this one seed instead
    #[arg(long, value_name = "S", conflicts_with = "minutes")]
    seed: Option<u64>,
}

/// Runs the seeded tests one package after the other.
///
/// # Errors
/// A package without seeded tests, or a seed that fails.
pub(crate) fn run(checkout: &Checkout, options: &FuzzOptions) -> Result<(), Failure> {
    let targets: Vec<(String, String)> = seeded_tests(checkout)?
        .into_iter()
        .filter(|(package, _)| {
            options
                .package
                .as_ref()
                .is_none_or(|wanted| wanted == package)
        })
        .collect();
    if targets.is_empty() {
        return Err("no such package has tests of that kind".into());
    }
    for (package, test) in targets {
        let mut command = checkout.cargo();
        command.args(["test", "-p", &package, "--test", &test]);
        match options.seed {
            Some(seed) => command.env("CAIRN_SEED", seed.to_string()),
            None => command.env("CAIRN_MINUTES", options.minutes.to_string()),
        };
        // What a seeded test prints, the seeds above all, is of use while it runs.
        run_command(command.args(["--", "--nocapture"]))?;
    }
    Ok(())
}

/// All fuzz targets on a few seeds.
///
/// # Errors
/// A seed that fails.
pub(crate) fn smoke(checkout: &Checkout) -> Result<(), Failure> {
    if !seeded_tests(checkout)?
        .iter()
        .any(|(_, test)| test.ends_with("fuzz"))
    {
        say(format_args!("no crate has a fuzz test"));
        return Ok(());
    }
    // The whole workspace at once, so that dependencies are built with the features that all other steps use.
    let mut command = checkout.cargo();
    command
        .args(["test", "--locked", "--workspace", "--test", FUZZ_TESTS])
        .env("CAIRN_SEEDS", SMOKE_SEEDS);
    run_command(&mut command)
}

/// Package and test of every seeded test file.
fn seeded_tests(checkout: &Checkout) -> Result<Vec<(String, String)>, Failure> {
    let mut tests = Vec::new();
    for manifest in checkout.manifests()? {
        let files = checkout.file_names(&format!("{}/tests", manifest.folder))?;
        let names = files.iter().filter_map(|file| seeded_test(file));
        tests.extend(names.map(|test| (manifest.name.clone(), test.to_owned())));
    }
    Ok(tests)
}

/// The name of the test in a file, or in a folder with a `main.rs`, if it takes seeds.
fn seeded_test(entry: &str) -> Option<&str> {
    let test = entry.strip_suffix(".rs").unwrap_or(entry);
    let kind = test.rsplit('_').next()?;
    SEEDED_TESTS.contains(&kind).then_some(test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_tests_are_found_by_their_names() {
        for (entry, expected) in [
            ("fuzz.rs", Some("fuzz")),
            ("btree_fuzz.rs", Some("btree_fuzz")),
            ("recovery.rs", Some("recovery")),
            ("fuzzy.rs", None),
            ("fuzz_inputs.rs", None),
            ("behavior.rs", None),
            ("recovery", Some("recovery")),
            ("long_life.rs", Some("long_life")),
            ("fuzz.md", None),
        ] {
            assert_eq!(seeded_test(entry), expected, "{entry}");
        }
    }
}
