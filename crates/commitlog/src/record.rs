//! One transaction as it is read back.

use crate::chain::Chain;
use crate::tx_id::TxId;

/// A record of the log. It exists only with good checksums, the expected id and the continuing chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Its number.
    pub id: TxId,
    /// The wall-clock time its writer gave, nanoseconds since the epoch; nothing in the log depends on it. `None` if none was given, or `i64::MIN`,
    /// which stands for that in the files.
    pub time: Option<i64>,
    /// The chain after this record.
    pub chain: Chain,
    /// Whether the record is known to be on the medium. Only reading beyond the proven end, which is asked for
    /// explicitly or done by the writer itself, yields records that are not.
    pub proven: bool,
    /// What was appended, borrowed from the reader.
    pub payload: &'a [u8],
}

impl Record<'_> {
    /// A copy that owns its payload.
    pub fn to_owned_record(&self) -> OwnedRecord {
        OwnedRecord {
            id: self.id,
            time: self.time,
            chain: self.chain,
            proven: self.proven,
            payload: self.payload.to_vec(),
        }
    }
}

/// A [`Record`] that owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnedRecord {
    /// Its number.
    pub id: TxId,
    /// The wall-clock time its writer gave, nanoseconds since the epoch.
    pub time: Option<i64>,
    /// The chain after this record.
    pub chain: Chain,
    /// Whether the record is known to be on the medium.
    pub proven: bool,
    /// What was appended.
    pub payload: Vec<u8>,
}
