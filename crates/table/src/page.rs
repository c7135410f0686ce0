//! One page: 32 KiB that are owned, or borrowed from a read-only map.
//!
//! ```text
//!   Page ──owned──────> Arc<PageBuf>            copied into a frame when it comes among the others
//!     └──borrowed─────> source + checksum       stays where it is; verified once, on first use; copied into a frame when it is
//!                                               first written
//! ```

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use crate::damaged::DamageKind;
use crate::page_format::{PAGE_HEADER_BYTES, PageHeader};

/// The size of every page, in bytes.
pub const PAGE_BYTES: usize = 32 * 1024;

/// The alignment of a page in memory, in bytes: what Arrow asks of its buffers.
const PAGE_ALIGNMENT: usize = 64;

/// The bytes of a page, aligned to 64 bytes, so that columns inside can be read as typed slices.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub struct PageBuf {
    bytes: [u8; PAGE_BYTES],
}

const _: () = assert!(size_of::<PageBuf>() == PAGE_BYTES);
const _: () = assert!(align_of::<PageBuf>() == PAGE_ALIGNMENT);

impl PageBuf {
    /// A page of zeros, made on the heap.
    pub fn zeroed() -> Box<PageBuf> {
        bytemuck::zeroed_box()
    }

    /// A copy of `bytes`, made on the heap.
    pub fn copied_from(bytes: &[u8; PAGE_BYTES]) -> Box<PageBuf> {
        Box::write(Box::new_uninit(), PageBuf { bytes: *bytes })
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8; PAGE_BYTES] {
        &self.bytes
    }

    /// The bytes, to be written.
    #[inline]
    pub fn as_bytes_mut(&mut self) -> &mut [u8; PAGE_BYTES] {
        &mut self.bytes
    }

    /// The CRC-32C of the whole page, which a borrowed page is checked against.
    pub fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.bytes)
    }
}

/// A page reads as its header, too.
impl Deref for PageBuf {
    type Target = PageHeader;

    #[inline]
    fn deref(&self) -> &PageHeader {
        let header: &[u8; PAGE_HEADER_BYTES] = self.bytes.first_chunk().expect("it is longer");
        bytemuck::cast_ref(header)
    }
}

impl DerefMut for PageBuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut PageHeader {
        let header = self.bytes.first_chunk_mut::<PAGE_HEADER_BYTES>();
        bytemuck::cast_mut(header.expect("it is longer"))
    }
}

impl std::fmt::Debug for PageBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageBuf")
            .field("checksum", &self.checksum())
            .finish_non_exhaustive()
    }
}

/// Something that holds the bytes of one page and never changes them: a piece of a map, mostly.
pub trait PageBytes: Send + Sync {
    /// The bytes: exactly [`PAGE_BYTES`] of them. They should be aligned to 64 bytes; a page that is not
    /// is copied on first use.
    fn page_bytes(&self) -> &[u8];

    /// Where they are stored, to be told if they are damaged: a file and a byte.
    fn stored_at(&self) -> Option<Arc<str>> {
        None
    }
}

/// A page by itself, as it goes into and comes out of [`Pages`](crate::Pages). Cheap to clone; never written.
#[derive(Clone)]
pub struct Page(Source);

#[derive(Clone)]
enum Source {
    Owned(Arc<PageBuf>),
    Borrowed(Arc<BorrowedPage>),
}

struct BorrowedPage {
    source: Arc<dyn PageBytes>,
    checksum: u32,
    /// What the first use found: the page is sound where it lies, or sound and copied because it lies badly
    /// aligned, or damaged for good.
    verdict: OnceLock<Result<Option<Arc<PageBuf>>, DamageKind>>,
}

impl Page {
    /// An owned page of zeros.
    pub fn zeroed() -> Page {
        Page(Source::Owned(bytemuck::zeroed_arc()))
    }

    /// An owned page with the bytes of `bytes`.
    pub fn owned(bytes: Box<PageBuf>) -> Page {
        Page(Source::Owned(Arc::from(bytes)))
    }

    /// A page whose bytes lie in `source` and must have the CRC-32C `checksum`. Nothing is read before
    /// the first use.
    pub fn borrowed(source: Arc<dyn PageBytes>, checksum: u32) -> Page {
        Page(Source::Borrowed(Arc::new(BorrowedPage {
            source,
            checksum,
            verdict: OnceLock::new(),
        })))
    }

    /// A borrowed page whose bytes have been verified.
    pub fn borrowed_verified(source: Arc<dyn PageBytes>, checksum: u32) -> Page {
        let page = BorrowedPage {
            source,
            checksum,
            verdict: OnceLock::new(),
        };
        let verdict = page.lie();
        Page(Source::Borrowed(Arc::new(BorrowedPage {
            verdict: verdict.into(),
            ..page
        })))
    }

    /// The bytes. The first use of a borrowed page verifies its checksum; a page that fails stays damaged.
    ///
    /// # Errors
    /// `Checksum` or `Length`, of a borrowed page only.
    #[inline]
    pub fn bytes(&self) -> Result<&PageBuf, DamageKind> {
        match &self.0 {
            Source::Owned(page) => Ok(page),
            Source::Borrowed(page) => page.bytes(),
        }
    }

    /// A copy of the bytes, verified again if they are borrowed: where they lie they may have gone bad since, and what is written on goes
    /// on without them.
    pub(crate) fn copy_verified(&self) -> Result<Box<PageBuf>, DamageKind> {
        let copy = PageBuf::copied_from(self.bytes()?.as_bytes());
        match &self.0 {
            Source::Borrowed(page) => page.expect(copy.checksum()).map(|()| copy),
            Source::Owned(_) => Ok(copy),
        }
    }

    /// Whether the page is borrowed, that is, was not written since it was restored.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.0, Source::Borrowed(_))
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page")
            .field("borrowed", &self.is_borrowed())
            .finish_non_exhaustive()
    }
}

impl BorrowedPage {
    fn bytes(&self) -> Result<&PageBuf, DamageKind> {
        match self.verdict.get_or_init(|| self.verify()) {
            Ok(None) => bytemuck::try_from_bytes(self.source.page_bytes())
                .map_err(|_| DamageKind::Structure("a borrowed page moved after it was verified")),
            Ok(Some(copy)) => Ok(copy),
            Err(kind) => Err(kind.clone()),
        }
    }

    fn verify(&self) -> Result<Option<Arc<PageBuf>>, DamageKind> {
        let found = crc32c::crc32c(self.source.page_bytes());
        let lies = self.lie()?;
        self.expect(found).map(|()| lies)
    }

    fn expect(&self, found: u32) -> Result<(), DamageKind> {
        if found == self.checksum {
            return Ok(());
        }
        Err(DamageKind::Checksum {
            expected: self.checksum,
            found,
            stored: self.source.stored_at(),
        })
    }

    /// A copy of the bytes, if they lie badly.
    fn lie(&self) -> Result<Option<Arc<PageBuf>>, DamageKind> {
        let bytes = self.source.page_bytes();
        let whole: &[u8; PAGE_BYTES] = bytes.try_into().map_err(|_| DamageKind::Length {
            found: bytes.len() as u64,
        })?;
        let lies_well = bytes.as_ptr().addr().is_multiple_of(PAGE_ALIGNMENT);
        Ok((!lies_well).then(|| Arc::from(PageBuf::copied_from(whole))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that lie `shift` bytes beyond an aligned place.
    struct Piece {
        buffer: Vec<PageBuf>,
        shift: usize,
        length: usize,
    }

    impl PageBytes for Piece {
        fn page_bytes(&self) -> &[u8] {
            &bytemuck::cast_slice(&self.buffer)[self.shift..][..self.length]
        }
    }

    fn piece(shift: usize, length: usize) -> Arc<Piece> {
        let mut buffer: Vec<PageBuf> = bytemuck::zeroed_vec(2);
        for (i, byte) in bytemuck::cast_slice_mut::<_, u8>(&mut buffer)
            .iter_mut()
            .enumerate()
        {
            *byte = u8::try_from(i * 7 % 251).unwrap();
        }
        Arc::new(Piece {
            buffer,
            shift,
            length,
        })
    }

    #[test]
    fn a_borrowed_page_is_read_where_it_lies() {
        let source = piece(64, PAGE_BYTES);
        let page = Page::borrowed(source.clone(), crc32c::crc32c(source.page_bytes()));
        let bytes = page.bytes().unwrap();
        assert!(std::ptr::eq(
            bytes.as_bytes().as_slice(),
            source.page_bytes()
        ));
        assert!(page.is_borrowed());
    }

    /// Lends one page and, once told, another one.
    struct Rotting(Vec<PageBuf>, std::sync::atomic::AtomicUsize);

    impl PageBytes for Rotting {
        fn page_bytes(&self) -> &[u8] {
            let index = self.1.load(std::sync::atomic::Ordering::SeqCst);
            self.0[index].as_bytes()
        }
    }

    #[test]
    fn a_borrowed_page_that_went_bad_after_its_first_use_is_not_written_on() {
        let mut pages: Vec<PageBuf> = bytemuck::zeroed_vec(2);
        pages[1].as_bytes_mut()[77] = 1;
        let checksum = pages[0].checksum();
        let source = Arc::new(Rotting(pages, 0.into()));
        let page = Page::borrowed(Arc::clone(&source) as Arc<dyn PageBytes>, checksum);
        assert!(page.copy_verified().is_ok());
        source.1.store(1, std::sync::atomic::Ordering::SeqCst);
        assert!(page.bytes().is_ok());
        let error = page.copy_verified().unwrap_err();
        assert!(matches!(error, DamageKind::Checksum { .. }), "{error:?}");
    }

    #[test]
    fn a_badly_aligned_page_is_copied() {
        let source = piece(1, PAGE_BYTES);
        let page = Page::borrowed(source.clone(), crc32c::crc32c(source.page_bytes()));
        let bytes = page.bytes().unwrap();
        assert_eq!(bytes.as_bytes().as_slice(), source.page_bytes());
        assert!(std::ptr::eq(bytes, page.bytes().unwrap()), "copied once");
    }

    #[test]
    fn a_wrong_checksum_is_damage_for_good() {
        let source = piece(0, PAGE_BYTES);
        let found = crc32c::crc32c(source.page_bytes());
        let page = Page::borrowed(source, 5);
        let damage = DamageKind::Checksum {
            expected: 5,
            found,
            stored: None,
        };
        assert_eq!(page.bytes().unwrap_err(), damage);
        assert_eq!(page.clone().bytes().unwrap_err(), damage);
    }

    #[test]
    fn every_flipped_bit_of_a_borrowed_page_is_found() {
        let sound = piece(0, PAGE_BYTES);
        let checksum = crc32c::crc32c(sound.page_bytes());
        for bit in (0..PAGE_BYTES * 8).step_by(97) {
            let mut flipped = Piece {
                buffer: sound.buffer.clone(),
                shift: 0,
                length: PAGE_BYTES,
            };
            flipped.buffer[0].as_bytes_mut()[bit / 8] ^= 1 << (bit % 8);
            let page = Page::borrowed(Arc::new(flipped), checksum);
            assert!(
                matches!(page.bytes(), Err(DamageKind::Checksum { .. })),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        for length in [0, 1, PAGE_BYTES - 1, PAGE_BYTES + 1] {
            let source = piece(0, length);
            let page = Page::borrowed(source.clone(), crc32c::crc32c(source.page_bytes()));
            assert_eq!(
                page.bytes().unwrap_err(),
                DamageKind::Length {
                    found: length as u64
                }
            );
        }
    }
}
