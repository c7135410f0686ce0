//! A bar that shows how far a long work has come, where a person is watching.

use std::io::{IsTerminal, Read, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar over bytes; invisible unless the error output is a terminal.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over `bytes` bytes, visible on a terminal only.
    pub fn new(label: &'static str, bytes: u64) -> Progress {
        if !stderr().is_terminal() {
            return Progress::hidden();
        }
        let bar = ProgressBar::new(bytes).with_message(label);
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {percent:>3} %, {eta} left");
        Progress {
            bar: style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)),
        }
    }

    /// A bar that nobody sees.
    pub fn hidden() -> Progress {
        Progress {
            bar: ProgressBar::hidden(),
        }
    }

    /// A reader that moves the bar by what is read from it.
    pub fn counting<R: Read>(&self, reader: R) -> impl Read + use<R> {
        self.bar.wrap_read(reader)
    }

    /// Moves the bar to so many bytes of so many.
    pub fn show(&self, bytes: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(bytes);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_moves_with_what_is_read() {
        let progress = Progress::hidden();
        let mut text = String::new();
        progress
            .counting(&b"12345"[..])
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "12345");
        assert_eq!(progress.bar.position(), 5);
    }

    #[test]
    fn the_bar_shows_what_it_is_told() {
        let progress = Progress::hidden();
        for (bytes, all) in [(0, 7), (3, 9), (9, 9)] {
            progress.show(bytes, all);
            let shown = (progress.bar.position(), progress.bar.length());
            assert_eq!(shown, (bytes, Some(all)));
        }
    }
}
