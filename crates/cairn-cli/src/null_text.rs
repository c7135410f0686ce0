//! The text that stands for null in a CSV file.

use std::str::FromStr;

use crate::csv_records::Cell;

/// What a null looks like in a file: nothing, unless told otherwise.
///
/// Only a bare cell is null. A quoted one is the text itself, so a column can hold both.
///
/// Invariant: it can stand bare in a cell, so there is no comma, quote or line end in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NullText(String);

impl NullText {
    /// This text, `NA` for example, stands for null.
    ///
    /// # Panics
    /// On a text that no bare cell can hold; one that a user names goes through [`FromStr`].
    pub fn new(text: &str) -> NullText {
        match text.parse() {
            Ok(null_text) => null_text,
            Err(mistake) => panic!("{text:?} stands for null, but {mistake}"),
        }
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

impl FromStr for NullText {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<NullText, &'static str> {
        if text.contains([',', '"', '\r', '\n']) {
            return Err("no cell can be that without quotes, and what is in quotes is not null");
        }
        Ok(NullText(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_stand_bare_is_refused() {
        for text in ["x,y", ",", "x\"y", "\"\"", "a\nb", "\r"] {
            assert!(text.parse::<NullText>().is_err(), "{text:?}");
        }
        for text in ["", "NA", "-", " ", "\\N", "n/a"] {
            assert_eq!(text.parse(), Ok(NullText::new(text)));
        }
    }

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
