//! What is said: the standard output, buffered, as text or as JSON, and the error output. Neither panics when its reader goes.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write, stderr, stdout};

use serde::Serialize;

use crate::failure::Failure;
use crate::text_table::TextTable;

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

    /// Writes rows below a header, in straight columns; see [`TextTable`].
    ///
    /// # Errors
    /// Those of [`Output::line`].
    pub fn table<C: Display>(
        &mut self,
        header: &[&str],
        rows: impl IntoIterator<Item = Vec<C>>,
    ) -> Result<(), Failure> {
        let mut table = TextTable::new(1, header);
        for row in rows {
            table.row(&row, self)?;
        }
        table.finish(self)
    }

    /// Hands on what was written so far.
    ///
    /// # Errors
    /// Those of [`Output::line`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// Says a line to the error output; where nobody reads that there is nobody to tell, and `eprintln!` would panic.
pub fn complain(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
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
    fn json_is_one_line() {
        assert_eq!(written(|output| output.json(&["a\nb"])), "[\"a\\nb\"]\n");
        assert_eq!(written(|output| output.line("x")), "x\n");
    }
}
