//! Looking at a directory that a writer changes at the same time: some errors pass if one looks again.

use crate::error::{Error, ErrorClass, Result};

/// How often a directory that changes while it is looked at is looked at again.
const ATTEMPTS_MAX: usize = 8;

/// Does `attempt` until it works, or fails with an error that looking again does not help against.
pub(crate) fn look_again<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut damage_before = None;
    for _ in 1..ATTEMPTS_MAX {
        let error = match attempt() {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if may_pass(&error) {
            continue;
        }
        // Files that were read at different moments may not fit together. Damage that is there stays the same, and is found twice.
        let damage = Some(error.to_string());
        if error.class() != ErrorClass::Damage || damage == damage_before {
            return Err(error);
        }
        damage_before = damage;
    }
    attempt()
}

/// Whether a file was not found, or less was found than had been: a writer may have pruned what had just been seen.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Disk(error) | Error::Log(commitlog::Error::Io(error)) => error.is_not_found(),
        Error::Snapshot(snapshot::Error::Io(error)) => error.is_not_found(),
        Error::Log(commitlog::Error::Pruned { .. }) => true,
        Error::NoStart { .. } | Error::LogBehindSnapshot { .. } => true,
        _ => false,
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

    /// Yields these results, the last one again and again, and says how many were asked for.
    fn look(results: &[fn() -> Result<()>]) -> (Result<()>, usize) {
        let mut asked = 0;
        let result = look_again(|| {
            let result = results[asked.min(results.len() - 1)]();
            asked += 1;
            result
        });
        (result, asked)
    }

    #[test]
    fn damage_counts_when_it_is_found_twice() {
        let (result, asked) = look(&[|| Err(damage(1)), || Err(damage(2)), || Ok(())]);
        assert!(result.is_ok());
        assert_eq!(asked, 3);
        let (result, asked) = look(&[|| Err(damage(1)), || Err(damage(2))]);
        assert!(matches!(result, Err(Error::NoGenesis { .. })));
        assert_eq!(asked, 3);
    }

    #[test]
    fn what_may_pass_is_waited_for_with_an_end() {
        let no_start = || {
            Err(Error::NoStart {
                base: commitlog::TxId(5),
                restorable: false,
            })
        };
        let (result, asked) = look(&[no_start, no_start, || Ok(())]);
        assert!(result.is_ok());
        assert_eq!(asked, 3);
        assert_eq!(look(&[no_start]).1, ATTEMPTS_MAX);
        assert_eq!(look(&[|| Err(Error::Poisoned), || Ok(())]).1, 1);
    }
}
