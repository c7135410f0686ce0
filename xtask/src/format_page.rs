//! `docs/FORMAT.md`: every byte layout of the project on one page, taken from the heads of the files that own them.
//!
//! A layout is written once, in the `//!` of a `format.rs` or `*_format.rs`. This page only collects them, so it
//! cannot tell another story than the code; `tidy` fails when it is older than the code.

use crate::Failure;
use crate::architecture::{ARCHITECTURE, Architecture};
use crate::checkout::Checkout;
use crate::finding::Finding;
use crate::output::say;
use crate::source_file::SourceFile;

const FORMAT: &str = "docs/FORMAT.md";

const HEAD: &str = "\
# Formats

Every byte that reaches a disk, by crate and file. **Generated** by `cargo xtask format` from the heads of the files
named `format.rs` or `*_format.rs`; change those, never this page. Integers are little-endian unless a drawing says
otherwise.
";

/// Writes the page.
pub(crate) fn write(checkout: &Checkout) -> Result<(), Failure> {
    let page = page_of(checkout)?;
    checkout.write(FORMAT, &page)?;
    say(format_args!("{FORMAT}: {} lines", page.lines().count()));
    Ok(())
}

/// A finding if the page is missing or older than the code.
pub(crate) fn check(architecture: &Architecture, files: &[SourceFile]) -> Option<Finding> {
    let written = files
        .iter()
        .find(|file| file.path == FORMAT)
        .map(|file| file.text.as_str());
    (written != Some(page(architecture, files).as_str())).then(|| {
        Finding::in_file(
            FORMAT,
            "is not what the format files say; run `cargo xtask format`",
        )
    })
}

fn page_of(checkout: &Checkout) -> Result<String, Failure> {
    let architecture = Architecture::parse(&checkout.read(ARCHITECTURE)?)?;
    Ok(page(&architecture, &checkout.files(&["rs"])?))
}

/// The page: the crates in the order of the architecture, lowest first, and their format files by name.
fn page(architecture: &Architecture, files: &[SourceFile]) -> String {
    let mut page = HEAD.to_owned();
    for rule in &architecture.crates {
        let sources = format!("crates/{}/src/", rule.name);
        let mut formats = files
            .iter()
            .filter(|file| file.path.starts_with(&sources) && is_format_file(&file.path))
            .peekable();
        if formats.peek().is_some() {
            page.push_str(&format!("\n## {}\n", rule.name));
        }
        for file in formats {
            page.push_str(&format!("\n### {}\n\n{}", file.path, head_of(&file.text)));
        }
    }
    page
}

fn is_format_file(path: &str) -> bool {
    path.ends_with("/format.rs") || path.ends_with("_format.rs")
}

/// The `//!` lines at the top of a source, as markdown one level below the page's own headings.
fn head_of(source: &str) -> String {
    let mut head = String::new();
    let mut fenced = false;
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        let line = line.strip_prefix(' ').unwrap_or(line);
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && line.starts_with('#') {
            head.push_str("###");
        }
        head.push_str(line.trim_end());
        head.push('\n');
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "\
| crate | may use | its tests also use |
|-|-|-|
| log | - | - |
| disk | - | - |

| file | may | because |
|-|-|-|
";

    fn files() -> Vec<SourceFile> {
        let file = |path: &str, text: &str| SourceFile::new(path, text.to_owned());
        vec![
            file(
                "crates/disk/src/format.rs",
                "//! The lock.\n\nconst A: u8 = 1;\n//! not this\n",
            ),
            file("crates/disk/src/information.rs", "//! not this\n"),
            file(
                "crates/log/src/mark_format.rs",
                "//! A mark.\n//!\n//! # Drawing\n//! ```text\n//! # 8 bytes\n//!   indented\n//! ```\n//!last\n",
            ),
            file("crates/log/tests/format.rs", "//! not this\n"),
        ]
    }

    #[test]
    fn the_page_collects_the_heads() {
        let architecture = Architecture::parse(TABLES).unwrap();
        let expected = format!(
            "{HEAD}
## log

### crates/log/src/mark_format.rs

A mark.

#### Drawing
```text
# 8 bytes
  indented
```
last

## disk

### crates/disk/src/format.rs

The lock.
"
        );
        assert_eq!(page(&architecture, &files()), expected);
    }

    #[test]
    fn a_stale_page_is_caught() {
        let architecture = Architecture::parse(TABLES).unwrap();
        let mut files = files();
        let stale = "docs/FORMAT.md: is not what the format files say; run `cargo xtask format`";
        let check_files =
            |files: &[SourceFile]| check(&architecture, files).map(|finding| finding.to_string());
        assert_eq!(
            check_files(&files).as_deref(),
            Some(stale),
            "the page is missing"
        );
        files.push(SourceFile::new(FORMAT, page(&architecture, &files)));
        assert_eq!(check_files(&files), None);
        files[0] = SourceFile::new(
            "crates/disk/src/format.rs",
            "//! The lock, larger.\n".to_owned(),
        );
        assert_eq!(
            check_files(&files).as_deref(),
            Some(stale),
            "the code went on"
        );
    }
}
