//! The narrowest type that loses nothing of a column's text.
//!
//! A type is possible as long as each cell, read as a value of it and printed again, is the same text. So `007`, `+1`,
//! `1.0` and `1e5` keep their column a string: as numbers they would come back as other text.

use std::fmt::{self, Write};

use table::{ColumnType, Value};

use crate::csv_error::Excerpt;

/// What is known of one column after some of its cells.
#[derive(Debug, Clone)]
pub(crate) struct ColumnGuess {
    /// The types that every cell so far allows, in order of preference; a string is always possible.
    candidates: Vec<ColumnType>,
    value_seen: bool,
    null_seen: bool,
    near_miss: Option<NearMiss>,
    printed: String,
}

/// The cell that made a column a string which was of a narrower type until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The line of the cell's record, counted from 1.
    pub line: u64,
    /// The cell.
    pub text: Excerpt,
    /// The type that all cells before it allowed.
    pub column_type: ColumnType,
    /// How the cell would come back, if it is a value of that type at all.
    pub printed: Option<Excerpt>,
}

impl fmt::Display for NearMiss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "no {}: line {} has {}",
            self.column_type, self.line, self.text
        )?;
        match &self.printed {
            Some(printed) => write!(formatter, ", which would come back as {printed}"),
            None => Ok(()),
        }
    }
}

/// Up to here every integer prints the same as a 64-bit integer and as a float.
const EXACT_FLOAT_MAX: u64 = 1 << 53;

impl ColumnGuess {
    /// Nothing is known yet.
    pub(crate) fn new() -> ColumnGuess {
        ColumnGuess {
            candidates: vec![
                ColumnType::Bool,
                ColumnType::I64,
                ColumnType::U64,
                ColumnType::F64,
                ColumnType::Timestamp,
            ],
            value_seen: false,
            null_seen: false,
            near_miss: None,
            printed: String::new(),
        }
    }

    /// Takes a null into account.
    pub(crate) fn observe_null(&mut self) {
        self.null_seen = true;
    }

    /// Takes a cell that is not null into account; `line` is where its record begins.
    pub(crate) fn observe(&mut self, text: &str, line: u64) {
        let integer = plain_integer(text);
        let allows = |candidate: ColumnType, printed: &mut String| match (integer, candidate) {
            // Most columns of numbers are of these, and printing each cell would be most of the time.
            (Some(_), ColumnType::I64 | ColumnType::F64) => true,
            (Some(integer), ColumnType::U64) => integer >= 0,
            (Some(_), _) => false,
            (None, candidate) => prints_back(candidate, text, printed),
        };
        let printed = &mut self.printed;
        if self
            .candidates
            .iter()
            .any(|&candidate| allows(candidate, printed))
        {
            self.candidates
                .retain(|&candidate| allows(candidate, printed));
        } else {
            if self.value_seen {
                self.near_miss = self
                    .near_miss
                    .take()
                    .or_else(|| near_miss(&self.candidates, text, line));
            }
            self.candidates.clear();
        }
        self.value_seen = true;
    }

    /// The type to choose; a column of nulls only is one of strings.
    pub(crate) fn column_type(&self) -> ColumnType {
        match self.candidates.first() {
            Some(&candidate) if self.value_seen => candidate,
            _ => ColumnType::String,
        }
    }

    /// Why a column of strings is not of the type that its first cells had.
    pub(crate) fn near_miss(&self) -> Option<&NearMiss> {
        self.near_miss.as_ref()
    }

    /// Whether a null was seen.
    pub(crate) fn is_nullable(&self) -> bool {
        self.null_seen
    }
}

impl Default for ColumnGuess {
    fn default() -> ColumnGuess {
        ColumnGuess::new()
    }
}

/// The integer, if the text is its plain form and a float holds it exactly.
fn plain_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < 16 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let integer: i64 = if plain {
        text.parse().ok()?
    } else {
        return None;
    };
    (integer.unsigned_abs() <= EXACT_FLOAT_MAX).then_some(integer)
}

/// What to say of the cell that ends these candidates: of a type that it could be read as, if there is one.
fn near_miss(candidates: &[ColumnType], text: &str, line: u64) -> Option<NearMiss> {
    let parsed = candidates
        .iter()
        .find_map(|&candidate| Some((candidate, Value::parse(candidate, text)?)));
    let (column_type, printed) = match parsed {
        Some((candidate, value)) => (candidate, Some(Excerpt::new(&value.to_string()))),
        None => (*candidates.first()?, None),
    };
    Some(NearMiss {
        line,
        text: Excerpt::new(text),
        column_type,
        printed,
    })
}

fn prints_back(candidate: ColumnType, text: &str, printed: &mut String) -> bool {
    let Some(value) = Value::parse(candidate, text) else {
        return false;
    };
    printed.clear();
    write!(printed, "{value}").is_ok() && printed == text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(cells: &[&str]) -> ColumnType {
        let mut guess = ColumnGuess::new();
        cells
            .iter()
            .zip(2..)
            .for_each(|(cell, line)| guess.observe(cell, line));
        guess.column_type()
    }

    #[test]
    fn the_narrowest_type_that_prints_back_is_chosen() {
        let rows: [(&[&str], ColumnType); 35] = [
            (&[], ColumnType::String),
            (&[""], ColumnType::String),
            (&["true", "false"], ColumnType::Bool),
            (&["true", "False"], ColumnType::String),
            (&["true", "1"], ColumnType::String),
            (&["0", "1", "-5"], ColumnType::I64),
            (
                &["-9223372036854775808", "9223372036854775807"],
                ColumnType::I64,
            ),
            (&["9223372036854775808"], ColumnType::U64),
            (&["0", "18446744073709551615"], ColumnType::U64),
            (&["-1", "18446744073709551615"], ColumnType::String),
            (&["18446744073709551616"], ColumnType::String),
            (&["100000000000000000000000"], ColumnType::F64),
            (&["0", "0.01"], ColumnType::F64),
            (&["39.02", "10.357019999999999", "-5"], ColumnType::F64),
            (&["9007199254740992", "0.5"], ColumnType::F64),
            (&["9007199254740993", "0.5"], ColumnType::String),
            (&["-9007199254740993", "0.5"], ColumnType::String),
            (&["0.5", "9007199254740993"], ColumnType::String),
            (&["007"], ColumnType::String),
            (&["1.0"], ColumnType::String),
            (&["1e5"], ColumnType::String),
            (&["-0"], ColumnType::F64),
            (&["-0", "1"], ColumnType::F64),
            (&["+1"], ColumnType::String),
            (&[" 1"], ColumnType::String),
            (&["1_000"], ColumnType::String),
            (&["--1"], ColumnType::String),
            (&["-"], ColumnType::String),
            (&[".5"], ColumnType::String),
            (&["0.1000"], ColumnType::String),
            (
                &["2013-01-01T06:00:00Z", "2013-01-01T06:00:00.5Z"],
                ColumnType::Timestamp,
            ),
            (&["2013-01-01 06:00:00Z"], ColumnType::String),
            (&["2013-01-01T06:00:00.50Z"], ColumnType::String),
            (&["2013-01-01T06:00:00+00:00"], ColumnType::String),
            (&["2013-01-01"], ColumnType::String),
        ];
        for (cells, expected) in rows {
            assert_eq!(guess(cells), expected, "of {cells:?}");
        }
    }

    #[test]
    fn order_does_not_matter() {
        let cells = [
            "1",
            "0.5",
            "-0",
            "9007199254740993",
            "18446744073709551615",
            "true",
            "x",
        ];
        for first in cells {
            for second in cells {
                assert_eq!(
                    guess(&[first, second]),
                    guess(&[second, first]),
                    "{first} {second}"
                );
            }
        }
    }

    #[test]
    fn the_short_cut_for_integers_agrees_with_printing() {
        let exact = 1_i64 << 53;
        let numbers = (-1100..1100)
            .chain(exact - 3..exact + 3)
            .chain(-exact - 3..-exact + 3);
        let mut printed = String::new();
        for number in numbers {
            let text = number.to_string();
            let expected = (number.unsigned_abs() <= EXACT_FLOAT_MAX).then_some(number);
            assert_eq!(plain_integer(&text), expected, "{text}");
            if expected.is_some() {
                assert!(prints_back(ColumnType::I64, &text, &mut printed), "{text}");
                assert!(prints_back(ColumnType::F64, &text, &mut printed), "{text}");
                assert_eq!(
                    prints_back(ColumnType::U64, &text, &mut printed),
                    number >= 0,
                    "{text}"
                );
                assert!(
                    !prints_back(ColumnType::Bool, &text, &mut printed),
                    "{text}"
                );
                assert!(
                    !prints_back(ColumnType::Timestamp, &text, &mut printed),
                    "{text}"
                );
            }
        }
        for text in [
            "", "-", "-0", "00", "01", "+1", "1.", "1 ", "--1", "1-", "é",
        ] {
            assert_eq!(plain_integer(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_null_makes_a_column_nullable_and_changes_no_type() {
        let mut guess = ColumnGuess::new();
        assert!(!guess.is_nullable());
        guess.observe_null();
        assert!(guess.is_nullable());
        assert_eq!(guess.column_type(), ColumnType::String);
        guess.observe("5", 2);
        assert_eq!(guess.column_type(), ColumnType::I64);
    }

    #[test]
    fn the_cell_that_spoils_a_type_is_named() {
        let rows: [(&[&str], Option<&str>); 8] = [
            (
                &["1012.3", "1e3", "x"],
                Some("no f64: line 3 has \"1e3\", which would come back as \"1000\""),
            ),
            (
                &["5", "007"],
                Some("no i64: line 3 has \"007\", which would come back as \"7\""),
            ),
            (
                &["5", "1.0"],
                Some("no f64: line 3 has \"1.0\", which would come back as \"1\""),
            ),
            (&["true", "yes"], Some("no bool: line 3 has \"yes\"")),
            (&["5", "0.5", "x"], Some("no f64: line 4 has \"x\"")),
            (&["x", "5"], None),
            (&["5", "0.5"], None),
            (&[], None),
        ];
        for (cells, expected) in rows {
            let mut guess = ColumnGuess::new();
            cells
                .iter()
                .zip(2..)
                .for_each(|(cell, line)| guess.observe(cell, line));
            assert_eq!(
                guess.near_miss().map(ToString::to_string).as_deref(),
                expected,
                "of {cells:?}"
            );
        }
    }
}
