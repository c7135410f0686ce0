//! Pages that begin with stored ones: what they show, what they ask for, and what becomes of damage.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use crate::damaged::DamageKind;
use crate::page::Page;
use crate::page_error::PageError;
use crate::page_format::PageKind;
use crate::page_model::{Copy, Step, borrowed, run, step};
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::stored_pages::{StoredPages, UnknownPages};
use crate::table_id::TableId;

/// Pages with marks, numbers of which nothing can be said, and how often something was asked.
#[derive(Debug)]
struct Shelf {
    pages: BTreeMap<u32, Page>,
    unknown: Option<RangeInclusive<u32>>,
    asked: AtomicUsize,
}

impl Shelf {
    fn look(&self, numbers: &RangeInclusive<u32>) -> Result<(), UnknownPages> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let unknown = self.unknown.iter();
        let mut meets =
            unknown.filter(|it| it.start() <= numbers.end() && numbers.start() <= it.end());
        match meets.next() {
            None => Ok(()),
            Some(unknown) => Err(UnknownPages {
                numbers: number(*unknown.start())..=number(*unknown.end()),
                kind: DamageKind::Unlisted("a shelf".into()),
            }),
        }
    }
}

impl StoredPages for Shelf {
    fn page_count(&self) -> u64 {
        self.pages.len() as u64
    }

    fn last(&self) -> Option<PageNumber> {
        self.pages.keys().next_back().map(|last| number(*last))
    }

    fn get(&self, number: PageNumber) -> Result<Option<&Page>, DamageKind> {
        let found = self.look(&(number.get()..=number.get()));
        found.map_err(|unknown| unknown.kind)?;
        Ok(self.pages.get(&number.get()))
    }

    fn next_from(&self, from: PageNumber) -> Result<Option<(PageNumber, &Page)>, UnknownPages> {
        let next = self.pages.range(from.get()..).next();
        let passed = from.get()..=next.map_or(PageNumber::MAX.get(), |(number, _)| *number);
        self.look(&passed)?;
        Ok(next.map(|(found, page)| (number(*found), page)))
    }

    fn has_any(&self, numbers: RangeInclusive<PageNumber>) -> Result<bool, DamageKind> {
        let numbers = numbers.start().get()..=numbers.end().get();
        let looked = self.look(&numbers);
        let is_unknown = |number: &u32| self.unknown.iter().any(|it| it.contains(number));
        let mut known = self
            .pages
            .range(numbers)
            .filter(|(number, _)| !is_unknown(number));
        match known.next() {
            Some(_) => Ok(true),
            None => looked.map(|()| false).map_err(|unknown| unknown.kind),
        }
    }
}

fn number(number: u32) -> PageNumber {
    PageNumber::new(number).unwrap()
}

fn shelf(numbers: impl IntoIterator<Item = u32>) -> (Shelf, BTreeMap<u32, u8>) {
    let marked = numbers.into_iter().map(|number| {
        let (page, mark) = borrowed(number.to_le_bytes()[0] | 1);
        ((number, page), (number, mark))
    });
    let (pages, marks) = marked.unzip();
    let shelf = Shelf {
        pages,
        unknown: None,
        asked: AtomicUsize::new(0),
    };
    (shelf, marks)
}

fn mapped(numbers: impl IntoIterator<Item = u32>) -> (Copy, Arc<Shelf>) {
    let (shelf, marks) = shelf(numbers);
    let shelf = Arc::new(shelf);
    let pages = Pages::map(Arc::clone(&shelf) as Arc<dyn StoredPages>);
    let mut copy = Copy::default();
    (copy.pages, copy.marks) = (pages, marks);
    (copy, shelf)
}

/// Without gaps up to several heights, and with them.
fn stored_numbers() -> impl Strategy<Value = Vec<u32>> {
    let gapless = prop_oneof![8 => 0_u32..20, 1 => 255_u32..258].prop_map(|end| (0..end).collect());
    let around = prop_oneof![
        Just(0_u32),
        Just(250),
        Just(65_530),
        Just((1 << 24) - 5),
        Just(PageNumber::MAX.get() - 10)
    ];
    let scattered = proptest::collection::btree_set((around, 0_u32..11), 0..20)
        .prop_map(|places| places.into_iter().map(|(around, at)| around + at).collect());
    prop_oneof![gapless, scattered]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 200 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn copies_of_stored_pages_keep_them_whichever_of_them_is_written(
        numbers in stored_numbers(),
        steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 30 } else { 80 }),
        newest in any::<bool>(),
    ) {
        let no_restore = |step: &Step| !matches!(step, Step::Restore(..));
        let steps: Vec<Step> = steps.into_iter().filter(no_restore).collect();
        run(mapped(numbers).0, &steps, newest);
    }
}

#[test]
fn stored_pages_are_asked_for_when_they_are_used() {
    let (copy, shelf) = mapped(0..600);
    let asked = || shelf.asked.swap(0, Ordering::Relaxed);
    let mut pages = copy.pages;
    let (older, moment) = (pages.clone(), pages.moment());
    assert_eq!((pages.page_count(), asked()), (600, 0));
    assert!(pages.get(number(599)).is_ok());
    assert_eq!(asked(), 1);
    // None of them is vacant: that is known.
    assert_eq!(pages.allocate(PageKind::Row, TableId(1)), Ok(number(600)));
    assert_eq!(asked(), 0);
    pages.get_mut(number(300)).unwrap().as_bytes_mut()[0] = 7;
    assert_eq!(asked(), 1);
    let changed: Vec<u32> = pages
        .changed_after(&moment)
        .unwrap()
        .flatten()
        .take(2)
        .collect();
    assert_eq!((changed, asked()), (vec![300, 600], 0));
    // One that is older than another is written in memory of its own.
    let mut branch = older.clone();
    branch.free(number(5)).unwrap();
    assert_eq!((branch.page_count(), older.page_count()), (599, 600));
    assert_eq!(asked(), 1);
    pages.free(number(300)).unwrap();
    let gone = DamageKind::Missing.at(number(300));
    assert_eq!(pages.get(number(300)).unwrap_err(), gone);
    assert_eq!(asked(), 0);
}

#[test]
fn what_nothing_is_known_of_is_damage_wherever_it_is_used() {
    for has_gap in [false, true] {
        let (mut shelf, _) = shelf((0..600).filter(|number| !has_gap || *number != 520));
        shelf.unknown = Some(256..=319);
        let mut pages = Pages::map(Arc::new(shelf));
        let before = pages.clone();
        for at in [256, 300, 319] {
            let damaged = DamageKind::Unlisted("a shelf".into()).at(number(at));
            assert_eq!(pages.get(number(at)).unwrap_err(), damaged);
            assert_eq!(pages.get_mut(number(at)).unwrap_err(), damaged);
        }
        for at in [0, 255, 320, 599] {
            assert!(pages.get(number(at)).is_ok(), "{at}");
        }
        // One stands for all of them.
        let all: Vec<(u32, bool)> = pages
            .iter()
            .map(|(number, page)| (number.get(), page.bytes().is_ok()))
            .collect();
        let page_count = if has_gap { 599 } else { 600 };
        assert_eq!(all.len(), page_count - 63);
        let lost = all.iter().filter(|(_, is_there)| !is_there);
        assert_eq!(lost.collect::<Vec<_>>(), [&(319, false)]);
        // What is vacant can not be said, if not all is taken.
        for _ in 0..2 {
            let allocated = pages.allocate(PageKind::Row, TableId(1));
            match has_gap {
                false => assert!(allocated.is_ok()),
                true => assert_eq!(
                    allocated,
                    Err(PageError::Damaged(
                        DamageKind::Unlisted("a shelf".into()).at(number(256))
                    ))
                ),
            }
        }
        // Others can be written; where it is not known which there are beside them, those in other nodes.
        for (at, is_beside) in [(100, false), (400, true), (530, false)] {
            let written = pages.get_mut(number(at));
            assert_eq!(written.is_ok(), !has_gap || !is_beside, "{at}");
        }
        assert_eq!(before.page_count(), page_count as u64);
    }
}

#[test]
fn a_trial_over_stored_pages_leaves_nothing() {
    let (mut copy, shelf) = mapped((0..300).filter(|number| *number != 280));
    for keep in [false, true] {
        copy.take(&Step::Trial(0, keep));
        copy.take(&Step::WritePieces(0, 7, 2));
        copy.take(&Step::Free(0, 270));
        copy.take(&Step::Allocate(0, 3));
        copy.check();
        copy.take(&Step::Trial(0, keep));
        copy.check();
        copy.check_alone();
    }
    drop(copy);
    assert_eq!(Arc::strong_count(&shelf), 1);
}
