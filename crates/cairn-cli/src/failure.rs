//! Why a verb did not come to its end.

use std::fmt;
use std::io;

use crate::csv_error::CsvError;
use crate::exit::Exit;

/// What stopped a verb: how the command ends, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Whoever read our output has gone, as `head` does. There is nothing to say and nothing wrong.
    ClosedPipe,
    /// The verb cannot do it.
    Refused(String),
    /// Bytes on disk are not what was written.
    Damaged(String),
    /// Another process holds the database; the text names it.
    Locked(String),
}

impl Failure {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::ClosedPipe => Exit::Fine,
            Failure::Refused(_) => Exit::Refused,
            Failure::Damaged(_) => Exit::Damaged,
            Failure::Locked(_) => Exit::Locked,
        }
    }

    /// The verb refuses, saying so.
    pub fn refused(message: impl fmt::Display) -> Failure {
        Failure::Refused(message.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::ClosedPipe => formatter.write_str("the output was closed"),
            Failure::Refused(message) | Failure::Damaged(message) | Failure::Locked(message) => {
                formatter.write_str(message)
            }
        }
    }
}

impl std::error::Error for Failure {}

/// An error of our own output; files have errors that name them.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::refused(error),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        // An output error inside keeps its kind on the way.
        Failure::from(io::Error::from(error))
    }
}

impl From<CsvError> for Failure {
    fn from(error: CsvError) -> Failure {
        Failure::refused(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output whose reader has gone.
    struct Closed;

    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let plain = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(plain, Failure::ClosedPipe);
        let through_json = Failure::from(serde_json::to_writer(Closed, "text").unwrap_err());
        assert_eq!(through_json, Failure::ClosedPipe);
        assert_eq!(plain.exit(), Exit::Fine);
    }

    #[test]
    fn any_other_error_of_the_output_is_one() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(failure.exit(), Exit::Refused);
        assert_eq!(Failure::Damaged(String::new()).exit(), Exit::Damaged);
        assert_eq!(Failure::Locked(String::new()).exit(), Exit::Locked);
    }
}
