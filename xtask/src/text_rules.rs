//! Rules about text that no compiler knows: a head on every file, nothing left to do, no path of a build machine.

use crate::finding::Finding;
use crate::source_file::{SourceFile, has_word};

// Written in two halves, so that this file passes its own rules.
const LEFT_OVERS: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("db", "g!("),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[", "ignore"),
];

/// Folders that exist on one machine only.
const MACHINE_FOLDERS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
];

/// What is shipped asks the system for a temporary folder instead of naming one.
const TEMPORARY_FOLDER: &str = concat!("/tm", "p/");

/// What a file breaks of the rules.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.is_rust() && !file.text.starts_with("//!") {
        findings.push(Finding::at(
            &file.path,
            1,
            "begin with `//!`: what this is and why it exists",
        ));
    }
    for (index, line) in file.text.lines().enumerate() {
        let mut complain =
            |message: String| findings.push(Finding::at(&file.path, index + 1, message));
        for left_over in LEFT_OVERS.iter().filter(|_| file.is_rust()) {
            let found = if left_over.starts_with('#') {
                line.contains(left_over)
            } else {
                starts_word(line, left_over)
            };
            if found {
                complain(format!(
                    "`{left_over}` is left over; finish it or remove it"
                ));
            }
        }
        for folder in MACHINE_FOLDERS
            .iter()
            .filter(|folder| starts_path(line, folder))
        {
            complain(format!("`{folder}` is a folder of one machine"));
        }
        if file.is_shipped() && starts_path(line, TEMPORARY_FOLDER) {
            complain(format!(
                "`{TEMPORARY_FOLDER}` is not everywhere; ask for the temporary folder"
            ));
        }
    }
    findings
}

/// True if `word` stands in the line as a word of its own; one that ends in `(` may be followed by anything.
fn starts_word(line: &str, word: &str) -> bool {
    if !word.ends_with('(') {
        return has_word(line, word);
    }
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

/// True if a path begins with `folder`; in the middle of a longer path it is some other folder.
fn starts_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "._-/}>".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&SourceFile::new(path, text.to_owned()))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_file_begins_with_its_head() {
        assert!(messages("crates/a/src/b.rs", "//! A file.\n").is_empty());
        assert_eq!(
            messages("crates/a/src/b.rs", "\n//! A file.\n"),
            ["crates/a/src/b.rs:1: begin with `//!`: what this is and why it exists"]
        );
        assert!(messages("docs/A.md", "# A\n").is_empty());
    }

    #[test]
    fn left_overs_are_caught() {
        for left_over in LEFT_OVERS {
            let text = format!("//! A file.\n    {left_over}] x)\n");
            assert_eq!(
                messages("crates/a/tests/b.rs", &text),
                [format!(
                    "crates/a/tests/b.rs:2: `{left_over}` is left over; finish it or remove it"
                )]
            );
        }
        let harmless = concat!("//! A file.\nmy_db", "g!(1); // PHOTO", "DOX\n");
        assert!(messages("crates/a/src/b.rs", harmless).is_empty());
    }

    #[test]
    fn folders_of_a_machine_are_caught() {
        for folder in MACHINE_FOLDERS {
            for path in ["crates/a/src/b.rs", "docs/A.md"] {
                let text = format!("//! A file.\nsee {folder}x\n");
                assert_eq!(
                    messages(path, &text),
                    [format!("{path}:2: `{folder}` is a folder of one machine")]
                );
            }
            assert!(
                messages("docs/A.md", &format!("some{folder}x\n")).is_empty(),
                "the middle of a path"
            );
        }
        let text = format!("//! A file.\nlet x = \"{TEMPORARY_FOLDER}x\";\n");
        assert_eq!(messages("crates/a/src/b.rs", &text).len(), 1);
        assert!(messages("crates/a/tests/b.rs", &text).is_empty());
        assert!(messages("README.md", &text).is_empty());
    }
}
