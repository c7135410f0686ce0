//! The edges between the crates, held against the table in the architecture document.

use std::collections::BTreeSet;

use crate::architecture::{ARCHITECTURE, Architecture, CrateRule};
use crate::finding::Finding;
use crate::manifest::Manifest;

/// Every edge that the table does not allow, and every crate or row without its counterpart.
pub(crate) fn check(architecture: &Architecture, manifests: &[Manifest]) -> Vec<Finding> {
    let packages: BTreeSet<String> = manifests
        .iter()
        .map(|manifest| manifest.name.clone())
        .collect();
    let mut findings = Vec::new();
    for manifest in manifests {
        match architecture
            .crates
            .iter()
            .find(|rule| rule.name == manifest.name)
        {
            Some(rule) => findings.extend(forbidden_edges(rule, manifest, &packages)),
            None => findings.push(Finding::in_file(
                ARCHITECTURE,
                format!("the table of crates has no row for {}", manifest.name),
            )),
        }
    }
    for rule in &architecture.crates {
        for name in [&rule.name]
            .into_iter()
            .chain(&rule.may_use)
            .chain(&rule.tests_may_use)
        {
            if !packages.contains(name) {
                let message = format!(
                    "the table of crates names {name}, which is no package of the workspace"
                );
                findings.push(Finding::in_file(ARCHITECTURE, message));
            }
        }
    }
    findings
}

fn forbidden_edges(
    rule: &CrateRule,
    manifest: &Manifest,
    packages: &BTreeSet<String>,
) -> Vec<Finding> {
    let path = format!("{}/Cargo.toml", manifest.folder);
    let built = manifest
        .dependencies
        .iter()
        .filter(|name| !rule.may_use.contains(*name));
    let tested = manifest
        .dev_dependencies
        .iter()
        .filter(|name| !rule.may_use.contains(*name) && !rule.tests_may_use.contains(*name));
    let finding = |name: &String, what: &str| {
        Finding::in_file(
            &path,
            format!(
                "{} may not use {name}{what} ({ARCHITECTURE})",
                manifest.name
            ),
        )
    };
    built
        .filter(|name| packages.contains(*name))
        .map(|name| finding(name, ""))
        .chain(
            tested
                .filter(|name| packages.contains(*name))
                .map(|name| finding(name, " in its tests")),
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package's name, and what it and its tests are built from.
    type Package<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

    fn check_packages(table: &str, packages: &[Package<'_>]) -> Vec<String> {
        let page = format!(
            "| crate | may use | its tests also use |\n|-|-|-|\n{table}\n\n| file | may | because |\n|-|-|-|\n"
        );
        let architecture = Architecture::parse(&page).unwrap();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let manifests: Vec<Manifest> = packages
            .iter()
            .map(|(name, dependencies, dev_dependencies)| Manifest {
                folder: format!("crates/{name}"),
                name: (*name).to_owned(),
                dependencies: names(dependencies),
                dev_dependencies: names(dev_dependencies),
            })
            .collect();
        check(&architecture, &manifests)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const DISK: Package<'_> = ("disk", &["memmap2"], &[]);
    const LOG: Package<'_> = ("log", &[], &[]);
    const TABLE: &str = "| disk | - | - |\n| log | disk | - |";

    #[test]
    fn an_allowed_edge_passes() {
        assert!(check_packages(TABLE, &[DISK, ("log", &["disk"], &["disk"])]).is_empty());
        assert!(
            check_packages(TABLE, &[DISK, LOG]).is_empty(),
            "what is allowed need not be used"
        );
    }

    #[test]
    fn a_forbidden_edge_is_caught() {
        assert_eq!(
            check_packages(TABLE, &[("disk", &["log"], &[]), LOG]),
            ["crates/disk/Cargo.toml: disk may not use log (docs/ARCHITECTURE.md)"]
        );
        let disk = ("disk", &[][..], &["log"][..]);
        assert_eq!(
            check_packages(TABLE, &[disk, LOG]),
            ["crates/disk/Cargo.toml: disk may not use log in its tests (docs/ARCHITECTURE.md)"]
        );
        assert!(check_packages("| disk | - | log |\n| log | disk | - |", &[disk, LOG]).is_empty());
    }

    #[test]
    fn a_table_that_does_not_match_the_workspace_is_caught() {
        assert_eq!(
            check_packages(TABLE, &[DISK]),
            [
                "docs/ARCHITECTURE.md: the table of crates names log, which is no package of the workspace"
            ]
        );
        assert_eq!(
            check_packages(TABLE, &[DISK, LOG, ("extra", &[], &[])]),
            ["docs/ARCHITECTURE.md: the table of crates has no row for extra"]
        );
        assert_eq!(
            check_packages("| disk | gone | - |", &[DISK]),
            [
                "docs/ARCHITECTURE.md: the table of crates names gone, which is no package of the workspace"
            ]
        );
    }
}
