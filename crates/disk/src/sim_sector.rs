//! One sector's worth of bytes, shared by all disks that hold it.

use std::sync::{Arc, LazyLock};

use crate::sim_hash::Hash;

/// The unit that a power cut leaves old or new as a whole, in bytes.
pub(crate) const SECTOR_BYTES: usize = 512;

/// The bytes of a sector and their hash, fixed once made.
pub(crate) struct Sector {
    bytes: [u8; SECTOR_BYTES],
    hash: u64,
}

/// The content of one sector at one time. A hole reads as zero and takes no space.
#[derive(Clone, Default)]
pub(crate) struct Version(Option<Arc<Sector>>);

const ZERO: Sector = Sector {
    bytes: [0; SECTOR_BYTES],
    hash: Hash::new().add_bytes(&[0; SECTOR_BYTES]).get(),
};

impl Version {
    pub(crate) const HOLE: Version = Version(None);

    pub(crate) fn new(bytes: [u8; SECTOR_BYTES]) -> Self {
        let hash = Hash::new().add_bytes(&bytes).get();
        if hash == ZERO.hash && bytes == ZERO.bytes {
            return Version::reserved();
        }
        Version(Some(Arc::new(Sector { bytes, hash })))
    }

    /// Reserved space: reads as zero like a hole, but takes space.
    pub(crate) fn reserved() -> Self {
        // Files that are filled with zeros ahead of use are common, so all zeros are one.
        static SHARED: LazyLock<Arc<Sector>> = LazyLock::new(|| Arc::new(ZERO));
        Version(Some(Arc::clone(&SHARED)))
    }

    pub(crate) fn bytes(&self) -> &[u8; SECTOR_BYTES] {
        static ZEROS: [u8; SECTOR_BYTES] = [0; SECTOR_BYTES];
        self.0.as_ref().map_or(&ZEROS, |sector| &sector.bytes)
    }

    pub(crate) fn hash(&self) -> u64 {
        const ZERO_HASH: u64 = ZERO.hash;
        self.0.as_ref().map_or(ZERO_HASH, |sector| sector.hash)
    }

    pub(crate) fn is_hole(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.same(&Version::HOLE)
    }

    /// Whether both read the same.
    pub(crate) fn same(&self, other: &Version) -> bool {
        match (&self.0, &other.0) {
            (Some(left), Some(right)) if Arc::ptr_eq(left, right) => true,
            _ => self.hash() == other.hash() && self.bytes() == other.bytes(),
        }
    }
}
