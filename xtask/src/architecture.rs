//! The two tables of `docs/ARCHITECTURE.md` that are rules: who may use whom, and which file may do more than others.
//!
//! The document is the source, so that what a reader sees and what is checked cannot drift apart. A table is known by
//! the names of its columns, wherever it stands on the page.

use std::collections::BTreeSet;

use crate::Failure;

/// Where the tables are written.
pub(crate) const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// The row of a crate in the table of edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CrateRule {
    /// The package's name.
    pub(crate) name: String,
    /// The packages of the workspace that it may depend on.
    pub(crate) may_use: BTreeSet<String>,
    /// Further ones that its tests and benches may depend on.
    pub(crate) tests_may_use: BTreeSet<String>,
}

/// What a file may do that others may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Licence {
    /// Call the file system of the operating system, or map a file.
    FileSystem,
    /// Hold unsafe code.
    Unsafe,
    /// Have more lines than the limit.
    Long,
}

impl Licence {
    /// The word that the table says.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Licence::FileSystem => "std::fs",
            Licence::Unsafe => "unsafe",
            Licence::Long => "long",
        }
    }

    fn from_word(word: &str) -> Option<Licence> {
        [Licence::FileSystem, Licence::Unsafe, Licence::Long]
            .into_iter()
            .find(|licence| licence.word() == word)
    }
}

/// One file with one licence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LicenceRule {
    /// The file, named from the root.
    pub(crate) path: String,
    /// What it may do.
    pub(crate) licence: Licence,
}

/// Both tables.
#[derive(Debug)]
pub(crate) struct Architecture {
    /// The crates in the order of the table, lowest layer first.
    pub(crate) crates: Vec<CrateRule>,
    /// The files that may do more, one entry for each licence.
    pub(crate) licences: Vec<LicenceRule>,
}

impl Architecture {
    /// Reads both tables.
    ///
    /// # Errors
    /// A table that is missing, a licence without a reason, a word that is not known.
    pub(crate) fn parse(markdown: &str) -> Result<Architecture, Failure> {
        let tables = tables(markdown);
        let crates = find(&tables, &["crate", "may use", "its tests also use"])?
            .map(|cells| CrateRule {
                name: cells[0].clone(),
                may_use: names(&cells[1]),
                tests_may_use: names(&cells[2]),
            })
            .collect();
        let mut licences = Vec::new();
        for cells in find(&tables, &["file", "may", "because"])? {
            if cells[2].is_empty() {
                return Err(format!("{ARCHITECTURE}: no reason is given for {}", cells[0]).into());
            }
            for word in names(&cells[1]) {
                let licence = Licence::from_word(&word).ok_or_else(|| {
                    format!("{ARCHITECTURE}: {}: `{word}` is no licence", cells[0])
                })?;
                licences.push(LicenceRule {
                    path: cells[0].clone(),
                    licence,
                });
            }
        }
        Ok(Architecture { crates, licences })
    }
}

/// A markdown table; backticks and outer spaces are taken off its cells.
#[derive(Debug)]
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// All tables of a page.
fn tables(markdown: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut inside = false;
    for line in markdown.lines() {
        let line = line.trim();
        let Some(inner) = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
        else {
            inside = false;
            continue;
        };
        let cells: Vec<String> = inner
            .split('|')
            .map(|cell| cell.replace('`', "").trim().to_owned())
            .collect();
        match tables.last_mut() {
            Some(table) if inside => {
                let is_rule = cells
                    .iter()
                    .all(|cell| cell.chars().all(|character| "-:".contains(character)));
                if !is_rule || !table.rows.is_empty() {
                    table.rows.push(cells);
                }
            }
            _ => tables.push(Table {
                columns: cells,
                rows: Vec::new(),
            }),
        }
        inside = true;
    }
    tables
}

/// The rows of the table that has all these columns, each row cut down to them in this order.
fn find(tables: &[Table], columns: &[&str]) -> Result<std::vec::IntoIter<Vec<String>>, Failure> {
    let places = |table: &Table| -> Option<Vec<usize>> {
        columns
            .iter()
            .map(|column| table.columns.iter().position(|name| name == column))
            .collect()
    };
    let Some((table, places)) = tables
        .iter()
        .find_map(|table| Some((table, places(table)?)))
    else {
        return Err(format!(
            "{ARCHITECTURE}: no table with the columns {}",
            columns.join(", ")
        )
        .into());
    };
    let mut rows = Vec::new();
    for row in &table.rows {
        if row.len() != table.columns.len() {
            return Err(format!(
                "{ARCHITECTURE}: the row of {} has {} cells, its table {} columns",
                row[0],
                row.len(),
                table.columns.len()
            )
            .into());
        }
        rows.push(places.iter().map(|&place| row[place].clone()).collect());
    }
    Ok(rows.into_iter())
}

/// `a, b` as a set; `-` is the empty one.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "-")
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Page

| word | meaning |
|---|---|
| page | 32 KiB |

| crate | its promise | may use | its tests also use |
|---|---|---|---|
| `disk` | bytes that survive | - | - |
| `commitlog` | records | `disk` | - |
| `cairn` | the facade | disk, commitlog | `snapshot` |

Text.

| file | may | because |
|---|:---|---|
| `crates/disk/src/os_disk.rs` | `std::fs`, `unsafe` | it is the one place |
";

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn both_tables_are_read() {
        let page = Architecture::parse(PAGE).unwrap();
        let rule = |name: &str, may_use: &[&str], tests_may_use: &[&str]| CrateRule {
            name: name.to_owned(),
            may_use: set(may_use),
            tests_may_use: set(tests_may_use),
        };
        assert_eq!(
            page.crates,
            [
                rule("disk", &[], &[]),
                rule("commitlog", &["disk"], &[]),
                rule("cairn", &["disk", "commitlog"], &["snapshot"]),
            ]
        );
        let path = "crates/disk/src/os_disk.rs".to_owned();
        assert_eq!(
            page.licences,
            [
                LicenceRule {
                    path: path.clone(),
                    licence: Licence::FileSystem
                },
                LicenceRule {
                    path,
                    licence: Licence::Unsafe
                },
            ]
        );
    }

    #[test]
    fn a_broken_table_is_refused() {
        for (from, to, complaint) in [
            (
                "may use |",
                "might use |",
                "no table with the columns crate, may use",
            ),
            (
                "| file |",
                "| path |",
                "no table with the columns file, may",
            ),
            (
                "| `disk` | - |\n",
                "| `disk` |\n",
                "the row of commitlog has 3 cells, its table 4 columns",
            ),
            (
                "it is the one place",
                " ",
                "no reason is given for crates/disk/src/os_disk.rs",
            ),
            ("`unsafe`", "`unsound`", "`unsound` is no licence"),
        ] {
            let broken = PAGE.replace(from, to);
            assert_ne!(broken, PAGE, "{from} stands on the page");
            let refusal = Architecture::parse(&broken).unwrap_err().to_string();
            assert!(refusal.contains(complaint), "{refusal}");
        }
    }
}
