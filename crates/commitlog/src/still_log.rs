//! A log as it was when it was looked at, for reading without a lock.

use std::sync::Arc;

use disk::Dir;

use crate::error::{Error, Result};
use crate::examine::{Examined, examine};
use crate::frame_cursor::Position;
use crate::look::{ATTEMPTS_MAX, Look, look};
use crate::open_report::{Proof, TornTail};
use crate::read_only_log::ReadOnlyOptions;
use crate::seek_cache::SeekCache;
use crate::shared_log::{Placement, Visible};
use crate::tx_id::TxId;

/// What was found.
#[derive(Debug)]
pub(crate) struct StillLog {
    dir: Arc<dyn Dir>,
    look: Look,
    /// What is shown.
    visible: Visible,
    /// The end of the frames that count, proven or not.
    pub(crate) end: Position,
    /// What stands there, if it is neither space reserved ahead nor the end of the file.
    pub(crate) tail: Option<TornTail>,
    seek_cache: Arc<SeekCache>,
}

impl StillLog {
    /// Looks until two looks agree: a writer may rotate or prune in between.
    pub(crate) fn open(
        dir: Arc<dyn Dir>,
        options: &ReadOnlyOptions,
        proofs: &[Proof],
        seek_cache: Arc<SeekCache>,
    ) -> Result<StillLog> {
        let mut before: Option<String> = None;
        let mut attempt = 1;
        loop {
            let error = match examine_once(dir.as_ref(), options, proofs) {
                Ok((look, examined)) => {
                    let found = StillLog::new(dir, look, &examined, options, seek_cache);
                    return Ok(found);
                }
                Err(error) => error,
            };
            let passing = match &error {
                Error::Damaged { .. } | Error::Truncated { .. } => true,
                Error::Io(error) => error.is_not_found(),
                _ => false,
            };
            // The same damage twice is damage: what is proved does not change any more. What a writer beside us does may happen again.
            let description = error.to_string();
            let same = before.as_ref() == Some(&description);
            let settled = same && matches!(error, Error::Damaged { .. });
            if !passing || settled || attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            before = Some(description);
            attempt += 1;
        }
    }

    fn new(
        dir: Arc<dyn Dir>,
        look: Look,
        examined: &Examined,
        options: &ReadOnlyOptions,
        seek_cache: Arc<SeekCache>,
    ) -> StillLog {
        let end = if options.show_unproven {
            examined.end
        } else {
            examined.proven
        };
        StillLog {
            tail: examined.torn_tail(&look),
            dir,
            look,
            visible: Visible {
                end,
                durable_end: examined.proven.id,
            },
            end: examined.end,
            seek_cache,
        }
    }

    pub(crate) fn dir(&self) -> &dyn Dir {
        self.dir.as_ref()
    }

    pub(crate) fn seek_cache(&self) -> &Arc<SeekCache> {
        &self.seek_cache
    }

    pub(crate) fn look(&self) -> &Look {
        &self.look
    }

    pub(crate) fn visible(&self) -> Visible {
        self.visible
    }

    pub(crate) fn segment_of(&self, id: TxId) -> Result<Placement> {
        self.look.segment_of(id)
    }
}

fn examine_once(
    dir: &dyn Dir,
    options: &ReadOnlyOptions,
    proofs: &[Proof],
) -> Result<(Look, Examined)> {
    let look = look(dir, options.reader)?;
    let examined = examine(dir, &look, proofs)?;
    Ok((look, examined))
}
