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

    fn check_texts(table: &str, manifests: &[(&str, &str)]) -> Vec<String> {
        let page = format!(
            "| crate | may use | its tests also use |\n|-|-|-|\n{table}\n\n| file | may | because |\n|-|-|-|\n"
        );
        let architecture = Architecture::parse(&page).unwrap();
        let manifests: Vec<Manifest> = manifests
            .iter()
            .map(|(name, text)| {
                let text = format!("[package]\nname = \"{name}\"\n{text}");
                Manifest::parse(&format!("crates/{name}"), &text).unwrap()
            })
            .collect();
        check(&architecture, &manifests)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const DISK: (&str, &str) = ("disk", "[dependencies]\nmemmap2 = \"1\"\n");
    const TABLE: &str = "| disk | - | - |\n| log | disk | - |";

    #[test]
    fn an_allowed_edge_passes() {
        let log = (
            "log",
            "[dependencies]\ndisk.workspace = true\n[dev-dependencies]\ndisk.workspace = true\n",
        );
        assert!(check_texts(TABLE, &[DISK, log]).is_empty());
        let unused = ("log", "");
        assert!(
            check_texts(TABLE, &[DISK, unused]).is_empty(),
            "what is allowed need not be used"
        );
    }

    #[test]
    fn a_forbidden_edge_is_caught() {
        let disk = ("disk", "[dependencies]\nlog.workspace = true\n");
        assert_eq!(
            check_texts(TABLE, &[disk, ("log", "")]),
            ["crates/disk/Cargo.toml: disk may not use log (docs/ARCHITECTURE.md)"]
        );
        let disk = ("disk", "[dev-dependencies]\nlog.workspace = true\n");
        assert_eq!(
            check_texts(TABLE, &[disk, ("log", "")]),
            ["crates/disk/Cargo.toml: disk may not use log in its tests (docs/ARCHITECTURE.md)"]
        );
        assert!(
            check_texts(
                "| disk | - | log |\n| log | disk | - |",
                &[disk, ("log", "")]
            )
            .is_empty()
        );
    }

    #[test]
    fn a_table_that_does_not_match_the_workspace_is_caught() {
        assert_eq!(
            check_texts(TABLE, &[DISK]),
            [
                "docs/ARCHITECTURE.md: the table of crates names log, which is no package of the workspace"
            ]
        );
        assert_eq!(
            check_texts(TABLE, &[DISK, ("log", ""), ("extra", "")]),
            ["docs/ARCHITECTURE.md: the table of crates has no row for extra"]
        );
        assert_eq!(
            check_texts("| disk | gone | - |", &[DISK]),
            [
                "docs/ARCHITECTURE.md: the table of crates names gone, which is no package of the workspace"
            ]
        );
    }
}
