//! One timed step of a chore: a command that must succeed.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::output::say;

/// The steps of a run, as far as it came.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Carries out a step, printing its name before and its time after.
    ///
    /// # Errors
    /// What the step failed with, under its name.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        say(format_args!("\n=== {name}"));
        let start = Instant::now();
        let outcome = step();
        let time = start.elapsed();
        say(format_args!(
            "=== {name}: {}, {:.1} s",
            if outcome.is_ok() { "ok" } else { "FAILED" },
            time.as_secs_f64()
        ));
        self.done.push((name, time));
        outcome.map_err(|failure| format!("{name}: {failure}").into())
    }

    /// Prints all times.
    pub(crate) fn print_times(&self) {
        say(format_args!(""));
        for (name, time) in &self.done {
            say(format_args!("{name:<20} {:8.1} s", time.as_secs_f64()));
        }
        let total: Duration = self.done.iter().map(|(_, time)| *time).sum();
        say(format_args!("{:<20} {:8.1} s", "all", total.as_secs_f64()));
    }
}

/// Runs a command to its end, its output on ours.
///
/// # Errors
/// A command that cannot start or ends with anything but 0.
pub(crate) fn run_command(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    say(format_args!("$ {shown}"));
    let status = command
        .status()
        .map_err(|error| format!("{shown}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown}: {status}").into())
    }
}

/// Like [`run_command`], and sums up the closing lines of the test runner.
pub(crate) fn run_tests(command: &mut Command, totals: &mut TestTotals) -> Result<(), Failure> {
    let shown = shown(command);
    say(format_args!("$ {shown}"));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{shown}: {error}"))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            say(format_args!("{line}"));
            totals.add_line(&line);
        }
    }
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown}: {status}").into())
    }
}

fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    // The program is a long path of the toolchain; its name says enough.
    let mut shown = program.rsplit('/').next().unwrap_or(&program).to_owned();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shown = format!(
                "{}={} {shown}",
                name.to_string_lossy(),
                value.to_string_lossy()
            );
        }
    }
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

/// The sums over all `test result:` lines of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TestTotals {
    /// Test programs that ran to their closing line.
    pub(crate) programs: u64,
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that were skipped.
    pub(crate) ignored: u64,
}

impl TestTotals {
    /// Adds a line of the runner; any but a closing line changes nothing.
    fn add_line(&mut self, line: &str) {
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|line| line.split_once(". "))
        else {
            return;
        };
        self.programs += 1;
        for part in counts.split("; ") {
            let Some((count, what)) = part.split_once(' ') else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for TestTotals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} passed; {} failed; {} ignored; in {} test programs",
            self.passed, self.failed, self.ignored, self.programs
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_up() {
        let mut totals = TestTotals::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 4 passed; 1 failed; 2 ignored; 0 measured; 9 filtered out; finished in 1.00s",
        ] {
            totals.add_line(line);
        }
        assert_eq!(
            totals,
            TestTotals {
                programs: 2,
                passed: 7,
                failed: 1,
                ignored: 2
            }
        );
        assert_eq!(
            totals.to_string(),
            "7 passed; 1 failed; 2 ignored; in 2 test programs"
        );
    }

    #[test]
    fn a_failed_step_names_itself() {
        let mut steps = Steps::default();
        assert!(steps.run("good", || Ok(())).is_ok());
        let failure = steps.run("bad", || Err("why".into())).unwrap_err();
        assert_eq!(failure.to_string(), "bad: why");
        assert_eq!(steps.done.len(), 2);
    }
}
