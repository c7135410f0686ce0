//! A node of the page table, and what can stand in its slots.

#![expect(
    unsafe_code,
    reason = "a slot is a plain pointer, as page_tree explains"
)]

use std::ptr::NonNull;

use crate::damaged::DamageKind;
use crate::page::{Page, PageBuf};

/// The bits of a number that one node resolves.
pub(crate) const DIGIT_BITS: u32 = 8;
/// The slots of a node.
pub(crate) const FAN_OUT: usize = 1 << DIGIT_BITS;
/// What tells the pointer to a page that is no frame from the one to a frame.
const BORROWED: usize = 1;
/// What stands where a node would be of which all is in stock: a look-up of a page finds none here, and then looks closer.
static IN_STOCK: InStock = InStock(Node::VACANT);

struct InStock(Node);

// SAFETY: it is never written.
unsafe impl Sync for InStock {}

/// What stands in one place of a node, and since which version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// A node; or a frame, or a boxed [`Page`] with the lowest bit set; or null; or [`IN_STOCK`], in a leaf with the lowest bit set.
    pub(crate) place: *mut u8,
    pub(crate) birth: u64,
}

/// Invariant: a bit of `present` is set exactly where the slot is not vacant, a bit of `full` only where nothing
/// below the slot is vacant, and always there unless it is in stock; at least one bit of `present` is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) present: Bits,
    pub(crate) full: Bits,
    pub(crate) slots: [Slot; FAN_OUT],
}

/// 256 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bits([u64; FAN_OUT / 64]);

/// What a tree of some version does not lead to any more, and who frees it once no other version does.
#[derive(Debug)]
pub(crate) enum Retired {
    Node(NonNull<Node>),
    Frame(NonNull<PageBuf>),
    Borrowed(NonNull<Page>),
}

/// A page as it stands in the table.
#[derive(Clone, Debug)]
pub(crate) enum Stored<'a> {
    Frame(&'a PageBuf),
    Borrowed(&'a Page),
    /// One or some, and nothing says which.
    Unknown(DamageKind),
}

impl Slot {
    pub(crate) const VACANT: Slot = Slot {
        place: std::ptr::null_mut(),
        birth: 0,
    };

    pub(crate) fn of_node(node: NonNull<Node>, birth: u64) -> Slot {
        let place = node.as_ptr().cast();
        Slot { place, birth }
    }

    pub(crate) fn of_frame(frame: NonNull<PageBuf>, birth: u64) -> Slot {
        let place = frame.as_ptr().cast();
        Slot { place, birth }
    }

    pub(crate) fn of_borrowed(page: Box<Page>, birth: u64) -> Slot {
        let place = Box::into_raw(page).cast::<u8>();
        const { assert!(align_of::<Page>() > BORROWED && align_of::<Node>() > BORROWED) };
        Slot {
            place: place.map_addr(|address| address | BORROWED),
            birth,
        }
    }

    /// What stands at some height for all that is in stock below. It was born before everything.
    pub(crate) fn in_stock(height: u32) -> Slot {
        let place = (&raw const IN_STOCK.0).cast_mut().cast::<u8>();
        let tag = if height == 0 { BORROWED } else { 0 };
        Slot {
            place: place.map_addr(|address| address | tag),
            birth: 0,
        }
    }

    #[inline]
    pub(crate) fn is_in_stock(&self) -> bool {
        self.place.addr() & !BORROWED == (&raw const IN_STOCK.0).addr()
    }

    #[inline]
    pub(crate) fn is_vacant(&self) -> bool {
        self.place.is_null()
    }

    /// The node that stands here; an empty one, never to be written, if it is in stock.
    #[inline]
    pub(crate) fn node(&self) -> *mut Node {
        self.place.cast()
    }

    /// The borrowed page that stands here, if it is one.
    #[inline]
    fn borrowed(&self) -> Option<*mut Page> {
        let is_borrowed = self.place.addr() & BORROWED != 0;
        is_borrowed.then(|| self.place.map_addr(|address| address & !BORROWED).cast())
    }

    /// Whether a frame stands here, in a leaf.
    #[inline]
    pub(crate) fn is_frame(&self) -> bool {
        !self.is_vacant() && self.borrowed().is_none()
    }

    /// The page that stands here.
    ///
    /// # Safety
    /// The slot is one of a leaf, is neither vacant nor in stock, and its tree belongs to a living version for as long as `'a`.
    #[inline]
    pub(crate) unsafe fn stored<'a>(&self) -> Stored<'a> {
        // SAFETY: as the caller says; nobody writes it meanwhile, by the rule above.
        unsafe {
            match self.borrowed() {
                Some(page) => Stored::Borrowed(&*page),
                None => Stored::Frame(&*self.place.cast::<PageBuf>()),
            }
        }
    }

    /// The page that stands here, as something to be freed; nothing, if it is in stock.
    ///
    /// # Safety
    /// The slot is one of a leaf and not vacant.
    pub(crate) unsafe fn page_to_retire(&self) -> Option<Retired> {
        if self.is_in_stock() {
            return None;
        }
        // SAFETY: neither is null, as the caller says.
        Some(unsafe {
            match self.borrowed() {
                Some(page) => Retired::Borrowed(NonNull::new_unchecked(page)),
                None => Retired::Frame(NonNull::new_unchecked(self.place.cast())),
            }
        })
    }
}

impl Bits {
    pub(crate) const NONE: Bits = Bits([0; FAN_OUT / 64]);

    pub(crate) fn set(&mut self, index: usize, value: bool) {
        let bit = 1 << (index % 64);
        let word = &mut self.0[index / 64];
        *word = if value { *word | bit } else { *word & !bit };
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Bits::NONE
    }

    pub(crate) fn are_all(&self) -> bool {
        self.0.iter().all(|word| *word == u64::MAX)
    }

    /// Whether the lowest bit is set and no other.
    pub(crate) fn are_first_only(&self) -> bool {
        self.0[0] == 1 && self.0[1..].iter().all(|word| *word == 0)
    }

    /// The lowest bit that is set.
    pub(crate) fn first(&self) -> Option<usize> {
        let word = self.0.iter().position(|word| *word != 0)?;
        Some(word * 64 + self.0[word].trailing_zeros() as usize)
    }

    /// The bits from `index` on; it may be behind the last.
    pub(crate) fn from(&self, index: usize) -> Bits {
        let mut bits = *self;
        for (place, word) in bits.0.iter_mut().enumerate() {
            *word &= match index.saturating_sub(place * 64) {
                below @ 0..64 => u64::MAX << below,
                _ => 0,
            };
        }
        bits
    }

    /// The lowest bit that is not set.
    pub(crate) fn first_missing(&self) -> Option<usize> {
        let word = self.0.iter().position(|word| *word != u64::MAX)?;
        Some(word * 64 + self.0[word].trailing_ones() as usize)
    }
}

impl Node {
    /// A node with nothing in it, made as a box.
    pub(crate) fn boxed() -> Box<Node> {
        Box::new(Node::VACANT)
    }

    pub(crate) const VACANT: Node = Node {
        present: Bits::NONE,
        full: Bits::NONE,
        slots: [Slot::VACANT; FAN_OUT],
    };
}
