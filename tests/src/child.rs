//! The test binary run again as a process of its own, to be killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const DIR: &str = "CAIRN_TEST_CHILD_DIR";
const WAY: &str = "CAIRN_TEST_CHILD_WAY";

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl ChildProcess {
    /// Runs one test of this test binary in a process of its own; there, [`ChildProcess::orders`] yields the directory and the way.
    pub fn start(test: &str, dir: &Path, way: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(DIR, dir)
            .env(WAY, way)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        ChildProcess { child, lines }
    }

    /// In the child: where it works, and how. Nothing in a process that was not started as a child.
    pub fn orders() -> Option<(PathBuf, String)> {
        let dir = std::env::var_os(DIR)?;
        Some((PathBuf::from(dir), std::env::var(WAY).unwrap()))
    }

    /// In the child: says something to the parent, at once.
    pub fn say(what: &str, number: u64) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "@{what} {number}").unwrap();
        out.flush().unwrap();
    }

    /// Waits for the next thing that the child says; nothing once it is dead and everything was heard.
    pub fn hear(&mut self) -> Option<(String, u64)> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The first line shares its place with the name of the test; a line cut off by the kill does not count.
            let Some(said) = line
                .rsplit_once('@')
                .and_then(|(_, said)| said.strip_suffix('\n'))
            else {
                continue;
            };
            let (what, number) = said.split_once(' ').unwrap();
            return Some((what.to_owned(), number.parse().unwrap()));
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it: SIGKILL, it can do nothing about it. What it had said can still be heard.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
