//! What may happen to a simulated medium behind the programs' backs, and a look at it from outside.
//!
//! All of this takes effect on what reads see *and* on what a power cut leaves, and none of it counts as a call.

use std::path::Path;
use std::sync::Arc;

use crate::sim_content::{locate, sector_count};
use crate::sim_dir_node::{Change, NodeId};
use crate::sim_disk::SimDisk;
use crate::sim_file_node::FileNode;
use crate::sim_medium::{Medium, Node, ROOT};
use crate::sim_sector::{SECTOR_BYTES, Version};

/// Paths are relative to the root: `log/00.log`. What is changed of a file makes all of that file durable, what
/// is changed of a name all names of its directory.
///
/// # Panics
/// All of these but [`SimDisk::read`] panic if there is no file of that path.
impl SimDisk {
    /// The paths of all files, in byte order within each directory.
    pub fn files(&self) -> Vec<String> {
        let medium = Arc::clone(&self.shared.state().medium);
        let files = medium.files().into_iter();
        files.map(|(path, _)| path.display().to_string()).collect()
    }

    /// All bytes of a file as reads see them, or `None` if there is no such file.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let medium = Arc::clone(&self.shared.state().medium);
        let node = medium.find(path.as_ref())?;
        match medium.node(node) {
            Node::File(file) => Some(file.content().to_vec(file.content().len())),
            Node::Dir(_) => None,
        }
    }

    /// Gives a file these bytes and no others, creating it if its directory exists.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        self.edit_medium(|medium| {
            let node = match medium.find(path.as_ref()) {
                Some(_) => file_at(medium, path.as_ref()),
                None => create(medium, path.as_ref()),
            };
            let file = medium.file_mut(node);
            *file = FileNode::default();
            file.write(0, bytes);
            file.settle();
        });
    }

    /// Flips bit `bit` (0 to 7) of the byte at `offset`, which must be within the file.
    #[track_caller]
    pub fn flip_bit(&self, path: impl AsRef<Path>, offset: u64, bit: u32) {
        self.edit(path.as_ref(), |file| {
            assert!(offset < file.content().len(), "the byte is beyond the end");
            assert!(bit < 8, "a byte has 8 bits");
            let mut byte = [0];
            file.content().read(offset, &mut byte);
            file.write(offset, &[byte[0] ^ (1 << bit)]);
        });
    }

    /// Zeroes sector `number`, counted from 0, as far as the file has it.
    #[track_caller]
    pub fn zero_sector(&self, path: impl AsRef<Path>, number: usize) {
        self.edit(path.as_ref(), |file| {
            overwrite(file, number, &Version::HOLE)
        });
    }

    /// How many older contents of sector `number` are remembered, zeros not counted.
    #[track_caller]
    pub fn older_versions(&self, path: impl AsRef<Path>, number: usize) -> usize {
        let medium = Arc::clone(&self.shared.state().medium);
        let versions = medium
            .file(file_at(&medium, path.as_ref()))
            .older_versions(number);
        versions.iter().filter(|version| !version.is_zero()).count()
    }

    /// Brings back an older content of sector `number`, as if later writes had never reached the medium:
    /// `back` 0 is the last one before the current, and must be below [`SimDisk::older_versions`].
    #[track_caller]
    pub fn revert_sector(&self, path: impl AsRef<Path>, number: usize, back: usize) {
        self.edit(path.as_ref(), |file| {
            let mut versions = file.older_versions(number);
            versions.retain(|version| !version.is_zero());
            overwrite(file, number, &versions[back]);
        });
    }

    /// Cuts a file, or extends it with zeros.
    #[track_caller]
    pub fn truncate(&self, path: impl AsRef<Path>, len: u64) {
        self.edit(path.as_ref(), |file| file.set_len(len));
    }

    /// Deletes a file.
    #[track_caller]
    pub fn delete(&self, path: impl AsRef<Path>) {
        self.edit_medium(|medium| {
            file_at(medium, path.as_ref());
            let (dir, name) = dir_of(medium, path.as_ref());
            medium.dir_mut(dir).change_settled(&Change::Unlink { name });
            medium.note_garbage();
        });
    }

    /// Exchanges the contents of two files.
    #[track_caller]
    pub fn swap(&self, left: impl AsRef<Path>, right: impl AsRef<Path>) {
        self.edit_medium(|medium| {
            let left = file_at(medium, left.as_ref());
            let right = file_at(medium, right.as_ref());
            let (old_left, old_right) = (medium.file(left).clone(), medium.file(right).clone());
            *medium.file_mut(left) = old_right;
            *medium.file_mut(right) = old_left;
            medium.file_mut(left).settle();
            medium.file_mut(right).settle();
        });
    }

    /// Copies the content of one file over another, creating that if needed.
    #[track_caller]
    pub fn duplicate(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let bytes = self.read(from).expect("no such file to duplicate");
        self.write(to, &bytes);
    }

    #[track_caller]
    fn edit(&self, path: &Path, change: impl FnOnce(&mut FileNode)) {
        self.edit_medium(|medium| {
            let node = file_at(medium, path);
            let file = medium.file_mut(node);
            change(file);
            file.settle();
        });
    }

    #[track_caller]
    fn edit_medium(&self, change: impl FnOnce(&mut Medium)) {
        // On a copy: if it panics, the disk is as it was.
        let mut medium = Medium::clone(&self.shared.state().medium);
        change(&mut medium);
        self.shared.state().medium = Arc::new(medium);
    }
}

fn overwrite(file: &mut FileNode, number: usize, version: &Version) {
    let len = file.content().len();
    assert!(number < sector_count(len), "the sector is beyond the end");
    let offset = (number * SECTOR_BYTES) as u64;
    let count = usize::try_from((len - offset).min(SECTOR_BYTES as u64)).unwrap_or(SECTOR_BYTES);
    file.write(offset, &version.bytes()[..count]);
    debug_assert_eq!(locate(offset).0, number);
}

#[track_caller]
fn file_at(medium: &Medium, path: &Path) -> NodeId {
    match medium.find(path) {
        Some(node) if matches!(medium.node(node), Node::File(_)) => node,
        _ => panic!("{} is no file on the simulated disk", path.display()),
    }
}

#[track_caller]
fn dir_of(medium: &Medium, path: &Path) -> (NodeId, Arc<str>) {
    let dir = path
        .parent()
        .map_or(Some(ROOT), |parent| medium.find(parent));
    let name = path.file_name().and_then(|name| name.to_str());
    match (dir, name) {
        (Some(dir), Some(name)) if matches!(medium.node(dir), Node::Dir(_)) => (dir, name.into()),
        _ => panic!(
            "{} is not in a directory of the simulated disk",
            path.display()
        ),
    }
}

#[track_caller]
fn create(medium: &mut Medium, path: &Path) -> NodeId {
    let (dir, name) = dir_of(medium, path);
    let node = medium.add(Node::File(Arc::default()));
    let link = Change::Link { name, node };
    medium.dir_mut(dir).change_settled(&link);
    node
}
