//! Reading all snapshots again, also without opening the database: of one that can not be opened this may mend what it needs.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use disk::Dir;
use snapshot::{Scrub, ScrubProgress, ScrubReport, Snapshots, Spare};

use crate::error::{Error, Result};
use crate::layout;
use crate::looking_again::look_again;

/// Hears of every few megabytes of a scrub, and may break to give it up; it may take its time.
pub type OnScrub<'a> = dyn Fn(ScrubProgress) -> ControlFlow<()> + 'a;

/// Reads all snapshots in a database's directory again, and says what is damaged. With `repair` it takes the directory's lock, and rewrites what has a sound
/// copy in another file; [`crate::Database::scrub`] can do more, since it has the state in memory. Without, a live writer may work beside it.
///
/// # Errors
/// [`Error::NoDatabase`]; [`Error::Snapshot`], with `Cancelled` if `on_progress` broke; [`Error::Disk`], also if the directory is locked. Damage is
/// a value in the report.
pub fn scrub(
    dir: &Arc<dyn Dir>,
    repair: bool,
    holder: &str,
    on_progress: &OnScrub<'_>,
) -> Result<ScrubReport> {
    let snapshots_dir = layout::existing(&**dir, layout::SNAPSHOTS)?;
    let Some(snapshots_dir) = snapshots_dir else {
        let path = dir.path().to_path_buf();
        let log = layout::existing(&**dir, layout::LOG)?;
        let none = log.is_none().then_some(Error::NoDatabase { path });
        return none.map_or(Ok(ScrubReport::default()), Err);
    };
    let _lock = match repair {
        true => Some(dir.lock(layout::LOCK, holder)?),
        false => None,
    };
    let options = snapshot::Options {
        read_only: !repair,
        ..snapshot::Options::default()
    };
    let attempt = || {
        let snapshots = Snapshots::open(Arc::clone(&snapshots_dir), options.clone())?;
        let mut scrub = snapshots.scrub()?;
        read_all(&mut scrub, on_progress)?;
        let tell = &mut |progress| on_progress(progress);
        Ok(snapshots.mend(scrub, Spare::default(), repair, tell)?)
    };
    if repair {
        return attempt();
    }
    look_again(dir.path(), |doubt| {
        let report = attempt()?;
        for finding in &report.findings {
            // Writing to a string does not fail.
            let _ = write!(doubt, "{}", finding.reason);
        }
        Ok(report)
    })
}

/// Does all that is before the mending.
pub(crate) fn read_all(scrub: &mut Scrub, on_progress: &OnScrub<'_>) -> Result<()> {
    while scrub.step()? {
        if on_progress(scrub.progress()).is_break() {
            return Err(snapshot::Error::Cancelled.into());
        }
    }
    Ok(())
}
