//! What the operating system's disk does beyond the contract that it shares with the simulated one: links, pipes,
//! other processes, full and read-only file systems.
//!
//! What needs the right to mount is skipped, loudly, where that is refused.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "these tests build by other means what the disk then meets"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use disk::{Access, Dir, EntryKind, Error, OsDir};

fn temporary() -> (tempfile::TempDir, Arc<dyn Dir>) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::open(temporary.path()).unwrap();
    (temporary, dir)
}

#[test]
fn missing_parents_are_created() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("a/b/c");
    assert!(OsDir::open(&path).unwrap_err().is_not_found());
    let dir = OsDir::create(&path).unwrap();
    dir.create("x").unwrap();
    // Again, over what is there.
    let again = OsDir::create(&path).unwrap();
    assert_eq!(again.list().unwrap().len(), 1);
    assert_eq!(again.path(), path);
}

#[test]
fn a_relative_path_stays_where_it_was() {
    let dir = OsDir::open(".").unwrap();
    assert_eq!(dir.path(), std::env::current_dir().unwrap());
}

#[test]
fn a_file_is_no_directory() {
    let (temporary, dir) = temporary();
    dir.create("file").unwrap();
    for path in ["file", "file/below"] {
        let path = temporary.path().join(path);
        let opened = OsDir::open(&path);
        assert!(
            matches!(opened, Err(Error::NotADirectory { .. })),
            "{opened:?}"
        );
        match OsDir::create(&path) {
            Err(Error::NotADirectory { path }) => assert!(path.ends_with("file")),
            other => panic!("{other:?}"),
        }
    }
}

/// Opening a pipe that nobody writes to would block for ever, one for writing would too.
#[test]
fn what_is_no_regular_file_is_refused_without_blocking() {
    let (temporary, dir) = temporary();
    let at = |name: &str| temporary.path().join(name);
    fs::write(at("target"), b"secret").unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink("target", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("directory", at("link to directory")).unwrap();
    let made = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    let _listener = UnixListener::bind(at("socket")).unwrap();
    for name in ["link", "dangling", "link to directory", "pipe", "socket"] {
        for access in [Access::Read, Access::ReadWrite] {
            let opened = dir.open(name, access);
            assert!(
                matches!(opened, Err(Error::NotAFile { .. })),
                "{name}: {opened:?}"
            );
        }
        assert!(
            matches!(dir.lock(name, "me"), Err(Error::NotAFile { .. })),
            "{name}"
        );
        assert!(
            matches!(dir.rename(name, "other"), Err(Error::NotAFile { .. })),
            "{name}"
        );
        assert!(dir.create(name).is_err());
        assert!(
            matches!(dir.open_dir(name), Err(Error::NotADirectory { .. })),
            "{name}"
        );
        let entry = dir
            .list()
            .unwrap()
            .into_iter()
            .find(|entry| entry.name == name);
        assert_eq!(entry.unwrap().kind, EntryKind::Other);
    }
    assert!(!at("nowhere").exists());
    assert_eq!(fs::read(at("target")).unwrap(), b"secret");
    // A directory that is reached through a link is fine where the user named it.
    assert!(OsDir::open(at("link to directory")).is_ok());
}

#[test]
fn names_that_are_not_text_are_listed() {
    use std::os::unix::ffi::OsStrExt;
    let (temporary, dir) = temporary();
    let name = std::ffi::OsStr::from_bytes(b"a\xffb");
    fs::write(temporary.path().join(name), b"").unwrap();
    assert_eq!(dir.list().unwrap()[0].name, "a\u{fffd}b");
}

#[test]
fn a_lock_file_says_who_we_are() {
    let (temporary, dir) = temporary();
    let _lock = dir.lock("lock", &disk::this_process()).unwrap();
    let text = fs::read_to_string(temporary.path().join("lock")).unwrap();
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_string_lossy();
    assert_eq!(
        text,
        format!("process {} ({program})\n", std::process::id())
    );
}

#[test]
fn an_empty_or_garbled_holder_makes_a_readable_message() {
    for (written, expected) in [
        (&b""[..], "an unknown process"),
        (b"\n\n", "an unknown process"),
        (b"\x1b[31mred\x07\nsecond line", "[31mred"),
        (b"\xff", "\u{fffd}"),
    ] {
        let (temporary, dir) = temporary();
        let _lock = dir.lock("lock", "me").unwrap();
        fs::write(temporary.path().join("lock"), written).unwrap();
        match dir.lock("lock", "you") {
            Err(Error::Locked { holder, .. }) => assert_eq!(holder, expected),
            other => panic!("{other:?}"),
        }
    }
}

const HOLDER_DIR: &str = "DISK_TEST_HOLDER_DIR";

/// Not a test of its own: what the other process runs in the test below.
#[test]
fn holder_process() {
    let Ok(path) = std::env::var(HOLDER_DIR) else {
        return;
    };
    let dir = OsDir::open(path).unwrap();
    let _lock = dir.lock("lock", &disk::this_process()).unwrap();
    println!("\nlocked");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

#[test]
fn another_process_is_kept_out_until_it_is_killed() {
    let (temporary, dir) = temporary();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder_process", "--nocapture"])
        .env(HOLDER_DIR, temporary.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line == "locked"));
    match dir.lock("lock", "me") {
        Err(Error::Locked { holder, .. }) => {
            let expected = format!("process {} (", child.id());
            assert!(holder.starts_with(&expected), "{holder}");
        }
        other => panic!("{other:?}"),
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(temporary.path().join("lock").exists());
    dir.lock("lock", "me").unwrap();
}

#[test]
fn a_directory_without_the_right_to_write_can_be_read() {
    let (temporary, dir) = temporary();
    dir.create("a").unwrap().write_all_at(0, b"abc").unwrap();
    let path = temporary.path();
    fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    assert_readable(path);
    // Root may write anyway.
    if let Err(error) = OsDir::open(path).unwrap().create("b") {
        assert!(error.is_read_only(), "{error}");
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn assert_readable(path: &Path) {
    let dir = OsDir::open(path).unwrap();
    assert!(dir.list().unwrap().iter().any(|entry| entry.name == "a"));
    let file = dir.open("a", Access::Read).unwrap();
    let mut bytes = [0; 3];
    file.read_exact_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"abc");
    assert_eq!(&*file.map(0..3).unwrap(), b"abc");
}

/// A mounted file system, taken away when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(what: &str, arguments: &[&str], at: PathBuf) -> Option<Mount> {
        let output = Command::new("mount").args(arguments).arg(&at).output();
        match output {
            Ok(output) if output.status.success() => Some(Mount(at)),
            other => {
                eprintln!("SKIPPED: no {what} can be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_file_system_refuses_and_goes_on_when_there_is_space() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().to_path_buf();
    let arguments = ["-t", "tmpfs", "-o", "size=256k", "none"];
    let Some(_mount) = Mount::new("small file system", &arguments, path.clone()) else {
        return;
    };
    let dir = OsDir::open(&path).unwrap();
    let ballast = dir.create("ballast").unwrap();
    ballast.allocate(0, 128 * 1024).unwrap();
    let file = dir.create("a").unwrap();
    let refused = file.allocate(0, 1024 * 1024).unwrap_err();
    assert!(refused.is_full(), "{refused}");
    file.set_len(0).unwrap();
    let refused = file.write_all_at(0, &[7; 1024 * 1024]).unwrap_err();
    assert!(refused.is_full(), "{refused}");
    // Part of it is there, and all that is there is right.
    let len = file.len().unwrap();
    assert!(len > 0);
    let map = file.map(0..len).unwrap();
    assert!(map.iter().all(|byte| *byte == 7));
    drop(map);
    // Even then the lock can be taken.
    drop(dir.lock("lock", "me").unwrap());
    // Emptied, not only removed: a process that another test is starting may hold its handle for a moment.
    ballast.set_len(0).unwrap();
    dir.remove("ballast").unwrap();
    file.write_all_at(len, &[7; 64 * 1024]).unwrap();
    file.sync().unwrap();
    assert_eq!(file.len().unwrap(), len + 64 * 1024);
}

#[test]
fn reserved_space_is_there_when_the_file_system_is_full() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().to_path_buf();
    let arguments = ["-t", "tmpfs", "-o", "size=256k", "none"];
    let Some(_mount) = Mount::new("small file system", &arguments, path.clone()) else {
        return;
    };
    let dir = OsDir::open(&path).unwrap();
    let file = dir.create("a").unwrap();
    file.allocate(0, 100 * 1024).unwrap();
    let ballast = dir.create("ballast").unwrap();
    assert!(
        ballast
            .write_all_at(0, &[1; 1024 * 1024])
            .unwrap_err()
            .is_full()
    );
    file.write_all_at(0, &[2; 100 * 1024]).unwrap();
    assert!(
        file.write_all_at(100 * 1024, &[2; 8192])
            .unwrap_err()
            .is_full()
    );
}

#[test]
fn a_read_only_file_system_can_be_read_and_says_what_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let source = temporary.path().join("source");
    let target = temporary.path().join("target");
    OsDir::create(&source)
        .unwrap()
        .create("a")
        .unwrap()
        .write_all_at(0, b"abc")
        .unwrap();
    OsDir::create(&target).unwrap();
    let source = source.to_str().unwrap();
    let Some(mount) = Mount::new("second view", &["--bind", source], target.clone()) else {
        return;
    };
    let remounted = Command::new("mount")
        .args(["-o", "remount,bind,ro"])
        .arg(&target)
        .status();
    if !remounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no read-only view can be mounted here");
        return;
    }
    assert_readable(&target);
    // What exists need not be created.
    let dir = OsDir::create(&target).unwrap();
    for refused in [
        dir.create("b").map(drop),
        dir.create_dir("b").map(drop),
        dir.open("a", Access::ReadWrite).map(drop),
        dir.rename("a", "b"),
        dir.remove("a"),
        dir.lock("lock", "me").map(drop),
        OsDir::create(target.join("new")).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(error.is_read_only(), "{error}");
    }
    drop(mount);
}
