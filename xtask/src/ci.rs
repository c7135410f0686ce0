//! `cargo xtask ci`: everything that must hold before a change is done, cheap steps first.
//!
//! The tests come last, so that their closing lines are near the end of what is read. Every step uses the lock file as
//! it is, and the whole run leaves nothing behind outside `target/`: git is asked before and after.

use crate::Failure;
use crate::checkout::Checkout;
use crate::output::say;
use crate::step::{Steps, TestTotals, run_command, run_tests};
use crate::{fuzz, tidy};

/// Runs all steps and stops at the first that fails.
///
/// # Errors
/// The step that failed, or a file that the run left behind.
pub(crate) fn run(checkout: &Checkout) -> Result<(), Failure> {
    let before = git_status(checkout)?;
    let mut steps = Steps::default();
    let mut totals = TestTotals::default();
    let outcome = run_steps(checkout, &mut steps, &mut totals).and_then(|()| {
        steps.run("nothing left behind", || {
            same_status(&before, &git_status(checkout)?)
        })
    });
    steps.print_times();
    if totals.programs > 0 {
        say(format_args!("tests: {totals}"));
    }
    outcome?;
    say(format_args!("ci: ok"));
    Ok(())
}

fn run_steps(
    checkout: &Checkout,
    steps: &mut Steps,
    totals: &mut TestTotals,
) -> Result<(), Failure> {
    let cargo = |arguments: &str| {
        let mut command = checkout.cargo();
        command.args(arguments.split(' '));
        command
    };
    steps.run("format", || run_command(&mut cargo("fmt --all --check")))?;
    steps.run("tidy", || tidy::run(checkout, false))?;
    steps.run("lints", || {
        run_command(&mut cargo(
            "clippy --locked --workspace --all-targets -- -D warnings",
        ))
    })?;
    steps.run("docs", || {
        run_command(cargo("doc --locked --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    steps.run("benches compile", || {
        run_command(&mut cargo("bench --locked --workspace --benches --no-run"))
    })?;
    steps.run("fuzz smoke", || fuzz::smoke(checkout))?;
    steps.run("interleavings", || {
        // Built apart, for locks and threads are others there.
        run_command(
            cargo("test --locked -p commitlog --test interleavings")
                .env("RUSTFLAGS", "--cfg shuttle")
                .env("CARGO_TARGET_DIR", "target/interleavings"),
        )
    })?;
    steps.run("tests", || {
        run_tests(
            &mut cargo("test --locked --workspace --no-fail-fast"),
            totals,
        )
    })
}

/// What git sees as changed or new; `None` where this is no checkout of git.
fn git_status(checkout: &Checkout) -> Result<Option<String>, Failure> {
    if !checkout.has(".git") {
        say(format_args!("no git here: files left behind go unseen"));
        return Ok(None);
    }
    let output = checkout
        .command("git")
        .args(["status", "--porcelain", "--untracked-files=all"])
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "git status: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into());
    }
    Ok(Some(String::from_utf8(output.stdout)?))
}

/// Fails on every line that only one of the two has.
fn same_status(before: &Option<String>, after: &Option<String>) -> Result<(), Failure> {
    let lines = |status: &Option<String>| -> Vec<String> {
        status
            .iter()
            .flat_map(|status| status.lines().map(str::to_owned))
            .collect()
    };
    let (before, after) = (lines(before), lines(after));
    let differing: Vec<&str> = before
        .iter()
        .filter(|line| !after.contains(line))
        .chain(after.iter().filter(|line| !before.contains(line)))
        .map(String::as_str)
        .collect();
    if differing.is_empty() {
        Ok(())
    } else {
        Err(format!("the run changed {}", differing.join(", ")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_leaves_behind_is_caught() {
        let status = |text: &str| Some(text.to_owned());
        assert!(same_status(&status(" M a\n"), &status(" M a\n")).is_ok());
        assert!(same_status(&None, &None).is_ok());
        let failure = same_status(&status(" M a\n"), &status(" M a\n?? b\n")).unwrap_err();
        assert_eq!(failure.to_string(), "the run changed ?? b");
        let failure = same_status(&status(" M a\n"), &status("")).unwrap_err();
        assert_eq!(failure.to_string(), "the run changed  M a");
    }
}
