//! A sequence to be made.

use table::ColumnType;

use crate::column_id::ColumnId;
use crate::integer;
use crate::sequence_definition::SequenceDefinition;
use crate::sequence_id::SequenceId;

/// How a column counts by itself. What is not said follows from the step and the column's type: upwards 1, 2, 3, ... to the greatest
/// number of the type, downwards -1, -2, ... to the least one.
///
/// Numbers are `i128`, and those of a column of `u128` end where these do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewSequence {
    start: Option<i128>,
    step: Option<i128>,
    minimum: Option<i128>,
    maximum: Option<i128>,
    cycle: bool,
}

impl NewSequence {
    /// 1, 2, 3, ...
    pub fn new() -> Self {
        NewSequence::default()
    }

    /// The first number; the least one upwards, the greatest one downwards, if it is not said.
    #[must_use]
    pub fn start(mut self, start: i128) -> Self {
        self.start = Some(start);
        self
    }

    /// What is added for the next number; not zero.
    #[must_use]
    pub fn step(mut self, step: i128) -> Self {
        self.step = Some(step);
        self
    }

    /// The least number. The least one of the column's type says nothing more than the type does: it moves with it.
    #[must_use]
    pub fn minimum(mut self, minimum: i128) -> Self {
        self.minimum = Some(minimum);
        self
    }

    /// The greatest number. The greatest one of the column's type says nothing more than the type does: it moves with it.
    #[must_use]
    pub fn maximum(mut self, maximum: i128) -> Self {
        self.maximum = Some(maximum);
        self
    }

    /// After its last number it begins again at the other bound. Then numbers come twice.
    #[must_use]
    pub fn cycle(mut self) -> Self {
        self.cycle = true;
        self
    }

    /// The same numbers, with nothing left to follow from the column's type.
    pub(crate) fn settled(&self, column_type: ColumnType) -> NewSequence {
        NewSequence::of(&self.of_column(SequenceId(0), ColumnId(0), "", column_type))
    }

    /// What becomes of it when its column is widened: the end of the narrower type is no end any more.
    pub(crate) fn widened(&self, from: ColumnType, to: ColumnType) -> NewSequence {
        let mut widened = *self;
        if let (Some((least, greatest)), Some((wider_least, wider_greatest))) =
            (integer::bounds(from), integer::bounds(to))
        {
            // Only the end that it counts to.
            if self.step.unwrap_or(1) > 0 && self.maximum == Some(greatest) {
                widened.maximum = Some(wider_greatest);
            }
            if self.step.unwrap_or(1) < 0 && self.minimum == Some(least) {
                widened.minimum = Some(wider_least);
            }
        }
        widened
    }

    /// What a sequence was made by.
    pub(crate) fn of(sequence: &SequenceDefinition) -> NewSequence {
        NewSequence {
            start: Some(sequence.start),
            step: Some(sequence.step),
            minimum: Some(sequence.minimum),
            maximum: Some(sequence.maximum),
            cycle: sequence.cycle,
        }
    }

    /// The sequence of a column of a type. That it is an integer, and that the bounds fit, is for validation to say.
    pub(crate) fn of_column(
        &self,
        id: SequenceId,
        column: ColumnId,
        name: &str,
        column_type: ColumnType,
    ) -> SequenceDefinition {
        let (least, greatest) = integer::bounds(column_type).unwrap_or((1, 1));
        let step = self.step.unwrap_or(1);
        let is_upwards = step >= 0;
        let first = self.start.unwrap_or(if is_upwards { 1 } else { -1 });
        let minimum = self
            .minimum
            .unwrap_or(if is_upwards { first.min(1) } else { least });
        let maximum = self
            .maximum
            .unwrap_or(if is_upwards { greatest } else { first.max(-1) });
        let start = self
            .start
            .unwrap_or(if is_upwards { minimum } else { maximum });
        SequenceDefinition {
            id,
            name: name.to_owned(),
            column,
            start,
            step,
            minimum,
            maximum,
            cycle: self.cycle,
        }
    }
}
