//! Torn, damaged or clean: the one place where that is decided.
//!
//! ```text
//! the first bytes that are    is there a       n < P ?    zeros to the
//! no frame: record n          next segment?               end of file?     verdict
//!
//!                             yes              -          -                damaged (unless n is where the next begins)
//!                             no               yes        -                damaged
//!                             no               no         yes              clean
//!                             no               no         no               torn
//! ```
//!
//! P is the proven end: the first id of which nothing proves that it had been synced.

use crate::tx_id::TxId;

/// All that the verdict depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The first record whose frame does not count.
    pub(crate) next: TxId,
    /// The proven end.
    pub(crate) proven: TxId,
    /// The base of the segment that follows, if there is one.
    pub(crate) successor: Option<TxId>,
    /// Whether only zeros stand from the frame of `next` to the end of the file.
    pub(crate) zeros_to_end: bool,
}

/// What the end of a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It ends where it should.
    Clean,
    /// A write was cut off. What begins there was never acknowledged as durable.
    Torn,
    /// Something that had been synced is not there.
    Damaged,
}

/// Decides what the end of a segment is.
pub(crate) fn verdict(finding: &Finding) -> Verdict {
    match finding.successor {
        Some(base) if finding.next == base => Verdict::Clean,
        Some(_) => Verdict::Damaged,
        None if finding.next < finding.proven => Verdict::Damaged,
        None if finding.zeros_to_end => Verdict::Clean,
        None => Verdict::Torn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        let rows = [
            (3, 3, Some(3), false, Verdict::Clean),
            (3, 3, Some(3), true, Verdict::Clean),
            (2, 3, Some(3), true, Verdict::Damaged),
            (2, 0, Some(3), false, Verdict::Damaged),
            (4, 3, Some(3), true, Verdict::Damaged),
            (2, 3, None, true, Verdict::Damaged),
            (2, 3, None, false, Verdict::Damaged),
            (3, 3, None, true, Verdict::Clean),
            (4, 3, None, true, Verdict::Clean),
            (3, 3, None, false, Verdict::Torn),
            (4, 3, None, false, Verdict::Torn),
        ];
        for (next, proven, successor, zeros_to_end, expected) in rows {
            let finding = Finding {
                next: TxId(next),
                proven: TxId(proven),
                successor: successor.map(TxId),
                zeros_to_end,
            };
            assert_eq!(verdict(&finding), expected, "{finding:?}");
        }
    }
}
