//! Making a database: all of it or nothing.
//!
//! ```text
//!  1  the initialiser runs in memory          it fails: no file has been made
//!  2  log/ is made, durably                   crash: an empty directory, nothing yet
//!  3  the first segment, with the genesis     its rename is the commit point
//!  4  the identity file                       crash before: the next open writes it
//! ```

use std::sync::Arc;

use commitlog::{Log, TxId};
use disk::Dir;
use schema::{State, WriteTransaction};

use crate::database_id::DatabaseId;
use crate::error::Error;
use crate::identity;
use crate::layout;
use crate::open_error::OpenError;
use crate::options::Options;
use crate::view::View;

/// Makes a database in a directory that holds none.
pub(crate) fn create<E>(
    dir: &Arc<dyn Dir>,
    options: &Options,
    initialiser: impl FnOnce(&mut WriteTransaction) -> Result<(), E>,
) -> Result<(Log, View), OpenError<E>> {
    let id = match options.database_id {
        Some(id) => id,
        None => random_id()?,
    };
    let mut genesis = WriteTransaction::genesis(id.0)?;
    initialiser(&mut genesis).map_err(OpenError::Initialiser)?;
    let payload = genesis
        .finish()?
        .expect("a genesis describes the system tables");
    let mut state = State::empty(id.0);
    state.replay(&payload)?;

    let log_dir = layout::existing_or_new(&**dir, layout::LOG)?;
    let log_options = commitlog::Options {
        minimum_reader: state.marks().minimum_reader,
        ..options.log_options()
    };
    let time = options.clock.wall_ns();
    let log = Log::create(log_dir, id.log_id(), log_options, &[(&payload, time)])?;
    identity::write(&**dir, id)?;
    let chain = log.chain_at_end();
    Ok((log, View::new(state, TxId(0), chain)))
}

fn random_id() -> Result<DatabaseId, Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| Error::NoRandomness)?;
    Ok(DatabaseId(id))
}
