//! Which number a new page gets.

use crate::damaged::DamageKind;
use crate::page::Page;
use crate::page_error::{Full, PageError};
use crate::page_format::PageKind;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::table_id::TableId;

const OWNER: TableId = TableId(7);

fn numbers(pages: &Pages) -> Vec<u32> {
    pages.iter().map(|(number, _)| number.get()).collect()
}

#[test]
fn a_new_page_takes_the_lowest_vacant_number() {
    let mut pages = Pages::new();
    let all: Vec<_> = (0..200)
        .map(|_| pages.allocate(PageKind::Row, OWNER).unwrap())
        .collect();
    assert_eq!(numbers(&pages), (0..200).collect::<Vec<_>>());
    pages.free(all[150]).unwrap();
    pages.free(all[3]).unwrap();
    assert_eq!(pages.free(all[3]), Err(DamageKind::Missing.at(all[3])));
    assert_eq!(pages.page_count(), 198);
    for expected in [3, 150, 200] {
        assert_eq!(
            pages.allocate(PageKind::LongValue, OWNER).unwrap().get(),
            expected
        );
    }
}

#[test]
fn a_number_is_refused_when_all_are_taken() {
    let mut pages = Pages::new();
    pages.restore(PageNumber::STORED_MAX, Page::zeroed());
    assert_eq!(pages.allocate(PageKind::Row, OWNER), Ok(PageNumber::MIN));
    pages.pretend_full(PageNumber::STORED_MAX);
    assert_eq!(
        pages.allocate(PageKind::Row, OWNER),
        Err(PageError::Full(Full))
    );
    assert_eq!(Full.to_string(), "all 134217728 page numbers are taken");
    pages.free(PageNumber::MIN).unwrap();
    assert_eq!(pages.allocate(PageKind::Row, OWNER), Ok(PageNumber::MIN));
}

#[test]
fn a_missing_page_is_damage_that_names_it() {
    let pages = Pages::new();
    let number = PageNumber::new(12).unwrap();
    assert_eq!(
        pages.get(number).unwrap_err(),
        DamageKind::Missing.at(number)
    );
    assert_eq!(
        pages.get(number).unwrap_err().to_string(),
        "page 12 is damaged: it does not exist"
    );
}
