//! The checkout that the chores work on: where it is and what files it has.
//!
//! The only file of the chores that touches the file system. It walks the folders itself instead of asking git, so
//! that a file which nobody has added yet is checked too.

#![expect(
    clippy::disallowed_methods,
    reason = "a chore reads and writes the checkout, not a database"
)]

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::manifest::Manifest;
use crate::source_file::SourceFile;

/// Folders that hold what a tool made, never a source.
const SKIPPED_FOLDERS: [&str; 3] = ["target", ".git", "proptest-regressions"];

/// A checkout of the project.
#[derive(Debug)]
pub(crate) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The checkout that this program was started from.
    pub(crate) fn find() -> Result<Checkout, Failure> {
        // Cargo says at run time where the package lies; the place at build time may be another one's.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .parent()
            .ok_or("xtask lies at the root of the file system")?;
        Ok(Checkout::at(root))
    }

    /// The checkout with this root.
    pub(crate) fn at(root: &Path) -> Checkout {
        Checkout {
            root: root.to_path_buf(),
        }
    }

    /// The text of the file `path`, named from the root.
    pub(crate) fn read(&self, path: &str) -> Result<String, Failure> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("{path}: {error}").into())
    }

    /// Writes the file `path`, named from the root.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<(), Failure> {
        fs::write(self.root.join(path), text).map_err(|error| format!("{path}: {error}").into())
    }

    /// The names of the files in a folder, in order; none where there is no such folder.
    pub(crate) fn file_names(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let folder = self.root.join(folder);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// True if there is a file `path`, named from the root.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// All files with one of these extensions, by path.
    pub(crate) fn files(&self, extensions: &[&str]) -> Result<Vec<SourceFile>, Failure> {
        let mut paths = Vec::new();
        walk(&self.root, &mut paths)?;
        paths.sort();
        paths
            .into_iter()
            .filter(|path| {
                let extension = path.extension().and_then(|extension| extension.to_str());
                extension.is_some_and(|extension| extensions.contains(&extension))
            })
            .map(|path| {
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let name = path.strip_prefix(&self.root).unwrap_or(&path);
                Ok(SourceFile::new(&name.to_string_lossy(), text))
            })
            .collect()
    }

    /// The manifests of all packages: the crates in order of name, then `tests` and `xtask`.
    ///
    /// # Errors
    /// What Cargo says against a manifest.
    pub(crate) fn manifests(&self) -> Result<Vec<Manifest>, Failure> {
        let output = self
            .cargo()
            .args(["metadata", "--no-deps", "--locked", "--offline"])
            .args(["--format-version", "1"])
            .stderr(std::process::Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("cargo metadata: {}", output.status).into());
        }
        Manifest::from_metadata(&String::from_utf8(output.stdout)?)
    }

    /// A command that runs at the root and reads nothing.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .stdin(std::process::Stdio::null());
        command
    }

    /// The `cargo` that started this program.
    pub(crate) fn cargo(&self) -> Command {
        self.command(&env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
    }

    /// The `cargo` of the nightly toolchain.
    pub(crate) fn nightly_cargo(&self) -> Command {
        let mut command = self.command("rustup");
        command.args(["run", "nightly", "cargo"]);
        command
    }
}

/// Adds all files below `folder`.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if !SKIPPED_FOLDERS.iter().any(|skipped| name == *skipped) {
                walk(&entry.path(), paths)?;
            }
        } else {
            paths.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dependencies of a package `a`, beside a package `disk`, with these lines in its manifest.
    fn dependencies_of(lines: &str) -> (Vec<String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let checkout = Checkout::at(dir.path());
        for (package, lines) in [("a", lines), ("disk", "")] {
            let folder = format!("crates/{package}");
            fs::create_dir_all(dir.path().join(&folder).join("src")).unwrap();
            let manifest =
                format!("[package]\nname = \"{package}\"\nedition = \"2024\"\n{lines}\n");
            checkout
                .write(&format!("{folder}/Cargo.toml"), &manifest)
                .unwrap();
            checkout.write(&format!("{folder}/src/lib.rs"), "").unwrap();
        }
        let workspace = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n\
            [workspace.dependencies]\ndisk.path = \"crates/disk\"\n";
        checkout.write("Cargo.toml", workspace).unwrap();
        let manifests = checkout.manifests().unwrap();
        assert_eq!(manifests[0].folder, "crates/a");
        assert_eq!(manifests[1].folder, "crates/disk");
        let a = manifests[0].clone();
        (
            a.dependencies.into_iter().collect(),
            a.dev_dependencies.into_iter().collect(),
        )
    }

    #[test]
    fn every_form_of_a_dependency_is_seen() {
        let built = (vec!["disk".to_owned()], Vec::new());
        let tested = (Vec::new(), vec!["disk".to_owned()]);
        for (lines, expected) in [
            ("[dependencies]\ndisk.workspace = true", &built),
            ("[dependencies]\n\"disk\" = { path = \"../disk\" }", &built),
            ("[dependencies.disk]\npath = \"../disk\"", &built),
            ("[build-dependencies] # why\ndisk.workspace = true", &built),
            (
                "[dependencies]\nhelper = { package = \"disk\", path = \"../disk\" }",
                &built,
            ),
            (
                "[target.'cfg(unix)'.dependencies]\ndisk.workspace = true",
                &built,
            ),
            (
                "[target.\"cfg(unix)\".dependencies]\ndisk.workspace = true",
                &built,
            ),
            (
                "[target . \"cfg(unix)\" . dependencies]\ndisk.workspace = true",
                &built,
            ),
            (
                "[target.x86_64-unknown-linux-gnu.dependencies]\ndisk.workspace = true",
                &built,
            ),
            ("[dev-dependencies]\ndisk.workspace = true", &tested),
            (
                "[target.'cfg(windows)'.dev-dependencies]\ndisk.workspace = true",
                &tested,
            ),
        ] {
            assert_eq!(&dependencies_of(lines), expected, "{lines}");
        }
        assert_eq!(dependencies_of("# disk = \"1\""), (Vec::new(), Vec::new()));
    }
}
