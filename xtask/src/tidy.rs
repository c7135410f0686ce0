//! `cargo xtask tidy`: what no compiler checks.

use crate::Failure;
use crate::architecture::{ARCHITECTURE, Architecture};
use crate::checkout::Checkout;
use crate::function_length::function_lengths;
use crate::output::say;
use crate::source_file::SourceFile;
use crate::{edges, format_page, licences, package_count, text_rules};

/// The kinds of files that are read.
const EXTENSIONS: [&str; 5] = ["rs", "md", "toml", "sh", "yml"];

/// Lengths that a report shows, of files and of functions.
const REPORT_LINES: usize = 40;

/// Checks the checkout and prints what is wrong with it; with `report`, prints the lengths of files and functions first.
///
/// # Errors
/// Anything found.
pub(crate) fn run(checkout: &Checkout, report: bool) -> Result<(), Failure> {
    let files = checkout.files(&EXTENSIONS)?;
    if report {
        print_report(&files);
    }
    let architecture = Architecture::parse(&checkout.read(ARCHITECTURE)?)?;
    let mut findings = edges::check(&architecture, &checkout.manifests()?);
    findings.extend(licences::check(&architecture, &files));
    findings.extend(files.iter().flat_map(text_rules::check));
    findings.extend(format_page::check(&architecture, &files));
    findings.extend(package_count::check(checkout)?);
    for finding in &findings {
        say(format_args!("{finding}"));
    }
    match findings.len() {
        0 => {
            say(format_args!("tidy: {} files, nothing found", files.len()));
            Ok(())
        }
        count => Err(format!("tidy found {count}").into()),
    }
}

fn print_report(files: &[SourceFile]) {
    let mut by_length: Vec<(usize, &str)> = files
        .iter()
        .filter(|file| file.is_rust())
        .map(|file| (file.line_count(), file.path.as_str()))
        .collect();
    by_length.sort_by(|left, right| right.cmp(left));
    let total: usize = by_length.iter().map(|(lines, _)| lines).sum();
    say(format_args!(
        "{total} lines of Rust in {} files; the longest:",
        by_length.len()
    ));
    for (lines, path) in by_length.iter().take(REPORT_LINES) {
        say(format_args!("{lines:6}  {path}"));
    }
    let mut functions: Vec<_> = files
        .iter()
        .filter(|file| file.is_rust())
        .flat_map(function_lengths)
        .collect();
    functions.sort_by(|left, right| {
        right
            .line_count
            .cmp(&left.line_count)
            .then(left.path.cmp(&right.path))
    });
    say(format_args!("{} functions; the longest:", functions.len()));
    for function in functions.iter().take(REPORT_LINES) {
        say(format_args!(
            "{:6}  {} ({}:{})",
            function.line_count, function.name, function.path, function.line
        ));
    }
}
