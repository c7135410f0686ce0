//! Files that may do more than others: touch the file system, hold unsafe code, be long.
//!
//! All others may not. The list stands in the architecture document with a reason for each file, and it must stay
//! true: a file that no longer needs its licence loses it.
//!
//! The file system is guarded in what is shipped. A test or a bench looks at a database from outside, as a user with a
//! hex editor would, and may open its files.

use std::collections::BTreeMap;

use crate::architecture::{ARCHITECTURE, Architecture, Licence};
use crate::finding::Finding;
use crate::source_file::{SourceFile, has_word, lines_with_word};

/// More lines than this and a file needs a licence; most should have less than half of it.
const FILE_LINES_MAX: usize = 500;

/// The same for tests and benches: a list of claims and cases is read one by one, not as a whole.
const TEST_LINES_MAX: usize = 1000;

/// Every use without a licence, and every licence without a use.
pub(crate) fn check(architecture: &Architecture, files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut uses: BTreeMap<(&str, Licence), usize> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for (licence, line) in needed(file) {
            uses.insert((&file.path, licence), line);
        }
    }
    for rule in &architecture.licences {
        if uses.remove(&(rule.path.as_str(), rule.licence)).is_none() {
            let message = format!("{} does not need its `{}`", rule.path, rule.licence.word());
            findings.push(Finding::in_file(ARCHITECTURE, message));
        }
    }
    for ((path, licence), line) in uses {
        let message = match licence {
            Licence::FileSystem => "files go through the `disk` crate".to_owned(),
            Licence::Unsafe => "no unsafe code here".to_owned(),
            Licence::Long => format!(
                "{line} lines are more than {}; does its name need an \"and\"?",
                lines_max(path)
            ),
        };
        let message = format!("{message} (licences: {ARCHITECTURE})");
        findings.push(Finding::at(
            path,
            if licence == Licence::Long { 0 } else { line },
            message,
        ));
    }
    findings
}

/// The licences that a file needs, with the first line that needs it, or the number of lines.
fn needed(file: &SourceFile) -> Vec<(Licence, usize)> {
    let mut needed = Vec::new();
    let guarded = file.is_shipped() || file.path.starts_with("xtask/src/");
    if let Some(line) = file_system_line(&file.code).filter(|_| guarded) {
        needed.push((Licence::FileSystem, line));
    }
    if let Some(line) = lines_with_word(&file.code, "unsafe").next() {
        needed.push((Licence::Unsafe, line));
    }
    if file.line_count() > lines_max(&file.path) {
        needed.push((Licence::Long, file.line_count()));
    }
    needed
}

fn lines_max(path: &str) -> usize {
    let is_test = path.contains("/tests/") || path.contains("/benches/");
    if is_test {
        TEST_LINES_MAX
    } else {
        FILE_LINES_MAX
    }
}

/// The first line that names a way to the file system: `std::fs`, `std::{.., fs, ..}`, what a platform adds to it, a raw call or a
/// map; one that hides it, all of `std` or another name for it; or one that switches off the lints that know the rest, such as
/// `Path::exists`.
fn file_system_line(code: &str) -> Option<usize> {
    let named = [
        "std::fs",
        "rustix::fs",
        "libc",
        "memmap2",
        "std as",
        "os as",
        "unix as",
        "linux as",
        "clippy::disallowed_methods",
        "clippy::disallowed_types",
    ]
    .into_iter()
    .filter_map(|path| lines_with_word(code, path).next());
    let starred = code
        .match_indices("std::*")
        .map(|(at, _)| line_of(code, at));
    let grouped = ["std::{", "rustix::{"].into_iter().flat_map(|opening| {
        code.match_indices(opening).filter_map(move |(at, _)| {
            let group = group_in_braces(&code[at + opening.len()..]);
            let hides = ["self", "*"].iter().any(|&name| {
                let members = outermost_members(group);
                members
                    .into_iter()
                    .any(|member| member.split_whitespace().next() == Some(name))
            });
            (has_word(group, "fs") || hides).then(|| line_of(code, at))
        })
    });
    let of_platforms = code
        .match_indices("std::os::")
        .filter(|(at, _)| has_word(path_or_group(&code[*at..]), "fs"))
        .map(|(at, _)| line_of(code, at));
    named
        .chain(starred)
        .chain(grouped)
        .chain(of_platforms)
        .min()
}

/// A path, with all the groups in it.
fn path_or_group(code: &str) -> &str {
    let mut depth = 0_usize;
    let end = code.find(|character: char| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_of_path = character.is_alphanumeric() || "_:{}*".contains(character);
        !is_of_path && depth == 0
    });
    &code[..end.unwrap_or(code.len())]
}

fn line_of(code: &str, at: usize) -> usize {
    1 + code[..at].matches('\n').count()
}

/// What stands before the brace that closes the one just read, inner braces and all.
fn group_in_braces(code: &str) -> &str {
    let mut depth = 1_usize;
    let end = code.find(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &code[..end.unwrap_or(code.len())]
}

/// The members of a group of paths, split at the commas that stand in no inner braces.
fn outermost_members(group: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    group
        .split(|character| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            character == ',' && depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_texts(licences: &str, files: &[(&str, &str)]) -> Vec<String> {
        let page = format!(
            "| crate | may use | its tests also use |\n|-|-|-|\n\n| file | may | because |\n|-|-|-|\n{licences}\n"
        );
        let architecture = Architecture::parse(&page).unwrap();
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile::new(path, (*text).to_owned()))
            .collect();
        check(&architecture, &files)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_file_system_is_guarded_in_what_ships() {
        let complaint = "crates/a/src/b.rs:2: files go through the `disk` crate (licences: docs/ARCHITECTURE.md)";
        for line in [
            "use std::fs;",
            "use std::{io, fs::File};",
            "use std::{collections::{BTreeMap}, fs};",
            "use std::{collections::{BTreeMap, btree_map::{Entry}},\n    fs};",
            "use std as s; use s::fs;",
            "use {std as s};",
            "extern crate std as s;",
            "use std::{self as s, io};",
            "use std::*;",
            "use std::{io, *};",
            "rustix::fs::fsync(x)",
            "use rustix::{io, fs::fsync};",
            "libc::open(x)",
            "use memmap2::Mmap;",
            "std::os::unix::fs::symlink(a, b)",
            "use std::os::unix::{ffi::OsStrExt, fs::symlink};",
            "use std::{os::unix::fs::symlink};",
            "use std::os as system;",
            "use std::os::unix as system;",
            "#[allow(clippy::disallowed_methods)] a.exists();",
            "#![expect(dead_code, clippy::disallowed_types)]",
        ] {
            let text = format!("// std::fs\n{line}\n");
            assert_eq!(
                check_texts("", &[("crates/a/src/b.rs", &text)]),
                [complaint],
                "{line}"
            );
            assert!(
                check_texts("", &[("crates/a/tests/b.rs", &text)]).is_empty(),
                "{line}"
            );
            assert!(
                check_texts(
                    "| crates/a/src/b.rs | std::fs | yes |",
                    &[("crates/a/src/b.rs", &text)]
                )
                .is_empty()
            );
        }
        for text in [
            "use std::{io, fmt};\nlet fs = 1;\n",
            "use std::{io::{self, Read}, fmt::*};\nmod a { use self::fs; }\n",
            "use std::os::unix::ffi::OsStrExt;\nlet fs = 1;\n",
            "use std::os::unix::{ffi::OsStrExt, process::CommandExt};\nlet fs = 1;\n",
            "use std::{\n",
        ] {
            assert!(
                check_texts("", &[("crates/a/src/b.rs", text)]).is_empty(),
                "{text}"
            );
        }
    }

    #[test]
    fn unsafe_is_guarded_everywhere() {
        let text = "//! unsafe\n#![deny(unsafe_code)]\nfn a() { unsafe { b() } }\n";
        for path in ["crates/a/src/b.rs", "crates/a/tests/b.rs", "xtask/src/b.rs"] {
            assert_eq!(
                check_texts("", &[(path, text)]),
                [format!(
                    "{path}:3: no unsafe code here (licences: docs/ARCHITECTURE.md)"
                )]
            );
        }
    }

    #[test]
    fn a_long_file_needs_a_licence() {
        for (path, lines_max) in [
            ("crates/a/src/b.rs", 500),
            ("crates/a/tests/b.rs", 1000),
            ("crates/a/benches/b.rs", 1000),
        ] {
            let text = |lines| "\n".repeat(lines);
            assert!(check_texts("", &[(path, &text(lines_max))]).is_empty());
            let long = text(lines_max + 1);
            let complaint = format!(
                "{path}: {} lines are more than {lines_max}; does its name need an \"and\"? \
                 (licences: docs/ARCHITECTURE.md)",
                lines_max + 1
            );
            assert_eq!(check_texts("", &[(path, &long)]), [complaint]);
            let licence = format!("| {path} | long | a table of cases |");
            assert!(check_texts(&licence, &[(path, &long)]).is_empty());
        }
    }

    #[test]
    fn an_idle_licence_is_caught() {
        for licence in ["std::fs", "unsafe", "long"] {
            let row = format!("| crates/a/src/b.rs | {licence} | once it did |");
            let complaint =
                format!("docs/ARCHITECTURE.md: crates/a/src/b.rs does not need its `{licence}`");
            assert_eq!(
                check_texts(&row, &[("crates/a/src/b.rs", "fn a() {}\n")]),
                [complaint.as_str()]
            );
            assert_eq!(check_texts(&row, &[]), [complaint.as_str()]);
        }
    }
}
