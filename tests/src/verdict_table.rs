//! What was seen, beside what should be: tables of verdicts as data.

use std::collections::{BTreeMap, BTreeSet};

/// A row: what was harmed, and the verdict for each end of the life (closed, killed, power cut). Where a row covers places that
/// differ, their verdicts stand side by side with ` | ` between; each of them must occur. Nothing stands for: there is no such place.
pub type Row<'a> = (&'a str, [&'a str; 3]);

/// A row with one verdict, however the life ended.
pub const fn same<'a>(what: &'a str, verdict: &'a str) -> Row<'a> {
    (what, [verdict; 3])
}

/// Verdicts as they were seen.
#[derive(Debug, Default)]
pub struct Seen {
    cells: BTreeMap<(String, usize), BTreeMap<String, (u64, String)>>,
}

impl Seen {
    /// Notes one. `column` counts the ends; `context` is kept for the first of its kind.
    pub fn note(&mut self, row: &str, column: usize, verdict: String, context: &str) {
        let cell = self.cells.entry((row.to_owned(), column)).or_default();
        cell.entry(verdict).or_insert((0, context.to_owned())).0 += 1;
    }

    /// Notes all that another one has noted.
    pub fn merge(&mut self, other: Seen) {
        for (place, seen) in other.cells {
            let cell = self.cells.entry(place).or_default();
            for (verdict, (count, context)) in seen {
                cell.entry(verdict).or_insert((0, context)).0 += count;
            }
        }
    }

    /// How many were noted.
    pub fn count(&self) -> u64 {
        let cells = self.cells.values().flat_map(BTreeMap::values);
        cells.map(|(count, _)| count).sum()
    }

    /// Compares with the table, both ways.
    ///
    /// # Panics
    /// If they differ; then all that differs is shown.
    #[track_caller]
    pub fn check(&self, table: &[Row<'_>]) {
        let mut wrong = String::new();
        let mut known = BTreeSet::new();
        for (row, cells) in table {
            assert!(known.insert(*row), "row {row} is there twice");
            for (column, cell) in cells.iter().enumerate() {
                let wanted: BTreeSet<&str> = cell
                    .split(" | ")
                    .filter(|verdict| !verdict.is_empty())
                    .collect();
                let seen = self.cells.get(&((*row).to_owned(), column));
                let seen: BTreeSet<&str> = match seen {
                    Some(seen) => seen.keys().map(String::as_str).collect(),
                    None => BTreeSet::new(),
                };
                if wanted != seen {
                    wrong += &format!("row {row:?}, column {column}: wanted {wanted:?}\n");
                }
            }
        }
        for ((row, column), seen) in &self.cells {
            if !known.contains(row.as_str())
                || wrong.contains(&format!("row {row:?}, column {column}"))
            {
                wrong += &format!("row {row:?}, column {column}: seen {seen:#?}\n");
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }
}
