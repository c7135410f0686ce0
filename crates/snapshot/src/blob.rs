//! A blob that was read: bytes that never change, owned or in a map.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytemuck::Zeroable;
use disk::Map;

use crate::damage::DamageKind;
use crate::error::{Error, Result};
use crate::format::PAGE_ALIGNMENT;
use crate::hash::Hash;
use crate::reference::Reference;

/// The bytes of one blob. Cheap to clone; keeps what it lies in alive. Pages (blobs of 32 KiB) are aligned to 4096
/// in memory if the disk's maps are, and always if they are owned.
#[derive(Clone)]
pub struct Blob {
    storage: Storage,
    length: u32,
    crc32c: u32,
    hash: Hash,
    /// The pack that it was read from, and where it stands there.
    file: Arc<Path>,
    byte_offset: u64,
}

#[derive(Clone)]
pub(crate) enum Storage {
    /// Invariant: `offset + length` of the blob lies inside of the map.
    Mapped { map: Map, offset: usize },
    /// Invariant: at least as long as the blob.
    Owned(Arc<OwnedBytes>),
}

impl Blob {
    /// What a reference stands for, as it is: with this crc32c if it is not compressed any more.
    pub(crate) fn new(
        storage: Storage,
        crc32c: u32,
        file: &Arc<Path>,
        reference: &Reference,
    ) -> Self {
        Blob {
            storage,
            length: reference.length,
            crc32c,
            hash: reference.hash,
            file: Arc::clone(file),
            byte_offset: reference.offset,
        }
    }

    /// The content. Whether it was checked, the call of load says; if not, [`Blob::check`] does.
    pub fn bytes(&self) -> &[u8] {
        self.storage.bytes(self.length as usize)
    }

    /// The crc32c that the content must have.
    pub fn crc32c(&self) -> u32 {
        self.crc32c
    }

    /// The blake3 hash that the content must have.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether the bytes lie in a map of the file (and not in memory of their own).
    pub fn is_mapped(&self) -> bool {
        matches!(self.storage, Storage::Mapped { .. })
    }

    /// The file that it was read from, and the byte at which it begins there.
    pub fn stored_at(&self) -> (&Path, u64) {
        (&self.file, self.byte_offset)
    }

    /// Checks that the content has its crc32c.
    ///
    /// # Errors
    /// [`Error::Damaged`], which names the file that it was read from, and where it stands there.
    pub fn check(&self) -> Result<()> {
        let (expected, found) = (self.crc32c, crc32c::crc32c(self.bytes()));
        if expected == found {
            return Ok(());
        }
        let kind = DamageKind::Checksum { expected, found };
        Err(Error::damaged(&self.file, self.byte_offset, kind))
    }
}

impl Storage {
    pub(crate) fn bytes(&self, length: usize) -> &[u8] {
        match self {
            Storage::Mapped { map, offset } => &map[*offset..*offset + length],
            Storage::Owned(owned) => &owned.bytes()[..length],
        }
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Blob({} bytes, {})", self.length, self.hash)
    }
}

/// Memory of its own.
pub(crate) enum OwnedBytes {
    Small(Box<[u8]>),
    /// For pages.
    Aligned(Box<[Block]>),
}

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(4096))]
pub(crate) struct Block([u8; PAGE_ALIGNMENT]);

const _: () = assert!(align_of::<Block>() == PAGE_ALIGNMENT);

impl OwnedBytes {
    /// Zeros, aligned if `length` is a multiple of the alignment.
    pub(crate) fn zeroed(length: usize) -> Self {
        if length.is_multiple_of(PAGE_ALIGNMENT) {
            let blocks = vec![Block::zeroed(); length / PAGE_ALIGNMENT];
            return OwnedBytes::Aligned(blocks.into_boxed_slice());
        }
        OwnedBytes::Small(vec![0; length].into_boxed_slice())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            OwnedBytes::Small(bytes) => bytes,
            OwnedBytes::Aligned(blocks) => bytemuck::cast_slice(blocks),
        }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            OwnedBytes::Small(bytes) => bytes,
            OwnedBytes::Aligned(blocks) => bytemuck::cast_slice_mut(blocks),
        }
    }
}
