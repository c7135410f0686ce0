//! How many packages of others a program takes in that depends on the facade.
//!
//! Each is code that nobody here reviewed and time that every user's build pays, so there is a limit, and reaching it
//! is a decision.

use std::collections::BTreeSet;

use crate::Failure;
use crate::checkout::Checkout;
use crate::finding::Finding;
use crate::output::say;

/// At most this many.
const PACKAGES_MAX: usize = 40;

/// Counts them, and says so; a finding if they are too many.
pub(crate) fn check(checkout: &Checkout) -> Result<Option<Finding>, Failure> {
    let output = checkout
        .cargo()
        .args([
            "tree", "--locked", "-p", "cairn", "-e", "normal", "--prefix", "none",
        ])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", output.status).into());
    }
    let tree = String::from_utf8(output.stdout)?;
    let packages = external_packages(&tree);
    say(format_args!(
        "the facade takes in {} packages of others, at most {PACKAGES_MAX}",
        packages.len()
    ));
    Ok(too_many(packages.len()))
}

fn too_many(count: usize) -> Option<Finding> {
    (count > PACKAGES_MAX).then(|| {
        let message =
            format!("{count} packages of others come with the facade, more than {PACKAGES_MAX}");
        Finding::in_file("crates/cairn/Cargo.toml", message)
    })
}

/// `name version` of each package in the tree that does not come from a folder.
fn external_packages(tree: &str) -> BTreeSet<&str> {
    tree.lines()
        .map(|line| line.trim().trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty() && !line.contains('/'))
        .map(|line| line.trim_end_matches(" (proc-macro)"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_of_others_counts_once() {
        let tree = "\
cairn v0.1.0 (/some/where/crates/cairn)
disk v0.1.0 (/some/where/crates/disk)
memmap2 v0.9.12
libc v0.2.1
thiserror-impl v2.0.21 (proc-macro)
disk v0.1.0 (/some/where/crates/disk) (*)
libc v0.2.1 (*)
thiserror-impl v2.0.21 (proc-macro) (*)
libc v0.3.0
";
        let packages: Vec<&str> = external_packages(tree).into_iter().collect();
        assert_eq!(
            packages,
            [
                "libc v0.2.1",
                "libc v0.3.0",
                "memmap2 v0.9.12",
                "thiserror-impl v2.0.21"
            ]
        );
    }

    #[test]
    fn the_limit_is_the_last_that_passes() {
        assert_eq!(too_many(PACKAGES_MAX), None);
        assert!(too_many(PACKAGES_MAX + 1).is_some());
    }
}
