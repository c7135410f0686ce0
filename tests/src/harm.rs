//! Files harmed one by one, each with a name that the tables know.

use disk::SimDisk;

use crate::sample::{End, Sample, Shape};
use crate::verdict::{Effort, verdict};
use crate::verdict_table::Seen;

/// The columns of the tables.
const ENDS: [End; 3] = [End::Closed, End::Killed, End::PowerCut];

/// Harms forks of one sample.
#[derive(Debug)]
pub struct Harm {
    /// What is harmed.
    pub sample: Sample,
    /// The column of the tables.
    pub column: usize,
}

impl Harm {
    /// A sample for each column.
    pub fn each(shape: Shape) -> impl Iterator<Item = Harm> {
        ENDS.into_iter().enumerate().map(move |(column, end)| Harm {
            sample: Sample::new(shape, end),
            column,
        })
    }

    /// What each file is, in the words of the tables, and its path.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut snapshots = 0;
        let segments = self.sample.segments();
        let age = |number: &mut usize| {
            *number += 1;
            if *number == 1 { "older" } else { "newer" }
        };
        let name = |path: String| {
            let name = match segments.iter().position(|segment| *segment == path) {
                Some(0) => "oldest segment".to_owned(),
                Some(number) if number + 1 == segments.len() => "newest segment".to_owned(),
                Some(_) => "middle segment".to_owned(),
                None if path.ends_with(".pack") => format!("{} snapshot", age(&mut snapshots)),
                None => path.clone(),
            };
            (name, path)
        };
        self.sample.disk.files().into_iter().map(name).collect()
    }

    /// Does one harm to a fork of the disk, and notes the verdict.
    ///
    /// # Panics
    /// As [`verdict`].
    pub fn note(
        &self,
        seen: &mut Seen,
        row: &str,
        effort: Effort,
        context: &str,
        harm: impl FnOnce(&SimDisk),
    ) {
        let disk = self.sample.disk.fork();
        harm(&disk);
        let context = format!(
            "{:?}, {:?}, {row}, {context}",
            self.sample.shape, self.sample.end
        );
        let verdict = verdict(&self.sample, &disk, effort, &context);
        seen.note(row, self.column, verdict, &context);
    }
}
