//! The file that says which database a directory holds.

use disk::{Access, Dir};

use crate::database_id::DatabaseId;
use crate::error::Result;
use crate::format::{self, Decoded, IDENTITY_BYTES};
use crate::sighting::IdentitySighting;

/// The name of the identity file.
pub(crate) const NAME: &str = "identity";
const TEMPORARY_NAME: &str = "identity.tmp";

/// What the identity file says.
pub(crate) fn read(dir: &dyn Dir) -> Result<IdentitySighting> {
    let file = match dir.open(NAME, Access::Read) {
        Err(error) if error.is_not_found() => return Ok(IdentitySighting::Absent),
        file => file?,
    };
    // One byte more than it should have, to notice a longer file.
    let mut bytes = [0; IDENTITY_BYTES + 1];
    let count = file.read_up_to(0, &mut bytes)?;
    Ok(match format::decode(&bytes[..count]) {
        Decoded::Sound(id) => IdentitySighting::Sound(id),
        Decoded::Newer(version) => IdentitySighting::Newer(version),
        Decoded::Flawed(flaw) => IdentitySighting::Damaged(flaw),
    })
}

/// Writes the identity file, all at once and durably. Crash before the rename: there is none, and the next open writes it.
pub(crate) fn write(dir: &dyn Dir, id: DatabaseId) -> Result<()> {
    remove_leftovers(dir)?;
    let file = dir.create(TEMPORARY_NAME)?;
    file.write_all_at(0, &format::encode(id))?;
    file.sync()?;
    Ok(dir.rename_durable(TEMPORARY_NAME, NAME)?)
}

/// Removes what an interrupted write left.
pub(crate) fn remove_leftovers(dir: &dyn Dir) -> Result<()> {
    match dir.remove(TEMPORARY_NAME) {
        Err(error) if error.is_not_found() => Ok(()),
        removed => Ok(removed?),
    }
}
