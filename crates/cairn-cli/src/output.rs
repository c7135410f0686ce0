//! The standard output: buffered, as text or as JSON, never panicking when its reader goes.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write, stdout};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Row, Table};
use serde::Serialize;

use crate::failure::Failure;

/// Where a verb writes its answer. `println!` would panic on a closed pipe; this returns [`Failure::ClosedPipe`].
#[derive(Debug)]
pub struct Output<W: Write = StdoutLock<'static>> {
    out: BufWriter<W>,
}

impl Output {
    /// The standard output, for as long as this lives.
    pub fn standard() -> Output {
        Output::to(stdout().lock())
    }
}

impl<W: Write> Output<W> {
    /// Any writer, as a test uses it.
    pub fn to(out: W) -> Output<W> {
        Output {
            out: BufWriter::new(out),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// A closed pipe, or what else the output says.
    pub fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// Those of [`Output::line`].
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, value)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// Writes rows below a header, in columns as wide as they need to be.
    ///
    /// # Errors
    /// Those of [`Output::line`].
    pub fn table<C: Display>(
        &mut self,
        header: &[&str],
        rows: impl IntoIterator<Item = Vec<C>>,
    ) -> Result<(), Failure> {
        let mut table = Table::new();
        table
            .load_preset(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(header);
        for row in rows {
            table.add_row(Row::from(row.iter().map(one_line).collect::<Vec<String>>()));
        }
        for line in table.lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// Hands on what was written so far.
    ///
    /// # Errors
    /// Those of [`Output::line`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// So that a row writer can write here.
impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
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
    use super::*;

    fn written(write: impl FnOnce(&mut Output<&mut Vec<u8>>) -> Result<(), Failure>) -> String {
        let mut bytes = Vec::new();
        let mut output = Output::to(&mut bytes);
        write(&mut output).unwrap();
        output.flush().unwrap();
        drop(output);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_table_has_straight_columns_and_one_line_for_each_row() {
        let text = written(|output| {
            output.table(
                &["name", "rows"],
                [
                    vec!["a", "1"],
                    vec!["long name", "22"],
                    vec!["line\nend\u{1b}", "3"],
                ],
            )
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[3].contains("line\\nend\\u{1b}"), "{text}");
        let column = lines[0].find("rows");
        assert!(column.is_some());
        assert_eq!(lines[1].find('1'), column, "{text}");
        assert_eq!(lines[2].find("22"), column, "{text}");
    }

    #[test]
    fn json_is_one_line() {
        assert_eq!(written(|output| output.json(&["a\nb"])), "[\"a\\nb\"]\n");
        assert_eq!(written(|output| output.line("x")), "x\n");
    }
}
