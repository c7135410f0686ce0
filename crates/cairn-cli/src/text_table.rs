//! Rows below a header, in straight columns, written as they come.
//!
//! A table may be longer than memory, and its reader may go after the first line. So only the first rows are held back:
//! they and the header say how wide the columns are. A longer cell further down sticks out.
//!
//! ```text
//!  tailnum  year  seats        two spaces between columns, none at the end of a line
//!  N1       2004  55
//! ```

use std::fmt::Display;
use std::io::Write;

use comfy_table::{Row, Table};

use crate::failure::Failure;
use crate::output::Output;

/// So many rows say how wide the columns are.
const ROWS_MEASURED: usize = 100;

/// A table that is being written.
#[derive(Debug)]
pub struct TextTable {
    indent: usize,
    /// Columns on the screen that each column takes, as far as the lines in `waiting` say.
    widths: Vec<u16>,
    /// The header and the first rows.
    waiting: Vec<Vec<String>>,
    is_measured: bool,
}

impl TextTable {
    /// A table with this header, every line of it behind `indent` spaces.
    pub fn new<C: Display>(indent: usize, header: &[C]) -> TextTable {
        let header: Vec<String> = header.iter().map(one_line).collect();
        TextTable {
            indent,
            widths: widths(&header),
            waiting: vec![header],
            is_measured: false,
        }
    }

    /// Adds a row, which has as many cells as the header.
    ///
    /// # Errors
    /// Those of [`Output::line`].
    pub fn row<C: Display, W: Write>(
        &mut self,
        cells: &[C],
        output: &mut Output<W>,
    ) -> Result<(), Failure> {
        let cells: Vec<String> = cells.iter().map(one_line).collect();
        if self.is_measured {
            return self.write(&cells, output);
        }
        for (width, found) in self.widths.iter_mut().zip(widths(&cells)) {
            *width = found.max(*width);
        }
        self.waiting.push(cells);
        if self.waiting.len() > ROWS_MEASURED {
            self.write_waiting(output)?;
        }
        Ok(())
    }

    /// Writes what was held back.
    ///
    /// # Errors
    /// Those of [`Output::line`].
    pub fn finish<W: Write>(mut self, output: &mut Output<W>) -> Result<(), Failure> {
        self.write_waiting(output)
    }

    fn write_waiting<W: Write>(&mut self, output: &mut Output<W>) -> Result<(), Failure> {
        self.is_measured = true;
        std::mem::take(&mut self.waiting)
            .iter()
            .try_for_each(|cells| self.write(cells, output))
    }

    fn write<W: Write>(&self, cells: &[String], output: &mut Output<W>) -> Result<(), Failure> {
        let mut line = " ".repeat(self.indent);
        for ((cell, width), found) in cells.iter().zip(&self.widths).zip(widths(cells)) {
            line.push_str(cell);
            let gap = usize::from(width.saturating_sub(found)) + 2;
            line.extend(std::iter::repeat_n(' ', gap));
        }
        output.line(line.trim_end())
    }
}

/// Columns on the screen that each cell takes: a wide character takes two, an accent of its own none.
fn widths(cells: &[String]) -> Vec<u16> {
    let mut table = Table::new();
    table.add_row(Row::from(cells));
    let widths = table.column_max_content_widths().into_iter();
    // An empty cell would count as one.
    widths
        .zip(cells)
        .map(|(width, cell)| if cell.is_empty() { 0 } else { width })
        .collect()
}

/// A cell is one line: control characters are shown, not carried out.
fn one_line(cell: &impl Display) -> String {
    let text = cell.to_string();
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let kept = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(kept)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn lines<C: Display>(indent: usize, header: &[&str], rows: &[Vec<C>]) -> Vec<String> {
        let mut bytes = Vec::new();
        let mut output = Output::to(&mut bytes);
        let mut table = TextTable::new(indent, header);
        for row in rows {
            table.row(row, &mut output).unwrap();
        }
        table.finish(&mut output).unwrap();
        output.flush().unwrap();
        drop(output);
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn columns_are_straight_and_a_row_is_one_line() {
        let rows = [
            vec!["a", "1"],
            vec!["long name", "22"],
            vec!["line\nend\u{1b}", "3"],
            vec!["東京", ""],
            vec!["", "4"],
        ];
        assert_eq!(
            lines(1, &["name", "rows"], &rows),
            [
                " name             rows",
                " a                1",
                " long name        22",
                " line\\nend\\u{1b}  3",
                " 東京",
                "                  4",
            ]
        );
        assert_eq!(lines::<&str>(3, &["name", "rows"], &[]), ["   name  rows"]);
    }

    #[test]
    fn the_first_rows_say_how_wide_a_column_is() {
        let mut rows = vec![vec!["1234", "x"]; 100];
        rows.push(vec!["123456789", "x"]);
        rows.push(vec!["12", "x"]);
        let lines = lines(0, &["n", "c"], &rows);
        assert_eq!(lines.len(), 103);
        assert_eq!(lines[0], "n     c");
        assert!(lines[1..101].iter().all(|line| line == "1234  x"));
        assert_eq!(lines[101..], ["123456789  x", "12    x"]);
    }

    #[test]
    fn a_cell_of_any_length_is_written_whole() {
        let long = "x".repeat(200_000);
        let rows = [vec![long.as_str(), "y"]];
        assert_eq!(lines(0, &["a", "b"], &rows)[1], format!("{long}  y"));
    }

    /// An output whose reader has gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_rows_are_drawn_once_the_reader_has_gone() {
        let mut output = Output::to(Closed);
        let mut drawn = 0;
        let rows = (0..1_000_000_u64).inspect(|_| drawn += 1);
        let stopped = output.table(&["n"], rows.map(|number| vec![number]));
        assert_eq!(stopped, Err(Failure::ClosedPipe));
        assert!(drawn < 10_000, "{drawn}");
    }
}
