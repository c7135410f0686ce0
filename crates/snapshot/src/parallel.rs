//! The same work on many items, on a few threads.

use crate::error::Result;

/// Fewer items than this are not worth a thread.
const ITEMS_PER_THREAD_MIN: usize = 64;

/// Applies `work` to each item, neighbours on the same thread. Results are in the order of the items; of several
/// errors the one of the first part is returned.
pub(crate) fn map<I, T, F>(threads: usize, items: &[I], work: F) -> Result<Vec<T>>
where
    I: Sync,
    T: Send,
    F: Fn(&I) -> Result<T> + Sync,
{
    let threads = threads.min(items.len() / ITEMS_PER_THREAD_MIN).max(1);
    let part_length = items.len().div_ceil(threads).max(1);
    let run = |part: &[I]| part.iter().map(&work).collect::<Result<Vec<T>>>();
    if threads == 1 {
        return run(items);
    }
    let parts: Vec<Result<Vec<T>>> = std::thread::scope(|scope| {
        let handles: Vec<_> = items
            .chunks(part_length)
            .map(|part| scope.spawn(|| run(part)))
            .collect();
        handles
            .into_iter()
            .map(|handle| match handle.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    let mut all = Vec::with_capacity(items.len());
    for part in parts {
        all.extend(part?);
    }
    Ok(all)
}
