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
    pub(crate) fn manifests(&self) -> Result<Vec<Manifest>, Failure> {
        let mut folders: Vec<String> = Vec::new();
        for entry in fs::read_dir(self.root.join("crates"))? {
            folders.push(format!("crates/{}", entry?.file_name().to_string_lossy()));
        }
        folders.sort();
        folders.extend(["tests".to_owned(), "xtask".to_owned()]);
        folders
            .into_iter()
            .map(|folder| {
                let text = self.read(&format!("{folder}/Cargo.toml"))?;
                Manifest::parse(&folder, &text)
            })
            .collect()
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
