//! All pages by number, as one version of them.
//!
//! ```text
//!   Pages ── page_tree ──> page 0, page 1, (vacant), page 3, ...        which page has a number
//!     └───── page_versions ── frames                                   who else can see it, and what memory there is
//! ```
//!
//! A copy is O(1) and holds every page as it was: a view, or something to try changes on. A page that a copy can see is copied when it
//! is first written. A new page takes the lowest vacant number, so page numbers follow from the history of operations and no free list is
//! stored.

#![expect(
    unsafe_code,
    reason = "a version's tree is read and written under the rule of page_tree"
)]

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::damaged::{DamageKind, Damaged};
use crate::page::{Page, PageBuf};
use crate::page_error::{Full, PageError};
use crate::page_format::PageKind;
use crate::page_journal::PageJournal;
use crate::page_moment::PageMoment;
use crate::page_mut::PageMut;
use crate::page_node::Stored;
use crate::page_number::PageNumber;
use crate::page_ref::PageRef;
use crate::page_tree::PageTree;
use crate::page_tree_iter::Vacancy;
use crate::page_versions::{PageVersions, Writing};
use crate::stock::Stock;
use crate::stored_pages::StoredPages;
use crate::table_id::TableId;

/// All pages by number. Copied in O(1); a page is copied when it is first written while a copy can see it.
///
/// Writing is cheap as long as it is always the newest copy that is written, or one as new: a line of versions. A copy that is written
/// although a newer one has been written and is still held gets memory of its own first, in time proportional to all pages.
#[derive(Debug)]
pub struct Pages {
    tree: PageTree,
    versions: Arc<PageVersions>,
    /// The version that the tree belongs to. Invariant: held for this value.
    version: u64,
    /// What was born after this version nobody else can see. Counts while `is_shared` is not set.
    floor: u64,
    /// Somebody else may hold this version: the next write begins a new one.
    is_shared: AtomicBool,
    trial: Option<Trial>,
    /// What a trial wrote over in place. Empty without one.
    journal: PageJournal,
}

/// What to go back to. Its version is held besides the one that is written.
#[derive(Debug)]
struct Trial {
    tree: PageTree,
    version: u64,
    /// The newest version that somebody else holds: what was born after it and before the trial is written in place, and noted.
    seen: u64,
}

// SAFETY: a tree is changed through `&mut` only and never where another version can see it, so whoever holds a version reads what
// nobody writes; the pages that are borrowed can be shared and sent, and all bookkeeping stands behind a mutex.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// No pages.
    pub fn new() -> Pages {
        Pages::begun(None)
    }

    /// Stored pages, each found and verified when it is first used, and copied when it is first written. Takes the same time however many there
    /// are.
    pub fn map(stored: Arc<dyn StoredPages>) -> Pages {
        Pages::begun(Stock::new(stored))
    }

    fn begun(stock: Option<Stock>) -> Pages {
        Pages {
            tree: stock.as_ref().map_or(PageTree::EMPTY, PageTree::in_stock),
            versions: Arc::new(PageVersions::new(stock)),
            version: 0,
            floor: 0,
            is_shared: AtomicBool::new(true),
            trial: None,
            journal: PageJournal::default(),
        }
    }

    /// How many pages there are.
    pub fn page_count(&self) -> u64 {
        self.tree.len()
    }

    /// The memory that is set aside for this and all copies of it, in bytes: pages in use, kept for views, and free to be used again.
    /// Borrowed pages are not counted.
    pub fn memory_bytes(&self) -> usize {
        self.versions.frame_count() * size_of::<PageBuf>()
    }

    /// An empty page of `kind` for `owner`, under the lowest vacant number.
    ///
    /// # Errors
    /// `Full`, when no number is vacant; `Unlisted`, when can not be said which is the lowest.
    pub fn allocate(&mut self, kind: PageKind, owner: TableId) -> Result<PageNumber, PageError> {
        let vacant = loop {
            // SAFETY: the version is held.
            match unsafe { self.tree.lowest_vacant() } {
                Vacancy::At(number) => break number,
                // Which numbers are vacant there is seen only where nodes are.
                Vacancy::Below(first) => self.reach(page_number(first))?,
            }
        };
        let number = PageNumber::try_from(vacant).map_err(|_| Full)?;
        if number > PageNumber::STORED_MAX {
            return Err(Full.into());
        }
        self.put_empty(number, kind, owner);
        Ok(number)
    }

    /// Gives a page up; its number is vacant then.
    ///
    /// # Errors
    /// `Missing`, when there is no such page; `Unlisted`.
    pub fn free(&mut self, number: PageNumber) -> Result<(), Damaged> {
        self.stored(number)?;
        self.reach(number)?;
        let (tree, mut memory) = self.writing();
        // SAFETY: the page is there; the tree belongs to the version that is written.
        unsafe { tree.remove(number.get(), &mut memory) };
        Ok(())
    }

    /// The bytes of a page.
    ///
    /// # Errors
    /// `Missing`; `Checksum` and `Length` of a borrowed page; `Unlisted`.
    #[inline(always)]
    pub fn get(&self, number: PageNumber) -> Result<&PageBuf, Damaged> {
        match self.in_memory(number) {
            Some(frame) => Ok(frame),
            None => self.get_borrowed(number),
        }
    }

    /// [`Pages::get`] of a page that is no frame. Apart from it, so that whoever reads a page carries no error through memory that
    /// is hardly ever one.
    #[inline(never)]
    fn get_borrowed(&self, number: PageNumber) -> Result<&PageBuf, Damaged> {
        let page = PageRef(self.stored(number)?);
        page.bytes().map_err(|kind| kind.at(number))
    }

    /// The bytes of a page, if it is there and not borrowed: nothing is verified.
    #[inline(always)]
    pub(crate) fn in_memory(&self, number: PageNumber) -> Option<&PageBuf> {
        // SAFETY: the version is held for as long as this is borrowed.
        unsafe { self.tree.frame(number.get()) }
    }

    /// The bytes of a page, to be written; copied first where a copy of this can see it or where they are borrowed.
    ///
    /// # Errors
    /// As [`Pages::get`].
    #[inline]
    pub fn get_mut(&mut self, number: PageNumber) -> Result<&mut PageBuf, Damaged> {
        if !*self.is_shared.get_mut() {
            // SAFETY: nobody else can see what was born after the floor.
            let frame = unsafe { self.tree.frame_born_after(number.get(), self.floor) };
            if let Some((frame, _)) = frame {
                return Ok(frame);
            }
        }
        self.own(number)
    }

    /// A page to be written piece by piece. In a trial, what nobody else sees is written in place and can still be taken back.
    ///
    /// # Errors
    /// As [`Pages::get`].
    #[inline]
    pub(crate) fn write(&mut self, number: PageNumber) -> Result<PageMut<'_>, Damaged> {
        let Some(trial) = &self.trial else {
            return self.get_mut(number).map(PageMut::from);
        };
        // SAFETY: nobody else holds a version after this one.
        match unsafe { self.tree.frame_born_after(number.get(), trial.seen) } {
            Some((frame, birth)) if birth > self.floor => Ok(PageMut::from(frame)),
            Some((frame, _)) => Ok(PageMut::noted(frame, &mut self.journal, number)),
            None => self.own(number).map(PageMut::from),
        }
    }

    /// [`Pages::get_mut`] of a page that may have to be copied first.
    fn own(&mut self, number: PageNumber) -> Result<&mut PageBuf, Damaged> {
        if let Stored::Borrowed(page) = self.stored(number)? {
            let page = page.clone();
            let copy = page.copy_verified().map_err(|kind| kind.at(number))?;
            self.reach(number)?;
            *self.put_frame(number) = *copy;
        }
        let (tree, mut memory) = self.writing();
        // SAFETY: the page is there, and not borrowed; the tree belongs to the version that is written.
        Ok(unsafe { tree.frame_mut(number.get(), &mut memory) })
    }

    /// A copy of the bytes of a page, which stays as it is whatever is written here.
    ///
    /// # Errors
    /// As [`Pages::get`].
    pub fn page(&self, number: PageNumber) -> Result<Box<PageBuf>, Damaged> {
        Ok(PageBuf::copied_from(self.get(number)?.as_bytes()))
    }

    /// Puts an empty page of `kind` in the place of the page `number`, to be written anew.
    pub(crate) fn renew(
        &mut self,
        number: PageNumber,
        kind: PageKind,
        owner: TableId,
    ) -> Result<&mut PageBuf, Damaged> {
        self.stored(number)?;
        self.reach(number)?;
        Ok(self.put_empty(number, kind, owner))
    }

    /// Puts a page that was stored before under its number, in place of what is there.
    ///
    /// # Panics
    /// If these began with stored pages.
    pub fn restore(&mut self, number: PageNumber, page: Page) {
        assert!(self.versions.stock().is_none(), "they are there already");
        if page.is_borrowed() {
            let (tree, mut memory) = self.writing();
            // SAFETY: the tree belongs to the version that is written.
            unsafe { tree.insert_borrowed(number.get(), page, &mut memory) };
        } else {
            let bytes = page.bytes().expect("an owned page is never damaged");
            *self.put_frame(number) = *bytes;
        }
    }

    /// Begins to write what can be taken back as long as it is not kept.
    ///
    /// # Panics
    /// In a trial.
    pub fn begin_trial(&mut self) {
        assert!(self.trial.is_none(), "one thing is tried at a time");
        let begun = self.versions.begin_trial(self.version);
        let Some((version, seen)) = begun else {
            *self = self.copied();
            return self.begin_trial();
        };
        self.trial = Some(Trial {
            tree: self.tree,
            version: self.version,
            seen,
        });
        self.floor = self.version;
        self.version = version;
        *self.is_shared.get_mut() = false;
    }

    /// Keeps what was written since the trial began, and ends it.
    ///
    /// # Panics
    /// Without a trial.
    pub fn keep_trial(&mut self) {
        let trial = self.trial.take().expect("a trial has begun");
        self.journal.forget();
        self.floor = trial.seen;
        // SAFETY: nobody uses that tree any more.
        unsafe { self.versions.give_up(trial.version, trial.tree) };
    }

    /// Takes back what was written since the trial began, and ends it: every page is as it was, in content and in number.
    ///
    /// # Panics
    /// Without a trial.
    pub fn take_back_trial(&mut self) {
        let trial = self.trial.take().expect("a trial has begun");
        // SAFETY: nobody uses that tree any more.
        unsafe { self.versions.give_up(self.version, self.tree) };
        self.tree = trial.tree;
        self.version = trial.version;
        *self.is_shared.get_mut() = true;
        let tree = &mut self.tree;
        self.journal.take_back(|number, put_back| {
            // SAFETY: nobody else holds a version after this one, and what is noted was born after it.
            let frame = unsafe { tree.frame_born_after(number.get(), trial.seen) };
            let (frame, _) = frame.expect("a page that was written in place is there");
            put_back(frame);
        });
    }

    /// All pages by number, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (PageNumber, PageRef<'_>)> {
        self.iter_from(PageNumber::MIN)
    }

    /// All pages from a number on, ascending. Costs nothing for those before. Where can not be said which numbers have a page, one of them stands for all;
    /// it has no bytes.
    pub fn iter_from(&self, first: PageNumber) -> impl Iterator<Item = (PageNumber, PageRef<'_>)> {
        // SAFETY: the version is held for as long as this is borrowed.
        unsafe { self.tree.iter_from(first.get(), self.versions.stock()) }
            .map(|(number, page)| (page_number(number), PageRef(page)))
    }

    /// Remembers what stands here, without keeping it. From now on a page that stands here is copied when it is first written, as if a copy could see it.
    ///
    /// # Panics
    /// In a trial.
    pub fn moment(&self) -> PageMoment {
        assert!(self.trial.is_none(), "what is only tried is not to be seen");
        // As in a copy: the next write begins a new version.
        self.is_shared.store(true, Ordering::Relaxed);
        self.versions.keep_apart(self.version);
        PageMoment::new(&self.versions, self.version)
    }

    /// The page numbers whose pages may not be those that stood there at the moment, ascending, those of no page among them; whatever lies
    /// between is as it was. Costs what changed. A page that was written and is equal again counts as changed.
    ///
    /// `None` if nothing is known: the moment is not one of this line, or newer than these. Of pages that branched off this line
    /// before it it says nothing of use.
    pub fn changed_after(
        &self,
        moment: &PageMoment,
    ) -> Option<impl Iterator<Item = RangeInclusive<u32>> + '_> {
        let version = moment.version_of(&self.versions)?;
        // SAFETY: the version is held for as long as this is borrowed.
        (version <= self.version).then(|| unsafe { self.tree.born_after(version) })
    }

    /// How many nodes of the page table [`Pages::changed_after`] looks into.
    #[cfg(test)]
    pub(crate) fn nodes_entered_after(&self, moment: &PageMoment) -> usize {
        // SAFETY: as above.
        let mut born = unsafe {
            self.tree
                .born_after(moment.version_of(&self.versions).unwrap())
        };
        while born.next().is_some() {}
        born.entered_count
    }

    /// Says of every page number below that of an existing page, and of its own, that it is taken, without pages.
    #[cfg(test)]
    pub(crate) fn pretend_full(&mut self, last: PageNumber) {
        self.tree.pretend_full(last.get());
    }

    /// Whether what a copy that is dropped had for itself is freed step by step with what is done later.
    #[cfg(test)]
    pub(crate) fn let_go_slowly(&self, is_slow: bool) {
        self.versions.is_slow.store(is_slow, Ordering::Relaxed);
    }

    /// Frames in use, and how much is kept for older versions only.
    #[cfg(test)]
    pub(crate) fn audit(&self) -> (usize, usize) {
        self.versions.audit()
    }

    /// A page as it stands here or in stock.
    fn stored(&self, number: PageNumber) -> Result<Stored<'_>, Damaged> {
        // SAFETY: the version is held for as long as this is borrowed.
        let slot = unsafe { self.tree.standing(number.get()) };
        let slot = slot.ok_or(DamageKind::Missing.at(number))?;
        let Some(stock) = self.versions.stock().filter(|_| slot.is_in_stock()) else {
            // SAFETY: as above, and a page stands in it.
            return Ok(unsafe { slot.stored() });
        };
        let page = stock.get(number).map_err(|kind| kind.at(number))?;
        let page = page.ok_or(DamageKind::Missing.at(number))?;
        Ok(Stored::Borrowed(page))
    }

    /// Makes sure that there are nodes down to a number, if anything is below them.
    fn reach(&mut self, number: PageNumber) -> Result<(), Damaged> {
        let Some(stock) = self.versions.stock().cloned() else {
            return Ok(());
        };
        let (tree, mut memory) = self.writing();
        // SAFETY: the tree belongs to the version that is written.
        unsafe { tree.reach(number.get(), &stock, &mut memory) }
    }

    fn put_empty(&mut self, number: PageNumber, kind: PageKind, owner: TableId) -> &mut PageBuf {
        let page = self.put_frame(number);
        page.as_bytes_mut().fill(0);
        page.begin(kind, owner);
        page
    }

    /// A frame in the place of a page, or where none is. It may hold anything.
    fn put_frame(&mut self, number: PageNumber) -> &mut PageBuf {
        let (tree, mut memory) = self.writing();
        // SAFETY: the tree belongs to the version that is written.
        unsafe { tree.insert_frame(number.get(), &mut memory) }
    }

    /// The tree, to be written, and where to get memory.
    #[inline]
    fn writing(&mut self) -> (&mut PageTree, Writing<'_>) {
        if *self.is_shared.get_mut() {
            self.begin();
        }
        let memory = Writing {
            versions: &self.versions,
            version: self.version,
            floor: self.floor,
        };
        (&mut self.tree, memory)
    }

    /// Begins a version that nobody else holds.
    #[cold]
    fn begin(&mut self) {
        let begun = self.versions.begin(self.version);
        let Some((version, floor)) = begun else {
            *self = self.copied();
            return;
        };
        self.version = version;
        self.floor = floor;
        *self.is_shared.get_mut() = false;
    }

    /// The same pages in memory of their own.
    fn copied(&self) -> Pages {
        let mut copy = Pages::begun(self.versions.stock().cloned());
        let (tree, mut memory) = copy.writing();
        // SAFETY: the version is held; what the copy began with owns nothing.
        *tree = unsafe { self.tree.copied(&mut memory) };
        copy
    }
}

impl Clone for Pages {
    fn clone(&self) -> Self {
        assert!(self.trial.is_none(), "what is only tried is not to be seen");
        // Whoever may write here next has this by `&mut` then, so it needs no order of its own.
        self.is_shared.store(true, Ordering::Relaxed);
        self.versions.hold(self.version);
        Pages {
            tree: self.tree,
            versions: Arc::clone(&self.versions),
            version: self.version,
            floor: 0,
            is_shared: AtomicBool::new(true),
            trial: None,
            journal: PageJournal::default(),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: nobody borrows the tree of this value any more.
        unsafe { self.versions.give_up(self.version, self.tree) };
        if let Some(trial) = self.trial.take() {
            // SAFETY: as above. Pages that were written in place go with it: nobody else sees them.
            unsafe { self.versions.give_up(trial.version, trial.tree) };
        }
    }
}

impl Default for Pages {
    fn default() -> Self {
        Pages::new()
    }
}

fn page_number(number: u32) -> PageNumber {
    PageNumber::new(number).expect("every number in the tree is a page number")
}
