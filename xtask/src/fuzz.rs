//! `cargo xtask fuzz`: the seeded tests of the crates, for minutes instead of a moment.
//!
//! Every `tests/fuzz.rs`, and every `tests/recovery.rs`, is an ordinary test that reads three variables:
//!
//! ```text
//! CAIRN_SEEDS=N      try N seeds                  (a small number by default)
//! CAIRN_MINUTES=N    go on with new seeds for N minutes
//! CAIRN_SEED=S       try only the seed S: how a failure is replayed
//! ```

use crate::Failure;
use crate::checkout::Checkout;
use crate::manifest::Manifest;
use crate::step::run_command;

/// Test files that take seeds.
const SEEDED_TESTS: [&str; 2] = ["fuzz", "recovery"];

/// Enough seeds to see that a fuzz target still works.
const SMOKE_SEEDS: &str = "50";

/// What to run, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct FuzzOptions {
    /// Only this package
    #[arg(value_name = "CRATE")]
    package: Option<String>,
    /// Minutes for each seeded test
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
    let manifests = checkout.manifests()?;
    let targets: Vec<(String, &str)> = seeded_tests(&manifests, |path| checkout.has(path))
        .into_iter()
        .filter(|(package, _)| {
            options
                .package
                .as_ref()
                .is_none_or(|wanted| wanted == package)
        })
        .collect();
    if targets.is_empty() {
        return Err("no such package has tests/fuzz.rs or tests/recovery.rs".into());
    }
    for (package, test) in targets {
        let mut command = checkout.cargo();
        command.args(["test", "-p", &package, "--test", test]);
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
    let manifests = checkout.manifests()?;
    if !seeded_tests(&manifests, |path| checkout.has(path))
        .iter()
        .any(|(_, test)| *test == "fuzz")
    {
        println!("no crate has a tests/fuzz.rs");
        return Ok(());
    }
    // The whole workspace at once, so that dependencies are built with the features that all other steps use.
    let mut command = checkout.cargo();
    command
        .args(["test", "--locked", "--workspace", "--test", "fuzz"])
        .env("CAIRN_SEEDS", SMOKE_SEEDS);
    run_command(&mut command)
}

/// Package and test of every seeded test file that exists.
fn seeded_tests(
    manifests: &[Manifest],
    exists: impl Fn(&str) -> bool,
) -> Vec<(String, &'static str)> {
    manifests
        .iter()
        .flat_map(|manifest| SEEDED_TESTS.map(|test| (manifest, test)))
        .filter(|(manifest, test)| exists(&format!("{}/tests/{test}.rs", manifest.folder)))
        .map(|(manifest, test)| (manifest.name.clone(), test))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_tests_are_found_by_their_files() {
        let manifest = |folder: &str, name: &str| {
            Manifest::parse(folder, &format!("[package]\nname = \"{name}\"\n")).unwrap()
        };
        let manifests = [
            manifest("crates/log", "log"),
            manifest("crates/disk", "disk"),
            manifest("tests", "all"),
        ];
        let files = [
            "crates/log/tests/recovery.rs",
            "crates/log/tests/fuzz.rs",
            "tests/tests/fuzz.rs",
        ];
        let found = seeded_tests(&manifests, |path| files.contains(&path));
        let expected = [("log", "fuzz"), ("log", "recovery"), ("all", "fuzz")];
        assert_eq!(
            found,
            expected.map(|(package, test)| (package.to_owned(), test))
        );
    }
}
