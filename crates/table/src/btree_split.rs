//! How a node of a B+tree that is full becomes two.

use crate::btree_balance::DENSE;
use crate::btree_node::{Entry, Node, kind_of_level};
use crate::btree_node_mut::NodeMut;
use crate::btree_separator::Separator;
use crate::damaged::{DamageKind, Damaged};
use crate::page_error::PageError;
use crate::page_number::PageNumber;
use crate::pages::Pages;
use crate::table_id::TableId;

/// Puts `entry` into a node that lacks the room below its heap: writes the node anew where it has holes
/// enough, splits it otherwise and returns what its right half is entered by.
pub(crate) fn make_room(
    pages: &mut Pages,
    owner: TableId,
    number: PageNumber,
    level: u8,
    position: usize,
    entry: &Entry<'_>,
    is_last: bool,
) -> Result<Option<(Separator, PageNumber)>, PageError> {
    let before = pages.page(number)?;
    let node = Node::new(&before, number, level)?;
    let leftmost = if level > 0 {
        Some(node.child(0)?)
    } else {
        None
    };
    if is_last && position == node.len() && node.used_bytes() + entry.bytes() > DENSE {
        let right = begin_next(pages, owner, level, &node, entry)?;
        return Ok(Some(right));
    }
    let mut entries = Vec::with_capacity(node.len() + 1);
    for entry in node.entries() {
        entries.push(entry?);
    }
    entries.insert(position, *entry);
    if entries.iter().map(Entry::bytes).sum::<usize>() <= DENSE {
        NodeMut::build(pages, number, owner, level, leftmost, &entries)?;
        return Ok(None);
    }
    let right = pages.allocate(kind_of_level(level), owner)?;
    let separator = write_halves(pages, owner, level, leftmost, &entries, number, right)?;
    Ok(Some((separator, right)))
}

/// Begins a node to the right of the last one of its level with `entry`, which is above everything in that.
fn begin_next(
    pages: &mut Pages,
    owner: TableId,
    level: u8,
    last: &Node<'_>,
    entry: &Entry<'_>,
) -> Result<(Separator, PageNumber), PageError> {
    let Some(before) = last.last()? else {
        return Err(last.broken("an index node is full of nothing").into());
    };
    let right = pages.allocate(kind_of_level(level), owner)?;
    let entries = std::slice::from_ref(entry);
    if level == 0 {
        NodeMut::build(pages, right, owner, level, None, entries)?;
        return Ok((Separator::between(&before, entry), right));
    }
    // The last separator goes up, and its child becomes the leftmost one of the new node.
    NodeMut::build(pages, right, owner, level, before.child, entries)?;
    let separator = Separator {
        key: before.key.to_vec(),
        row: before.row,
    };
    NodeMut::open(pages, last.number(), level)?.remove(last.len() - 1)?;
    Ok((separator, right))
}

/// Writes `entries` to the two nodes as evenly as can be, and returns what separates them.
pub(crate) fn write_halves(
    pages: &mut Pages,
    owner: TableId,
    level: u8,
    leftmost: Option<PageNumber>,
    entries: &[Entry<'_>],
    left: PageNumber,
    right: PageNumber,
) -> Result<Separator, Damaged> {
    let too_few = DamageKind::Structure("an index node has too few entries for its bytes").at(left);
    if level == 0 {
        let point = even_point(entries, Entry::bytes, false).ok_or(too_few)?;
        let (lower, upper) = entries.split_at(point);
        NodeMut::build(pages, left, owner, level, None, lower)?;
        NodeMut::build(pages, right, owner, level, None, upper)?;
        return Ok(Separator::between(&lower[point - 1], &upper[0]));
    }
    let point = even_point(entries, Entry::bytes, true).ok_or(too_few)?;
    let middle = &entries[point];
    NodeMut::build(pages, left, owner, level, leftmost, &entries[..point])?;
    NodeMut::build(
        pages,
        right,
        owner,
        level,
        middle.child,
        &entries[point + 1..],
    )?;
    Ok(Separator {
        key: middle.key.to_vec(),
        row: middle.row,
    })
}

/// Where to divide items of these sizes so that the halves differ least, the first such point. Where
/// the item at the point goes up, it counts for neither half. Nothing, where a half would be empty.
fn even_point<T>(items: &[T], size: impl Fn(&T) -> usize, middle_goes_up: bool) -> Option<usize> {
    let total: usize = items.iter().map(&size).sum();
    let upper_skips = usize::from(middle_goes_up);
    let mut lower = 0;
    let mut best: Option<(usize, usize)> = None;
    for point in 1..items.len().saturating_sub(upper_skips) {
        lower += size(&items[point - 1]);
        let middle = if middle_goes_up {
            size(&items[point])
        } else {
            0
        };
        let difference = lower.abs_diff(total - lower - middle);
        // What the lower half has beyond the upper one only grows.
        if best.is_some_and(|(least, _)| difference >= least) {
            break;
        }
        best = Some((difference, point));
    }
    best.map(|(_, point)| point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btree_balance::FILL_MIN;
    use crate::btree_format::{ENTRY_BYTES_MAX, NODE_BYTES};

    /// splitmix64.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// What is split or shared has more than DENSE bytes, and no more than a full node, a separator and
    /// a node that is too empty.
    fn sizes(state: &mut u64, longest: u64, total: usize) -> Vec<usize> {
        let mut sizes: Vec<usize> = Vec::new();
        while sizes.iter().sum::<usize>() <= total {
            let size = 13 + random(state) % longest;
            // Now and then a very large one among the others.
            let size = if random(state).is_multiple_of(9) {
                ENTRY_BYTES_MAX
            } else {
                usize::try_from(size).unwrap()
            };
            sizes.push(size.min(ENTRY_BYTES_MAX));
        }
        sizes
    }

    #[test]
    fn both_halves_are_full_enough_and_fit() {
        for seed in 0..3_000 {
            println!("seed {seed}");
            let mut state = seed;
            let longest = [1, 20, 300, 4_101][usize::try_from(seed % 4).unwrap()];
            let most = FILL_MIN + ENTRY_BYTES_MAX + NODE_BYTES - ENTRY_BYTES_MAX;
            let total = DENSE + usize::try_from(random(&mut state)).unwrap() % (most - DENSE);
            let sizes = sizes(&mut state, longest, total);
            for middle_goes_up in [false, true] {
                let point = even_point(&sizes, |size| *size, middle_goes_up).unwrap();
                let lower = &sizes[..point];
                let upper = &sizes[point + usize::from(middle_goes_up)..];
                for half in [lower, upper] {
                    let bytes: usize = half.iter().sum();
                    assert!((FILL_MIN..=NODE_BYTES).contains(&bytes), "{bytes}");
                    assert!(half.len() >= 3);
                }
            }
        }
    }

    #[test]
    fn the_point_is_where_the_halves_differ_least() {
        let rows: [(&[usize], bool, Option<usize>); 8] = [
            (&[], false, None),
            (&[9], false, None),
            (&[9, 9], false, Some(1)),
            (&[9, 9], true, None),
            (&[1, 1, 1], true, Some(1)),
            (&[1, 1, 1, 9], false, Some(3)),
            (&[9, 1, 1, 1], false, Some(1)),
            (&[5, 1, 9, 1, 5], true, Some(2)),
        ];
        for (sizes, middle_goes_up, point) in rows {
            assert_eq!(
                even_point(sizes, |size| *size, middle_goes_up),
                point,
                "{sizes:?}"
            );
        }
    }
}
