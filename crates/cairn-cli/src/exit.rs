//! How the command ends.

use std::process::ExitCode;

/// The exit codes; a script can rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well. A torn tail that was cut, and reported, is well too.
    Fine = 0,
    /// Wrong usage, or something that was refused and changed nothing.
    Refused = 1,
    /// Damage was found.
    Damaged = 2,
    /// Another process holds the database.
    Locked = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_fixed() {
        let codes = [Exit::Fine, Exit::Refused, Exit::Damaged, Exit::Locked].map(|exit| exit as u8);
        assert_eq!(codes, [0, 1, 2, 3]);
    }
}
