//! What whoever changes a directory knows of it.

use std::collections::HashSet;

use disk::Dir;

use crate::error::Result;
use crate::file_name::FileName;
use crate::manifest_file;
use crate::survey::Survey;

/// Held while a directory is changed.
#[derive(Debug, Default)]
pub(crate) struct Changing {
    /// The files whose withdrawal this process knows to be durable.
    pub(crate) withdrawn: HashSet<FileName>,
    /// The files of snapshots that this process knows to be durable.
    pub(crate) settled: HashSet<FileName>,
    /// What has been seen since this change began.
    pub(crate) survey: Survey,
}

impl Changing {
    /// Takes a snapshot back, durably.
    pub(crate) fn withdraw(&mut self, dir: &dyn Dir, file: FileName) -> Result<()> {
        self.survey.changed(file);
        self.settled.remove(&file);
        manifest_file::withdraw(dir, file)?;
        self.withdrawn.insert(file);
        Ok(())
    }

    /// Removes a file, if it is there. The name may be given to another one.
    pub(crate) fn remove(&mut self, dir: &dyn Dir, file: FileName) -> Result<()> {
        self.withdrawn.remove(&file);
        self.settled.remove(&file);
        self.survey.gone(file);
        match dir.remove(&file.to_string()) {
            Err(error) if error.is_not_found() => Ok(()),
            removed => Ok(removed?),
        }
    }
}
