//! The text that stands for null in a CSV file.

use crate::csv_records::Cell;

/// What a null looks like in a file: nothing, unless told otherwise.
///
/// Only a bare cell is null. A quoted one is the text itself, so a column can hold both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NullText(String);

impl NullText {
    /// This text, `NA` for example, stands for null.
    pub fn new(text: impl Into<String>) -> NullText {
        NullText(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a cell is null.
    pub fn is_null(&self, cell: Cell<'_>) -> bool {
        !cell.quoted && cell.text == self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_cell_is_null() {
        for (null, text, quoted, expected) in [
            ("", "", false, true),
            ("", "", true, false),
            ("", "NA", false, false),
            ("NA", "NA", false, true),
            ("NA", "NA", true, false),
            ("NA", "", false, false),
            ("NA", "na", false, false),
        ] {
            assert_eq!(
                NullText::new(null).is_null(Cell { text, quoted }),
                expected,
                "{null:?} {text:?} {quoted}"
            );
        }
        assert_eq!(NullText::default(), NullText::new(""));
    }
}
