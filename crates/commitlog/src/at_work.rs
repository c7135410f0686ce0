//! A thread that is at work on files of sealed segments, while others go on.

use crate::log_state::State;
use crate::monitor::Held;

/// The state, for the thread that makes a segment anew, or removes some, until it touches no file of them any more, also in a panic: closing the log waits for that.
pub(crate) struct AtWork<'a> {
    pub(crate) held: Held<'a>,
    /// What says so in the state.
    flag: fn(&mut State) -> &mut bool,
}

impl<'a> AtWork<'a> {
    pub(crate) fn begin(mut held: Held<'a>, flag: fn(&mut State) -> &mut bool) -> AtWork<'a> {
        *flag(&mut held) = true;
        AtWork { held, flag }
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        *(self.flag)(&mut self.held) = false;
        self.held.news.written = true;
        // Whoever packs in the background had nothing to do meanwhile, or waits for somebody else to succeed.
        self.held.nudge();
    }
}
