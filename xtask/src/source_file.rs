//! A text file of the checkout, with its code told from its comments where it is Rust.

use crate::masked::mask;

/// A file, its text, and the same text without comments and literals.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Named from the root of the checkout, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
    /// The text with comments, strings and characters blanked, line for line; empty where the file is not Rust.
    pub(crate) code: String,
}

impl SourceFile {
    /// The file `path` with this text.
    pub(crate) fn new(path: &str, text: String) -> SourceFile {
        let path = path.replace('\\', "/");
        let code = if path.ends_with(".rs") {
            mask(&text)
        } else {
            String::new()
        };
        SourceFile { path, text, code }
    }

    /// True for Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// True for a file that ends up in a library or a program, false for tests and benches.
    pub(crate) fn is_shipped(&self) -> bool {
        self.is_rust() && self.path.starts_with("crates/") && self.path.contains("/src/")
    }

    /// The number of lines.
    pub(crate) fn line_count(&self) -> usize {
        self.text.lines().count()
    }
}

/// The lines of `text` that have `word` standing alone, counted from 1.
pub(crate) fn lines_with_word<'t>(
    text: &'t str,
    word: &'t str,
) -> impl Iterator<Item = usize> + 't {
    text.lines()
        .enumerate()
        .filter(move |(_, line)| has_word(line, word))
        .map(|(index, _)| index + 1)
}

/// True if `word` stands in `line` with no letter, digit or `_` beside it.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_word_character) && !after.is_some_and(is_word_character)
    })
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_alone() {
        for (line, word, expected) in [
            ("unsafe {", "unsafe", true),
            ("#![deny(unsafe_code)]", "unsafe", false),
            ("pub unsafe fn", "unsafe", true),
            ("not_unsafe unsafe", "unsafe", true),
            ("use std::fs::File;", "std::fs", true),
            ("use std::fsx;", "std::fs", false),
        ] {
            assert_eq!(has_word(line, word), expected, "{word} in {line}");
        }
    }

    #[test]
    fn only_the_src_of_a_crate_is_shipped() {
        for (path, expected) in [
            ("crates/disk/src/lib.rs", true),
            ("crates/disk/tests/behavior.rs", false),
            ("crates/disk/benches/disk.rs", false),
            ("xtask/src/main.rs", false),
            ("crates/disk/src/notes.md", false),
        ] {
            assert_eq!(
                SourceFile::new(path, String::new()).is_shipped(),
                expected,
                "{path}"
            );
        }
    }
}
