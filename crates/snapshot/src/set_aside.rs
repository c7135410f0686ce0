//! Files that say nothing, and keep others from being removed.
//!
//! A file that can not be read may be a snapshot that needs any pack before it, so none of those goes ([`crate::leftovers`]). Where nothing could mend it, and no
//! snapshot that can be read lies in it, it is of no use to anybody but one who looks at its bytes: it is kept for that one, under another name.

use std::collections::HashSet;
use std::path::PathBuf;

use disk::Dir;

use crate::changing::Changing;
use crate::error::{Error, Result};
use crate::file_name::{FileName, PackName};
use crate::leftovers;
use crate::manifest_file::Found;

const SUFFIX: &str = ".damaged";

pub(crate) fn set_aside(dir: &dyn Dir, changing: &mut Changing) -> Result<Vec<PathBuf>> {
    let sighted = changing.survey.sighted(dir, None)?;
    let found = sighted
        .iter()
        .filter_map(|sighted| sighted.found.as_ref().ok());
    let needed: HashSet<PackName> = found
        .filter(|found| matches!(found, Found::Published(_)))
        .flat_map(Found::packs)
        .collect();
    let mut aside = Vec::new();
    for sighted in sighted {
        let is_needed = match sighted.file {
            FileName::Pack(pack) => needed.contains(&pack),
            _ => false,
        };
        let is_damaged = |error: &Error| error.is_damage() && !error.is_no_file();
        if !is_needed && sighted.found.is_err_and(|error| is_damaged(&error)) {
            let name = sighted.file.to_string();
            let new = format!("{name}{SUFFIX}");
            dir.rename(&name, &new)?;
            changing.survey.gone(sighted.file);
            aside.push(dir.path().join(new));
        }
    }
    if !aside.is_empty() {
        dir.sync()?;
        leftovers::clear(dir, changing, None)?;
    }
    Ok(aside)
}
