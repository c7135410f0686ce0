//! The names of segment files.

use crate::tx_id::TxId;

const SUFFIX: &str = ".log";
const TEMPORARY_SUFFIX: &str = ".log.tmp";
const DIGITS: usize = 20;

/// The name of the segment whose first record is `base`.
pub(crate) fn segment_name(base: TxId) -> String {
    format!("{:0DIGITS$}{SUFFIX}", base.0)
}

/// The name of a segment that is still being made.
pub(crate) fn temporary_name(base: TxId) -> String {
    format!("{:0DIGITS$}{TEMPORARY_SUFFIX}", base.0)
}

/// Whose segment a name stands for; `None` for names that are not ours.
pub(crate) fn parse_segment_name(name: &str) -> Option<TxId> {
    parse(name, SUFFIX)
}

/// Whether a name is one that only an unfinished segment of this crate has.
pub(crate) fn is_temporary_name(name: &str) -> bool {
    parse(name, TEMPORARY_SUFFIX).is_some()
}

fn parse(name: &str, suffix: &str) -> Option<TxId> {
    let digits = name.strip_suffix(suffix)?;
    let all_digits = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits {
        return None;
    }
    digits.parse().ok().map(TxId)
}
