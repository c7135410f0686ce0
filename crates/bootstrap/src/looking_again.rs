//! Looking at a directory that a writer changes at the same time: what was read at different moments may not fit together.
//!
//! Damage that is there stays the same, and is found twice. So is whatever else can not be told from a writer's work: a file that
//! was listed and is gone, a snapshot or a part of the log that is missing.

use std::path::Path;

use crate::error::{Error, ErrorClass, Result};

/// How often a directory that changes while it is looked at is looked at again.
const ATTEMPTS_MAX: usize = 8;

/// Does `attempt` until there is no doubt about what it finds, or twice the same one. It writes down what it has seen that is
/// doubtful, on success and beside an error.
///
/// # Errors
/// Those of `attempt`; [`Error::Restless`] if each attempt finds something else.
pub(crate) fn look_again<T>(
    dir: &Path,
    mut attempt: impl FnMut(&mut String) -> Result<T>,
) -> Result<T> {
    let mut before = String::new();
    for _ in 0..ATTEMPTS_MAX {
        let mut doubt = String::new();
        let found = attempt(&mut doubt);
        let is_certain = match &found {
            Ok(_) => doubt.is_empty(),
            Err(error) => {
                doubt.push_str(&error.to_string());
                !may_pass(error)
            }
        };
        if is_certain || doubt == before {
            return found;
        }
        before = doubt;
    }
    let path = dir.to_path_buf();
    Err(Error::Restless { path })
}

fn may_pass(error: &Error) -> bool {
    match error {
        Error::Disk(error) | Error::Log(commitlog::Error::Io(error)) => error.is_not_found(),
        Error::Snapshot(snapshot::Error::Io(error)) => error.is_not_found(),
        Error::Log(commitlog::Error::Pruned { .. }) | Error::Restless { .. } => true,
        _ => error.class() == ErrorClass::Damage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(tx: u64) -> Error {
        Error::NoGenesis {
            file: tx.to_string().into(),
        }
    }

    /// Finds these, the last one again and again. Yields what came of it, and how many were asked for.
    fn look(results: &[fn(usize) -> Result<&'static str>]) -> (Result<&'static str>, usize) {
        let mut asked = 0;
        let attempt = |doubt: &mut String| {
            let result = results[asked.min(results.len() - 1)](asked);
            asked += 1;
            doubt.push_str(result.as_ref().unwrap_or(&""));
            result
        };
        let result = look_again(Path::new("."), attempt);
        (result, asked)
    }

    #[test]
    fn a_doubt_counts_when_it_is_found_twice() {
        let (result, asked) = look(&[|_| Err(damage(1)), |_| Err(damage(2)), |_| Ok("")]);
        assert_eq!((result.ok(), asked), (Some(""), 3));
        let (result, asked) = look(&[|_| Err(damage(1)), |_| Err(damage(2))]);
        assert!(matches!(result, Err(Error::NoGenesis { .. })));
        assert_eq!(asked, 3);
        let (result, asked) = look(&[|_| Ok("odd"), |_| Err(damage(2)), |_| Ok("odd")]);
        assert_eq!((result.ok(), asked), (Some("odd"), 4));
        assert_eq!(look(&[|_| Err(Error::Poisoned), |_| Ok("")]).1, 1);
    }

    #[test]
    fn what_is_never_the_same_is_no_damage() {
        let (result, asked) = look(&[|asked| Err(damage(asked as u64))]);
        assert!(matches!(result, Err(Error::Restless { .. })), "{result:?}");
        assert_eq!(asked, ATTEMPTS_MAX);
    }
}
