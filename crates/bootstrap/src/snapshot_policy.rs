//! When snapshots are written by themselves, and what they let go.

use std::time::Duration;

/// When the database writes snapshots by itself. Whichever limit is met first counts; without any it never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SnapshotPolicy {
    /// After this many transactions since the last snapshot. Default: never.
    pub every_records: Option<u64>,
    /// After this many bytes of transactions since the last snapshot. Default: 256 MiB.
    pub every_bytes: Option<u64>,
    /// After this long since the last snapshot, if anything was committed. Default: never.
    pub every: Option<Duration>,
    /// So many bytes a second, at most, are read of the state, and read back of what was written. Default: no limit.
    pub bytes_per_second: Option<u64>,
    /// How many snapshots are kept; at least 2. Default: 2.
    pub keep: usize,
    /// Whether the log is pruned after a snapshot, as far as two good snapshots and [`SnapshotPolicy::keep_log_bytes`] allow. What is pruned can not be gone
    /// back to. Default: no.
    pub prune: bool,
    /// A prune leaves so many of the newest bytes of the log, less one segment at most, though snapshots hold what is in them: for incremental backups and for
    /// whoever follows the log, which go on from what it holds. Opening at an older transaction goes back as far as the oldest snapshot, whatever this is.
    /// Default: 0.
    pub keep_log_bytes: u64,
    /// Store pages compressed (LZ4), which takes less of the disk and more time: such a page can not be mapped, and is unpacked into memory when the database
    /// opens, whatever [`crate::SnapshotLoading`] says. It may be changed from one opening to the next. Default: no.
    pub compress: bool,
    /// After this long since the database was opened, or since the last time, all snapshots are read again, and what is damaged is rewritten from a sound
    /// copy, as [`crate::Database::scrub`] does. Default: never.
    pub scrub_every: Option<Duration>,
    /// So many bytes a second, at most, are read then. Default: 16 MiB.
    pub scrub_bytes_per_second: Option<u64>,
}

impl Default for SnapshotPolicy {
    fn default() -> Self {
        SnapshotPolicy {
            every_records: None,
            every_bytes: Some(256 << 20),
            every: None,
            bytes_per_second: None,
            keep: 2,
            prune: false,
            keep_log_bytes: 0,
            compress: false,
            scrub_every: None,
            scrub_bytes_per_second: Some(16 << 20),
        }
    }
}

impl SnapshotPolicy {
    /// No snapshot but those that are asked for.
    pub fn by_hand() -> Self {
        SnapshotPolicy {
            every_records: None,
            every_bytes: None,
            every: None,
            ..SnapshotPolicy::default()
        }
    }

    /// Whether snapshots are written without being asked for.
    pub(crate) fn is_automatic(&self) -> bool {
        self.every_records.is_some() || self.every_bytes.is_some() || self.every.is_some()
    }

    /// Whether a snapshot is due, so many transactions and bytes after the last one.
    pub(crate) fn is_due(&self, records: u64, bytes: u64) -> bool {
        records > 0
            && (self.every_records.is_some_and(|every| records >= every)
                || self.every_bytes.is_some_and(|every| bytes >= every))
    }

    /// How many snapshots are kept. Fewer than two would let one bad byte, after a prune, take rows for good.
    pub(crate) fn kept(&self) -> usize {
        self.keep.max(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_when_either_limit_is_met() {
        let policy = |every_records, every_bytes| SnapshotPolicy {
            every_records,
            every_bytes,
            ..SnapshotPolicy::by_hand()
        };
        let rows = [
            (None, None, u64::MAX, u64::MAX, false),
            (Some(10), None, 9, 1000, false),
            (Some(10), None, 10, 0, true),
            (None, Some(100), 50, 99, false),
            (None, Some(100), 1, 100, true),
            (Some(10), Some(100), 10, 1, true),
            (Some(10), Some(100), 1, 100, true),
            (Some(0), None, 0, 0, false),
            (Some(0), None, 1, 0, true),
        ];
        for (every_records, every_bytes, records, bytes, expected) in rows {
            assert_eq!(
                policy(every_records, every_bytes).is_due(records, bytes),
                expected
            );
        }
    }
}
