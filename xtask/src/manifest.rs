//! What a `Cargo.toml` of the workspace says about dependencies.
//!
//! Read line by line: the manifests here are plain, and a parser of all TOML would be one more dependency to save a
//! screen of code. Both forms are known, `name = ..` or `name.workspace = true` below a `[dependencies]` and the
//! table `[dependencies.name]`, also for a target.

use std::collections::BTreeSet;

use crate::Failure;

/// The dependencies of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The package's folder, named from the root.
    pub(crate) folder: String,
    /// The package's name.
    pub(crate) name: String,
    /// What it is built from, build scripts included.
    pub(crate) dependencies: BTreeSet<String>,
    /// What only its tests and benches are built from.
    pub(crate) dev_dependencies: BTreeSet<String>,
}

impl Manifest {
    /// Reads the manifest of the package in `folder`.
    ///
    /// # Errors
    /// A manifest without a package name.
    pub(crate) fn parse(folder: &str, text: &str) -> Result<Manifest, Failure> {
        let mut name = None;
        let mut dependencies = BTreeSet::new();
        let mut dev_dependencies = BTreeSet::new();
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(header) = line.strip_prefix('[') {
                section = header
                    .trim_matches(|bracket| "[]".contains(bracket))
                    .trim()
                    .to_owned();
                if let (Some(kind), Some(dependency)) = dependency_section(&section) {
                    set_of(kind, &mut dependencies, &mut dev_dependencies)
                        .insert(dependency.to_owned());
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
                continue;
            };
            let key = key.trim();
            if section == "package" && key == "name" {
                name = Some(value.trim().trim_matches('"').to_owned());
            } else if let (Some(kind), None) = dependency_section(&section) {
                let dependency = key.split('.').next().unwrap_or(key).trim_matches('"');
                set_of(kind, &mut dependencies, &mut dev_dependencies)
                    .insert(dependency.to_owned());
            }
        }
        let name = name.ok_or_else(|| format!("{folder}/Cargo.toml names no package"))?;
        Ok(Manifest {
            folder: folder.to_owned(),
            name,
            dependencies,
            dev_dependencies,
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Built,
    Tested,
}

fn set_of<'a>(
    kind: Kind,
    dependencies: &'a mut BTreeSet<String>,
    dev_dependencies: &'a mut BTreeSet<String>,
) -> &'a mut BTreeSet<String> {
    match kind {
        Kind::Built => dependencies,
        Kind::Tested => dev_dependencies,
    }
}

/// The kind of dependencies that a section holds, and the one that it describes where it is the table of one.
fn dependency_section(section: &str) -> (Option<Kind>, Option<&str>) {
    // `target.'cfg(unix)'.dependencies` holds dependencies like any other; the condition may have dots in it.
    let section = match section.strip_prefix("target.") {
        Some(rest) => rest.rsplit_once("'.").map_or(rest, |(_, rest)| rest),
        None => section,
    };
    let (section, dependency) = match section.split_once('.') {
        Some((section, dependency)) => (section, Some(dependency)),
        None => (section, None),
    };
    let kind = match section {
        "dependencies" | "build-dependencies" => Some(Kind::Built),
        "dev-dependencies" => Some(Kind::Tested),
        _ => None,
    };
    (kind, dependency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_dependency_is_seen() {
        let manifest = Manifest::parse(
            "crates/a",
            r#"
[package]
name = "a"
version.workspace = true

[lib]
bench = false

[dependencies]
# disk = "not this one"
disk.workspace = true
table = { path = "../table" }
"quoted" = "1"

[dependencies.schema]
workspace = true
features = ["x"]

[target.'cfg(target_os = "linux.6")'.dependencies]
rustix = "1"

[build-dependencies]
snapshot = "1"

[dev-dependencies]
tempfile.workspace = true

[dev-dependencies.commitlog]
workspace = true

[lints]
workspace = true
"#,
        )
        .unwrap();
        assert_eq!(manifest.name, "a");
        let seen: Vec<&str> = manifest.dependencies.iter().map(String::as_str).collect();
        assert_eq!(
            seen,
            ["disk", "quoted", "rustix", "schema", "snapshot", "table"]
        );
        let seen: Vec<&str> = manifest
            .dev_dependencies
            .iter()
            .map(String::as_str)
            .collect();
        assert_eq!(seen, ["commitlog", "tempfile"]);
    }

    #[test]
    fn a_manifest_without_a_name_is_refused() {
        let refusal = Manifest::parse("crates/a", "[dependencies]\n").unwrap_err();
        assert_eq!(refusal.to_string(), "crates/a/Cargo.toml names no package");
    }
}
