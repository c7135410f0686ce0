//! Copies of [`Pages`] side by side, each beside a plain map of what must stand in it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use proptest::prelude::*;

use crate::page::{PAGE_BYTES, Page, PageBuf, PageBytes};
use crate::page_format::PageKind;
use crate::page_moment::PageMoment;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::table_id::TableId;

const AT: usize = 16_384;
/// Bytes before and behind the mark that are looked at.
const LOOKED_AT: usize = if cfg!(miri) { 10 } else { AT - 64 };

struct Elsewhere(Box<PageBuf>);

impl PageBytes for Elsewhere {
    fn page_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A page with a mark; one of zeros where a checksum takes too long, since each step is interpreted.
pub(crate) fn borrowed(mark: u8) -> (Page, u8) {
    if cfg!(miri) {
        return (Page::zeroed(), 0);
    }
    let mut bytes = PageBuf::zeroed();
    bytes.as_bytes_mut()[AT] = mark;
    bytes.set_level(mark);
    let checksum = bytes.checksum();
    (Page::borrowed(Arc::new(Elsewhere(bytes)), checksum), mark)
}

/// A copy of the pages and what must stand in them: a mark each, in the middle and in the header.
#[derive(Clone, Default)]
pub(crate) struct Copy {
    pub(crate) pages: Pages,
    pub(crate) marks: BTreeMap<u32, u8>,
    /// What stood there when the trial began that is under way.
    before: Option<BTreeMap<u32, u8>>,
    /// A moment that is remembered, and what stood there then.
    remembered: Option<(PageMoment, BTreeMap<u32, u8>)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Copy(usize),
    Drop(usize),
    Remember(usize),
    Allocate(usize, u8),
    Restore(usize, u32, u8),
    Write(usize, usize, u8),
    /// Piece by piece.
    WritePieces(usize, usize, u8),
    /// Begins a trial, or ends it: whether it is kept.
    Trial(usize, bool),
    Renew(usize, usize),
    Free(usize, usize),
}

impl Copy {
    fn number(&self, index: usize) -> Option<PageNumber> {
        let number = self
            .marks
            .keys()
            .nth(index.checked_rem(self.marks.len())?)?;
        PageNumber::new(*number)
    }

    fn set(&mut self, number: PageNumber, mark: u8) {
        let page = self.pages.get_mut(number).unwrap();
        page.as_bytes_mut()[AT] = mark;
        page.set_level(mark);
        self.marks.insert(number.get(), mark);
    }

    /// Ends the trial that is under way, if one is.
    fn end_trial(&mut self, keep: bool) {
        let Some(before) = self.before.take() else {
            return;
        };
        if keep {
            self.pages.keep_trial();
        } else {
            self.pages.take_back_trial();
            self.marks = before;
        }
    }

    pub(crate) fn take(&mut self, step: &Step) {
        match *step {
            Step::Allocate(_, mark) => {
                let lowest = (0..).find(|number| !self.marks.contains_key(number));
                let number = self.pages.allocate(PageKind::Row, TableId(1)).unwrap();
                assert_eq!(Some(number.get()), lowest);
                let bytes = self.pages.get(number).unwrap().as_bytes();
                assert!(
                    bytes[AT - LOOKED_AT..][..2 * LOOKED_AT]
                        .iter()
                        .all(|byte| *byte == 0)
                );
                self.set(number, mark);
            }
            Step::Restore(_, number, mark) => {
                let number = PageNumber::new(number).unwrap();
                let (page, mark) = borrowed(mark);
                self.pages.restore(number, page);
                self.marks.insert(number.get(), mark);
            }
            Step::Write(_, index, mark) => {
                if let Some(number) = self.number(index) {
                    self.set(number, mark);
                }
            }
            Step::WritePieces(_, index, mark) => {
                if let Some(number) = self.number(index) {
                    let mut page = self.pages.write(number).unwrap();
                    page.bytes_mut(AT - 7..AT + 9)[7] = mark.wrapping_add(1);
                    page.bytes_mut(AT..AT + 1)[0] = mark;
                    page.header_mut().set_level(mark);
                    self.marks.insert(number.get(), mark);
                }
            }
            Step::Trial(_, _) if self.before.is_none() => {
                self.pages.begin_trial();
                self.before = Some(self.marks.clone());
            }
            Step::Trial(_, keep) => self.end_trial(keep),
            Step::Remember(_) => {
                self.end_trial(true);
                self.remembered = Some((self.pages.moment(), self.marks.clone()));
            }
            Step::Renew(_, index) => {
                if let Some(number) = self.number(index) {
                    self.pages
                        .renew(number, PageKind::LongValue, TableId(2))
                        .unwrap();
                    self.marks.insert(number.get(), 0);
                }
            }
            Step::Free(_, index) => {
                if let Some(number) = self.number(index) {
                    self.pages.free(number).unwrap();
                    self.marks.remove(&number.get());
                }
            }
            Step::Copy(_) | Step::Drop(_) => unreachable!(),
        }
    }

    pub(crate) fn check(&self) {
        let found: BTreeMap<u32, u8> = self
            .pages
            .iter()
            .map(|(number, page)| (number.get(), page.bytes().unwrap().as_bytes()[AT]))
            .collect();
        assert_eq!(found, self.marks);
        for (number, page) in self.pages.iter() {
            assert_eq!(page.bytes().unwrap().level(), self.marks[&number.get()]);
        }
        assert_eq!(self.pages.page_count(), self.marks.len() as u64);
        for (number, mark) in &self.marks {
            let number = PageNumber::new(*number).unwrap();
            assert_eq!(self.pages.get(number).unwrap().as_bytes()[AT], *mark);
        }
    }

    /// What is not named as changed is what it was at the moment.
    fn check_remembered(&self) {
        let Some((moment, before)) = &self.remembered else {
            return;
        };
        let Some(changed) = self.pages.changed_after(moment) else {
            return;
        };
        let changed: Vec<RangeInclusive<u32>> = changed.collect();
        assert!(changed.is_sorted_by(|a, b| a.end() < b.start()));
        let unchanged = |number: &u32| !changed.iter().any(|range| range.contains(number));
        let left = |marks: &BTreeMap<u32, u8>| -> Vec<(u32, u8)> {
            let kept = marks.iter().filter(|(number, _)| unchanged(number));
            kept.map(|(number, mark)| (*number, *mark)).collect()
        };
        assert_eq!(left(before), left(&self.marks));
    }

    /// From any number on the pages are the same as from the lowest.
    fn check_from(&self, first: u32) {
        let first = first % (PageNumber::MAX.get() + 1);
        let found = self.pages.iter_from(PageNumber::new(first).unwrap());
        let found: Vec<u32> = found.map(|(number, _)| number.get()).collect();
        let expected: Vec<u32> = self
            .marks
            .range(first..)
            .map(|(number, _)| *number)
            .collect();
        assert_eq!(found, expected, "from {first}");
    }

    /// Alone, it holds no memory but that of its pages.
    pub(crate) fn check_alone(&self) {
        let owned = self
            .pages
            .iter()
            .filter(|(_, page)| !page.is_borrowed())
            .count();
        assert_eq!(self.pages.audit(), (owned, 0));
    }
}

/// Runs the steps on a copy and others of it that are held side by side. `newest`: only the newest copy is ever written.
pub(crate) fn run(first: Copy, steps: &[Step], newest: bool) {
    first.pages.let_go_slowly(steps.len() % 4 < 2);
    let mut copies = vec![first];
    for step in steps {
        let (Step::Copy(of)
        | Step::Drop(of)
        | Step::Remember(of)
        | Step::Allocate(of, _)
        | Step::Restore(of, ..)
        | Step::Write(of, ..)
        | Step::WritePieces(of, ..)
        | Step::Trial(of, _)
        | Step::Renew(of, _)
        | Step::Free(of, _)) = *step;
        let last = copies.len() - 1;
        if let Step::Copy(_) = step {
            let of = if newest { last } else { of % copies.len() };
            copies[of].end_trial(steps.len().is_multiple_of(2));
        }
        match step {
            Step::Copy(_) if newest => copies.push(copies[last].clone()),
            Step::Copy(_) => copies.push(copies[of % copies.len()].clone()),
            Step::Drop(_) if last > 0 => drop(copies.remove(of % copies.len())),
            Step::Drop(_) => {}
            step if newest => copies[last].take(step),
            step => copies[of % (last + 1)].take(step),
        }
        let place = of % copies.len();
        copies[place].check();
        copies.iter().for_each(Copy::check_remembered);
        let around = copies[place].marks.keys().nth(of % 97).copied();
        copies[place].check_from(
            around
                .unwrap_or(0)
                .wrapping_add(u32::try_from(of % 3).unwrap())
                .wrapping_sub(1),
        );
    }
    copies.iter().for_each(Copy::check);
    while copies.len() > 1 {
        copies.remove(copies.len() / 2);
        copies.iter().for_each(Copy::check);
    }
    copies[0].end_trial(steps.len().is_multiple_of(3));
    copies[0].check();
    copies[0].check_alone();
    copies[0].marks.clear();
    let all: Vec<PageNumber> = copies[0].pages.iter().map(|(number, _)| number).collect();
    for number in all {
        copies[0].pages.free(number).unwrap();
    }
    copies[0].check();
    copies[0].check_alone();
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let number = prop_oneof![0_u32..300, 60_000_u32..70_000, Just(PageNumber::MAX.get())];
    prop_oneof![
        2 => any::<usize>().prop_map(Step::Copy),
        2 => any::<usize>().prop_map(Step::Drop),
        2 => any::<usize>().prop_map(Step::Remember),
        3 => (any::<usize>(), any::<u8>()).prop_map(|(of, mark)| Step::Allocate(of, mark)),
        1 => (any::<usize>(), number, any::<u8>())
            .prop_map(|(of, number, mark)| Step::Restore(of, number, mark)),
        3 => (any::<usize>(), any::<usize>(), any::<u8>())
            .prop_map(|(of, index, mark)| Step::Write(of, index, mark)),
        3 => (any::<usize>(), any::<usize>(), any::<u8>())
            .prop_map(|(of, index, mark)| Step::WritePieces(of, index, mark)),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(of, keep)| Step::Trial(of, keep)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(of, index)| Step::Renew(of, index)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(of, index)| Step::Free(of, index)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 400 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn copies_keep_their_pages_whichever_of_them_is_written(
        steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 30 } else { 120 }),
    ) {
        run(Copy::default(), &steps, false);
    }

    #[test]
    fn copies_keep_their_pages_while_the_newest_is_written(
        steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 30 } else { 120 }),
    ) {
        run(Copy::default(), &steps, true);
    }
}

#[test]
fn a_copy_keeps_every_page_as_it_was() {
    let mut pages = Pages::new();
    let first = pages.allocate(PageKind::Row, TableId(7)).unwrap();
    let second = pages.allocate(PageKind::Row, TableId(7)).unwrap();
    let view = pages.clone();
    pages.get_mut(first).unwrap().as_bytes_mut()[100] = 9;
    pages.free(second).unwrap();
    let third = pages.allocate(PageKind::IndexLeaf, TableId(8)).unwrap();
    assert_eq!(third, second);

    assert_eq!(view.get(first).unwrap().as_bytes()[100], 0);
    assert_eq!(view.get(second).unwrap().kind(), Some(PageKind::Row));
    assert_eq!(pages.get(third).unwrap().kind(), Some(PageKind::IndexLeaf));
    assert_eq!(pages.get(third).unwrap().owner(), TableId(8));
}

#[test]
fn a_page_that_nobody_else_sees_is_written_in_place() {
    let mut copy = Copy::default();
    (0..20).for_each(|_| copy.take(&Step::Allocate(0, 1)));
    copy.take(&Step::Restore(0, PageNumber::MAX.get(), 1));
    copy.take(&Step::Free(0, 20));
    assert_eq!(copy.pages.audit(), (20, 0));
    let view = copy.clone();
    copy.take(&Step::Write(0, 7, 2));
    copy.take(&Step::Write(0, 7, 3));
    // The only node and the page are there twice.
    assert_eq!(copy.pages.audit(), (21, 2));
    drop(view);
    assert_eq!(copy.pages.audit(), (20, 0));
    copy.take(&Step::Write(0, 7, 4));
    assert_eq!(copy.pages.audit(), (20, 0));
    copy.check();
}

/// A page table of three levels with 256 nodes below the first slot of the root, and five more below each of the next four.
#[test]
fn what_was_born_before_a_moment_is_not_looked_at_for_changes() {
    let mut copy = Copy::default();
    let below_first = (0..256).map(|leaf| leaf << 8);
    let others = (1..5).flat_map(|node| (0..5).map(move |leaf| node << 16 | leaf << 8));
    for number in below_first.chain(others) {
        copy.take(&Step::Restore(0, number, 1));
    }
    copy.take(&Step::Remember(0));
    let (moment, _) = copy.remembered.clone().unwrap();
    // Pages by their place among all, and how many nodes lead to all that were changed so far: what is older is left alone.
    assert_eq!(copy.pages.nodes_entered_after(&moment), 0);
    for (index, entered) in [(7, 3), (7, 3), (9, 4), (256 + 5, 6), (256 + 9, 7)] {
        copy.take(&Step::Write(0, index, 2));
        assert_eq!(copy.pages.nodes_entered_after(&moment), entered, "{index}");
        copy.check_remembered();
    }
    // The leaf goes with its last page.
    copy.take(&Step::Free(0, 0));
    assert_eq!(copy.pages.nodes_entered_after(&moment), 7);
    copy.check_remembered();
}

#[test]
fn a_moment_keeps_no_page_and_names_each_that_is_written() {
    let mut copy = Copy::default();
    (0..300).for_each(|_| copy.take(&Step::Allocate(0, 1)));
    let moment = copy.pages.moment();
    let changed = |copy: &Copy, moment: &PageMoment| -> Vec<u32> {
        let changed = copy.pages.changed_after(moment).unwrap();
        changed
            .flatten()
            .take_while(|number| *number < 512)
            .collect()
    };
    assert_eq!(changed(&copy, &moment), []);
    copy.take(&Step::Write(0, 7, 2));
    copy.take(&Step::WritePieces(0, 9, 2));
    copy.take(&Step::Free(0, 280));
    assert_eq!(copy.pages.audit(), (299, 0));
    let rest = 300..512;
    let expected: Vec<u32> = [7, 9]
        .into_iter()
        .chain([280])
        .chain(rest.clone())
        .collect();
    assert_eq!(changed(&copy, &moment)[..2], expected[..2]);
    assert!(changed(&copy, &moment).contains(&280));
    // In a trial, too, and only if it is kept.
    copy.take(&Step::Trial(0, false));
    copy.take(&Step::WritePieces(0, 11, 3));
    copy.take(&Step::Trial(0, false));
    assert!(!changed(&copy, &moment).contains(&11));
    copy.take(&Step::Trial(0, true));
    copy.take(&Step::WritePieces(0, 11, 3));
    copy.take(&Step::Trial(0, true));
    assert!(changed(&copy, &moment).contains(&11));
    let newer = copy.pages.moment();
    assert_eq!(changed(&copy, &newer), []);
    assert!(changed(&copy, &moment).contains(&11));
    // Of other pages it says nothing.
    assert!(Pages::new().changed_after(&moment).is_none());
}

#[test]
fn a_trial_copies_no_page_that_nobody_else_sees() {
    let mut copy = Copy::default();
    (0..20).for_each(|_| copy.take(&Step::Allocate(0, 1)));
    for keep in [false, true] {
        copy.take(&Step::Trial(0, keep));
        copy.take(&Step::WritePieces(0, 7, 2));
        assert_eq!(copy.pages.audit(), (20, 0));
        copy.check();
        copy.take(&Step::Trial(0, keep));
        copy.check();
        copy.check_alone();
    }
    let view = copy.clone();
    copy.take(&Step::Trial(0, true));
    copy.take(&Step::WritePieces(0, 7, 3));
    // The only node and the page are there twice.
    assert_eq!(copy.pages.audit(), (21, 2));
    view.check();
    copy.take(&Step::Trial(0, true));
    drop(view);
    copy.check_alone();
}

#[test]
fn what_is_tried_and_dropped_leaves_nothing() {
    let mut copy = Copy::default();
    (0..10).for_each(|_| copy.take(&Step::Allocate(0, 1)));
    for _ in 0..3 {
        let mut trial = copy.clone();
        trial.take(&Step::Write(0, 3, 9));
        trial.take(&Step::Free(0, 4));
        let count = if cfg!(miri) { 5 } else { 300 };
        (0..count).for_each(|_| trial.take(&Step::Allocate(0, 8)));
        drop(trial);
        copy.check();
        copy.check_alone();
        copy.take(&Step::Write(0, 3, 2));
    }
}

#[test]
fn a_borrowed_page_is_let_go_with_the_last_copy_that_sees_it() {
    let bytes: Arc<dyn PageBytes> = Arc::new(Elsewhere(PageBuf::zeroed()));
    let checksum = PageBuf::zeroed().checksum();
    let mut pages = Pages::new();
    pages.restore(
        PageNumber::MIN,
        Page::borrowed(Arc::clone(&bytes), checksum),
    );
    let view = pages.clone();
    pages.get_mut(PageNumber::MIN).unwrap().as_bytes_mut()[AT] = 3;
    assert_eq!(view.get(PageNumber::MIN).unwrap().as_bytes()[AT], 0);
    assert_eq!(Arc::strong_count(&bytes), 2);
    drop(view);
    assert_eq!(Arc::strong_count(&bytes), 1);
    assert_eq!(pages.audit(), (1, 0));
}

#[test]
fn views_are_read_by_other_threads_while_the_newest_is_written() {
    let mut copy = Copy::default();
    (0..20).for_each(|_| copy.take(&Step::Allocate(0, 1)));
    std::thread::scope(|scope| {
        for round in 0..20 {
            let view = copy.clone();
            scope.spawn(move || view.check());
            copy.take(&Step::Write(0, round, 7));
            copy.take(&Step::Free(0, round + 3));
            copy.take(&Step::Allocate(0, 5));
        }
    });
    copy.check();
    copy.check_alone();
    assert_eq!(copy.pages.memory_bytes() % PAGE_BYTES, 0);
}
