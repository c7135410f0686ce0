//! "Did you mean": the known name nearest to a mistyped one.

/// The name with the least edit distance to `wanted`, if it is near enough to be what was meant: one edit in three
/// characters. Letter case counts for nothing. The first of equals wins.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().collect();
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        let known: Vec<char> = name.to_lowercase().chars().collect();
        let allowed = wanted.len().max(known.len()).div_ceil(3);
        if wanted.len().abs_diff(known.len()) > allowed {
            continue;
        }
        let distance = edit_distance(&wanted, &known);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name.to_owned())
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
fn edit_distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, &a) in left.iter().enumerate() {
        let mut row = vec![i + 1; right.len() + 1];
        for (j, &b) in right.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == right[j - 1] && left[i - 1] == b {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn names_near_enough_are_proposed() {
        let names = ["flights", "airports", "planes", "st_table"];
        for (wanted, expected) in [
            ("flight", Some("flights")),
            ("FLIGHTS", Some("flights")),
            ("fligths", Some("flights")),
            ("airprots", Some("airports")),
            ("plane", Some("planes")),
            ("weather", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, names).as_deref(), expected, "{wanted}");
        }
    }
}
