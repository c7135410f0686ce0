//! What a chore says, on the way to whoever reads it.

use std::fmt::Arguments;
use std::io::{self, Write};

/// Prints a line. A reader that has gone, as `head` does, is not told the rest: what counts then is how the chore ends.
pub(crate) fn say(line: Arguments<'_>) {
    say_to(&mut io::stdout().lock(), line);
}

/// The same for what went wrong.
pub(crate) fn complain(line: Arguments<'_>) {
    say_to(&mut io::stderr().lock(), line);
}

fn say_to(output: &mut impl Write, line: Arguments<'_>) {
    // There is nobody else to tell.
    drop(writeln!(output, "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    struct ClosedPipe;

    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_passed_over() {
        say_to(&mut ClosedPipe, format_args!("line {}", 1));
        let mut heard = Vec::new();
        say_to(&mut heard, format_args!("line {}", 1));
        assert_eq!(heard, b"line 1\n");
    }
}
