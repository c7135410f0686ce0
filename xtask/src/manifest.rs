//! What the `Cargo.toml`s of the workspace say about dependencies, as Cargo itself reads them.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::Failure;

/// The dependencies of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The package's folder, named from the root.
    pub(crate) folder: String,
    /// The package's name.
    pub(crate) name: String,
    /// What it is built from, build scripts included, on any target.
    pub(crate) dependencies: BTreeSet<String>,
    /// What only its tests and benches are built from.
    pub(crate) dev_dependencies: BTreeSet<String>,
}

impl Manifest {
    /// The manifests of all packages, by folder, from what `cargo metadata --no-deps` prints.
    ///
    /// # Errors
    /// A text that Cargo did not write.
    pub(crate) fn from_metadata(metadata: &str) -> Result<Vec<Manifest>, Failure> {
        let metadata: Value = serde_json::from_str(metadata)?;
        let root = Path::new(text(&metadata, "workspace_root")?);
        let mut manifests = list(&metadata, "packages")?
            .iter()
            .map(|package| {
                let file = Path::new(text(package, "manifest_path")?).strip_prefix(root)?;
                let folder = file.parent().unwrap_or(file).to_string_lossy();
                let mut manifest = Manifest {
                    folder: folder.replace('\\', "/"),
                    name: text(package, "name")?.to_owned(),
                    dependencies: BTreeSet::new(),
                    dev_dependencies: BTreeSet::new(),
                };
                for dependency in list(package, "dependencies")? {
                    let names = match dependency["kind"].as_str() {
                        Some("dev") => &mut manifest.dev_dependencies,
                        _ => &mut manifest.dependencies,
                    };
                    names.insert(text(dependency, "name")?.to_owned());
                }
                Ok(manifest)
            })
            .collect::<Result<Vec<Manifest>, Failure>>()?;
        manifests.sort_by(|left, right| left.folder.cmp(&right.folder));
        Ok(manifests)
    }
}

fn text<'v>(object: &'v Value, member: &str) -> Result<&'v str, Failure> {
    let value = object[member].as_str();
    value.ok_or_else(|| format!("cargo metadata gives no text {member:?}").into())
}

fn list<'v>(object: &'v Value, member: &str) -> Result<&'v Vec<Value>, Failure> {
    let value = object[member].as_array();
    value.ok_or_else(|| format!("cargo metadata gives no list {member:?}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_come_by_folder_with_their_dependencies_by_kind() {
        let metadata = r#"{"workspace_root":"/w","packages":[
            {"name":"xtask","manifest_path":"/w/xtask/Cargo.toml","dependencies":[]},
            {"name":"a","manifest_path":"/w/crates/a/Cargo.toml","dependencies":[
                {"name":"disk","kind":null,"rename":"helper"},
                {"name":"rustix","kind":null,"target":"cfg(unix)"},
                {"name":"cc","kind":"build"},
                {"name":"tempfile","kind":"dev"}]}]}"#;
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(
            Manifest::from_metadata(metadata).unwrap(),
            [
                Manifest {
                    folder: "crates/a".to_owned(),
                    name: "a".to_owned(),
                    dependencies: names(&["cc", "disk", "rustix"]),
                    dev_dependencies: names(&["tempfile"]),
                },
                Manifest {
                    folder: "xtask".to_owned(),
                    name: "xtask".to_owned(),
                    dependencies: BTreeSet::new(),
                    dev_dependencies: BTreeSet::new(),
                },
            ]
        );
    }

    #[test]
    fn what_is_not_from_cargo_is_refused() {
        let refusal = |text| Manifest::from_metadata(text).unwrap_err().to_string();
        assert_eq!(
            refusal(r#"{"workspace_root":"/w"}"#),
            "cargo metadata gives no list \"packages\""
        );
        assert_eq!(
            refusal("{}"),
            "cargo metadata gives no text \"workspace_root\""
        );
    }
}
