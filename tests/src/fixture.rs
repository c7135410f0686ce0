//! Databases that past formats wrote, kept as text.

use std::path::PathBuf;

use disk::{Access, Dir, EntryKind, OsDir, SimDisk};

/// Where they are kept.
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The fixture of this name on a simulated disk. Long runs of zeros are not kept in the repository: see [`pack`].
pub fn fixture(name: &str) -> SimDisk {
    let disk = SimDisk::new(1);
    let dir = OsDir::open(fixtures().join(name)).unwrap();
    for (path, bytes) in files_below(&*dir, "") {
        let Some(path) = path.strip_suffix(".hex") else {
            continue;
        };
        if let Some((parent, _)) = path.split_once('/')
            && disk.root().open_dir(parent).is_err()
        {
            disk.root().create_dir_durable(parent).unwrap();
        }
        disk.write(path, &unpack(std::str::from_utf8(&bytes).unwrap()));
    }
    disk
}

/// Lines of 32 bytes in hexadecimal; a run of lines of zeros is written as `zeros N`, N in bytes. A page that is mostly zeros takes
/// no room this way, and a difference can be read.
pub fn pack(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut zeros = 0;
    for line in bytes.chunks(32) {
        if line.iter().all(|byte| *byte == 0) {
            zeros += line.len();
            continue;
        }
        if zeros > 0 {
            text += &format!("zeros {zeros}\n");
            zeros = 0;
        }
        for byte in line {
            text += &format!("{byte:02x}");
        }
        text.push('\n');
    }
    if zeros > 0 {
        text += &format!("zeros {zeros}\n");
    }
    text
}

/// All files of a database but its lock.
pub fn content_of(disk: &SimDisk) -> Vec<(String, Option<Vec<u8>>)> {
    let files = disk.files().into_iter().filter(|path| path != "lock");
    files.map(|path| (path.clone(), disk.read(&path))).collect()
}

fn unpack(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        if let Some(zeros) = line.strip_prefix("zeros ") {
            bytes.resize(bytes.len() + zeros.parse::<usize>().unwrap(), 0);
            continue;
        }
        for at in (0..line.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&line[at..at + 2], 16).unwrap());
        }
    }
    bytes
}

/// The bytes of all files below a directory, by path.
fn files_below(dir: &dyn Dir, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in dir.list().unwrap() {
        let path = format!("{prefix}{}", entry.name);
        if entry.kind == EntryKind::Dir {
            files.extend(files_below(
                &*dir.open_dir(&entry.name).unwrap(),
                &format!("{path}/"),
            ));
        } else {
            let file = dir.open(&entry.name, Access::Read).unwrap();
            let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
            file.read_exact_at(0, &mut bytes).unwrap();
            files.push((path, bytes));
        }
    }
    files
}
