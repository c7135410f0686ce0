//! Verifying, some at a time, the pages that a snapshot was mapped with and that nobody has used yet, and with them what says where they are.

use table::{Damaged, PageNumber};

use crate::view::View;

/// So many pages are looked at in one step: 16 MiB.
const PAGES_PER_STEP: usize = 512;

/// How far it has come. Pages that are written meanwhile were verified before.
#[derive(Debug)]
pub(crate) struct Verification {
    /// The state that the database was opened with: its pages stay mapped as long as this is held.
    view: View,
    next: PageNumber,
    damaged: Vec<Damaged>,
}

impl Verification {
    pub(crate) fn new(view: View) -> Self {
        Verification {
            view,
            next: PageNumber::MIN,
            damaged: Vec::new(),
        }
    }

    /// Verifies the next few pages. `None` while there are more; at the end those that are damaged. Where can not be said which pages there are, one stands for
    /// all of them.
    pub(crate) fn step(&mut self) -> Option<Vec<Damaged>> {
        let pages = self.view.state().store().pages();
        let mut last = None;
        for (number, page) in pages.iter_from(self.next).take(PAGES_PER_STEP) {
            if let Err(kind) = page.bytes() {
                self.damaged.push(kind.at(number));
            }
            last = Some(number);
        }
        match last.and_then(|last| PageNumber::new(last.get() + 1)) {
            Some(next) => {
                self.next = next;
                None
            }
            None => Some(std::mem::take(&mut self.damaged)),
        }
    }
}
