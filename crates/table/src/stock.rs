//! The pages that a page table began with, as its nodes see them.
//!
//! ```text
//!   node ── frame                          written since
//!     ├──── in stock, of a leaf            the page of this number is the stored one
//!     └──── in stock, of a node of nodes   so are all pages below: nothing is known of them here
//! ```
//!
//! What is in stock is looked up by number and never changes; a version that writes below a place that is in stock puts a node there first.

use std::sync::Arc;

use crate::damaged::{DamageKind, Damaged};
use crate::page::Page;
use crate::page_node::{FAN_OUT, Node, Slot, Stored};
use crate::page_number::PageNumber;
use crate::page_tree::holds;
use crate::page_tree_iter::{last_below, number_below};
use crate::stored_pages::StoredPages;

/// Stored pages, with what is asked most.
#[derive(Clone, Debug)]
pub(crate) struct Stock {
    pages: Arc<dyn StoredPages>,
    last: u32,
    /// Every number up to the last has a page: a count says so.
    is_dense: bool,
}

impl Stock {
    /// Nothing, if there are no pages.
    pub(crate) fn new(pages: Arc<dyn StoredPages>) -> Option<Stock> {
        let last = pages.last()?.get();
        let is_dense = pages.page_count() == u64::from(last) + 1;
        Some(Stock {
            pages,
            last,
            is_dense,
        })
    }

    pub(crate) fn page_count(&self) -> u64 {
        self.pages.page_count()
    }

    /// The least height that holds all numbers.
    pub(crate) fn height(&self) -> u32 {
        let mut height = 1;
        while !holds(height, self.last) {
            height += 1;
        }
        height
    }

    /// The page of a number that is in stock.
    pub(crate) fn get(&self, number: PageNumber) -> Result<Option<&Page>, DamageKind> {
        self.pages.get(number)
    }

    /// The first page of those from a number on and up to another, with its number. Where can not be said what stands, the last number of those is the one.
    pub(crate) fn next_within(&self, from: u32, last: u32) -> Option<(u32, Stored<'_>)> {
        let last = last.min(self.last);
        if from > last {
            return None;
        }
        let (first, number, stored) = match self.pages.next_from(page_number(from)) {
            Ok(None) => return None,
            Ok(Some((number, page))) => (number.get(), number.get(), Stored::Borrowed(page)),
            Err(unknown) => {
                let (first, end) = (unknown.numbers.start(), unknown.numbers.end());
                let number = end.get().min(last);
                (first.get(), number, Stored::Unknown(unknown.kind))
            }
        };
        (first <= last).then(|| (number.max(from), stored))
    }

    /// What a node of some height, whose first number is `first`, looks like if everything below is in stock. A bit of `full` is set only where
    /// that is known without looking.
    pub(crate) fn node(&self, first: u32, height: u32) -> Result<Node, Damaged> {
        let mut node = Node::VACANT;
        for index in 0..FAN_OUT {
            let first = number_below(first, index, height - 1);
            if first > self.last {
                break;
            }
            let last = last_below(first, height - 1);
            let numbers = page_number(first)..=page_number(last.min(self.last));
            let has_any = self.is_dense || {
                let found = self.pages.has_any(numbers);
                found.map_err(|kind| kind.at(page_number(first)))?
            };
            if has_any {
                node.present.set(index, true);
                let is_full = height == 1 || (self.is_dense && last <= self.last);
                node.full.set(index, is_full);
                node.slots[index] = Slot::in_stock(height - 1);
            }
        }
        Ok(node)
    }
}

fn page_number(number: u32) -> PageNumber {
    PageNumber::new(number).expect("no number above the last page is asked for")
}
