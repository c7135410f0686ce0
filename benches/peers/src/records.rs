//! The records that everybody writes, and the check that they come back.

/// Makes records: an id in 8 bytes, then bytes that do not compress and are the same in each.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    bytes: usize,
}

impl Records {
    pub(crate) fn new(bytes: usize) -> Self {
        assert!(bytes > 8);
        Records { bytes }
    }

    /// So many records whose ids are still to be set by [`stamp`].
    pub(crate) fn make(&self, count: usize) -> Vec<Vec<u8>> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let pattern: Vec<u8> = (0..self.bytes)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect();
        vec![pattern; count]
    }

    /// Counts and compares what comes back; panics where it is not what was written, or not all.
    pub(crate) fn check(&self, count: u64, replay: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let pattern = self.make(1).remove(0);
        let mut ids = Vec::new();
        replay(&mut |record| {
            assert!(record[8..] == pattern[8..], "another record came back");
            ids.push(id_of(record));
        });
        ids.sort_unstable();
        assert!(
            ids.iter().copied().eq(0..count),
            "{} records came back, not the {count} that were written",
            ids.len()
        );
    }
}

/// Numbers the records from `first` on.
pub(crate) fn stamp(records: &mut [Vec<u8>], first: u64) {
    for (record, id) in records.iter_mut().zip(first..) {
        record[..8].copy_from_slice(&id.to_le_bytes());
    }
}

/// The id that stands in a record.
pub(crate) fn id_of(record: &[u8]) -> u64 {
    u64::from_le_bytes(*record.first_chunk().expect("a record begins with its id"))
}
