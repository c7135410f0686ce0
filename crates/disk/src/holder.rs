//! How a process names itself in a lock file.

/// Names this process for others: `process 1234 (cairn)`.
///
/// Meant as the `holder` of [`crate::Dir::lock`].
pub fn this_process() -> String {
    let program = std::env::current_exe().ok();
    let program = program
        .as_deref()
        .and_then(|path| path.file_name())
        .map_or("unnamed".into(), |name| name.to_string_lossy());
    format!("process {} ({program})", std::process::id())
}
