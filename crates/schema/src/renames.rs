//! Which of the renames that a declaration asks for are to be taken, and in which order: those of tables, or of the columns of one.
//!
//! A rename is told from one that was taken long ago by what is there and what is declared. It is taken if its new name is declared and
//! vacant, or gets vacant by another one, and its old name is not declared, or is given to something else by another one. It is done, and
//! asks for nothing, if nothing of the old name is there, or both names are there and declared. Where neither is plain nothing is guessed.

use std::collections::HashSet;

/// From, to.
type Rename = (String, String);

/// The renames of one level.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Renames {
    /// One after the other: no name is given twice at any moment.
    pub(crate) taken: Vec<Rename>,
    /// What can not be meant, or not be told from what was done before.
    pub(crate) refused: Vec<Rename>,
}

impl Renames {
    pub(crate) fn of(
        mut there: HashSet<String>,
        declared: &HashSet<String>,
        asked: &[Rename],
    ) -> Renames {
        let mut renames = Renames::default();
        let is_open = |(from, to): &&Rename| there.contains(from) && declared.contains(to);
        let mut open: Vec<Rename> = asked.iter().filter(is_open).cloned().collect();
        // Each one that falls away may have been what another one rested on.
        while let Some(place) = open.iter().position(|(from, to)| {
            let gets_vacant = open.iter().any(|(other, _)| other == to);
            let is_given = open.iter().any(|(_, other)| other == from);
            (there.contains(to) && !gets_vacant) || (declared.contains(from) && !is_given)
        }) {
            let (from, to) = open.remove(place);
            let is_done = there.contains(&to) && declared.contains(&from);
            if !is_done {
                renames.refused.push((from, to));
            }
        }
        while let Some(place) = open.iter().position(|(_, to)| !there.contains(to)) {
            let (from, to) = open.remove(place);
            if there.remove(&from) {
                there.insert(to.clone());
                renames.taken.push((from, to));
            } else {
                renames.refused.push((from, to));
            }
        }
        // A circle, which looks the same when it is done.
        renames.refused.append(&mut open);
        renames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_is_taken_once_and_nothing_is_guessed() {
        /// There, declared, asked for, taken, refused; and whether all is done then.
        type Row = (
            &'static str,
            &'static str,
            &'static str,
            &'static str,
            &'static str,
        );
        let rows: [Row; 15] = [
            // Plain, and done.
            ("a", "b", "ab", "ab", ""),
            ("b", "b", "ab", "", ""),
            ("", "b", "ab", "", ""),
            // The new name is not wanted any more: nothing is asked for.
            ("a", "", "ab", "", ""),
            ("a", "a", "ab", "", ""),
            // The old name is used again.
            ("ab", "ab", "ab", "", ""),
            ("a", "ab", "ab", "", "ab"),
            // The new name is taken.
            ("ab", "b", "ab", "", "ab"),
            // Chains in any order, and done.
            ("ab", "bc", "ab bc", "bc ab", ""),
            ("ab", "bc", "bc ab", "bc ab", ""),
            ("bc", "bc", "ab bc", "", ""),
            ("abc", "bcd", "ab bc cd", "cd bc ab", ""),
            // A chain whose end is taken.
            ("abc", "bc", "ab bc", "", "ab"),
            // Circles, and two of one name.
            ("ab", "ab", "ab ba", "", "ab ba"),
            ("ac", "b", "ab cb", "ab", "cb"),
        ];
        let names = |text: &str| text.chars().map(String::from).collect::<HashSet<_>>();
        let pairs = |text: &str| -> Vec<Rename> {
            let pairs = text.split_whitespace();
            pairs
                .map(|pair| (pair[..1].to_owned(), pair[1..].to_owned()))
                .collect()
        };
        for (there, declared, asked, taken, refused) in rows {
            let found = Renames::of(names(there), &names(declared), &pairs(asked));
            let expected = Renames {
                taken: pairs(taken),
                refused: pairs(refused),
            };
            assert_eq!(found, expected, "{there} | {declared} | {asked}");
        }
    }
}
