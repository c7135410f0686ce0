//! A source of numbers, as the catalog declares it.

use crate::column_id::ColumnId;
use crate::sequence_id::SequenceId;

/// A sequence. The next number it gives is no part of its definition: it stands in its row of `st_sequence`, and each
/// transaction that takes numbers writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceDefinition {
    /// Its id.
    pub id: SequenceId,
    /// Its name, unique in the table.
    pub name: String,
    /// The column of its table that it fills where a row does not name it.
    pub column: ColumnId,
    /// The first number.
    pub start: i128,
    /// What is added for the next one; not zero.
    pub step: i128,
    /// The least number.
    pub minimum: i128,
    /// The greatest number.
    pub maximum: i128,
    /// Whether it starts again at the other bound after the last number.
    pub cycle: bool,
}

impl SequenceDefinition {
    /// The first of its numbers behind the end of the same sequence in narrower bounds; `None` if there is none.
    pub(crate) fn first_behind(&self, narrower: &SequenceDefinition) -> Option<i128> {
        let end = if self.step > 0 {
            narrower.maximum
        } else {
            narrower.minimum
        };
        let steps = end.checked_sub(self.start)?.checked_div(self.step)?;
        let last = steps.checked_mul(self.step)?.checked_add(self.start)?;
        let next = last.checked_add(self.step)?;
        (self.minimum..=self.maximum)
            .contains(&next)
            .then_some(next)
    }

    /// The number after `number`; `None` when there is none left.
    pub fn after(&self, number: i128) -> Option<i128> {
        match number.checked_add(self.step) {
            Some(next) if (self.minimum..=self.maximum).contains(&next) => Some(next),
            _ if !self.cycle => None,
            _ if self.step > 0 => Some(self.minimum),
            _ => Some(self.maximum),
        }
    }
}
